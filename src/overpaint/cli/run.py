"""From arguments to an exit status: the verbs, and the handling of every error."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import FrameType
from typing import Any, NoReturn

from cyclopts import App, CycloptsError, Group, Parameter

from overpaint.errors import Cancelled, OverpaintError, RequestError

from . import INTERRUPTED
from .messages import BAD_INPUT, BROKEN_PIPE, DONE, FAILED, TERMINATED, about_verb, complain, failed, in_json, usage
from .streams import STDIO, standard_input
from .texts import escape_what_streams_lack, print_json

_EDIT = Group("Edit pictures", sort_key=0)
_TOOLS = Group("Masks and records", sort_key=1)
_SETUP = Group("Set-up", sort_key=2)


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb as the list of verbs shows it.

    Attributes:
        name: The word on the command line.
        place: Module and name of its function in this package.
        panel: The panel of the list.
        about: One line.
        takes: Its arguments without options; empty for a group of verbs.
    """

    name: str
    place: str
    panel: Group
    about: str
    takes: str = ""


VERBS = (
    Verb("remove", "verbs:remove", _EDIT, "Take an object away and show what was behind it.", "PICTURE ..."),
    Verb("replace", "verbs:replace", _EDIT, "Put what a prompt describes in its place.", "PICTURE ..."),
    Verb("recolor", "verbs:recolor", _EDIT, "Give it another colour and keep its shape.", "PICTURE ..."),
    Verb("background", "verbs:background", _EDIT, "Repaint all but the subject that the mask marks.", "PICTURE ..."),
    Verb("refine", "verbs:refine", _EDIT, "Work a part over: better detail and texture, same content.", "PICTURE ..."),
    Verb("add", "verbs:add", _EDIT, "Paint something new into a place.", "PICTURE ..."),
    Verb("expand", "verbs:expand", _EDIT, "Continue the picture beyond its edges.", "PICTURE ..."),
    Verb("edit", "verbs:edit", _EDIT, "Any other change, or one from a request file.", "PICTURE ..."),
    Verb("grid", "grid:grid", _EDIT, "Vary settings of an edit, and show all results on one sheet.", "PICTURE"),
    Verb("enlarge", "enlarge:enlarge", _EDIT, "Make a whole picture larger.", "PICTURE ..."),
    Verb("restore", "restore:restore", _EDIT, "Restore faces by a network.", "PICTURE ..."),
    Verb("batch", "batch:app", _EDIT, "Many edits, from a list or a folder; resumable, with a report."),
    Verb("session", "session:app", _EDIT, "Edits that can be taken apart again: undo, hide, paint again, layers."),
    Verb("serve", "serve:serve", _EDIT, "The server: one queue and an API for programs and pages.", " "),
    Verb("mask", "masks:app", _TOOLS, "Make, combine, refine, convert and look at masks."),
    Verb("info", "info:info", _TOOLS, "What a picture is, and how it was made.", "PICTURE"),
    Verb("provenance", "provenance:app", _TOOLS, "What a picture says of its origin: source type, signature, marks."),
    Verb("audit", "audit:app", _TOOLS, "Evidence of edits: verify, show and export an audit log."),
    Verb("replay", "replay:replay", _TOOLS, "Run an edit again from its record, and compare.", "FILE-or-ID"),
    Verb("engines", "engines:engines", _SETUP, "The engines that are installed, and their options.", "[NAME]"),
    Verb("models", "models:app", _SETUP, "List, get, check and remove models."),
    Verb("keys", "serve:app", _SETUP, "The keys of a server: who may use it, and for what."),
    Verb("doctor", "doctor:doctor", _SETUP, "Libraries, engines and models in use; what is missing.", " "),
)
"""Every verb, in the order of the help."""

_ABOUT = """Repaint a chosen part of a picture and leave every other pixel as it was.

[dim]$[/] overpaint remove photo.jpg --box 120,80,260,310
[dim]$[/] overpaint remove photo.jpg --mask mask.png --compare before-after.png
[dim]$[/] overpaint expand photo.jpg --aspect 16:9
"""

_PATIENCE = 10.0  # seconds from SIGTERM to the end of the process

_STATUS = "Exit status: 0 done, 1 failed, 2 bad input or usage, 130 interrupted."


class _Terminated(KeyboardInterrupt):
    """SIGTERM was received."""


def _default_shown(value: Any) -> Any:
    """A default as the help shows it; None for none."""
    return "yes" if value is True else value or None


_EVERY_OPTION = Parameter(negative_iterable=(), show_default=_default_shown)


