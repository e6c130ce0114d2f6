"""What results are called: a template, and the rule that every result stays in its folder."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath

from overpaint.errors import RequestError, did_you_mean

DEFAULT = "{folder}{name}.{intent}{ext}"
PLACEHOLDERS = ("folder", "name", "intent", "engine", "id", "row", "ext")

_HOLE = re.compile(r"\{([^{}]*)\}")


def check_template(template: str) -> str:
    """The template itself.

    Raises:
        RequestError: It names something that no row has, or can't lead to a picture's name.
    """
    for name in _HOLE.findall(template):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise RequestError(
                f"the name {template!r} has {{{name}}}; there are {known}{did_you_mean(name, PLACEHOLDERS)}"
            )
    if "{" in _HOLE.sub("", template) or "}" in _HOLE.sub("", template):
        raise RequestError(f"the name {template!r} has a brace without its other half")
    if not template.endswith("{ext}"):
        raise RequestError(f"the name {template!r} must end in {{ext}}, the ending of the picture's format")
    return within(template)


def filled(template: str, values: dict[str, str]) -> str:
    """The name with its holes filled. What fills them is made safe: no separators but those of {folder}."""
    return _HOLE.sub(lambda hole: _safe(hole[1], values.get(hole[1], "")), template)


def _safe(name: str, value: str) -> str:
    if name == "folder":
        return value
    return re.sub(r'[\x00-\x1f/\\:*?"<>|]', "_", value).strip()


def within(name: str) -> str:
    """The name, as a path with forward slashes within the folder of results.

    Raises:
        RequestError: It would lead out of the folder.
    """
    plain = name.replace("\\", "/")
    path = PurePosixPath(plain)
    if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts or not path.name:
        raise RequestError(f"the output {name!r} must be a name within the folder of results, without '..'")
    if path.parts[0] == ".overpaint":
        raise RequestError(f"the output {name!r} lies in the folder of the batch's own state: choose another name")
    return str(path)
