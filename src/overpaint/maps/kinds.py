"""The kinds of maps that are made here, each with its options and the function that makes it: one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from overpaint.errors import RequestError, did_you_mean
from overpaint.geometry import Size
from overpaint.models import ModelRef
from overpaint.request import MAP_KINDS, ControlSettings, UsedModel
from overpaint.validation import reason_of

from . import lines
from .contours import Flags, Floats, blurred
from .depth import DEPTH_NETWORKS, SUGGESTED_DEPTH, depth_map, spread
from .hidden import continued, without_lines
from .networks import map_network, used_map_network
from .pose import POSE_NETWORKS, SUGGESTED_POSE, pose_of, skeleton_map


class MapOptions(BaseModel):
    """Base of the options of a kind of map; itself those of a kind that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class CannyOptions(MapOptions):
    """How strong edges must be."""

    low: float = Field(
        default=100, ge=1, le=255, description="edges of at least this gradient count beside stronger ones"
    )
    high: float = Field(default=200, ge=1, le=255, description="edges of at least this gradient always count")


class DrawnOptions(MapOptions):
    """How much is drawn."""

    detail: float = Field(
        default=0.5, ge=0, le=1, description="0 draws the strongest outlines alone, 1 also faint ones"
    )


class ScribbleOptions(DrawnOptions):
    """How much is drawn, and how thick."""

    thickness: float = Field(default=3, ge=1, le=32, description="of strokes, in pixels of a picture of 512x512")


class TileOptions(MapOptions):
    """What of the picture is shown."""

    down: float = Field(default=1, ge=1, le=8, description="how many times coarser the picture is shown")
    blur: float = Field(default=0, ge=0, le=64, description="sigma of a blur, in pixels of the working size")


class NetworkOptions(MapOptions):
    """Which network makes the map."""

    network: str = Field(
        default="", max_length=1024, description="the network that makes the map; left out, the first here"
    )


class PoseOptions(NetworkOptions):
    """Which network finds the pose, and how sure it must be."""

    least: float = Field(default=0.3, gt=0, lt=1, description="joints that the network is less sure of are left out")


@dataclass(frozen=True, slots=True)
class MapKind:
    """One kind of map.

    Attributes:
        name: In requests.
        title: One line for people.
        options: How it may be made.
        make: From the picture (H, W, 3), the options, the network where there is one, and the hole, whose content is
            not shown (None: all is), to the map, (H, W) or (H, W, 3).
        networks: The networks that make it, by the names of `Kind.network`; none where none is needed.
        suggested: A published one, for the error where none is here.
    """

    name: str
    title: str
    options: type[MapOptions]
    make: Callable[[Floats, Any, ModelRef | None, Flags | None], Floats]
    networks: tuple[str, ...] = ()
    suggested: str = ""


def _canny(pixels: Floats, options: CannyOptions, _: ModelRef | None, hole: Flags | None) -> Floats:
    return without_lines(lines.canny_map(pixels, options.low, options.high), hole)


def _lineart(pixels: Floats, options: DrawnOptions, _: ModelRef | None, hole: Flags | None) -> Floats:
    return without_lines(lines.lineart_map(pixels, options.detail), hole)


def _softedge(pixels: Floats, options: DrawnOptions, _: ModelRef | None, hole: Flags | None) -> Floats:
    return without_lines(lines.softedge_map(pixels, options.detail), hole)


def _scribble(pixels: Floats, options: ScribbleOptions, _: ModelRef | None, hole: Flags | None) -> Floats:
    return without_lines(lines.scribble_map(pixels, options.thickness, options.detail), hole)


def _tile(pixels: Floats, options: TileOptions, _: ModelRef | None, hole: Flags | None) -> Floats:
    import cv2

    shown = continued(pixels, hole)
    if options.down > 1:
        height, width = shown.shape[:2]
        small = (max(1, round(width / options.down)), max(1, round(height / options.down)))
        coarse = cv2.resize(shown, small, interpolation=cv2.INTER_AREA)
        shown = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    return np.clip(blurred(shown, options.blur), 0, 1)


def _inpaint(pixels: Floats, _: MapOptions, __: ModelRef | None, ___: Flags | None) -> Floats:
    return pixels  # the engine marks the hole, whatever is in it


