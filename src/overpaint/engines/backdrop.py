"""Backgrounds without a model: a colour, a gradient, a blur, transparency, or a picture of one's own."""

from __future__ import annotations

import math
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from overpaint.errors import RequestError
from overpaint.geometry import Box
from overpaint.mask.distance import distance_to
from overpaint.mask.matte import Matte, cut_out
from overpaint.recolouring.words import screen_colour

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine
from .bokeh import bokeh
from .ground_shadow import ground_shadow
from .tone import toned

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_KINDS = ("colour", "gradient", "blur", "transparent")
_MATCH = 0.5
WIDEST_BAND = 128
"""Pixels of the subject farther from the mask than this are not looked at for the width of the band."""


class BackdropOptions(EngineOptions):
    """Options of backgrounds without a model. One of colour, gradient, blur and transparent, or a picture to put in."""

    colour: str | None = Field(
        default=None, description="one colour, written as for recolor: white, dark green, #f4f4f4"
    )
    gradient: str | None = Field(default=None, description="two or more colours from top to bottom: #fff:#ccc")
    angle: float = Field(default=0.0, ge=-360, le=360, description="turns the gradient clockwise, in degrees")
    blur: float | None = Field(
        default=None, gt=0, le=1024, description="the old background out of focus: the radius of the disc in pixels"
    )
    transparent: bool = Field(default=False, description="no background: the result has alpha")
    match: float = Field(
        default=_MATCH, ge=0, le=1, description="how far a picture's exposure and colour cast follow the old picture's"
    )
    shadow: float = Field(
        default=0.0, ge=0, le=1, description="darkness of a shadow where the subject touches the ground"
    )

    @field_validator("colour", "gradient")
    @classmethod
    def _colours(cls, text: str | None) -> str | None:
        if text is not None:
            colours_of(text)
        return text

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.kinds) > 1:
            raise ValueError(f"there is one background, and {len(self.kinds)} are given: {', '.join(self.kinds)}")
        if self.gradient is not None and len(colours_of(self.gradient)) < 2:
            raise ValueError(f"a gradient has two colours or more, such as #fff:#ccc, not {self.gradient!r}")
        if self.colour is not None and len(colours_of(self.colour)) > 1:
            raise ValueError(f"a colour is one, not {self.colour!r}; several are a gradient")
        if self.transparent and self.shadow:
            raise ValueError("a shadow needs a background that it falls on")
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The backgrounds that are asked for."""
        return tuple(name for name in _KINDS if getattr(self, name) not in (None, False))


def colours_of(text: str) -> Floats:
    """(n, 3) float32 in [0, 1], sRGB: the colours of a text, between colons. Raises ValueError."""
    return np.stack([screen_colour(part) for part in text.split(":")])


class Backdrop(ThreadedEngine):
    """Puts a background behind the subject: its edge a matte, its colour there without the old background's.

    The mask's border moves to that of the picture, and in a band around it the opacity and the own colour of the
    subject are estimated (see `overpaint.mask.matte`); beyond it the subject is kept to the bit.
    """

    reentrant = True
    card = EngineCard(
        name="backdrop",
        title="Backgrounds: a colour, a gradient, a blur, transparency or a picture, without weights",
        paints_from="settings",
        accepts=frozenset({"insert"}),
        edge="matte",
        colour_space="srgb",
        options=BackdropOptions,
        digest="backdrop-4",
        references=(
            "Geman and Geman, Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images, 1984",
            "Chuang, Curless, Salesin, Szeliski, A Bayesian approach to digital matting, CVPR 2001",
            "Knutsson and Westin, Normalized and differential convolution, CVPR 1993",
            "Reinhard, Ashikhmin, Gooch, Shirley, Color transfer between images, IEEE CG&A 21(5), 2001",
        ),
    )

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Matte, background, and the one over the other."""
        options = canvas.options if isinstance(canvas.options, BackdropOptions) else BackdropOptions()
        kinds = (*options.kinds, *(() if canvas.insert is None else ("a picture",)))
        if len(kinds) != 1:
            raise _not_one(kinds)
        if canvas.insert is not None and not canvas.insert[..., 3].any():
            raise RequestError("the picture to put in is transparent throughout", code="insert-missing", field="insert")
        notes = _without_effect(canvas, options)
        monitor.progress(0, 3)
        subject = subject_of(canvas)
        monitor.progress(1, 3)
        if options.transparent:
            shown = np.where((subject.opacity > 0)[..., None], subject.colour, np.float32(0))
            opacity = subject.opacity if canvas.opacity is None else np.minimum(subject.opacity, canvas.opacity)
            monitor.progress(3, 3)
            return Painted(np.where(canvas.hole[..., None], shown, canvas.pixels), opacity=opacity, notes=notes)
        ground = _ground(canvas, subject, options)
        if options.shadow:
            taken = ground_shadow(subject.opacity)
            ground *= (1 - np.float32(options.shadow) * taken)[..., None]
            if not taken.any():
                notes += ("the subject reaches the lower border, where no ground is seen: it got no shadow",)
        monitor.progress(2, 3)
        return Painted(_over(subject, ground, canvas), notes=notes)


