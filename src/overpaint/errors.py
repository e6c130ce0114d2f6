"""The tree of errors. Each message says what was wrong, with which value, and what would be right.

OverpaintError
├── InputError (also a ValueError)
│   ├── PictureError        unreadable, unsupported, too large, of another kind than its name says
│   ├── MaskError           another size, empty, outside, not a mask
│   ├── RequestError        unknown key, a value out of its range, a combination without a meaning
│   ├── RecordError         a record or sidecar that can't be read
│   └── ModelError          a model that is not here, damaged, of another kind, or not safe to read
├── DownloadError           the hub can't be reached, or did not send what it said
├── EngineError             the engine failed while it painted
│   └── UnknownEngineError  no engine has this name
├── WorkerLostError         whoever was at work on an edit is gone
├── ClusterError            a cluster can't be reached, or has no worker left
├── OutputError             exists already, can't be written, can't hold what was asked
├── LedgerError             the ledger of jobs can't be used, or a job is no longer one's own
├── MissingExtraError       an optional dependency is needed
└── Cancelled               the user stopped the work
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class OverpaintError(Exception):
    """Root of all errors that Overpaint raises on purpose."""


class InputError(OverpaintError, ValueError):
    """Something that came in can't be used."""


class PictureError(InputError):
    """A picture can't be read or used."""


class MaskError(InputError):
    """A mask can't be read or used."""


class RequestError(InputError):
    """A setting is unknown, out of its range, or at odds with another."""


class RecordError(InputError):
    """A record of an edit can't be read."""


class ModelError(InputError):
    """A model is not here, damaged, of another kind than needed, or not safe to read."""


class DownloadError(OverpaintError):
    """The hub can't be reached, or did not send what it said."""


class EngineError(OverpaintError):
    """An engine failed while it painted."""


class UnknownEngineError(EngineError, InputError):
    """No engine has this name."""


class WorkerLostError(OverpaintError):
    """Whoever was at work on an edit is gone; someone else can begin it anew."""


class ClusterError(OverpaintError):
    """A cluster can't be reached, or has no worker left."""


class OutputError(OverpaintError):
    """A result can't be written where or how it was asked."""


class LedgerError(OverpaintError):
    """The ledger of jobs can't be used, or a job in it is no longer one's own."""


class MissingExtraError(OverpaintError, ImportError):
    """An optional dependency is needed; the message says which extra brings it."""

    @classmethod
    def of(cls, what: str, extra: str) -> MissingExtraError:
        """The error for `what`, which the extra named `extra` would make possible."""
        return cls(f"{what} needs an optional dependency: pip install 'overpaint[{extra}]'")


class Cancelled(OverpaintError):  # noqa: N818 - an event that the user asked for, not a fault
    """The user stopped the work; nothing was written."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for the known name nearest to `name`, or an empty string when none is near."""
    near = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
