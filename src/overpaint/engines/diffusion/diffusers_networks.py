"""The networks of Stable Diffusion, made from tensors and configurations. The one module that knows diffusers' names.

Networks are made from configurations without memory of their own (torch's meta device) and take the files' tensors as
they are; diffusers' converters rename those of the original release. Nothing here reaches the internet.

Of diffusers, only the parts that the networks need are imported (see `private_copy`): the rest of its packages would
take half of a command's start. The import still takes most of a second, and happens with the first canvas.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch.nn import functional as F

from overpaint.engines.loading import private_copy
from overpaint.engines.weight_store import shared_network
from overpaint.models import ModelError, read_json

from .caches import bytes_of
from .clip import ClipConfig, ClipText
from .families.unet import ClipPart
from .weight_files import UNET_PREFIX
from .weights import Tensors


def _copied(*modules: str) -> tuple[ModuleType, ...]:
    """Modules of diffusers, as a copy without the parts that are not needed here."""
    return private_copy(
        "diffusers",
        "overpaint_diffusers",
        modules,
        empty={
            "models.autoencoders": (),
            "models.controlnets": (),
            "models.transformers": (),
            "models.unets": (),
            "quantizers": ("DiffusersAutoQuantizer", "DiffusersQuantizer"),
        },
        # needed by its other models, pipelines and schedulers, by training and by compiling
        without=("transformers", "scipy", "accelerate", "peft", "bitsandbytes", "torchao", "torch._dynamo"),
    )


_UNETS, _VAES, _TINY_VAES, _SINGLE, _LOGGING = _copied(
    "models.unets.unet_2d_condition",
    "models.autoencoders.autoencoder_kl",
    "models.autoencoders.autoencoder_tiny",
    "loaders.single_file_utils",
    "utils.logging",
)
_LOGGING.set_verbosity_error()  # errors are raised; its advice is about its pipelines

UNET, VAE, TINY_VAE = _UNETS.UNet2DConditionModel, _VAES.AutoencoderKL, _TINY_VAES.AutoencoderTiny

MOST_LISTED = 64
"""The longest list in a configuration, where a file has fewer tensors."""

_OLD_ATTENTION = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def unet_from_original(tensors: Tensors, config: Mapping[str, Any], title: str) -> dict[str, torch.Tensor]:
    """diffusers' names of a U-Net in the original release's layout. Raises ModelError for tensors missing or left."""
    own = {name: one for name, one in tensors.items() if name.startswith(UNET_PREFIX)}
    # LCM's, which the converter does not know
    further = {"time_embedding.cond_proj.weight": f"{UNET_PREFIX}time_embed.cond_proj.weight"}
    return converted(_SINGLE.convert_ldm_unet_checkpoint, own, config, title, further)


def converted(
    convert: Callable[..., dict[str, torch.Tensor | None]],
    own: Tensors,
    config: Mapping[str, Any],
    title: str,
    further: Mapping[str, str],
) -> dict[str, torch.Tensor]:
    """The tensors of a network in the original release's layout, by diffusers' names.

    Args:
        convert: diffusers' converter.
        own: The network's tensors.
        config: Its configuration.
        title: Name for error messages.
        further: Names that the converter does not know: diffusers', and the original ones.

    Raises:
        ModelError: Tensors are missing, or have no place in such a network.
    """
    try:
        found = convert(dict(own), config=config)
    except KeyError as error:
        raise ModelError(f"{title} lacks {error.args[0]}: the file is incomplete") from error
    found |= {name: own[original] for name, original in further.items() if original in own}
    named = {name: one for name, one in found.items() if one is not None}
    given, taken = (sum(one.numel() for one in tensors.values()) for tensors in (own, named))
    if taken < given:
        raise ModelError(f"{title} has more weights than it should: {given - taken:,} numbers have no place in it")
    return named


@cache
def _control_classes() -> tuple[Any, Any]:
    """The class of ControlNets, and that of union ones; imported where a control is used."""
    plain, union = _copied("models.controlnets.controlnet", "models.controlnets.controlnet_union")
    union.ResidualAttentionBlock.attention = _attention_within_rows
    return plain.ControlNetModel, union.ControlNetUnionModel


def _attention_within_rows(block: Any, x: torch.Tensor) -> torch.Tensor:
    """The attention of a union ControlNet's fuser over (B, T, D), as one row alone gets it.

    Its published code gives the batch to PyTorch as the sequence, so that the pictures of a batch see each other's
    controls. A row alone attends to itself, which gives its own value.
    """
    attention, width = block.attn, x.shape[-1]
    value = F.linear(x, attention.in_proj_weight[2 * width :], attention.in_proj_bias[2 * width :])
    return F.linear(value, attention.out_proj.weight, attention.out_proj.bias)


def controlnet(config: Mapping[str, Any], tensors: Tensors, dtype: Any, title: str, *, union: bool, source: str) -> Any:
    """A ControlNet; the arguments are those of `filled`. Its pooling over the picture is left to the caller."""
    plain, of_many = _control_classes()
    cls = of_many if union else plain
    return filled(cls, {**config, "global_pool_conditions": False}, tensors, dtype, title, source=source)


def controlnet_from_original(tensors: Tensors, config: Mapping[str, Any], title: str) -> dict[str, torch.Tensor]:
    """diffusers' names of a ControlNet in the original release's layout. Raises ModelError as `converted` does."""
    label = {
        f"add_embedding.linear_{number + 1}.{part}": f"label_emb.0.{2 * number}.{part}"
        for number in (0, 1)
        for part in ("weight", "bias")
    }
    return converted(_SINGLE.convert_controlnet_checkpoint, tensors, config, title, label)


def controlnet_config(tensors: Tensors, title: str) -> dict[str, Any]:
    """The sizes of a ControlNet that its tensors show, by diffusers' names of both.

    Raises:
        ModelError: Tensors are missing, or it takes other input than latents and a picture.
    """

    def side(name: str, axis: int) -> int:
        shape = tensors[name].shape if name in tensors else ()
        if len(shape) <= axis:
            raise ModelError(f"{title} lacks {name}: the file is incomplete")
        return int(shape[axis])

    def count(pattern: str) -> int:
        return len({found[1] for name in tensors if (found := re.match(pattern, name))})

    embedding = "controlnet_cond_embedding"
    if (side("conv_in.weight", 1), side(f"{embedding}.conv_in.weight", 1)) != (4, 3):
        raise ModelError(f"{title} takes other input than latents of 4 channels and a picture of 3")
    blocks = range(count(r"down_blocks\.(\d+)\."))
    attention = [any(name.startswith(f"down_blocks.{one}.attentions.") for name in tensors) for one in blocks]
    depth = [count(rf"down_blocks\.{one}\.attentions\.0\.transformer_blocks\.(\d+)\.") for one in blocks]
    middle = count(r"mid_block\.attentions\.0\.transformer_blocks\.(\d+)\.")
    in_middle = any(name.startswith("mid_block.attentions.") for name in tensors)
    if blocks and not attention[-1]:
        depth[-1] = middle  # diffusers takes the last number for the middle block too
    stages = count(rf"{embedding}\.blocks\.(\d+)\.") // 2
    found: dict[str, Any] = {
        "in_channels": 4,
        "down_block_types": ["CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attention],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if in_middle else "UNetMidBlock2D",
        "block_out_channels": [side(f"down_blocks.{one}.resnets.0.conv1.weight", 0) for one in blocks],
        "layers_per_block": count(r"down_blocks\.0\.resnets\.(\d+)\."),
        "transformer_layers_per_block": depth,
        "conditioning_embedding_out_channels": [
            side(f"{embedding}.conv_in.weight", 0),
            *(side(f"{embedding}.blocks.{2 * one + 1}.weight", 0) for one in range(stages)),
        ],
    }
    if (reads := next((name for name in tensors if name.endswith(".attn2.to_k.weight")), None)) is not None:
        found["cross_attention_dim"] = side(reads, 1)
    if "add_embedding.linear_1.weight" in tensors:
        found["projection_class_embeddings_input_dim"] = side("add_embedding.linear_1.weight", 1)
    if "task_embedding" in tensors:
        found |= {
            "num_control_type": side("task_embedding", 0),
            "num_trans_channel": side("task_embedding", 1),
            "num_trans_layer": count(r"transformer_layes\.(\d+)\."),
            "num_proj_channel": side("spatial_ch_projs.weight", 0),
        }
    return found


def picture_projection(tensors: Tensors, dtype: Any, title: str, *, source: str) -> Any:
    """The projection of an IP-Adapter, from an encoded picture to the tokens that its layers read.

    One vector becomes a few tokens by a linear layer; states become tokens by a resampler (Plus) or an MLP (Full Face).
    diffusers knows the original release's names of its parts.

    Args:
        tensors: By the original release's names, without their prefix.
        dtype: Of the weights.
        title: Name for error messages.
        source: Digest of the weights.

    Raises:
        ModelError: Tensors are missing, or of other sizes.
    """
    convert = UNET._convert_ip_adapter_image_proj_to_diffusers  # a method that needs no U-Net
    try:
        made = convert(None, dict(tensors), low_cpu_mem_usage=False)
    except (KeyError, RuntimeError, IndexError, AttributeError) as error:
        raise ModelError(f"{title} is damaged: its projection is incomplete ({str(error)[:200]})") from error

    def fill() -> Any:
        return made.to(dtype).requires_grad_(False).eval()

    return shared_network(lambda: (source, str(dtype)), fill, lambda filled: bytes_of(*filled.parameters()))


def vae_dtype(config: Mapping[str, Any], dtype: Any) -> Any:
    """The type of a VAE beside networks of `dtype`: float32 instead of float16 where it can't work in that."""
    return torch.float32 if dtype == torch.float16 and config.get("force_upcast", False) else dtype


