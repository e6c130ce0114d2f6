"""The gallery shows what it says: its jobs, its credits, and judgements of the very results that are shown."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from benchmarks.gallery import judgements
from benchmarks.gallery.__main__ import main
from benchmarks.gallery.jobs import Job, PackedPicture, load
from benchmarks.gallery.page import credits_text, results_text
from benchmarks.gallery.results import ResultFolder
from benchmarks.page import section_marks
from PIL import Image

from overpaint import Studio
from overpaint.geometry import Size
from overpaint.studio.masks import mask_of

PAGE = Path(__file__).parents[1] / "docs" / "gallery.md"
FREE = {"public domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"}
FREE |= {"GPL-2.0-only", "GPL-2.0-or-later", "LGPL-2.1-or-later"}
PICTURES, JOBS = load()


def test_there_are_as_many_jobs_of_each_kind_as_the_page_says():
    assert Counter(job.intent for job in JOBS) == {"remove": 40, "expand": 12, "recolor": 10, "background": 10}
    assert sum(PICTURES[job.picture].drawing for job in JOBS if job.intent == "remove") == 10
    assert len({job.name for job in JOBS}) == len(JOBS)


def test_every_picture_is_used_credited_and_free():
    used = {name for job in JOBS for name in (job.picture, job.insert) if name}
    assert used == set(PICTURES)
    for name, picture in PICTURES.items():
        assert all((picture.credit, picture.title, picture.version)), name
        assert picture.licence in FREE, name
        assert max(picture.size) <= 1280, name


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_can_be_asked_for_and_its_mask_lies_in_its_picture(job):
    request, size = job.request(), Size(*PICTURES[job.picture].size)
    if request.margins is not None:
        assert request.mask is None
        assert sum(request.margins) > 0
        return
    assert request.mask is not None
    for part in request.mask.parts:
        corners = (
            part.points if part.kind == "polygon" else [part.box[:2], part.box[2:]] if part.kind != "strokes" else []
        )
        assert all(0 <= x <= size.width and 0 <= y <= size.height for x, y in corners)
    mask = mask_of(request.mask, size)
    assert not mask.notes
    assert 0.001 < float((mask.values >= 0.5).mean()) < 0.6


def test_engines_that_are_here_take_the_settings_of_their_jobs():
    painters = {"remove": "exemplar", "expand": "extend", "recolor": "recolor", "background": "backdrop"}
    with Studio() as studio:
        for job in JOBS:
            if job.insert is None:
                assert studio.resolved(job.request(), seed=1).engine == painters[job.intent]


def test_the_page_has_the_credits_and_all_jobs():
    text = PAGE.read_text("utf-8")
    found = {
        name: text.split(begin)[1].split(end)[0].strip()
        for name in ("results", "credits")
        for begin, end in [section_marks(PAGE, name)]
    }
    assert found["credits"] == credits_text(PICTURES)
    if found["results"]:
        for number, job in enumerate(JOBS, 1):
            assert f"| {number} | {job.name} | {job.what} |" in found["results"]


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A gallery of one removal, and its folder of pictures."""
    pixels = np.random.default_rng(3).integers(90, 140, (60, 80, 3)).astype(np.uint8)
    pixels[20:35, 30:50] = (220, 20, 20)
    file = tmp_path / "pictures" / "pack" / "a.png"
    file.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    picture = PackedPicture("debian", "pack", "1", "a.png", digest, (80, 60), "A", "Someone", "CC0-1.0")
    box = {"kind": "box", "box": [28, 18, 52, 37]}
    job = Job("red-box", "a", "the red box", {"intent": "remove", "mask": {"parts": [box]}, "seed": 1})
    for module in ("jobs", "__main__"):
        monkeypatch.setattr(f"benchmarks.gallery.{module}.load", lambda: ({"a": picture}, [job]))
    return tmp_path, picture, job


def test_blind_sheets_hide_the_engines_and_their_judgements_come_back_by_name(small, monkeypatch):
    folder, _, _ = small
    kept = folder / "judgements.json"
    monkeypatch.setattr(judgements.keep, "__defaults__", (kept,))
    monkeypatch.setattr(judgements.load, "__defaults__", (kept,))
    command = ["--pictures", str(folder / "pictures"), "--out", str(folder / "out")]
    assert main([*command, "--engine", "telea,blur", "--blind", "5"]) == 0
    key = json.loads((folder / "out" / "blind-key.json").read_text())
    assert sorted(key["001"].values()) == ["blur", "red-box", "telea"]
    assert [path.name for path in (folder / "out" / "blind").iterdir()] == ["001.jpg"]

    said = folder / "judged.json"
    said.write_text(json.dumps({"001": {"A": ["nearly", "soft"], "B": ["not", "smeared"]}}))
    page = folder / "page.md"
    page.write_text("<!-- results -->\n<!-- end of results -->\n<!-- credits -->\n<!-- end of credits -->\n")
    assert main([*command, "--keep", "--engine", "telea", "--judged", str(said), "--page", str(page)]) == 0
    verdict = "**nearly**: soft" if key["001"]["A"] == "telea" else "**not**: smeared"
    assert f"| telea | {_seconds(folder, 'telea'):.1f} | {verdict} |" in page.read_text()
    assert "| a | A | Someone | CC0-1.0 | pack 1 | `a.png` |" in page.read_text()
    assert (folder / "page" / "remove-01.jpg").exists()

    said.write_text(json.dumps({"001": {"A": ["good", ""]}}))
    with pytest.raises(ValueError, match="deliverable, nearly, not, not 'good'"):
        main([*command, "--keep", "--judged", str(said)])


def _seconds(folder: Path, engine: str) -> float:
    table = json.loads((folder / "out" / "results.json").read_text())
    return float(next(entry["seconds"] for entry in table if entry["engine"] == engine))


def test_a_judgement_of_another_result_does_not_count(small):
    folder, _, job = small
    found = ResultFolder(folder / "out")
    (result,) = found.run([job], "telea", folder / "pictures")
    one = judgements.Judgement("red-box", "telea", "0" * 64, "deliverable", "clean")
    text = results_text([job], {"red-box": result}, [one], {}, PAGE)
    assert "not judged" in text
    assert "**deliverable**" not in text
    assert "| Removals | 1 | 0 | 0 | 0 | 1 | 0 |" in text


def test_an_engine_that_fails_leaves_a_row_that_says_so(small):
    folder, _, job = small
    (result,) = ResultFolder(folder / "out").run([job], "nonsense", folder / "pictures")
    assert "nonsense" in result.error
    assert "no result" in results_text([job], {"red-box": result}, [], {}, PAGE)


def test_another_file_than_the_gallery_was_made_from_is_refused(small):
    folder, picture, _ = small
    Image.new("RGB", (80, 60)).save(picture.file(folder / "pictures"))
    with pytest.raises(ValueError, match="is not the file of pack 1"):
        picture.read(folder / "pictures")
