"""Stage `evaluate`: measurements of a checkpoint folder through diffusers' pipeline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from .evaluation_prompts import EVALUATION_PROMPTS, EvaluationPrompt, hue_improved, mean_colour
from .export import GUIDANCE, STEPS
from .sheets import page

Pixels = NDArray[np.uint8]
Report = Callable[[str], None]

LOGITS = "Logits/SpatialSqueeze"


@dataclass(frozen=True, slots=True)
class PromptScore:
    """The result of one prompt, over the seeds.

    Attributes:
        prompt: The text.
        coloured: Share of seeds in which the hue moved the right way; None for a prompt without a hue.
        named: Share of seeds in which the classifier's score for the noun rose; None for a noun that it does not know.
    """

    prompt: str
    coloured: float | None
    named: float | None


class ImageClassifier:
    """An 8-bit ImageNet classifier: (1001,) probabilities of a crop.

    They are computed from its logits (steps of 0.08): its softmax is rounded to 1/256, so that most classes are 0.
    """

    def __init__(self, path: Path) -> None:
        """FileNotFoundError when there is no such file, ImportError without ai-edge-litert."""
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        if not path.is_file():
            raise FileNotFoundError(f"no classifier at {path}")
        self._net: Any = Interpreter(
            model_path=str(path),
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,  # an inner layer is read
        )
        self._net.allocate_tensors()
        (self._in,) = self._net.get_input_details()
        self._out = next(d for d in self._net.get_tensor_details() if d["name"].endswith(LOGITS))

    def __call__(self, crop: Pixels) -> NDArray[np.float64]:
        """Probabilities for a crop (h, w, 3) of any size."""
        _, height, width, _ = (int(side) for side in self._in["shape"])
        small = Image.fromarray(crop).resize((width, height), Image.Resampling.BICUBIC)
        self._net.set_tensor(self._in["index"], np.asarray(small, np.uint8)[None])
        self._net.invoke()
        scale, zero = self._out["quantization"]
        values = (self._net.get_tensor(self._out["index"])[0].astype(np.float64) - zero) * scale
        powers = np.exp(values - values.max())
        probabilities: NDArray[np.float64] = powers / powers.sum()
        return probabilities


def open_pipeline(folder: Path) -> Any:
    """diffusers' inpainting pipeline over a checkpoint folder, in float32, without progress bars."""
    from diffusers import StableDiffusionInpaintPipeline

    if not (folder / "model_index.json").is_file():
        raise FileNotFoundError(f"no checkpoint in {folder}: it has no model_index.json")
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(str(folder), local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def square_photos(photos: Path, size: int, limit: int | None = None) -> list[Pixels]:
    """The middles of all photos of a folder of eval photos, resized; FileNotFoundError when there are none."""
    found = sorted((photos / "images").glob("*.jpg"))[:limit]
    if not found:
        raise FileNotFoundError(f"no photos: there is no images/*.jpg in {photos}")
    return [_square(path, size) for path in found]


def _square(path: Path, size: int) -> Pixels:
    with Image.open(path) as image:
        whole = image.convert("RGB")
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    middle = whole.resize((size, size), Image.Resampling.LANCZOS, box=(left, top, left + side, top + side))
    return np.asarray(middle)


def reconstruction(pipeline: Any, pictures: Sequence[Pixels]) -> float:
    """Mean PSNR in dB of pictures through the autoencoder and back."""
    values = []
    for picture in pictures:
        given = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            made = pipeline.vae.decode(pipeline.vae.encode(given).latents).sample.clamp(-1, 1)
        values.append(10 * np.log10(4 / max(1e-12, float((made - given).square().mean()))))
    return float(np.mean(values))


def hole_of(size: int) -> NDArray[np.bool_]:
    """(size, size), a box over the middle half."""
    hole = np.zeros((size, size), np.bool_)
    hole[size // 4 : -(size // 4), size // 4 : -(size // 4)] = True
    return hole


def fill(pipeline: Any, pictures: Sequence[Pixels], prompt: str) -> list[Pixels]:
    """Each picture with its middle filled for a prompt; picture k has seed k."""
    size = pictures[0].shape[0]
    hole = hole_of(size)
    made = pipeline(
        prompt=[prompt] * len(pictures),
        image=[Image.fromarray(picture) for picture in pictures],
        mask_image=[Image.fromarray(hole.astype(np.uint8) * 255)] * len(pictures),
        height=size,
        width=size,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        generator=[torch.Generator().manual_seed(k) for k in range(len(pictures))],
        output_type="np",
    ).images
    pasted = [(image * 255).round().astype(np.uint8) for image in made]
    return [np.where(hole[..., None], new, old) for new, old in zip(pasted, pictures, strict=True)]


def score(
    entry: EvaluationPrompt, filled: Sequence[Pixels], plain: Sequence[Pixels], image_classifier: ImageClassifier | None
) -> PromptScore:
    """Score the fills for a prompt against those for the empty prompt, picture by picture."""
    size = filled[0].shape[0]
    hole, edge = hole_of(size), size // 6
    pairs = list(zip(filled, plain, strict=True))
    coloured = named = None
    if entry.colour:
        coloured = np.mean([hue_improved(mean_colour(a, hole), mean_colour(p, hole), entry.colour) for a, p in pairs])
    if entry.classes and image_classifier is not None:
        scores = [
            [image_classifier(x[edge:-edge, edge:-edge])[list(entry.classes)].sum() for x in pair] for pair in pairs
        ]
        named = np.mean([score > base for score, base in scores])
    return PromptScore(entry.prompt, *(None if share is None else float(share) for share in (coloured, named)))


def measure(
    folder: Path, photos: Path, classifier: Path, out: Path, *, seeds: int = 8, limit: int | None = None, report: Report
) -> dict[str, Any]:
    """Measure a checkpoint and write results.json and two sheets to `out`.

    Args:
        folder: The checkpoint.
        photos: Eval photos, images/*.jpg.
        classifier: The ImageNet classifier; without the file, nouns are not scored.
        out: Folder of the results.
        seeds: Number of pictures, each with its seed, for each prompt.
        limit: Number of photos to use; None for all.
        report: Receives each progress line.

    Raises:
        FileNotFoundError: No checkpoint, or no photos.
    """
    pipeline = open_pipeline(folder)
    size = int(pipeline.unet.config.sample_size) * 8
    pictures = square_photos(photos, size, limit)
    db = reconstruction(pipeline, pictures)
    report(f"reconstruction of {len(pictures)} photos: {db:.2f} dB")
    chosen = [pictures[k * len(pictures) // seeds] for k in range(seeds)]
    image_classifier = ImageClassifier(classifier) if classifier.is_file() else None
    fill(pipeline, chosen[:1], "a red flower")
    begun = time.perf_counter()
    fill(pipeline, chosen[:1], "a red flower")
    seconds = time.perf_counter() - begun
    report(f"{STEPS} steps with guidance at {size}x{size}: {seconds:.2f} s with {torch.get_num_threads()} threads")
    plain, rows, scores = fill(pipeline, chosen, ""), [], []
    for entry in EVALUATION_PROMPTS:
        filled = fill(pipeline, chosen, entry.prompt)
        scores.append(score(entry, filled, plain, image_classifier))
        rows.append((entry.prompt, filled))
        report(f"{entry.prompt}: colour {_share(scores[-1].coloured)}, noun {_share(scores[-1].named)}")
    result = {
        "photos": len(pictures),
        "reconstruction_db": round(db, 2),
        "seconds": round(seconds, 2),
        "seeds": seeds,
        "guidance": GUIDANCE,
        "colours": _mean([answer.coloured for answer in scores]),
        "nouns": _mean([answer.named for answer in scores]),
        "answers": [{"prompt": a.prompt, "coloured": a.coloured, "named": a.named} for a in scores],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    page(out / "prompts.png", [("photo", chosen), ('""', plain), *rows])
    report(f"colours {_share(result['colours'])}, nouns {_share(result['nouns'])}: {out}")
    return result


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return round(float(np.mean(there)), 3) if there else None


def _share(value: Any) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