def vae_of(config: Mapping[str, Any], tensors: Tensors, dtype: Any, *, original: bool = False) -> Any:
    """A VAE; float32 instead of float16 where it can't work in that.

    Args:
        config: Its configuration.
        tensors: Its tensors, or those of a whole checkpoint in the original release's layout.
        dtype: Type of the weights.
        original: Whether they are in the original release's layout.
    """
    dtype = vae_dtype(config, dtype)
    convert = partial(_SINGLE.convert_ldm_vae_checkpoint, config=config) if original else _current_vae_names
    return filled(VAE, config, convert(dict(tensors)), dtype, "the VAE")


def text_from_original(part: ClipPart, tensors: Tensors, folder: Path, dtype: Any) -> ClipText:
    """A text encoder of tensors in the original release's layout, by the configurations in `folder`."""
    config = clip_config(folder / part.folder)
    if part.open_clip is None:
        converted = _SINGLE.convert_ldm_clip_checkpoint(tensors)
    else:
        # The converter reads only the width of the model.
        holder = type("Holder", (), {"config": config})()
        converted = _SINGLE.convert_open_clip_checkpoint(holder, tensors, prefix=part.open_clip)
    return text_encoder(config, converted, dtype, projection=part.projection)


def clip_config(folder: Path) -> ClipConfig:
    """The sizes of the text encoder in a folder. Raises ModelError for sizes that make no sense."""
    config = read_json(folder / "config.json")
    inner = config.get("text_config")
    try:
        return ClipConfig.read({**config, **inner} if isinstance(inner, dict) else config)
    except ModelError as error:
        raise ModelError(f"{folder}: {error}") from error


