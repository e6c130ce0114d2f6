"""What the ledger, the report and the events say of a failure. In private mode it quotes no prompt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from overpaint.errors import EngineError, OverpaintError, RequestError
from overpaint.request import PRIVATE_SETTINGS
from overpaint.validation import SettingError

ROW = "row"
"""The field of an error about a row as a whole, which may quote any part of it."""

_PRIVATE = (*PRIVATE_SETTINGS, ROW)

_NAMES = ("image", "mask", "masks", "avoid", "sketch", "insert", "controls", "output", "id", "after")
"""Fields that name a row and its files; the report has them in private mode too."""

_QUOTED = re.compile(r"""(?<!\w)['"].*""", re.DOTALL)
_WORD = re.compile(r"\w{4,}")


def unexpected(error: Exception) -> RequestError:
    """The error of a row that failed in a way that nobody foresaw, so that it does not cost the others."""
    found = RequestError(f"it failed unexpectedly: {type(error).__name__}: {error}", field=ROW)
    found.__cause__ = error
    return found


def reason_of(error: OverpaintError, *, private: bool) -> str:
    """The error in words, in Unicode whatever it quotes.

    Args:
        error: Why a row failed.
        private: Word for word only where the words can't quote a prompt: the error's field is a setting that is not
            private, and its words are Overpaint's own. Otherwise its code and field. What a row says is not quoted
            either, as any cell may have another one's text; only the names of its files and its id are.
    """
    if private:
        fields = [problem.field for problem in error.problems] if isinstance(error, SettingError) else [error.field]
        quoted = [name for name in _PRIVATE if any(re.match(rf"{name}\b", field) for field in fields)]
        if quoted:
            return f"refused: {error.code} in the {quoted[0].replace('_', ' ')}"
        if error.code == EngineError.code:  # these carry the words of libraries and of other people's engines
            cause = "" if error.__cause__ is None else f" ({type(error.__cause__).__name__})"
            return f"failed: {error.code}{cause}"
        return _without_values(error, fields)
    return _as_text(str(error))


def _without_values(error: OverpaintError, fields: Sequence[str]) -> str:
    """The error in words, up to the first value that it quotes."""
    text = str(error)
    if isinstance(error, SettingError) or fields[0] not in _NAMES:
        text = _QUOTED.sub("...", text)
        problems = error.problems if isinstance(error, SettingError) else [error]
        values = [problem.value for problem in problems]
        if not _words(values).isdisjoint(_WORD.findall(text.lower())):  # it is there without quotes
            return f"refused: {error.code}" + (f" in {fields[0]}" if fields[0] else "")
    return _as_text(text)


def _words(values: Iterable[object]) -> set[str]:
    """The words of texts, however deep they lie."""
    return {
        word for value in values if not isinstance(value, int | float) for word in _WORD.findall(repr(value).lower())
    }


def _as_text(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
