"""From a model's files to its networks: the file of each part, and parts of other files in place of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from overpaint.models import (
    ModelError,
    ModelRef,
    ReferenceRefs,
    config_folder,
    detect,
    family_of,
    family_title,
    find_vocabulary,
    read_json,
    read_vocabulary,
)
from overpaint.models.controls import reads
from overpaint.models.detect import control_tensors, with_unet_prefix
from overpaint.models.reference_kinds import LAYERS, PROJECTION
from overpaint.prompt.chunks import PromptTokenizer

from .adapters import Adapter, AdapterLayers
from .clip import ClipText
from .clip_tokens import clip_tokenizer
from .clip_vision import read_clip_vision
from .controls import ControlNetwork
from .diffusers_networks import (
    TINY_VAE,
    UNET,
    VAE,
    clip_config,
    controlnet,
    controlnet_config,
    controlnet_from_original,
    filled,
    picture_projection,
    put,
    text_encoder,
    text_from_original,
    tiny_vae_names,
    unet_from_original,
    vae_dtype,
    vae_of,
)
from .families.unet import UNetFamily
from .used import digest_of
from .values import LoadedModel
from .weight_files import adapter_sources, component_tensors, control_source, encoder_file, unet_folder, unet_source
from .weights import Tensors, read_tensors


@dataclass(frozen=True, eq=False, slots=True)
class CheckpointNetworks:
    """The networks of a U-Net checkpoint: UNet2DConditionModel, AutoencoderKL or AutoencoderTiny, text encoders."""

    unet: Any
    vae: Any
    text_encoders: tuple[ClipText, ...]


def load(ref: ModelRef, dtype: Any = torch.float32) -> LoadedModel:
    """Load a model with a U-Net. Nothing is downloaded.

    Args:
        ref: From `overpaint.models.find`.
        dtype: Of all networks; for the VAE see `vae_of`.

    Raises:
        ModelError: Files are missing, damaged, of another kind, or pickles that were not allowed.
    """
    kind = ref.kind
    if kind.what != "checkpoint" or kind.family is None or kind.prediction is None or kind.channels is None:
        raise ModelError(f"{ref.name} is not a checkpoint but {kind.described}")
    family: UNetFamily = family_of(kind.family)
    held = _held(ref, dtype)
    parts = networks(ref, held, dtype, source=unet_source(ref) or None)
    index = ref.source_of("text").path / "model_index.json"
    zero = read_json(index).get("force_zeros_for_empty_prompt") if index.is_file() else None
    return LoadedModel(
        family,
        parts.unet,
        parts.vae,
        parts.text_encoders,
        tokenizers(ref, family),
        _schedule(ref),
        kind.prediction,
        f"{digest_of(ref)} {dtype}",
        inpainting=kind.inpainting,
        empty_is_zeros=family.empty_is_zeros if zero is None else bool(zero),
    )


def empty(ref: ModelRef, dtype: Any) -> LoadedModel:
    """The networks of a checkpoint on torch's meta device: shapes without weights, by which memory is counted.

    Args:
        ref: Of which the configurations alone are read.
        dtype: See `load`.

    Raises:
        ModelError: Configurations are missing or make no sense.
    """
    family: UNetFamily = family_of(ref.kind.family or "")
    text, vae = ref.source_of("text"), ref.source_of("vae")
    folders = [one.configs or config_folder(family.name) for one in (text, vae)]
    vae_config = read_json(folders[1] / "vae" / "config.json")
    tiny = vae_config.get("_class_name") == "AutoencoderTiny"
    with torch.device("meta"):
        unet = UNET.from_config(family.config(ref)).to(dtype)
        own = (TINY_VAE if tiny else VAE).from_config(vae_config).to(dtype if tiny else vae_dtype(vae_config, dtype))
        texts = tuple(
            ClipText(clip_config(folders[0] / part.folder), projection=part.projection).to(dtype)
            for part in family.texts
        )
    prediction = ref.kind.prediction or "epsilon"
    return LoadedModel(family, unet.eval(), own.eval(), texts, (), {}, prediction, "", inpainting=ref.kind.inpainting)


def networks(
    ref: ModelRef, held: Tensors | None, dtype: Any = torch.float32, *, source: str | None = None
) -> CheckpointNetworks:
    """The networks of a checkpoint; the parts that it lacks are those of its base.

    Args:
        ref: The checkpoint.
        held: The tensors of a single file; None for a folder.
        dtype: See `load`.
        source: Digest of the U-Net's weights; None: computed from them.

    Raises:
        ModelError: Tensors are missing, or have other shapes than in the configuration.
    """
    family: UNetFamily = family_of(ref.kind.family or "")
    text, vae = ref.source_of("text"), ref.source_of("vae")
    unet = _unet(ref, family, held, dtype, source)
    base_held = None if ref.base is None else _held(ref.base, dtype)
    texts = _texts(text, family, held if text is ref else base_held, dtype)
    own = _vae(vae, held if vae is ref else base_held, dtype) if ref.vae is None else load_vae(ref.vae, ref, dtype)
    return CheckpointNetworks(unet, own, texts)


def _held(ref: ModelRef, dtype: Any) -> Tensors | None:
    """The tensors of a single file; None for a folder, whose parts have files of their own."""
    if ref.path.is_dir():
        return None
    return with_unet_prefix(read_tensors(ref.path, allow_pickle=ref.allow_pickle, dtype=dtype))


def _schedule(ref: ModelRef) -> dict[str, Any]:
    """The training schedule of the first of its folders that has one, else the published one; its own prediction."""
    base = None if ref.base is None else ref.base.configs
    folders = [one for one in (ref.path, ref.config, base) if one is not None]
    own = next((one for one in folders if (one / "scheduler" / "scheduler_config.json").is_file()), None)
    config = read_json((own or config_folder(ref.kind.family or "")) / "scheduler" / "scheduler_config.json")
    config["prediction_type"] = "v_prediction" if ref.kind.prediction == "v" else "epsilon"
    return config | ({"rescale_betas_zero_snr": True} if ref.kind.zero_snr else {})


def _unet(ref: ModelRef, family: UNetFamily, held: Tensors | None, dtype: Any, source: str | None) -> Any:
    title = f"the U-Net of {family.title}"
    if held is None:
        folder = unet_folder(ref)
        config, held = read_json(folder / "config.json"), component_tensors(folder, ref, dtype)
    else:
        config = family.config(ref)
        if ref.kind.layout != "diffusers":
            held = unet_from_original(held, config, title)
        if (guided := held.get("time_embedding.cond_proj.weight")) is not None:
            config["time_cond_proj_dim"] = guided.shape[-1] if guided.ndim else 0
    return filled(UNET, config, held, dtype, title, source=source)


def _vae(ref: ModelRef, held: Tensors | None, dtype: Any) -> Any:
    if held is None:
        return _folder_vae(ref.path / "vae", ref, dtype)
    folder = ref.configs or config_folder(ref.kind.family or "")
    return vae_of(read_json(folder / "vae" / "config.json"), held, dtype, original=True)


def _texts(ref: ModelRef, family: UNetFamily, held: Tensors | None, dtype: Any) -> tuple[ClipText, ...]:
    if held is None:
        folders = [ref.path / part.folder for part in family.texts]
        return tuple(
            text_encoder(clip_config(folder), component_tensors(folder, ref, dtype), dtype, projection=part.projection)
            for part, folder in zip(family.texts, folders, strict=True)
        )
    configs = ref.configs or config_folder(family.name)
    return tuple(text_from_original(part, held, configs, dtype) for part in family.texts)


def _folder_vae(folder: Path, ref: ModelRef, dtype: Any) -> Any:
    config = read_json(folder / "config.json")
    tensors = component_tensors(folder, ref, dtype)
    if config.get("_class_name") == "AutoencoderTiny":
        return filled(TINY_VAE, config, tensors, dtype, "the tiny VAE")
    return vae_of(config, tensors, dtype)


def load_vae(path: Path, ref: ModelRef, dtype: Any) -> Any:
    """A VAE of its own: a folder, a file in either layout, a tiny one, or that of a whole checkpoint.

    Args:
        path: The file or folder.
        ref: The checkpoint, with its permissions; a file without configuration gets the one of its family.
        dtype: See `load`.

    Raises:
        ModelError: Not a VAE, damaged, or for another family.
    """
    family: UNetFamily = family_of(ref.kind.family or "")
    found = detect(path)
    if path.is_dir():
        folder = path / "vae" if (path / "vae").is_dir() else path
        return _folder_vae(folder, ref, dtype)
    if found.what == "checkpoint" and found.family and family_of(found.family).latents != family.latents:
        raise ModelError(f"{path.name} is of {family_title(found.family)}: its VAE does not go with {ref.name}")
    tensors = read_tensors(path, allow_pickle=ref.allow_pickle, dtype=dtype)
    if found.what == "tiny-vae":
        if ref.vae_encoder is not None:
            tensors = tiny_vae_names(read_tensors(ref.vae_encoder, allow_pickle=ref.allow_pickle), tensors)
        config = read_json(config_folder("taesd") / "config.json")
        return filled(TINY_VAE, config, tensors, dtype, "the tiny VAE")
    config = read_json((ref.config or config_folder(family.name)) / "vae" / "config.json")
    return vae_of(config, tensors, dtype, original=found.layout != "diffusers")


def load_control(ref: ModelRef, model: ModelRef, dtype: Any = torch.float32) -> ControlNetwork:
    """Load a ControlNet. Nothing is downloaded.

    Args:
        ref: From `overpaint.models.find_control`.
        model: The checkpoint that it guides. What a single file's tensors do not show about its sizes is taken from the
            configuration of this one's U-Net.
        dtype: Of the network.

    Raises:
        ModelError: Files are missing, damaged, of other sizes, or pickles that were not allowed.
    """
    family: UNetFamily = family_of(ref.kind.family or "")
    config, title = family.config(model), f"the ControlNet {ref.name}"
    own: dict[str, Any] = {}
    if ref.path.is_dir():
        own, tensors = read_json(ref.path / "config.json"), component_tensors(ref.path, ref, dtype)
    else:
        read = read_tensors(ref.path, allow_pickle=ref.allow_pickle, dtype=dtype)
        tensors = dict(control_tensors(read))
    if ref.kind.layout != "diffusers":
        tensors = controlnet_from_original(tensors, config, title)
    config |= controlnet_config(tensors, title) | own
    source = control_source(ref)
    network = controlnet(config, tensors, dtype, title, union=ref.kind.union > 0, source=source)
    pooled = bool(own.get("global_pool_conditions", reads(ref.name, "shuffle")))
    return ControlNetwork(network, (source, str(dtype)), ref.kind.union, pooled)


def load_adapter(refs: ReferenceRefs, dtype: Any = torch.float32) -> Adapter:
    """Load an IP-Adapter and its picture encoder. Nothing is downloaded.

    Args:
        refs: From `overpaint.models.find_reference`.
        dtype: Of the networks.

    Raises:
        ModelError: Files are missing, damaged, of another kind, or pickles that were not allowed.
    """
    ref, title = refs.adapter, f"the IP-Adapter {refs.adapter.name}"
    tensors = read_tensors(ref.path, allow_pickle=ref.allow_pickle, dtype=dtype)
    sources = adapter_sources(refs)
    pairs = _adapter_layers(tensors, title)
    with torch.device("meta"):
        empty = AdapterLayers(pairs)
    named = {f"keys.{place}.weight": key for place, (key, _) in enumerate(pairs.values())}
    named |= {f"values.{place}.weight": value for place, (_, value) in enumerate(pairs.values())}
    layers = put(empty, named, dtype, title, "", source=sources[0])
    own = {name.removeprefix(PROJECTION): one for name, one in tensors.items() if name.startswith(PROJECTION)}
    projection = picture_projection(own, dtype, title, source=sources[1])
    states = ref.kind.vectors[0][0] == "states"
    return Adapter(
        ref.name, layers, projection, _picture_encoder(refs.encoder, dtype, sources[2]), states, (*sources, str(dtype))
    )


def _adapter_layers(tensors: Tensors, title: str) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
    """The weights of keys and values by the layer's number, in their order."""
    numbers = sorted({int(name.split(".")[1]) for name in tensors if name.startswith(LAYERS) and "_ip.weight" in name})
    try:
        return {
            number: (tensors[f"{LAYERS}{number}.to_k_ip.weight"], tensors[f"{LAYERS}{number}.to_v_ip.weight"])
            for number in numbers
        }
    except KeyError as error:
        raise ModelError(f"{title} lacks {error.args[0]}: the file is incomplete") from error


def _picture_encoder(ref: ModelRef, dtype: Any, source: str) -> Any:
    tensors = read_tensors(encoder_file(ref), allow_pickle=ref.allow_pickle, dtype=dtype)
    named = {name.removeprefix("vision_model."): one for name, one in tensors.items()}
    title = f"the picture encoder {ref.name}"
    config = read_json(ref.path / "config.json") if ref.path.is_dir() else None
    network = read_clip_vision(config, named, title)
    return put(network, named, dtype, title, repr(network.config), strict=False, source=source)


def tokenizers(ref: ModelRef, family: UNetFamily) -> tuple[PromptTokenizer, ...]:
    """A tokenizer for each text encoder."""
    source, shared = ref.source_of("text"), None
    configs = source.configs or config_folder(family.name)
    found = []
    for part in family.texts:
        folder = source.path / part.tokenizer
        places = clip_config(configs / part.folder).max_position_embeddings
        if folder.is_dir():
            found.append(clip_tokenizer(read_vocabulary(folder), _pad(folder) or part.pad, places))
        else:
            shared = shared or find_vocabulary(source.path)
            found.append(clip_tokenizer(shared, part.pad, places))
    return tuple(found)


def _pad(folder: Path) -> str:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            pad = read_json(folder / name).get("pad_token")
            pad = pad.get("content") if isinstance(pad, dict) else pad
            if pad:
                return str(pad)
    return ""
