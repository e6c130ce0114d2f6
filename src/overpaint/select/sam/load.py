"""Which network of the SAM family selects, and its loading: from a folder of transformers, a single file, or ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError
from overpaint.models import ModelRef, networks_here
from overpaint.select.networks import (
    held,
    loaded_folder,
    named_network,
    network_digest,
    transformers_class,
    with_weights,
)

from .checkpoints import hiera_sizes, renamed, vit_sizes
from .network import SamNetwork
from .onnx import OnnxSam, onnx_pair
from .transformers_networks import PromptedSam, Sam3Words, picture_of, tokenizer_of

FAMILY = ("sam", "sam-hq", "sam2", "edgetam", "sam3", "sam-onnx")
"""Networks of this family, by their names in `overpaint.models`."""

NEEDS = {"sam-onnx": "onnxruntime"}
"""Packages that a network needs."""

SUGGESTED = "sam2.1-tiny"
"""What is suggested where none is here."""

_CLASSES = {
    "sam": ("sam", "SamModel", "SamConfig"),
    "sam-hq": ("sam_hq", "SamHQModel", "SamHQConfig"),
    "sam2": ("sam2", "Sam2Model", "Sam2Config"),
    "edgetam": ("edgetam", "EdgeTamModel", "EdgeTamConfig"),
    "sam3": ("sam3_tracker", "Sam3TrackerModel", "Sam3TrackerConfig"),
}
"""Package, class and configuration in transformers."""

_NAMES: Mapping[str, Mapping[str, str]] = {
    "sam3": {
        r"^tracker_model\.(.+)": r"\1",
        r"^tracker_neck\.": "vision_encoder.neck.",
        r"^detector_model\.vision_encoder\.backbone\.": "vision_encoder.backbone.",
    }
}
"""Names of tensors in the published folder of SAM 3, which has a detector and a tracker over one encoder."""


def default_network(family: Sequence[str] = FAMILY) -> str | None:
    """The name of the network where none is named: the first one here that needs no further permission."""
    here = networks_here("selector")
    return next((one.name for one in here if one.kind is not None and _runs(one.kind.network, family)), None)


def _runs(network: str, family: Sequence[str]) -> bool:
    """Whether a network is of this family, and the package is installed that it needs."""
    return network in family and (network not in NEEDS or find_spec(NEEDS[network]) is not None)


def sam_network(name: str, family: Sequence[str] = FAMILY) -> ModelRef:
    """The network of this name, or the one to use where none is named, of those that `family` has.

    Raises:
        ModelError: There is none; it is another kind of network; it is a pickle that is not allowed; or its licence
            must be accepted first.
    """
    wanted = name or default_network(family)
    if wanted is None:
        lacking, suggested = (
            ("SAM 3", "sam3") if tuple(family) == ("sam3",) else ("a network of the SAM family", SUGGESTED)
        )
        raise ModelError(
            f"{lacking} is needed, and none is here that may be used",
            code="model-not-downloaded",
            field="select_option",
            value=suggested,
            hint=f"{suggested} can be downloaded",
        )
    ref = named_network(wanted)
    if ref.kind.network not in family:
        message = f"{ref.name} is another network than this selector runs: it is {ref.kind.described}"
        raise ModelError(message, code="model-other-task", field="select_option", value=ref.name)
    return ref


def loaded(ref: ModelRef) -> tuple[SamNetwork, str]:
    """The network and its digest; one that the process holds is not loaded again.

    Raises:
        ModelError: A file is missing, cut short or damaged.
        MissingExtraError: A package is not installed.
    """
    digest = network_digest(ref.path)
    return held((digest, "sam"), lambda: _load(ref, digest)), digest


def _load(ref: ModelRef, digest: str) -> SamNetwork:
    network = ref.kind.network
    if network == "sam-onnx":
        return OnnxSam(*onnx_pair(ref.path))
    package, name, config = _CLASSES[network]
    kind = transformers_class(f"{package}.modeling_{package}", name, ref.name)
    if ref.path.is_dir() and network == "edgetam":
        from .edgetam import edgetam

        model = edgetam(ref)
    elif ref.path.is_dir():
        model = loaded_folder(kind, ref, _NAMES.get(network, {}))
    else:
        settings = transformers_class(f"{package}.configuration_{package}", config, ref.name)
        model = _from_file(ref, kind, settings)
    words = partial(_words, ref, digest) if network == "sam3" and ref.path.is_dir() else None
    return PromptedSam(model, picture_of(network, model), high_quality=network == "sam-hq", words=words)


def _from_file(ref: ModelRef, kind: Any, settings: Any) -> Any:
    """A network from a single file of the original release."""
    network = ref.kind.network
    if network not in ("sam", "sam-hq", "sam2"):
        raise ModelError(
            f"{ref.name} is a single file of {network}, whose layout is not known",
            field="model",
            value=ref.name,
            hint="use its folder in transformers' layout",
        )
    tensors = renamed(tensors_in(ref.path), network)
    sizes = hiera_sizes(tensors, ref.name) if network == "sam2" else vit_sizes(tensors, ref.name)
    return with_weights(lambda: kind(settings(**sizes)), tensors, ref.name)


def tensors_in(path: Path) -> dict[str, Any]:
    """The tensors of a file, of which `find_network` knows that it may be read.

    Raises:
        ModelError: It is cut short or damaged.
    """
    from overpaint.models.pickles import load_pickle

    if path.suffix != ".safetensors":
        return dict(load_pickle(path).tensors)
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except Exception as error:  # any bytes may be in the file
        raise ModelError(f"{path.name} is cut short or damaged; download it again") from error


def _words(ref: ModelRef, digest: str) -> Sam3Words:
    kind = transformers_class("sam3.modeling_sam3", "Sam3Model", ref.name)
    tokenizer = tokenizer_of(ref.path, ref.name)  # first, as a folder without one may have no detector either
    return held((digest, "words"), lambda: Sam3Words(loaded_folder(kind, ref), tokenizer))
