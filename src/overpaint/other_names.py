"""Other programs' names of settings, values, options and verbs, for suggestions only: none of them is accepted.

other_names.json lists them by ours. They are those of AUTOMATIC1111 and Forge, diffusers, IOPaint and ComfyUI,
Stability, Black Forest Labs and Krita, and everyday words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from overpaint.errors import suggest


def _by_alias(names: Mapping[str, str]) -> Mapping[str, str]:
    """{ours: "theirs theirs ..."} as {theirs: ours}."""
    return {alias: ours for ours, aliases in names.items() for alias in aliases.split()}


_TABLES = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

SETTING_ALIASES = _by_alias(_TABLES["settings"])
VALUE_ALIASES: Mapping[str, Mapping[str, str]] = {name: _by_alias(of) for name, of in _TABLES["values"].items()}

OPTION_ALIASES = _by_alias(_TABLES["options"])
"""Names of options of the command line that are no settings of the request."""

OPTION_USES = _by_alias(_TABLES["uses"])
"""What the command line has in place of an option of another name: an option and what it is given."""

VERB_ALIASES = _by_alias(_TABLES["verbs"])
"""Names of verbs of the command line."""


def suggest_setting(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for an unknown name of a setting, or an empty string."""
    return suggest(name, known, SETTING_ALIASES)
