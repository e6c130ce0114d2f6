"""Networks that selectors run: classes of transformers, and the networks that the process holds.

This module alone knows transformers (extra select). It is used without torchvision: pictures are prepared in this
package. Networks run on the CPU, where equal input gives equal masks.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from overpaint.errors import EngineError, MissingExtraError, ModelError
from overpaint.models import ModelRef, digest, find_network, read_json
from overpaint.models.values import What

T = TypeVar("T")

HELD = 2
"""Networks that the process holds: one that finds boxes by words, and one that selects what is in them."""


@dataclass(frozen=True, slots=True)
class NetworkAccess:
    """Which networks a selection may name.

    Attributes:
        paths: Whether a path is taken. Names that come over a network may be none.
        allow_pickle: Whether a pickle may be read, weights only.
    """

    paths: bool = False
    allow_pickle: bool = False


_access: ContextVar[NetworkAccess] = ContextVar("access to networks", default=NetworkAccess())  # noqa: B039 - frozen


@contextlib.contextmanager
def network_access(*, paths: bool, allow_pickle: bool = False) -> Iterator[None]:
    """Within the block, and in this thread, selectors may read these networks. Outside of one: safe installed ones."""
    token = _access.set(NetworkAccess(paths, allow_pickle))
    try:
        yield
    finally:
        _access.reset(token)


def named_network(name: str, what: What = "selector") -> ModelRef:
    """The selector's network of this name and task, as far as the present access goes.

    Raises:
        ModelError: As `overpaint.models.find_network`.
    """
    access = _access.get()
    return find_network(name, what, paths=access.paths, allow_pickle=access.allow_pickle)


def transformers_class(model: str, name: str, what: str) -> Any:
    """A class of transformers.

    Args:
        model: The module of `transformers.models`, and what of it: "sam2.modeling_sam2".
        name: The class: "Sam2Model".
        what: What needs it, for the error.

    Raises:
        MissingExtraError: transformers is not installed.
        EngineError: It lacks this class, or a package that the class needs.
    """
    if importlib.util.find_spec("transformers") is None:
        raise MissingExtraError.of(what, "select")
    try:
        with _quiet():
            return getattr(importlib.import_module(f"transformers.models.{model}"), name)
    except (ImportError, AttributeError) as error:
        message = f"{what} can't be used with the transformers that is installed: {str(error).splitlines()[0]}"
        raise EngineError(message, hint="install 'overpaint[select]' again") from error


def encoder_of_ours(name: str, part: str, make: Callable[..., Any]) -> None:
    """Let a configuration of transformers name a network of ours as the encoder of another one.

    Args:
        name: The encoder's `model_type`; what it is made of is the setting `sizes`.
        part: The name of the network within the encoder, which begins the names of its tensors.
        make: Makes the network from the sizes, as named arguments. It gives what it sees at several sizes, in a list.
    """
    from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
    from transformers.modeling_outputs import BaseModelOutput

    class EncoderConfig(PreTrainedConfig):  # type: ignore[misc]
        model_type = name
        sizes: dict[str, Any] | None = None

    class Encoder(PreTrainedModel):  # type: ignore[misc]
        config_class = EncoderConfig
        main_input_name = "pixel_values"

        def __init__(self, config: EncoderConfig) -> None:
            super().__init__(config)
            self.add_module(part, make(**(config.sizes or {})))
            self.post_init()

        def forward(self, pixel_values: Any, **_: Any) -> Any:
            return BaseModelOutput(last_hidden_state=self.get_submodule(part)(pixel_values))

    AutoConfig.register(name, EncoderConfig, exist_ok=True)
    AutoModel.register(EncoderConfig, Encoder, exist_ok=True)


def loaded_folder(
    kind: Any,
    ref: ModelRef,
    names: Mapping[str, str] = MappingProxyType({}),
    settings: Callable[[], Any] | None = None,
) -> Any:
    """A network of transformers from a folder in its layout, ready to run on the CPU in single precision.

    Args:
        kind: The class.
        ref: The folder; its pickle is read only where that was allowed, and weights only.
        names: The network's names of tensors that the file has by others: patterns, and what takes their place.
        settings: Makes its configuration, where that is not the folder's own.

    Raises:
        ModelError: A file is missing, cut short or damaged, is for another network, or asks for what is elsewhere.
    """
    import torch

    check_self_contained(ref)

    safe = any(ref.path.glob("*.safetensors"))
    if not safe and not ref.allow_pickle:
        from overpaint.models.pickles import pickle_not_allowed

        raise pickle_not_allowed(ref.path, f"{ref.name} has its weights in a pickle, which can hold code")
    with _failing(ref.name), _quiet():
        network, found = kind.from_pretrained(
            str(ref.path),
            config=None if settings is None else settings(),
            local_files_only=True,
            use_safetensors=safe,
            weights_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            key_mapping=dict(names) or None,
        )
    check_complete(ref.name, found["missing_keys"], found.get("mismatched_keys") or ())
    return ready(network)


_ELSEWHERE = ("auto_map", "backbone", "configuration_files", "quantization_config")
"""Settings by which transformers would run code that a folder names, ask the hub, or read other files."""

_ATTENTION = ("eager", "sdpa", None)
"""Ways to compute attention that are torch's own: others may be code, which is downloaded."""


