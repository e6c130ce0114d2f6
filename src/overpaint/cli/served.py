"""Where verbs paint: with the engines of this machine, or those of a server."""

from __future__ import annotations

import os
import sys
import warnings
from typing import TYPE_CHECKING, Protocol

from overpaint.errors import RequestError

from .messages import note_line

if TYPE_CHECKING:
    from overpaint.studio import Studio

    from .options import Device


class PaintingPlace(Protocol):
    """The options that say where canvases are painted."""

    @property
    def server(self) -> str | None:
        """The URL of a server."""

    @property
    def key_file(self) -> str | None:
        """The file of the key for it."""

    @property
    def device(self) -> Device:
        """Where engines of this machine compute."""

    @property
    def threads(self) -> int | None:
        """How many threads they may use."""

    @property
    def allow_pickle(self) -> bool:
        """Whether their checkpoints may be pickles."""


def server_url(given: str | None) -> str | None:
    """The server that an option names, else the environment; None for none."""
    return given or os.environ.get("OVERPAINT_SERVER") or None


def studio_for(place: PaintingPlace) -> Studio:
    """The studio that the options ask for.

    Raises:
        RequestError: An option has no meaning there, or the URL is none.
        CredentialsError: The key can't be read.
    """
    url = server_url(place.server)
    if url is None:
        from overpaint.studio import Studio

        _check_named(place.key_file)
        return Studio(device=place.device, threads=place.threads, allow_pickle=place.allow_pickle)
    for field, open_value in (("device", "auto"), ("threads", None), ("allow_pickle", False)):
        if (value := getattr(place, field)) != open_value:
            named = "" if place.server else " (OVERPAINT_SERVER names one)"
            raise RequestError(
                f"{{field}} is for the engines of this machine, and a server paints{named}",
                code="server-decides",
                field=field,
                value=value,
                hint="leave it out: the server has its own",
            )
    studio = _studio_at(url, place.key_file)
    if model := os.environ.get("OVERPAINT_MODEL"):
        text = f"OVERPAINT_MODEL ({model}) has no effect: the server paints with its own default (set --model)"
        print(note_line(text), file=sys.stderr)
    return studio


def check_server(url: str | None, key_file: str | None) -> None:
    """Ask a server that is to paint later whether it does, and takes the key.

    Raises:
        RequestError: The URL is none, or there is a key and no server.
        CredentialsError: The key can't be read.
        ServerError: It does not answer, or does not take the key, or can't paint for another machine.
    """
    from overpaint.request import EditRequest

    if url is None:
        _check_named(key_file)
        return
    with _studio_at(url, key_file) as studio:
        studio.painter(EditRequest.of("remove"))


def _check_named(key_file: str | None) -> None:
    """Raise RequestError where there is a key for a server, and none is named."""
    if key_file is not None:
        message = "{field} is the key for a server, and none is named"
        raise RequestError(message, field="key_file", value=key_file, hint="set server")


def _studio_at(url: str, key_file: str | None) -> Studio:
    """The studio of a server; what is to be known of the connection is printed."""
    from overpaint.client import OpenConnectionWarning, studio_at

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", OpenConnectionWarning)
        studio = studio_at(url, key_file=key_file)
    for one in found:
        print(note_line(str(one.message)), file=sys.stderr)
    return studio
