"""OpenVINO as a back end: a network converted for one size, on a CPU.

Converting takes a minute or more with Stable Diffusion's U-Net. So converted networks are kept in a folder of
Overpaint's own, by the digest of what they are made of, and a later process reads them.
"""

from __future__ import annotations

import copy
import gc
import hashlib
import importlib.util
import json
import os
import secrets
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from overpaint.errors import MissingExtraError
from overpaint.files import digest_of_path
from overpaint.locks import locked, try_lock
from overpaint.models.places import home

from .back_ends import BackEnd, CallForm, Found, NetworkProgram, Stage, tensors_of, unheard
from .families import Family
from .values import NetworkInput

EXTRA = "openvino"

KEPT_BYTES = 8 << 30
"""Of converted networks on disk. Beyond it those that were used longest ago are removed."""

_HELD, _HELD_IN_BF16, _MADE = 5.4, 3.5, 10.0
"""Bytes for each of a network's numbers: what a program holds in single precision and in bf16, what making one takes.

Measured with OpenVINO 2026.4 on a U-Net of 102 million numbers, 390 MB in single precision: a program held 520 MB more,
and 310 in bf16, without the pages of its file, which the kernel can give up; making one took 1.0 GB.
"""

_LAYOUT = 1
"""Changes where converted networks of earlier versions no longer fit."""

ABANDONED = 3600.0
"""Seconds after which a hidden folder without a lock is taken for one that nothing writes any more."""

TRIES = 2
"""Times that a converted network is looked for: it may be removed before it is read."""

_LOCK = ".lock"
_FILES = ("model.xml", "model.bin")
_DIGESTS = "digests.json"


def check_openvino() -> None:
    """Raises MissingExtraError where OpenVINO is not installed."""
    if importlib.util.find_spec("openvino") is None:
        raise MissingExtraError.of("the back end openvino", EXTRA)


def programs_folder() -> Path:
    """Where converted networks are kept."""
    return home() / "openvino"


class OpenVino(BackEnd):
    """A network as OpenVINO's programs. Rows run one after another, so that one program serves any number."""

    kept = True

    def __init__(self, family: Family, network: Any, digest: str, folder: Path | None = None) -> None:
        """Take a network.

        Args:
            family: How it is called.
            network: On the CPU.
            digest: Of its weights with its LoRAs, and its type.
            folder: Where converted networks are kept; None: `programs_folder`.

        Raises:
            MissingExtraError: OpenVINO is not installed.
        """
        super().__init__(family, network)
        check_openvino()
        import openvino

        self._openvino = openvino
        self._core = openvino.Core()
        self._digest = digest
        self._folder = folder or programs_folder()

    @property
    def program_bytes(self) -> int:
        """See `BackEnd.program_bytes`: its own copy of the weights, laid out for its kernels."""
        return int(self._numbers * (_HELD_IN_BF16 if self._in_bf16 else _HELD))

    @property
    def making_bytes(self) -> int:
        """See `BackEnd.making_bytes`. The copies that converting needs are freed when it is done."""
        return int(self._numbers * _MADE)

    @property
    def _in_bf16(self) -> bool:
        half = next(self._network.parameters()).dtype != torch.float32
        return half and "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")

    @property
    def _numbers(self) -> int:
        return sum(one.numel() for one in self._network.parameters())

    def __call__(
        self, given: NetworkInput, depth: int, deep: torch.Tensor | None, stage: Stage = unheard
    ) -> Found | None:
        """See `BackEnd.__call__`."""
        tensors = tensors_of(given, deep)
        form = CallForm.of({name: one[:1] for name, one in tensors.items()}, depth)
        example = [one[:1] for one in tensors.values()]
        program = self._program("OpenVINO", form, lambda: self._made(form, example, stage))
        if program is None:
            return None
        found: list[list[torch.Tensor]] = []
        for row in range(len(given.x)):
            outputs = program([one[row : row + 1].float().numpy() for one in tensors.values()])
            found.append([torch.from_numpy(one.copy()).to(given.x.dtype) for one in outputs.values()])
        output, *made = (torch.cat(parts) for parts in zip(*found, strict=True))
        return output, made[0] if made else None

    def _made(self, form: CallForm, example: list[torch.Tensor], stage: Stage) -> Any:
        """The program for a form: read where it was converted before."""
        half = next(self._network.parameters()).dtype != torch.float32
        wanted = [_LAYOUT, self._openvino.__version__, self._digest, form.tensors, form.depth]
        name = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()

        def convert(file: Path) -> None:
            stage("converting the network for OpenVINO (once for this shape, and kept)")
            self._save(form, example, file, half)
            forget_traces()

        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if self._in_bf16 else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        for _ in range(TRIES):
            file = converted_file(self._folder, name, convert)
            try:
                return self._core.compile_model(file, "CPU", settings)
            except RuntimeError as error:
                if file.is_file():
                    raise
                failure = error  # another process has removed it since, as one that was used long ago
        raise failure

    def _save(self, form: CallForm, example: list[torch.Tensor], file: Path, half: bool) -> None:
        """Convert the network for a form of call, into a file."""
        # Its converter gives wrong numbers for bfloat16: it gets a copy in single precision.
        wide = copy.deepcopy(self._network).float() if half else self._network
        module = NetworkProgram(self._family, wide, form).eval()
        given = tuple(one.float() for one in example)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # tracing warns of sizes that are fixed, as they are meant to be
            model = self._openvino.convert_model(module, example_input=given, input=[tuple(one.shape) for one in given])
        self._openvino.save_model(model, file, compress_to_fp16=half)