def application(verb: str = "") -> App:
    """The command line's structure. A verb's module is imported when the verb is used.

    Args:
        verb: The verb in use, which shows its own, longer help instead of its line in the list of verbs.
    """
    app = App(
        name="overpaint",
        help=_ABOUT,
        help_format="rich",
        help_epilogue="" if verb else f"[dim]'overpaint VERB --help' says more. {_STATUS}[/]",
        usage="Usage: overpaint VERB ...",
        version=_version,
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        default_parameter=_EVERY_OPTION,
    )
    for order, one in enumerate(VERBS):
        about = None if one.name == verb else one.about
        usage = {"usage": f"Usage: overpaint {one.name} {one.takes} [OPTIONS]".replace("  ", "")} if one.takes else {}
        app.command(f"overpaint.cli.{one.place}", name=one.name, help=about, group=one.panel, sort_key=order, **usage)
    app.register_install_completion_command(help="Install completion for this shell (bash, zsh, fish).", group=_SETUP)
    for flag, order in (("--install-completion", 20), ("--help", 21), ("--version", 22)):
        app[flag].group = _SETUP
        app[flag].sort_key = order
    app["--help"].help = "Show this page, or a verb's own."
    app["--version"].help = "Show the version."
    return app


def _version() -> str:
    from importlib.metadata import version

    return f"overpaint {version('overpaint')}"


def run(argv: Sequence[str] | None = None) -> int:
    """Run the arguments' verb and return the exit status. Errors are one line on standard error."""
    words = list(sys.argv[1:] if argv is None else argv)
    standard_input.cache_clear()
    escape_what_streams_lack()
    with about_verb(words):
        return _status_of(words, leaving=argv is None)


def _status_of(words: list[str], *, leaving: bool) -> int:
    """Run the verb, and say in a line what goes wrong; the exit status.

    Args:
        words: The arguments.
        leaving: Whether the process ends with the command.
    """
    debug = "--debug" in words or os.environ.get("OVERPAINT_DEBUG", "0") not in ("", "0")
    try:
        with _terminations(leaving=leaving), _limits(words), _prints(words):
            verb = next((verb.name for verb in VERBS if words[:1] == [verb.name]), "")
            status = application(verb)([STDIO if word == "-" else word for word in words])
            sys.stdout.flush()
            return status if isinstance(status, int) else DONE
    except _Terminated:
        return complain("terminated; nothing was left half written", TERMINATED, debug)
    except (KeyboardInterrupt, Cancelled):
        return complain("interrupted; nothing was left half written", INTERRUPTED, debug)
    except BrokenPipeError:
        # the reader has closed the pipe: with another target, Python's last flush does not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except CycloptsError as error:
        text = usage(error)
        _print_json(words, RequestError(text, code="usage-invalid"))
        return complain(text, BAD_INPUT, debug)
    except OverpaintError as error:
        _print_json(words, error)
        return failed(error, debug=debug)
    except MemoryError:
        return complain("not enough memory for this picture", FAILED, debug)
    except Exception as error:
        text = f"{type(error).__name__}: {error.__cause__ or error}; this is a bug in Overpaint (--debug shows where)"
        return complain(text, FAILED, debug)


def _print_json(words: Sequence[str], error: OverpaintError) -> None:
    """With --json the error as an object; not on the stream of the picture."""
    if "--json" in words and not {("-o", "-"), ("--output", "-")} & set(pairwise(words)):
        print_json(in_json(error), one_line=True)


def _prints(words: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    """What decoders print becomes notes. Not in a batch, whose threads start processes, and which decodes in others."""
    from overpaint.bounded import prints_caught

    return contextlib.nullcontext() if words[:1] == ["batch"] else prints_caught(shared=True)


@contextlib.contextmanager
def _limits(words: Sequence[str]) -> Iterator[None]:
    """The limits of what is read, by --max-pixels; the verb's parser refuses what is no number."""
    given = re.search(r"(?:^|\0)--max-pixels[=\0](\d+)(?:\0|$)", "\0".join(words))
    if given is None:
        yield
        return
    from overpaint.picture import PictureLimits, limited

    with limited(PictureLimits(pixels=int(given[1]))):
        yield


@contextlib.contextmanager
def _terminations(*, leaving: bool = False) -> Iterator[None]:
    """Handle SIGTERM like an interrupt, so that no half-written file stays. Only where signals can be caught.

    Args:
        leaving: Whether the process ends with the command; it then ends a while after the signal at the latest.
    """
    timers: list[threading.Timer] = []

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        if leaving and not timers:  # or a step of another thread would be waited for
            timers.append(threading.Timer(_PATIENCE, os._exit, (TERMINATED,)))
            timers[0].daemon = True
            timers[0].start()
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        yield
        return
    hook = sys.unraisablehook

    def repeat(lost: sys.UnraisableHookArgs) -> None:
        """Python drops what is raised while an object is deleted: the signal is sent again."""
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            hook(lost)
            return
        number = signal.SIGTERM if isinstance(lost.exc_value, _Terminated) else signal.SIGINT
        again = threading.Timer(0.05, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()

    sys.unraisablehook = repeat
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, before)
