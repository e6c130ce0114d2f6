"""Telling another program, or an address, that a batch has ended."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType

from overpaint.batch import Ended, Event
from overpaint.bounded import call_in_time
from overpaint.errors import RequestError

from .texts import now, visible

_TIMEOUT = 60.0  # seconds for the command or the address
_TIMEOUT_INTERRUPTED = 5.0  # the same at the end of an interrupted run


def check_notice(where: str) -> None:
    """Check, before a run, the command or the address that is called at its end.

    Raises:
        RequestError: It is neither a command nor an http(s) address, its quotes are not closed, or its program is not
            found.
    """
    from overpaint.batch.store import is_address

    problem = ""
    if is_address(where):
        problem = _problem_of_address(where)
    else:
        try:
            words = shlex.split(where)
            if not words:
                problem = "takes a command or an address"
            elif shutil.which(words[0]) is None:
                problem = f"names the program {words[0]!r}, which is not found"
        except ValueError as error:  # "No closing quotation"
            problem = f"can't be split into words: {str(error).lower()}"
    if problem:
        raise RequestError(f"{{field}} {problem}", field="on_end", value=where)


def _problem_of_address(where: str) -> str:
    from urllib.parse import urlsplit

    scheme = where.partition("://")[0]
    if scheme.lower() not in ("http", "https"):
        return f"takes an address that begins with http:// or https://, not {scheme}://"
    try:
        parts = urlsplit(where)
        return "" if parts.hostname and parts.port != 0 else "has an address without a host"
    except ValueError as error:
        return f"has an address that can't be read: {error}"


class EndNotice:
    """Waits for the last event of a run, also of an interrupted one. What goes wrong here changes no result: it is said
    on standard error.
    """

    def __init__(self, where: str, more: Mapping[str, str] = MappingProxyType({})) -> None:
        """`where`: an address, which gets the event as JSON by POST; or a command, which gets it on its standard input
        and is run without a shell. `more` is added to the event.
        """
        self._where, self._more = where, more

    def show(self, event: Event) -> None:
        """Tell of the last event."""
        if not isinstance(event, Ended):
            return
        data = json.dumps({"event": "ended", **asdict(event), **self._more, "time": now()}, ensure_ascii=False).encode()
        seconds = _TIMEOUT_INTERRUPTED if event.interrupted else _TIMEOUT
        try:
            if self._where.lower().startswith(("http://", "https://")):
                # a server that sends a byte now and then never lets the time of one read pass
                call_in_time(_post, self._where, data, seconds, seconds=seconds)
            else:
                _run(shlex.split(self._where), data, seconds)
        except TimeoutError:
            self._failed(f"it took longer than {seconds:g} seconds")
        except Exception as error:
            self._failed(str(error))

    @staticmethod
    def _failed(reason: str) -> None:
        print(visible(f"overpaint: --on-end failed: {reason}"), file=sys.stderr, flush=True)


def _run(words: list[str], data: bytes, seconds: float) -> None:
    import subprocess

    # standard output has the events of the run alone
    subprocess.run(words, input=data, stdout=sys.stderr.fileno(), timeout=seconds, check=True)


def _post(address: str, data: bytes, seconds: float) -> None:
    from urllib.request import Request, urlopen

    request = Request(address, data, {"Content-Type": "application/json"}, method="POST")
    urlopen(request, timeout=seconds).close()
