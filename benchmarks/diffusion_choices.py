"""What choices that a user can see and undo do to the time of an edit, and to the picture.

    python -m benchmarks.diffusion choices
    python -m benchmarks.diffusion choices --only crop,caching2 --steps 8

An edit of a 512x512 picture whose mask is 10 % of it, with a network of Stable Diffusion 1.5's size and random weights
for the time, and the embedded model for the picture: PSNR within the hole to the same edit with the whole computation.
Beside it diffusers' own pipeline with its defaults (single precision, 50 steps, whole picture), of which a few steps
are run and 50 are extrapolated. Seconds are processor seconds of all cores, the minimum of the rounds.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import page, report
from benchmarks.diffusion_jobs import GUIDANCE, NEGATIVE, PROMPT, picture
from benchmarks.diffusion_model import write_checkpoint, write_tiny_vae
from benchmarks.diffusion_times import Stopwatch
from overpaint import Mask, Studio
from overpaint.picture import from_array

OUT = Path("bench-out") / "diffusion-choices"
SIDE = 512
HOLE = 162
CROP = {"size": 256}
UNTIL = {"guidance_interval": (0.0, 0.6)}
FEW = {"steps": 4, "guidance_scale": 1.0, "sampler": "LCM"}
WORDS = ("a red rose", "a sunflower", "a bowl of soup", "a yellow tulip")
DIFFUSERS_STEPS = 50
EQUAL = 120.0
"""What stands for the PSNR of equal pictures, in dB."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings of an edit.

    Attributes:
        title: Title in the table.
        settings: Of the request; () are those of every row.
        options: Of the engine.
        tiny: Whether the VAE is a tiny one.
        again: Whether the picture was edited before, with the same mask and prompt.
        judged: Whether the embedded model shows what it does to the picture. The others need weights of their own: a
            tiny VAE, or a network that was distilled to few steps.
    """

    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    tiny: bool = False
    again: bool = False
    judged: bool = True


def _caching(interval: int, depth: int = 1) -> dict[str, int]:
    return {"cache_interval": interval, "cache_depth": depth}


CHOICES = {
    "crop": Choice("crop to the mask, `size` 256"),
    "interval": Choice("crop, `guidance_interval` 0, 0.6", UNTIL),
    "caching2": Choice("crop, `cache_interval` 2", options=_caching(2)),
    "caching2deep": Choice("crop, `cache_interval` 2, `cache_depth` 3", options=_caching(2, 3)),
    "caching3": Choice("crop, `cache_interval` 3", options=_caching(3)),
    "compile": Choice("crop, `backend` compile", options={"backend": "compile"}),
    "openvino": Choice("crop, `backend` openvino", options={"backend": "openvino"}),
    "again": Choice("crop, the same picture and prompt again", again=True),
    "tiny": Choice("crop, a tiny `vae`", tiny=True, judged=False),
    "all": Choice(
        "crop, `guidance_interval` 0, 0.6, `cache_interval` 2, `backend` openvino",
        UNTIL,
        {**_caching(2), "backend": "openvino"},
    ),
    "lossy": Choice("crop, `guidance_interval` 0, 0.6, `cache_interval` 2", UNTIL, _caching(2)),
    "few": Choice("crop, 4 steps without guidance", FEW, judged=False),
    "fewest": Choice(
        "crop, 4 steps without guidance, `backend` openvino, a tiny `vae`",
        FEW,
        {"backend": "openvino"},
        tiny=True,
        judged=False,
    ),
}


def hole_of(side: int, hole: int) -> NDArray[np.float32]:
    """(side, side), 1 in a square in the middle."""
    mask, begin = np.zeros((side, side), np.float32), (side - hole) // 2
    mask[begin : begin + hole, begin : begin + hole] = 1
    return mask


class Edits:
    """Timed edits with one checkpoint."""

    def __init__(self, checkpoint: Path, tiny: Path, steps: int, threads: int) -> None:
        """`steps`: of every choice that does not set them; `threads`: of torch."""
        self._studio = Studio(device="cpu", threads=threads)
        self._checkpoint, self._tiny, self._steps = checkpoint, tiny, steps
        self._number = 0

    def run(self, choice: Choice, *, steps: int | None = None) -> float:
        """Processor seconds of one edit."""
        self._number += 1
        if choice.again:
            self._edit(choice, self._number, 2)
        begun = time.process_time()
        self._edit(choice, self._number, steps)
        return time.process_time() - begun

    def _edit(self, choice: Choice, number: int, steps: int | None) -> None:
        options = {**choice.options, **({"vae": str(self._tiny)} if choice.tiny else {})}
        settings = {"steps": self._steps, "guidance_scale": GUIDANCE, **CROP, **choice.settings}
        self._studio.edit(
            from_array(picture(SIDE, number)),
            mask=Mask(hole_of(SIDE, HOLE)),
            intent="replace",
            prompt=PROMPT.format(number),
            negative_prompt=NEGATIVE,
            model=str(self._checkpoint),
            options=options or None,
            seed=1,
            **(settings if steps is None else {**settings, "steps": steps}),
        )

    def close(self) -> None:
        """Release the networks."""
        self._studio.close()
        gc.collect()


def diffusers_seconds(checkpoint: Path, steps: int) -> tuple[float, float]:
    """Processor seconds a step, and of the rest, of diffusers' pipeline with its defaults."""
    import diffusers
    import torch
    from PIL import Image

    pipe = diffusers.StableDiffusionInpaintPipeline.from_pretrained(
        checkpoint, torch_dtype=torch.float32, local_files_only=True, safety_checker=None, requires_safety_checker=False
    )
    pipe.set_progress_bar_config(disable=True)
    watch = Stopwatch(time.process_time)

    def ended(_: Any, step: int, t: Any, kept: dict[str, Any]) -> dict[str, Any]:
        watch.tick()
        return kept

    pipe(
        prompt=PROMPT.format(0),
        negative_prompt=NEGATIVE,
        image=Image.fromarray(picture(SIDE, 0)),
        mask_image=Image.fromarray((hole_of(SIDE, HOLE) * 255).astype(np.uint8)),
        height=SIDE,
        width=SIDE,
        num_inference_steps=steps,
        generator=torch.Generator("cpu").manual_seed(1),
        callback_on_step_end=ended,
    )
    timed = watch.timed(f"{SIDE}x{SIDE}", len(watch.ends))
    return timed.step, timed.once