def forget_traces() -> None:
    """Have PyTorch forget what was traced, of which it keeps graphs and weights until the process ends.

    This empties every module that was traced or scripted in this process. So nothing is done while there is one.
    """
    from torch.jit import ScriptModule, _recursive, _state

    gc.collect()
    if any(issubclass(type(one), ScriptModule) for one in gc.get_objects()):
        return
    with suppress(AttributeError):  # another version of PyTorch: then they stay
        torch._C._jit_clear_class_registry()
        _recursive.concrete_type_store = _recursive.ConcreteTypeStore()
        _state._clear_class_state()


def converted_file(folder: Path, name: str, convert: Callable[[Path], None], limit: int = KEPT_BYTES) -> Path:
    """A converted network's file, made where it is not kept or is damaged. Several processes may do so at once.

    Args:
        folder: Of all converted networks.
        name: Of this one: the digest of what it is made of.
        convert: Writes it to a file, and its weights beside it.
        limit: Bytes of the folder.
    """
    place = folder / name
    if _whole(place):
        with suppress(OSError):  # another process removes it now: what reads it sees that
            os.utime(place)
        return place / _FILES[0]
    folder.mkdir(parents=True, exist_ok=True)
    with _unfinished(folder) as new:
        convert(new / _FILES[0])
        digests = {one: digest_of_path(new / one) for one in _FILES}
        (new / _DIGESTS).write_text(json.dumps(digests), "utf-8")
        if place.exists():  # damaged
            _remove(place)
        try:
            new.rename(place)
        except OSError:
            if not _whole(place):  # else another process was faster
                raise
    _remove_unfinished(folder)
    _remove_old(folder, place, limit)
    return place / _FILES[0]


def _whole(place: Path) -> bool:
    """Whether a converted network is there, with the bytes that were written."""
    try:
        digests = json.loads((place / _DIGESTS).read_text("utf-8"))
        return all(digest_of_path(place / one) == digests[one] for one in _FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return False


@contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A hidden folder for a conversion. A lock beside it ends with the process, so that others see what was left."""
    descriptor, lock = tempfile.mkstemp(prefix=".", suffix=_LOCK, dir=folder)
    try:
        new = Path(lock.removesuffix(_LOCK))
        with locked(descriptor):
            new.mkdir()
            try:
                yield new
            finally:
                shutil.rmtree(new, ignore_errors=True)
    finally:
        os.close(descriptor)
        with suppress(OSError):
            Path(lock).unlink()


def _remove_unfinished(folder: Path) -> None:
    """Remove what conversions left whose processes were killed."""
    for place in _inside(folder):
        if not place.name.startswith("."):
            continue
        lock = place if place.name.endswith(_LOCK) else place.with_name(place.name + _LOCK)
        with suppress(OSError):
            if not lock.exists():  # an earlier version's, or one that is about to be removed
                if place.stat().st_mtime < time.time() - ABANDONED:
                    shutil.rmtree(place, ignore_errors=True)
                continue
            descriptor = os.open(lock, os.O_RDWR)
            try:
                if try_lock(descriptor):
                    shutil.rmtree(place.with_name(lock.name.removesuffix(_LOCK)), ignore_errors=True)
                    lock.unlink()
            finally:
                os.close(descriptor)


def _remove_old(folder: Path, kept: Path, limit: int) -> None:
    """Remove the networks that were used longest ago, until the others fit the limit; `kept` stays."""
    found: list[tuple[float, int, Path]] = []
    for place in _inside(folder):
        with suppress(OSError):  # another process has removed it
            if not place.name.startswith("."):
                found.append((place.stat().st_mtime, sum(one.stat().st_size for one in place.iterdir()), place))
    total = sum(size for _, size, _ in found)
    for _, size, place in sorted(found):
        if total <= limit:
            return
        if place != kept:
            _remove(place)
            total -= size


def _remove(place: Path) -> None:
    """Remove a converted network, at once for those who look for it."""
    with suppress(OSError):  # another process has removed it
        hidden = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        place.rename(hidden)
        os.utime(hidden, (0, 0))  # should this process be killed now, another removes the rest
        shutil.rmtree(hidden, ignore_errors=True)


def _inside(folder: Path) -> list[Path]:
    """What is in a folder."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []
