"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

import overpaint
from forks import run_forked
from overpaint import files
from overpaint.errors import FormatError, OutputError
from overpaint.files import write_file
from overpaint.picture import extension_for, format_for_path, format_named, format_of_path, formats, from_array


def test_a_file_gets_its_bytes_and_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_file(tmp_path / "a.png", b"bytes")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a.png").read_bytes() == b"bytes"
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == stat.S_IMODE((tmp_path / "b").stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b"]


def test_an_existing_file_stays_without_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with pytest.raises(OutputError, match=r"exists already.*overwrite"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    write_file(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    flush = os.fsync

    def late(descriptor: int) -> None:
        path.write_bytes(b"someone else's")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", late)
    with pytest.raises(OutputError, match="exists already"):
        write_file(path, b"ours")
    assert path.read_bytes() == b"someone else's"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("failure", "raised", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError, "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), OutputError, "read-only"),
        (KeyboardInterrupt(), KeyboardInterrupt, ""),
        (MemoryError(), MemoryError, ""),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_whatever_interrupts_writing_leaves_nothing_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    raised: type[BaseException],
    words: str,
    overwrite: bool,
) -> None:
    path = tmp_path / "a.png"
    if overwrite:
        path.write_bytes(b"old")

    def fails(_: int) -> None:
        raise failure

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(raised) as caught:
        write_file(path, b"new", overwrite=overwrite)
    assert words in str(caught.value)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([b"old"] if overwrite else [])


def test_unwritable_places_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutputError, match=r"the folder .*missing doesn't exist"):
        write_file(tmp_path / "missing" / "a.png", b"")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"doesn't exist|not a folder"):
        write_file(tmp_path / "file" / "a.png", b"")
    with pytest.raises(OutputError, match="is a folder"):
        write_file(tmp_path, b"", overwrite=True)
    with pytest.raises(OutputError, match="too long"):
        write_file(tmp_path / ("a" * 300 + ".png"), b"")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    with pytest.raises(OutputError, match="read-only"):
        write_file(tmp_path / "a.png", b"")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_without_hard_links_files_are_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    write_file(tmp_path / "a.png", b"bytes")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


KILLED = """
import os, signal, sys
from overpaint import files

path, overwrite = sys.argv[1], sys.argv[2] == "overwrite"
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
files.write_file(path, b"new" * 1000, overwrite=overwrite)
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without names are Linux's")
@pytest.mark.parametrize("how", ["new", "overwrite"])
def test_a_killed_process_leaves_nothing_of_a_file_that_it_was_writing(tmp_path: Path, how: str) -> None:
    (tmp_path / ".a.png.0123456789ab.tmp").write_bytes(b"another's")
    if how == "overwrite":
        (tmp_path / "a.png").write_bytes(b"old")
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    ended = run_forked([sys.executable, "-c", KILLED, str(tmp_path / "a.png"), how], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("lacking", ["O_TMPFILE", "proc"])
def test_without_files_that_have_no_name_they_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str, overwrite: bool
) -> None:
    if overwrite:
        (tmp_path / "a.png").write_bytes(b"old")
    if lacking == "O_TMPFILE":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    else:
        monkeypatch.setattr(files, "_linked", lambda *_: False)
    write_file(tmp_path / "a.png", b"bytes" * 1000, overwrite=overwrite)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == {"a.png": b"bytes" * 1000}


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "a.png", b"bytes")
        write_file(tmp_path / "b.png", b"bytes", permissions=0o600)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a.png", "b.png")]
    assert modes == [0o640, 0o600]


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real" / "a.png")
    write_file(tmp_path / "link.png", b"new", overwrite=True)
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real" / "a.png").read_bytes() == b"new"


def test_names_of_formats() -> None:
    assert [format_named(n) for n in ("jpg", ".JPEG", "tif", "png", "heic")] == ["jpeg", "jpeg", "tiff", "png", "heif"]
    assert format_of_path("a/b.c/photo.JPG") == "jpeg"
    assert extension_for("jpeg", Path("a")) == ".jpg"
    assert set(formats()) >= {"png", "jpeg", "webp", "tiff", "avif"}
    with pytest.raises(OutputError, match="no extension"):
        format_of_path("photo")


def test_a_wanted_format_and_a_name_of_another_do_not_go_together(tmp_path: Path) -> None:
    assert [format_for_path("a.png", None), format_for_path("a.jpeg", "jpg"), format_for_path("a.out", "webp")] == [
        "png",
        "jpeg",
        "webp",
    ]
    with pytest.raises(FormatError, match="says png"):
        format_for_path("a.png", "jpg")
    with pytest.raises(FormatError, match="says png"):
        overpaint.save(from_array(np.zeros((4, 4), np.uint8)), tmp_path / "a.png", format="jpeg")
    assert not list(tmp_path.iterdir())
