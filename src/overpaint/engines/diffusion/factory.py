"""The factory that the entry point `diffusion` names. Importing it loads neither torch nor diffusers."""

from __future__ import annotations

from overpaint.engines.base import Engine, ModelSetup
from overpaint.engines.loading import collector_paused
from overpaint.models import find

from .options import CARD, FILES, LOADING, DiffusionOptions


class DiffusionFactory:
    """Makes a diffusion engine for each checkpoint."""

    card = CARD
    loading_options = LOADING
    file_options = FILES

    @staticmethod
    def open(setup: ModelSetup) -> Engine:
        """The engine of a checkpoint; its weights are loaded by the first canvas.

        Raises:
            ModelError: The model is missing, damaged, or not a checkpoint.
            EngineError: The device does not exist.
        """
        given = setup.options.model_dump(include=set(FILES), exclude_none=True)
        ref = find(setup.model, paths=setup.paths, allow_pickle=setup.allow_pickle, **given)
        with collector_paused():
            from .engine import DiffusionEngine  # loads torch

        options = setup.options if isinstance(setup.options, DiffusionOptions) else DiffusionOptions()
        return DiffusionEngine(
            ref,
            device=setup.device,
            threads=setup.threads,
            weights=setup.weights,
            memory=options.memory or "auto",
            fp8=options.weights == "fp8",
        )
