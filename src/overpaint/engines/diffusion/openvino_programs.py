"""OpenVINO as a back end: a network converted for one size, on a CPU.

Converting takes a minute or more with Stable Diffusion's U-Net. So converted networks are kept in a folder of
Overpaint's own, by the digest of what they are made of, and a later process reads them.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from overpaint.errors import MissingExtraError
from overpaint.files import digest_of_path
from overpaint.models.places import home

from .back_ends import BackEnd, CallForm, Found, NetworkProgram, tensors_of
from .families import Family
from .values import NetworkInput

EXTRA = "openvino"

KEPT_BYTES = 8 << 30
"""Of converted networks on disk. Beyond it those that were used longest ago are removed."""

_LAYOUT = 1
"""Changes where converted networks of earlier versions no longer fit."""

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

    def __call__(self, given: NetworkInput, depth: int, deep: torch.Tensor | None) -> Found | None:
        """See `BackEnd.__call__`."""
        tensors = tensors_of(given, deep)
        form = CallForm.of({name: one[:1] for name, one in tensors.items()}, depth)
        program = self._program("OpenVINO", form, lambda: self._made(form, [one[:1] for one in tensors.values()]))
        if program is None:
            return None
        found: list[list[torch.Tensor]] = []
        for row in range(len(given.x)):
            outputs = program([one[row : row + 1].float().numpy() for one in tensors.values()])
            found.append([torch.from_numpy(one.copy()).to(given.x.dtype) for one in outputs.values()])
        output, *made = (torch.cat(parts) for parts in zip(*found, strict=True))
        return output, made[0] if made else None

    def _made(self, form: CallForm, example: list[torch.Tensor]) -> Any:
        """The program for a form: read where it was converted before."""
        half = next(self._network.parameters()).dtype != torch.float32
        wanted = [_LAYOUT, self._openvino.__version__, self._digest, form.tensors, form.depth]
        name = hashlib.sha256(json.dumps(wanted).encode()).hexdigest()

        def convert(file: Path) -> None:
            # Its converter gives wrong numbers for bfloat16: it gets a copy in single precision.
            wide = copy.deepcopy(self._network).float() if half else self._network
            module = NetworkProgram(self._family, wide, form).eval()
            given = tuple(one.float() for one in example)
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # tracing warns of sizes that are fixed, as they are meant to be
                model = self._openvino.convert_model(
                    module, example_input=given, input=[tuple(one.shape) for one in given]
                )
            self._openvino.save_model(model, file, compress_to_fp16=half)

        file = converted_file(self._folder, name, convert)
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if half and "BF16" in able else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        return self._core.compile_model(file, "CPU", settings)


def converted_file(folder: Path, name: str, convert: Callable[[Path], None], limit: int = KEPT_BYTES) -> Path:
    """A converted network's file, made where it is not kept or is damaged.

    Args:
        folder: Of all converted networks.
        name: Of this one: the digest of what it is made of.
        convert: Writes it to a file, and its weights beside it.
        limit: Bytes of the folder.
    """
    place = folder / name
    if _whole(place):
        os.utime(place)
        return place / _FILES[0]
    folder.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=".", dir=folder))
    try:
        convert(new / _FILES[0])
        digests = {one: digest_of_path(new / one) for one in _FILES}
        (new / _DIGESTS).write_text(json.dumps(digests), "utf-8")
        if place.exists():  # damaged
            shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):  # another process was faster
            new.rename(place)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    _remove_old(folder, place, limit)
    return place / _FILES[0]


def _whole(place: Path) -> bool:
    """Whether a converted network is there, with the bytes that were written."""
    try:
        digests = json.loads((place / _DIGESTS).read_text("utf-8"))
        return all(digest_of_path(place / one) == digests[one] for one in _FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _remove_old(folder: Path, kept: Path, limit: int) -> None:
    """Remove the networks that were used longest ago, until the others fit the limit; `kept` stays."""
    places = sorted((one for one in folder.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
    sizes = {one: sum(file.stat().st_size for file in one.iterdir() if file.is_file()) for one in places}
    total = sum(sizes.values())
    for one in places:
        if total <= limit:
            return
        if one != kept and not one.name.startswith("."):
            shutil.rmtree(one, ignore_errors=True)
            total -= sizes[one]
