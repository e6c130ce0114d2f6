"""Whether a line of lettering may be a date or a time, as cameras and labs burn them in.

A reader often loses the spaces of a line, so that `'98 6 14` comes as `'98614` and `24 12 2004` as `24122004`. Digits
alone therefore count where they make a day of a calendar.
"""

from __future__ import annotations

import re

_YEAR, _MONTH, _DAY = r"(?:19|20)\d\d", r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_CLOCK = r"(?:(?:[01]\d|2[0-3]):?[0-5]\d(?::?[0-5]\d)?)?"

_NAMES = (
    "jan(?:uary|uar|vier)?|ene(?:ro)?|gen(?:naio)?|feb(?:ruary|ruar|rero|braio)?|f[eé]v(?:rier)?|mar(?:ch|s|zo)?|mär(?:z)?|mrz"
    "|apr(?:il|ile)?|avr(?:il)?|abr(?:il)?|may|mai|mag(?:gio)?|mayo|jun[ei]?|juin|jun(?:io)|giu(?:gno)?|jul[iy]?|juil(?:let)?"
    "|julio|lug(?:lio)?|aug(?:ust)?|ao[uû]t?|ago(?:sto)?|sep(?:t|tember|tembre|tiembre)?|set(?:tembre)?|o[ck]t(?:ober|obre|ubre)?"
    "|ott(?:obre)?|nov(?:ember|embre|iembre)?|de[cz](?:ember|embre)?|déc(?:embre)?|dic(?:iembre|embre)?"
)
"""Months in English, German, French, Spanish and Italian, written out and short."""

_DATES = (
    # Numbers with something between them: 12.08.2003, 7/4/92, 14:03, '98 6 14.
    re.compile(r"(?:\d{1,4}\s?[.,:/' -]\s?){1,2}\d{1,4}"),
    # A month by its name beside a number: MAR 7 1987, 31. Dez. 1999, MAR71987.
    re.compile(rf"\d\W{{0,3}}(?:{_NAMES})(?![^\W\d_])|(?<![^\W\d_])(?:{_NAMES})\W{{0,3}}\d", re.IGNORECASE),
    # Nothing but digits: the year first or last; of two digits where day and month have two, or after a quote.
    re.compile(rf"^\D?(?:{_YEAR}{_MONTH}{_DAY}|{_DAY}{_MONTH}{_YEAR}|{_MONTH}{_DAY}{_YEAR}){_CLOCK}$"),
    re.compile(r"^\D?(?:\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])|(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d)$"),
    re.compile(r"^\D?(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d\d$"),
    re.compile(rf"^['’`´]\s?\d\d\s*{_MONTH}\s*{_DAY}$"),
)


def may_be_date(text: str) -> bool:
    """Whether a line may be a date or a time: one that says something else too counts as well."""
    return any(one.search(text.strip()) for one in _DATES)
