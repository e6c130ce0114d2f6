"""A package under another name, with as little else as it can do with: what it finds, and what it leaves behind."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from overpaint.engines.loading import collector_paused, private_copy

FILES = {
    "things/__init__.py": "",
    "things/parts/__init__.py": "from .heavy import WEIGHT\n",
    "things/parts/heavy.py": "WEIGHT = 1000\n",
    "things/parts/light.py": """
import importlib.util
import threading

FOUND = importlib.util.find_spec("big") is not None
try:
    import big
except ModuleNotFoundError as error:
    big, WHY = None, error.name


def _elsewhere():
    global ELSEWHERE
    import big as one

    ELSEWHERE = one.SIZE, importlib.util.find_spec("big") is not None


thread = threading.Thread(target=_elsewhere)
thread.start()
thread.join()


def later():
    from ..tools import TOOL

    return TOOL
""",
    "things/tools.py": "TOOL = object()\n",
    "things/greedy.py": "import big\n",
    "things/broken.py": "raise AttributeError('never right')\n",
    "things/stopped.py": "from . import tools\nraise KeyboardInterrupt\n",
    "big.py": "SIZE = 1\n",
}


@pytest.fixture(autouse=True)
def things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    state = list(sys.meta_path), importlib.util.find_spec
    yield
    assert (sys.meta_path, importlib.util.find_spec) == state
    for name in [name for name in sys.modules if name.split(".")[0] in ("things", "mine", "big")]:
        del sys.modules[name]


def names(package: str) -> set[str]:
    return {name for name in sys.modules if name.split(".")[0] == package}


def test_a_copy_does_without_what_it_is_kept_from() -> None:
    (light,) = private_copy("things", "mine", ["parts.light"], empty={"parts": ["WEIGHT"]}, without=["big"])
    assert (light.FOUND, light.big, light.WHY) == (False, None, "big")
    assert light.__name__ == "mine.parts.light"
    assert names("mine") == {"mine", "mine.parts", "mine.parts.light"}
    assert light.ELSEWHERE == (1, True), "another thread is kept from nothing"


def test_afterwards_everything_is_found_as_ever() -> None:
    (light,) = private_copy("things", "mine", ["parts.light"], without=["big"])
    assert names("things") == set()
    whole = importlib.import_module("things.parts.light")
    assert (whole.FOUND, whole.big.SIZE) == (True, 1)
    assert whole is not light


def test_an_empty_package_has_its_modules_alone() -> None:
    (light,) = private_copy("things", "mine", ["parts.light"], empty={"parts": ["WEIGHT"]})
    assert isinstance(sys.modules["mine.parts"].WEIGHT, type), "a stand-in, as its own would need a heavy module"
    assert "mine.parts.heavy" not in sys.modules
    assert importlib.import_module("mine.parts.light") is light
    assert importlib.import_module("mine.parts.heavy").WEIGHT == 1000


def test_later_imports_within_a_function_use_the_copy() -> None:
    (light,) = private_copy("things", "mine", ["parts.light"])
    whole = importlib.import_module("things.tools")
    assert light.later() is sys.modules["mine.tools"].TOOL is not whole.TOOL


def test_a_package_that_was_imported_stays_as_it_is() -> None:
    whole = importlib.import_module("things.tools")
    before = names("things")
    (light,) = private_copy("things", "mine", ["parts.light"], without=["big"])
    assert names("things") == before
    assert sys.modules["things.tools"] is whole is not sys.modules.get("mine.tools")
    assert not light.FOUND


def test_the_second_call_gives_the_same_modules() -> None:
    assert private_copy("things", "mine", ["tools"]) == private_copy("things", "mine", ["tools"])


def test_a_package_that_needs_a_hidden_module_says_so_and_leaves_nothing() -> None:
    with pytest.raises(ModuleNotFoundError, match="big"):
        private_copy("things", "mine", ["tools", "greedy"], without=["big"])
    assert names("mine") == names("things") == set()


def test_a_package_that_is_not_there_or_broken_says_so_and_leaves_nothing() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_things") as caught:
        private_copy("no_such_things", "mine", ["tools"])
    assert caught.value.name == "no_such_things"
    with pytest.raises(AttributeError, match="never right"):
        private_copy("things", "mine", ["tools", "broken"], without=["big"])
    assert names("mine") == set()


def test_an_interrupt_is_one_and_leaves_nothing() -> None:
    with pytest.raises(KeyboardInterrupt):
        private_copy("things", "mine", ["stopped"], without=["big"])
    assert names("mine") == names("things") == set()
    (tools,) = private_copy("things", "mine", ["tools"])
    assert tools.TOOL


_COMPILER = """
import sys
import torch
from overpaint.engines.loading import private_copy

disable = torch.compiler.disable
(module,) = private_copy("decorated", "mine", ["inner"], without=["torch._dynamo"])
assert module.plain() == module.called() == "ran"
assert "torch._dynamo" not in sys.modules
assert torch.compiler.disable is disable
assert torch._dynamo.allow_in_graph
"""


def test_functions_excluded_from_torch_compile_stay_unchanged(tmp_path: Path) -> None:
    (tmp_path / "decorated").mkdir()
    (tmp_path / "decorated" / "__init__.py").write_text("")
    (tmp_path / "decorated" / "inner.py").write_text(
        "import torch\n\n\n@torch.compiler.disable\ndef plain():\n    return 'ran'\n\n\n"
        "@torch.compiler.disable(recursive=False)\ndef called():\n    return 'ran'\n"
    )
    run = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{_COMPILER}"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_collector_is_as_it_was_after_a_pause() -> None:
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), collector_paused():
        raise ImportError("a library that is not there")
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            assert not gc.isenabled()
        assert not gc.isenabled(), "someone else switched it off"
    finally:
        gc.enable()
