"""LoRAs: files of small changes of a network's weights, merged into a copy of it. The network itself stays as it is.

What the changes are: see `lora_changes`. Names: see `lora_names`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from overpaint.models import ModelError, detect, digest, family_title, read_json, read_table

from .caches import bytes_of
from .copies import shared_copy
from .families import Family
from .lora_changes import BIASES, LATENTS, LoraLayer, change, change_bias, of_latents
from .lora_names import Part, layer_names, place_of
from .weights import Tensors, read_tensors

METHODS = ("lora", "loha", "lokr", "dora", "ia3", "full")
"""Methods of LoRA files that can be merged, as `Kind.method` names them."""

_TEXTS: tuple[Part, ...] = ("text", "text_2")
_PREFIXES: dict[Part, str] = {"unet": "unet.", "text": "text_encoder.", "text_2": "text_encoder_2."}


@dataclass(frozen=True, eq=False, slots=True)
class Lora:
    """A file of changes.

    Attributes:
        name: The name that prompts use.
        digest: SHA-256 of the file, or of the folder with its settings.
        layers: The changes, one for each layer.
        family: The family that it was made for, where its shapes show it.
        unknown: Names of tensors in the file that are no factor of a change.
    """

    name: str
    digest: str
    layers: tuple[LoraLayer, ...]
    family: str | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoraUse:
    """A LoRA with its strengths.

    Attributes:
        lora: The LoRA.
        unet: Strength in the U-Net: any number; 0 changes nothing.
        text: Strength in the text encoders.
        ranks: How many of the first ranks are used; None: all.
    """

    lora: Lora
    unet: float = 1.0
    text: float = 1.0
    ranks: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Merged:
    """A model's networks with a set of LoRAs in them; unchanged weights are shared with the base.

    Attributes:
        unet: The base's own network where nothing in it changes.
        text_encoders: The same.
        unet_digest: Digest of the U-Net with its LoRAs.
        text_digest: Digest of the text encoders with theirs.
        bytes: Memory of the changed weights.
        notes: What the files hold that had no effect, one sentence for each LoRA.
    """

    unet: Any
    text_encoders: tuple[Any, ...]
    unet_digest: str
    text_digest: str
    bytes: int = 0
    notes: tuple[str, ...] = ()


def read_lora(path: Path, name: str | None = None, *, allow_pickle: bool = False) -> Lora:
    """Read a LoRA from a file, or from a folder as peft writes it.

    Raises:
        ModelError: Not a LoRA; a method that is not supported (OFT, GLoRA); damaged; a pickle that is not allowed.
    """
    file, settings = _weights_of(path), {}
    if path.is_dir():
        settings = read_json(path / "adapter_config.json")
    kind = detect(file)
    name = name or path.stem
    if kind.what != "lora":
        raise ModelError(f"{name} is not a LoRA but {kind.described}")
    if kind.method not in METHODS:
        raise ModelError(
            f"{name} is of the kind {kind.method.upper()}, which is not supported",
            code="lora-method-unsupported",
            value=kind.method,
            hint="LoRA, LoCon, LoHa, LoKr, DoRA, IA3 and plain differences are",
        )
    settings = settings or _peft_settings(read_table(file).metadata)
    tensors = read_tensors(file, allow_pickle=allow_pickle)
    return lora_from(tensors, name, digest(path), family=kind.family, settings=settings)


def lora_from(
    tensors: Tensors, name: str, sha256: str, *, family: str | None = None, settings: Mapping[str, Any] = {}
) -> Lora:
    """The LoRA that these tensors are.

    Args:
        tensors: By their names in a file.
        name: What errors call it.
        sha256: Digest of the file.
        family: The family that it was made for, where that is known.
        settings: peft's.

    Raises:
        ModelError: They are damaged, or have no known names.
    """
    try:
        layers, unknown = _layers(tensors, settings)
    except ValueError as error:
        raise ModelError(f"{name} is damaged: {error}") from error
    if not layers:
        raise ModelError(f"{name} has no layers by known names: it holds {next(iter(tensors), 'nothing')!r}, ...")
    return Lora(name, sha256, layers, family, unknown)


def _peft_settings(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What diffusers writes into the header of a peft LoRA: ranks and alphas, each after its part's prefix."""
    try:
        held = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    except (ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def _layers(tensors: Tensors, settings: Mapping[str, Any]) -> tuple[tuple[LoraLayer, ...], tuple[str, ...]]:
    """The changes, and the names of tensors that belong to none."""
    grouped: dict[tuple[Part, str], dict[str, str]] = {}
    unknown = []
    for key in tensors:
        place = place_of(key)
        if place is None:
            unknown.append(key)
        else:
            part, layer, factor = place
            grouped.setdefault((part, layer), {})[factor] = key
    layers = []
    for (part, layer), keys in grouped.items():
        if ("ia3" in keys) != ("on_input" in keys) or keys.keys() == {"alpha"}:
            unknown += keys.values()
            continue
        if "diff" in keys:  # the whole change, which needs no factors
            unknown += [keys.pop(one) for one in ("down", "up", "mid") if one in keys]
        held = {factor: tensors[key] for factor, key in keys.items()}
        alpha = held.pop("alpha", None)
        if settings.get("peft_type") in ("LOHA", "LOKR"):  # peft scales these by its settings, not by the tensors' rank
            first = next((one for one in ("hada_w1_a", "lokr_w1", "lokr_w1_a") if one in held), "")
            if first and settings.get("r"):
                held[first] = held[first].float() * (
                    _number(settings.get("alpha", 1), layer) / (_number(settings["r"], layer) or 1)
                )
        layers.append(
            LoraLayer(
                part,
                layer,
                held,
                _number(alpha, layer) if alpha is not None else _alpha(settings, part, layer),
                settings.get(_PREFIXES[part] + "use_rslora", settings.get("use_rslora")) in (True, "true", "True"),
            )
        )
    return tuple(layers), tuple(unknown)


def _alpha(settings: Mapping[str, Any], part: Part, layer: str) -> float | None:
    """peft's alpha of a layer: one for all, and others for layers whose names end as the pattern says."""
    for start in (_PREFIXES[part], ""):
        pattern = settings.get(f"{start}alpha_pattern") or {}
        for name, one in pattern.items() if isinstance(pattern, dict) else ():
            if layer.endswith(str(name).replace(".", "_").lstrip("^")):
                return _number(one, layer)
        if (alpha := settings.get(f"{start}lora_alpha")) is not None:
            return _number(alpha, layer)
    return None


def _number(value: Any, layer: str) -> float:
    """A finite number of a file's settings, which may hold anything."""
    with contextlib.suppress(TypeError, ValueError, RuntimeError, OverflowError):
        if math.isfinite(number := float(value)):
            return number
    raise ValueError(f"the scale of the layer {layer} is {value!r:.60}; right would be a finite number")


def merge(
    network: Any, text_encoders: Sequence[Any], base_digest: str, uses: Sequence[LoraUse], family: Family | None = None
) -> Merged:
    """The networks with these LoRAs in them, in the order given. The given networks are left as they are.

    Args:
        network: What predicts.
        text_encoders: CLIP text models, one or two.
        base_digest: Digest of the model.
        uses: The LoRAs to merge.
        family: The model's family: a LoRA that was made for another one is an error.

    Raises:
        ModelError: A LoRA for another family, for other sizes, or without a single layer of this model.
    """
    networks = _parts(network, text_encoders)
    tables: dict[Part, dict[str, str]] = {part: layer_names(one, part, family) for part, one in networks.items()}
    changed: dict[Part, dict[str, torch.Tensor]] = {part: {} for part in networks}
    notes = []
    for use in uses:
        _check_family(use.lora, family)
        missing, placed = list(use.lora.unknown), 0
        for layer in use.lora.layers:
            module = tables.get(layer.part, {}).get(layer.name)
            if module is None:
                missing.append(layer.name)
                continue
            placed += 1
            parameters = dict(networks[layer.part].get_submodule(module).named_parameters(recurse=False))
            if BIASES & layer.tensors.keys() and "bias" not in parameters:
                missing.append(f"{layer.name}.bias")
            strength = use.unet if layer.part == "unet" else use.text
            try:
                new = dict(_changes(layer, module, parameters, changed[layer.part], strength, use.ranks))
            except ModelError as error:
                raise ModelError(
                    f"the LoRA {use.lora.name!r} does not go with this model: {error}", code="lora-mismatch"
                ) from error
            if not all(bool(torch.isfinite(one).all()) for one in new.values()):
                raise ModelError(
                    f"the LoRA {use.lora.name!r} is damaged: its layer {layer.name} has numbers that are not finite"
                )
            changed[layer.part].update(new)
            if "weight" in parameters and new and of_latents(layer, parameters["weight"]):
                notes.append(
                    f"the LoRA {use.lora.name!r} was made for a network of {LATENTS} channels: its change of the first "
                    f"convolution ({layer.name}) acts on the {LATENTS} of 9 channels that hold the latents"
                )
        if without := [layer.name for layer in use.lora.layers if layer.alpha == 0]:
            notes.append(
                f"{len(without)} layers of the LoRA {use.lora.name!r} have an alpha of 0 and no effect ({without[0]})"
            )
        notes += _missing_note(use.lora, missing, placed)
    copies: dict[Part, Any] = {part: _with(networks[part], weights) for part, weights in changed.items()}
    size = sum(
        networks[part].get_parameter(name).element_size() * one.numel()
        for part, weights in changed.items()
        for name, one in weights.items()
    )
    return Merged(
        copies["unet"],
        tuple(copies[part] for part in _TEXTS if part in copies),
        set_digest(base_digest, uses, "unet"),
        set_digest(base_digest, uses, "text"),
        size,
        tuple(notes),
    )


def changed_bytes(
    paths: Sequence[Path], network: Any, text_encoders: Sequence[Any], family: Family | None = None
) -> int:
    """Memory of the weights that LoRAs change, from the headers of their files; as `merge` gives it (`Merged.bytes`).

    Args:
        paths: Of the LoRAs.
        network: See `merge`.
        text_encoders: See `merge`.
        family: See `merge`.

    Raises:
        ModelError: A file is missing or damaged.
    """
    networks = _parts(network, text_encoders)
    tables: dict[Part, dict[str, str]] = {part: layer_names(one, part, family) for part, one in networks.items()}
    changed = set[tuple[Part, str, str]]()
    for key in (key for path in paths for key in read_table(_weights_of(path)).tensors):
        if (place := place_of(key)) is not None and (module := tables.get(place[0], {}).get(place[1])) is not None:
            changed.add((place[0], module, "bias" if place[2] in BIASES else "weight"))
    tensors = [getattr(networks[part].get_submodule(module), name, None) for part, module, name in changed]
    return bytes_of(*tensors)


def _parts(network: Any, text_encoders: Sequence[Any]) -> dict[Part, Any]:
    """The networks by the names that LoRAs have for them."""
    return {"unet": network, **dict(zip(_TEXTS, text_encoders, strict=False))}


def _weights_of(path: Path) -> Path:
    return path / "adapter_model.safetensors" if path.is_dir() else path


def _check_family(lora: Lora, family: Family | None) -> None:
    if family is not None and lora.family not in (None, family.name):
        assert lora.family is not None
        raise ModelError(
            f"the LoRA {lora.name!r} was made for {family_title(lora.family)}, and this model is {family.title}",
            code="lora-mismatch",
        )


def _changes(
    layer: LoraLayer,
    module: str,
    parameters: Mapping[str, torch.Tensor],
    changed: Mapping[str, torch.Tensor],
    strength: float,
    ranks: int | None,
) -> list[tuple[str, torch.Tensor]]:
    """New values of a layer's parameters by name, on top of what earlier LoRAs changed."""
    if strength == 0:
        return []
    found = []
    if not layer.tensors.keys() <= BIASES:
        name = f"{module}.weight"
        found.append((name, change(layer, changed.get(name, parameters["weight"]), strength, ranks)))
    if BIASES & layer.tensors.keys() and "bias" in parameters:
        name = f"{module}.bias"
        found.append((name, change_bias(layer, changed.get(name, parameters["bias"]), strength)))
    return found


def _missing_note(lora: Lora, missing: Sequence[str], placed: int) -> list[str]:
    """The note about what found no place in the model, if anything. Raises ModelError where nothing did."""
    if not missing:
        return []
    count = len(lora.layers) + len(lora.unknown)
    names = ", ".join(one if one.isprintable() else repr(one) for one in missing[:3])
    names += ", ..." if len(missing) > 3 else ""
    if not placed:
        raise ModelError(
            f"the LoRA {lora.name!r} was made for another model: this one has none of its {count} layers ({names})",
            code="lora-mismatch",
        )
    part = f"{len(missing)} of the {count} layers of the LoRA {lora.name!r}"
    if 2 * len(missing) > count:
        part = f"the LoRA {lora.name!r} was made for another model: {len(missing)} of its {count} layers"
    return [f"{part} have no place in this model and had no effect ({names})"]


def set_digest(base_digest: str, uses: Sequence[LoraUse], part: Literal["unet", "text"]) -> str:
    """The key of a network with a set of LoRAs; the base's own digest where none of them changes it."""
    own = [(use.lora.digest, getattr(use, part), use.ranks) for use in uses if getattr(use, part) != 0]
    return base_digest if not own else hashlib.sha256(json.dumps([base_digest, part, own]).encode()).hexdigest()


def _with(network: Any, weights: Mapping[str, torch.Tensor]) -> Any:
    """A copy of a network that shares all its tensors but these; the network itself if there are none."""
    if not weights:
        return network
    other = shared_copy(network)
    for name, one in weights.items():
        module, _, parameter = name.rpartition(".")
        layer = other.get_submodule(module)
        setattr(layer, parameter, torch.nn.Parameter(one.to(getattr(layer, parameter)), requires_grad=False))
    return other
