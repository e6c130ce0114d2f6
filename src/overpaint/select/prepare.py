"""Pictures as networks take them, the way back of their masks, and the choice of a network.

Scaling is bilinear with antialiasing, as in Pillow and in the published preprocessing; then colours are normalised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import ModelError, OverpaintError
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.models import NETWORK_TITLES, ModelEntry, ModelRef, entries, networks_here, read_json
from overpaint.models.values import Form
from overpaint.request import UsedModel

from .guided import refined
from .networks import named_network, network_digest
from .seen import SeenPicture

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

FINER = 4
"""A larger picture is reduced by averages to so many times the network's input, before it is scaled to it."""

REACH = 0.75
"""How far an edge may be moved, as a share of the side of a cell of the network's mask; at least 2 pixels."""

FARTHEST = 64
"""Pixels that an edge may be moved at the most."""


FORMS: Mapping[str, Form] = {
    "clipseg": "folder",
    "grounding-dino": "folder",
    "segformer": "folder",
    "birefnet": "onnx",
}
"""The form of files in which each network runs here. BiRefNet's folders hold code of their own, which is never run."""


@dataclass(frozen=True, slots=True)
class InputForm:
    """How a network takes pictures.

    Attributes:
        size: What both sides are scaled to; None keeps the proportions.
        shortest, longest: With the proportions kept: the shorter side is scaled to the one, unless the longer side
            would exceed the other.
        mean, deviation: Of each channel in [0, 1], by which colours are normalised.
    """

    size: Size | None
    shortest: int = 800
    longest: int = 1333
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    deviation: tuple[float, ...] = (0.229, 0.224, 0.225)

    def read(self, folder: Path) -> InputForm:
        """This form with what a folder's preprocessor_config.json says otherwise.

        Raises:
            ModelError: That makes no sense.
        """
        path = folder / "preprocessor_config.json"
        if not path.is_file():
            return self
        try:
            table = read_json(path)
            size = table.get("size")
            size = {"height": size, "width": size} if isinstance(size, int) else dict(size or {})
            found = replace(
                self,
                mean=tuple(map(float, table.get("image_mean") or self.mean)),
                deviation=tuple(map(float, table.get("image_std") or self.deviation)),
            )
            if "height" in size:
                found = replace(found, size=Size(int(size["width"]), int(size["height"])))
            elif "shortest_edge" in size:
                longest = int(size.get("longest_edge") or self.longest)
                found = replace(found, size=None, shortest=int(size["shortest_edge"]), longest=longest)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise _senseless(path) from error
        sides = found.size or (found.shortest, found.longest)
        colours = len(found.mean) == len(found.deviation) == 3 and min(found.deviation) > 0
        if not (colours and min(sides) >= 16 and max(sides) <= 4096):
            raise _senseless(path)
        return found

    def size_for(self, size: Size) -> Size:
        """The size that a picture is scaled to."""
        if self.size is not None:
            return self.size
        short, long = min(size), max(size)
        exact = float(self.shortest)
        if long / short * self.shortest > self.longest:
            exact = self.longest * short / long
        shorter, longer = max(1, round(exact)), max(1, int(exact * long / short))
        return Size(shorter, longer) if size.width < size.height else Size(longer, shorter)

    def tensor(self, seen: SeenPicture) -> Any:
        """(1, 3, h, w) float32 tensor of a picture."""
        import torch

        wanted = self.size_for(seen.size)
        colours = seen.part(seen.size.box, FINER * max(wanted))
        plane = torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1)))[None]
        scaled = torch.nn.functional.interpolate(
            plane, (wanted.height, wanted.width), mode="bilinear", antialias=True, align_corners=False
        )
        mean, deviation = (torch.tensor(one, dtype=torch.float32)[:, None, None] for one in (self.mean, self.deviation))
        return (scaled - mean) / deviation


def _senseless(path: Path) -> ModelError:
    return ModelError(f"{path}: its sizes or colours make no sense", field="model", value=path.parent.name)


def at_size(plane: Any, size: Size) -> Any:
    """(..., H, W) tensor of a picture's size, from one over the same area, (..., h, w), bilinear."""
    import torch

    shape = plane.shape[:-2]
    flat = plane.reshape(1, -1, *plane.shape[-2:]).float()
    found = torch.nn.functional.interpolate(flat, (size.height, size.width), mode="bilinear", align_corners=False)
    return found.reshape(*shape, size.height, size.width)


