"""The jobs of `benchmarks.diffusion`, and their methods: Studio, and diffusers' pipelines."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.diffusion_times import RunTimes, Stopwatch
from overpaint import Mask, Monitor, Studio
from overpaint.picture import from_array

PROMPT = "a wooden bench under a tree, photo {}"
NEGATIVE = "blurry"
GUIDANCE = 7.5

OURS = "overpaint"
WHOLE = "diffusers, whole canvas"
CROPPED = "diffusers, padding_mask_crop"
UNGUIDED = "overpaint, steps without guidance"
REPEATED = "overpaint, the same picture again"
UNSHARED = "overpaint, nothing shared by prompt and negative"


@dataclass(frozen=True, slots=True)
class Job:
    """One edit to time.

    Attributes:
        title: Title in the table.
        side: Side of the square picture.
        hole: Side of the square hole.
        whole: Whether the whole picture is the canvas.
        ways: Methods, ours first.
        strength: Below 1 both encode the picture and the masked picture; at 1 diffusers leaves out the picture's own
            content, and with it one encoding.
        families: Families of checkpoints for this job.
    """

    title: str
    side: int
    hole: int
    whole: bool
    ways: tuple[str, ...]
    families: tuple[str, ...] = ("sd1",)
    strength: float = 0.85


JOBS = {
    "photo": Job("1024x1024 photo, 5 % mask", 1024, 229, False, (OURS, WHOLE)),
    "crop": Job("the same, both cropped", 1024, 229, False, (OURS, CROPPED)),
    "crop1": Job("the same at strength 1", 1024, 229, False, (OURS, CROPPED), strength=1.0),
    "picture": Job("512x512, whole picture", 512, 229, True, (OURS, WHOLE)),
    "savings": Job("further savings on the photo", 1024, 229, False, (OURS, UNGUIDED, REPEATED, UNSHARED)),
    "xl": Job("1024x1024, whole picture, SDXL", 1024, 400, True, (OURS, WHOLE), ("sdxl",)),
}


def unknown_jobs(names: Sequence[str]) -> list[str]:
    """Names without a job."""
    return [name for name in names if name not in JOBS]


class Methods:
    """One checkpoint in Studio and in diffusers' pipeline, each loaded when it is first needed."""

    def __init__(
        self, checkpoint: Path, family: str, device: str, precision: str | None, threads: int | None, steps: int
    ) -> None:
        """`precision` None: the device's default for both."""
        import torch

        from overpaint.engines.diffusion.devices import device_of, usual_dtype
        from overpaint.engines.diffusion.engine import DiffusionEngine
        from overpaint.models import find

        if threads is not None:
            torch.set_num_threads(threads)
        self._dtype = usual_dtype(device_of(device)) if precision is None else getattr(torch, precision)
        self._checkpoint, self._family, self._device, self._steps = checkpoint, family, device, steps
        self._make_engine: Callable[[], Any] = lambda: DiffusionEngine(
            find(str(checkpoint)), device=device, dtype=self._dtype, threads=threads
        )
        self._studio: Studio | None = None
        self._pipe: Any = None
        self._runs = 0
        self._clock = time.process_time if device == "cpu" else time.perf_counter
        self.setting = (
            f"{family} in {str(self._dtype).removeprefix('torch.')} on {device}, {torch.get_num_threads()} threads, "
            f"{steps} steps run, guidance {GUIDANCE} (two rows a step). Seconds are "
            f"{'processor seconds of all cores' if device == 'cpu' else 'by the clock'}."
        )

    def run(self, job: Job, way: str) -> RunTimes:
        """One timed run; the method is loaded and has run once before the clock starts."""
        from overpaint.engines.diffusion.families.unet import UNetFamily

        self._runs += 1
        photo = picture(job.side, self._runs)
        hole = np.zeros((job.side, job.side), np.float32)
        begin = (job.side - job.hole) // 2
        hole[begin : begin + job.hole, begin : begin + job.hole] = 1
        prompt = PROMPT.format(self._runs)
        if way in (WHOLE, CROPPED):
            self._load_pipeline()
            return self._run_pipeline(job, photo, hole, prompt, cropped=way == CROPPED)
        self._load_studio()
        if way == REPEATED:
            self._run_studio(job, photo, hole, prompt)
        unshared = mock.patch.object(UNetFamily, "text_free_layers", return_value=())
        with unshared if way == UNSHARED else nullcontext():
            return self._run_studio(job, photo, hole, prompt, 1.0 if way == UNGUIDED else GUIDANCE)

    def _run_studio(
        self,
        job: Job,
        photo: NDArray[np.uint8],
        hole: NDArray[np.float32],
        prompt: str,
        guidance: float = GUIDANCE,
    ) -> RunTimes:
        assert self._studio is not None
        watch = Stopwatch(self._clock)
        edited = self._studio.edit(
            from_array(photo),
            mask=Mask(hole),
            monitor=Monitor(on_progress=watch.tick),
            intent="replace",
            prompt=prompt,
            negative_prompt=NEGATIVE,
            engine="diffusion",
            area="whole" if job.whole else "masked",
            strength=job.strength,
            steps=self._steps,
            guidance_scale=guidance,
            seed=1,
        )
        (region,) = edited.regions
        return watch.timed(str(region.working), self._steps, self._peak())

    def _run_pipeline(
        self, job: Job, photo: NDArray[np.uint8], hole: NDArray[np.float32], prompt: str, *, cropped: bool
    ) -> RunTimes:
        import torch
        from PIL import Image

        side = 512 if cropped else job.side
        asked: dict[str, Any] = {"padding_mask_crop": (512 - job.hole) // 2} if cropped else {}
        watch = Stopwatch(self._clock)

        def ended(pipe: Any, step: int, t: Any, kept: dict[str, Any]) -> dict[str, Any]:
            watch.tick()
            return kept

        self._pipe(
            prompt=prompt,
            negative_prompt=NEGATIVE,
            image=Image.fromarray(photo),
            mask_image=Image.fromarray((hole * 255).astype(np.uint8)),
            height=side,
            width=side,
            strength=job.strength,
            num_inference_steps=math.ceil(self._steps / job.strength),  # for an equal number of steps
            guidance_scale=GUIDANCE,
            generator=torch.Generator("cpu").manual_seed(1),
            callback_on_step_end=ended,
            **asked,
        )
        return watch.timed(f"{side}x{side}", self._steps, self._peak())

    def _load_studio(self) -> None:
        if self._studio is None:
            self._drop()
            self._studio = Studio(device="auto")
            self._studio.add_engine(self._make_engine())
            self._warm(OURS)
        self._begin_peak()

    def _load_pipeline(self) -> None:
        if self._pipe is None:
            self._drop()
            import diffusers

            kind = "StableDiffusionXLInpaintPipeline" if self._family == "sdxl" else "StableDiffusionInpaintPipeline"
            more = {} if self._family == "sdxl" else {"safety_checker": None, "requires_safety_checker": False}
            self._pipe = getattr(diffusers, kind).from_pretrained(
                self._checkpoint, torch_dtype=self._dtype, local_files_only=True, **more
            )
            solver = diffusers.DPMSolverMultistepScheduler
            self._pipe.scheduler = solver.from_config(self._pipe.scheduler.config, use_karras_sigmas=True)
            self._pipe.set_progress_bar_config(disable=True)
            self._pipe.to(self._device)
            self._warm(WHOLE)
        self._begin_peak()

    def _warm(self, way: str) -> None:
        """One small run for all first-time loading and compilation."""
        small = Job("", 256, 64, True, (way,))
        photo, hole = picture(256, 0), np.zeros((256, 256), np.float32)
        hole[96:160, 96:160] = 1
        if way == OURS:
            self._run_studio(small, photo, hole, PROMPT)
        else:
            self._run_pipeline(small, photo, hole, PROMPT, cropped=False)

    def _drop(self) -> None:
        """On a GPU, unload the other method, so that each has its own peak memory."""
        if self._device == "cpu":
            return
        import torch

        if self._studio is not None:
            self._studio.close()
        self._studio = self._pipe = None
        gc.collect()
        torch.cuda.empty_cache()

    def _begin_peak(self) -> None:
        if self._device != "cpu":
            import torch

            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()

    def _peak(self) -> float | None:
        if self._device == "cpu":
            return None
        import torch

        return float(torch.cuda.max_memory_allocated()) / 1e9


def picture(side: int, number: int) -> NDArray[np.uint8]:
    """(side, side, 3): a smooth picture with some texture, another for each number, so that no cache knows it."""
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) / side
    waves = [np.sin(6 * columns + 3 * rows + number), np.cos(5 * rows - columns), np.sin(9 * rows * columns + 1)]
    noise = np.random.default_rng(number).normal(0, 6, (side, side, 3))
    return np.clip(np.stack(waves, 2) * 90 + 128 + noise, 0, 255).astype(np.uint8)
