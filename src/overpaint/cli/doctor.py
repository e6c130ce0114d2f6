"""`overpaint doctor`: whether everything that is needed is here, and what to do where it is not."""

from __future__ import annotations

import json as json_module
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

from .options import AsJson, Debug
from .texts import print_rows

State = Literal["ok", "missing", "optional"]

EXTRAS = {
    "jpeg": ("jpeglib", "JPEG blocks that an edit does not touch are carried over unchanged"),
    "heif": ("pillow_heif", "HEIC and HEIF pictures can be read"),
}
"""Optional dependencies by the extra that brings them: the module, and what it is good for."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Attributes:
        what: What was looked at.
        state: "ok"; "missing", which needs doing something; "optional": not here, and not needed.
        found: What was found.
        do: What to do about it; empty when nothing is.
    """

    what: str
    state: State
    found: str
    do: str = ""


def doctor(*, json: AsJson = False, debug: Debug = False) -> int:
    """Look whether everything needed is here, and say what to do if not. Exit status 1 when something is missing.

    [dim]$[/] overpaint doctor
    """
    checks = list(look())
    if json:
        print(json_module.dumps([asdict(check) for check in checks], ensure_ascii=False, indent=2))
    else:
        _print(checks)
    return 1 if any(check.state == "missing" for check in checks) else 0


def look() -> Iterator[Check]:
    """Every check, one after another."""
    yield _python()
    yield from _packages()
    yield from _extras()
    yield _device()
    yield from _engines()
    yield from _places()


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    return Check("Python", "ok", found)


def _packages() -> Iterator[Check]:
    yield Check("overpaint", "ok", version("overpaint"))
    for requirement in requires("overpaint") or ():
        if "extra ==" in requirement:
            continue
        name = requirement.split(";")[0].split("[")[0].split("<")[0].split(">")[0].split("=")[0].split("!")[0].strip()
        try:
            yield Check(name, "ok", version(name))
        except PackageNotFoundError:
            yield Check(name, "missing", "not installed", f"pip install '{requirement}'")


def _extras() -> Iterator[Check]:
    for extra, (module, good_for) in EXTRAS.items():
        try:
            import_module(module)
        except ImportError:
            yield Check(f"extra {extra}", "optional", "not installed", f"pip install 'overpaint[{extra}]': {good_for}")
        else:
            yield Check(f"extra {extra}", "ok", good_for)


def _device() -> Check:
    try:
        torch = import_module("torch")
    except Exception as error:
        return Check("device", "missing", f"torch can't be loaded: {error}", "pip install --force-reinstall torch")
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Check("device", "ok", f"cuda: {torch.cuda.get_device_name(0)}, {memory:.0f} GiB")
    if torch.backends.mps.is_available():
        return Check("device", "ok", "mps")
    return Check("device", "ok", f"cpu, {torch.get_num_threads()} threads")


def _engines() -> Iterator[Check]:
    from overpaint.engines import card, names
    from overpaint.errors import EngineError

    if not names():
        yield Check("engines", "missing", "none found", "install overpaint with pip: it is found by entry points")
    for name in names():
        try:
            yield Check(f"engine {name}", "ok", card(name).title)
        except EngineError as error:
            yield Check(f"engine {name}", "missing", str(error), "update or uninstall the package that adds it")


def _places() -> Iterator[Check]:
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Check("temporary folder", "missing", f"{folder}: {error.strerror}", "set TMPDIR to a folder with room")
        return
    free = shutil.disk_usage(folder).free / 2**30
    yield Check("temporary folder", "ok", f"{folder}, {free:.1f} GiB free")


def _print(checks: list[Check]) -> None:
    order = ("ok", "optional", "missing")  # what needs doing comes last, where it is seen
    rows = [(one.state, one.what, f"{one.found} → {one.do}" if one.do else one.found) for one in checks]
    rows.sort(key=lambda row: order.index(row[0]))
    print_rows(rows, styles=("", "bold"), colours={"ok": "green", "optional": "yellow", "missing": "bold red"})
    missing = sum(check.state == "missing" for check in checks)
    print("Everything that is needed is here." if not missing else f"{missing} missing: the arrows say what to do.")
