"""Detects the kind of a file or folder of weights by names, shapes and configurations. No weight is loaded.

The families differ in ways that do not depend on their sizes: SD 1 projects into its attention with 1x1 convolutions,
SD 2 with linears; SDXL embeds a label (the pictures' sizes) beside the time.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from overpaint.errors import ModelError

from .erasers import eraser_folder, eraser_of, onnx_kind
from .families import family_of_width, family_title, recognised
from .headers import TensorInfo, TensorTable, read_table
from .networks import network_folder, network_of, onnx_folder
from .reference_kinds import adapter_of, encoder_folder, encoder_of
from .values import Form, Kind, Precision, Prediction, What

T = TypeVar("T")

UNET, CONTROL = "model.diffusion_model.", "control_model."
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|pytorch_model|model)(?:\.(?P<variant>\w+))?"
    r"\.(?:safetensors|bin)(?:\.index(?:\.(?P<sharded>\w+))?\.json)?"
)
_PRECISIONS: dict[str, Precision] = {
    "F32": "fp32",
    "F64": "fp32",
    "F16": "fp16",
    "BF16": "bf16",
    "F8_E4M3": "fp8",
    "F8_E5M2": "fp8",
}
_LORA_METHODS = {
    "dora": r"\.dora_scale|magnitude_vector",
    "lora": r"\.lora_(up|down|A|B)\b|[._]lora\.up\.|lora_linear_layer\.up\.",
    "loha": r"\.hada_w1_a",
    "lokr": r"\.lokr_w[12]",
    "oft": r"\.oft_(blocks|diag)",
    "glora": r"\.a1\.weight",
    "ia3": r"\.on_input$",
    "full": r"\.(diff|diff_b|w_norm|b_norm)$",
}
"""What the names of a LoRA's tensors show about its method; the first match decides."""

_OTHERS = (
    ("double_blocks.0.img_attn", "a FLUX model, a family that is not supported yet"),
    ("single_transformer_blocks.0.", "a FLUX model, a family that is not supported yet"),
    ("joint_blocks.0.", "a Stable Diffusion 3 model, a family that is not supported yet"),
    ("ip_adapter.", "an IP-Adapter of a kind that is not supported"),
    ("adapter.body.", "a T2I-Adapter"),
    ("lllite_unet", "a ControlNet-LLLite, which is not supported"),
    ("motion_modules.0.", "an AnimateDiff motion module"),
)

_CLASS = 60
"""Characters of a name of a class in a message; a configuration may have any text there."""

_UNIONS = ("ControlNetUnionModel", "ControlNetModel_Union")
"""Classes of union ControlNets in configurations: diffusers', and that of the first release."""

_USES: dict[What, str] = {
    "checkpoint": "its family is not known",
    "lora": "name it in the prompt, as <lora:NAME:1>, beside a checkpoint",
    "vae": "give it as the VAE of a checkpoint",
    "tiny-vae": "give it as the VAE of a checkpoint",
    "embedding": "name it in the prompt, beside a checkpoint",
    "controlnet": "it guides a checkpoint: name it as the model of a control",
    "unet": "it is one part of a checkpoint",
    "ip-adapter": "it guides a checkpoint: name it as the model of a control of the kind reference",
    "image-encoder": "IP-Adapters read reference pictures through it",
    "text-encoder": "it is one part of a checkpoint",
    "eraser": "it erases without a prompt: name it alone, with the intent remove",
    "selector": "it makes masks: select with it",
    "faces": "it restores faces: name it for that",
    "face-detector": "it finds faces for those that restore them",
    "upscaler": "it enlarges pictures: name it for that",
    "mapper": "it makes the maps of controls",
}
"""How a file that is no checkpoint is used."""


def detect(path: Path) -> Kind:
    """The kind of a file or folder.

    Raises:
        ModelError: It does not exist, is cut short or damaged, or is a pickle that would run code.
    """
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise ModelError(f"there is no file {path}")
    return of_table(read_table(path), path)


def require(kind: Kind, name: str) -> Kind:
    """The kind, if it is a whole checkpoint of a known family.

    Raises:
        ModelError: It is not; the message names its kind and how such a file is used.
    """
    if kind.what == "checkpoint" and kind.family is not None:
        return kind
    if kind.lacks:
        field = "base" if "text" in kind.lacks else "vae"
        raise ModelError(
            f"{name} is not a checkpoint but {kind.described}",
            code="model-incomplete",
            field=field,
            hint=f"name a checkpoint of its family that has them as {field}" if field == "base" else "name one as vae",
        )
    if kind.what == "other":
        seems = f"it seems to be {kind.because}" if kind.because else "its weights have no names that are known"
        raise ModelError(f"{name} is not a checkpoint of a known kind: {seems}")
    raise ModelError(f"{name} is not a checkpoint but {kind.described}", hint=_USES[kind.what])


