"""The tree of errors. An error is a value: it has a code, the field, the value that was given, and a hint.

Messages speak of fields; each door (command line, batch, server) words them by its own options. docs/errors.md lists
all codes.

OverpaintError
├── InputError (also a ValueError)
│   ├── PictureError        unreadable, unsupported, too large, of another kind than its name says
│   ├── MaskError           another size, empty, outside, not a mask
│   ├── RequestError        unknown key, a value out of its range, a combination without a meaning
│   ├── RecordError         a record or sidecar that can't be read
│   ├── CredentialsError    a key or certificate that can't be read, is not valid, or does not go with the other
│   ├── SessionError        a session that can't be read or is in use; a step or branch that it does not have
│   └── ModelError          a model that is missing, damaged, of another kind, or not safe to read
├── DownloadError           the hub can't be reached, or sent something else than it announced
├── EngineError             the engine failed while it painted
│   └── UnknownEngineError  no engine has this name
├── StoreError              an object store does not answer, or fails
├── WorkerLostError         the process that worked on an edit has ended
├── ClusterError            a cluster can't be reached, or has no worker left
├── OutputError             an output exists already, can't be written, or its format can't hold the picture
│   └── FormatError         the format can't hold the picture, or does not go with the name or the quality
│       └── UnknownFormatError  no format that can be written has this name or extension
├── LedgerError             the ledger of jobs can't be used, or another worker holds the job
├── MissingExtraError       an optional dependency is needed
├── ServerError             a server refuses a request, or failed
│   ├── NotFoundError       it has no such thing, or that belongs to another client
│   ├── ConflictError       the thing is in a state in which this can't be done
│   ├── ChangedError        the thing was changed since the caller saw it
│   ├── TooManyJobsError    the limit of jobs is reached
│   ├── StorageFullError    the client's pictures have the size that they may have
│   └── NotAllowedError     the key does not allow it, or is missing
├── ServerUnreachableError  a server does not answer, or the connection was lost for too long
└── Cancelled               the user stopped the work
"""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from typing import Self

_LONGEST_NAME, _MOST_NAMES = 200, 2000  # characters, names: beyond these the nearest one takes long to find


class OverpaintError(Exception):
    """Root of all errors that Overpaint raises on purpose.

    Attributes:
        message: What is wrong, with {field} in the place of the field's name.
        context: What stands before the message: "FILE: ", "row 3: "; see `within`.
        code: Stable, kebab-case; programs may rely on it (docs/errors.md lists all). The class's default unless given.
        field: The request's field, or the argument, that is wrong: "strength", "mask.parts[0].box"; "" for none. The
            class's default unless given.
        value: The value that was given; None for none.
        hint: What would be right, as a clause without a full stop; "" where the message needs none. A door rewords
            "set FIELD" in it.
    """

    code: str = "error"
    context: str = ""
    field: str = ""

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        field: str | None = None,
        value: object = None,
        hint: str = "",
    ) -> None:
        """`message` describes the error; {field} in it stands for the field's name, for which a door writes its own."""
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if field is not None:
            self.field = field
        self.value = value
        self.hint = hint

    def worded(self, name_of: Callable[[str], str] = str, hint: str | None = None) -> str:
        """The message and the hint in one line.

        Args:
            name_of: A door's name for a field: what it calls "strength", say.
            hint: The door's own hint in place of this one; None keeps this one.
        """
        hint = self.hint if hint is None else hint
        text = self.context + self._text(name_of)
        return f"{text}; {hint}" if hint else text

    def _text(self, name_of: Callable[[str], str]) -> str:
        """The message with a door's name of the field."""
        return with_field(self.message, self.field, name_of)

    def within(self, context: str) -> Self:
        """The same error with a context before its message, such as the name of a file: "CONTEXT: MESSAGE"."""
        found = copy(self)
        found.context = f"{context}: {self.context}"
        return found

    def __str__(self) -> str:
        return self.worded()

    def __reduce__(self) -> tuple[object, ...]:
        # pickled errors keep all attributes, and the number of the system's error beneath them
        number = self.__cause__.errno if isinstance(self.__cause__, OSError) else None
        return _restored, (type(self), self.message, dict(self.__dict__), number), None


class InputError(OverpaintError, ValueError):
    """Something that came in can't be used."""

    code = "input-invalid"


class PictureError(InputError):
    """A picture can't be read or used."""

    code = "picture-invalid"


class MaskError(InputError):
    """A mask can't be read or used."""

    code = "mask-invalid"
    field = "mask"


class RequestError(InputError):
    """A setting is unknown, out of its range, or at odds with another."""

    code = "request-invalid"


class RecordError(InputError):
    """A record of an edit can't be read."""

    code = "record-invalid"


class CredentialsError(InputError):
    """A key or a certificate can't be read, is not valid, or does not go with the other."""

    code = "credentials-invalid"


class SessionError(InputError):
    """A session can't be read, is in use, or has no such step, take or branch."""

    code = "session-invalid"


class ModelError(InputError):
    """A model is missing, damaged, of another kind than needed, or not safe to read."""

    code = "model-invalid"


class DownloadError(OverpaintError):
    """The hub can't be reached, or sent something else than it announced."""

    code = "download-failed"


class EngineError(OverpaintError):
    """An engine failed while it painted."""

    code = "engine-failed"


class UnknownEngineError(EngineError, InputError):
    """No engine has this name."""

    code = "engine-unknown"


class StoreError(OverpaintError):
    """An object store does not answer, or fails for a reason that may pass."""

    code = "store-failed"


class WorkerLostError(OverpaintError):
    """The process that worked on an edit has ended; another can start the edit again."""

    code = "worker-lost"


