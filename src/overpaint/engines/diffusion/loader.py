"""From a model's files to networks. The one module that knows diffusers' names.

Networks are made from configurations without memory of their own (torch's meta device) and take the files' tensors as
they are; single files of the original release are renamed by diffusers' converters. Nothing here can reach a network.

Of diffusers it takes what the networks need and nothing that its packages bring along, which would be half of a
command's start (see `private_copy`); transformers it does without, for the same reason. What is left is most of a
second: the engine imports it with its first canvas.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from overpaint.engines.loading import private_copy
from overpaint.engines.weight_store import shared_network
from overpaint.models import (
    ClipVocabulary,
    Kind,
    ModelError,
    ModelRef,
    config_folder,
    detect,
    digest,
    family_of,
    family_title,
    find_vocabulary,
    read_json,
    read_table,
    read_vocabulary,
    scheduler_config,
    weights_in,
)
from overpaint.models.detect import with_unet_prefix

from .caches import bytes_of
from .clip import ClipConfig, ClipText
from .clip_tokens import ClipTokens
from .families.unet import ClipPart, UNetFamily
from .values import LoadedModel
from .weights import Tensors, read_tensors

_UNETS, _VAES, _TINY_VAES, _SINGLE, _LOGGING = private_copy(
    "diffusers",
    "overpaint_diffusers",
    (
        "models.unets.unet_2d_condition",
        "models.autoencoders.autoencoder_kl",
        "models.autoencoders.autoencoder_tiny",
        "loaders.single_file_utils",
        "utils.logging",
    ),
    late=("models.autoencoders", "models.transformers", "models.unets"),
    # what its other models, pipelines and schedulers need, and those who train or compile
    without=("transformers", "scipy", "accelerate", "peft", "bitsandbytes", "torchao", "torch._dynamo"),
)
_LOGGING.set_verbosity_error()  # what is wrong is raised, and advice about its pipelines helps no one here

_UNET, _VAE = "model.diffusion_model.", "first_stage_model."
_OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
_GUIDED = {"time_embed.cond_proj.weight": "time_embedding.cond_proj.weight"}  # LCM's, which the converters don't know


@dataclass(frozen=True, eq=False, slots=True)
class CheckpointNetworks:
    """The networks of a U-Net checkpoint: UNet2DConditionModel, AutoencoderKL or AutoencoderTiny, text encoders."""

    unet: Any
    vae: Any
    text_encoders: tuple[ClipText, ...]


def load(ref: ModelRef, dtype: Any = torch.float32, vae_dtype: Any = None) -> LoadedModel:
    """Load a model with a U-Net. Nothing is downloaded.

    Args:
        ref: From `overpaint.models.find`.
        dtype: Of U-Net and text encoders.
        vae_dtype: Of the VAE; left out, `dtype`, but float32 instead of float16 for one that can't run in it.

    Raises:
        ModelError: Files that are missing, damaged, of another kind, or pickles that were not allowed.
    """
    kind = ref.kind
    if kind.what != "checkpoint" or kind.family is None or kind.prediction is None or kind.channels is None:
        raise ModelError(f"{ref.name} is not a checkpoint but a {kind.title}")
    family: UNetFamily = family_of(kind.family)
    held = _held(ref, dtype)
    parts = networks(ref, held, dtype, vae_dtype, source=_unet_source(ref) or None)
    schedule = _schedule(ref)
    if held is not None and "ztsnr" in held:
        schedule["rescale_betas_zero_snr"] = True
    index = ref.text_source.path / "model_index.json"
    zero = read_json(index).get("force_zeros_for_empty_prompt") if index.is_file() else None
    whole = hashlib.sha256(digest(ref.path).encode())
    for path in ref.further_files:
        whole.update(digest(path).encode())
    whole.update(json.dumps([kind.prediction, kind.lcm, ref.variant, str(dtype), str(vae_dtype)]).encode())
    return LoadedModel(
        family,
        parts.unet,
        parts.vae,
        parts.text_encoders,
        _tokenizers(ref.text_source, family),
        schedule,
        kind.prediction,
        whole.hexdigest(),
        inpainting=kind.inpainting,
        empty_is_zeros=family.empty_is_zeros if zero is None else bool(zero),
    )


def networks(
    ref: ModelRef,
    held: Tensors | None,
    dtype: Any = torch.float32,
    vae_dtype: Any = None,
    *,
    source: str | None = None,
) -> CheckpointNetworks:
    """The networks of a checkpoint; the parts that it lacks are those of its base.

    Args:
        ref: The checkpoint.
        held: The tensors of a single file; None for a folder.
        dtype: See `load`.
        vae_dtype: See `load`.
        source: Digest of the U-Net's weights; left out, they are read for it.

    Raises:
        ModelError: Tensors that are missing or have other shapes than the configuration says.
    """
    assert ref.kind.family is not None
    family: UNetFamily = family_of(ref.kind.family)
    base, lacks = ref.base, ref.kind.lacks
    unet = _unet(ref, family, held, dtype, source)
    base_held = None if base is None else _held(base, dtype)
    if base is not None and "text" in lacks:
        texts = _texts(base, family, base_held, dtype)
    else:
        texts = _texts(ref, family, held, dtype)
    if ref.vae is not None:
        vae = load_vae(ref.vae, ref.kind, dtype, vae_dtype, ref)
    elif base is not None and "vae" in lacks:
        vae = _vae(base, base_held, dtype, vae_dtype)
    else:
        vae = _vae(ref, held, dtype, vae_dtype)
    return CheckpointNetworks(unet, vae, texts)


def _held(ref: ModelRef, dtype: Any) -> Tensors | None:
    """The tensors of a single file; None for a folder, whose parts have files of their own."""
    if ref.path.is_dir():
        return None
    return with_unet_prefix(read_tensors(ref.path, allow_pickle=ref.allow_pickle, dtype=dtype))


def _schedule(ref: ModelRef) -> dict[str, Any]:
    """The training schedule, by the first of its folders that has one, else the published one."""
    base = None if ref.base is None else ref.base.configs
    folders = [one for one in (ref.path, ref.config, base) if one is not None]
    own = next((one for one in folders if (one / "scheduler" / "scheduler_config.json").is_file()), None)
    return dict(scheduler_config(ref.kind, own))


def _unet(ref: ModelRef, family: UNetFamily, held: Tensors | None, dtype: Any, source: str | None) -> Any:
    cls, what = _UNETS.UNet2DConditionModel, f"the U-Net of {family.title}"
    if held is None:
        folder = _unet_folder(ref)
        tensors = _component(folder, ref, dtype)
        return _filled(cls, read_json(folder / "config.json"), tensors, dtype, what, source=source)
    config = family.config(ref.kind, ref.configs)
    if ref.kind.layout == "diffusers":
        if ref.kind.embeds_guidance:
            config["time_cond_proj_dim"] = held["time_embedding.cond_proj.weight"].shape[1]
        return _filled(cls, config, held, dtype, what, source=source)
    return _filled(cls, config, _single_unet(family, held, config, what), dtype, what, source=source)


def _vae(ref: ModelRef, held: Tensors | None, dtype: Any, vae_dtype: Any) -> Any:
    if held is None:
        return _folder_vae(ref.path / "vae", dtype, vae_dtype, ref)
    folder = ref.configs or config_folder(ref.kind.family or "")
    own = {name: one for name, one in held.items() if name.startswith(_VAE)}
    return _single_vae(own, read_json(folder / "vae" / "config.json"), dtype, vae_dtype)


def _texts(ref: ModelRef, family: UNetFamily, held: Tensors | None, dtype: Any) -> tuple[ClipText, ...]:
    if held is None:
        folders = [ref.path / part.folder for part in family.texts]
        return tuple(
            _text(_clip(folder), _component(folder, ref, dtype), dtype, projection=part.projection)
            for part, folder in zip(family.texts, folders, strict=True)
        )
    configs = ref.configs or config_folder(family.name)
    return tuple(_single_text(part, held, configs, dtype) for part in family.texts)


def _single_unet(family: UNetFamily, tensors: Tensors, config: dict[str, Any], what: str) -> dict[str, torch.Tensor]:
    """diffusers' names of a U-Net in the original release's layout; an embedding of the guidance goes into `config`."""
    own = {name: one for name, one in tensors.items() if name.startswith(_UNET)}
    renamed = {new: own[_UNET + old] for old, new in _GUIDED.items() if _UNET + old in own}
    for one in renamed.values():
        config["time_cond_proj_dim"] = one.shape[1]
    try:
        converted: dict[str, torch.Tensor] = _SINGLE.convert_ldm_unet_checkpoint(dict(own), config=config) | renamed
    except KeyError as error:
        raise ModelError(f"{what} lacks {error.args[0]}: the file is incomplete") from error
    _all_used(own, converted, family)
    return converted


def _all_used(own: Tensors, converted: Tensors, family: UNetFamily) -> None:
    """The converter takes what it knows; what it left must be nothing."""
    given, taken = sum(one.numel() for one in own.values()), sum(one.numel() for one in converted.values())
    if taken < given:
        raise ModelError(
            f"this U-Net has more than one of {family.title}: {given - taken:,} numbers have no place in it"
        )


def _single_vae(tensors: Tensors, config: Mapping[str, Any], dtype: Any, vae_dtype: Any) -> Any:
    converted = _SINGLE.convert_ldm_vae_checkpoint(dict(tensors), config=config)
    return _filled(_VAES.AutoencoderKL, config, converted, _vae_type(config, dtype, vae_dtype), "the VAE")


def _vae_type(config: Mapping[str, Any], dtype: Any, vae_dtype: Any) -> Any:
    if vae_dtype is not None:
        return vae_dtype
    return torch.float32 if dtype == torch.float16 and config.get("force_upcast", False) else dtype


def _single_text(part: ClipPart, tensors: Tensors, folder: Path, dtype: Any) -> ClipText:
    config = _clip(folder / part.folder)
    if part.open_clip is None:
        converted = _SINGLE.convert_ldm_clip_checkpoint(tensors)
    else:
        converted = _open_clip(config, tensors, part.open_clip)
    return _text(config, converted, dtype, projection=part.projection)


def _open_clip(config: ClipConfig, tensors: Tensors, prefix: str) -> dict[str, torch.Tensor]:
    """Renamed by diffusers' converter, which only asks the model for its width."""
    holder = type("Holder", (), {"config": config})()
    converted: dict[str, torch.Tensor] = _SINGLE.convert_open_clip_checkpoint(holder, tensors, prefix=prefix)
    return converted


