"""`overpaint doctor`: the libraries, engines and models in use, and what to do where one is missing."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Literal

from .options import AsJson, Debug
from .texts import print_json, print_line, print_rows

State = Literal["ok", "missing", "optional"]
Memory = Literal["whole", "model", "block"]

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
        bytes: Of a line about memory, its numbers.
    """

    what: str
    state: State
    found: str
    do: str = ""
    bytes: MemoryBytes | None = None


@dataclass(frozen=True, slots=True)
class MemoryBytes:
    """Bytes that a model needs on the device, the most at once, and what fits.

    Attributes:
        free: That the device has left.
        total: That it has in all.
        plain: By what is on the device at a time ("whole", "model", "block"; a CPU has "whole" alone).
        fp8: The same with the option weights=fp8.
        fits: The first way that fits; None where none does.
        with_fp8: Whether it needs weights=fp8.
    """

    free: int
    total: int
    plain: Mapping[Memory, int]
    fp8: Mapping[Memory, int]
    fits: Memory | None
    with_fp8: bool


def doctor(*, json: AsJson = False, debug: Debug = False) -> int:
    """List the libraries, engines and models in use, and say what to do where one is missing (exit status 1).

    [dim]$[/] overpaint doctor
    """
    checks = list(look())
    if json:
        print_json([{name: one for name, one in asdict(check).items() if one is not None} for check in checks])
    else:
        _print(checks)
    return 1 if any(check.state == "missing" for check in checks) else 0


def look() -> Iterator[Check]:
    """All checks in their order."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} processors"
    yield Check("Python", "ok", found)
    yield Check("overpaint", "ok", version("overpaint"))
    yield from _libraries()
    device = _device()
    yield device
    yield from _engines()
    yield from _models()
    if device.state == "ok":
        yield from _memory()
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


def _memory() -> Iterator[Check]:
    """What fits into the device's memory: each architecture of which a checkpoint is installed, else the usual ones."""
    from overpaint.engines.diffusion.devices import device_of, memory_in_all
    from overpaint.engines.diffusion.memory_report import fits
    from overpaint.models import entries

    device = device_of("auto")
    here = [one.name for one in entries() if one.origin != "embedded" and one.kind and one.kind.what == "checkpoint"]
    for one in fits(here, device):
        way, with_fp8 = one.best or (None, False)
        plain, fp8 = ({name: counted.peak(name) for name in one.ways} for counted in (one.plain, one.fp8))
        said = _WAYS[way] + (" with weights=fp8" if with_fp8 else "")
        total = memory_in_all(device) or one.free
        room = f"{_gigabytes(one.free)} of {_gigabytes(total)} free"
        yield Check(
            f"memory for {', '.join(one.names) or one.title}, {one.size}",
            "optional" if way is None else "ok",
            f"{said}: {room}, needs {_listed(plain)}; with weights=fp8 {_listed(fp8)}",
            "" if way else "close other programs, or paint smaller canvases",
            MemoryBytes(one.free, total, plain, fp8, way, with_fp8),
        )


_WAYS: dict[Memory | None, str] = {
    "whole": "fits whole",
    "model": "fits by networks",
    "block": "fits by blocks",
    None: "does not fit",
}


def _listed(ways: Mapping[Memory, int]) -> str:
    if len(ways) == 1:
        return _gigabytes(*ways.values())
    return ", ".join(f"{name} {_gigabytes(size)}" for name, size in ways.items())


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


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
