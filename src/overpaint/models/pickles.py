"""Weights in pickles (`.ckpt`, `.pt`, `.bin`), read by torch's weights-only unpickler: no code in a file is run.

Checkpoints of training programs mention harmless classes of theirs beside the weights. They are replaced by stand-ins
that do nothing; any other name that the unpickler does not know is an error.
"""

from __future__ import annotations

import pickle
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError

from .torchscript import MOST_PICKLE

_TRAINERS = (
    "pytorch_lightning.",
    "lightning.",
    "lightning_fabric.",
    "omegaconf.",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.dtype",
    "numpy.dtypes.",
    "argparse.Namespace",
    "pathlib.",
    "typing.",
)
"""Classes of training programs, by the beginnings of their names."""

_LOCK = threading.Lock()  # torch's list of allowed names belongs to the process


@dataclass(frozen=True, slots=True)
class PickledWeights:
    """The weights in a pickle.

    Attributes:
        tensors: Tensors by name; of a training checkpoint, those of its `state_dict`.
        numbers: Whole numbers beside the weights, such as `global_step`.
    """

    tensors: Mapping[str, Any]
    numbers: Mapping[str, int]


def load_pickle(path: Path, device: str = "cpu") -> PickledWeights:
    """Read a pickle's weights.

    Args:
        path: The file, as torch.save writes it.
        device: Where the tensors are put; "meta": only names, shapes and types are read.

    Raises:
        ModelError: It is cut short or damaged, holds code or a TorchScript program, or is no file of torch.
    """
    import torch

    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    try:
        stand_ins = _stand_ins(path) if zipped else []
        with _LOCK, torch.serialization.safe_globals([torch.nn.ParameterDict, *stand_ins]):
            held = torch.load(path, map_location=device, weights_only=True, mmap=zipped)
    except (ModelError, MemoryError):
        raise
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise _refused(path, str(error).partition("GLOBAL ")[2].split()[0]) from error
        raise ModelError(f"{path.name} is damaged or no checkpoint of torch; get it again") from error
    except Exception as error:  # any bytes may be in the file
        what = "is cut short or damaged" if zipped else "is damaged or no checkpoint of torch"
        raise ModelError(f"{path.name} {what}; download it again") from error
    whole = held if isinstance(held, Mapping) else {}
    inner = whole.get("state_dict")
    numbers = {str(name): one for name, one in whole.items() if isinstance(one, int) and not isinstance(one, bool)}
    return PickledWeights(_flat(inner if isinstance(inner, Mapping) else whole), numbers)


def _stand_ins(path: Path) -> list[tuple[Any, str]]:
    """Stand-ins for the names in a zipped checkpoint that torch does not load itself."""
    import torch

    with zipfile.ZipFile(path) as archive:
        names = [name.rsplit("/", 1)[-1] for name in archive.namelist() if name.count("/") <= 1]
        sizes = [one.file_size for one in archive.infolist() if one.filename.endswith("data.pkl")]
    if "constants.pkl" in names:
        raise ModelError(f"{path.name} is a TorchScript program, which is not loaded: it holds code")
    if names.count("data.pkl") != 1 or max(sizes) > MOST_PICKLE:
        raise ModelError(f"{path.name} is a zip file, but no checkpoint of torch")
    found = []
    for name in torch.serialization.get_unsafe_globals_in_checkpoint(path):
        if name != "torch.nn.modules.container.ParameterDict":
            if not name.startswith(_TRAINERS):
                raise _refused(path, name)
            found.append((type("StandIn", (_StandIn,), {}), name))
    return found


class _StandIn:
    """Takes the arguments of any class, and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


def pickle_not_allowed(path: Path | str, message: str = "") -> ModelError:
    """The error for a pickle that the user did not allow."""
    return ModelError(
        message or f"{Path(path).name} is a pickle, which can hold code",
        code="pickle-refused",
        field="allow_pickle",
        value=Path(path).name,  # not where it is, which a server's client need not know
        hint="if you trust its source, set allow_pickle: only its weights are read, and no code is run",
    )


def _refused(path: Path, name: str) -> ModelError:
    return ModelError(
        f"{path.name} is a pickle that would run {name}: it was not loaded, and nothing in it was run",
        hint="use a .safetensors file of this model",
    )


def _flat(value: Any, prefix: str = "", depth: int = 3) -> dict[str, Any]:
    """Tensors of nested mappings, by names joined with dots."""
    import torch

    found: dict[str, Any] = {}
    for name, one in value.items():
        if isinstance(one, torch.Tensor):
            found[f"{prefix}{name}"] = one.detach()
        elif isinstance(one, Mapping | torch.nn.ParameterDict) and depth > 0:
            found |= _flat(one, f"{prefix}{name}.", depth - 1)
    return found
