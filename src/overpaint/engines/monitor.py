"""What goes between an engine and the caller of one canvas while it is painted."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import Cancelled

Pixels = NDArray[np.float32]
"""(H, W, 3) float32 in [0, 1]."""


class Monitor:
    """Progress and previews of one canvas, and its cancellation. Thread-safe.

    Attributes:
        paused: Seconds that the painting has rested, so that an engine could paint another canvas.
    """

    def __init__(
        self,
        on_progress: Callable[[int, int], None] | None = None,
        on_preview: Callable[[Pixels], None] | None = None,
        on_loading: Callable[[str], None] | None = None,
        on_note: Callable[[str], None] | None = None,
        on_stage: Callable[[str], None] | None = None,
    ) -> None:
        """`on_progress(step, steps)`, `on_preview(pixels)`, `on_loading(model)` and `on_stage(text)` run in the
        engine's thread.

        `on_note(text)` is called before any painting, in the caller's thread, with what a person should know by then.
        """
        self._on_progress = on_progress
        self._on_loading = on_loading
        self._on_preview = on_preview
        self._on_note = on_note
        self._on_stage = on_stage
        self._cancelled = threading.Event()
        self._pause: Callable[[], None] | None = None
        self.paused = 0.0

    def cancel(self) -> None:
        """Ask the engine to stop at its next step."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether the work was cancelled."""
        return self._cancelled.is_set()

    @property
    def work(self) -> Monitor:
        """The monitor of all that the canvas is a part of: of an edit, or of a batch. Canvases of one work take turns
        with those of others, and not among each other.
        """
        return self

    def pause_by(self, pause: Callable[[], None] | None) -> None:
        """Have an engine's function called at every check; it returns once the canvas may go on. None: no more."""
        self._pause = pause

    @property
    def wants_previews(self) -> bool:
        """Whether previews are shown; an engine need not make them otherwise."""
        return self._on_preview is not None

    def silent(self) -> Monitor:
        """A monitor that is cancelled with this one, and reports nothing."""
        other = Monitor()
        other._cancelled = self._cancelled
        return other

    def check(self) -> None:
        """Raise Cancelled when the work was cancelled. Engines call this at least once a step. It may take a while, in
        which another canvas is painted.
        """
        pause = self._pause
        if pause is not None:
            pause()
        if self.cancelled:
            raise Cancelled("cancelled; nothing was painted")

    def loading(self, model: str) -> None:
        """Report that this model's weights are loaded now, which delays the first step."""
        self.check()
        if self._on_loading is not None:
            self._on_loading(model)

    def stage(self, text: str) -> None:
        """Report what else begins now that delays the next step, in words. It ends with that step."""
        if self._on_stage is not None:
            self._on_stage(text)

    def note(self, text: str) -> None:
        """Tell a person something before the painting begins, when it can still be cancelled."""
        if self._on_note is not None:
            self._on_note(text)

    def progress(self, step: int, steps: int) -> None:
        """Report that `step` of `steps` is done; raise Cancelled when the work was cancelled."""
        self.check()
        if self._on_progress is not None:
            self._on_progress(step, steps)

    def preview(self, pixels: Pixels) -> None:
        """Show the picture so far, (h, w, 3) float32 of any size."""
        if self._on_preview is not None:
            self._on_preview(pixels)
