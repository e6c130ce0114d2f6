"""One call of an API without jobs: it sends pictures, waits, and gets results; nothing stays when it ends."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
import re
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from overpaint.errors import Cancelled, OutputError, OverpaintError, RequestError
from overpaint.server.decoding import PictureFacts
from overpaint.server.errors import ServerError
from overpaint.server.events import EventKind, NumberedEvent
from overpaint.server.job import EditJob, Submission
from overpaint.server.json_values import check_values
from overpaint.server.native.callers import services_of
from overpaint.server.tasks import EditTask, EnhanceTask

_LOOK = 0.5
"""Seconds between two looks whether the client is still there."""

_endings: set[asyncio.Future[None]] = set()
"""The ends of calls that are under way: a loop itself keeps no task alive."""


_STILL_HERE = 15.0
"""Seconds after which who follows a job hears that nothing has happened."""


class ServerStoppingError(ServerError):
    """The server stops before it could do the job of a call."""

    code = "server-stopping"
    status = 503


class JobFailedError(ServerError):
    """The job of a call failed. It has the parts of the error that ended the job."""

    code = "job-failed"
    status = 500


@dataclass(frozen=True, slots=True)
class CallResult:
    """A result of a call.

    Attributes:
        data: The file.
        facts: What the job says of it: seed, notes, width, height, format ...
    """

    data: bytes
    facts: dict[str, Any]


class Call:
    """What a call adds and makes; a context manager that removes it all."""

    def __init__(self, request: Request, owner: str) -> None:
        """`owner` is who calls."""
        services = services_of(request)
        self._request = request
        self._owner = owner
        self._pictures, self._queue, self._intake = services.pictures, services.queue, services.intake
        self._added: list[str] = []
        self._stop = threading.Event()
        self.job: EditJob | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A client that leaves a stream cancels the task, and whatever that awaits: the end is a task of its own.
        ending = asyncio.ensure_future(self._end())
        _endings.add(ending)
        ending.add_done_callback(_endings.discard)
        await asyncio.shield(ending)

    async def _end(self) -> None:
        """Stop the job that nobody waits for any more, and remove it and the pictures."""
        job = self.job
        if job is not None:
            job.waiting -= 1
        if job is not None and not job.waiting:
            if not job.ended:
                await run_in_threadpool(self._queue.cancel, self._owner, job.id)
                await _end_of(job)
            self._added += [id for one in job.results for id in (one["picture"], *one.get("maps", ()))]
            with contextlib.suppress(OverpaintError):
                await run_in_threadpool(self._queue.delete, self._owner, job.id)
        for id in self._added:
            await run_in_threadpool(self._pictures.drop, self._owner, id)

    async def add(self, data: bytes) -> PictureFacts:
        """Keep a picture for this call. Raises as `PictureStore.add`."""
        facts = await run_in_threadpool(partial(self._pictures.add, self._owner, data, temporary=True))
        self._added.append(facts.id)
        return facts

    async def begin(self, task: EditTask | EnhanceTask, *, attach: bool = False) -> EditJob:
        """Ask for a task; one that runs already for the same caller is waited for in its place where `attach` is set.

        Raises:
            OverpaintError: It can't be done, whatever its picture, or too many wait.
            Cancelled: `cancel` was called before.
        """
        if self.cancelled:
            raise Cancelled("the edit was cancelled")
        asked = Submission(self._owner, task, attach=attach, temporary=True)
        self.job = job = await self._intake.submit(asked)
        job.waiting += 1
        if self._stop.is_set():  # meanwhile
            await self.cancel()
        return job

    async def edit(self, task: EditTask | EnhanceTask, *, attach: bool = False) -> list[CallResult]:
        """The results of a task, once it is done. `attach` as for `begin`.

        Raises:
            OverpaintError: It can't be done, or failed.
            Cancelled: It was cancelled, or the client has left; `finished` has those that were done by then.
        """
        return await self.outcome(await self.begin(task, attach=attach))

    async def outcome(self, job: EditJob) -> list[CallResult]:
        """The results of a job that was begun, once it is done. Raises as `edit`."""
        watch = asyncio.create_task(self._watch(job))
        try:
            async for _ in self.events(job):
                pass
        finally:
            watch.cancel()
        return await self.results(job)

    async def events(self, job: EditJob) -> AsyncIterator[NumberedEvent[EventKind] | None]:
        """What happens to a job that was begun, until it has ended; None comes now and then while nothing does.

        Raises:
            ServerStoppingError: The server stops before.
        """
        quiet = 0.0
        async for event in job.events.follow(quiet=_LOOK):
            quiet = 0.0 if event else quiet + _LOOK
            if event is not None:
                yield event
            elif job.ended:
                return
            elif self._queue.left_over(job):
                raise ServerStoppingError("the server stops before this edit is done", hint="send it again in a while")
            elif quiet >= _STILL_HERE:
                quiet = 0.0
                yield None

    async def results(self, job: EditJob) -> list[CallResult]:
        """The results of a job that has ended. Raises as `edit`."""
        if job.state == "cancelled":
            raise Cancelled("the edit was cancelled")
        if job.state == "failed":
            raise _failure(job.error or {})
        return await self.finished()

    async def finished(self) -> list[CallResult]:
        """The results that there are, also of a job that was cancelled."""
        return [
            CallResult(await run_in_threadpool(self._pictures.data, self._owner, one["picture"]), one)
            for one in ([] if self.job is None else self.job.results)
        ]

    async def picture(self, id: str) -> bytes:
        """The file of a picture of this call, such as a control map."""
        return await run_in_threadpool(self._pictures.data, self._owner, id)

    async def cancel(self) -> None:
        """Stop its job, also one that is not there yet; a job that another call waits for goes on."""
        self._stop.set()
        if self.job is not None and self.job.waiting <= 1:
            await run_in_threadpool(self._queue.cancel, self._owner, self.job.id)

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._stop.is_set()

    async def _watch(self, job: EditJob) -> None:
        """Cancel the job when the client has left, and nobody else waits for it."""
        while not job.ended:
            await asyncio.sleep(_LOOK)
            if await self._request.is_disconnected():
                if job.waiting == 1:
                    await run_in_threadpool(self._queue.cancel, self._owner, job.id)
                return


async def _end_of(job: EditJob) -> None:
    """Wait until a job has ended."""
    async for event in job.events.follow(quiet=_LOOK):
        if event is None and job.ended:
            return


def _failure(error: dict[str, Any]) -> OverpaintError:
    """The error that a job ended with; one of its input has the status of such an error."""
    parts = {name: error.get(name) for name in ("code", "field", "value")}
    if error.get("code") == "disk-full":
        return OutputError(str(error.get("message", "")), code="disk-full")
    kind = JobFailedError if str(error.get("code", "")).startswith(("engine", "worker", "memory", "time")) else None
    message, hint = str(error.get("message", "the edit failed")), str(error.get("hint", ""))
    return (kind or RequestError)(message, **parts, hint=hint)


_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""A part of a surrogate pair as JSON writes it."""


