"""Selecting by classes: sky, person, tree ... Each pixel of a picture is of one class, which a network knows.

Xie et al., "SegFormer: Simple and efficient design for semantic segmentation with transformers", NeurIPS 2021. The
classes of a whole picture are kept by its content, so that a further class costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.errors import RequestError, did_you_mean
from overpaint.geometry import Size
from overpaint.models import ModelRef
from overpaint.picture import Picture
from overpaint.request import UsedModel

from .base import Selection, Selector, SelectorCard, SelectorHints, SelectorOptions
from .cache import shared
from .class_names import class_names, plain_name
from .networks import held, loaded_folder, named_network, network_digest, transformers_class
from .prepare import InputForm, at_size, edged, is_usable, mask_by, network_for, used_network, within
from .seen import SeenPicture

NETWORKS = ("segformer",)

FORM = InputForm(size=Size(512, 512))
"""How the published networks take pictures, unless their folders say otherwise."""

OF_WORDS = {"clipseg": "clipseg", "grounding-dino": "grounding", "sam3": "sam3"}
"""The selector that runs a network which understands words, by the network."""

SIDE = 640
"""The most pixels of the longer side of the grid of classes. Edges are moved to the picture's own afterwards."""

REFERENCE = "Xie et al., SegFormer, NeurIPS 2021"


class ClassOptions(SelectorOptions):
    """Which network."""

    model: str = Field(default="", max_length=1024, description="the network's name; left out, the first that is here")
    refine: bool = Field(default=True, description="move the edge of a mask to the picture's own")


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """The classes of a picture.

    Attributes:
        numbers: (h, w) uint16: the number of each place's class.
        sure: (h, w) float32: how likely that class is, 0 to 1.
        names: Of each class; several names of one have commas between them.
        cells: How many cells the network sees along the longer side.
    """

    numbers: NDArray[np.uint16]
    sure: NDArray[np.float32]
    names: tuple[str, ...]
    cells: int

    @property
    def bytes(self) -> int:
        """Of the arrays."""
        return int(self.numbers.nbytes + self.sure.nbytes)

    def number(self, name: str) -> int:
        """The number of the class with this name. RequestError where there is none."""
        by_name = _numbers(self.names)
        if plain_name(name) not in by_name:
            raise RequestError(
                f"no class is called {name[:80]!r}{did_you_mean(plain_name(name), by_name)}",
                code="class-unknown",
                field="text",
                value=name[:80],
                hint=f"classes are {', '.join(by_name)}",
            )
        return by_name[plain_name(name)]


def _numbers(names: tuple[str, ...]) -> Mapping[str, int]:
    """Numbers by every name."""
    several = ((one, number) for number, joined in enumerate(names) for one in joined.replace(";", ",").split(","))
    return {plain_name(one): number for one, number in several if one.strip()}


class Classes:
    """What is of the classes that a text names, with commas between them; one selection a class."""

    card = SelectorCard(
        name="classes",
        title="all that is of a class, or of several: sky, person, tree ... (SegFormer)",
        takes=frozenset({"text", "boxes"}),
        needs=frozenset({"text"}),
        several=True,
        options=ClassOptions,
        tip="it is not in the picture, or too small: name another class, or set a point on it",
        licence="that of its network",
        digest="classes-1",
        references=(REFERENCE, "Zhou et al., Scene parsing through ADE20K dataset, CVPR 2017"),
        words=class_names(),
    )

    @property
    def here(self) -> bool:
        """Whether a network is on this machine that needs no further permission."""
        return is_usable(NETWORKS, "transformers")

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """As `NetworkSelector`."""
        return (used_network(_ref(hints)),)

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """A mask for each class that is there, in the order in which they are named."""
        options, ref = ClassOptions.model_validate(dict(hints.options)), _ref(hints)
        seen = SeenPicture.of(picture)
        digest = network_digest(ref.path)
        network = held((digest, "segformer"), lambda: SegFormerNetwork.load(ref))
        found = shared.get((seen.digest, digest, "classes"), lambda: network.classes(seen), lambda made: made.bytes)
        names = [one.strip() for one in hints.text.replace(";", ",").split(",") if one.strip()]
        numbers = {plain_name(name): found.number(name) for name in names}
        selections = []
        for name, number in numbers.items():
            small = found.numbers == number
            if not small.any():
                continue
            large = cv2.resize(small.astype(np.float32), tuple(seen.size), interpolation=cv2.INTER_LINEAR)
            marked: NDArray[np.bool_] = large >= np.float32(0.5)
            if options.refine:
                marked = edged(seen, marked, max(seen.size) / found.cells)
            marked = within(marked, hints.boxes)
            selections.append(Selection(mask_by(marked, ref), float(found.sure[small].mean()), name))
        return [one for one in selections if one.mask.core.any()]


