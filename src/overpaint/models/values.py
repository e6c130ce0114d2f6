"""Kinds of files of weights, and references to models, as plain values; nothing here reads a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from .families import family_title

Prediction = Literal["epsilon", "v", "x0", "flow"]
"""What a network's output stands for: the noise, v, the clean latent, or the noise less the clean latent."""
What = Literal[
    "checkpoint",
    "unet",
    "vae",
    "tiny-vae",
    "lora",
    "embedding",
    "controlnet",
    "ip-adapter",
    "image-encoder",
    "text-encoder",
    "eraser",
    "selector",
    "faces",
    "face-detector",
    "upscaler",
    "mapper",
    "other",
]
Precision = Literal["fp32", "fp16", "bf16", "fp8", "quantised", "mixed"]
Form = Literal["safetensors", "pickle", "gguf", "folder", "torchscript", "onnx"]

_NAMES: dict[What, str] = {
    "checkpoint": "checkpoint",
    "unet": "U-Net",
    "vae": "VAE",
    "tiny-vae": "tiny VAE (TAESD)",
    "lora": "LoRA",
    "embedding": "textual inversion",
    "controlnet": "ControlNet",
    "ip-adapter": "IP-Adapter",
    "image-encoder": "picture encoder",
    "text-encoder": "text encoder",
    "eraser": "eraser",
    "selector": "selector",
    "faces": "restorer of faces",
    "face-detector": "detector of faces",
    "upscaler": "upscaler",
    "mapper": "maker of control maps",
    "other": "model of another kind",
}

NETWORK_TITLES: Mapping[str, str] = {
    "lama": "LaMa",
    "migan": "MI-GAN",
    "mat": "MAT",
    "zits": "ZITS",
    "ldm": "LDM",
    "manga": "manga",
    "fcf": "FcF",
    "osor": "OSOR",
    "sam": "Segment Anything",
    "sam-hq": "HQ-SAM",
    "mobile-sam": "MobileSAM",
    "sam2": "SAM 2",
    "edgetam": "EdgeTAM",
    "sam3": "SAM 3",
    "sam-onnx": "Segment Anything",
    "clipseg": "CLIPSeg",
    "grounding-dino": "Grounding DINO",
    "segformer": "SegFormer",
    "birefnet": "BiRefNet",
    "gfpgan": "GFPGAN",
    "restoreformer": "RestoreFormer",
    "codeformer": "CodeFormer",
    "yunet": "YuNet",
    "esrgan": "ESRGAN",
    "compact": "Real-ESRGAN, small",
    "swinir": "SwinIR",
    "hat": "HAT",
    "dat": "DAT",
    "span": "SPAN",
    "omnisr": "OmniSR",
    "atd": "ATD",
    "drct": "DRCT",
    "depth-anything": "Depth Anything",
    "dpt": "DPT",
    "vitpose": "ViTPose",
    "clip-vision": "CLIP",
}
"""Networks with a fixed task, as people call them."""

_FORMS: Mapping[Form, str] = {"torchscript": "TorchScript", "onnx": "ONNX", "pickle": "pickle"}

