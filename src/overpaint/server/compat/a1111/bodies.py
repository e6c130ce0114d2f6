"""Bodies of AUTOMATIC1111's API, with its defaults (spec: inpaint settings 6)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PrivateAttr

from overpaint.errors import MaskError, OverpaintError
from overpaint.request import MOST_SEED
from overpaint.server.compat.lenient import Lenient, Number, Whole, Yes
from overpaint.server.tasks import MOST_VARIATIONS

from .always_on import standing_in
from .infotext_fields import SaidByInfotext, said_by_infotext

MOST_SIDE = 1 << 15


def _words(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) else value


def _seed(value: Any) -> Any:
    return -1 if isinstance(value, str) and not value.strip() else value


Words = Annotated[str, BeforeValidator(_words)]
"""Text; a number counts as its digits."""

Side = Annotated[Whole, Field(ge=1, le=MOST_SIDE)]
Count = Annotated[Whole, Field(ge=1, le=MOST_VARIATIONS)]

_NO = (False, 0, None, "", "None", "none")
IGNORED: Mapping[str, tuple[Any, ...]] = MappingProxyType(
    {
        "styles": ([], [""], *_NO),
        "tiling": _NO,
        "mask_round": (True, None),
        "latent_mask": _NO,
        "refiner_checkpoint": _NO,
        "refiner_switch_at": (*_NO, 1),
        "enable_hr": _NO,
        "save_images": _NO,
        "disable_extra_networks": _NO,
    }
)
"""Settings that have no effect here, with the values that have none in AUTOMATIC1111 either."""

_SILENT = frozenset(
    {"do_not_save_samples", "do_not_save_grid", "force_task_id", "comments", "image_cfg_scale"}
    | {"firstphase_width", "firstphase_height"}
)
"""Fields of AUTOMATIC1111's of which no note is made: they change no picture, or only beside others that are noted. So
do those that begin with "hr_", beside `enable_hr`.
"""

OF_WEBUI: Mapping[str, Any] = MappingProxyType(
    {"subseed_strength": 0, "seed_resize_from_w": -1, "seed_resize_from_h": -1, "initial_noise_multiplier": 1}
)
"""Settings that act in the dialect webui alone, with the values that change nothing."""

Seed = Annotated[Whole, BeforeValidator(_seed), Field(ge=-1, le=MOST_SEED)]


class PaintBody(Lenient):
    """What img2img and txt2img share."""

    prompt: Words = ""
    negative_prompt: Words = ""
    seed: Seed = -1
    subseed: Seed = -1
    subseed_strength: Number = 0.0
    seed_resize_from_w: Whole = -1
    seed_resize_from_h: Whole = -1
    initial_noise_multiplier: Number | None = None
    sampler_name: Words | None = None
    sampler_index: Words | None = None
    scheduler: Words | None = None
    batch_size: Count = 1
    n_iter: Count = 1
    steps: Whole = 50
    cfg_scale: Number = 7.0
    eta: Number | None = None
    s_churn: Number | None = None
    s_tmin: Number | None = None
    s_tmax: Number | None = None
    s_noise: Number | None = None
    s_min_uncond: Number | None = None
    clip_skip: Whole | None = None
    restore_faces: Yes | None = None
    width: Side = 512
    height: Side = 512
    denoising_strength: Number = 0.75
    override_settings: dict[str, Any] = Field(default_factory=dict)
    override_settings_restore_afterwards: Yes = True
    script_name: Words | None = None
    script_args: list[Any] = Field(default_factory=list)
    alwayson_scripts: dict[str, Any] = Field(default_factory=dict)
    infotext: Words | None = None
    send_images: Yes = True
    _said: SaidByInfotext = PrivateAttr(default_factory=SaidByInfotext)
    _sent: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def read(cls, table: Any) -> Any:
        """See `Lenient.read`; arguments of scripts, then `infotext`, stand in for fields that are left out."""
        if isinstance(table, dict):
            table = {**standing_in(table), **{name: value for name, value in table.items() if value is not None}}
            if isinstance(text := table.get("infotext"), str) and text.strip():
                return cls._completed(table, said_by_infotext(text, cls).beside(table))
        return super().read(table)

    @classmethod
    def _completed(cls, sent: dict[str, Any], said: SaidByInfotext) -> Any:
        body = super().read(said.completed(sent))
        body._sent, body._said = sent, said
        return body

    def without(self, error: OverpaintError, *, all_settings: bool = False) -> Self | None:
        """The same without what of `infotext` the call was refused for; None where that is not about the text.

        Args:
            error: Why the call was refused.
            all_settings: Whether all its settings are left out, or the prompts where there are no others.
        """
        own = self._sent.keys() - {"override_settings", "alwayson_scripts"}  # these have what was sent and what was not
        if error.field in own or isinstance(error, MaskError) or error.code.startswith("mask-"):
            return None
        left = self._said.without(error, all_settings=all_settings)
        return None if left is None else self._completed(self._sent, left)

    @property
    def said(self) -> SaidByInfotext:
        """What `infotext` says."""
        return self._said

    @property
    def count(self) -> int:
        """How many pictures are asked for."""
        return self.batch_size * self.n_iter

    @property
    def sampler(self) -> str | None:
        """The sampler; `sampler_name` counts where both are set."""
        return self.sampler_name or self.sampler_index or None

    @property
    def ignored(self) -> list[str]:
        """Settings that were sent, would have an effect in AUTOMATIC1111, and have none here."""
        return [name for name, neutral in IGNORED.items() if name in self.unknown and self.unknown[name] not in neutral]

    @property
    def strange(self) -> list[str]:
        """What was sent and is no field of AUTOMATIC1111's that acts here, or would not act there."""
        known = IGNORED.keys() | _SILENT
        return [name for name in self.unknown if name not in known and not name.startswith("hr_")]

    @property
    def of_webui(self) -> list[str]:
        """Settings that were sent, and act in the dialect webui alone."""
        return [name for name, neutral in OF_WEBUI.items() if getattr(self, name) not in (neutral, None, 0)]

    def sent(self, name: str) -> Any:
        """The value of a field that was sent; None for one that was left out."""
        return getattr(self, name) if name in self.model_fields_set else None

    def first_seed(self) -> int:
        """The seed, drawn where it is left open. AUTOMATIC1111 draws from 32 bits, which JavaScript counts exactly."""
        return _drawn(self.seed)

    def first_subseed(self) -> int:
        """The seed of the variation, likewise."""
        return _drawn(self.subseed)


