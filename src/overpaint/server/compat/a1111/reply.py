"""Results in the form of AUTOMATIC1111's reply."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overpaint.record import option_value, parse_infotext
from overpaint.server.compat.calls import CallResult

from .bodies import PaintBody, PictureBody
from .checkpoints import Checkpoint

_USUAL_KEYS = frozenset(
    {"Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Face restoration", "Size", "Model", "VAE"}
    | {"Variation seed", "Variation seed strength", "Seed resize from", "Denoising strength"}
    | {"Conditional mask weight", "Clip skip", "ENSD", "RNG", "Version"}
)
"""Keys of infotext that are no further ones in AUTOMATIC1111's replies, which have these settings elsewhere."""


@dataclass(frozen=True, slots=True)
class PaintReply:
    """What a call made.

    Attributes:
        body: What was asked for.
        results: One for each picture.
        checkpoint: What was chosen to paint.
        seed: Of the first picture.
        notes: What differs from what was asked for.
        interrupted: Whether the client stopped it.
        faces: What restores faces; "" for nothing.
        subseed: Of the first picture's variation.
        maps: PNGs of control maps, which come behind the pictures; nothing else is said of them.
    """

    body: PaintBody
    results: Sequence[CallResult]
    checkpoint: Checkpoint
    seed: int
    notes: Sequence[str] = ()
    interrupted: bool = False
    faces: str = ""
    subseed: int = 0
    maps: Sequence[bytes] = ()

    def table(self) -> dict[str, Any]:
        """The reply's body: `info` is JSON within a text, as clients expect."""
        files = [*(one.data for one in self.results), *self.maps] if self.body.send_images else []
        pictures = [base64.b64encode(one).decode() for one in files]
        return {"images": pictures, "parameters": self._parameters(), "info": json.dumps(self.info())}

    def _parameters(self) -> dict[str, Any]:
        """The settings that were asked for, without pictures unless the client wants these back."""
        found = {name: getattr(self.body, name) for name in type(self.body).model_fields}
        if isinstance(self.body, PictureBody) and not self.body.include_init_images:
            found |= {"init_images": None, "mask": None}
        return found

    def info(self) -> dict[str, Any]:
        """What is known of the results."""
        body, count = self.body, len(self.results)
        seeds = [
            self.seed + number if (own := one.facts.get("seed")) is None else own for number, one in self._numbered
        ]
        return {
            "prompt": body.prompt,
            "all_prompts": [body.prompt] * count,
            "negative_prompt": body.negative_prompt,
            "all_negative_prompts": [body.negative_prompt] * count,
            "seed": seeds[0] if seeds else self.seed,
            "all_seeds": seeds,
            "subseed": self.subseed,
            "all_subseeds": [self.subseed + number for number in range(count)],
            "subseed_strength": body.subseed_strength,
            "width": self.results[0].facts["width"] if count else body.width,
            "height": self.results[0].facts["height"] if count else body.height,
            "sampler_name": body.sampler or "",
            "cfg_scale": body.cfg_scale,
            "steps": body.steps,
            "batch_size": body.batch_size,
            "restore_faces": bool(self.faces),
            "face_restoration_model": self.faces or None,
            "sd_model_name": self.checkpoint.shown,
            "sd_model_hash": (self.checkpoint.sha256 or "")[:10],
            "sd_vae_name": None,
            "sd_vae_hash": None,
            "seed_resize_from_w": body.seed_resize_from_w,
            "seed_resize_from_h": body.seed_resize_from_h,
            "denoising_strength": body.denoising_strength,
            "extra_generation_params": self._further(),
            "index_of_first_image": 0,
            "infotexts": [str(one.facts.get("infotext", "")) for one in self.results],
            "styles": [],
            "job_timestamp": time.strftime("%Y%m%d%H%M%S"),
            "clip_skip": body.clip_skip or 1,
            "is_using_inpainting_conditioning": False,
            "interrupted": self.interrupted,
            "notes": list(self.notes),
        }

    def _further(self) -> dict[str, Any]:
        """What the infotext of the first picture says beyond the settings that every picture has."""
        text = str(self.results[0].facts.get("infotext", "")) if self.results else ""
        pairs = parse_infotext(text).settings.items()
        return {key: option_value(value) for key, value in pairs if key not in _USUAL_KEYS}

    @property
    def _numbered(self) -> list[tuple[int, CallResult]]:
        return list(enumerate(self.results))