def of_table(table: TensorTable, path: Path) -> Kind:
    """The kind of a file with these tensors."""
    if table.form == "onnx":
        return onnx_kind(path)
    plain = Kind("other", table.form, precision=_precision(table.tensors))
    if (eraser := eraser_of(table.tensors, table.form, path)) is not None:
        return replace(eraser, precision=plain.precision)
    for known in (network_of, adapter_of, encoder_of):
        if (network := known(table.tensors, table.form)) is not None:
            return replace(network, precision=plain.precision)
    for look in (_controlnet, _ldm, _lora, _embedding, _unet, _autoencoder, _text_encoder):
        if (found := look(table, path, plain)) is not None:
            return found
    if (found := recognised(path, table)) is not None:
        return found
    because = next((title for part, title in _OTHERS if any(part in name for name in table.tensors)), "")
    return replace(plain, because=because)


def _precision(tensors: Mapping[str, TensorInfo]) -> Precision:
    sizes: Counter[Precision] = Counter()
    for one in tensors.values():
        if one.dtype in _PRECISIONS:
            sizes[_PRECISIONS[one.dtype]] += one.bytes
    if not sizes:
        return "fp32"
    (most, amount), whole = sizes.most_common(1)[0], sizes.total()
    return most if amount >= 0.7 * whole else "mixed"  # a VAE kept in fp32 does not make a checkpoint fp32


def _ldm(table: TensorTable, path: Path, plain: Kind) -> Kind | None:
    names = with_unet_prefix(table.tensors)
    first = names.get(f"{UNET}input_blocks.0.0.weight")
    if first is None:
        return None
    channels = first.side(1)
    family, other = _ldm_family(names, channels)
    if other:
        return replace(plain, because=other)
    marks = {"vae": ("first_stage_model.",), "text": ("cond_stage_model.", "conditioner.embedders.")}
    lacks = tuple(part for part, prefix in marks.items() if not any(name.startswith(prefix) for name in names))
    embeds = f"{UNET}time_embed.cond_proj.weight" in names
    return _network(table, path, replace(plain, lacks=lacks, family=family, channels=channels, embeds_guidance=embeds))


def _network(table: TensorTable, path: Path, kind: Kind) -> Kind:
    """A checkpoint, or a U-Net without the parts that it lacks: its prediction and further properties."""
    assert kind.family is not None
    assert kind.channels is not None
    prediction, because = _prediction(kind.family, kind.channels, table, path)
    return replace(
        kind,
        what="unet" if kind.lacks else "checkpoint",
        prediction=prediction,
        because=because,
        lcm=kind.embeds_guidance or _named(path, r"(?<![a-z])lcm(?![a-z])"),
        zero_snr="ztsnr" in table.tensors,
    )


def with_unet_prefix(tensors: Mapping[str, T]) -> Mapping[str, T]:
    """Tensors by the names of a whole checkpoint, where a file has a U-Net by the original release's names alone."""
    if "input_blocks.0.0.weight" not in tensors:
        return tensors
    return {f"{UNET}{name}": one for name, one in tensors.items()}


def _unet_family(*, linear: bool, labelled: bool) -> str:
    """The family of a U-Net: whether linears project into its attention, and whether it embeds a label."""
    return "sdxl" if labelled else "sd2" if linear else "sd1"


def _linear(names: Mapping[str, TensorInfo]) -> bool:
    return not any(name.endswith(".proj_in.weight") and len(one.shape) == 4 for name, one in names.items())


def _ldm_family(names: Mapping[str, TensorInfo], channels: int) -> tuple[str, str]:
    label = names.get(f"{UNET}label_emb.0.0.weight")
    family = _unet_family(linear=_linear(names), labelled=label is not None)
    if label is not None and label.side(1) == 2560:
        return family, "the refiner of SDXL; use the base or an inpainting model"
    if "edm_mean" in names:
        return family, "Playground 2.5, whose noise schedule (EDM) is not supported"
    if channels not in (4, 9):
        made = {8: "InstructPix2Pix", 5: "depth-to-image", 7: "an upscaler"}.get(channels, "something else")
        title = family_title(family)
        return family, f"a {title} model made for {made}: its U-Net takes {channels} channels, not 4 or 9"
    return family, ""