def _without_effect(canvas: Canvas, options: BackdropOptions) -> tuple[str, ...]:
    """Notes on options that are for another background, and on transparency that does not show."""
    notes = []
    if options.angle and options.gradient is None:
        notes.append("the option angle turns a gradient, and had no effect")
    if "match" in options.model_fields_set and options.match != _MATCH and canvas.insert is None:
        notes.append("the option match is for a picture to put in, and had no effect")
    if canvas.insert is not None and (canvas.insert[..., 3] < 1).any():
        notes.append("the picture to put in is transparent in parts, where white was put behind it")
    return tuple(notes)


def subject_of(canvas: Canvas) -> Matte:
    """Opacity and own colour of what the mask leaves; a cut-out keeps the opacity that it has."""
    marked = canvas.mask if canvas.marked is None else canvas.marked
    kept = np.float32(1) - marked
    if canvas.opacity is not None and (canvas.opacity[canvas.hole] < 1).any():
        return Matte(np.minimum(kept, canvas.opacity), canvas.pixels)
    return cut_out(canvas.pixels, kept, _band(canvas.hole, marked), within=canvas.hole)


def _band(hole: Flags, marked: Floats) -> float:
    """How far the hole reaches into the subject beyond the mask, in pixels; 0 for a mask that keeps its own edge."""
    beyond = hole & (marked == 0)
    if not beyond.any():
        return 0.0
    near = Box.around(beyond).pad(WIDEST_BAND).intersect(Box(0, 0, hole.shape[1], hole.shape[0])).slices
    depth = distance_to(marked[near] > 0, limit=WIDEST_BAND)[beyond[near]]
    return float(depth[np.isfinite(depth)].max(initial=0))


def _ground(canvas: Canvas, subject: Matte, options: BackdropOptions) -> Floats:
    """(H, W, 3) the new background, also behind the subject."""
    height, width = canvas.size.shape
    if options.colour is not None:
        return np.broadcast_to(colours_of(options.colour)[0], (height, width, 3)).copy()
    if options.gradient is not None:
        return _gradient(colours_of(options.gradient), options.angle, width, height)
    seen = np.ones((height, width), bool) if canvas.usable is None else canvas.usable
    if options.blur is not None:
        known = (subject.opacity == 0) & seen
        if not known.any():
            raise RequestError(
                "no background is seen that could be blurred", code="backdrop-missing", field="options", value="blur"
            )
        return bokeh(canvas.pixels, known, options.blur)
    assert canvas.insert is not None
    cover = covering(canvas.insert, width, height)
    picture = cover[..., :3] * cover[..., 3:] + (1 - cover[..., 3:])  # over white
    return toned(picture, np.ones((height, width), np.float32), canvas.pixels, seen.astype(np.float32), options.match)


def _gradient(colours: Floats, angle: float, width: int, height: int) -> Floats:
    """Colours along a line through the middle, from edge to edge, with noise of half a level against bands."""
    turn = math.radians(angle)
    across, down = -math.sin(turn), math.cos(turn)
    rows = (np.arange(height, dtype=np.float32) + 0.5 - height / 2)[:, None] * np.float32(down)
    columns = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) * np.float32(across)
    length = abs(across) * max(1, width - 1) + abs(down) * max(1, height - 1)
    place = np.clip((rows + columns) / np.float32(length) + np.float32(0.5), 0, 1)
    stops = np.linspace(0, 1, len(colours))
    plane = np.stack([np.interp(place, stops, colours[:, c]) for c in range(3)], axis=-1).astype(np.float32)
    noise = np.random.default_rng(0).random((height, width, 1), np.float32) - np.float32(0.5)
    return np.clip(plane + noise / np.float32(255), 0, 1)


def covering(picture: Floats, width: int, height: int) -> Floats:
    """(H, W, C): the picture scaled until it covers the size, and its middle cut out."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    # What will be cut off is left out first, but for a few pixels: a long strip is enlarged to far more than the size.
    high, wide = picture.shape[:2]
    above, beside = (max(0, int((all_of - seen / scale) / 2) - 3) for all_of, seen in ((high, height), (wide, width)))
    picture = picture[above : high - above, beside : wide - beside]
    size = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = np.clip(cv2.resize(picture, size, interpolation=method), 0, 1)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.asarray(scaled[top : top + height, left : left + width], np.float32)


def _over(subject: Matte, ground: Floats, canvas: Canvas) -> Floats:
    """The subject over the background; the canvas's own pixels beyond the hole and where the subject is opaque."""
    share = subject.opacity
    mixed = (share > 0) & (share < 1)
    part = share[mixed][:, None]
    ground[mixed] = part * subject.colour[mixed] + (1 - part) * ground[mixed]
    kept = (share == 1) | ~canvas.hole
    np.copyto(ground, canvas.pixels, where=kept[..., None])
    return ground


def _not_one(kinds: tuple[str, ...]) -> RequestError:
    if kinds:
        return RequestError(
            f"there is one background, and {len(kinds)} are given: {', '.join(kinds)}",
            code="backdrop-mixed",
            field="insert",
        )
    return RequestError(
        "no background is given",
        code="backdrop-missing",
        field="options",
        hint="give a colour, a gradient, a blur, transparent, or set insert, a picture",
    )
