"""Documentation that can't drift: its code is run, its links lead somewhere, its pages are all there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from overpaint import Mask, Session
from overpaint.doors.controls import control_input
from overpaint.doors.requests import settings_of
from overpaint.engines import card
from overpaint.engines.diffusion.options import SOFT_OPTIONS
from overpaint.geometry import Size
from overpaint.maps import map_kind, map_options
from overpaint.other_names import OPTION_USES
from overpaint.studio.choose import checked_options
from servers import running
from test_untouched import picture_of

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the photographs that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    samples = picture_of(Size(400, 300), "rgb", 8).samples
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        Image.fromarray(samples).save(name, quality=90)
    return tmp_path


@pytest.mark.usefixtures("quick_fills")
@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/python.md",
        "docs/session.md",
        "docs/provenance.md",
        "docs/layers.md",
        "docs/selecting.md",
        "docs/control.md",
    ],
)
def test_the_code_on_the_page_runs(page, folder, capsys):
    small = Mask.box(Size(400, 300), (10, 10, 20, 20))
    names: dict[str, object] = {"mask_a": small, "mask_b": small}
    blocks = _blocks(ROOT / page)
    assert blocks
    with contextlib.ExitStack() as stack:
        if any("server)" in block for block in blocks):
            names["server"] = stack.enter_context(running(folder / "data")).url
        for block in blocks:
            exec(compile(block, page, "exec"), names)
    if page == "docs/python.md":
        printed = capsys.readouterr().out
        assert "unknown setting 'strenght'; did you mean 'strength'?" in printed
        assert "failed:" in printed
        assert printed.count("done:") == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_leads_to_every_page():
    linked = set(re.findall(r"\(docs/([\w-]+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == {page.name for page in (ROOT / "docs").glob("*.md")}


def test_the_settings_of_automatic1111s_page_have_the_names_that_stand_beside_them():
    section = (ROOT / "docs" / "compat.md").read_text().split("## Coming from AUTOMATIC1111")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `(--[\w-]+)`", (ROOT / "docs" / "cli.md").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", section)) <= listed
    assert {use.split()[0] for use in OPTION_USES.values()} <= listed
    own = set(re.findall(r"--option (\w+)=", " ".join(OPTION_USES.values())))
    assert own <= set(card("diffusion").options.model_fields)
    options = re.findall(r"--option ([a-z_0-9]+=[\w.]+)", section)
    for text in options:
        checked_options(card("diffusion"), settings_of(None, {}, [text])["options"])
    assert {text.partition("=")[0] for text in options} >= SOFT_OPTIONS
    controls = re.findall(r"`--control ([a-z][^`]*)`", section)
    assert {control_input(text).settings["kind"] for text in controls} == {"canny", "tile", "reference"}
    for control in (control_input(text).settings for text in controls if not text.startswith("reference")):
        map_options(map_kind(control["kind"]), control.get("options", {}))


@pytest.mark.skipif(shutil.which("curl") is None or shutil.which("jq") is None, reason="needs curl and jq")
@pytest.mark.usefixtures("quick_fills")
def test_the_server_page_runs_against_a_server(folder, tmp_path, capsys):
    page = (ROOT / "docs" / "server.md").read_text()
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    blocks = _blocks(ROOT / "docs" / "server.md")
    with running(tmp_path / "server") as server:
        told = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**os.environ, "SERVER": server.url, "no_proxy": "*"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert "event: done" in told.stdout
        names: dict[str, Any] = {"server": server.url}
        for code in blocks:
            exec(compile(code, "docs/server.md", "exec"), names)
        names["api"].close()
    with Image.open("clean.jpg") as clean:
        assert clean.size == (400, 300)
    assert names["clean"][:2] == b"\xff\xd8"
    assert (names["late"].status_code, names["same"].status_code) == (412, 304)
    assert len(names["again"]["steps"]) == 2
    with Image.open("harbour.jpg") as exported, Image.open("part.png") as part, Image.open("harbour.psd") as layers:
        assert (exported.size, part.size, layers.size) == ((400, 300), (128, 128), (400, 300))
    with Session.open("harbour.overpaint") as session:
        assert session.branches == ("main", "bolder")
    assert "changed-meanwhile" in capsys.readouterr().out
    with Image.open("harbour.client.psd") as layers, Session.open("harbour.client.overpaint") as session:
        assert layers.size == (400, 300)
        assert ([step.number for step in session.steps], session.branches) == ([2, 1], ("main",))