def edged(seen: SeenPicture, marked: Flags, cell: float, share: float = REACH) -> Flags:
    """(H, W) bool: a mask with the picture's own edges.

    Args:
        seen: The picture.
        marked: (H, W) bool, as a network has it.
        cell: The side of a cell of the network's mask, in pixels of the picture.
        share: How far an edge may be moved, as a share of that.
    """
    around, reach = Box.around(marked), min(FARTHEST, max(2, round(share * cell)))
    if around.empty:
        return marked
    part = around.pad(2 * reach).intersect(seen.size.box)
    found = marked.copy()
    found[part.slices] = refined(seen.colours_from(part), marked[part.slices], reach, step=max(1, reach // 6))
    return found if found.any() else marked


def within(marked: Flags, boxes: Sequence[Box]) -> Flags:
    """(H, W) bool: a mask, in boxes only where there are some."""
    if not boxes:
        return marked
    kept = np.zeros_like(marked)
    for box in boxes:
        where = box.intersect(Box(0, 0, marked.shape[1], marked.shape[0])).slices
        kept[where] = marked[where]
    return kept


def mask_by(marked: Flags, ref: ModelRef, *more: str) -> Mask:
    """A mask that says which network found it."""
    return Mask(marked.astype(np.float32), (f"found by {title_of(ref)}", *more))


def title_of(ref: ModelRef) -> str:
    """A network and its name: "CLIPSeg (clipseg)"."""
    return f"{NETWORK_TITLES[ref.kind.network]} ({ref.name})"


def first_here(networks: Collection[str]) -> str | None:
    """The name of the first model on this machine that is one of these networks, and needs no further permission."""
    return _first(networks_here("selector"), networks)


def _first(models: Iterable[ModelEntry], networks: Collection[str]) -> str | None:
    """The name of the first model of these networks in a form that can run."""
    for one in models:
        if one.kind is not None and one.kind.network in networks and one.kind.form == FORMS[one.kind.network]:
            return one.name
    return None


def network_for(networks: Collection[str], name: str, *, purpose: str, suggested: str) -> ModelRef:
    """The model of this name; where none is named, the first one on this machine.

    Args:
        networks: What it may be, by the names of `Kind.network`.
        name: Its name; "" for none.
        purpose: What it is for, as the subject of a sentence: "the selector 'clipseg'".
        suggested: What is suggested where there is none.

    Raises:
        ModelError: There is none; it is another network, or a pickle that is not allowed; or its licence must be
            accepted first.
    """
    wanted = name or first_here(networks) or _waiting(networks)
    if wanted is None:
        raise ModelError(
            f"{purpose} needs a network, and none is here",
            code="model-not-downloaded",
            field="select",
            value=suggested,
            hint=f"{suggested} can be downloaded",
        )
    ref = named_network(wanted)
    if ref.kind.network in networks and ref.kind.form != FORMS[ref.kind.network]:
        form = {"folder": "a folder in transformers' layout", "onnx": "an ONNX file"}[FORMS[ref.kind.network]]
        message = f"{purpose} takes {NETWORK_TITLES[ref.kind.network]} as {form}, and {ref.name} is none"
        raise ModelError(message, code="model-other-task", field="select_option", value=ref.name)
    if ref.kind.network not in networks:
        titles = " or ".join(dict.fromkeys(NETWORK_TITLES[one] for one in networks))
        raise ModelError(
            f"{purpose} needs {titles}, and {ref.name} is {ref.kind.described}",
            code="model-other-task",
            field="select_option",
            value=ref.name,
        )
    return ref


def _waiting(networks: Collection[str]) -> str | None:
    """The name of a model of these networks that is here, and needs a permission, which its error then names."""
    return _first(entries(), networks)


def is_usable(networks: Collection[str], package: str) -> bool:
    """Whether a model of these networks is here, needs no further permission, and can run."""
    from importlib.util import find_spec

    try:
        return find_spec(package) is not None and first_here(networks) is not None
    except OverpaintError:
        return False


def used_network(ref: ModelRef, role: Literal["selector", "face-detector"] = "selector") -> UsedModel:
    """A selector's network, for records."""
    return UsedModel(
        role=role,
        name=ref.name,
        sha256=network_digest(ref.path),
        licence=ref.licence or "unknown",
        accepted=ref.accepted or None,
    )