def text_encoder(config: ClipConfig, tensors: Tensors, dtype: Any, *, projection: bool = False) -> ClipText:
    """A text encoder. Tensors without a place in it are dropped, such as the 24th layer, which SD 2 does not use."""
    with torch.device("meta"):
        network = ClipText(config, projection=projection)
    named = {name.removeprefix("text_model."): one for name, one in tensors.items()}
    filled: ClipText = put(network, named, dtype, "the text encoder", repr(config), strict=False)
    return filled


def filled(
    cls: Any, config: Mapping[str, Any], tensors: Tensors, dtype: Any, title: str, *, source: str | None = None
) -> Any:
    """A network of one of diffusers' classes with these tensors; the arguments are those of `put`.

    Raises:
        ModelError: The configuration has more layers or blocks than there are tensors, or no network can be built by
            it; and as `put` does.
    """
    for name in ("layers_per_block", "transformer_layers_per_block"):  # building millions of layers would not end
        if any(isinstance(one, int) and one > len(tensors) for one in _numbers(config.get(name))):
            raise ModelError(f"{title} has {len(tensors)} tensors, and its configuration {name} {config[name]!r}")
    for name, given in config.items():
        if isinstance(given, list | tuple) and len(given) > max(MOST_LISTED, len(tensors)):
            raise ModelError(f"{title} has {len(tensors)} tensors, and its configuration {name} with {len(given):,}")
    with torch.device("meta"):
        known = inspect.signature(cls.__init__).parameters
        try:
            network = cls(**{name: value for name, value in config.items() if name in known})
        except (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError) as error:
            raise ModelError(f"{title}: no network can be built by its configuration: {error}") from error
    return put(network, tensors, dtype, title, json.dumps(config, sort_keys=True, default=str), source=source)


