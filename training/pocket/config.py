"""The settings of all stages, read strictly from one TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

DEFAULT = Path(__file__).with_name("pocket.toml")


class Settings(BaseModel):
    """Base of all tables: values never change, unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Autoencoder(Settings):
    """diffusers' AutoencoderTiny: both halves have one width throughout, since its strided convolutions keep theirs.

    Attributes:
        latent_channels: 4, or 8 for finer detail; diffusers' inpainting pipeline accepts networks of 4 latent channels
            (9 channels in) alone.
        width: Channels of every layer.
        encoder_blocks: Residual blocks at full, 1/2, 1/4 and 1/8 size.
        decoder_blocks: Residual blocks at 1/8, 1/4, 1/2 and full size.
    """

    latent_channels: int = Field(default=4, ge=1, le=16)
    width: int = Field(default=64, ge=8)
    encoder_blocks: tuple[int, int, int, int] = (0, 1, 3, 3)
    decoder_blocks: tuple[int, int, int, int] = (3, 3, 3, 1)


class Denoiser(Settings):
    """diffusers' UNet2DConditionModel; text is attended to on every level but the first.

    Attributes:
        channels: Per level; each a multiple of `groups` and of its number of heads.
        heads: Attention heads per level.
        layers: Residual blocks a level on the way down; one more on the way up.
        groups: Of the group norms.
    """

    channels: tuple[int, ...] = (64, 128, 192)
    heads: tuple[int, ...] = (2, 4, 6)
    layers: int = Field(default=1, ge=1)
    groups: int = Field(default=16, ge=1)

    @model_validator(mode="after")
    def _levels_match(self) -> Self:
        if len(self.channels) != len(self.heads):
            raise ValueError(f"{len(self.channels)} levels of channels, but {len(self.heads)} of heads")
        return self


class Text(Settings):
    """A small CLIPTextModel over a byte-pair vocabulary of its own.

    Attributes:
        vocabulary: Most tokens, the 512 bytes and the two marks included.
        length: Tokens a prompt may have, both marks included.
        width: Of its states, which the denoiser attends to.
    """

    vocabulary: int = Field(default=1536, ge=514)
    length: int = Field(default=32, ge=16, le=77)
    width: int = Field(default=192, ge=8)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=3, ge=1)


class Noise(Settings):
    """The forward process: betas linear in their square root, v-prediction (Salimans and Ho 2022)."""

    steps: int = Field(default=1000, ge=10)
    beta_start: float = Field(default=0.00085, gt=0, lt=1)
    beta_end: float = Field(default=0.02, gt=0, lt=1)


class Networks(Settings):
    """Everything that is stored with the weights."""

    size: int = Field(default=192, ge=16, multiple_of=8)
    autoencoder: Autoencoder = Autoencoder()
    denoiser: Denoiser = Denoiser()
    text: Text = Text()
    noise: Noise = Noise()


class Data(Settings):
    """The licence filter, and the cutting of objects.

    Attributes:
        without: A photo whose licence contains one of these, in any case, is left out.
        tile: Side in pixels of a cut-out object.
        cut: Labels of photos that show one object, which is then cut out.
    """

    without: tuple[str, ...] = ("-SA", "share-alike", "sharealike", "GPL", "OSL")
    tile: int = Field(default=112, ge=16)
    cut: tuple[str, ...] = ("flower", "clothing", "fruit", "vegetables", "car", "food", "glass", "plastic", "metal")


class Schedule(Settings):
    """How long and how fast. With `minutes` the rate falls by time spent, over all runs together, else by steps.

    Attributes:
        steps: Most steps.
        minutes: Time after which the rate has fallen to 0; 0 for no limit.
        warm_up: Steps over which the rate rises.
        decay: "cosine" or "linear" from `rate` to 0.
        hold: Share of the schedule at the full rate, before it falls.
        average: Decay of the averaged weights a step.
        save_seconds: Time between saved states.
        sheet_seconds: Time between sample sheets.
    """

    steps: int = Field(default=100_000, ge=1)
    minutes: float = Field(default=0, ge=0)
    batch: int = Field(default=64, ge=1)
    rate: float = Field(default=1e-3, gt=0)
    warm_up: int = Field(default=200, ge=0)
    decay: str = Field(default="cosine", pattern="^(cosine|linear)$")
    hold: float = Field(default=0, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0)
    average: float = Field(default=0.999, ge=0, lt=1)
    save_seconds: float = Field(default=120, gt=0)
    sheet_seconds: float = Field(default=240, gt=0)


