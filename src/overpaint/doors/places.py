"""Where to repaint, as people write it: mask files, boxes in pixels or per cent, polygons."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from overpaint.errors import MaskError, RequestError
from overpaint.geometry import Size

from . import forms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from overpaint.mask import Mask
    from overpaint.picture import Picture
    from overpaint.request import MaskSpec, Part, RegionText, SelectPart
    from overpaint.select import HintKind

Channel = Literal["auto", "luminance", "alpha", "transparent"]

_LENGTH = r"\s*-?\d*\.?\d+\s*(?:px|%)?\s*"
_BOX = re.compile(rf"{_LENGTH}(?:,{_LENGTH}){{3}}")
_LENGTHS = re.compile(rf"{_LENGTH}(?:,{_LENGTH})+")
_WEIGHTED = re.compile(r"(.+):\s*(\d*\.?\d+)")

WORDS = ("alpha", "full")
"""Words that stand for a mask file: the picture's own transparency, all of the picture."""

OF_FILES = ("mask_channel", "mask_label", "mask_picture", "mask_resize")
"""Attributes of `Places` that say how mask files are read."""

SELECTING = ("select", "select_text", "point", "not_point", "select_box", "select_option")
"""Attributes of `Places` that say what is selected in the picture."""

SHAPES = ("mask", "box", "ellipse", "polygon", *SELECTING)
"""Attributes of `Places` that mark something."""


@dataclass(frozen=True, slots=True)
class Places:
    """Files and shapes that mark where to repaint; their union counts.

    Attributes:
        mask: Mask files, or "alpha" or "full".
        box, ellipse: "left,top,right,bottom" each, in pixels or per cent of the picture.
        polygon: "x,y x,y x,y" each, likewise.
        mask_channel: Which channel of a mask file with alpha counts.
        mask_label: The label whose shapes are taken, for annotations; None takes all.
        mask_picture: The file name of the picture, for annotations of several pictures.
        mask_resize: Whether a mask of another size, whose sides are in proportion, is resized.
        invert: Repaint everything but these.
        blurred: Sigmas in pixels, across and down, of a blur that mask files have already; infotext names it.
        select: Names of selectors, which find things in the picture; with points alone "sam" is meant where its
            network is here, else "grabcut"; with words alone the one that understands them best of those that are here.
        select_text: What is meant, in words: "the red car".
        point, not_point: "x,y" each, in pixels or per cent: a place on what is meant, and on what is not.
        select_box: "left,top,right,bottom" each, likewise: a box around a thing that is meant.
        select_option: "key=value" each, of the selector.
        pick: The number of one selection of each selector and text, from 0; None: all of them.
    """

    mask: tuple[str, ...] = ()
    box: tuple[str, ...] = ()
    ellipse: tuple[str, ...] = ()
    polygon: tuple[str, ...] = ()
    mask_channel: Channel = "auto"
    mask_label: str | None = None
    mask_picture: str | None = None
    mask_resize: bool = False
    invert: bool = False
    blurred: tuple[float, float] | None = None
    select: tuple[str, ...] = ()
    select_text: tuple[str, ...] = ()
    point: tuple[str, ...] = ()
    not_point: tuple[str, ...] = ()
    select_box: tuple[str, ...] = ()
    select_option: tuple[str, ...] = ()
    pick: int | None = None

    @property
    def named(self) -> bool:
        """Whether any place is named."""
        return any(getattr(self, name) for name in SHAPES)

    @property
    def files(self) -> tuple[str, ...]:
        """The mask files."""
        return tuple(name for name in self.mask if name not in WORDS)

    @property
    def notes(self) -> tuple[str, ...]:
        """A note that names what is said about mask files where there are none."""
        lost = [name for name in OF_FILES if getattr(self, name) != getattr(Places(), name)]
        if self.files or not lost:
            return ()
        return (f"no mask file is named, so that {' and '.join(lost)} had no effect",)


