"""What each eraser's network takes, before any of it is loaded. Importing this loads no network library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import Field

from overpaint.engines.base import EngineCard, EngineOptions
from overpaint.frame import Context, SizeRules
from overpaint.models import NETWORK_TITLES, ModelRef

NAME = "erase"


class EraserOptions(EngineOptions):
    """Options that only this engine knows."""

    base: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None, description="of OSOR: the SDXL inpainting checkpoint that it works with (one that is here)"
    )


CARD = EngineCard(
    name=NAME,
    title="Erases with a network that was trained for it, without a prompt: LaMa, MI-GAN and their kin.",
    accepts=frozenset({"model"}),
    edge="narrow",
    colour_space="srgb",
    options=EraserOptions,
    licence="the eraser's",
    references=("Suvorov et al., Resolution-robust large mask inpainting with Fourier convolutions, WACV 2022",),
)

_SIDE = 512
_SQUARE = SizeRules(native=_SIDE, multiple=_SIDE, minimum=_SIDE, maximum_area=_SIDE * _SIDE, square=True)


@dataclass(frozen=True, slots=True)
class NetworkNeeds:
    """The canvases that a network takes.

    Attributes:
        sizes: The working sizes that it is good at.
        multiple: Both sides are made multiples of this by reflection, and the result is cropped.
        least: The shortest side that it can be given; reached by reflection as well.
        reference: Its paper.
    """

    sizes: SizeRules
    multiple: int
    least: int
    reference: str


_FREE = SizeRules(maximum_area=1024 * 1024)
"""Any size up to a megapixel: more costs memory, and the networks were trained on pictures of 256 to 512 pixels."""

NEEDS: Mapping[str, NetworkNeeds] = {
    "lama": NetworkNeeds(
        _FREE, 8, 16, "Suvorov et al., Resolution-robust large mask inpainting with Fourier convolutions, WACV 2022"
    ),
    "migan": NetworkNeeds(
        _SQUARE,
        _SIDE,
        _SIDE,
        "Sargsyan et al., MI-GAN: a simple baseline for image inpainting on mobile devices, ICCV 2023",
    ),
    "mat": NetworkNeeds(
        _SQUARE, _SIDE, _SIDE, "Li et al., MAT: mask-aware transformer for large hole image inpainting, CVPR 2022"
    ),
    "fcf": NetworkNeeds(
        _SQUARE,
        _SIDE,
        _SIDE,
        "Jain et al., Keys to better image inpainting: structure and texture go hand in hand, WACV 2023",
    ),
    "zits": NetworkNeeds(
        replace(_FREE, square=True, minimum=256),
        32,
        256,
        "Dong, Cao, Fu, Incremental transformer structure enhanced image inpainting with masking positional encoding, "
        "CVPR 2022",
    ),
    "ldm": NetworkNeeds(
        _FREE, 32, 64, "Rombach et al., High-resolution image synthesis with latent diffusion models, CVPR 2022"
    ),
    "osor": NetworkNeeds(
        SizeRules(native=_SIDE, multiple=16, minimum=256, maximum_area=_SIDE * _SIDE * 9 // 4, maximum_aspect=2.0),
        16,
        256,
        "Zhou et al., OSOR: one-step diffusion inpainting for effect-aware object removal, ECCV 2026",
    ),
    "manga": NetworkNeeds(_FREE, 16, 32, "Xie et al., Seamless manga inpainting with semantics awareness, TOG 2021"),
}

_DRAWING = ("ldm", "mat", "osor")
"""Networks that draw random numbers for each picture, so that variations differ."""

_FOLLOWING = ("osor",)
"""Networks that change shadows and reflections beyond the hole."""


def needs_of(ref: ModelRef) -> NetworkNeeds:
    """What an eraser takes: an ONNX file whose sides are fixed takes those alone."""
    needs = NEEDS[ref.kind.network]
    if ref.kind.form != "onnx":
        return needs
    from overpaint.models.onnx_graph import read_graph

    height, width = read_graph(ref.path).inputs[0].shape[2:]
    if height is None or width is None:
        return needs
    sizes = SizeRules(native=width, multiple=width, minimum=width, maximum_area=width * height, square=True)
    return replace(needs, sizes=sizes, multiple=width, least=width)


def card_of(ref: ModelRef, digest: str) -> EngineCard:
    """The card of an eraser."""
    needs = needs_of(ref)
    return replace(
        CARD,
        accepts=CARD.accepts.union(
            {"seed"} if ref.kind.network in _DRAWING else (),
            {"follow_effects"} if ref.kind.network in _FOLLOWING else (),
        ),
        title=f"{ref.name}: {NETWORK_TITLES[ref.kind.network]}, erases from the surroundings without a prompt",
        sizes=needs.sizes,
        # They were trained on pictures with a fifth to a half masked: as much is shown around a hole as it is wide.
        context=Context(ratio=1.0, minimum=128, maximum=512),
        licence=ref.licence or "unknown",
        digest=digest,
        references=(needs.reference,),
    )
