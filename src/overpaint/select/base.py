"""The contract of a selector: a picture and hints in, masks of what they mean out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, JsonValue

from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.request import UsedModel

HintKind = Literal["points", "boxes", "text", "mask"]


class SelectorOptions(BaseModel):
    """Base of the options that a selector has of its own; itself those of a selector that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class HintPoint:
    """A place that is, or is not, of what is meant.

    Attributes:
        x, y: In pixels of the picture as it is shown, from the upper left corner of the upper left pixel.
        inside: Whether it is of what is meant.
    """

    x: float
    y: float
    inside: bool = True


@dataclass(frozen=True, slots=True)
class SelectorHints:
    """What a person says of what is meant. All of it together counts.

    Attributes:
        points: Places that are of it, or are not.
        boxes: Boxes around it, one for each thing, in pixels.
        text: What it is, in words.
        mask: A rough mask that is to be refined, of the picture's size.
        options: The selector's own options, such as a tolerance.
    """

    points: tuple[HintPoint, ...] = ()
    boxes: tuple[Box, ...] = ()
    text: str = ""
    mask: Mask | None = None
    options: Mapping[str, JsonValue] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def given(self) -> tuple[HintKind, ...]:
        """The kinds of hints that are given."""
        found: dict[HintKind, bool] = {
            "points": bool(self.points),
            "boxes": bool(self.boxes),
            "text": bool(self.text),
            "mask": self.mask is not None,
        }
        return tuple(name for name, is_given in found.items() if is_given)

    @property
    def inside(self) -> tuple[HintPoint, ...]:
        """The points that are of it."""
        return tuple(point for point in self.points if point.inside)

    @property
    def outside(self) -> tuple[HintPoint, ...]:
        """The points that are not."""
        return tuple(point for point in self.points if not point.inside)


@dataclass(frozen=True, slots=True)
class SelectorCard:
    """What a selector finds, and what it takes.

    Attributes:
        name: Its name in requests: "grabcut".
        title: One line for people.
        takes: SelectorHints that it acts on.
        needs: Of these hints at least one must be given; empty: it works without any.
        several: Whether it may give several masks: one for each face, say.
        options: A strict pydantic model of the selector's own options.
        tip: What to try where it finds nothing, as a clause.
        licence: Of code and weights, an SPDX expression where there is one.
        digest: Of weights and version; selections of equal digests are comparable.
        references: Papers that it follows.
        words: The words that its text may have; empty: any.
        without: Options that say that no network is used, with the value for it: what a selector may find out by
            itself is written into a record.
    """

    name: str
    title: str
    takes: frozenset[HintKind] = frozenset()
    needs: frozenset[HintKind] = frozenset()
    several: bool = False
    options: type[BaseModel] = SelectorOptions
    tip: str = ""
    licence: str = "Apache-2.0"
    digest: str = ""
    references: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    without: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not self.needs <= self.takes:
            raise ValueError(
                f"the card of {self.name!r} needs {sorted(self.needs - self.takes)}, which it doesn't take"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Something that a selector found.

    Attributes:
        mask: Where it is, of the picture's size, 1 = selected.
        score: How sure the selector is, 0 to 1; of use to order the selections of one selector.
        label: What it is: "face", or a text that was read; "" where there is nothing to say.
        alternative: Whether it is another meaning of the same hints as the selection before it: a part of the thing at
            a point, say. It can be picked, and is no part of the union of all.
    """

    mask: Mask
    score: float = 1.0
    label: str = ""
    alternative: bool = False


@runtime_checkable
class Selector(Protocol):
    """A selector. Thread-safe; its class takes no arguments."""

    @property
    def card(self) -> SelectorCard:
        """Its card."""

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """What the hints mean in this picture, the surest first; empty where there is nothing.

        The hints have been checked against the card and the picture (see `overpaint.select.select`).
        """


@runtime_checkable
class NetworkSelector(Selector, Protocol):
    """A selector that runs networks."""

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """The networks that it runs for these hints, for records. Raises ModelError where one is not here."""
