"""The field's inpainting checkpoints and what goes with them: names on the hub, licences, sizes.

Licences and sizes are those of the models' cards at the time of writing; what `get` downloads brings its own card.
Sizes are of the files that `get` takes (the half-precision set where there is one).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from .families import family_title
from .values import What

RAIL_M = "CreativeML OpenRAIL-M"
RAIL_PP = "CreativeML Open RAIL++-M"
MIT = "MIT"

LICENCES = MappingProxyType(
    {
        "creativeml-openrail-m": RAIL_M,
        "openrail": "OpenRAIL",
        "openrail++": RAIL_PP,
        "mit": MIT,
        "apache-2.0": "Apache-2.0",
        "cc-by-4.0": "CC BY 4.0",
        "cc-by-nc-4.0": "CC BY-NC 4.0 (non-commercial)",
        "cc0-1.0": "CC0 1.0",
        "other": "of its own: read the card",
    }
)
"""Names of licences by what a model card of the hub calls them."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the catalogue.

    Attributes:
        name: Short, for downloads.
        hub: Its name on the hub; a file within it after a third "/".
        what: What it is.
        family: The architecture.
        channels: 9 for an inpainting checkpoint, 4 for a base one, 0 where it does not apply.
        licence: As its card says.
        gigabytes: Roughly what is downloaded.
        about: One line.
        lcm: A latent consistency model.
    """

    name: str
    hub: str
    what: What
    family: str
    channels: int
    licence: str
    gigabytes: float
    about: str
    lcm: bool = False

    @property
    def title(self) -> str:
        """For people."""
        kind = {"checkpoint": "inpainting" if self.channels == 9 else "base", "vae": "VAE", "tiny-vae": "tiny VAE"}
        return f"{family_title(self.family)} {'LCM ' if self.lcm else ''}{kind.get(self.what, 'LoRA')}"


# fmt: off
CATALOGUE = (
    Listed("sd15-inpainting", "stable-diffusion-v1-5/stable-diffusion-inpainting", "checkpoint", "sd1", 9, RAIL_M, 2.1,
           "The inpainting model of Stable Diffusion 1.5; the field's baseline."),
    Listed("dreamshaper-8-inpainting", "Lykon/dreamshaper-8-inpainting", "checkpoint", "sd1", 9, RAIL_M, 2.1,
           "A versatile fine-tune: illustration to photograph."),
    Listed("absolute-reality-inpainting", "Lykon/absolute-reality-1.6525-inpainting", "checkpoint", "sd1", 9, RAIL_M,
           2.1, "A photographic fine-tune."),
    Listed("realistic-vision-5.1-inpainting", "Uminosachi/realisticVisionV51_v51VAE-inpainting", "checkpoint", "sd1", 9,
           RAIL_M, 2.1, "A photographic fine-tune; people."),
    Listed("sd2-inpainting", "stabilityai/stable-diffusion-2-inpainting", "checkpoint", "sd2", 9, RAIL_PP, 2.6,
           "The inpainting model of Stable Diffusion 2."),
    Listed("sdxl-inpainting", "diffusers/stable-diffusion-xl-1.0-inpainting-0.1", "checkpoint", "sdxl", 9, RAIL_PP, 6.9,
           "SDXL for inpainting, 1024 pixels."),
    Listed("sd15", "stable-diffusion-v1-5/stable-diffusion-v1-5", "checkpoint", "sd1", 4, RAIL_M, 2.1,
           "The base model of Stable Diffusion 1.5."),
    Listed("sd21", "stabilityai/stable-diffusion-2-1", "checkpoint", "sd2", 4, RAIL_PP, 2.6,
           "Stable Diffusion 2.1, 768 pixels, v-prediction."),
    Listed("sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "checkpoint", "sdxl", 4, RAIL_PP, 6.9,
           "The base model of SDXL 1.0."),
    Listed("lcm-dreamshaper-7", "SimianLuo/LCM_Dreamshaper_v7", "checkpoint", "sd1", 4, MIT, 4.3,
           "A latent consistency model: 4 to 8 steps.", lcm=True),
    Listed("lcm-lora-sd15", "latent-consistency/lcm-lora-sdv1-5", "lora", "sd1", 0, RAIL_PP, 0.13,
           "Any SD 1.5 checkpoint in 4 to 8 steps.", lcm=True),
    Listed("lcm-lora-sdxl", "latent-consistency/lcm-lora-sdxl", "lora", "sdxl", 0, RAIL_PP, 0.39,
           "Any SDXL checkpoint in 4 to 8 steps.", lcm=True),
    Listed("vae-ft-mse", "stabilityai/sd-vae-ft-mse", "vae", "sd1", 0, MIT, 0.33,
           "A better decoder for SD 1 and 2: smoother faces."),
    Listed("sdxl-vae-fp16-fix", "madebyollin/sdxl-vae-fp16-fix", "vae", "sdxl", 0, MIT, 0.33,
           "SDXL's VAE made to run in half precision."),
    Listed("taesd", "madebyollin/taesd", "tiny-vae", "sd1", 0, MIT, 0.01, "A tiny VAE for SD 1 and 2: fast, coarser."),
    Listed("taesdxl", "madebyollin/taesdxl", "tiny-vae", "sdxl", 0, MIT, 0.01, "A tiny VAE for SDXL: fast, coarser."),
)
# fmt: on
"""What is known by a short name; any other model of the hub can be had by its full one."""

_BY_NAME = {one.name: one for one in CATALOGUE} | {one.hub.lower(): one for one in CATALOGUE}


def listed(name: str) -> Listed | None:
    """The line of this short or full name, or None."""
    return _BY_NAME.get(name.lower())
