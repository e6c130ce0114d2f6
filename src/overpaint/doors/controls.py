"""Controls as people write them: "canny", "lineart=hand.png", "depth:weight=0.8,end=0.6"; or tables that name files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from overpaint.errors import InputError, RequestError

from . import forms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from overpaint.request import Control

_SETTINGS = ("kind", "image", "preprocess", "inside", "weight", "start", "end", "mode", "model", "options")
"""Keys of a control; others are options of its map, or of the engine."""

_TAIL = re.compile(r":(?=\s*[a-z_]+\s*=)")
_NEXT = re.compile(r",(?=\s*[a-z_]+\s*=)")


@dataclass(frozen=True, slots=True)
class ControlInput:
    """A control whose image may be a file.

    Attributes:
        settings: All but the file, as a request has them.
        file: The name of the file of its image; None: it has none, or the settings have it.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    file: str | None = None

    def named(self, file: str | None) -> ControlInput:
        """The same with another name for its file."""
        return replace(self, file=file)

    def check(self) -> None:
        """Raise RequestError where its settings can't be a control's."""
        from overpaint.request import Blob, Control

        some = None if self.file is None else Blob(sha256="0" * 64, width=1, height=1)
        Control(**({"image": some} | dict(self.settings)))

    def control(self, image: bytes | str | Any) -> tuple[Control, dict[str, NDArray[Any]]]:
        """The control with the image of its file, and the image's raster where that is too large for a request.

        Args:
            image: The file's bytes or path; of no consequence where there is no file.

        Raises:
            RequestError: Its settings can't be a control's.
            PictureError: The image can't be read.
        """
        from overpaint.request import Control
        from overpaint.studio.controls import control_blob

        if self.file is None:
            return Control(**self.settings), {}
        blob, rasters = control_blob(image)
        return Control(**{**self.settings, "image": blob}), rasters


def control_input(text: str, field: str = "control") -> ControlInput:
    """A control from KIND, KIND=FILE, and after a colon settings with commas between them: `canny:low=50,weight=0.8`.

    Raises:
        RequestError: It is not written so, or its settings can't be a control's.
    """
    head, *tail = _TAIL.split(text, maxsplit=1)
    kind, mark, file = head.partition("=")
    if not kind.strip() or (mark and not file.strip()):
        form = "KIND, KIND=FILE or KIND:KEY=VALUE,KEY=VALUE"
        raise RequestError(f"{{field}} takes {form}, not {text!r}", field=field, value=text)
    table: dict[str, Any] = {"kind": kind.strip()}
    for part in _NEXT.split(tail[0]) if tail else ():
        key, value = forms.key_value(part, field)
        if key in table or key in ("kind", "image", "options"):
            raise RequestError(f"{{field}}: {key!r} can't be set so in {text!r}", field=field, value=text)
        table[key] = value
    return _input_of(table, file.strip() or None, field, text)


def control_table(table: Mapping[str, Any], field: str = "controls") -> ControlInput:
    """A control from a table of settings, whose image may be the name of a file. RequestError as `control_input`."""
    given = dict(table)
    image = given.get("image")
    if isinstance(image, str):
        return _input_of({key: value for key, value in given.items() if key != "image"}, image, field, image)
    return _input_of(given, None, field, str(given.get("kind")))


def _input_of(table: dict[str, Any], file: str | None, field: str, value: str) -> ControlInput:
    settings = {key: one for key, one in table.items() if key in _SETTINGS and one is not None}
    further = {key: one for key, one in table.items() if key not in _SETTINGS}
    if further:
        settings["options"] = {**dict(settings.get("options") or {}), **further}
    found = ControlInput(settings, file)
    try:
        found.check()
    except InputError as error:
        raise RequestError(f"{{field}}: {error}", field=field, value=value, hint=error.hint) from error
    return found


def control_inputs(texts: Iterable[str], field: str = "control") -> tuple[ControlInput, ...]:
    """Controls as the command line has them, one from each text. RequestError as `control_input`."""
    return tuple(control_input(text, field) for text in texts)


def control_files(controls: Iterable[ControlInput]) -> tuple[str, ...]:
    """The files of their images."""
    return tuple(one.file for one in controls if one.file is not None)