def _named(path: Path, pattern: str) -> bool:
    return re.search(pattern, path.name.lower()) is not None


def _prediction(family: str, channels: int, table: TensorTable, path: Path) -> tuple[Prediction, str]:
    """What a single file's network predicts, and the evidence for it: the weights themselves do not show it."""
    for ending in (".yaml", ".yml"):
        beside = path.with_suffix(ending)
        if beside.is_file():
            text = beside.read_text(encoding="utf-8", errors="replace")[:100_000]
            v = re.search(r"""parameterization\s*:\s*['"]?v\b""", text) is not None
            return ("v" if v else "epsilon"), f"from {beside.name}"
    keys = ("modelspec.prediction_type", "prediction_type")
    if noted := " ".join(table.metadata.get(key, "") for key in keys).strip():
        return ("v" if noted.lower().startswith("v") else "epsilon"), "from the file's metadata"
    if "v_pred" in table.tensors or _named(path, r"v[-_ ]?pred"):
        return "v", "from the file's name or a mark in it"
    if family != "sd2":
        return "epsilon", "usual for its family"
    if channels == 9:
        return "epsilon", "usual for inpainting models of SD 2"
    if table.numbers.get("global_step") == 875_000 or _named(path, r"512|base|eps"):
        return "epsilon", "from its name or training step: a 512 model"
    return "v", "usual for SD 2 models of 768; a file NAME.yaml beside it overrides it"


def _unet(table: TensorTable, path: Path, plain: Kind) -> Kind | None:
    names = table.tensors
    if "conv_in.weight" not in names or not any(name.startswith("down_blocks.") for name in names):
        return None
    family = _unet_family(linear=_linear(names), labelled="add_embedding.linear_1.weight" in names)
    embeds = "time_embedding.cond_proj.weight" in names
    plain = replace(plain, lacks=("vae", "text"), layout="diffusers")
    channels = names["conv_in.weight"].side(1)
    return _network(table, path, replace(plain, family=family, channels=channels, embeds_guidance=embeds))


def _lora(table: TensorTable, path: Path, plain: Kind) -> Kind | None:
    names = table.tensors
    method = next((one for one, mark in _LORA_METHODS.items() if any(re.search(mark, name) for name in names)), "")
    return replace(plain, what="lora", family=_lora_family(names), method=method) if method else None


def _lora_family(names: Mapping[str, TensorInfo]) -> str | None:
    """By the width of the text states that the cross-attention reads; else by a second text encoder."""
    into = re.compile(r"attn2[._]to_k.*(?:lora_down|lora_A|lora\.down|hada_w1_b|hada_w2_b)")
    for name, one in names.items():
        if into.search(name) and (family := family_of_width(one.side(1))):
            return family
    if any(name.startswith(("lora_te2_", "text_encoder_2.", "text_encoders.clip_g.")) for name in names):
        return "sdxl"
    for name, one in names.items():
        if name.startswith(("lora_te_", "text_encoder.")) and len(one.shape) == 2:
            text = re.search(r"q_proj.*(?:lora_down|lora_A|lora\.down|lora_linear_layer\.down)", name)
            if text and (family := family_of_width(one.side(1))):
                return family
    return None


def _embedding(table: TensorTable, path: Path, plain: Kind) -> Kind | None:
    names = table.tensors
    if {"clip_l", "clip_g"} <= set(names):
        slots = tuple((slot, names[slot].side(-1)) for slot in ("clip_g", "clip_l"))
        return replace(plain, what="embedding", family="sdxl", vectors=slots)
    vectors = [one for name, one in names.items() if name == "emb_params" or name.startswith("string_to_param.")]
    if not vectors and len(names) == 1:  # diffusers: one tensor, named by its word
        vectors = [one for one in names.values() if len(one.shape) <= 2 and one.side(-1) in (768, 1024)]
    if not vectors or not vectors[0].shape:
        return None
    width = vectors[0].side(-1)
    return replace(plain, what="embedding", family=family_of_width(width), vectors=(("", width),))


