"""What delays a step, such as a network that is compiled, is shown wherever progress is."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from overpaint import Client, Mask, Monitor, Studio
from overpaint.batch.followed import FollowedMonitor
from overpaint.cli.progress import Bar
from overpaint.engines import Canvas, Painted
from overpaint.picture import from_array
from servers import running
from stand_ins import StandIn

COMPILING = "compiling the network (once for this shape)"


def compiling(canvas: Canvas, monitor: Monitor) -> Painted:
    monitor.stage(COMPILING)
    monitor.progress(1, 1)
    return Painted(canvas.pixels.copy())


def test_an_edit_and_its_client_tell_of_it(tmp_path: Path):
    picture = from_array(np.full((40, 50, 3), 99, np.uint8))
    how = {"mask": Mask.box(picture.size, (10, 10, 20, 20)), "intent": "remove", "engine": "stand-in"}
    here: list[str] = []
    there: list[str] = []
    with Studio() as studio:
        studio.add_engine(StandIn(compiling))
        studio.edit(picture, monitor=Monitor(on_stage=here.append), **how)
        with running(tmp_path, studio) as server, Client(server.url) as client:
            client.edit(picture, monitor=Monitor(on_stage=there.append), **how)
    assert here == there == [COMPILING]


def test_the_bar_names_it_until_the_next_step():
    progress = Progress(console=Console(file=io.StringIO()))
    bar = Bar(progress, progress.add_task("painting"))
    monitor = bar.monitor()
    shown = []
    for act in (
        lambda: monitor.loading("sd15"),
        lambda: monitor.stage(COMPILING),
        lambda: monitor.progress(1, 4),
        lambda: monitor.stage("another"),
        lambda: monitor.progress(2, 4),
    ):
        act()
        shown.append(progress.tasks[0].description)
    assert shown == ["loading sd15", COMPILING, "painting", "another", "painting"]


def test_a_worker_of_a_cluster_passes_it_on():
    said: list[str] = []
    monitor = FollowedMonitor(Monitor(), lambda: None)
    monitor.stage(COMPILING)
    monitor.taken().tell(Monitor(on_stage=said.append))
    assert said == [COMPILING]