class ClusterError(OverpaintError):
    """A cluster can't be reached, or has no worker left."""

    code = "cluster-unreachable"


class OutputError(OverpaintError):
    """A result can't be written to this place or in this format."""

    code = "output-refused"


class FormatError(OutputError, InputError):
    """The format can't hold the picture, or does not go with the output's name or the quality."""

    code = "output-format"


class UnknownFormatError(FormatError):
    """No format that can be written has this name or extension."""

    code = "format-unknown"


class LedgerError(OverpaintError):
    """The ledger of jobs can't be used, or another worker holds the job."""

    code = "ledger-failed"


class BatchBusyError(LedgerError):
    """Another run is at work on the folders of a batch."""

    code = "batch-busy"


class MissingExtraError(OverpaintError, ImportError):
    """An optional dependency is needed; the message names the extra that installs it."""

    code = "extra-missing"

    @classmethod
    def of(cls, what: str, extra: str) -> MissingExtraError:
        """The error for a feature (`what`) that needs the extra of that name."""
        return cls(f"{what} needs an optional dependency: pip install 'overpaint[{extra}]'", value=extra)


class ServerError(OverpaintError):
    """A request that a server can't do, or at which it failed.

    Attributes:
        status: The HTTP status that stands for it.
    """

    code = "server-refused"
    status: int = 400


class NotFoundError(ServerError):
    """There is no such thing, or it belongs to another client."""

    code = "not-found"
    status = 404


class ConflictError(ServerError):
    """The thing is in a state in which this can't be done."""

    code = "conflict"
    status = 409


class ChangedError(ServerError):
    """The thing was changed since the caller saw it; `value` is its present version."""

    code = "changed-meanwhile"
    status = 412


class TooManyJobsError(ServerError):
    """The limit of jobs is reached.

    Attributes:
        retry_after: Seconds after which another try is likely to pass.
    """

    code = "too-many-jobs"
    status = 429
    retry_after: int = 5


class StorageFullError(ServerError):
    """The client's stored pictures have the size that they may have."""

    code = "storage-full"
    status = 507


class NotAllowedError(ServerError):
    """The key does not allow it, or there is none."""

    code = "not-allowed"
    status = 403


class ServerUnreachableError(OverpaintError):
    """A server does not answer, or the connection to it was lost for too long."""

    code = "server-unreachable"


class Cancelled(OverpaintError):  # noqa: N818 - an event that the user asked for, not a fault
    """The user stopped the work. Nothing was written."""

    code = "cancelled"


@contextlib.contextmanager
def concerning(field: str) -> Iterator[None]:
    """Errors that are raised inside get this field: that of the setting that caused them, which a caller knows."""
    try:
        yield
    except OverpaintError as error:
        error.field = field
        raise


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'x'?" for the known name nearest to `name`, or an empty string when none is near.

    None is looked for where that would take long: for a text that no name is as long as, or among thousands of names.
    """
    names = {one.lower(): one for one in sorted(known) if len(one) <= _LONGEST_NAME}
    if len(name) > _LONGEST_NAME or len(names) > _MOST_NAMES:
        return ""
    alike = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    near = [one for one in alike if _is_misspelt(name.lower(), one)]
    return f"; did you mean {names[near[0]]!r}?" if near else ""


def _is_misspelt(name: str, known: str) -> bool:
    """Whether a name is a known one with a few slips: one for each three characters of the longer. "lora" shares three
    letters with "format", in their order, and is no slip of it.

    A slip is a character too much, too few or another one, or two that changed places (optimal string alignment).
    """
    most = max(1, len(name) // 3, len(known) // 3)
    if abs(len(name) - len(known)) > most:
        return False
    before: list[int] = []
    above = list(range(len(known) + 1))
    for row, one in enumerate(name, start=1):
        here = [row]
        for column, other in enumerate(known, start=1):
            cost = min(above[column] + 1, here[-1] + 1, above[column - 1] + (one != other))
            if row > 1 and column > 1 and one == known[column - 2] and name[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            here.append(cost)
        before, above = above, here
    return above[-1] <= most


def some_names(known: Iterable[str], name: str = "", *, most: int = 8) -> str:
    """ "canny, depth and 43 others": what there is, for a message; all of it where it is no more than `most`.

    Args:
        known: The names that exist.
        name: One that does not, to which those that are shown first are the nearest by spelling; "" keeps their order.
        most: How many are shown.
    """
    names = list(known)
    if len(names) <= most:
        return ", ".join(names)
    shown = names[:most]
    if 0 < len(name) <= _LONGEST_NAME and len(names) <= _MOST_NAMES:
        plain = {one.lower(): one for one in reversed(names) if len(one) <= _LONGEST_NAME}
        near = [plain[one] for one in difflib.get_close_matches(name.lower(), plain, n=most, cutoff=0.3)]
        shown = [*near, *(one for one in names if one not in near)][:most]
    return f"{', '.join(shown)} and {len(names) - most} others"


def suggest(name: str, known: Iterable[str], aliases: Mapping[str, str]) -> str:
    """ "; did you mean 'x'?" for an unknown name: the nearest by spelling, or our name for another program's.

    Args:
        name: The unknown name.
        known: The names that exist.
        aliases: Other programs' names, with ours for each.
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


def with_field(message: str, field: str, name_of: Callable[[str], str]) -> str:
    """The message with the name of its field in the place of {field}."""
    return message.replace("{field}", name_of(field) if field else "the request", 1)


def _restored(kind: type[OverpaintError], message: str, state: dict[str, object], number: int | None) -> OverpaintError:
    error = kind.__new__(kind)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    if number is not None:
        error.__cause__ = OSError(number, os.strerror(number))
    return error
