"""From a body of AUTOMATIC1111's API to an edit, and what differs from AUTOMATIC1111 in words.

Checkpoints paint in the dialect webui where they know it; all else is painted by Overpaint's own arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from overpaint.engines import EngineCard
from overpaint.errors import RequestError, did_you_mean, some_names
from overpaint.request import EditRequest, FullPart, MaskSpec

from .always_on import script_settings
from .bodies import IGNORED, PaintBody, PictureBody
from .callers import DEFAULTS, without_effect
from .checkpoints import Checkpoint
from .dialect import dialect_options, softening
from .outpainting import FILLS, Outpainting
from .refusals import SamplerNotFoundError
from .restoring import ChosenFaces


@dataclass(frozen=True, slots=True)
class Sampled:
    """A sampler and a scheduler by their own names.

    Attributes:
        sampler, scheduler: None: left open.
        notes: What was replaced or left out.
    """

    sampler: str | None = None
    scheduler: str | None = None
    notes: tuple[str, ...] = ()


def sampled(sampler: str | None, scheduler: str | None) -> Sampled:
    """The sampler and scheduler of these names. SamplerNotFoundError where no sampler has the name."""
    from overpaint.engines.diffusion.names import SAMPLER_NAMES, SCHEDULER_NAMES, parse_sampler, parse_scheduler

    notes: list[str] = []
    spacing = None
    try:
        spacing = parse_scheduler(scheduler, nearest=True)
    except RequestError:
        notes.append(f"the scheduler {scheduler!r} is not known, and was left out")
    named = None
    if sampler is not None:
        try:
            choice = parse_sampler(sampler, nearest=True)
        except RequestError as error:
            raise SamplerNotFoundError("Sampler not found", field="sampler_name", value=sampler, hint="") from error
        named, spacing = SAMPLER_NAMES[choice.sampler].title, spacing or choice.scheduler
        if _is_similar(sampler):
            notes.append(f"the sampler {sampler!r} is not available: {named} was used")
    return Sampled(named, None if spacing is None else SCHEDULER_NAMES[spacing].title, tuple(notes))


def _is_similar(sampler: str) -> bool:
    """Whether a sampler that is not available has one near to it."""
    from overpaint.engines.diffusion.names import parse_sampler

    try:
        parse_sampler(sampler)
    except RequestError:
        return True
    return False


def overruled_scripts(body: PaintBody) -> list[str]:
    """Notes on what Sampler and Seed say otherwise than the body's own fields, which count."""
    settings = script_settings(body.alwayson_scripts)
    if not settings:
        return []
    said: PaintBody = type(body).read(settings)
    ours, theirs = (sampled_title(one) for one in (body, said))
    names = [name for name in settings if name not in ("sampler_name", "scheduler")]
    notes = [
        f"{name} {getattr(body, name)} counts, and not the {getattr(said, name)} of alwayson_scripts"
        for name in names
        if getattr(said, name) != getattr(body, name)
    ]
    if theirs is not None and ours != theirs:
        notes.append(f"sampler_name {ours} counts, and not the {theirs} of alwayson_scripts")
    return notes


def sampled_title(body: PaintBody) -> str | None:
    """The sampler of a body as people write it, as it was sent where none has the name; None for none."""
    try:
        return sampled(body.sampler, None).sampler
    except SamplerNotFoundError:
        return body.sampler


@dataclass(frozen=True, slots=True)
class Chosen:
    """What paints.

    Attributes:
        checkpoint: What the client chose, or the default.
        card: The card of its engine.
        by_caller: Whether the client chose it.
        vae: Another VAE, of a model.
        clip_skip: Which layer of the text encoder is read, from the last; None: the model's usual one.
        faces: What restores faces.
        settings: The caller's, and those of the call.
    """

    checkpoint: Checkpoint
    card: EngineCard
    by_caller: bool = True
    vae: str | None = None
    clip_skip: int | None = None
    faces: ChosenFaces = ChosenFaces()  # noqa: RUF009 - it is frozen
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def webui(self) -> bool:
        """Whether it paints as AUTOMATIC1111 does."""
        return self.prompted and "webui" in self.card.dialects

    @property
    def prompted(self) -> bool:
        """Whether it is a model that paints from a prompt; others continue the surroundings."""
        return self.checkpoint.engine is None and self.card.paints_from == "prompt"


