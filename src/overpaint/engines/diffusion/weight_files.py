"""The files of weights of a checkpoint's parts, and the memory that they will take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch

from overpaint.models import ModelError, ModelRef, ReferenceRefs, digest, family_of, read_table, weights_in
from overpaint.models.detect import control_tensors, with_unet_prefix

from .families.unet import UNetFamily
from .weights import is_shard_list, read_tensors, shards_in

UNET_PREFIX, VAE_PREFIX = "model.diffusion_model.", "first_stage_model."
"""Of the tensors of a single file in the original release's layout."""


def unet_source(ref: ModelRef) -> str:
    """The digest of a U-Net's weights; "" for shards, as their list does not depend on their contents."""
    if not ref.path.is_dir():
        return f"unet of {digest(ref.path)}"
    file = weights_file(unet_folder(ref), ref)
    return "" if is_shard_list(file) else digest(file)


def unet_folder(ref: ModelRef) -> Path:
    """The folder of a model's U-Net: the model's own, if it is a U-Net alone."""
    return ref.path / "unet" if (ref.path / "unet").is_dir() else ref.path


def control_source(ref: ModelRef) -> str:
    """The digest of a ControlNet's weights."""
    return f"controlnet of {digest(ref.path)}"


def control_bytes(ref: ModelRef, dtype: Any, holds: Callable[[str], bool]) -> int:
    """Memory that a ControlNet's weights will take, from the header of its file; 0 where they are in memory already.

    The arguments are those of `weight_bytes`.
    """
    if holds(control_source(ref)):
        return 0
    return sum(prod(shape) for shape in _control_shapes(ref).values()) * int(dtype.itemsize)


def check_control(ref: ModelRef, model: ModelRef) -> None:
    """Check that a ControlNet was made for U-Nets of a checkpoint's sizes, from the header of its file.

    Raises:
        ModelError: It has another width, or reads texts of another width (code "control-sizes").
    """
    family: UNetFamily = family_of(model.kind.family or "")
    config, shapes = family.config(model), _control_shapes(ref)
    first = shapes.get("conv_in.weight") or shapes.get("input_blocks.0.0.weight") or (0,)
    reads = next((shape for name, shape in shapes.items() if name.endswith(".attn2.to_k.weight")), None)
    widths = first[0], config["cross_attention_dim"] if reads is None else reads[-1]
    if widths != (wanted := (config["block_out_channels"][0], config["cross_attention_dim"])):
        raise ModelError(
            f"the ControlNet {ref.name} is for networks of other sizes than {model.name}: its widths are {widths}, and "
            f"should be {wanted}",
            code="control-sizes",
            field="controls",
            value=ref.name,
            hint="name one that was made for this checkpoint, or another checkpoint",
        )


def check_adapter(ref: ModelRef, model: ModelRef) -> None:
    """Check that an IP-Adapter was made for U-Nets of a checkpoint's width of text, from the header of its file.

    Raises:
        ModelError: Its layers read states of another width (code "control-sizes").
    """
    family: UNetFamily = family_of(model.kind.family or "")
    wanted = family.config(model)["cross_attention_dim"]
    found = next((shape[-1] for name, shape in _shapes(ref.path).items() if name.endswith(".to_k_ip.weight")), 0)
    if found != wanted:
        raise ModelError(
            f"the IP-Adapter {ref.name} is for networks of other sizes than {model.name}: its layers read states of "
            f"{found} numbers, and should read {wanted}",
            code="control-sizes",
            field="controls",
            value=ref.name,
            hint="name one that was made for this checkpoint, or another checkpoint",
        )


def _control_shapes(ref: ModelRef) -> Mapping[str, tuple[int, ...]]:
    return control_tensors(_shapes(weights_file(ref.path, ref) if ref.path.is_dir() else ref.path))


def adapter_sources(refs: ReferenceRefs) -> tuple[str, str, str]:
    """The digests of an IP-Adapter's layers, of its projection, and of its picture encoder."""
    adapter = digest(refs.adapter.path)
    return f"ip-adapter {adapter}", f"projection of {adapter}", f"picture encoder {digest(refs.encoder.path)}"


def adapter_bytes(refs: ReferenceRefs, dtype: Any, holds: Callable[[str], bool]) -> int:
    """Memory that an IP-Adapter and its encoder will take; 0 for those that are in memory. As `control_bytes`."""
    layers, _, encoder = adapter_sources(refs)
    files = [] if holds(layers) else [refs.adapter.path]
    files += [] if holds(encoder) else [encoder_file(refs.encoder)]
    return sum(prod(shape) for one in files for shape in _shapes(one).values()) * int(dtype.itemsize)


def encoder_file(ref: ModelRef) -> Path:
    """A picture encoder's file of weights."""
    return weights_file(ref.path, ref) if ref.path.is_dir() else ref.path


def weight_bytes(ref: ModelRef, dtype: Any, holds: Callable[[str], bool]) -> int:
    """Memory that a model's weights will take, from the headers of its files.

    Args:
        ref: The model.
        dtype: Type that its networks will calculate in.
        holds: Whether a U-Net of these weights is in memory already.
    """
    family: UNetFamily = family_of(ref.kind.family or "")
    counted = [] if holds(unet_source(ref)) else [*_part_shapes(ref, "unet", family)]
    counted += _part_shapes(ref.source_of("text"), "text", family)
    if ref.vae is None:
        counted += _part_shapes(ref.source_of("vae"), "vae", family)
    return sum(prod(shape) for shape in counted) * int(dtype.itemsize)


def _part_shapes(ref: ModelRef, part: str, family: UNetFamily) -> list[tuple[int, ...]]:
    """Shapes of the tensors of one part: "unet", "vae" or "text"."""
    if ref.path.is_dir():
        folders = {"unet": [unet_folder(ref)], "vae": [ref.path / "vae"]}
        files = folders.get(part) or [ref.path / one.folder for one in family.texts]
        return [shape for one in files for shape in _shapes(weights_file(one, ref)).values()]
    shapes = with_unet_prefix(_shapes(ref.path))
    if ref.kind.layout == "diffusers":
        return list(shapes.values()) if part == "unet" else []
    prefixes = {"unet": (UNET_PREFIX,), "vae": (VAE_PREFIX,)}.get(part, ("cond_stage_model.", "conditioner."))
    return [shape for name, shape in shapes.items() if name.startswith(prefixes)]


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of a file's tensors by name; for a list of shards, those of all shards."""
    files = shards_in(file) if is_shard_list(file) else [file]
    return {name: one.shape for each in files for name, one in read_table(each).tensors.items()}


def component_tensors(folder: Path, ref: ModelRef, dtype: Any) -> dict[str, torch.Tensor]:
    """The weights in one component's folder."""
    return read_tensors(weights_file(folder, ref), allow_pickle=ref.allow_pickle, dtype=dtype)


def weights_file(folder: Path, ref: ModelRef) -> Path:
    """A component's file of weights: the requested variant, else the plain one, else any."""
    sets = weights_in(folder)
    found = sets.get(ref.variant or "") or sets.get("") or sets.get("fp16") or next(iter(sets.values()), {})
    path = found.get("safetensors") or found.get("pickle")
    if path is None:
        raise ModelError(f"{folder} has no weights: the model's download is incomplete")
    return path
