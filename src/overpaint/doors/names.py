"""Names of outputs: NAME.INTENT.EXT, templates, numbers of variations; and the rule that they stay in their folder."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Collection, Mapping
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import TypeVar

from overpaint.errors import RequestError, did_you_mean

DEFAULT_TEMPLATE = "{folder}{name}.{intent}{ext}"
PLACEHOLDERS = ("folder", "name", "intent", "engine", "id", "row", "ext")

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|com[1-9\u00b9\u00b2\u00b3]|lpt[1-9\u00b9\u00b2\u00b3]|conin\$|conout\$) *(?=\.|$)", re.I
)
_LONGEST_PART, _MOST_PARTS = 255, 100  # bytes of one name, folders one in another; file systems take no longer names
_Path = TypeVar("_Path", bound=PurePath)


def check_placeholders(template: str, known: Collection[str] = PLACEHOLDERS) -> None:
    """Raise RequestError when a template has a placeholder that is not known, or a brace without its other half."""
    for name in _PLACEHOLDER.findall(template):
        if name not in known:
            listed = ", ".join(f"{{{one}}}" for one in known)
            raise _refused(template, f"has {{{name}}}; there are {listed}{did_you_mean(name, known)}")
    if re.search(r"[{}]", _PLACEHOLDER.sub("", template)):
        raise _refused(template, "has a brace without its other half")


def check_template(template: str) -> str:
    """The template itself.

    Raises:
        RequestError: A placeholder is unknown, it leads out of the folder of results, or it does not end in {ext}.
    """
    check_placeholders(template)
    if not template.endswith("{ext}"):
        raise _refused(template, "must end in {ext}, the extension of the picture's format")
    return inside(template)


def _refused(template: str, reason: str) -> RequestError:
    return RequestError(f"the name {template!r} {reason}", code="template-invalid", value=template)


def has_placeholder(name: str, *of: str) -> bool:
    """Whether a name has one of these placeholders."""
    return not set(_PLACEHOLDER.findall(name)).isdisjoint(of)


def filled(template: str, values: Mapping[str, str]) -> str:
    """The name with its placeholders filled. Values are made safe: no separators but those of {folder}, and no
    name that Windows can't have.

    {ext} has its dot, which a template may write too.
    """
    template = template.replace(".{ext}", "{ext}")
    return _PLACEHOLDER.sub(lambda found: _safe(found[1], values.get(found[1], "")), template)


def pattern_of(template: str, values: Mapping[str, str | None]) -> re.Pattern[str]:
    """What `folded` names by a template match where not all of its values are known: those that are None may be
    anything.
    """
    parts = _PLACEHOLDER.split(str(PurePosixPath(template.replace(".{ext}", "{ext}"))))
    found = [re.escape(folded(part)) for part in parts]
    for index in range(1, len(parts), 2):  # placeholders are between the other parts
        value = values.get(parts[index])
        found[index] = ".*" if value is None else re.escape(folded(_safe(parts[index], value)))
    return re.compile("".join(found), re.DOTALL)


def _safe(name: str, value: str) -> str:
    value = without_controls(value)
    if name == "folder":
        return "/".join(map(_for_windows, value.split("/")))
    return _no_device(re.sub(r'[/\\:*?"<>|]', "_", value).strip())


def _for_windows(part: str) -> str:
    """The name of a folder as Windows can have it."""
    part = re.sub(r'[\\:*?"<>|]', "_", part)
    return _no_device(re.sub(r"[. ]+$", lambda end: "_" * len(end[0]), part))


def _no_device(name: str) -> str:
    found = _DEVICE.match(name)
    return name if found is None else f"{found[0]}_{name[found.end() :]}"


def is_for_windows(name: str) -> bool:
    """Whether a path with forward slashes can be that of a file on Windows too: no part of it names a device (CON, AUX,
    also with an extension), ends in a dot or a blank, or has one of the characters that are refused there.
    """
    parts = PurePosixPath(name).parts
    return not any(_DEVICE.match(one) or one.endswith((".", " ")) or re.search(r'[\\:*?"<>|]', one) for one in parts)


def without_controls(name: str) -> str:
    """The name with "_" for each character that shows nothing of itself and may change what is shown of others:
    controls (escape, newline), marks of direction, separators of lines, halves of surrogate pairs. The joiners of
    scripts and emoji stay.
    """
    return "".join("_" if _is_control(one) else one for one in name) if _has_control(name) else name


def _has_control(name: str) -> bool:
    if name.isascii():
        return not name.isprintable()
    return any(map(_is_control, name))


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\u200c\u200d"


def folded(name: str) -> str:
    """A name as file systems that merge names compare it: without case, accents composed (NFC)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def inside(name: str) -> str:
    """The name as a path with forward slashes inside the folder of results.

    Raises:
        RequestError: It would lead out of the folder, or into the one of a batch's state.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    reason = ""
    if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts or not path.name:
        reason = "must be a name within the folder of results, without '..'"
    elif folded(path.parts[0]) == ".overpaint":
        reason = "lies in the folder of the batch's own state: choose another name"
    elif _has_control(name):
        reason = "must not have a control character, or one that shows nothing"
    elif any(len(part.encode("utf-8", "replace")) > _LONGEST_PART for part in path.parts):
        reason = f"must not have a name of more than {_LONGEST_PART} bytes"
    elif len(path.parts) > _MOST_PARTS:
        reason = f"must not have more than {_MOST_PARTS} folders one in another"
    elif os.name == "nt" and not is_for_windows(str(path)):
        reason = "can't be a file on Windows"
    if reason:
        raise RequestError(f"the output {_short(name)!r} {reason}", code="output-outside", field="output", value=name)
    return str(path)


def _short(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:100]}...{name[-60:]}"


def numbered(path: _Path, index: int, count: int) -> _Path:
    """NAME-INDEX.EXT for one of several variations."""
    return path if count == 1 else path.with_name(f"{path.stem}-{index}{path.suffix}")