def _clip(folder: Path) -> ClipConfig:
    config = read_json(folder / "config.json")
    inner = config.get("text_config")
    try:
        return ClipConfig.read({**config, **inner} if isinstance(inner, dict) else config)
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error


def _text(config: ClipConfig, tensors: Tensors, dtype: Any, *, projection: bool = False) -> ClipText:
    """A text encoder. Layers beyond its last (SD 2 leaves out the 24th) and what it does not have are dropped."""
    with torch.device("meta"):
        network = ClipText(config, projection=projection)
    named = {name.removeprefix("text_model."): one for name, one in tensors.items()}
    filled: ClipText = _put(network, named, dtype, "the text encoder", repr(config), strict=False)
    return filled


def _filled(
    cls: Any, config: Mapping[str, Any], tensors: Tensors, dtype: Any, what: str, *, source: str | None = None
) -> Any:
    with torch.device("meta"):
        known = inspect.signature(cls.__init__).parameters
        network = cls(**{name: value for name, value in config.items() if name in known})
    return _put(network, tensors, dtype, what, json.dumps(config, sort_keys=True, default=str), source=source)


def _put(
    network: Any,
    tensors: Tensors,
    dtype: Any,
    what: str,
    config: str,
    *,
    strict: bool = True,
    source: str | None = None,
) -> Any:
    """Give a network without memory its tensors; every one must be there and have its shape.

    Where another engine holds the same network (type, configuration, weights by digest, dtype), it is that one.
    """
    wanted = network.state_dict()
    for name in sorted(wanted.keys() & tensors.keys()):
        if tuple(wanted[name].shape) != tuple(tensors[name].shape):
            raise ModelError(
                f"{what} is of other sizes than its configuration says: {name} is {tuple(tensors[name].shape)}, "
                f"and should be {tuple(wanted[name].shape)} (a single file of other sizes needs the option 'config')"
            )
    missing = sorted(set(wanted) - set(tensors))
    if missing:
        raise ModelError(
            f"{what} lacks {len(missing)} of its {len(wanted)} tensors ({missing[0]}, ...): "
            "the file is incomplete or of another kind"
        )
    unknown = sorted(set(tensors) - set(wanted)) if strict else []
    if unknown:
        raise ModelError(f"{what} has {len(unknown)} tensors that it should not have ({unknown[0]}, ...)")

    def fill() -> Any:
        given = {
            name: tensors[name].to(dtype) if one.is_floating_point() else tensors[name] for name, one in wanted.items()
        }
        network.load_state_dict(given, strict=True, assign=True)
        return network.requires_grad_(False).eval()

    def key() -> tuple[str, ...]:
        return source or _digest({name: tensors[name] for name in wanted}), type(network).__name__, config, str(dtype)

    return shared_network(key, fill, lambda filled: bytes_of(*filled.parameters()))


