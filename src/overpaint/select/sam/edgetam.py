"""EdgeTAM by transformers' class, with an encoder of our own in place of timm's.

transformers takes EdgeTAM's encoder from the package timm, which needs torchvision. Here the same encoder
(`overpaint.select.sam.repvit`) is made known to transformers, and a folder's configuration is read as one that names
it. Tensors keep their names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from overpaint.errors import ModelError
from overpaint.models import ModelRef, read_json
from overpaint.select.networks import encoder_of_ours, loaded_folder, transformers_class

from .repvit import DEPTHS, WIDTHS, RepVit

ARCHITECTURE = "repvit_m1"
"""The encoder of EdgeTAM, by timm's name."""

OURS = "overpaint_repvit"
"""The same, by the name that it has here."""

_STAGES = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
"""What a configuration asks of timm: what all four stages see in an RGB picture."""

_MOST = {"widths": 4096, "depths": 64}
"""Channels and blocks that a stage may have."""


def edgetam(ref: ModelRef) -> Any:
    """EdgeTAM from a folder in transformers' layout.

    Raises:
        ModelError: As `loaded_folder`; or its encoder is another one.
    """
    kind = transformers_class("edgetam.modeling_edgetam", "EdgeTamModel", ref.name)
    table = read_json(ref.path / "config.json")
    return loaded_folder(kind, ref, settings=lambda: edgetam_settings(table, ref.name))


def edgetam_settings(table: Mapping[str, Any], name: str) -> Any:
    """The configuration of an EdgeTAM that takes the encoder from here.

    Args:
        table: What config.json has.
        name: The model's, for errors.

    Raises:
        ModelError: The encoder is another one.
    """
    config = transformers_class("edgetam.configuration_edgetam", "EdgeTamConfig", name)
    encoder_of_ours(OURS, "timm_model", RepVit)  # that is the network's name in published tensors
    vision = dict(table.get("vision_config") or {})
    vision["backbone_config"] = {"model_type": OURS, "sizes": _sizes(vision.get("backbone_config"), name)}
    return config.from_dict({**table, "model_type": config.model_type, "vision_config": vision})


def _sizes(backbone: Mapping[str, Any] | None, name: str) -> dict[str, Sequence[int]]:
    """Channels and blocks of the encoder that a configuration asks timm for."""
    asked = dict(backbone or {"architecture": ARCHITECTURE})
    encoder = str(asked.get("architecture")).partition(".")[0]
    more = dict(asked.get("model_args") or {})
    found = {"widths": more.pop("embed_dim", WIDTHS), "depths": more.pop("depth", DEPTHS)}
    other = [key for key, value in more.items() if _STAGES.get(key) != value]
    if encoder != ARCHITECTURE or other:
        what = f"the encoder {encoder}" + (f" with {other[0]}={more[other[0]]}" if other else "")
        raise ModelError(f"{name} has {what}, and EdgeTAM's is {ARCHITECTURE}", field="model", value=name)
    for key, most in _MOST.items():
        if len(found[key]) != len(WIDTHS) or not all(isinstance(one, int) and 1 <= one <= most for one in found[key]):
            raise ModelError(f"the sizes of the encoder of {name} make no sense: {found}", field="model", value=name)
    return found
