"""Another colour for an object, without weights: its shading, highlights and texture stay."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, field_validator

from overpaint.errors import RequestError
from overpaint.frame import Context
from overpaint.geometry import Box
from overpaint.recolouring.belonging import REACH as OF_BELONGING
from overpaint.recolouring.belonging import Belonging
from overpaint.recolouring.contrast import Contrast
from overpaint.recolouring.edges import REACH as OF_EDGES
from overpaint.recolouring.edges import mixed_edges
from overpaint.recolouring.oklab import encoded_of, lab_of, lch_of, linear_of
from overpaint.recolouring.own_colour import OwnColour, own_colour
from overpaint.recolouring.repaint import repainted
from overpaint.recolouring.words import WantedColour, checked_colour, colour_of, colours_in, word_of
from overpaint.request import Sampling, UsedModel

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, Pixels, ThreadedEngine

_WINDOW, _BEYOND = 512, OF_BELONGING + OF_EDGES
_SAMPLES = 150_000

_CHANGED, _LITTLE, _TINTED, _LOOSE = 0.3, 0.3, 0.05, 0.9
"""The share of a pixel's light from which on it counts as changed; the share of the mask below which little changed;
that of pixels with a tint from which on a grey object is said to have other things in its mask; and the looseness from
which on a mask is said to go too far."""

_RIM, _OBJECTS = (0.03, 0.14), 0.5
"""From and to which depth in the mask its colours count as those near the outline, as a share of its side; and from
which contrast with the surroundings on, as a loose mask shows those there."""

_NO_SHADING = 0.12
"""Lightness (OKLab) of a new colour below which it is darker than level 6 of 255: no levels are left for shading."""

_HINT = "write one, such as 'a dark green car', 'navy' or #1e66d0, or name a model, which paints from any prompt"


class RecolorOptions(EngineOptions):
    """Options of recolouring without a model."""

    to: str | None = Field(
        default=None,
        description="the new colour: a word (dark green), a name of CSS (steelblue), #1e66d0, rgb(30, 102, 208); left "
        "out, that of the picture to put in, or of the prompt",
    )
    only: str | None = Field(
        default=None,
        description="the colour that changes, of an object of several (its leading one unless given)",
    )
    tone: Literal["match", "keep"] = Field(
        default="match", description="match: as light as the new colour is; keep: as light as it was, in another hue"
    )
    tolerance: float = Field(
        default=1.0,
        ge=0.25,
        le=4,
        description="a factor for how far a pixel's colour may be from the object's own: less leaves more of what is "
        "beside it alone",
    )

    @field_validator("to", "only")
    @classmethod
    def _is_colour(cls, text: str | None) -> str | None:
        if text is not None:
            checked_colour(text)
        return text


class Recolor(ThreadedEngine):
    """Gives an object another colour. `overpaint.recolouring` describes the methods."""

    reentrant = True
    card = EngineCard(
        name="recolor",
        title="Another colour: shading, highlights and texture stay, without weights",
        paints_from="settings",
        accepts=frozenset({"prompt", "insert"}),
        edge="matte",
        context=Context(ratio=0.25, minimum=32, maximum=256),
        colour_space="srgb",
        options=RecolorOptions,
        digest="recolor-6",
        references=(
            "Ottosson, A perceptual color space for image processing, 2020",
            "Shafer, Using color to separate reflection components, Color Research and Application 10(4), 1985",
            "Ruzon and Tomasi, Alpha estimation in natural images, CVPR 2000",
            "Swain and Ballard, Color indexing, IJCV 7(1), 1991",
        ),
    )

    def models(self, sampling: Sampling | None, options: BaseModel) -> tuple[UsedModel, ...]:
        """No files.

        Raises:
            RequestError: The prompt, on which the colour depends, names none.
        """
        prompt = "" if sampling is None else sampling.prompt
        if prompt.strip() and _options(options).to is None:
            _named(prompt)
        return ()

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Find the object's colour, then the pixels that have it, and repaint them.

        Raises:
            RequestError: No colour is given, or the mask has nothing of the one that is to change.
        """
        options = _options(canvas.options)
        monitor.progress(0, 1)
        wanted, notes = _wanted(canvas, options)
        hole, marked = canvas.hole, canvas.mask if canvas.marked is None else canvas.marked
        inside, outside = (_sampled(canvas.pixels, where) for where in (_middle(marked, canvas), canvas.known))
        only = None if options.only is None else colour_of(options.only)
        rim = _sampled(canvas.pixels, _rim(marked, hole))
        own = own_colour(inside, outside, only, rim[Contrast(inside, outside).of(rim) > _OBJECTS])
        if own is None:
            raise RequestError(
                f"the mask has nothing of the colour {options.only!r} that is to change",
                code="colour-absent",
                field="options",
                value=options.only,
            )
        belonging = Belonging(own, canvas.pixels, marked, hole, inside, outside, options.tolerance)
        new = wanted.linear(own.lightness, keep=options.tone == "keep")
        painted = canvas.pixels.copy()
        core = (marked >= np.float32(0.5)) & hole
        changed = 0
        work = list(_windows(hole))
        for step, inner in enumerate(work):
            monitor.progress(step, len(work))
            outer = inner.pad(_BEYOND).intersect(canvas.size.box)
            there = inner.shift(-outer.left, -outer.top).slices
            found, share = _recoloured(canvas.pixels[outer.slices], hole[outer.slices], belonging, own, new, outer)
            painted[inner.slices] = found[there]
            changed += int(np.count_nonzero(core[inner.slices] & (share[there] > _CHANGED)))
        monitor.progress(len(work), len(work))
        part = changed / max(int(np.count_nonzero(core)), 1)
        doubts = (*_doubts(own, inside, new), *_doubts_of_mask(own, inside, part, belonging.loose, options))
        return Painted(painted, notes=(*notes, *doubts))


