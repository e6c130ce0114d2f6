"""Chromium for tests of pages: the system's, else the one of an npm package of web/, else the test is skipped."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overpaint.locks import locked

WEB = Path(__file__).parents[1] / "web"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PACKAGE = "@sparticuz/chromium"
_UNPACK = f'import chromium from "{_PACKAGE}"; console.log(await chromium.executablePath());'
_LIBRARIES = {"AWS_LAMBDA_JS_RUNTIME": "nodejs20.x"}
"""Has the package unpack the libraries that a system without a screen may lack (NSS, expat)."""


def packages() -> Path:
    """web/node_modules, installed where npm can have it. The test is skipped where it can't."""
    if why := _not_installed():
        pytest.skip(why)
    return WEB / "node_modules"


@functools.cache
def _not_installed() -> str:
    """Why there are no packages; "" where there are."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "there is no Node here"
    with _prepared_alone():
        if not (WEB / "node_modules" / ".package-lock.json").exists():
            done = subprocess.run(
                ["npm", "ci", "--prefer-offline"], cwd=WEB, capture_output=True, text=True, check=False
            )
            if done.returncode:
                return f"npm ci does not work here: {done.stderr.strip().splitlines()[-1:]}"
    return ""


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path, environment = _found()
    with playwright.sync_playwright() as started:
        try:
            browser = started.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-gpu"], env={**os.environ, **environment}
            )
        except playwright.Error as error:
            if not environment:
                raise
            pytest.skip(f"the Chromium of {_PACKAGE} does not start here: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


def _found() -> tuple[str, dict[str, str]]:
    """A browser's file, and what its environment needs beside this one's."""
    system = next(filter(None, map(shutil.which, _NAMES)), None)
    if system is not None:
        return system, {}
    folder = packages() / ".chromium"  # npm leaves it alone, and removes it with all packages
    if why := _not_unpacked(folder):
        pytest.skip(why)
    environment = {"LD_LIBRARY_PATH": str(folder / "al2023" / "lib"), "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    return str(folder / "chromium"), environment


@functools.cache
def _not_unpacked(folder: Path) -> str:
    """Unpack the package's browser, its libraries and fonts. Why that can't be done; "" where they are there."""
    fonts = folder / "fonts.conf"
    with _prepared_alone():
        if fonts.exists():
            return ""
        folder.mkdir(exist_ok=True)
        done = subprocess.run(
            ["node", "--input-type=module", "-e", _UNPACK],
            cwd=WEB,
            env={**os.environ, **_LIBRARIES, "TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            return f"there is no Chromium here, and {_PACKAGE} gives none: {done.stderr.strip().splitlines()[-1:]}"
        places = "".join(f"<dir>{place}</dir>" for place in (folder / "fonts", "/usr/share/fonts"))
        cache = f"<cachedir>{folder / 'font-cache'}</cachedir>"
        fonts.write_text(f'<?xml version="1.0"?><fontconfig>{places}{cache}</fontconfig>')
    return ""


@contextlib.contextmanager
def _prepared_alone() -> Iterator[None]:
    """One process at a time prepares something in web/."""
    with (WEB / "package-lock.json").open("rb") as file, locked(file.fileno()):
        yield