def _numbers(given: Any) -> list[Any]:
    """A number, or all of nested lists."""
    return [each for one in given for each in _numbers(one)] if isinstance(given, list | tuple) else [given]


def put(
    network: Any,
    tensors: Tensors,
    dtype: Any,
    title: str,
    config: str,
    *,
    strict: bool = True,
    source: str | None = None,
) -> Any:
    """A network with its tensors; each must exist and have its shape.

    If another engine holds the same network (type, configuration, weights by digest, dtype), that one is returned.

    Args:
        network: On the meta device.
        tensors: By the network's names.
        dtype: Type of the weights.
        title: Name for error messages.
        config: Text that the network's build depends on.
        strict: Whether further tensors are an error.
        source: Digest of the weights; None: computed from the tensors.
    """
    wanted = network.state_dict()
    for name in sorted(wanted.keys() & tensors.keys()):
        if tuple(wanted[name].shape) != tuple(tensors[name].shape):
            raise ModelError(
                f"{title} has other sizes than its configuration: {name} is {tuple(tensors[name].shape)}, "
                f"and should be {tuple(wanted[name].shape)} (a single file of other sizes needs the option 'config')"
            )
    missing = sorted(set(wanted) - set(tensors))
    if missing:
        raise ModelError(
            f"{title} lacks {len(missing)} of its {len(wanted)} tensors ({missing[0]}, ...): "
            "the file is incomplete or of another kind"
        )
    unknown = sorted(set(tensors) - set(wanted)) if strict else []
    if unknown:
        raise ModelError(f"{title} has {len(unknown)} tensors that it should not have ({unknown[0]}, ...)")

    whole = [name for name, one in wanted.items() if one.is_floating_point() and not tensors[name].is_floating_point()]
    if whole:
        kind = str(tensors[whole[0]].dtype).removeprefix("torch.")
        raise ModelError(f"{title} has weights of the type {kind}, which are no fractions ({whole[0]}, ...)")

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


def _current_vae_names(tensors: Tensors) -> dict[str, torch.Tensor]:
    """Attention layers by the names that they have had since diffusers 0.17; published VAEs still have older ones."""
    named = {}
    for name, one in tensors.items():
        for old, new in _OLD_ATTENTION.items():
            if ".attentions." in name:
                name = name.replace(old, new)
        named[name] = one[:, :, 0, 0] if ".attentions." in name and one.ndim == 4 else one
    return named


def tiny_vae_names(encoder: Tensors, decoder: Tensors) -> dict[str, torch.Tensor]:
    """AutoencoderTiny's names of the two files of a tiny VAE's original release, whose decoder begins with a clamp."""
    named = {f"encoder.layers.{name}": one for name, one in encoder.items()}
    for name, one in decoder.items():
        number, _, rest = name.partition(".")
        named[f"decoder.layers.{int(number) - 1}.{rest}"] = one
    return named