def _digest(tensors: Tensors) -> str:
    """SHA-256 of tensors with their names, types and shapes."""
    found = hashlib.sha256()
    for name, one in sorted(tensors.items()):
        found.update(f"{name} {one.dtype} {tuple(one.shape)}".encode())
        if one.numel():
            found.update(one.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _unet_source(ref: ModelRef) -> str:
    """The digest that stands for a U-Net's weights; "" for shards, whose list says nothing about what is in them."""
    if not ref.path.is_dir():
        return f"unet of {digest(ref.path)}"
    file = _weights_file(_unet_folder(ref), ref)
    return "" if file.suffix == ".json" else digest(file)


def _unet_folder(ref: ModelRef) -> Path:
    return ref.path / "unet" if (ref.path / "unet").is_dir() else ref.path


def weight_bytes(ref: ModelRef, dtype: Any, holds: Callable[[str], bool]) -> int:
    """Memory that a model's weights will take, from the headers of its files.

    Args:
        ref: The model.
        dtype: What its networks will calculate in.
        holds: Whether a U-Net of these weights is in memory already.
    """
    family: UNetFamily = family_of(ref.kind.family or "")
    counted = [] if holds(_unet_source(ref)) else [*_part_shapes(ref, "unet", family)]
    counted += _part_shapes(ref.text_source, "text", family)
    if ref.vae is None:
        counted += _part_shapes(ref.base if ref.base is not None and "vae" in ref.kind.lacks else ref, "vae", family)
    return sum(prod(shape) for shape in counted) * int(dtype.itemsize)


def _part_shapes(ref: ModelRef, part: str, family: UNetFamily) -> list[tuple[int, ...]]:
    """Shapes of the tensors of one part: "unet", "vae" or "text"."""
    if ref.path.is_dir():
        folders = {"unet": [_unet_folder(ref)], "vae": [ref.path / "vae"]}
        files = folders.get(part) or [ref.path / one.folder for one in family.texts]
        return [shape for one in files for shape in _shapes(_weights_file(one, ref)).values()]
    shapes = with_unet_prefix(_shapes(ref.path))
    if ref.kind.layout == "diffusers":
        return list(shapes.values()) if part == "unet" else []
    prefixes = {"unet": (_UNET,), "vae": (_VAE,)}.get(part, ("cond_stage_model.", "conditioner."))
    return [shape for name, shape in shapes.items() if name.startswith(prefixes)]


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of a file's tensors by name; of all shards, where it is the list of them."""
    files = {file}
    if file.suffix == ".json":
        files = {file.parent / str(name) for name in read_json(file).get("weight_map", {}).values()}
    return {name: one.shape for each in sorted(files) for name, one in read_table(each).tensors.items()}


def _component(folder: Path, ref: ModelRef, dtype: Any) -> dict[str, torch.Tensor]:
    """The weights in one component's folder."""
    return read_tensors(_weights_file(folder, ref), allow_pickle=ref.allow_pickle, dtype=dtype)


def _weights_file(folder: Path, ref: ModelRef) -> Path:
    """A component's file of weights: the variant asked for, else the plain one, else what is there."""
    sets = weights_in(folder)
    if ref.variant is not None and ref.variant in sets:
        found = sets[ref.variant]
    else:
        found = sets.get("") or sets.get("fp16") or next(iter(sets.values()), {})
    path = found.get("safetensors") or found.get("pickle")
    if path is None:
        raise ModelError(f"{folder} has no weights: the model's download is incomplete")
    return path


def _folder_vae(folder: Path, dtype: Any, vae_dtype: Any, ref: ModelRef) -> Any:
    config = read_json(folder / "config.json")
    tensors = _component(folder, ref, vae_dtype or dtype)
    if config.get("_class_name") == "AutoencoderTiny":
        return _filled(_TINY_VAES.AutoencoderTiny, config, tensors, vae_dtype or dtype, "the tiny VAE")
    return _filled(_VAES.AutoencoderKL, config, _newer(tensors), _vae_type(config, dtype, vae_dtype), "the VAE")


def _newer(tensors: Tensors) -> dict[str, torch.Tensor]:
    """Attention layers by the names that they have had since diffusers 0.17; published VAEs still have older ones."""
    named = {}
    for name, one in tensors.items():
        for old, new in _OLD_ATTENTION.items():
            if ".attentions." in name:
                name = name.replace(old, new)
        named[name] = one[:, :, 0, 0] if ".attentions." in name and one.ndim == 4 else one
    return named


def load_vae(path: Path, kind: Kind, dtype: Any, vae_dtype: Any, ref: ModelRef) -> Any:
    """A VAE of its own: a folder, a file in either layout, a tiny one, or that of a whole checkpoint.

    Args:
        path: The file or folder.
        kind: Of the checkpoint that it is for: a file without configuration gets the family's.
        dtype: See `load`.
        vae_dtype: See `load`.
        ref: Whose configurations and permissions hold.

    Raises:
        ModelError: Not a VAE, damaged, or for another family.
    """
    assert kind.family is not None
    family: UNetFamily = family_of(kind.family)
    found = detect(path)
    if path.is_dir():
        folder = path / "vae" if (path / "vae").is_dir() else path
        return _folder_vae(folder, dtype, vae_dtype, ref)
    if found.what == "checkpoint" and found.family and family_of(found.family).latents != family.latents:
        raise ModelError(f"{path.name} is of {family_title(found.family)}: its VAE does not go with {ref.name}")
    tensors = read_tensors(path, allow_pickle=ref.allow_pickle, dtype=vae_dtype or dtype)
    if found.what == "tiny-vae":
        if ref.vae_encoder is not None:
            tensors = tiny_vae_names(read_tensors(ref.vae_encoder, allow_pickle=ref.allow_pickle), tensors)
        config = read_json(config_folder("taesd") / "config.json")
        return _filled(_TINY_VAES.AutoencoderTiny, config, tensors, vae_dtype or dtype, "the tiny VAE")
    config = read_json((ref.config or config_folder(kind.family)) / "vae" / "config.json")
    if found.layout == "diffusers":
        return _filled(_VAES.AutoencoderKL, config, _newer(tensors), _vae_type(config, dtype, vae_dtype), "the VAE")
    kept = {
        name: one for name, one in tensors.items() if name.startswith((_VAE, "encoder.", "decoder.", "quant", "post"))
    }
    if any(name.startswith(_VAE) for name in kept):
        kept = {name: one for name, one in kept.items() if name.startswith(_VAE)}
    return _single_vae(kept, config, dtype, vae_dtype)


def tiny_vae_names(encoder: Tensors, decoder: Tensors) -> dict[str, torch.Tensor]:
    """AutoencoderTiny's names of the two files of a tiny VAE's original release, whose decoder begins with a clamp."""
    named = {f"encoder.layers.{name}": one for name, one in encoder.items()}
    for name, one in decoder.items():
        number, _, rest = name.partition(".")
        named[f"decoder.layers.{int(number) - 1}.{rest}"] = one
    return named


def _tokenizers(ref: ModelRef, family: UNetFamily) -> tuple[ClipTokens, ...]:
    """A tokenizer for each text encoder."""
    shared: ClipVocabulary | None = None
    found = []
    for part in family.texts:
        folder, pad = ref.path / part.tokenizer, part.pad
        vocabulary = None
        if ref.kind.form == "folder" and folder.is_dir():
            vocabulary, pad = read_vocabulary(folder), _pad(folder) or pad
        if vocabulary is None:
            shared = shared or find_vocabulary(ref.path)
            vocabulary = shared
        found.append(ClipTokens(vocabulary, pad))
    return tuple(found)


def _pad(folder: Path) -> str:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            pad = read_json(folder / name).get("pad_token")
            pad = pad.get("content") if isinstance(pad, dict) else pad
            if pad:
                return str(pad)
    return ""
