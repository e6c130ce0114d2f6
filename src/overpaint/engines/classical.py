"""The classical fills: smooth continuation of the surroundings, without texture. Fast, and a baseline.

Each fills the hole's parts one by one, in a window just large enough, so that the cost does not depend on the picture's
size. Colours are taken only from known pixels: outside the hole, and of the real picture. Numbers are float32, so that
a 16-bit picture keeps its depth. Where no pixel is known, the hole gets the mean of its old colours.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.exemplar.holes import Part, parts
from overpaint.exemplar.smooth import blurred, membrane
from overpaint.frame import Context
from overpaint.geometry import Box

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_SCALE = np.float32(1 << 20)
"""OpenCV's fills add terms of up to one sample unit: on this scale those lie far below a step of 16 bits."""

_UNKNOWNS = 40_000
"""The most pixels of a hole for which the biharmonic equation is solved at full scale."""


class RadiusOptions(EngineOptions):
    """Options of the engines that march inwards from the hole's edge."""

    radius: float = Field(default=5.0, gt=0, le=64, description="radius in pixels of the neighbourhood of each pixel")


def mean_filled(canvas: Canvas) -> Painted:
    """The canvas with the mean of the hole's old colours in it, where no pixel is known."""
    painted: Floats = canvas.pixels.copy()
    if canvas.hole.any():
        painted[canvas.hole] = canvas.pixels[canvas.hole].mean(axis=0)
    return Painted(painted)


class ClassicalEngine(ThreadedEngine):
    """Base of the classical engines: fills the parts of a hole one by one."""

    reentrant = True

    def margin(self, box: Box, canvas: Canvas) -> int:
        """Pixels of surroundings that a part with this box needs."""
        raise NotImplementedError

    def fill(self, pixels: Floats, known: Flags, part: Part, canvas: Canvas) -> Floats:
        """The window's pixels (h, w, 3) with every unknown one filled, at least where `part.hole` is.

        Args:
            pixels: (h, w, 3) float32, the window of the canvas; zero where it is not known.
            known: (h, w) bool, with at least one known pixel.
            part: The part to fill.
            canvas: The canvas, for its options.
        """
        raise NotImplementedError

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Fill part by part; each is one step."""
        hole, known = canvas.hole, canvas.known
        if not known.any():
            return mean_filled(canvas)
        painted: Floats = canvas.pixels.copy()
        work = list(parts(hole, known, lambda box: self.margin(box, canvas)))
        for step, part in enumerate(work):
            monitor.progress(step, len(work))
            here = part.window.slices
            pixels = np.where(known[here][..., None], canvas.pixels[here], np.float32(0))
            painted[here][part.hole] = self.fill(pixels, known[here], part, canvas)[part.hole].clip(0, 1)
        monitor.progress(len(work), len(work))
        return Painted(painted)


class _OpenCV(ClassicalEngine):
    """The two fills of OpenCV, which fill one float channel at a time."""

    method: int

    def margin(self, box: Box, canvas: Canvas) -> int:
        """The reach of the first marching step, and one pixel for derivatives."""
        return math.ceil(_radius(canvas)) + 2

    def fill(self, pixels: Floats, known: Flags, part: Part, canvas: Canvas) -> Floats:
        """March inwards from the known pixels."""
        height, width = known.shape
        # OpenCV reads beyond strips that are one pixel wide.
        wider = [(0, 2 * (height == 1)), (0, 2 * (width == 1))]
        unknown = np.pad((~known).astype(np.uint8), wider, mode="edge")
        channels = [
            cv2.inpaint(np.pad(pixels[..., c], wider, mode="edge") * _SCALE, unknown, _radius(canvas), self.method)
            for c in range(3)
        ]
        filled = (np.stack(channels, axis=-1)[:height, :width] / _SCALE).astype(np.float32)
        # And where nothing known lies within the radius, it may divide by nothing.
        return filled if np.isfinite(filled).all() else np.where(np.isfinite(filled), filled, blurred(pixels, known))


def _radius(canvas: Canvas) -> float:
    options = canvas.options
    return options.radius if isinstance(options, RadiusOptions) else RadiusOptions().radius


class Telea(_OpenCV):
    """Fast marching: each pixel is a weighted mean of the known pixels behind the front. OpenCV's implementation."""

    method = cv2.INPAINT_TELEA
    card = EngineCard(
        name="telea",
        title="Telea's fast marching: smooth and very fast, for scratches and specks",
        accepts=frozenset({"avoid"}),
        context=Context(ratio=0, minimum=16, maximum=96),
        options=RadiusOptions,
        digest="telea-1",
        references=("Telea, An image inpainting technique based on the fast marching method, JGT 9(1), 2004",),
    )


