"""Stage `export`: the averaged weights as an ordinary diffusers folder in fp16, small enough to ship."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
from safetensors.torch import save_file

from . import dataset, initial_weights, networks, objects, photos, phrases, tokenizer
from .config import Config
from .state import State

MAX_BYTES = 30_000_000
STEPS, GUIDANCE = 20, 6.0
"""Usual settings of the checkpoint."""
UNASKED = ("replace", "add")
"""Intents that it is used for where no model is named: with others nothing useful was seen."""

PIPELINE = "StableDiffusionInpaintPipeline"


def write(config: Config, state: State, folder: Path, *, report: Callable[[str], None]) -> None:
    """Write the checkpoint folder; an existing folder is replaced as a whole.

    Raises:
        FileNotFoundError: A stage has not run.
        ValueError: The networks have more parameters, or the files more bytes, than may be shipped.
    """
    words = tokenizer.load(state.tokenizer)
    coder = networks.autoencoder(config.networks.autoencoder)
    unet, text = networks.denoiser(config.networks), networks.text_encoder(config.networks.text, len(words))
    if (count := networks.parameters(coder, unet, text)) > networks.MAX_PARAMETERS:
        raise ValueError(f"{count:,} parameters are more than the {networks.MAX_PARAMETERS:,} that may be shipped")
    initial_weights.fill_averaged(state.saved("autoencoder"), {"net": coder})
    initial_weights.fill_averaged(state.saved("denoiser"), {"denoiser": unet, "text": text})
    coder.register_to_config(scaling_factor=float(json.loads(state.scale.read_text("utf-8"))["scaling_factor"]))
    partial = folder.with_name(folder.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)
    coder.save_config(partial / "vae")
    unet.save_config(partial / "unet")
    text.config.architectures, text.config.dtype = ["CLIPTextModel"], "float32"  # the file's fp16 is for storing alone
    text.config.save_pretrained(partial / "text_encoder")
    _save(coder, partial / "vae" / "diffusion_pytorch_model.safetensors")
    _save(unet, partial / "unet" / "diffusion_pytorch_model.safetensors")
    _save(text, partial / "text_encoder" / "model.safetensors")
    networks.scheduler(config.networks.noise).save_pretrained(partial / "scheduler")
    shutil.copytree(state.tokenizer, partial / "tokenizer")
    (partial / "model_index.json").write_text(json.dumps(index(), indent=2) + "\n", "utf-8")
    (partial / "overpaint.json").write_text(json.dumps(hints(config.networks.size)) + "\n", "utf-8")
    (partial / "credits.json").write_text(json.dumps(_credits(state), indent=1) + "\n", "utf-8")
    if (size := bytes_of(partial)) > MAX_BYTES:
        raise ValueError(f"{size:,} bytes are more than the {MAX_BYTES:,} that may be shipped: {partial}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
    report(f"{count:,} parameters, {size:,} bytes: {folder}")


def _save(net: Any, path: Path) -> None:
    """A network's weights in fp16, readable by all."""
    save_file({key: value.half().contiguous() for key, value in net.state_dict().items()}, path, {"format": "pt"})
    path.chmod(0o644)


def index() -> dict[str, Any]:
    """model_index.json: which class each folder is of."""
    return {
        "_class_name": PIPELINE,
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderTiny"],
        "safety_checker": [None, None],
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
    }


def hints(size: int) -> dict[str, Any]:
    """overpaint.json: usual settings of the checkpoint, its sizes, what it paints, and what it is used for unasked."""
    return {
        "schema": 1,
        "steps": STEPS,
        "guidance_scale": GUIDANCE,
        "sampler": "DDIM",
        "scheduler": "SGM Uniform",
        "background_prompt": phrases.BACKGROUND,
        "edge": "narrow",
        "detail": "surroundings",
        "native": size,
        "minimum": size * 2 // 3 // 8 * 8,
        "maximum": size * 4 // 3 // 8 * 8,
        "words": [*phrases.RECOGNISED, *sorted(objects.COLOURS)],
        "intents": list(UNASKED),
    }


def bytes_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _credits(state: State) -> list[dict[str, Any]]:
    """Credits for the photos of the training."""
    rows = photos.credits(dataset.records(state.photos))
    return [{"source": source, "licence": licence, "photos": count} for source, licence, count in rows]