@dataclass(slots=True)
class _Writing:
    """Settings of a request, and notes on them."""

    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def request_of(
    body: PaintBody,
    chosen: Chosen,
    seed: int,
    *,
    masked: bool,
    blurred: bool = True,
    subseed: int = 0,
    script: Outpainting | None = None,
) -> tuple[EditRequest, list[str]]:
    """The request of a call, and notes on what differs from AUTOMATIC1111.

    Args:
        body: What the client sent.
        chosen: What paints.
        seed: To paint with.
        masked: Whether there is a mask; otherwise the whole picture is painted.
        blurred: Whether the mask has been blurred.
        subseed: Of the variation, where the body has a strength for it.
        script: How far the picture is extended.

    Raises:
        SamplerNotFoundError: No sampler has the name.
        RequestError: A setting is out of its range.
    """
    writing = _Writing()
    webui = chosen.webui and script is None
    _write_sampling(body, chosen, seed, webui, writing)
    if webui:
        options, notes = dialect_options(body, chosen.settings, seed, subseed)
        writing.settings["dialect"] = "webui"
        writing.settings["options"] = {**(writing.settings["options"] or {}), **options} or None
        writing.notes += notes
    else:
        writing.notes += [f"{name} has no effect" for name in body.of_webui]
        if softening(body.alwayson_scripts, []):
            writing.notes.append("soft inpainting is not available: the blur of the mask is its edge")
    if script is not None:
        _write_extension(chosen, script, writing)
    elif masked and isinstance(body, PictureBody):
        writing.notes += body.blur_notes
        (_write_webui_mask if webui else _write_mask)(body, chosen, blurred, writing)
    else:
        _write_whole(body, chosen, webui, writing)
    writing.settings |= chosen.faces.settings
    writing.notes += chosen.faces.notes
    writing.notes += [f"{name} has no effect" for name in body.ignored]
    writing.notes += _unknown_fields(body)
    writing.notes += [f"override_settings.{name} has no effect" for name in _unused_overrides(body, webui)]
    return EditRequest.from_mapping({n: v for n, v in writing.settings.items() if v is not None}), writing.notes


def _write_sampling(body: PaintBody, chosen: Chosen, seed: int, webui: bool, writing: _Writing) -> None:
    of_model, name = chosen.prompted, chosen.checkpoint.name
    found = sampled(body.sampler, body.scheduler)
    writing.notes += found.notes if of_model else ()
    writing.settings = {
        "prompt": body.prompt or None,
        "negative_prompt": body.negative_prompt or None,
        "seed": seed,
        "sampler": found.sampler,
        "scheduler": found.scheduler,
        "steps": body.sent("steps"),
        "guidance_scale": body.sent("cfg_scale"),
        "strength": body.denoising_strength if of_model else body.sent("denoising_strength"),
    }
    options = _sampling_options(body, found.sampler)
    if not of_model:
        writing.notes += [f"{one} has no effect" for one in options]
        writing.settings |= {"engine": chosen.checkpoint.engine} if chosen.checkpoint.engine else {"model": name}
        return
    writing.settings |= {
        "model": name,
        "options": options | ({} if chosen.vae is None else {"vae": chosen.vae}) or None,
        "clip_skip": chosen.clip_skip,
    }
    if webui:
        return
    writing.notes.append(
        "painted by Overpaint's own arithmetic: the same seed gives another picture than in AUTOMATIC1111"
    )
    steps, strength = body.steps, body.denoising_strength
    if 0 < strength < 1 and "steps" in body.model_fields_set:
        fewer = min(steps, math.floor(strength * steps) + 1)
        if fewer < steps:
            writing.notes.append(f"all {steps} steps are taken; AUTOMATIC1111 takes {fewer} at this denoising_strength")


_SAMPLING_OPTIONS = {"s_churn": 0, "s_tmin": 0, "s_tmax": 0, "s_noise": 1, "s_min_uncond": 0}
"""Settings of samplers that are options of a checkpoint here, with the values that change nothing."""


def _sampling_options(body: PaintBody, sampler: str | None) -> dict[str, float]:
    """The options of the sampler (its title) that were sent and change something."""
    from overpaint.engines.diffusion.names import parse_sampler

    sent = {name: getattr(body, name) for name in _SAMPLING_OPTIONS}
    found = {name: one for name, one in sent.items() if one is not None and one != _SAMPLING_OPTIONS[name]}
    renews = sampler is not None and "eta" in parse_sampler(sampler).traits
    # Clients send AUTOMATIC1111's usual values, 0 or 1, with samplers that renew no noise.
    if body.eta is not None and (renews or body.eta not in (0, 1)):
        found["eta"] = body.eta
    return found


def _write_size(chosen: Chosen, body: PaintBody, writing: _Writing) -> None:
    """The working size of a model, as far as it takes that."""
    sizes, side = chosen.card.sizes, round(math.sqrt(body.width * body.height))
    if sizes.maximum_area is not None and side * side > sizes.maximum_area:
        most = math.isqrt(sizes.maximum_area)
        writing.notes.append(
            f"{chosen.checkpoint.shown} works at {most}x{most} at the most, and not at {body.width}x{body.height}"
        )
    elif side >= max(sizes.native or 0, 64):  # a smaller one would make it coarser
        writing.settings["size"] = min(side, 8192)


