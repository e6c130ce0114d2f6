"""Contenders of the fill benchmark: engines with settings, called directly or through the studio, and peers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarks.dataset import Case, LoadedCase
from benchmarks.extension import MIRROR, cropped, mirrored
from benchmarks.fingerprint import fingerprint
from benchmarks.peers import GROUP, PEERS, Peer, missing
from overpaint import pocket
from overpaint.engines import EngineCard, registry
from overpaint.engines.base import Canvas, paint
from overpaint.errors import EngineError, OverpaintError, RequestError
from overpaint.geometry import Box

UNTOUCHED = "untouched"
"""Name of the contender that leaves the photo unchanged: the upper bound of every score."""

Pixels8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Contender:
    """One column of the benchmark.

    Attributes:
        label: Name in tables, and name of the folder of its fills.
        engine: The engine's registered name, the name of a peer, MIRROR or UNTOUCHED.
        settings: Fields of the request; in strings "{caption}" stands for the photo's caption.
        options: The engine's own options.
        direct: Whether the engine is given the whole photo and its pixels pasted hard into the hole, without the
            studio's framing, growing and feathering.
    """

    label: str
    engine: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    direct: bool = False

    def fingerprint(self) -> str:
        """Digest of all inputs of the fills: settings, engine's digest, sources, libraries. Raises EngineError."""
        if self.engine in PLAIN:
            return self.engine
        if self.engine in PEERS:
            peer = f"{self.engine} {PEERS[self.engine].version()}"
            return fingerprint(["benchmarks.peers"], peer, package="benchmarks")
        card = _card(self)
        wanted = json.dumps([self.engine, dict(self.settings), dict(self.options), self.direct], sort_keys=True)
        modules = [_module(self), *([] if self.direct else ["overpaint.studio"])]
        return fingerprint(modules, wanted, card.digest)


PLAIN = (UNTOUCHED, MIRROR)
"""Contenders that are no filler."""

CHECKPOINTS = "diffusion"
"""The engine of contenders that name a model."""

POCKET_VARIANTS = (
    "pocket=diffusion model=pocket masked_content=fill detail=none",
    "pocket+detail=diffusion model=pocket masked_content=fill",
    "exemplar+pocket=diffusion model=pocket masked_content=exemplar strength=0.5",
)
"""The embedded model alone, with detail from the surroundings, and started from the exemplar fill."""


def _card(contender: Contender) -> EngineCard:
    if contender.engine != CHECKPOINTS:
        return registry.card(contender.engine)
    from overpaint.engines.diffusion.engine import card_of
    from overpaint.models import find

    model = contender.settings.get("model")
    if not isinstance(model, str):
        raise RequestError(f"{contender.label}: the engine {CHECKPOINTS!r} needs model=NAME")
    return card_of(find(model))


def _module(contender: Contender) -> str:
    if contender.engine == CHECKPOINTS:
        return "overpaint.engines.diffusion.engine"
    created = registry.create(contender.engine)
    try:
        return type(created).__module__
    finally:
        created.close()


def contenders(
    engines: Sequence[str] | None = None, variants: Sequence[str] = (), *, direct: bool = False
) -> tuple[list[Contender], list[str]]:
    """The requested contenders, then the untouched photo; and a line for each engine or peer that is not here.

    Args:
        engines: Names of engines and peers, or the group of all peers; None: all registered pixel engines and three
            variants of the embedded model (other engines need a prompt: pass them as a variant).
        variants: "LABEL=ENGINE key=value ...", see `variant`.
        direct: As in Contender.

    Raises:
        RequestError: A variant can't be read or has wrong options, or two contenders have one label.
        UnknownEngineError, EngineError: A named engine does not exist or can't be loaded.
    """
    found, absent = _registered(direct) if engines is None else _named(engines, direct)
    if engines is None and not direct and pocket.folder() is not None:
        found += [variant(text) for text in POCKET_VARIANTS]
    found += [variant(text, direct=direct) for text in variants]
    for contender in found:
        if contender.engine in PEERS or contender.engine in PLAIN:
            continue
        try:
            _card(contender).options(**contender.options)
        except ValidationError as error:
            raise RequestError(f"{contender.label}: {error.errors()[0]['msg']} ({error.errors()[0]['loc']})") from error
    labels = [contender.label for contender in found]
    if doubled := sorted({label for label in labels if labels.count(label) > 1 or label == UNTOUCHED}):
        raise RequestError(f"labels of contenders must be unique; repeated or reserved: {', '.join(doubled)}")
    return [*found, Contender(UNTOUCHED, UNTOUCHED, direct=direct)], absent


def _registered(direct: bool) -> tuple[list[Contender], list[str]]:
    """All pixel engines that can be used here, and a line for each that can't."""
    found, absent = [], []
    for name in registry.names():
        try:
            card = registry.card(name)
            if "model" in card.accepts or card.paints_from != "surroundings":
                continue
            registry.create(name).close()
        except OverpaintError as error:
            absent.append(f"{name}: {error}")
            continue
        found.append(Contender(name, name, direct=direct))
    return found, absent


