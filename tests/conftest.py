"""What all tests stand on."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

import forks
import quick_parsing
from overpaint import pocket

if TYPE_CHECKING:
    from editor_page import Editor
    from servers import Running

# Workers of one run share the processors: more threads in each would only wait for each other, and spin meanwhile.
# What is claimed of several threads sets their number itself. Set before numpy and torch are imported, and inherited by
# the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")

# Erasers that another program left in torch's folder of checkpoints would be used, or mentioned in notes.
os.environ.setdefault("TORCH_HOME", str(Path(tempfile.gettempdir()) / "no-torch-home"))

# The package is imported by hundreds of processes that tests start, and every worker reads all tests: with bytecode
# kept, each is compiled once.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# how long examples take to make and run says how busy the machine is
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# A suite that is started in the background by a shell without job control has SIGINT ignored, and every process that it
# starts inherits that: tests of interrupts would wait for ever. A handler of our own is not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


quick_parsing.install()
forks.install()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Modules and tests live as long as the process: no collection of garbage looks at them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(20_000)  # a young generation of 700 objects is searched hundreds of times a second


@pytest.fixture
def without_pocket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that was built without the embedded model: nothing is there but what the test puts there."""
    monkeypatch.setattr(pocket, "FOLDER", tmp_path / "no-pocket")


@pytest.fixture
def model_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without models, but for those that the test puts there: the folder of the store and of the caches."""
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; tests of it are skipped where there is none."""
    from browser import chromium

    with chromium() as found:
        yield found


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser's window with storage of its own."""
    found = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB", reduced_motion="reduce")
    yield found
    found.close()


@pytest.fixture
def editor(context: Any, server: Running) -> Iterator[Editor]:
    """The editor, of the server that the module of the test starts."""
    from editor_page import Editor

    with Editor(context, server).closing() as found:
        yield found


@pytest.fixture
def quick_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    """The patch-based fill in its quickest form, for claims about what is around a fill."""
    from overpaint.engines import exemplar

    quickest = replace(exemplar.QUALITIES["draft"], iterations=1, lines=False)
    for name in exemplar.QUALITIES:
        monkeypatch.setitem(exemplar.QUALITIES, name, quickest)
