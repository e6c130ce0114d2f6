"""Downloads networks from releases on GitHub, only when the user names one; what can be is kept as safetensors.

Files come into a hidden folder of the store (an interrupted one goes on where it stopped) and are compared with their
published digest: mostly MD5, the only one that there is of them. Of a pickle, and of a TorchScript file whose
architecture is known here, only the weights are kept, and none of its code is run.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import DownloadError, ModelError, OutputError

from .catalogue import CatalogueEntry, ReleasedFile
from .detect import detect
from .eraser_store import keeps_weights, write_safetensors
from .places import store_folder
from .store import ModelEntry, ModelNote, discard, entry, write_note, writing
from .terms import check_terms
from .verify import digest

_CHUNK = 1 << 20
_SECONDS = 30  # without any byte


@dataclass(frozen=True, slots=True)
class Releases:
    """Where the files are.

    Attributes:
        address: Of a mirror; None: OVERPAINT_RELEASES, else GitHub.
    """

    address: str | None = None

    def url(self, file: ReleasedFile) -> str:
        """The address of a file."""
        return file.address(self.address or os.environ.get("OVERPAINT_RELEASES") or "")

    def fetch(self, file: ReleasedFile, place: Path, on_bytes: Callable[[int], None]) -> None:
        """Write a file to a place; what is there already is not fetched again.

        Raises:
            DownloadError: It can't be reached, or the connection ended early.
        """
        there = place.stat().st_size if place.exists() else 0
        asked = urllib.request.Request(self.url(file), headers={"User-Agent": "overpaint"})
        if there:
            asked.add_header("Range", f"bytes={there}-")
        try:
            with urllib.request.urlopen(asked, timeout=_SECONDS) as reply:
                goes_on = reply.status == 206
                on_bytes(there if goes_on else 0)
                with place.open("ab" if goes_on else "wb") as writing_to:
                    while chunk := reply.read(_CHUNK):
                        writing_to.write(chunk)
                        on_bytes(len(chunk))
                if reply.length:
                    raise _unreachable(self.url(file), f"the connection ended {reply.length:,} bytes early")
        except urllib.error.HTTPError as error:
            if error.code != 416:  # there is nothing beyond what is here
                raise _unreachable(self.url(file), f"status {error.code}") from error
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None and place.parent.exists() and error.filename:
                raise  # the place can't be written
            raise _unreachable(self.url(file), type(error).__name__) from error


def get_released(
    row: CatalogueEntry,
    *,
    allow_pickle: bool = False,
    source: Releases | None = None,
    on_file: Callable[[str, int, int], None] | None = None,
) -> ModelEntry:
    """Download a network into the store, unless it is there.

    Args:
        row: Its entry of the catalogue.
        allow_pickle: Whether a TorchScript program may be kept as it is, where there is no other form of it.
        source: Where from; None: GitHub.
        on_file: Called before each file with its name, the bytes downloaded so far, and about how many there are.

    Raises:
        ModelError: Its licence must be accepted first; it is a program, and that is not allowed; it can't be used.
        DownloadError: It can't be reached, or other bytes came than were published.
        OutputError: The store can't be written to, or has it already.
    """
    source = source or Releases()
    check_terms(row.name, row.licence, row)
    _usable(row, allow_pickle)
    target = store_folder() / (f"{row.name}.safetensors" if keeps_weights(row.what, row.network) else row.name)
    if target.exists():
        raise OutputError(
            f"the model {row.name} is here already ({target})",
            code="model-exists",
            field="model",
            value=row.name,
            hint="remove it first",
        )
    partial = store_folder() / f".{row.name}.partial"
    about = ModelNote(source.url(row.files[0]), row.licence, "")
    with writing(partial):
        partial.mkdir(parents=True, exist_ok=True)
        done, whole = 0, round(row.gigabytes * 1e9)

        def count(sent: int) -> None:
            nonlocal done
            done += sent

        for file in row.files:
            if on_file is not None:
                on_file(file.name, done, whole)
            _fetch_whole(source, file, partial / file.name, count)
        if keeps_weights(row.what, row.network):
            first = partial / row.files[0].name
            write_safetensors(first, detect(first), target, about)
            discard(partial)
        else:
            partial.rename(target)
            write_note(target, ModelNote(about.source, about.licence, digest(target)))
    return entry(target.name, paths=False)


def _usable(row: CatalogueEntry, allow_pickle: bool) -> None:
    """Refuse what could not be used once it is here."""
    if keeps_weights(row.what, row.network):
        return
    if not row.files[0].name.endswith((".pt", ".jit")):
        raise ModelError(
            f"the published file of {row.name} has weights alone, and its architecture is not here",
            code="model-not-converted",
            field="model",
            value=row.name,
            hint="a TorchScript program of it can be used",
        )
    if not allow_pickle:
        raise ModelError(
            f"{row.name} is a TorchScript program: it holds code, which runs when it is used",
            code="torchscript-only",
            field="allow_pickle",
            value=row.name,
            hint="if you trust its source, set allow_pickle",
        )


def _fetch_whole(source: Releases, file: ReleasedFile, place: Path, on_bytes: Callable[[int], None]) -> None:
    """Have a file at a place, with the digest that was published."""
    if place.exists() and _as_published(place, file):
        return
    source.fetch(file, place, on_bytes)
    if not _as_published(place, file):
        place.unlink(missing_ok=True)
        kind = "MD5" if file.md5 else "SHA-256"
        raise DownloadError(f"{file.name} did not arrive as it was published (its {kind} differs); run the same again")


def _as_published(place: Path, file: ReleasedFile) -> bool:
    if not file.md5:
        return digest(place) == file.sha256
    with place.open("rb") as reading:
        return hashlib.file_digest(reading, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == file.md5


def _unreachable(url: str, reason: str) -> DownloadError:
    return DownloadError(
        f"can't download {url} ({reason})",
        code="download-failed",
        value=url,
        hint="download it on a machine with a network, bring it here, and convert or add it; an interrupted download "
        "continues where it stopped",
    )
