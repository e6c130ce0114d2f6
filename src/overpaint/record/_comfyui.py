"""ComfyUI's prompt: a graph of nodes in its API form, {id: {"class_type": ..., "inputs": {name: value or [id, slot]}}}.

It has no list of settings. The sampler nearest to the saved picture is found by following the links back, and its
settings are read from its inputs; a link is followed to the first node that holds the value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ._record import FoundRecord

Graph = Mapping[str, Any]

_NAMES = {
    "seed": "seed", "noise_seed": "seed", "steps": "steps", "cfg": "guidance_scale", "sampler_name": "sampler",
    "scheduler": "scheduler", "denoise": "strength", "guidance": "guidance_scale",
}  # fmt: skip
_MODEL_KEYS = ("ckpt_name", "unet_name", "model_name")
_TEXT_KEYS = ("text", "text_g", "prompt", "string", "value", "t5xxl", "clip_l", "positive")
_SAMPLING_NODES = (
    "KSamplerSelect", "BasicScheduler", "KarrasScheduler", "RandomNoise", "CFGGuider", "BasicGuider", "FluxGuidance",
    "AlignYourStepsScheduler", "SDTurboScheduler",
)  # fmt: skip
_OUTPUTS = ("SaveImage", "PreviewImage", "SaveAnimated", "ImageSave", "Image Save")
_MOST_NODES = 20_000


def read_prompt(graph: Graph, raw: str) -> FoundRecord | None:
    """The settings of a graph, whose text is `raw`; None when it is not a graph or has no sampler."""
    nodes = {
        name: node for name, node in graph.items() if isinstance(node, dict) and isinstance(node.get("inputs"), dict)
    }
    if not nodes or len(nodes) > _MOST_NODES or not any("class_type" in node for node in nodes.values()):
        return None
    sampler = _nearest_sampler(nodes)
    if sampler is None:
        return None
    settings: dict[str, Any] = {}
    for node in _upstream(nodes, [sampler]):
        inputs = nodes[node]["inputs"]
        # custom samplers keep these in nodes of their own (KSamplerSelect, BasicScheduler, RandomNoise, CFGGuider)
        if node != sampler and nodes[node].get("class_type") not in _SAMPLING_NODES:
            continue
        for key, name in _NAMES.items():
            value = _constant(nodes, inputs.get(key))
            if name not in settings and isinstance(value, str | int | float) and not isinstance(value, bool):
                settings[name] = value
    if (model := _model(nodes, sampler)) is not None:
        settings["model"] = model
    positive, negative = (_prompt(nodes, sampler, side) for side in ("positive", "negative"))
    return FoundRecord("ComfyUI", raw, positive, negative, settings)


def _nearest_sampler(nodes: Graph) -> str | None:
    outputs = [name for name, node in nodes.items() if str(node.get("class_type", "")).startswith(_OUTPUTS)]
    return next((name for name in _upstream(nodes, outputs or list(nodes)) if _is_sampler(nodes[name])), None)


def _is_sampler(node: Mapping[str, Any]) -> bool:
    """Whether a node is a sampler: KSampler, KSamplerAdvanced, SamplerCustom, SamplerCustomAdvanced, ..."""
    kind, inputs = str(node.get("class_type", "")), node["inputs"]
    return "Sampler" in kind and any(key in inputs for key in ("latent_image", "positive", "guider"))


def _upstream(
    nodes: Graph, start: list[str], followed: Callable[[Mapping[str, Any]], Iterable[str]] = iter
) -> Iterator[str]:
    """`start` and the nodes that they depend on, nearest first, each once.

    Args:
        nodes: The graph.
        start: Names of nodes.
        followed: Names of the inputs, of a node's, whose links are followed.
    """
    queue, seen = deque(start), set(start)
    while queue:
        name = queue.popleft()
        yield name
        inputs = nodes[name]["inputs"]
        for key in followed(inputs):
            linked = _link(nodes, inputs.get(key))
            if linked is not None and linked not in seen:
                seen.add(linked)
                queue.append(linked)


def _link(nodes: Graph, value: Any) -> str | None:
    """The node that an input is linked to; None for a value."""
    match value:
        case [str() | int() as name, int()] if str(name) in nodes:
            return str(name)
    return None


def _constant(nodes: Graph, value: Any) -> Any:
    """A value, or the value of a node that only holds one (a primitive)."""
    linked = _link(nodes, value)
    if linked is None:
        return value if not isinstance(value, list | dict) else None
    inputs = nodes[linked]["inputs"]
    return next((inputs[key] for key in ("value", "seed", "noise_seed", "int", "float", "text") if key in inputs
                 and not isinstance(inputs[key], list | dict)), None)  # fmt: skip


def _model(nodes: Graph, sampler: str) -> str | None:
    """The checkpoint, also behind nodes that patch it."""
    loaders = [name for name in _upstream(nodes, [sampler]) if "Upscale" not in str(nodes[name].get("class_type"))]
    return _first_text(nodes, loaders, _MODEL_KEYS)


def _prompt(nodes: Graph, sampler: str, side: str) -> str:
    """The text behind the sampler's (or its guider's) positive or negative input."""
    for name in filter(None, (sampler, _link(nodes, nodes[sampler]["inputs"].get("guider")))):
        inputs = nodes[name]["inputs"]
        linked = _link(nodes, inputs.get(side))
        if linked is None and side == "positive":  # a guider without guidance has one input only
            linked = _link(nodes, inputs.get("conditioning"))
        if linked is not None:
            return _encoded_text(nodes, linked, side)
    return ""


def _encoded_text(nodes: Graph, start: str, side: str) -> str:
    """The first text on the way back from `start`; nodes with both sides are left by the input of this side."""
    other = "negative" if side == "positive" else "positive"

    def followed(inputs: Mapping[str, Any]) -> list[str]:
        return [side] if _link(nodes, inputs.get(side)) else [key for key in inputs if key != other]

    return _first_text(nodes, _upstream(nodes, [start], followed), _TEXT_KEYS) or ""


def _first_text(nodes: Graph, names: Iterable[str], keys: Iterable[str]) -> str | None:
    """The first input of these nodes that is text and has one of these keys."""
    values = (nodes[name]["inputs"].get(key) for name in names for key in keys)
    return next((value for value in values if isinstance(value, str)), None)