class NavierStokes(_OpenCV):
    """Lines of equal brightness are continued as streamlines of a fluid. OpenCV's implementation."""

    method = cv2.INPAINT_NS
    card = EngineCard(
        name="navier-stokes",
        title="Navier-Stokes fill: continues edges smoothly, for scratches and specks",
        accepts=frozenset({"avoid"}),
        context=Context(ratio=0, minimum=16, maximum=96),
        options=RadiusOptions,
        digest="navier-stokes-1",
        references=(
            "Bertalmio, Bertozzi, Sapiro, Navier-Stokes, fluid dynamics, and image and video inpainting, CVPR 2001",
        ),
    )


class Biharmonic(ClassicalEngine):
    """The smoothest surface with the surroundings' values and slopes. scikit-image's implementation.

    The equation is a sparse system with one unknown for each pixel of the hole, and the time to solve it grows faster
    than the hole. Above 40,000 unknowns a part is therefore solved on a smaller picture, enlarged, and fitted to the
    known pixels around it by a smooth correction; the surface has no detail that could be lost.
    """

    card = EngineCard(
        name="biharmonic",
        title="Biharmonic fill: the smoothest surface, for soft gradients",
        accepts=frozenset({"avoid"}),
        context=Context(ratio=0, minimum=16, maximum=96),
        digest="biharmonic-1",
        references=(
            "Damelin and Hoang, On surface completion and image inpainting by biharmonic functions, IJMMS 2018",
        ),
    )

    def margin(self, box: Box, canvas: Canvas) -> int:
        """The stencil reaches two pixels; a reduced picture needs a few of its own pixels."""
        return 4 * math.ceil(_reduction(box.area))

    def fill(self, pixels: Floats, known: Flags, part: Part, canvas: Canvas) -> Floats:
        """Solve at full scale, or at the largest that is affordable."""
        factor = _reduction(int(np.count_nonzero(~known)))
        return _biharmonic(pixels, known) if factor <= 1 else _biharmonic_reduced(pixels, known, factor)


def _reduction(unknowns: int) -> float:
    """The divisor of a side with which at most _UNKNOWNS are left; at least 1."""
    return max(1.0, math.sqrt(unknowns / _UNKNOWNS))


def _biharmonic(pixels: Floats, known: Flags) -> Floats:
    from skimage.restoration import inpaint_biharmonic

    if min(known.shape) < 3:  # the equation's stencil needs both directions
        return membrane(pixels, known)
    return np.asarray(inpaint_biharmonic(pixels.astype(np.float64), ~known, channel_axis=-1), np.float32)


def _biharmonic_reduced(pixels: Floats, known: Flags, factor: float) -> Floats:
    height, width = known.shape
    small = (max(3, round(width / factor)), max(3, round(height / factor)))
    weight = cv2.resize(known.astype(np.float32), small, interpolation=cv2.INTER_AREA)
    means = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)[..., None]
    solved = _biharmonic(means.astype(np.float32), weight > 0.5) if (weight > 0.5).any() else blurred(means, weight > 0)
    wide = cv2.resize(solved, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide + _correction(pixels - wide, known, factor), np.float32)


def _correction(difference: Floats, known: Flags, factor: float) -> Floats:
    """The low-pass error of the enlarged surface near the hole, continued over the hole by a membrane."""
    sigma = factor / 2
    weight = cv2.GaussianBlur(known.astype(np.float32), (0, 0), sigma)
    means = cv2.GaussianBlur(np.where(known[..., None], difference, np.float32(0)), (0, 0), sigma)
    return membrane(means / np.maximum(weight, 1e-6)[..., None], known)


class Blur(ClassicalEngine):
    """Normalised blur of the surroundings into the hole. A baseline."""

    card = EngineCard(
        name="blur",
        title="Blur: the surroundings' mean colours, wider towards the middle",
        accepts=frozenset({"avoid"}),
        context=Context(ratio=0.25, minimum=16, maximum=256),
        digest="blur-1",
        references=("Knutsson and Westin, Normalized and differential convolution, CVPR 1993",),
    )

    def margin(self, box: Box, canvas: Canvas) -> int:
        """Half the hole's size on either side, so that the middle does not depend on one pixel at the edge."""
        return max(8, min(256, max(box.width, box.height) // 2))

    def fill(self, pixels: Floats, known: Flags, part: Part, canvas: Canvas) -> Floats:
        """Gaussian means over a pyramid."""
        return blurred(pixels, known)
