"""`overpaint doctor`: the libraries, engines and models in use, and what to do where one is missing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

from .options import AsJson, Debug
from .texts import print_json, print_line, print_rows

State = Literal["ok", "missing", "optional"]

EXTRAS = {
    "jpeg": "JPEG blocks that an edit does not touch are carried over unchanged",
    "heif": "HEIC and HEIF pictures can be read and written",
    "c2pa": "results can carry a signed C2PA manifest",
    "ray": "batches run on a cluster",
    "s3": "pictures and results may lie in S3",
    "otlp": "figures of batches go to an OpenTelemetry collector",
    "gguf": "checkpoints in GGUF files can be read",
    "audit": "audit logs can be signed",
    "openvino": "diffusion runs faster on a CPU (option backend)",
    "onnx": "erasers and selectors in ONNX files can be used",
    "restore": "networks that enlarge pictures or restore faces, and the eraser MAT, can be used",
    "select": "networks of transformers select: SAM 2.1 and its kin",
    "text": "lettering is found and read",
    "patchmatch": "the engine patchmatch can be used; its search is patented",
}
"""What each extra is good for."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Attributes:
        what: The thing that was checked.
        state: "ok"; "missing", where something must be done; "optional": not here, and not needed.
        found: What was found: a version, a place.
        do: What to do; empty when there is nothing to do.
    """

    what: str
    state: State
    found: str
    do: str = ""


def doctor(*, json: AsJson = False, debug: Debug = False) -> int:
    """List the libraries, engines and models in use, and say what to do where one is missing (exit status 1).

    [dim]$[/] overpaint doctor
    """
    checks = list(look())
    if json:
        print_json([asdict(check) for check in checks])
    else:
        _print(checks)
    return 1 if any(check.state == "missing" for check in checks) else 0


def look() -> Iterator[Check]:
    """All checks in their order."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    yield Check("Python", "ok", found)
    yield Check("overpaint", "ok", version("overpaint"))
    yield from _libraries()
    yield _device()
    yield from _engines()
    yield from _models()
    yield _temporary_folder()


def _libraries() -> Iterator[Check]:
    """Every dependency with its version, then those of the extras."""
    for requirement, _, marker in (one.partition(";") for one in requires("overpaint") or ()):
        extra = re.search(r"extra == ['\"](\w+)['\"]", marker)
        name = re.split(r"[^\w.-]", requirement)[0]
        what = f"{name} (extra {extra[1]})" if extra else name
        try:
            yield Check(what, "ok", version(name))
        except PackageNotFoundError:
            if extra:
                good_for = EXTRAS.get(extra[1], "")
                yield Check(what, "optional", "not installed", f"pip install 'overpaint[{extra[1]}]': {good_for}")
            else:
                yield Check(what, "missing", "not installed", f"pip install '{requirement.strip()}'")


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
    from overpaint.engines import names, usable_card
    from overpaint.errors import MissingExtraError

    if not names():
        yield Check("engines", "missing", "none found", "install overpaint with pip: it is found by entry points")
    for name in names():
        try:
            yield Check(f"engine {name}", "ok", usable_card(name).title)
        except MissingExtraError as error:
            yield Check(f"engine {name}", "optional", str(error))
        except Exception as error:  # packages may raise anything
            yield Check(f"engine {name}", "missing", str(error), "update or uninstall the package that adds it")


def _models() -> Iterator[Check]:
    from overpaint import pocket
    from overpaint.models import entries, store_folder

    folder = pocket.folder()
    if folder is None:
        yield Check(f"model {pocket.NAME}", "optional", "not in this package", "name a model for edits with a prompt")
    else:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        yield Check(f"model {pocket.NAME}", "ok", f"comes with overpaint, {size:.0f} MB")
    here = sum(entry.origin == "store" for entry in entries())
    yield Check("model store", "ok", f"{store_folder()}, {here} models")


def _temporary_folder() -> Check:
    folder = tempfile.gettempdir()
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check("temporary folder", "missing", f"{folder}: {error.strerror}", "set TMPDIR to a folder with room")
    return Check("temporary folder", "ok", f"{folder}, {shutil.disk_usage(folder).free / 2**30:.1f} GiB free")


def _print(checks: list[Check]) -> None:
    order = ("ok", "optional", "missing")  # missing things come last, where they are seen
    rows = [(one.state, one.what, f"{one.found} → {one.do}" if one.do else one.found) for one in checks]
    rows.sort(key=lambda row: order.index(row[0]))
    print_rows(rows, styles=("", "bold"), colours={"ok": "green", "optional": "yellow", "missing": "bold red"})
    missing = sum(check.state == "missing" for check in checks)
    print_line(
        "Everything that is needed is here." if not missing else f"{missing} missing: the arrows say what to do."
    )
