"""Pictures made better as a whole: enlarged, or with their faces restored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from overpaint.bounded import MemoryBudget, MemoryShare
from overpaint.doors.reading import readers
from overpaint.engines import Monitor
from overpaint.models import find_network
from overpaint.picture import Picture, PictureLimits, current_limits, limited
from overpaint.picture.limits import MEMORY_PER_PIXEL
from overpaint.restore import memory_of
from overpaint.studio import Studio

from .decoding import decoded
from .pictures import PictureStore
from .settings import ServerSettings
from .tasks import EnhanceTask, EnlargeTask
from .work import Results, failures_as_errors, file_of

_MOST_TIMES = 4
"""How many times as wide networks make a picture in one run, most of them."""


class EnhanceWorker:
    """Does tasks of whole pictures with a studio's networks. Thread-safe."""

    def __init__(self, studio: Studio, pictures: PictureStore, settings: ServerSettings, budget: MemoryBudget) -> None:
        """The caller closes the studio; all jobs share the budget of memory."""
        self._studio = studio
        self._pictures = pictures
        self._settings = settings
        self._budget = budget

    def check(self, task: EnhanceTask) -> tuple[str, ...]:
        """See `TaskWorker`. A network that is not here, or may not be used, is refused at once."""
        task.check()
        source = self._studio.networks
        if isinstance(task, EnlargeTask):
            if task.model is not None:
                find_network(task.model, "upscaler", paths=source.paths, allow_pickle=source.allow_pickle)
            return ()
        return task.settings.chosen(source).notes

    def do(
        self,
        owner: str,
        task: EnhanceTask,
        monitor: Monitor,
        on_result: Callable[[dict[str, Any]], None],
        *,
        temporary: bool = False,
    ) -> Results:
        """See `TaskWorker`."""
        pixels = self._settings.most_pixels or current_limits().pixels
        with failures_as_errors(), MemoryShare(self._budget) as share, limited(PictureLimits(pixels=pixels)):
            picture = self._read(owner, task, monitor, share)
            size = task.size_of(picture.size)
            current_limits().check_pixels(size.width, size.height)
            needed = size.area * MEMORY_PER_PIXEL
            if isinstance(task, EnlargeTask):
                needed = memory_of(picture.size, size, 2 if task.model is None else _MOST_TIMES)
            share.grow(needed, monitor.check)
            made = file_of(self._studio.enhance(picture, task.settings, monitor), task)
        for data, facts in made.files:
            self._pictures.keep(owner, data, facts, temporary=temporary)
        on_result(made.told)
        return [made.told]

    def _read(self, owner: str, task: EnhanceTask, monitor: Monitor, share: MemoryShare) -> Picture:
        """The picture, decoded in a process of its own, once there is memory for it."""
        data = self._pictures.data(owner, task.picture)
        picture = readers.call(
            decoded,
            data,
            self._settings.most_pixels,
            seconds=self._settings.reading,
            memory=self._budget.total,
            grant=lambda wanted: share.grow(wanted, monitor.check),
            check=monitor.check,
        )
        return replace(picture, source=replace(picture.source, data=data))