@dataclass(frozen=True, slots=True)
class RegionPlaces:
    """A regional prompt with its place as people write it.

    Attributes:
        text: The prompt, its weight and its negative prompt.
        places: Where it holds.
    """

    text: RegionText
    places: Places

    @classmethod
    def of(cls, written: str, field: str = "regional_prompts") -> RegionPlaces:
        """From PLACE=TEXT or PLACE:WEIGHT=TEXT: the place is a mask file or LEFT,TOP,RIGHT,BOTTOM.

        Raises:
            RequestError: It is not written so, or the weight is out of its range.
        """
        from overpaint.request import RegionText

        before, mark, prompt = written.partition("=")
        place, weight = before.strip(), 1.0
        if found := _WEIGHTED.fullmatch(place):
            place, weight = found[1].strip(), float(found[2])
        if not mark or not place or not prompt.strip():
            raise RequestError(
                f"{{field}} takes PLACE=TEXT, not {written!r:.80}",
                code="regional-form",
                field=field,
                value=written,
                hint="the place is a mask file or LEFT,TOP,RIGHT,BOTTOM: left.png=a red car",
            )
        count = place.count(",") + 1
        if count > 1 and count != 4 and _LENGTHS.fullmatch(place):
            raise RequestError(
                f"{{field}} takes a box of four numbers, LEFT,TOP,RIGHT,BOTTOM; {place!r} has {count}",
                code="regional-form",
                field=field,
                value=written,
            )
        text = RegionText(prompt=prompt.strip(), weight=weight)
        return cls(text, Places(box=(place,)) if _BOX.fullmatch(place) else Places(mask=(place,)))


@dataclass(frozen=True, slots=True)
class MaskInput:
    """A mask as a studio takes it: for one file the mask itself, otherwise parts of a request.

    Attributes:
        mask: The mask of a single file; None where `spec` is given.
        spec: Shapes and files joined; None where `mask` is given.
        rasters: Rasters that `spec` names, by SHA-256.
        notes: Of the files of `spec`.
    """

    mask: Mask | None = None
    spec: MaskSpec | None = None
    rasters: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def drawn(self, size: Size, picture: Picture | None = None) -> Mask:
        """The mask, for a picture of that size, whose alpha counts where "alpha" is named."""
        if self.mask is not None:
            return self.mask
        from overpaint.select import network_access
        from overpaint.studio.masks import mask_of

        assert self.spec is not None
        with network_access(paths=True):
            return mask_of(self.spec, size, inputs=self.rasters, picture=picture).with_notes(self.notes)


def mask_at(places: Places, size: Size, read: Callable[[str, Places], Mask], *, box: str = "box") -> MaskInput | None:
    """Everything that is named, joined; None when nothing is.

    Args:
        places: What is named.
        size: The picture's size.
        read: From the name of a mask file, and what counts of it, to its mask, which has the picture's size.
        box: The field that an error about a box names.

    Raises:
        RequestError: A shape is not written as it should be, or `invert` has nothing to invert.
        MaskError: As `read` raises it; a label or picture is named, and no file is of annotations.
    """
    _check_pick(places)
    if not places.named:
        if places.invert:
            raise RequestError("{field} inverts a mask, and none is given", field="invert", value=True)
        return None
    alone = replace(places, **dict.fromkeys(SHAPES, ()), invert=False, blurred=None)  # type: ignore[arg-type]
    alone = replace(alone, mask=places.files[:1])
    if places.files and places == alone:
        return MaskInput(read(places.mask[0], places))
    # here, as the command line imports this module for its help, which must not load the request's model
    from overpaint.request import AlphaPart, BoxPart, EllipsePart, FullPart, MaskSpec, PolygonPart
    from overpaint.studio.masks import spec_of

    parts: list[Part] = []
    rasters: dict[str, NDArray[Any]] = {}
    notes: list[str] = []
    plain: list[MaskError] = []  # of files without labels, beside annotations with them
    for name in places.mask:
        if name in WORDS:
            parts.append(AlphaPart() if name == "alpha" else FullPart())
            continue
        try:
            mask = read(name, places)
        except MaskError as error:
            plain.append(error)
            if error.code != "mask-not-annotated" or len(plain) == len(places.files):
                raise
            mask = read(name, replace(places, mask_label=None, mask_picture=None))
        spec, carried = spec_of(mask)
        parts += spec.parts
        rasters |= carried
        notes += mask.notes
    boxes: Any = [forms.box(text, size, box) for text in places.box]
    ellipses: Any = [forms.box(text, size, "ellipse") for text in places.ellipse]
    parts += [BoxPart(box=one) for one in boxes] + [EllipsePart(box=one) for one in ellipses]
    parts += [PolygonPart(points=tuple(forms.points(text, size, "polygon"))) for text in places.polygon]
    parts += selections(places, size)
    return MaskInput(
        None,
        MaskSpec(parts=tuple(parts), invert=places.invert, blurred=places.blurred),
        rasters,
        (*notes, *places.notes),
    )


