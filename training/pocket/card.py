"""Stage `card`: the model card of a checkpoint, with data, recipe and measurements.

Every figure is read from the files of the other stages.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import networks, tokenizer
from .config import Config
from .export import GUIDANCE, STEPS, UNASKED
from .state import State

NAME = "MODEL_CARD.md"

_HEAD = """---
license: apache-2.0
tags: [inpainting, text-to-image, diffusers]
---

# Pocket

## What it is

A small latent diffusion model that repaints the masked part of a picture from a prompt, made by the Overpaint project
and embedded in its package: {parameters:,} parameters, {bytes:,} bytes in fp16. An ordinary diffusers folder
(`StableDiffusionInpaintPipeline` opens it): `UNet2DConditionModel` of 9 channels that predicts v, `AutoencoderTiny`,
`CLIPTextModel` of {layers} layers with a vocabulary of {words:,} tokens of its own, `DDIMScheduler`. Native size
{size}x{size}; of use from 128 to 256. Usual settings: {steps} steps, guidance {guidance:g}.

It is there so that a prompt does something on a machine without network, GPU or gigabytes. Checkpoints that are larger
by a factor of sixty are better at everything; Overpaint takes those too.

## What it cannot do

- **Objects.** {objects}
- **Intents.** Overpaint uses it unasked for {unasked} alone, and for things in the list of words in `overpaint.json`.
- **Detail.** Its autoencoder keeps {cells} numbers for 64 pixels ({db} dB on photos), and it paints {size} pixels
  across. Finer detail comes from the surroundings of the hole, by Overpaint's `detail` step, not from the model.
- **Words.** It knows the nouns and colours of its captions: flowers, garments, fruit, vegetables, dishes, cars,
  landscapes. Other words do nothing. No people, faces, animals, hands or writing; no counting, no relations.
- **Judgement.** It was trained on few photos of few kinds, and repeats what these have in common.

## Data

{photos:,} openly licensed photos of the {given:,} available (short side about 198 pixels), and {tiles:,}
objects cut out of them. Photos whose licence is share-alike, GPL, LGPL or OSL were left out. Captions are labels and
file names; colour words were computed from the pixels.

## Credits

Thanks to the photographers who published these photos.

| Source | Licence as stated there | Photos |
|---|---|---:|
"""

_TAIL = """
## Recipe

| Stage | Steps | Rows a step | Rate | Hours |
|---|---:|---:|---:|---:|
{recipe}
Trained on {device}. The code is `training/pocket` of Overpaint's repository; its README explains the decisions.

## Measured

{measured}

Each prompt is run {seeds} times, with {seeds} photos and seeds; the hole is the middle half of the picture.
*Colour*: the hole's mean hue moved the right way against the empty prompt. *Noun*: an ImageNet classifier's score for
it rose.

| Prompt | Colour | Noun |
|---|---:|---:|
{answers}
"""


def write(
    config: Config,
    state: State,
    folder: Path,
    results: Path,
    *,
    given: int,
    device: str,
    objects: str | None = None,
    report: Callable[[str], None],
) -> None:
    """Write MODEL_CARD.md into a checkpoint folder.

    Args:
        config: Settings of the training.
        state: Folder of the training: logs, photos, vocabulary.
        folder: The exported checkpoint.
        results: results.json of `evaluate`.
        given: Number of photos before the licence filter.
        device: Description of the training machine.
        objects: Description of painted objects by a viewer; None: a sentence chosen from the figures.
        report: Receives each progress line.

    Raises:
        FileNotFoundError: A stage has not run.
    """
    found = json.loads(results.read_text("utf-8"))
    credits = json.loads((folder / "credits.json").read_text("utf-8"))
    words = tokenizer.load(state.tokenizer)
    own = config.networks
    nets = networks.autoencoder(own.autoencoder), networks.denoiser(own), networks.text_encoder(own.text, len(words))
    head = _HEAD.format(
        parameters=networks.parameters(*nets),
        bytes=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != NAME),
        layers=own.text.layers,
        words=len(words),
        size=own.size,
        steps=STEPS,
        guidance=GUIDANCE,
        objects=objects or _objects(found),
        unasked=" and ".join(f"`{one}`" for one in UNASKED),
        cells=own.autoencoder.latent_channels,
        db=f"{found['reconstruction_db']:.1f}",
        photos=sum(row["photos"] for row in credits),
        given=given,
        tiles=_tiles(state),
    )
    rows = [f"| {row['source']} | {_cell(row['licence'])} | {row['photos']:,} |" for row in credits]
    stages = [("autoencoder", config.autoencoder), ("denoiser", config.denoiser)]
    recipe = "".join(_recipe(name, schedule, _last(state.log(name))) for name, schedule in stages)
    tail = _TAIL.format(
        recipe=recipe,
        device=device,
        measured=_measured(found),
        seeds=found["seeds"],
        answers="\n".join(_answer(answer) for answer in found["answers"]),
    )
    (folder / NAME).write_text(head + "\n".join(rows) + "\n" + tail, "utf-8")
    report(f"{folder / NAME}")


def _objects(found: Mapping[str, Any]) -> str:
    """A sentence on painted shapes: the checkpoint paints shapes when three of four nouns raise their score."""
    nouns = found["nouns"]
    if nouns is not None and nouns >= 0.75 and found["reconstruction_db"] >= 25:
        return "Shapes are simple, and seldom right in their parts."
    return "It paints colours and rough textures, and hardly any shapes: a red flower is a reddish patch."


def _tiles(state: State) -> int:
    import numpy as np

    return int(np.load(state.photos / "tiles.npy", mmap_mode="r").shape[0])


def _last(log: Path) -> Mapping[str, Any]:
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.strip()]
    if not lines:
        raise FileNotFoundError(f"{log} has no line: the stage has not run")
    row: Mapping[str, Any] = lines[-1]
    return row


def _recipe(name: str, schedule: Any, last: Mapping[str, Any]) -> str:
    hours = float(last["seconds"]) / 3600
    rows = schedule.batch * getattr(schedule, "repeats", 1)
    return f"| {name} | {last['step']:,} | {rows:,} | {schedule.rate:g} | {hours:.2f} |\n"


def _measured(found: Mapping[str, Any]) -> str:
    rows: Sequence[tuple[str, str]] = (
        ("autoencoder, photos there and back", f"{found['reconstruction_db']:.2f} dB"),
        (f"colour words move the hue the right way ({found['seeds']} seeds)", _share(found["colours"])),
        (f"nouns raise the classifier's score ({found['seeds']} seeds)", _share(found["nouns"])),
        ("20 steps with guidance through diffusers' pipeline, seconds", f"{found['seconds']:.2f}"),
    )
    return "\n".join(["| What | Figure |", "|---|---:|", *(f"| {what} | {figure} |" for what, figure in rows)])


def _answer(answer: Mapping[str, Any]) -> str:
    return f"| {answer['prompt']} | {_share(answer['coloured'])} | {_share(answer['named'])} |"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