def _depth(pixels: Floats, _: NetworkOptions, ref: ModelRef | None, hole: Flags | None) -> Floats:
    assert ref is not None
    return spread(continued(depth_map(pixels, ref), hole))


def _openpose(pixels: Floats, options: PoseOptions, ref: ModelRef | None, hole: Flags | None) -> Floats:
    assert ref is not None
    pose = pose_of(pixels, ref, options.least).outside(hole)
    return skeleton_map((pose,), Size(pixels.shape[1], pixels.shape[0]))


# fmt: off
_TABLE = (
    MapKind("canny", "edges, one pixel wide", CannyOptions, _canny),
    MapKind("lineart", "clean lines, as drawn", DrawnOptions, _lineart),
    MapKind("scribble", "thick, simplified outlines", ScribbleOptions, _scribble),
    MapKind("softedge", "soft, broad edges of objects", DrawnOptions, _softedge),
    MapKind("depth", "how near each place is", NetworkOptions, _depth, DEPTH_NETWORKS, SUGGESTED_DEPTH),
    MapKind("openpose", "the skeleton of a person", PoseOptions, _openpose, POSE_NETWORKS, SUGGESTED_POSE),
    MapKind("tile", "the picture itself, or a coarser one", TileOptions, _tile),
    MapKind("inpaint", "the picture itself, with its hole", MapOptions, _inpaint),
)
# fmt: on

KINDS: Mapping[str, MapKind] = MappingProxyType({one.name: one for one in _TABLE})
assert set(KINDS) == set(MAP_KINDS)


def map_kind(name: str) -> MapKind:
    """The kind of map of this name. RequestError for one that is not made here."""
    if name not in KINDS:
        raise RequestError(
            f"no map of the kind {name!r} is made here{did_you_mean(name, KINDS)}; there are {', '.join(KINDS)}",
            code="control-kind-unknown",
            field="controls",
            value=name,
        )
    return KINDS[name]


def map_options(kind: MapKind, given: Mapping[str, JsonValue]) -> MapOptions:
    """The options of a map, checked. RequestError names the first that does not suit."""
    try:
        return kind.options.model_validate(dict(given))
    except ValidationError as error:
        first, known = error.errors()[0], kind.options.model_fields
        name, value = ".".join(map(str, first["loc"])), first["input"]
        problem = (
            f"the option {name}={value!r} does not suit the control {kind.name!r}: {reason_of(first, kind.options)}"
        )
        if first["type"] == "extra_forbidden":
            near = did_you_mean(name, {*known, *ControlSettings.model_fields})
            problem, value = f"the control {kind.name!r} has no option {name!r}{near}", name
        message = f"{problem}; options of its map: {', '.join(known) or 'none'}"
        raise RequestError(message, code="control-option", field="controls", value=value) from None


def network_of_map(kind: MapKind, options: MapOptions) -> ModelRef | None:
    """The network that makes a map; None for a kind without one. Raises ModelError as `map_network`."""
    if not kind.networks:
        return None
    assert isinstance(options, NetworkOptions)
    return map_network(kind.name, kind.networks, options.network, kind.suggested)


def used_by_map(kind: MapKind, options: MapOptions) -> UsedModel | None:
    """The network that makes a map, for records; None for a kind without one. Raises ModelError as `map_network`."""
    ref = network_of_map(kind, options)
    return None if ref is None else used_map_network(ref)


def make_map(name: str, pixels: Floats, options: Mapping[str, JsonValue], hole: Flags | None = None) -> Floats:
    """A map of a picture.

    Args:
        name: Its kind.
        pixels: (H, W, 3) float32 in [0, 1], sRGB.
        options: Of the kind.
        hole: (H, W) bool: places whose content is not shown; None: all is shown.

    Returns:
        (H, W, 3) float32 in [0, 1].

    Raises:
        RequestError: There is no such kind, or an option does not suit it.
        ModelError, MissingExtraError, EngineError: Its network is not here, or can't be used.
    """
    kind = map_kind(name)
    chosen = map_options(kind, options)
    made = kind.make(np.ascontiguousarray(pixels, np.float32), chosen, network_of_map(kind, chosen), hole)
    return np.ascontiguousarray(np.repeat(made[..., None], 3, axis=2) if made.ndim == 2 else made, np.float32)