def _named(engines: Sequence[str], direct: bool) -> tuple[list[Contender], list[str]]:
    """The engines and peers of these names, and a line for each peer that is not installed."""
    found, absent = [], []
    for name in [one for named in engines for one in (PEERS if named == GROUP else (named,))]:
        if name not in PEERS:
            if name != MIRROR:
                registry.card(name)
        elif PEERS[name].version() is None:
            absent.append(missing(name))
            continue
        found.append(Contender(name, name, direct=direct))
    return found, absent


def variant(text: str, *, direct: bool = False) -> Contender:
    """A contender from "LABEL=ENGINE key=value ...": values are JSON or plain words.

    `options.patch=9` sets an option of the engine, `strength=0.5` a field of the request. Values have no spaces: a
    prompt of several words is written as JSON with \\u0020.
    """
    head, *rest = text.split()
    label, equals, engine = head.partition("=")
    if not equals or not re.fullmatch(r"[\w.+-]+", label):
        raise RequestError(f"a variant is LABEL=ENGINE key=value ..., not {text!r}")
    settings: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for word in rest:
        key, equals, value = word.partition("=")
        if not equals:
            raise RequestError(f"{word!r} in the variant {label!r} is not key=value")
        place, name = (options, key[8:]) if key.startswith("options.") else (settings, key)
        place[name] = _value(value)
    return Contender(label, engine, settings, options, direct)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class Runner(Protocol):
    """A loaded contender."""

    def fill(self, case: Case, loaded: LoadedCase) -> Pixels8:
        """The photo with its hole filled, (H, W, 3) uint8."""

    def close(self) -> None:
        """Free engines and threads."""


def start(contender: Contender) -> Runner:
    """A runner that has filled a small picture once, so that imports and set-up are not timed."""
    runner: Runner
    if contender.engine == MIRROR:
        runner = _Mirror()
    elif contender.engine in PEERS:
        runner = _PeerRunner(PEERS[contender.engine])
    else:
        runner = _Direct(contender) if contender.direct else _Studio(contender)
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    hole = np.zeros((96, 96), bool)
    hole[40:56, 40:56] = True
    nothing = Case("warm-up", "box", Path(), Path(), caption="noise")
    runner.fill(nothing, LoadedCase(noise, hole, Box(0, 0, 96, 96)))
    return runner


class _Mirror:
    def fill(self, case: Case, loaded: LoadedCase) -> Pixels8:
        return mirrored(loaded)

    def close(self) -> None:
        pass


class _PeerRunner:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def fill(self, case: Case, loaded: LoadedCase) -> Pixels8:
        try:
            return self._peer.fill(loaded.pixels, loaded.hole)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise EngineError(f"{self._peer.about} failed: {error}") from error

    def close(self) -> None:
        pass


class _Direct:
    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._engine = registry.create(contender.engine)

    def fill(self, case: Case, loaded: LoadedCase) -> Pixels8:
        canvas = Canvas(
            pixels=loaded.pixels.astype(np.float32) / np.float32(255),
            mask=loaded.hole.astype(np.float32),
            usable=None if loaded.margins is None else ~loaded.hole,
            options=self._engine.card.options(**_with_caption(self._contender.options, case)),
        )
        painted = paint(self._engine, [canvas])[0].pixels
        filled = loaded.pixels.copy()
        filled[loaded.hole] = np.rint(painted[loaded.hole] * 255).clip(0, 255).astype(np.uint8)
        return filled

    def close(self) -> None:
        self._engine.close()


class _Studio:
    def __init__(self, contender: Contender) -> None:
        from overpaint.studio import Studio

        self._contender = contender
        self._studio = Studio()

    def fill(self, case: Case, loaded: LoadedCase) -> Pixels8:
        from overpaint.mask import Mask
        from overpaint.picture import from_array

        wanted: dict[str, Any] = {"intent": "remove", "seed": 0, **_with_caption(self._contender.settings, case)}
        if self._contender.options:
            wanted["options"] = _with_caption(self._contender.options, case)
        if loaded.margins is None:
            pixels = loaded.pixels
            wanted["mask"] = Mask.from_array(loaded.hole)
        else:
            pixels = cropped(loaded, loaded.margins)
            wanted |= {"intent": "expand", "margins": tuple(loaded.margins)}
        edited = self._studio.edit(from_array(pixels), engine=self._contender.engine, **wanted)
        return np.asarray(edited.picture.samples, np.uint8)

    def close(self) -> None:
        self._studio.close()


def _with_caption(settings: Mapping[str, Any], case: Case) -> dict[str, Any]:
    return {
        key: value.replace("{caption}", case.caption) if isinstance(value, str) else value
        for key, value in settings.items()
    }
