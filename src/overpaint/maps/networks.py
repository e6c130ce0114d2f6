"""The networks on this machine that make maps: folders in transformers' layout."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from overpaint.errors import ModelError
from overpaint.geometry import Size
from overpaint.models import NETWORK_TITLES, ModelRef, networks_here, read_json
from overpaint.request import UsedModel
from overpaint.select.networks import held, loaded_folder, named_network, network_digest, transformers_class

from .contours import Floats


def map_network(kind: str, networks: Collection[str], name: str, suggested: str) -> ModelRef:
    """The network that makes maps of a kind: of this name, or the first that is here.

    Args:
        kind: The kind of the map, for errors.
        networks: What it may be, by the names of `Kind.network`.
        name: Its name; "" for none.
        suggested: A published one, for the error where there is none.

    Raises:
        ModelError: There is none, or it is another network; as `find_network`.
    """
    wanted = name or next((one.name for one in networks_here("mapper") if _is_one(one.kind, networks)), None)
    titles = " or ".join(dict.fromkeys(NETWORK_TITLES[one] for one in networks))
    if wanted is None:
        raise ModelError(
            f"a map of the kind {kind!r} is made by a network ({titles}), and none is here",
            code="model-not-downloaded",
            field="controls",
            value=suggested,
            hint=f"{suggested} can be downloaded; or give the map as the control's image",
        )
    ref = named_network(wanted, "mapper")
    if not _is_one(ref.kind, networks):
        message = f"a map of the kind {kind!r} is made by {titles}, and {ref.name} is {ref.kind.described}"
        raise ModelError(message, code="model-other-task", field="controls", value=ref.name)
    return ref


def _is_one(kind: Any, networks: Collection[str]) -> bool:
    return kind is not None and kind.network in networks and kind.form == "folder"


def used_map_network(ref: ModelRef) -> UsedModel:
    """The network of a map, for records."""
    licence = ref.licence or "unknown"
    return UsedModel(
        role="mapper", name=ref.name, sha256=network_digest(ref.path), licence=licence, accepted=ref.accepted or None
    )


def loaded_map_network(ref: ModelRef, module: str, name: str) -> Any:
    """The network of a folder, which the process holds: a class of transformers by its module and name."""

    def load() -> Any:
        return loaded_folder(transformers_class(module, name, ref.name), ref)

    return held((network_digest(ref.path), name), load)


@dataclass(frozen=True, slots=True)
class PictureForm:
    """How a network takes pictures.

    Attributes:
        side: What the shorter side, or both, are scaled to.
        mean, deviation: Of each channel in [0, 1], by which colours are normalised: ImageNet's where none are given.
        filter: Of the scaling, which is antialiased as Pillow's.
    """

    side: int
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)
    filter: Literal["bilinear", "bicubic"] = "bicubic"

    def read(self, ref: ModelRef) -> PictureForm:
        """This form with what a folder's preprocessor_config.json says otherwise.

        Raises:
            ModelError: That makes no sense.
        """
        path = ref.path / "preprocessor_config.json"
        table = read_json(path) if path.is_file() else {}
        try:
            size = table.get("size") or self.side
            found = PictureForm(
                min(map(int, size.values())) if isinstance(size, dict) else int(size),
                tuple(map(float, table.get("image_mean") or self.mean)),
                tuple(map(float, table.get("image_std") or self.deviation)),
                "bilinear" if table.get("resample") == 2 else self.filter,
            )
            if not (16 <= found.side <= 4096 and len(found.mean) == len(found.deviation) == 3):
                raise ValueError(path)
            if min(found.deviation) <= 0:
                raise ValueError(path)
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"{path}: its sizes or colours make no sense", field="model", value=ref.name) from error
        return found

    def tensor(self, pixels: Floats, size: Size) -> Any:
        """(1, 3, h, w) float32 tensor of a picture (H, W, 3) in [0, 1], scaled to a size."""
        import torch

        plane = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]
        scaled = torch.nn.functional.interpolate(
            plane, (size.height, size.width), mode=self.filter, antialias=True, align_corners=False
        )
        mean, deviation = (torch.tensor(one, dtype=torch.float32)[:, None, None] for one in (self.mean, self.deviation))
        return (scaled.clamp(0, 1) - mean) / deviation