class AutoencoderStage(Schedule):
    """The autoencoder's losses (see `losses.py` and `critics.py`); each weight or share 0 switches its term off.

    Attributes:
        crops: Sides in pixels of the training crops; each step draws one.
        noise: Largest deviation of the noise on latents while training, in deviations of theirs; each picture has its
            own, from 0 to that. Latents with an error of that size still decode to a natural picture, and latents that
            tolerate noise are easier to learn (Yang et al. 2025, "Latent denoising makes good
            visual tokenizers", arXiv 2507.15856).
        gradient: Weight of differences of edges, beside that of pixels, which is 1.
        low_pass: Weight of differences at a quarter of the size.
        moments: Pull of latents towards mean 0 and deviation 1.
        halved: Weight of the scale loss: latents reduced to half decode to the picture reduced to half. Latents that
            are alike at every scale are reported to be easier to learn (Kouzelis et al. 2025, "EQ-VAE"; Skorokhodov et
            al. 2025, "Improving the diffusability of autoencoders").
        features: Share of the feature loss (layers of a published encoder): the norm of its gradient over the norm of
            the pixel loss's gradient.
        perceptual: The same share for the distance of the backbone's features; at 0 the critics have no backbone.
        adversarial: The same share for the critics' generator loss.
        adversarial_from: Share of the schedule at which the critics begin; a tenth later they have their full share.
        adversarial_rate: Their learning rate.
        decoder_alone: Train the decoder only: latents keep their meaning, so that a denoiser stays usable.
    """

    crops: tuple[int, ...] = (96, 128, 160)
    noise: float = Field(default=0.1, ge=0)
    gradient: float = Field(default=1.0, ge=0)
    low_pass: float = Field(default=1.0, ge=0)
    moments: float = Field(default=0.01, ge=0)
    halved: float = Field(default=0.0, ge=0)
    features: float = Field(default=0.5, ge=0)
    perceptual: float = Field(default=0.0, ge=0)
    adversarial: float = Field(default=0.5, ge=0)
    adversarial_from: float = Field(default=0.6, ge=0, le=1)
    adversarial_rate: float = Field(default=2e-4, gt=0)
    decoder_alone: bool = False

    def ramp(self, share: float) -> float:
        """Factor 0 to 1 on the critics' share of the gradient, at `share` of the schedule."""
        return min(1.0, max(0.0, share - self.adversarial_from) / 0.1)


class DenoiserStage(Schedule):
    """The denoiser's training.

    Attributes:
        sizes: Sides in pixels of the pictures, one drawn a step.
        small: Share of the schedule that uses only the smallest of `sizes`, whose steps are cheapest.
        repeats: Timesteps that each encoded picture and mask serves.
        pool: Encoded scenes of each size that are kept. A step draws its rows from all of them and not from its own
            batch, so that the repeats of a scene lie far apart. The pool is in memory alone: a continued run fills it
            anew, and its weights are not equal to the bit. 0 for none.
        outside: Weight of the loss outside the hole (1 inside).
        drop: Share of samples without words, for guidance.
        pasted: Share of samples with a pasted object that the prompt names.
        in_place: Share of samples whose hole covers the photo's own object, where its box is known.
        background: Share of the holes over no object whose prompt is "background": the surroundings go on.
        optimiser: "adamw" or "muon": slower steps, each of which learns more (see `muon.py`).
        snr: Bound of the loss's weight over signal-to-noise ratios, see `denoiser.weight`.
    """

    sizes: tuple[int, ...] = (192, 192, 192, 160, 128)
    small: float = Field(default=0, ge=0, le=1)
    repeats: int = Field(default=1, ge=1)
    pool: int = Field(default=0, ge=0)
    outside: float = Field(default=0.15, ge=0, le=1)
    drop: float = Field(default=0.1, ge=0, le=1)
    pasted: float = Field(default=0.35, ge=0, le=1)
    in_place: float = Field(default=0.25, ge=0, le=1)
    background: float = Field(default=0.3, ge=0, le=1)
    optimiser: str = Field(default="adamw", pattern="^(adamw|muon)$")
    snr: float = Field(default=5.0, gt=0)


class Config(Settings):
    """The whole file."""

    networks: Networks = Networks()
    data: Data = Data()
    autoencoder: AutoencoderStage = AutoencoderStage()
    denoiser: DenoiserStage = DenoiserStage()


def read(path: Path = DEFAULT) -> Config:
    """Read a config; ValueError names the file and each wrong key or value."""
    try:
        return Config.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ValueError(f"{path}: {error}") from error
