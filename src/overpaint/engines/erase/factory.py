"""The factory that the entry point `erase` names. Importing it loads no network library."""

from __future__ import annotations

from overpaint.engines.base import Engine, ModelSetup
from overpaint.engines.loading import collector_paused
from overpaint.errors import MissingExtraError
from overpaint.models import find_eraser
from overpaint.models.eraser_store import missing_extra
from overpaint.models.values import NETWORK_TITLES

from .cards import CARD


class EraserFactory:
    """Makes an engine for each eraser."""

    card = CARD
    loading_options = ("base",)

    @staticmethod
    def open(setup: ModelSetup) -> Engine:
        """The engine of an eraser; its weights are loaded by the first canvas.

        Raises:
            ModelError: The model is missing, damaged, no eraser, or not allowed (see `find_eraser`).
            MissingExtraError: A package that it needs is not installed.
            EngineError: The device does not exist.
        """
        base = getattr(setup.options, "base", None)
        ref = find_eraser(setup.model, base=base, paths=setup.paths, allow_pickle=setup.allow_pickle)
        if (extra := missing_extra(ref.kind)) is not None:
            what = "ONNX" if ref.kind.form == "onnx" else NETWORK_TITLES[ref.kind.network]
            raise MissingExtraError.of(f"{ref.name} ({what})", extra)
        with collector_paused():
            from .engine import EraserEngine  # loads torch

        return EraserEngine(ref, device=setup.device, threads=setup.threads, weights=setup.weights)
