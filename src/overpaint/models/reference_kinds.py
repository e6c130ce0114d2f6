"""Recognises what paints after a reference picture: IP-Adapters, and the picture encoders that they read.

An IP-Adapter (Ye et al. 2023, arXiv 2308.06721) projects an encoded picture to a few tokens, and has layers that read
these beside a checkpoint's own layers that read the text. The encoder is that of CLIP.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from overpaint.errors import ModelError

from .families import family_of_width
from .headers import TensorInfo
from .values import Form, Kind

PROJECTION, LAYERS = "image_proj.", "ip_adapter."
"""Prefixes of an IP-Adapter's tensors."""

_KEY = re.compile(re.escape(LAYERS) + r"\d+\.to_k_ip\.weight")
_CLASS, _PROJECTED = "vision_model.embeddings.class_embedding", "visual_projection.weight"


def adapter_of(tensors: Mapping[str, TensorInfo], form: Form) -> Kind | None:
    """The kind of a file with these tensors, where they are those of an IP-Adapter."""
    keys = [one for name, one in tensors.items() if _KEY.fullmatch(name)]
    own = {name.removeprefix(PROJECTION): one for name, one in tensors.items() if name.startswith(PROJECTION)}
    if not keys or not own:
        return None
    read = next((one for marks, one in _READ.items() if set(marks) <= own.keys()), None)
    if read is None:
        return Kind("other", form, because="an IP-Adapter for faces (FaceID), which reads another network than CLIP")
    what, name = read
    vectors = ((what, own[name].side(1)),)
    return Kind("ip-adapter", form, family=family_of_width(keys[0].side(1)), vectors=vectors)


_READ = {
    ("proj.weight",): ("embeds", "proj.weight"),
    ("latents", "proj_in.weight"): ("states", "proj_in.weight"),  # Plus
    ("proj.0.weight", "proj.3.weight"): ("states", "proj.0.weight"),  # Full Face
}
"""By tensors of the projection: what it reads (see `Kind.vectors`), and the tensor that shows its width."""


def encoder_of(tensors: Mapping[str, TensorInfo], form: Form) -> Kind | None:
    """The kind of a file with these tensors, where they are those of CLIP's picture encoder alone."""
    if not tensors.keys() >= {_CLASS, _PROJECTED} or any(name.startswith("text_model.") for name in tensors):
        return None
    return _encoder(form, tensors[_PROJECTED].side(0), tensors[_PROJECTED].side(1))


def encoder_folder(config: Mapping[str, Any], source: object) -> Kind | None:
    """The kind of a folder in transformers' layout, by its configuration; None where it is no picture encoder.

    Raises:
        ModelError: Its sizes are no numbers.
    """
    if config.get("model_type") != "clip_vision_model":
        return None
    embeds, states = config.get("projection_dim", 512), config.get("hidden_size", 768)  # transformers' defaults
    if not (isinstance(embeds, int) and isinstance(states, int)):
        raise ModelError(f"{source} is damaged: the sizes in its configuration should be whole numbers")
    return _encoder("folder", embeds, states)


def _encoder(form: Form, embeds: int, states: int) -> Kind:
    vectors = (("embeds", embeds), ("states", states))
    return Kind("image-encoder", form, vectors=vectors, network="clip-vision", layout="diffusers")
