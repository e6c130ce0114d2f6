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
from collections.abc import Iterable, Mapping


class OverpaintError(Exception):
    """Root of all errors that Overpaint raises on purpose.

    Attributes:
        code: Stable, kebab-case; programs may rely on it (docs/errors.md lists all). A class's own unless given.
        field: The request's field, or the argument, that is wrong: "strength", "mask.parts[0].box"; "" for none.
        value: What was given; None where nothing was.
        hint: What would be right, in a sentence without a full stop; "" where the message says all there is.
    """

    code: str = "error"

    def __init__(
        self, message: str = "", *, code: str | None = None, field: str = "", value: object = None, hint: str = ""
    ) -> None:
        """`message` says what is wrong, with {field} where the field's name belongs: a door writes its own there."""
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.field = field
        self.value = value
        self.hint = hint

    def worded(self, field: str | None = None, hint: str | None = None) -> str:
        """The message and the hint in one line.

        Args:
            field: What a door calls the field ("--box" for "mask.box"); None: its own name.
            hint: A door's own hint in place of this one; None: this one.
        """
        name = self.field if field is None else field
        text = self.message.replace("{field}", name or "the request", 1) if self.field else self.message
        hint = self.hint if hint is None else hint
        return f"{text}; {hint}" if hint else text

    def __str__(self) -> str:
        return self.worded()

    def __reduce__(self) -> tuple[object, ...]:  # an error travels between processes with all that it carries
        return _restored, (type(self), self.message, dict(self.__dict__)), None


class InputError(OverpaintError, ValueError):
    """Something that came in can't be used."""

    code = "input-invalid"


class PictureError(InputError):
    """A picture can't be read or used."""

    code = "picture-invalid"


class MaskError(InputError):
    """A mask can't be read or used."""

    code = "mask-invalid"


class RequestError(InputError):
    """A setting is unknown, out of its range, or at odds with another."""

    code = "request-invalid"


class RecordError(InputError):
    """A record of an edit can't be read."""

    code = "record-invalid"


class ModelError(InputError):
    """A model is not here, damaged, of another kind than needed, or not safe to read."""

    code = "model-invalid"


class DownloadError(OverpaintError):
    """The hub can't be reached, or did not send what it said."""

    code = "download-failed"


class EngineError(OverpaintError):
    """An engine failed while it painted."""

    code = "engine-failed"


class UnknownEngineError(EngineError, InputError):
    """No engine has this name."""

    code = "engine-unknown"


class WorkerLostError(OverpaintError):
    """Whoever was at work on an edit is gone; someone else can begin it anew."""

    code = "worker-lost"


class ClusterError(OverpaintError):
    """A cluster can't be reached, or has no worker left."""

    code = "cluster-unreachable"


class OutputError(OverpaintError):
    """A result can't be written where or how it was asked."""

    code = "output-refused"


class LedgerError(OverpaintError):
    """The ledger of jobs can't be used, or a job in it is no longer one's own."""

    code = "ledger-failed"


class MissingExtraError(OverpaintError, ImportError):
    """An optional dependency is needed; the message says which extra brings it."""

    code = "extra-missing"

    @classmethod
    def of(cls, what: str, extra: str) -> MissingExtraError:
        """The error for `what`, which the extra named `extra` would make possible."""
        return cls(f"{what} needs an optional dependency: pip install 'overpaint[{extra}]'")


class Cancelled(OverpaintError):  # noqa: N818 - an event that the user asked for, not a fault
    """The user stopped the work; nothing was written."""

    code = "cancelled"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for the known name nearest to `name`, or an empty string when none is near."""
    near = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def suggest(name: str, known: Iterable[str], aliases: Mapping[str, str]) -> str:
    """ "; did you mean 'x'?" for a name that is not known: by spelling, or by what other programs call things.

    Args:
        name: As given.
        known: Names that are right.
        aliases: Other programs' names, and ours for them.
    """
    plain = name.strip().strip("-").replace("-", "_").replace(" ", "_").lower()
    known = tuple(known)
    if plain in known:
        return f"; did you mean {plain!r}?"
    if plain in aliases:
        return f"; did you mean {aliases[plain]!r}?"
    if len(plain) > 64:  # matching is quadratic, and nobody mistypes that much
        return ""
    near = did_you_mean(plain, known)
    if near:
        return near
    # A near miss of a foreign name ("denoising_stength") still shows what was meant.
    foreign = did_you_mean(plain, aliases).removeprefix("; did you mean '").removesuffix("'?")
    return f"; did you mean {aliases[foreign]!r}?" if foreign in aliases and len(foreign) > 4 else ""


def _restored(kind: type[OverpaintError], message: str, state: dict[str, object]) -> OverpaintError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error