def check_self_contained(ref: ModelRef) -> None:
    """Refuse a folder whose config.json names code, or what is elsewhere: transformers would run or fetch it.

    Raises:
        ModelError: It does, or is damaged.
    """
    for name, value in _settings(read_json(ref.path / "config.json")):
        ways = value.values() if isinstance(value, dict) else [value]
        attention = name.endswith("attn_implementation") and not all(way in _ATTENTION for way in ways)
        remote = name == "architecture" and ":" in str(value)  # of timm: "hf-hub:OWNER/NAME"
        if attention or remote or (name in _ELSEWHERE and value):
            raise ModelError(
                f"the config.json of {ref.name} asks for what is not in its folder ({name}): it was not loaded, and "
                "nothing was run or fetched",
                code="model-not-self-contained",
                field="model",
                value=ref.name,
            )


def _settings(table: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of a configuration, and of those within it."""
    if isinstance(table, dict):
        for name, value in table.items():
            yield str(name), value
            yield from _settings(value)
    elif isinstance(table, list):
        for value in table:
            yield from _settings(value)


def with_weights(make: Callable[[], Any], tensors: Mapping[str, Any], name: str) -> Any:
    """A network with these tensors, ready to run on the CPU in single precision.

    Args:
        make: Makes the network; its own weights are never set.
        tensors: All of its tensors by its own names; further ones are an error, as they are another network's.
        name: The model's, for errors.

    Raises:
        ModelError: A tensor is missing, left over or of another shape.
    """
    import torch

    with _failing(name), _quiet(), torch.device("meta"):
        network = make()
    with _failing(name):
        own = {key: value.to(torch.float32) for key, value in tensors.items()}
        found = network.load_state_dict(own, strict=False, assign=True)
    check_complete(name, [*found.missing_keys, *found.unexpected_keys], ())
    return ready(network)


def check_complete(name: str, lost: Any, mismatched: Any) -> None:
    """Raise ModelError where tensors are missing, or do not fit."""
    wrong = sorted(map(str, [*lost, *mismatched]))
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        message = f"{name} is cut short, or for another network: {wrong[0]}{more} can't be matched"
        raise ModelError(message, field="model", value=name)


def ready(network: Any) -> Any:
    """A network of torch for use alone."""
    network.eval()
    network.requires_grad_(False)
    return network


@contextlib.contextmanager
def _failing(name: str) -> Iterator[None]:
    """A failure to load becomes a ModelError: any bytes may be in a file."""
    try:
        yield
    except (ModelError, MissingExtraError, MemoryError):
        raise
    except ImportError as error:
        message = f"{name} needs a package that is not installed: {str(error).strip().splitlines()[0]}"
        raise EngineError(message, field="model", value=name) from error
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{name} can't be loaded: {reason}; get it again", field="model", value=name) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Within the block transformers says nothing, and shows no bars of progress."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


_lock = threading.Lock()
_held: OrderedDict[Hashable, Any] = OrderedDict()


def held(key: Hashable, load: Callable[[], T]) -> T:
    """The network of this key, which is loaded where the process does not hold it. The last `HELD` ones are kept."""
    with _lock:
        if key not in _held:
            while len(_held) >= HELD:
                _held.popitem(last=False)  # before the next one takes memory
            _held[key] = load()
        _held.move_to_end(key)
        found: T = _held[key]
        return found


def release() -> None:
    """Let all networks go."""
    with _lock:
        _held.clear()


def network_digest(path: Path) -> str:
    """SHA-256 of a file or folder of weights, in hex."""
    return digest(path)