def selections(places: Places, size: Size | None) -> list[SelectPart]:
    """What is selected in a picture of this size, a part for each selector, and for each text.

    With several selectors each gets the hints and options that it takes. Without a size, which says what points and
    boxes mean, the parts have none: they show what selects, and by which networks.

    Raises:
        RequestError: A selector is not there, or a hint or an option is one that none of them takes.
        ModelError: Nothing that understands words is here.
    """
    _check_pick(places)
    if not any(getattr(places, name) for name in SELECTING):
        return []
    from overpaint.request import SelectPart
    from overpaint.select import SelectorHints, check_hints, hints_of, selector_card, selector_for

    if not places.select and not (places.point or places.select_box or places.select_text):
        field = next(name for name in ("not_point", "select_option") if getattr(places, name))
        raise RequestError(
            "{field} says more of what is selected, and nothing is",
            code="select-missing",
            field=field,
            value=getattr(places, field)[0],
            hint="set select or set point",
        )
    names = tuple(dict.fromkeys(places.select))
    if not names:
        names = (selector_for(SelectorHints(text=" ".join(places.select_text))),)
    cards = {name: selector_card(name) for name in names}
    hints: dict[str, tuple[Any, ...]] = {}
    if size is not None:
        hints = {
            "points": tuple(_point(text, size, "point") for text in places.point),
            "not_points": tuple(_point(text, size, "not_point") for text in places.not_point),
            "boxes": tuple(tuple(forms.box(text, size, "select_box")) for text in places.select_box),
        }
    options = dict(forms.key_value(text, "select_option") for text in places.select_option)
    kinds: dict[str, HintKind] = {"points": "points", "not_points": "points", "boxes": "boxes"}
    hints_taken = {kind for card in cards.values() for kind in card.takes}
    options_taken = {key for card in cards.values() for key in card.options.model_fields}
    parts = []
    for name, card in cards.items():
        # what none takes goes to each, which refuses it
        own = {
            key: all_of for key, all_of in hints.items() if kinds[key] in card.takes or kinds[key] not in hints_taken
        }
        taken = card.options.model_fields
        chosen: Any = {key: value for key, value in options.items() if key in taken or key not in options_taken}
        texts: tuple[str | None, ...] = (None,)
        if places.select_text and ("text" in card.takes or "text" not in hints_taken):
            texts = places.select_text
        for text in texts:
            part = SelectPart(selector=name, text=text, options=chosen or None, pick=places.pick, **dict[str, Any](own))
            if size is not None:
                check_hints(card, hints_of(part), size)
            parts.append(part)
    return parts


def _check_pick(places: Places) -> None:
    """RequestError where one of several selections is picked, and nothing is selected, or the number is none."""
    if places.pick is None:
        return
    if places.pick < 0:
        raise RequestError("{field} is a number from 0 on", field="pick", value=places.pick)
    if not any(getattr(places, name) for name in SELECTING):
        raise RequestError(
            "{field} takes one of what is selected, and nothing is",
            code="select-missing",
            field="pick",
            value=places.pick,
            hint="set select or set point",
        )


def _point(text: str, size: Size, field: str) -> tuple[float, float]:
    """X,Y in pixels or per cent."""
    across, down = forms.lengths(text, 2, "X,Y", field)
    return across.pixels(size.width), down.pixels(size.height)