def _controlnet(table: TensorTable, path: Path, plain: Kind) -> Kind | None:
    names = control_tensors(table.tensors)
    marks = ("controlnet_cond_embedding.", "input_hint_block.", "controlnet_down_blocks.", "zero_convs.")
    if names is table.tensors and not any(name.startswith(marks) for name in names):
        return None
    if "lora_controlnet" in names:
        return replace(plain, because="a Control-LoRA, which is not supported: a whole ControlNet is")
    if "difference" in names:
        return replace(
            plain, because="the difference of a ControlNet from its checkpoint: a whole ControlNet is needed"
        )
    current = any(name.startswith(("controlnet_cond_embedding.", "controlnet_down_blocks.")) for name in names)
    labelled = "add_embedding.linear_1.weight" in names or "label_emb.0.0.weight" in names
    shows = labelled or any(name.endswith(".proj_in.weight") for name in names)
    return replace(
        plain,
        what="controlnet",
        family=_unet_family(linear=_linear(names), labelled=labelled) if shows else None,
        union=names["task_embedding"].side(0) if "task_embedding" in names else 0,
        layout="diffusers" if current else "ldm",
    )


def control_tensors(tensors: Mapping[str, T]) -> Mapping[str, T]:
    """A ControlNet's tensors by its own names: original releases have a prefix before them, and may have the whole
    checkpoint beside them.
    """
    own = {name.removeprefix(CONTROL): one for name, one in tensors.items() if name.startswith(CONTROL)}
    return own or tensors


def _autoencoder(table: TensorTable, path: Path, plain: Kind) -> Kind | None:
    tensors = {name.removeprefix("first_stage_model."): one for name, one in table.tensors.items()}
    names = tensors.keys()
    if {"encoder.conv_in.weight", "decoder.conv_in.weight"} <= names:
        channels = tensors["decoder.conv_in.weight"].side(1)
        current = any(name.startswith("encoder.down_blocks.") for name in names)
        found = replace(plain, what="vae", layout="diffusers" if current else "ldm")
    elif {"encoder.layers.0.weight", "decoder.layers.0.weight"} <= names:
        return replace(plain, what="tiny-vae", layout="diffusers")
    elif "3.conv.0.weight" in names and names & {"0.weight", "1.weight"}:
        last, first = tensors.get("14.weight"), tensors.get("1.weight")  # the encoder's and the decoder's latents
        channels = last.side(0) if last is not None else 0 if first is None else first.side(1)
        found = replace(plain, what="tiny-vae", layout="ldm")
    else:
        return None
    title = "a tiny VAE" if found.what == "tiny-vae" else "a VAE"
    return (
        found if channels == 4 else replace(plain, because=f"{title} of {channels} latent channels, for another family")
    )


def tiny_vae_halves(path: Path) -> tuple[Path, Path]:
    """(encoder, decoder): the two files of a tiny VAE in the original release's layout, of which `path` is one.

    Raises:
        ModelError: The other one is not beside it.
    """
    names = [re.sub("encoder|decoder", half, path.name, flags=re.IGNORECASE) for half in ("encoder", "decoder")]
    encoder, decoder = (path.with_name(name) for name in names)
    if encoder == decoder or not (encoder.is_file() and decoder.is_file()):
        raise ModelError(
            f"{path.name} is one half of a tiny VAE, and the other is not beside it", code="model-incomplete",
            hint="two files whose names differ in encoder and decoder are needed",
        )  # fmt: skip
    return encoder, decoder


def _text_encoder(table: TensorTable, path: Path, plain: Kind) -> Kind | None:
    marks = ("text_model.embeddings.token_embedding.weight", "embeddings.token_embedding.weight")
    return replace(plain, what="text-encoder") if any(name in table.tensors for name in marks) else None