class OneClass:
    """What is of one class: "sky". Without a network for classes, by one that understands words."""

    def __init__(self, name: str) -> None:
        """`name` is that of the class."""
        self._name = name
        self.card = SelectorCard(
            name=name,
            title=f"all that is of the class {name!r} (SegFormer, or by words)",
            takes=frozenset({"boxes"}),
            options=ClassOptions,
            tip=Classes.card.tip,
            licence=Classes.card.licence,
            digest=Classes.card.digest,
            references=Classes.card.references,
        )

    @property
    def here(self) -> bool:
        """Whether a network is on this machine that needs no further permission."""
        from .words import best_of_words

        return Classes().here or best_of_words() is not None

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """As `NetworkSelector`."""
        found, given = self._by(hints)
        models = getattr(found, "models", None)
        return () if models is None else tuple(models(given))

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask, or one for each thing of the class."""
        found, given = self._by(hints)
        return found.select(picture, given)

    def _by(self, hints: SelectorHints) -> tuple[Selector, SelectorHints]:
        """The selector that finds it, and what that is given."""
        from .registry import selector
        from .words import best_of_words

        classes, named = Classes(), replace(hints, text=self._name)
        if model := str(hints.options.get("model") or ""):
            other = OF_WORDS.get(named_network(model).kind.network)
        else:
            other = None if classes.here else best_of_words()
        if other is None:
            return classes, named
        known = selector(other).card.options.model_fields
        return selector(other), replace(
            named, options={key: hints.options[key] for key in hints.options if key in known}
        )


def _ref(hints: SelectorHints) -> ModelRef:
    name = ClassOptions.model_validate(dict(hints.options)).model
    return network_for(NETWORKS, name, purpose="a selection by classes", suggested="segformer-b0-ade")


@dataclass(frozen=True, slots=True, eq=False)
class SegFormerNetwork:
    """The network of a folder.

    Attributes:
        model: transformers' SegformerForSemanticSegmentation.
        form: How it takes pictures.
    """

    model: Any
    form: InputForm

    @classmethod
    def load(cls, ref: ModelRef) -> SegFormerNetwork:
        """From a folder. Raises ModelError where a file is missing or damaged."""
        kind = transformers_class("segformer.modeling_segformer", "SegformerForSemanticSegmentation", ref.name)
        return cls(loaded_folder(kind, ref), FORM.read(ref.path))

    def classes(self, seen: SeenPicture) -> ClassMap:
        """The classes of a picture, which is reduced to `SIDE` where it is larger."""
        import torch

        scale = seen.scale_to(SIDE)
        size = Size(max(1, round(seen.size.width * scale)), max(1, round(seen.size.height * scale)))
        with torch.inference_mode():
            logits = self.model(pixel_values=self.form.tensor(seen)).logits[0]
            sure, numbers = at_size(logits, size).softmax(dim=0).max(dim=0)
        labels = self.model.config.id2label
        names = tuple(str(labels.get(number, "")) for number in range(logits.shape[0]))
        return ClassMap(numbers.numpy().astype(np.uint16), sure.numpy(), names, max(logits.shape[1:]))