def _working_size(chosen: Chosen, body: PaintBody, writing: _Writing) -> tuple[int, int]:
    """Width and height that a masked area is painted at, no larger than the model takes."""
    most = chosen.card.sizes.maximum_area
    if most is None or body.width * body.height <= most:
        return min(max(body.width, 8), 8192), min(max(body.height, 8), 8192)
    scale = math.sqrt(most / (body.width * body.height))
    width, height = max(8, int(body.width * scale)), max(8, int(body.height * scale))
    side, asked = math.isqrt(most), f"{body.width}x{body.height}"
    writing.notes.append(
        f"{chosen.checkpoint.shown} works at {side}x{side} at the most, and not at {asked}: {width}x{height} was taken"
    )
    return width, height


def _write_webui_mask(body: PictureBody, chosen: Chosen, blurred: bool, writing: _Writing) -> None:
    writing.settings |= {
        "intent": "custom",
        "masked_content": FILLS[body.inpainting_fill],
        "mask_blur": (0.0, 0.0) if blurred else body.blur,
        "area": "masked" if body.inpaint_full_res else "whole",
    }
    if body.inpaint_full_res:
        writing.settings["working_size"] = _working_size(chosen, body, writing)
        writing.settings["padding"] = body.inpaint_full_res_padding


def _write_mask(body: PictureBody, chosen: Chosen, blurred: bool, writing: _Writing) -> None:
    of_model = chosen.prompted
    writing.settings |= {
        "intent": "custom" if of_model else "remove",
        "masked_content": FILLS[body.inpainting_fill] if of_model else None,
        # The mask is blurred already, and that is its edge.
        "grow": 0.0,
        "feather": 0.0,
    }
    if not of_model:
        if body.sent("inpaint_full_res_padding"):
            writing.notes.append(
                f"{chosen.checkpoint.shown} sees the surroundings that it needs: the padding has no effect"
            )
        return
    _write_size(chosen, body, writing)
    writing.settings["area"] = "masked" if body.inpaint_full_res else "whole"
    if not body.inpaint_full_res:
        return
    if body.inpaint_full_res_padding:
        writing.settings["padding"] = body.inpaint_full_res_padding
    else:
        writing.notes.append("a padding of 0 leaves a model without surroundings: Overpaint's own context was taken")


def _write_whole(body: PaintBody, chosen: Chosen, webui: bool, writing: _Writing) -> None:
    whole = isinstance(body, PictureBody)
    writing.settings |= {
        "intent": "custom",
        "area": "whole",
        "mask": MaskSpec(parts=(FullPart(),)),
        "masked_content": "original" if whole else "latent_nothing",
    }
    if not whole:
        writing.settings["strength"] = 1.0
    if webui:
        writing.settings["mask_blur"] = (0.0, 0.0)
    else:
        _write_size(chosen, body, writing)


def _write_extension(chosen: Chosen, script: Outpainting, writing: _Writing) -> None:
    """An extension has the engine of its intent, unless the client chose a model."""
    by_model = chosen.by_caller and chosen.prompted
    settings = writing.settings
    settings |= {"intent": "expand", "margins": tuple(script.margins), "strength": 1.0 if by_model else None}
    if by_model:
        settings["masked_content"] = script.fill
    else:
        for name in ("engine", "model", "options", "clip_skip"):
            settings.pop(name, None)
        writing.notes = [note for note in writing.notes if "AUTOMATIC1111" not in note]
    writing.notes += [f"the script's {name} has no effect" for name in script.unused]


def _unused_overrides(body: PaintBody, webui: bool) -> list[str]:
    known = {name: value for name, value in body.override_settings.items() if name in DEFAULTS}
    strange = sorted(name for name in body.override_settings if name not in DEFAULTS)
    return [*without_effect(known, webui=webui), *map(_shown, strange)]


_MOST_NAMED = 8
"""Unknown fields that are named in a note each; further ones share one."""


def _unknown_fields(body: PaintBody) -> list[str]:
    """Notes on fields that nothing here knows, which are typing errors or another program's."""
    known = [*type(body).model_fields, *IGNORED]
    notes = [
        f"{_shown(name)} is no setting of this API and has no effect{did_you_mean(name, known)}"
        for name in body.strange[:_MOST_NAMED]
    ]
    further = [_shown(name) for name in body.strange[_MOST_NAMED:]]
    return [*notes, f"further fields without effect: {some_names(further)}"] if further else notes


def _shown(name: str) -> str:
    """A client's name of a setting in one line."""
    return ascii(name[:80])[1:-1]
