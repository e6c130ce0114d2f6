"""`overpaint serve` and `overpaint keys`: the server, and the keys that it asks for."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from overpaint.doors import forms

from .options import RUN, AllowPickle, Debug, DeviceName, MaxPixels, Threads, verb_group
from .texts import print_rows

_WHERE = Group("Where", sort_key=0)
_WHO = Group("Who", sort_key=1)
_HOW_MUCH = Group("How much", sort_key=2)
_KEYS = Group("Keys", sort_key=0)

Scope = Literal["read", "edit", "admin"]
KeyFile = Annotated[str | None, Parameter(name="--key-file", group=_WHO, metavar="FILE")]


def data_folder() -> Path:
    """Where a server keeps its data unless it is told: of the user, as XDG says."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "overpaint" / "server"


def serve(
    *,
    host: Annotated[str, Parameter(group=_WHERE, metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, Parameter(group=_WHERE, metavar="N")] = 7860,
    data: Annotated[str | None, Parameter(group=_WHERE, metavar="FOLDER", show_default="of this user")] = None,
    key_file: KeyFile = None,
    allow_host: Annotated[tuple[str, ...], Parameter(group=_WHO, metavar="NAME")] = (),
    allow_origin: Annotated[tuple[str, ...], Parameter(group=_WHO, metavar="URL")] = (),
    open_page: Annotated[bool, Parameter(name="--open", group=_WHERE, negative=())] = False,
    model: Annotated[str | None, Parameter(group=RUN, metavar="NAME")] = None,
    preload: Annotated[bool, Parameter(group=RUN, negative=())] = False,
    lanes: Annotated[int, Parameter(group=_HOW_MUCH, metavar="N")] = 8,
    max_jobs: Annotated[int, Parameter(group=_HOW_MUCH, metavar="N")] = 10_000,
    client_jobs: Annotated[int, Parameter(group=_HOW_MUCH, metavar="N")] = 500,
    max_body: Annotated[str, Parameter(group=_HOW_MUCH, metavar="SIZE")] = "256MB",
    max_pixels: MaxPixels = None,
    device: DeviceName = "auto",
    threads: Threads = None,
    allow_pickle: AllowPickle = False,
    debug: Debug = False,
) -> int:
    """Answer requests of programs and pages until it is stopped. Without keys only this machine may ask.

    [dim]$[/] overpaint serve
    [dim]$[/] overpaint keys add studio --key-file keys.txt
    [dim]$[/] overpaint serve --host 0.0.0.0 --key-file keys.txt --allow-host paint.example.com

    Args:
        host: The address to listen on. Another than this machine's own needs --key-file.
        port: The port; 0 takes a free one.
        data: The folder of its pictures and jobs.
        key_file: Keys of those who may use it, made by 'overpaint keys add'. Without them this machine may.
        allow_host: A further host name under which it is asked.
        allow_origin: A web page that may use it from a browser: https://example.com.
        open_page: Open it in a browser.
        model: The checkpoint of prompts that name none.
        preload: Load that model now, and not when it is first used.
        lanes: Jobs that are worked on at the same time.
        max_jobs: Jobs that may wait or run.
        client_jobs: The same, for one client.
        max_body: The most that one request may send.
    """
    from overpaint.server import Server, ServerSettings
    from overpaint.server import serve as run
    from overpaint.studio import Studio

    settings = ServerSettings(
        data=Path(data).expanduser() if data is not None else data_folder(),
        host=host,
        port=port,
        keys=None if key_file is None else Path(key_file).expanduser(),
        hosts=allow_host,
        origins=allow_origin,
        largest_body=forms.bytes_of(max_body, "max_body"),
        most_pixels=max_pixels,
        lanes=lanes,
        jobs=max_jobs,
        client_jobs=client_jobs,
    )
    _log_to_stderr()

    def ready(url: str, token: str | None) -> None:
        page = url if token is None else f"{url}/?token={token}"
        print(f"Overpaint is at {page} (Ctrl+C stops it)", flush=True)
        if open_page:
            webbrowser.open(page)

    with Studio(device=device, threads=threads, allow_pickle=allow_pickle, model=model) as studio:
        if preload:
            studio.engine("diffusion", studio.model)
        run(Server(settings, studio), ready)
    print("stopped; jobs that had not ended go on at the next start", file=sys.stderr)
    return 0


app = verb_group(
    "keys",
    "The keys of a server: who may use it, and for what.",
    "keys add studio --key-file keys.txt",
    "keys list --key-file keys.txt",
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

    print(new_key(Path(key_file).expanduser(), name, may))
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


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    log = logging.getLogger("overpaint.server")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