_PARTS = {"vae": "VAE", "text": "text encoder"}


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of a file or folder of weights, by its names and shapes.

    Attributes:
        what: A whole checkpoint or a part of one.
        form: File format. A pickle is only read, and TorchScript only run, when the user allows it.
        family: Name of the architecture (see `families`); None where it does not apply or is unknown.
        channels: Input channels of the U-Net: 4 for a base model, 9 for inpainting (4 + mask + masked picture).
        prediction: What the U-Net was trained to give: the noise, or v. None where it does not apply.
        lcm: A latent consistency model: few steps, its own sampler.
        embeds_guidance: Whether its U-Net takes the guidance scale as an input, so that one call a step is enough.
        zero_snr: Whether its last training time is pure noise.
        precision: Of the stored weights.
        vectors: Of a textual inversion: (slot, width) of its vectors, sorted; the slot is "clip_l", "clip_g", or ""
            where the file names none. Of a picture encoder what it gives: "embeds", one vector for the whole picture,
            and "states", one for each of its patches. Of an IP-Adapter the one of these that it reads.
        method: Of a LoRA: "lora", "loha", "lokr", "oft" ...; empty for the rest.
        layout: "ldm" (the original release's names) or "diffusers".
        because: For people: the evidence for the prediction; or what a model of another kind seems to be.
        lacks: The parts of a checkpoint that it does not have: "vae", "text" (the text encoders).
        network: Of a network with a fixed task (erasers, selectors, upscalers ...), its name: "lama" (see
            `NETWORK_TITLES`).
        union: Of a ControlNet that is told what its control image shows: how many kinds it knows; 0 for others.
    """

    what: What
    form: Form
    family: str | None = None
    channels: int | None = None
    prediction: Prediction | None = None
    lcm: bool = False
    embeds_guidance: bool = False
    zero_snr: bool = False
    precision: Precision = "fp32"
    vectors: tuple[tuple[str, int], ...] = ()
    method: str = ""
    layout: Literal["ldm", "diffusers"] = "ldm"
    because: str = ""
    lacks: tuple[str, ...] = ()
    network: str = ""
    union: int = 0

    @property
    def inpainting(self) -> bool:
        """Whether it was trained to inpaint (mask and masked picture are further channels)."""
        return self.channels == 9

    @property
    def named(self) -> str:
        """The task and the network's name: "eraser (LaMa)"."""
        return f"{_NAMES[self.what]} ({NETWORK_TITLES[self.network]})"

    @property
    def title(self) -> str:
        """Name for people: "SDXL inpainting checkpoint, fp16"."""
        if self.what == "other":
            return self.because or _NAMES["other"]
        if self.network:
            return f"{self.named}, {_FORMS.get(self.form, self.precision)}"
        words = [family_title(self.family)] if self.family else []
        words += ["inpainting"] if self.inpainting else []
        words += ["LCM"] if self.lcm else []
        words += ["union"] if self.union else []
        words.append(_NAMES[self.what] if not self.method or self.method == "lora" else f"LoRA ({self.method})")
        if self.lacks:
            words.append(f"without {' and '.join(_PARTS[part] for part in self.lacks)}")
        details: list[str] = [self.precision]
        details += ["v-prediction"] if self.prediction == "v" else []
        return f"{' '.join(words)}, {', '.join(details)}"

    @property
    def described(self) -> str:
        """The title in a sentence: "an SDXL inpainting checkpoint, fp16", "a VAE, fp32"."""
        title = self.title
        if self.what == "other" and self.because:
            return title  # which has an article of its own
        # by the sound of its first letter: an SDXL, an LCM, a U-Net
        return f"{'an' if title.startswith(('SDXL', 'LCM')) or title[0] in 'aeiouAEIO' else 'a'} {title}"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model on this machine, its kind, and how the user wants it read.

    Attributes:
        name: The user's name for it.
        path: A file, or a folder in diffusers' layout.
        kind: Its kind.
        vae: A file or folder of a VAE to use instead of its own; None: its own.
        vae_encoder: The encoder's file of a tiny VAE in two files, of which `vae` is the decoder's.
        base: The checkpoint that the parts come from which this one lacks.
        variant: Of a folder, which set of weights: "fp16" or "" for the plain ones; None: whichever is there.
        config: A folder of configurations in diffusers' layout for a single file whose network has other sizes than
            its family's published ones; None: the published ones.
        allow_pickle: Whether a pickle may be read (weights only, no code is run).
        licence: From its note, its card or the catalogue; "" where it is unknown.
        vae_name: The user's name for the other VAE.
        vae_licence: Licence of the other VAE.
        vae_accepted: As `accepted`, of the other VAE.
        parts: Of an eraser in several files, the file of each part by its published name.
        accepted: The date on which the user accepted its licence's text; "" where none need be accepted.
    """

    name: str
    path: Path
    kind: Kind
    vae: Path | None = None
    vae_encoder: Path | None = None
    base: ModelRef | None = None
    variant: str | None = None
    config: Path | None = None
    allow_pickle: bool = False
    licence: str = ""
    vae_name: str = ""
    vae_licence: str = ""
    vae_accepted: str = ""
    parts: Mapping[str, Path] = field(default_factory=dict)
    accepted: str = ""

    @property
    def further_files(self) -> tuple[Path, ...]:
        """Files and folders beside `path` that decide about results."""
        base = None if self.base is None else self.base.path
        return tuple(one for one in (self.vae, self.vae_encoder, base, self.config) if one is not None)

    @property
    def configs(self) -> Path | None:
        """The folder of its networks' configurations, in diffusers' layout; None: the published ones."""
        if self.path.is_dir():
            return self.path
        return self.config or (None if self.base is None else self.base.configs)

    def source_of(self, part: str) -> ModelRef:
        """The checkpoint that a part comes from, "vae" or "text": the base where this one lacks it."""
        return self.base if self.base is not None and part in self.kind.lacks else self