def differences(choices: Sequence[str]) -> dict[str, list[float]]:
    """PSNR in dB of each choice to the whole computation, within the hole, for each of the pictures."""
    side, mask = 192, hole_of(192, 90)

    def painted(choice: Choice, number: int) -> NDArray[np.float64]:
        edited = studio.edit(
            from_array(picture(side, number)),
            mask=Mask(mask),
            intent="replace",
            prompt=WORDS[number],
            model="pocket",
            options=dict(choice.options) or None,
            seed=number,
            detail="none",
            **choice.settings,
        )
        return np.asarray(edited.picture.samples, np.float64) / 255

    found: dict[str, list[float]] = {name: [] for name in choices}
    with Studio(device="cpu") as studio:
        for number in range(len(WORDS)):
            whole = painted(CHOICES["crop"], number)
            for name in choices:
                error = (painted(CHOICES[name], number) - whole)[mask > 0]
                found[name].append(-10 * math.log10(max(float(np.mean(error**2)), 10 ** (-EQUAL / 10))))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 2 for an unknown choice."""
    about = (__doc__ or "").split("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diffusion choices", description=about)
    parser.add_argument("--only", help=f"by name, separated by commas: {', '.join(CHOICES)}")
    parser.add_argument("--steps", type=int, default=20, help="steps of an edit (default: 20)")
    # Several threads wait for each other, which counts as processor seconds where other programs run.
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    parser.add_argument("--rounds", type=int, default=1, help="edits of each choice; the minimum counts (default: 1)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results go (default: {OUT})")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table into this page (docs/benchmarks.md)")
    wanted = parser.parse_args(argv)
    names = wanted.only.split(",") if wanted.only else list(CHOICES)
    if bad := [name for name in names if name not in CHOICES]:
        there = ", ".join(CHOICES)
        print(f"benchmarks.diffusion choices: no choice {', '.join(bad)}; there are: {there}", file=sys.stderr)
        return 2
    if wanted.page is not None:
        page.section_marks(wanted.page, "diffusion-choices")
    import torch

    console = report.console()
    torch.set_num_threads(wanted.threads)
    quality = differences([name for name in names if CHOICES[name].judged and name != "crop"])
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = write_checkpoint(Path(folder) / "random", "sd1")
        step, once = diffusers_seconds(checkpoint, 3)
        console.print(f"diffusers: {step:.2f} s a step, {once:.2f} s once")
        gc.collect()
        tiny = write_tiny_vae(Path(folder) / "tiny")
        for name in names:
            edits = Edits(checkpoint, tiny, wanted.steps, wanted.threads)  # programs of other choices take no memory
            try:
                edits.run(CHOICES[name], steps=2)  # loading, compiling, converting
                seconds[name] = min(edits.run(CHOICES[name]) for _ in range(wanted.rounds))
            finally:
                edits.close()
            console.print(f"{CHOICES[name].title}: {seconds[name]:.1f} s", highlight=False)
    table = _table(seconds, quality, once + DIFFUSERS_STEPS * step)
    wanted.out.mkdir(parents=True, exist_ok=True)
    made = {
        "machine": report.machine(),
        "threads": wanted.threads,
        "steps": wanted.steps,
        "diffusers": {"step": step, "once": once},
    }
    figures = json.dumps({**made, "seconds": seconds, "psnr": quality}, indent=1)
    (wanted.out / "results.json").write_text(figures, "utf-8")
    (wanted.out / "table.md").write_text(table, "utf-8")
    if wanted.page is not None:
        said = page.measured_with(report.machine(), "python -m benchmarks.diffusion choices")
        steps = f"{wanted.steps} steps where the row names no others; 3 steps of diffusers were run."
        about = f"{wanted.threads} threads. {steps}"
        page.replace_section(wanted.page, "diffusion-choices", f"{said} {about}\n\n{table}")
    console.print(table, highlight=False)
    return 0


def _table(seconds: Mapping[str, float], quality: Mapping[str, Sequence[float]], default: float) -> str:
    lines = ["| choice | processor s | diffusers' default takes | PSNR, dB |", "|---|---:|---:|---:|"]
    lines.append(f"| diffusers, float32, 50 steps, whole picture | {default:.0f} | | |")
    for name, one in seconds.items():
        found = sorted(quality.get(name, ()))
        worst = "" if not found else "equal" if found[0] >= EQUAL else f"{found[0]:.0f} to {found[-1]:.0f}"
        lines.append(f"| {CHOICES[name].title} | {one:.1f} | {default / one:.1f} times | {worst} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
