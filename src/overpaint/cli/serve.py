"""`overpaint serve` and `overpaint keys`: the server, and the keys that it asks for."""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import sys
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from cyclopts import Group, Parameter

from overpaint.doors import forms

from .options import RUN, AllowPickle, Debug, DeviceName, MaxPixels, Threads, flattened, verb_group
from .texts import print_line, print_rows, visible

if TYPE_CHECKING:
    from overpaint.batch.cluster import RayExecutor
    from overpaint.server import ServerSettings
    from overpaint.studio import Studio

_KEYS = Group("Keys", sort_key=0)
_WHERE = Group("Where", sort_key=0)
_WHO = Group("Who", sort_key=1)
_HOW_MUCH = Group("How much", sort_key=2)

Api = Literal["a1111", "openai", "iopaint"]
Scope = Literal["read", "edit", "admin"]


@flattened(_WHERE)
@dataclass(frozen=True, slots=True)
class Listening:
    """Where a server listens, and for whom.

    Attributes:
        host: The address to listen on. Another than this machine's own needs --key-file.
        port: The port; 0 takes a free one.
        data: The folder of its pictures and jobs.
        open_page: Open it in a browser.
        key_file: Keys of those who may use it, made by 'overpaint keys add'. Without them this machine may.
        allow_host: A further host name under which it is asked.
        api: An API of another program to serve; left out, all are: a1111, openai, iopaint.
        allow_origin: A web page that may use it from a browser: https://example.com.
    """

    host: Annotated[str, Parameter(metavar="ADDRESS")] = "127.0.0.1"
    port: Annotated[int, Parameter(metavar="N")] = 7860
    data: Annotated[str | None, Parameter(metavar="FOLDER", show_default="of this user")] = None
    open_page: Annotated[bool, Parameter(name="--open")] = False
    key_file: Annotated[str | None, Parameter(metavar="FILE", group=_WHO)] = None
    allow_host: Annotated[tuple[str, ...], Parameter(metavar="NAME", group=_WHO)] = ()
    api: Annotated[tuple[Api, ...], Parameter(metavar="NAME", show_default="all")] = ()
    allow_origin: Annotated[tuple[str, ...], Parameter(metavar="URL", group=_WHO)] = ()


@flattened(_HOW_MUCH)
@dataclass(frozen=True, slots=True)
class Capacity:
    """How much a server takes on.

    Attributes:
        lanes: Jobs that are worked on at the same time, beside those that take longer than two seconds.
        max_jobs: Jobs that may wait or run.
        client_jobs: The same, for one client.
        max_body: The most that one request may send.
        client_storage: The most that the stored pictures of one client may have; results are kept all the same.
    """

    lanes: Annotated[int, Parameter(metavar="N")] = 8
    max_jobs: Annotated[int, Parameter(metavar="N")] = 10_000
    client_jobs: Annotated[int, Parameter(metavar="N")] = 500
    max_body: Annotated[str, Parameter(metavar="SIZE")] = "256MB"
    client_storage: Annotated[str, Parameter(metavar="SIZE")] = "50GB"
    max_pixels: MaxPixels = None


@flattened(RUN)
@dataclass(frozen=True, slots=True)
class Painting:
    """What a server paints with.

    Attributes:
        model: The checkpoint of prompts that name none.
        preload: Load that model now, and not when it is first used.
        ray: Do edits on a Ray cluster (extra 'ray'): the one here, that of a head, or N processors of this machine.
    """

    model: Annotated[str | None, Parameter(metavar="NAME")] = None
    preload: bool = False
    device: DeviceName = "auto"
    threads: Threads = None
    allow_pickle: AllowPickle = False
    ray: Annotated[str | None, Parameter(metavar="auto|HOST:PORT|local:N")] = None


_LISTENING, _CAPACITY, _PAINTING = Listening(), Capacity(), Painting()


def data_folder() -> Path:
    """The folder of a server's data where none is given: `server` in Overpaint's own folder; or, as long as that is not
    there, where earlier versions had it on every platform and whatever OVERPAINT_HOME says, if that has data.
    """
    from overpaint.models.places import home

    folder = home() / "server"
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    earlier = Path(base).expanduser() / "overpaint" / "server"
    return earlier if (earlier / "jobs.sqlite").is_file() and not folder.exists() else folder


def serve(
    *,
    listening: Listening = _LISTENING,
    capacity: Capacity = _CAPACITY,
    painting: Painting = _PAINTING,
    debug: Debug = False,
) -> int:
    """Answer requests of programs and pages until it is stopped. Without keys only this machine may ask.

    [dim]$[/] overpaint serve
    [dim]$[/] overpaint serve --port 8080 --data ./studio
    [dim]$[/] overpaint serve --host 0.0.0.0 --key-file keys.txt --allow-host paint.lan
    """
    from overpaint.server import Server, ServerSettings
    from overpaint.server import serve as run
    from overpaint.studio import Studio

    settings = ServerSettings(
        data=data_folder() if listening.data is None else Path(listening.data).expanduser(),
        host=listening.host,
        port=listening.port,
        keys=None if listening.key_file is None else Path(listening.key_file).expanduser(),
        hosts=listening.allow_host,
        origins=listening.allow_origin,
        apis=frozenset(listening.api or get_args(Api)),
        largest_body=forms.bytes_of(capacity.max_body, "max_body"),
        client_bytes=forms.bytes_of(capacity.client_storage, "client_storage"),
        most_pixels=capacity.max_pixels,
        lanes=capacity.lanes,
        jobs=capacity.max_jobs,
        client_jobs=capacity.client_jobs,
    )
    _log_to_stderr()

    def ready(url: str, token: str | None) -> None:
        page = url if token is None else f"{url}/?token={token}"
        print(visible(f"Overpaint is at {page} (Ctrl+C stops it)"), flush=True)
        print_line(f"its API is described at {url}/docs; its data are in {settings.data}", error=True)
        print_line(_who_may(settings), error=True)
        if listening.open_page:
            webbrowser.open(page)

    with (
        Studio(
            device=painting.device,
            threads=painting.threads,
            allow_pickle=painting.allow_pickle,
            model=painting.model,
            model_paths=False,
        ) as studio,
        _cluster(painting) as executor,
    ):
        if painting.preload:
            _load(studio)
        run(Server(settings, studio, executor=executor), ready)
    print("stopped; jobs that had not ended go on at the next start", file=sys.stderr)
    return 0