def weights_in(folder: Path) -> dict[str, dict[Form, Path]]:
    """The sets of weights of one component's folder: by variant ("" is the plain one), then by form."""
    found: dict[str, dict[Form, Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _WEIGHTS.fullmatch(path.name)
        if match and path.is_file():
            form: Form = "pickle" if ".bin" in path.name else "safetensors"
            found.setdefault(match["variant"] or match["sharded"] or "", {})[form] = path
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object in a file. Raises ModelError when the file does not exist or holds no such object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: it is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} is damaged: it should be a JSON object")
    return value


def whole_number(value: Any, name: str, source: object) -> int:
    """A value of a configuration that must be a whole number. Raises ModelError, which names it, where it isn't one."""
    if not isinstance(value, int):
        raise ModelError(f"{source} is damaged: {name} should be a whole number, not {value!r:.80}", value=name)
    return value


def _folder(path: Path) -> Kind:
    if (eraser := eraser_folder(path)) is not None:
        return eraser
    if (path / "adapter_config.json").is_file():
        return Kind("lora", "folder", method="lora", layout="diffusers")
    if (found := recognised(path, None)) is not None:
        return found
    if (path / "unet" / "config.json").is_file():
        return _pipeline(path)
    if (path / "config.json").is_file():
        config = read_json(path / "config.json")
        if (network := network_folder(path, config) or encoder_folder(config, path)) is not None:
            return replace(network, precision=_folder_precision(path))
        name = str(config.get("_class_name", ""))
        if name == "UNet2DConditionModel":
            return _pipeline(path)
        if "ControlNet" in name:
            return _control_folder(path, config, name)
        classes: dict[str, What] = {"AutoencoderKL": "vae", "AutoencoderTiny": "tiny-vae"}
        what = classes.get(name, "other")
        because = f"a network of the class {name[:_CLASS]!r}" if what == "other" and name else ""
        return Kind(what, "folder", precision=_folder_precision(path), because=because, layout="diffusers")
    if (path / "model_index.json").is_file():
        name = str(read_json(path / "model_index.json").get("_class_name", ""))
        because = f"a pipeline{f' of the class {name[:_CLASS]!r}' if name else ''}, without a U-Net"
        return Kind("other", "folder", because=because, layout="diffusers")
    if (selector := onnx_folder(path)) is not None:
        return selector
    files = sorted(one.name for one in path.iterdir() if one.suffix in (".safetensors", ".ckpt"))
    because = f"a folder of files: name one of them, such as {files[0]}" if files else "a folder without a model in it"
    return Kind("other", "folder", because=because)


def _pipeline(path: Path) -> Kind:
    """A checkpoint's folder, or that of a U-Net alone."""
    alone = not (path / "unet").is_dir()
    unet = read_json((path if alone else path / "unet") / "config.json")
    labelled = unet.get("addition_embed_type") == "text_time"
    family = _unet_family(linear=bool(unet.get("use_linear_projection")), labelled=labelled)
    channels = unet.get("in_channels", 4)
    plain = Kind("other", "folder", layout="diffusers")
    if channels not in (4, 9):
        return replace(plain, because=f"a model whose U-Net takes {channels} channels, not 4 or 9")
    if family == "sdxl" and not alone and not (path / "text_encoder").is_dir():
        return replace(plain, because="the refiner of SDXL; use the base or an inpainting model")
    scheduler = path / "scheduler" / "scheduler_config.json"
    settings = read_json(scheduler) if scheduler.is_file() else {}
    predicted = str(settings.get("prediction_type", "epsilon"))
    if predicted not in ("epsilon", "v_prediction"):
        return replace(plain, because=f"a model that predicts {predicted!r}, not the noise or v")
    embeds = unet.get("time_cond_proj_dim") is not None
    return Kind(
        "unet" if alone else "checkpoint",
        "folder",
        lacks=("vae", "text") if alone else (),
        family=family,
        channels=channels,
        prediction="v" if predicted == "v_prediction" else "epsilon",
        lcm=embeds or settings.get("_class_name") == "LCMScheduler",
        embeds_guidance=embeds,
        zero_snr=bool(settings.get("rescale_betas_zero_snr", False)),
        precision=_folder_precision(path if alone else path / "unet"),
        layout="diffusers",
        because="" if alone else "from its scheduler's configuration",
    )


def _control_folder(path: Path, config: Mapping[str, Any], name: str) -> Kind:
    """A ControlNet's folder; its family is None where it guides networks of another architecture than a U-Net."""
    union = whole_number(config.get("num_control_type", 6), "num_control_type", path) if name in _UNIONS else 0
    family = None
    if name in _UNIONS or name == "ControlNetModel":
        labelled = config.get("addition_embed_type") == "text_time"
        family = _unet_family(linear=bool(config.get("use_linear_projection")), labelled=labelled)
    precision = _folder_precision(path)
    return Kind("controlnet", "folder", family=family, precision=precision, layout="diffusers", union=union)


def _folder_precision(folder: Path) -> Precision:
    sets = weights_in(folder)
    plain = sets.get("") or next(iter(sets.values()), {})
    path = plain.get("safetensors")
    if path is None or path.suffix == ".json":
        return "fp16" if "fp16" in sets and "" not in sets else "fp32"
    return _precision(read_table(path).tensors)