def json_of(data: bytes) -> Any:
    """The value that a body has, whatever media type it was sent as.

    Raises:
        RequestError: It is no JSON, or a text in it is not Unicode.
        HTTPException: It has more values than the server reads (413).
    """
    check_values(data.count(b","))
    try:
        text = data.decode(json.detect_encoding(data))
        found = json.loads(text)
        if _HALF.search(text):
            json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise RequestError("a text of the body has half of a surrogate pair, and is not Unicode") from None
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is not JSON: {error}") from None
    return found


async def json_table(request: Request) -> dict[str, Any]:
    """The JSON object of a request's body. RequestError where it is none."""
    table = json_of(await request.body())
    if not isinstance(table, dict):
        raise RequestError("the body should be a JSON object")
    return table


def picture_bytes(text: object, field: str) -> bytes:
    """The file in a text: base64, bare or in a data URL. RequestError where it is neither."""
    if not isinstance(text, str) or not text.strip():
        raise RequestError(f"{{field}} should be a picture in base64, not {type(text).__name__}", field=field)
    head, comma, rest = text.partition(",")
    body = rest if comma and head.startswith("data:") else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError(
            f"{{field}} is no base64: it begins with {text[:20]!r}",
            field=field,
            hint="send the file's bytes in base64, bare or as a data URL",
        ) from None
