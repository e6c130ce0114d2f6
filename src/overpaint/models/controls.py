"""ControlNets: which kinds of control images they read, by their names, and the one for a control."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import ModelError, did_you_mean

from .catalogue import CATALOGUE, listed
from .detect import detect
from .families import family_title
from .pickles import pickle_not_allowed
from .store import ModelEntry, Origin, entries, known_licence, locate
from .terms import check_terms
from .values import Kind, ModelRef


@dataclass(frozen=True, slots=True)
class ControlKind:
    """A kind of control images.

    Attributes:
        names: Pattern that occurs in the names of ControlNets for it, in lower case.
        number: The number that union ControlNets know it by (xinsir's ControlNet++ for SDXL); None: they don't.
    """

    names: str
    number: int | None = None


CONTROL_KINDS: Mapping[str, ControlKind] = {
    "canny": ControlKind("canny", 3),
    "lineart": ControlKind(r"line[-_ ]?art(?![-_ ]?anime)", 3),
    "lineart_anime": ControlKind(r"line[-_ ]?art[-_ ]?anime", 3),
    "scribble": ControlKind("scribble|sketch", 2),
    "softedge": ControlKind(r"soft[-_ ]?edge|(?<![a-z])hed(?![a-z])|pidi", 2),
    "mlsd": ControlKind("mlsd", 3),
    "depth": ControlKind("depth|midas|zoe", 1),
    "normal": ControlKind("normal", 4),
    "openpose": ControlKind("pose", 0),
    "segmentation": ControlKind("(?<![a-z])seg", 5),
    "tile": ControlKind("(?<![a-z])tile", 6),
    "inpaint": ControlKind("inpaint|repaint", 7),
    "shuffle": ControlKind("shuffle"),
    "ip2p": ControlKind("ip2p|pix2pix"),
}
"""Kinds that a ControlNet is chosen for. Others are read by one that the control names."""


def reads(name: str, control: str) -> bool:
    """Whether the name of a ControlNet says that it reads control images of this kind."""
    kind = CONTROL_KINDS.get(control)
    return kind is not None and re.search(kind.names, name.lower()) is not None


def control_kinds(name: str, kind: Kind) -> tuple[str, ...]:
    """The kinds of control images that a ControlNet of this name is chosen for, or that a union one knows."""
    if not kind.union:
        return tuple(one for one in CONTROL_KINDS if reads(name, one))
    numbers = {one: row.number for one, row in CONTROL_KINDS.items()}
    return tuple(one for one, number in numbers.items() if number is not None and number < kind.union)


def find_control(
    control: str, family: str, name: str | None = None, *, allow_pickle: bool = False, published: bool = True
) -> ModelRef:
    """The ControlNet that reads control images of a kind for checkpoints of a family. Nothing is downloaded.

    Args:
        control: The kind of control images.
        family: Of the checkpoint.
        name: Of a ControlNet of the store or the catalogue, or OWNER/NAME of the hub. None: the one here that reads
            this kind, or else a union one.
        allow_pickle: Whether a pickle may be read, weights only.
        published: Whether the checkpoint has its family's published sizes, so that published ControlNets fit it.

    Raises:
        ModelError: There is none ("control-missing", "model-unknown", "model-not-downloaded"), or several and none is
            named ("control-ambiguous"); it is no ControlNet ("model-other-task"), for another family
            ("control-family"), or a union one that does not know the kind ("control-unsupported"); a pickle that was
            not allowed ("pickle-refused"); or its licence must be accepted first ("licence-not-accepted").
    """
    if name is None:
        name = _only(control, family, allow_pickle=allow_pickle, published=published).name
    found, path, origin = locate(name, paths=False)
    kind = detect(path)
    if kind.what != "controlnet":
        raise ModelError(
            f"{found} is not a ControlNet: it is {kind.described}",
            code="model-other-task",
            field="controls",
            value=found,
        )
    if kind.family != family:
        made = "an unknown family" if kind.family is None else family_title(kind.family)
        raise ModelError(
            f"the ControlNet {found} is for {made}, and the checkpoint is {family_title(family)}",
            code="control-family",
            field="controls",
            value=found,
        )
    if kind.union and control not in control_kinds(found, kind):
        raise ModelError(
            f"the union ControlNet {found} does not know control images of the kind {control!r}",
            code="control-unsupported",
            field="controls",
            value=control,
            hint=f"it knows {', '.join(control_kinds(found, kind))}",
        )
    return usable_control(found, path, kind, origin, allow_pickle=allow_pickle)


def usable_control(name: str, path: Path, kind: Kind, origin: Origin, *, allow_pickle: bool) -> ModelRef:
    """A network that reads controls, as it was located. Raises ModelError where it may not be used (yet)."""
    _check_pickle(kind, allow_pickle, name)
    licence = known_licence(name, path, origin)
    accepted = check_terms(name, licence, listed(name))
    return ModelRef(name, path, kind, allow_pickle=allow_pickle, licence=licence, accepted=accepted)


def _check_pickle(kind: Kind, allowed: bool, name: str) -> None:
    if kind.form == "pickle" and not allowed:
        raise pickle_not_allowed(name)


def _only(control: str, family: str, *, allow_pickle: bool, published: bool) -> ModelEntry:
    """The one ControlNet here for this kind; a union one where there is no other."""
    here = {one: one.kind for one in entries() if one.kind is not None and one.kind.what == "controlnet"}
    fitting = {one: kind for one, kind in here.items() if kind.family == family}
    read = [one for one, kind in fitting.items() if control in control_kinds(one.name, kind)]
    found = [one for one in read if not fitting[one].union] or read
    if not found:
        raise _missing(control, family, tuple(fitting), published=published)
    return only_usable(found, control, "ControlNets", allow_pickle=allow_pickle)


def only_usable(found: Sequence[ModelEntry], control: str, title: str, *, allow_pickle: bool) -> ModelEntry:
    """The one of some networks that may be used; the first, whose use is an error that says why, where none may be.

    Raises:
        ModelError: Several may be used ("control-ambiguous"): `title` and what they read, `control`, are in its text.
    """
    usable = [one for one in found if _usable(one, allow_pickle)]
    if len(usable) > 1:
        names = ", ".join(sorted(one.name for one in usable))
        raise ModelError(
            f"several {title} here read {control}: {names}",
            code="control-ambiguous",
            field="controls",
            value=control,
            hint="name one of them as the model of the control",
        )
    return (usable or found)[0]


def _usable(found: ModelEntry, allow_pickle: bool) -> bool:
    try:
        assert found.kind is not None
        _check_pickle(found.kind, allow_pickle, found.name)
        check_terms(found.name, found.licence, listed(found.name))
    except ModelError:
        return False
    return True


def _missing(control: str, family: str, here: Sequence[ModelEntry], *, published: bool) -> ModelError:
    rows = [row for row in CATALOGUE if row.what == "controlnet" and row.family == family]
    fitting = [row for row in rows if reads(row.name, control)] or [row for row in rows if "union" in row.name]
    known = control in CONTROL_KINDS
    ways = [f"{fitting[0].name!r} can be downloaded"] if fitting and known and published else []
    if not known:
        ways.append(f"known kinds are {', '.join(CONTROL_KINDS)}")
    elif not published:
        ways.append("ControlNets are published for checkpoints of other sizes than this one: name another checkpoint")
    if here:
        ways.append(f"one that is here can be named as the model of the control: {', '.join(one.name for one in here)}")
    near = "" if known else did_you_mean(control, CONTROL_KINDS)
    return ModelError(
        f"no ControlNet here reads {control} for {family_title(family)}{near}",
        code="control-missing",
        field="controls",
        value=control,
        hint="; ".join(ways) or "add one of this family with this kind in its name, or name it as the control's model",
    )