def _doubts(own: OwnColour, inside: Pixels, new: Pixels) -> tuple[str, ...]:
    """Notes on an object that has no shading which its new colour could show, and on a colour that shows none."""
    lightness = float(lab_of(new)[0])
    if lightness < _NO_SHADING:
        return ("in a colour so near to black no shading shows; black or #1c1c1c leave some",)
    if own.lightness <= 0.25 and lightness > 0.6:
        return ("the object is nearly black: in a light colour it shows mirrored light and noise in place of shading",)
    if not own.coloured and float(np.mean(inside[:, 0] > 0.985)) > 0.3 and lightness < 0.8:
        return ("much of the object is blown out to white: no shading is left there that another colour could show",)
    return ()


def _doubts_of_mask(
    own: OwnColour, inside: Pixels, part: float, loose: float, options: RecolorOptions
) -> tuple[str, ...]:
    """Notes on a mask that shows other things than the object.

    Args:
        inside: (N, 3) OKLab, samples of the mask.
        part: The share of the mask that changed.
        loose: 0 to 1, whether its border has the same colours on both sides.
    """
    notes = []
    belongs = own.membership(inside[None], options.tolerance)[0] > 0.5
    if part < _LITTLE and options.only is None:
        grey = np.hypot(inside[:, 1], inside[:, 2]) < 0.07 * np.maximum(inside[:, 0], 0.05)
        rest = own_colour(inside[~belongs | (grey & own.coloured)], np.zeros((0, 3), np.float32))
        other = "" if rest is None else f", most of it {word_of(lab_of(rest.linear))},"
        own_word = word_of(lab_of(own.linear))
        notes.append(
            f"{part:.0%} of the mask changed, as the object's colour was taken to be {own_word}; the rest{other} "
            "stayed: the option only names the colour that is to change"
        )
    if loose > _LOOSE:
        notes.append(
            "along most of the mask's border the colours are alike on both sides: if the mask goes beyond the object, "
            "what is beside it changed too; mark the object closely"
        )
    tinted = np.hypot(inside[:, 1], inside[:, 2]) > 0.09 * np.maximum(inside[:, 0], 0.3)
    if not own.coloured and own.lightness > 0.3 and np.mean(tinted & belongs) > _TINTED:
        notes.append(
            f"parts with a little colour, such as skin, changed with the {word_of(lab_of(own.linear))}: take them out "
            "of the mask, or set a lower tolerance"
        )
    return tuple(notes)


