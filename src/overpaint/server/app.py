"""The server as one ASGI application."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from overpaint.errors import LedgerError, OutputError, OverpaintError
from overpaint.files import is_full
from overpaint.ledger import Ledger
from overpaint.studio import Studio
from overpaint.validation import raise_readable

from . import compat, documentation, editor, native
from .browser import COOKIE, BrowserTokens
from .canvas_work import CanvasWorker
from .canvases import CanvasStore
from .cluster_work import ClusterWorker
from .described import PREFIX, DescribedApi, allowed_methods, operation_id
from .enhance_work import EnhanceWorker
from .errors import TooManyJobsError
from .figures import ServerFigures
from .guard import Guard
from .intake import JobIntake
from .jobs import EditQueue
from .keys import ApiKeys
from .one_server import held
from .pictures import PictureStore
from .replies import error_reply
from .sessions import OriginalCache, SessionPool, SessionStore, SessionWorker, TaskWorkers
from .settings import ServerSettings
from .work import StudioWorker, TaskWorker, memory_of_jobs

if TYPE_CHECKING:
    from overpaint.batch.cluster import RayExecutor

log = logging.getLogger("overpaint.server")

_LEDGER_REST = 2
"""Seconds after which a request may come again that could not be written down."""

_STARTING = 10
"""Seconds after which a server that stops is likely to be there again, where it is started anew."""

_USED = "<p>This link was used before, or is too old. The server gives a new one when it starts.</p>"


@dataclass(frozen=True, slots=True)
class Services:
    """What endpoints work with."""

    settings: ServerSettings
    pictures: PictureStore
    sessions: SessionPool
    canvases: CanvasStore
    queue: EditQueue
    intake: JobIntake
    studio: Studio
    tokens: BrowserTokens
    keys: ApiKeys | None
    figures: ServerFigures


class Server:
    """An application, and what it opens and closes."""

    def __init__(
        self,
        settings: ServerSettings,
        studio: Studio | None = None,
        worker: TaskWorker | None = None,
        executor: RayExecutor | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            settings: The settings.
            studio: What paints; a new one where none is given, which is closed with the server.
            worker: What does jobs, in place of the studio.
            executor: Of a cluster whose workers do edits; the caller stops it.
        """
        self.settings = settings
        self.tokens = BrowserTokens()
        self.figures = ServerFigures()
        self.keys = None if settings.keys is None else ApiKeys.read(settings.keys)
        self._studio = studio
        self._worker = worker
        self._executor = executor
        self.failure: OverpaintError | None = None
        self.inner = self._application()
        self.inner.add_api_route("/", self._page, include_in_schema=False)
        open_paths = (f"{PREFIX}/health", *documentation.PATHS, *editor.PATHS, *compat.open_paths(settings.apis))
        self.app = Guard(
            self.inner,
            settings,
            self.keys,
            self.tokens,
            self.figures,
            open_paths,
            compat.formed,
            compat.authentication,
        )

    def begin_stop(self) -> bool:
        """Begin no more jobs. Returns whether any call waits for one that may still end."""
        services: Services | None = getattr(self.inner.state, "services", None)
        return services is not None and services.queue.begin_stop()

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        try:
            async with self._open(app):
                yield
        except OverpaintError as error:
            self.failure = error  # the ASGI server says no more than that the start failed
            raise

    @asynccontextmanager
    async def _open(self, app: FastAPI) -> AsyncIterator[None]:
        data = self.settings.data
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        with held(data), Ledger(data / "jobs.sqlite") as ledger:
            studio = self._studio or Studio(model_paths=False)
            try:
                pictures = PictureStore(data / "pictures", self.settings)
                sessions = self._sessions(studio)
                canvases = CanvasStore(data / "canvases", self.settings)
                worker = self._workers(studio, pictures, sessions, canvases)
                queue = EditQueue(ledger, worker, self.settings, self.figures, sessions.job_changed)
                intake = JobIntake(queue.submit_all)
                app.state.services = Services(
                    self.settings,
                    pictures,
                    sessions,
                    canvases,
                    queue,
                    intake,
                    studio,
                    self.tokens,
                    self.keys,
                    self.figures,
                )
                queue.start()
                try:
                    yield
                finally:
                    await compat.close(app)
                    intake.close()
                    queue.stop()
                    sessions.close()
            finally:
                if self._studio is None:
                    studio.close()

    def _sessions(self, studio: Studio) -> SessionPool:
        settings = self.settings
        originals = OriginalCache(settings, settings.session_memory // 2)
        store = SessionStore(settings.data / "sessions", settings, originals)
        return SessionPool(store, originals, studio, settings.open_sessions, settings.session_memory // 2)

    def _workers(
        self, studio: Studio, pictures: PictureStore, sessions: SessionPool, canvases: CanvasStore
    ) -> TaskWorkers:
        budget = memory_of_jobs()
        edits = self._worker
        if edits is None and self._executor is not None:
            edits = ClusterWorker(studio, pictures, self.settings, budget, self._executor)
        elif edits is None:
            edits = StudioWorker(studio, pictures, self.settings, budget)
        return TaskWorkers(
            edits,
            SessionWorker(studio, pictures, sessions, self.settings, budget),
            CanvasWorker(studio, canvases, self.settings, budget),
            EnhanceWorker(studio, pictures, self.settings, budget),
        )

    async def _page(self, request: Request, token: str | None = None) -> Response:
        """The editor. A token of its address becomes a cookie, and leaves the address."""
        if token is None:
            return editor.page(request)
        cookie = self.tokens.cookie(token)
        if cookie is None:
            log.warning("refused GET '/': token-used")
            return HTMLResponse(_USED, 403)
        found = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"  # as a proxy before it says
        found.set_cookie(COOKIE, cookie, httponly=True, samesite="strict", secure=secure)
        return found

    def _application(self) -> FastAPI:
        from overpaint import __version__

        app = DescribedApi(
            title="Overpaint",
            version=__version__,
            summary="Repaint a chosen part of a picture and leave every other pixel as it was.",
            lifespan=self._lifespan,
            docs_url=None,
            redoc_url=None,
            openapi_url=f"{PREFIX}/openapi.json",
            max_body_size=self.settings.largest_body,
            generate_unique_id_function=operation_id,
        )
        app.state.keyed = self.keys is not None
        # As the application's own routes: `include_router` would have each request go through every nested router.
        app.routes.extend([*native.router.routes, *documentation.router.routes, *editor.router.routes])
        compat.include(app, self.settings.apis)
        app.add_exception_handler(OverpaintError, _overpaint_error)
        app.add_exception_handler(RequestValidationError, _invalid)
        app.add_exception_handler(HTTPException, _http_error)
        app.add_exception_handler(OSError, _system_error)
        app.add_exception_handler(Exception, _unexpected)
        return app


async def _overpaint_error(request: Request, error: Any) -> JSONResponse:
    status, body = error_reply(error)
    if status >= 500 and isinstance(error, LedgerError | OutputError):
        log.error("%s %r: %s", request.method, request.scope["path"][:200], error)
    headers = {"retry-after": str(error.retry_after)} if isinstance(error, TooManyJobsError) else None
    if error.code == "server-stopping":
        headers = {"retry-after": str(_STARTING)}
    if isinstance(error, LedgerError) and error.code != "disk-full":
        log.error("%s", error)
        status, body = 503, {"error": {"code": error.code, "message": "the server can't write down jobs just now"}}
        headers = {"retry-after": str(_LEDGER_REST)}
    return _reply(request, status, body["error"], headers)


def _reply(
    request: Request, status: int, error: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An error as the API has it that the request is of."""
    path = request.scope["path"]
    found, body = compat.formed(path, status, error)
    if status < 500:
        log.info("refused %s %r: %d %s", request.method, path[:200], found, error.get("code"))
    return _AsciiResponse(body, found, headers=headers)


class _AsciiResponse(JSONResponse):
    """JSON in ASCII: what a client sent and an error names may be halves of surrogate pairs, which UTF-8 has not."""

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return json.dumps(content).encode()


async def _invalid(request: Request, error: Any) -> JSONResponse:
    """A body, a path or a query of another form, in the words that a request's own errors have."""
    field = getattr(request.scope.get("route"), "body_field", None)
    model = None if field is None else field.field_info.annotation
    if isinstance(model, type) and issubclass(model, BaseModel) and isinstance(error.body, dict):
        try:
            model.model_validate(error.body)
        except ValidationError as found:
            try:
                raise_readable(found, model)
            except OverpaintError as readable:
                return await _overpaint_error(request, readable)
        except OverpaintError as readable:
            return await _overpaint_error(request, readable)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if isinstance(error.body, bytes) and error.body and not media.endswith("json"):
        message = f"body: it is sent as {media or 'nothing that has a name'}, and should be JSON"
        hint = "send it with the header 'content-type: application/json'"
        return _reply(request, 422, {"code": "request-invalid", "message": message, "field": "body", "hint": hint})
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    table = {"code": "request-invalid", "message": f"{where}: {first['msg']}", "field": where}
    return _reply(request, 422, table)


async def _http_error(request: Request, error: Any) -> JSONResponse:
    codes = {
        404: "not-found",
        405: "method-not-allowed",
        408: "too-slow",
        413: "body-too-large",
        415: "media-type",
        503: "server-busy",
    }
    table = {"code": codes.get(error.status_code, "request-invalid"), "message": str(error.detail)}
    headers = error.headers
    if error.status_code == 405:
        headers = {"allow": allowed_methods(request)}
    if error.status_code == 404 and request.scope["path"].startswith(PREFIX):  # others' clients know the plain words
        table["message"], table["hint"] = "there is nothing at this path", "/docs shows all paths"
    return _reply(request, error.status_code, table, headers)


async def _system_error(request: Request, error: Any) -> JSONResponse:
    """What the system refuses: a full disk is no fault of the server's."""
    if is_full(error):
        return await _overpaint_error(request, OutputError(str(error), code="disk-full"))
    return await _unexpected(request, error)


async def _unexpected(request: Request, error: Any) -> JSONResponse:
    log.error("%s %r failed", request.method, request.scope["path"][:200], exc_info=error)
    return _reply(
        request, 500, {"code": "server-failed", "message": "the server failed unexpectedly; its log says more"}
    )
