"""Options that only this engine knows. Importing them loads no network library."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from overpaint.engines.base import EngineCard, EngineOptions
from overpaint.request import SAMPLING_SETTINGS

NAME = "diffusion"

LOADING = ("vae", "base", "variant", "prediction", "config")
"""Options that loading depends on: each combination of them has an engine of its own."""

Name = Annotated[str, Field(min_length=1, max_length=4096)]


class DiffusionOptions(EngineOptions):
    """Options that only this engine knows."""

    vae: Name | None = Field(
        default=None,
        description="another VAE in place of the checkpoint's own, or a tiny one (TAESD): a model's name or path",
    )
    base: Name | None = Field(
        default=None, description="of a U-Net alone: a checkpoint of its family, whose VAE and text encoders are used"
    )
    variant: Name | None = Field(
        default=None,
        description="which set of a folder's weights: fp16, or fp32 for the plain ones (those, where there are any)",
    )
    prediction: Literal["epsilon", "v"] | None = Field(
        default=None, description="what the network predicts, where detection is wrong: the noise, or v"
    )
    config: Name | None = Field(
        default=None,
        description="of a single file whose networks have other sizes than published: a folder of their configurations",
    )
    emphasis: Literal["original", "no_norm", "ignore", "none"] = Field(
        default="original",
        description="what weights in a prompt do: multiply and restore the mean, multiply, nothing, or stand as text",
    )
    eta: float | None = Field(
        default=None, ge=0, le=1, description="how much noise a sampler renews at each step (its usual unless given)"
    )


CARD = EngineCard(
    name=NAME,
    title="Paints from a prompt with a checkpoint, which the setting model names.",
    paints_from="prompt",
    samples=True,
    accepts=SAMPLING_SETTINGS | {"model", "sketch", "seed"},
    edge="diffusion",
    colour_space="srgb",
    options=DiffusionOptions,
    licence="the checkpoint's",
    references=("Rombach et al., High-resolution image synthesis with latent diffusion models, CVPR 2022",),
)
"""The parts of the card that all checkpoints share; see `engine.card_of`."""