def _recoloured(
    pixels: Pixels, hole: NDArray[np.bool_], belonging: Belonging, own: OwnColour, new: Pixels, window: Box
) -> tuple[Pixels, Pixels]:
    """A window of the canvas with the object in its new colour, and the share of each pixel that had the old one.

    Pixels that do not change are equal to the bit.
    """
    linear = linear_of(pixels)
    belongs = belonging.of(linear, window)
    found = repainted(linear, belongs, own, new)
    result = mixed_edges(linear, found.linear, found.share, hole)
    changed = hole & (np.abs(result - linear) @ np.ones(3, np.float32) > 2e-6)
    painted = pixels.copy()
    painted[changed] = np.clip(encoded_of(result[changed]), 0, 1)
    return painted, found.share


def _windows(hole: NDArray[np.bool_]) -> Iterator[Box]:
    """Squares that together cover the hole: temporary arrays of a large picture would not fit the processor's cache."""
    height, width = hole.shape
    for top in range(0, height, _WINDOW):
        for left in range(0, width, _WINDOW):
            box = Box(left, top, min(left + _WINDOW, width), min(top + _WINDOW, height))
            if hole[box.slices].any():
                yield box


def _sampled(pixels: Pixels, where: NDArray[np.bool_]) -> Pixels:
    """(N, 3) OKLab of the pixels where the flag is set, evenly chosen, fewer than twice `_SAMPLES`."""
    places = np.flatnonzero(where)
    return lab_of(linear_of(pixels.reshape(-1, 3)[places[:: max(1, len(places) // _SAMPLES)]]))


def _options(options: BaseModel) -> RecolorOptions:
    return options if isinstance(options, RecolorOptions) else RecolorOptions()


def _wanted(canvas: Canvas, options: RecolorOptions) -> tuple[WantedColour, tuple[str, ...]]:
    """The new colour, and notes on what says another one."""
    prompt = "" if canvas.sampling is None else canvas.sampling.prompt
    if options.to is not None:
        given = colour_of(options.to)
        assert given is not None  # the options are checked
        others = ["the picture to put in"] * (canvas.insert is not None) + ["the prompt"] * bool(prompt.strip())
        unused = (f"the new colour is {options.to}, so that {' and '.join(others)} had no effect",) if others else ()
        return given, unused
    if canvas.insert is not None:
        unused = ("the new colour is the picture's to put in, so that the prompt had no effect",)
        return _of_picture(canvas.insert), unused if prompt.strip() else ()
    return _named(prompt)


def _named(prompt: str) -> tuple[WantedColour, tuple[str, ...]]:
    """The colour of a prompt."""
    found = colours_in(prompt)
    if not found:
        said = f"the prompt {prompt!r} names no new colour" if prompt.strip() else "there is no new colour"
        raise RequestError(said, code="colour-missing", field="prompt", value=prompt, hint=_HINT)
    others = dict.fromkeys(one.text for one in found[1:] if one.text != found[0].text)
    named = (f"of the prompt's colours the object gets {found[0].text}, and not {', '.join(others)}",) if others else ()
    return found[0], named


def _of_picture(insert: Pixels) -> WantedColour:
    """The leading colour of a picture, or of an object that was cut out."""
    shown = insert[..., 3] > 0.5
    if not shown.any():
        raise RequestError(
            "the picture that has the new colour shows none: it is transparent throughout, or its mask is empty",
            code="insert-missing",
            field="insert",
            hint="set insert, a picture that is opaque where it has the colour",
        )
    seen = _sampled(insert[..., :3], shown)
    found = own_colour(seen, np.zeros((0, 3), np.float32))
    assert found is not None  # it has pixels
    lightness, chroma, hue = lch_of(lab_of(found.linear)).tolist()
    return WantedColour(lightness, lightness, chroma, hue, "")


def _rim(marked: Pixels, hole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(H, W) bool: the mask near its outline, and so far within that a loose one shows the object there."""
    core = np.pad((marked >= np.float32(0.5)) & hole, 1)
    depth = cv2.distanceTransform(core.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[1:-1, 1:-1]
    side = math.sqrt(np.count_nonzero(core))
    return np.asarray((depth > _RIM[0] * side) & (depth < _RIM[1] * side))


def _middle(marked: Pixels, canvas: Canvas) -> NDArray[np.bool_]:
    """(H, W) bool: the mask without its border, where colours are mixed; all of it where nothing else is left."""
    core = (marked >= np.float32(0.5)) & canvas.hole
    inner = cv2.erode(core.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return next((one for one in (inner, core) if one.any()), canvas.hole)
