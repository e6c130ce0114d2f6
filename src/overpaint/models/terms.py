"""The licence gate: weights that are non-commercial, or have a licence of their own, are used once that is accepted.

What was accepted is kept with its date in `accepted.json` beside the store.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError

from .catalogue import CatalogueEntry
from .places import home

_RESTRICTED = re.compile(
    r"non[-_ ]?commercial|(?<![a-z0-9])nc(?![a-z0-9])|research[-_ ](use[-_ ])?only|of its own", re.IGNORECASE
)
"""Licences that must be accepted; "of its own" is what the hub's cards call "other"."""


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """A licence that must be accepted.

    Attributes:
        model: The model's name.
        licence: The licence, as its card or the catalogue names it.
        text: Address of its text; "" where that is not known.
    """

    model: str
    licence: str
    text: str = ""

    @property
    def where(self) -> str:
        """Where the text is, for people."""
        return self.text or "the model's card"


def terms_of(name: str, licence: str, row: CatalogueEntry | None) -> LicenceTerms | None:
    """The licence that must be accepted before a model is used; None where none must.

    Args:
        name: The model's.
        licence: From its note, its card or the catalogue.
        row: Its entry of the catalogue, where it has one.
    """
    if row is not None and row.terms:
        return LicenceTerms(row.name, row.licence, row.terms)  # a card may call the same text otherwise
    return LicenceTerms(name, licence) if _RESTRICTED.search(licence) else None


def accepted_on(terms: LicenceTerms) -> str:
    """The day on which this licence of this model was accepted, as 2026-11-29; "" where it was not."""
    found = _accepted().get(terms.model)
    return str(found["date"]) if isinstance(found, dict) and found.get("licence") == terms.licence else ""


def accept(terms: LicenceTerms) -> str:
    """Keep that the user accepts a licence; the day. One that was accepted before keeps its day."""
    from overpaint.files import write_file

    if day := accepted_on(terms):
        return day
    day = datetime.now(UTC).date().isoformat()
    kept = _accepted() | {terms.model: {"licence": terms.licence, "text": terms.text, "date": day}}
    home().mkdir(parents=True, exist_ok=True)
    write_file(_file(), (json.dumps(kept, indent=2, ensure_ascii=False) + "\n").encode(), overwrite=True)
    return day


def check_terms(name: str, licence: str, row: CatalogueEntry | None) -> str:
    """The day on which a model's licence was accepted; "" where none must be.

    Raises:
        ModelError: It must be, and was not (code "licence-not-accepted").
    """
    terms = terms_of(name, licence, row)
    if terms is None:
        return ""
    day = accepted_on(terms)
    if not day:
        raise ModelError(
            f"{terms.model} has a licence that must be accepted first: {terms.licence}; its text: {terms.where}",
            code="licence-not-accepted",
            field="model",
            value=terms.model,
        )
    return day


def _file() -> Path:
    return home() / "accepted.json"


def _accepted() -> dict[str, Any]:
    try:
        value = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
