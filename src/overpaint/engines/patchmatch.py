"""PatchMatch by the package pypatchmatch (extra `patchmatch`). Patented, and never a default."""

from __future__ import annotations

import threading
from types import ModuleType

import numpy as np
from pydantic import Field

from overpaint.errors import MissingExtraError
from overpaint.frame import Context

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine
from .classical import mean_filled

_BUILD = (
    "there are wheels for Linux with glibc, macOS and Windows; elsewhere pip builds it, which needs a C++17 compiler, "
    "CMake 3.21 or later and the development files of OpenCV (libopencv-dev, or opencv in Homebrew)"
)

_SEEDED = threading.Lock()
"""The package has one seed for all threads: it is set and used under this lock."""


class PatchMatchOptions(EngineOptions):
    """Options of the PatchMatch fill."""

    radius: int = Field(
        default=3,
        ge=1,
        le=15,
        description="radius of the patches in pixels: 3 is 7 pixels a side; larger is much slower",
    )


class PatchMatch(ThreadedEngine):
    """Fills by the nearest patches of the surroundings, which a random search with propagation finds.

    The package's code paints in 8 bits. A canvas is one step, which can't be interrupted.
    """

    card = EngineCard(
        name="patchmatch",
        title="PatchMatch by pypatchmatch; its search is patented (Adobe), so see the references before you use it",
        accepts=frozenset({"avoid", "seed"}),
        context=Context(ratio=1.0, minimum=64, maximum=512),
        options=PatchMatchOptions,
        licence="MIT",
        digest="patchmatch-1",
        references=(
            "Barnes, Shechtman, Finkelstein, Goldman, PatchMatch, SIGGRAPH 2009",
            "Patents: Adobe's on this search (US 8,571,328, US 8,625,927 and others), listed as in force until about "
            "2030 to 2032; find out whether you may use it where they hold",
        ),
    )

    def __init__(self) -> None:
        """Raises MissingExtraError where pypatchmatch is not installed, or without its compiled library."""
        super().__init__()
        self._package = _package()

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Fill the whole hole at once."""
        options = canvas.options if isinstance(canvas.options, PatchMatchOptions) else PatchMatchOptions()
        if not canvas.known.any():
            return mean_filled(canvas)
        monitor.progress(0, 1)
        levels = canvas.pixels * np.float32(255)
        given = np.rint(levels).clip(0, 255).astype(np.uint8)
        unused = ~(canvas.known | canvas.hole)
        with _SEEDED:
            self._package.set_random_seed(canvas.seed % 2**32)
            filled = self._package.inpaint(
                given, canvas.hole, global_mask=unused if unused.any() else None, patch_size=options.radius
            )
        painted = canvas.pixels.copy()
        painted[canvas.hole] = filled[canvas.hole].astype(np.float32) / np.float32(255)
        monitor.progress(1, 1)
        deeper = bool((np.abs(levels - given) > 0.02).any())
        return Painted(painted, notes=("patchmatch paints in 8 bits a channel",) if deeper else ())


def _package() -> ModuleType:
    """The package, with its compiled library."""
    try:
        import patchmatch
    except ImportError as error:
        raise _missing("the engine patchmatch needs pypatchmatch: pip install 'overpaint[patchmatch]'") from error
    if not patchmatch.patchmatch_available:
        raise _missing(
            "pypatchmatch is installed without its compiled library, which could not be built; uninstall it, and "
            "install it again without pip's cache when its tools are there"
        )
    found: ModuleType = patchmatch
    return found


def _missing(message: str) -> MissingExtraError:
    return MissingExtraError(message, field="engine", value="patchmatch", hint=_BUILD)
