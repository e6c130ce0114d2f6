"""Options that only this engine knows. Importing them loads no network library."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from overpaint.engines.base import Canvas, EngineCard, EngineOptions
from overpaint.request import MOST_SEED, SAMPLING_SETTINGS

NAME = "diffusion"

FILES = ("vae", "base", "variant", "prediction", "config")
"""Options that decide which files are read, and how."""

LOADING = (*FILES, "memory", "weights")
"""Options that loading depends on: each combination of them has an engine of its own."""

Name = Annotated[str, Field(min_length=1, max_length=4096)]

GuidanceWay = Literal["cfg", "apg", "cfg_zero"]


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
    memory: Literal["auto", "whole", "model", "block"] | None = Field(
        default=None,
        description="what is on the GPU at a time: the whole model, one of its networks, or one block (auto: by size)",
    )
    weights: Literal["fp8"] | None = Field(
        default=None, description="fp8: the network's weights are kept in eight bits, half the memory of half precision"
    )
    emphasis: Literal["original", "no_norm", "ignore", "none"] = Field(
        default="original",
        description="what weights in a prompt do: multiply and restore the mean, multiply, nothing, or stand as text",
    )
    eta: float | None = Field(
        default=None, ge=0, le=1, description="how much noise a sampler renews at each step (its usual unless given)"
    )
    s_churn: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="noise that Euler, Heun and DPM2 add before steps, over all of them",
    )
    s_tmin: float = Field(default=0.0, ge=0, description="the lowest noise level (sigma) with s_churn")
    s_tmax: float | None = Field(default=None, ge=0, description="the highest noise level with s_churn; none for all")
    s_noise: float = Field(default=1.0, ge=0, le=10, description="factor of the noise that a sampler adds on the way")
    rho: float | None = Field(
        default=None, gt=0, le=100, description="exponent of the schedulers Karras (7) and Polyexponential (1)"
    )
    guidance_method: GuidanceWay = Field(
        default="cfg",
        description="how guidance adds up: plainly, projected (APG, less oversaturated), or fitted first (CFG-Zero*)",
    )
    apg_eta: float = Field(
        default=0.0, ge=0, le=1, description="of apg: how much stays of the part of guidance that oversaturates"
    )
    apg_norm: float = Field(
        default=15.0, ge=0, description="of apg: the greatest length of guidance, over all latents; 0 for any"
    )
    apg_momentum: float = Field(
        default=-0.5, gt=-1, lt=1, description="of apg: weight of the earlier steps' guidance; below 0 turns from it"
    )
    guidance_stop: float | None = Field(
        default=None, ge=-1, le=1, description="end guidance once both outputs are as similar as this (cosine: 0.999)"
    )
    s_min_uncond: float = Field(
        default=0.0, ge=0, description="every second step below this noise level goes without the negative prompt"
    )
    s_min_uncond_all: bool = Field(default=False, description="with s_min_uncond: every step instead of every second")
    skip_early_cond: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="the first part of the steps, a share, that goes without the negative prompt",
    )
    subseed: int = Field(
        default=0, ge=0, le=MOST_SEED, description="in webui: seed of the noise that subseed_strength mixes in"
    )
    subseed_strength: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="in webui: how much of the first noise is that of subseed, whose variations count on then",
    )
    seed_resize_from_w: int | None = Field(
        default=None, ge=8, le=8192, description="in webui: width of a picture whose first noise is centred in this one"
    )
    seed_resize_from_h: int | None = Field(default=None, ge=8, le=8192, description="in webui: its height")
    ensd: int = Field(
        default=0,
        ge=0,
        le=1 << 32,
        description="in webui: what is added to the seed for noise after the first (eta noise seed delta)",
    )
    noise_source: Literal["cpu", "nv"] = Field(
        default="cpu", description="in webui: whose random numbers are drawn: the CPU's, or those of a GPU of NVIDIA"
    )
    initial_noise_multiplier: float = Field(default=1.0, ge=0, le=10, description="in webui: factor of the first noise")
    extra_noise: float = Field(
        default=0.0, ge=0, le=10, description="in webui: more of the first noise, by this factor"
    )
    inpainting_mask_weight: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="in webui: how much of the masked picture is hidden from a network that was made for inpainting",
    )
    exact_steps: bool = Field(
        default=False, description="in webui: take exactly the steps that are given, whatever the strength"
    )
    colour_correction: bool = Field(
        default=False, description="in webui: match the colours of the canvas to those that painting started from"
    )
    content_seed: int | None = Field(
        default=None,
        ge=0,
        le=MOST_SEED,
        description="in webui: seed of latent noise as masked content (the seed's own)",
    )
    cache_interval: int = Field(
        default=1,
        ge=1,
        le=16,
        description="every step of this number runs the whole network, others its outer layers alone (1: all whole)",
    )
    cache_depth: int = Field(
        default=1,
        ge=1,
        le=64,
        description="of cache_interval: how many outer layers run at every step; fewer are faster and less exact",
    )
    backend: Literal["eager", "compile", "openvino"] = Field(
        default="eager",
        description="what runs the network: PyTorch's steps, torch.compile, or OpenVINO (extra openvino, on a CPU)",
    )
    soft_inpainting: bool = Field(
        default=False, description="let a soft mask mix old and new at each step, and paste by how much changed"
    )
    soft_bias: float = Field(
        default=1.0,
        ge=0,
        le=8,
        description="of soft inpainting: above 1 the early steps keep more, below 1 the late ones",
    )
    soft_preservation: float = Field(
        default=0.5, ge=0, le=8, description="of soft inpainting: how much soft parts of the mask keep of the old"
    )
    soft_contrast: float = Field(
        default=4.0, ge=1, le=32, description="of soft inpainting: how far the mix follows the stronger of old and new"
    )
    soft_mask_influence: float = Field(
        default=0.0, ge=0, le=1, description="of soft inpainting: how far the mask decides what is pasted"
    )
    soft_difference_threshold: float = Field(
        default=0.5, ge=0, le=8, description="of soft inpainting: the change of latents that is pasted by half"
    )
    soft_difference_contrast: float = Field(
        default=2.0, ge=0, le=8, description="of soft inpainting: how sharply that threshold divides"
    )


SOFT_OPTIONS = frozenset(name for name in DiffusionOptions.model_fields if name.startswith("soft_"))
"""Options of soft inpainting."""

DIALECT_OPTIONS = frozenset(
    {
        *("rho", "subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h", "ensd", "noise_source"),
        *("initial_noise_multiplier", "extra_noise", "inpainting_mask_weight", "exact_steps", "colour_correction"),
        "content_seed",
        *SOFT_OPTIONS,
    }
)
"""Options that act in some dialects only (see `Dialect.options`)."""


def options_of(canvas: Canvas) -> DiffusionOptions:
    """The canvas's options; the usual ones for a canvas without any."""
    return canvas.options if isinstance(canvas.options, DiffusionOptions) else DiffusionOptions()


CARD = EngineCard(
    name=NAME,
    title="Paints from a prompt with a checkpoint, which the setting model names.",
    paints_from="prompt",
    samples=True,
    accepts=SAMPLING_SETTINGS | {"model", "sketch", "seed", "controls"},
    edge="diffusion",
    colour_space="srgb",
    options=DiffusionOptions,
    counts_on=("subseed", "subseed_strength"),  # as in AUTOMATIC1111
    mixes_by="soft_inpainting",
    licence="the checkpoint's",
    references=("Rombach et al., High-resolution image synthesis with latent diffusion models, CVPR 2022",),
)
"""The parts of the card that all checkpoints share; see `engine.card_of`."""