def _drawn(seed: int) -> int:
    return seed if seed >= 0 else secrets.randbelow((1 << 32) - 2)


class TextBody(PaintBody):
    """The body of txt2img."""


class PictureBody(PaintBody):
    """The body of img2img."""

    init_images: list[Any] = Field(default_factory=list)
    mask: Any = None
    mask_blur: Number | None = None
    mask_blur_x: Number = 4.0
    mask_blur_y: Number = 4.0
    inpainting_fill: Annotated[Whole, Field(ge=0, le=3)] = 0
    inpaint_full_res: Yes = True
    inpaint_full_res_padding: Annotated[Whole, Field(ge=0, le=1 << 16)] = 0
    inpainting_mask_invert: Yes = False
    resize_mode: Annotated[Whole, Field(ge=0, le=3)] = 0
    include_init_images: Yes = False

    @property
    def blur(self) -> tuple[float, float]:
        """Sigmas of the Gaussian over the mask, across and down."""
        across, down = (_blur_taken(value) for value in self._blurs.values())
        return across, down

    @property
    def blur_notes(self) -> list[str]:
        """Notes on sigmas that are out of their range, and the nearest that were taken for them."""
        sent = self._blurs if self.mask_blur is None else {"mask_blur": self.mask_blur}
        return [
            f"{name} can't be {value:.10g}: {_blur_taken(value):g} was taken"
            for name, value in sent.items()
            if value != _blur_taken(value)
        ]

    @property
    def _blurs(self) -> dict[str, float]:
        """Sigmas as they were sent, across and down."""
        both = (self.mask_blur_x, self.mask_blur_y) if self.mask_blur is None else (self.mask_blur, self.mask_blur)
        return dict(zip(("mask_blur_x", "mask_blur_y"), both, strict=True))


_MOST_BLUR = 1024.0


def _blur_taken(sigma: float) -> float:
    return min(max(sigma, 0.0), _MOST_BLUR)


class EnlargeBody(Lenient):
    """The body of extra-single-image and of extra-batch-images."""

    image: Any = None
    imageList: list[Any] = Field(default_factory=list, max_length=MOST_VARIATIONS)  # noqa: N815
    resize_mode: Whole = 0
    upscaling_resize: Annotated[Number, Field(gt=0, le=64)] = 2.0
    upscaling_resize_w: Side = 512
    upscaling_resize_h: Side = 512
    upscaling_crop: Yes = True
    upscaler_1: Words = "None"
    upscaler_2: Words = "None"
    gfpgan_visibility: Number = 0.0
    codeformer_visibility: Number = 0.0
    codeformer_weight: Number = 0.0
    extras_upscaler_2_visibility: Number = 0.0


class ImageBody(Lenient):
    """A body with a picture: png-info, interrogate."""

    image: Any = None


class ExpansionBody(Lenient):
    """The body of Auto-Photoshop's mask expansion."""

    mask: Any = None
    mask_expansion: Annotated[Whole, Field(ge=0, le=4096)] = 0
    blur: Annotated[Number, Field(ge=0, le=1024)] = 0.0