@contextlib.contextmanager
def _cluster(painting: Painting) -> Iterator[RayExecutor | None]:
    """The workers of a cluster; None without `--ray`."""
    if painting.ray is None:
        yield None
        return
    from overpaint.batch.cluster import ClusterOptions, RayExecutor
    from overpaint.batch.connect import connected
    from overpaint.studio import Studio

    threads = painting.threads or 1
    make = partial(
        Studio,
        device=painting.device,
        threads=threads,
        allow_pickle=painting.allow_pickle,
        model=painting.model,
        model_paths=False,
    )
    options = ClusterOptions(cpus=threads, gpus=painting.device in ("auto", "cuda"))
    with connected(painting.ray), RayExecutor(make, options) as executor:
        yield executor


def _who_may(settings: ServerSettings) -> str:
    """Who may use a server, in words."""
    from overpaint.server import ApiKeys

    if settings.keys is not None:
        names = ", ".join(one.name for one in ApiKeys.read(settings.keys).callers)
        return f"keys are asked for, those of {names}; the link above lets one browser in, within ten minutes"
    if settings.hosts:
        return f"no keys are asked for: anyone who reaches it as {settings.hosts[0]} may use it (set --key-file)"
    return "no keys are asked for: anyone on this machine may use it"


def _load(studio: Studio) -> None:
    """Paint a small picture with the studio's model, so that its weights are there for the first job."""
    import numpy as np

    from overpaint.mask import Mask

    pixels = np.full((64, 64, 3), 128, np.uint8)
    mask = Mask.box((64, 64), (16, 16, 48, 48))
    studio.edit(pixels, mask=mask, intent="custom", engine="diffusion", model=studio.model, steps=1, seed=0)


app = verb_group(
    "keys",
    "The keys of a server: who may use it, and for what.",
    "keys add studio --key-file keys.txt",
    "keys list --key-file keys.txt",
    "keys remove studio --key-file keys.txt",
)


@app.command(sort_key=0)
def add(
    name: Annotated[str, Parameter(group=_KEYS)],
    /,
    *,
    key_file: Annotated[str, Parameter(name="--key-file", group=_KEYS, metavar="FILE")],
    may: Annotated[tuple[Scope, ...], Parameter(group=_KEYS, metavar="WORD")] = (
        "read",
        "edit",
    ),
    debug: Debug = False,
) -> int:
    """Make a key and print it, once: the file has only its hash.

    [dim]$[/] overpaint keys add studio --key-file keys.txt

    Args:
        name: What to call it; pictures and jobs belong to that name.
        key_file: The file of keys; it is made where it is missing.
        may: What the key is for: read, edit, admin (figures of the whole server).
    """
    from overpaint.server.keys import new_key

    print(visible(new_key(Path(key_file).expanduser(), name, may)))
    print("keep it: it is written nowhere else", file=sys.stderr)
    return 0


@app.command(name="list", sort_key=1)
def list_(
    *, key_file: Annotated[str, Parameter(name="--key-file", group=_KEYS, metavar="FILE")], debug: Debug = False
) -> int:
    """The names in a file of keys, and what each may do.

    [dim]$[/] overpaint keys list --key-file keys.txt

    Args:
        key_file: The file of keys.
    """
    from overpaint.server.keys import ApiKeys

    callers = ApiKeys.read(Path(key_file).expanduser()).callers
    print_rows([("name", "may"), *((one.name, ", ".join(sorted(one.scopes))) for one in callers)], header=True)
    return 0


@app.command(sort_key=2)
def remove(
    name: Annotated[str, Parameter(group=_KEYS)],
    /,
    *,
    key_file: Annotated[str, Parameter(name="--key-file", group=_KEYS, metavar="FILE")],
    debug: Debug = False,
) -> int:
    """Take a key back: servers that run with the file take it no longer, within a second.

    [dim]$[/] overpaint keys remove studio --key-file keys.txt

    Args:
        name: The key's name. Its pictures and jobs stay: a new key of that name has them.
        key_file: The file of keys.
    """
    from overpaint.server.keys import remove_key

    remove_key(Path(key_file).expanduser(), name)
    print(visible(f"removed {name}"), file=sys.stderr)
    return 0


class _VisibleLines(logging.Formatter):
    """Lines of a log in which what a client sent can't move a terminal's cursor, or begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback of an error below it."""
        shown = copy.copy(record)
        shown.msg, shown.args = visible(record.getMessage()), None
        return super().format(shown)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_VisibleLines("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    for name, level in (("overpaint.server", logging.INFO), ("uvicorn.error", logging.WARNING)):
        log = logging.getLogger(name)
        log.addHandler(handler)
        log.setLevel(level)
        log.propagate = False
