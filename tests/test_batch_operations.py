"""What operations see of a batch: times and ids of events, a file for Prometheus, a notice at the end."""

from __future__ import annotations

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from batches import BOX, photos
from overpaint.batch import Began, Done, Ended, Failed
from overpaint.batch.metrics import MetricsFile
from overpaint.cli.on_end import EndNotice
from overpaint.cli.run import run as command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    photos(tmp_path, 2)
    rows: list[dict[str, Any]] = [{"image": f"p{n:03}.png", "box": BOX, "engine": "telea"} for n in range(2)]
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, [*rows, {"image": "none.png", "box": BOX}])))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_event_has_its_time_and_run_and_those_of_rows_have_id_and_number(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command(["batch", "edits.jsonl", "-o", "out", "--json", "--dry-run"])
    command(["batch", "edits.jsonl", "-o", "out", "--json"])
    events = _events(capfd.readouterr().out)
    assert {event["event"] for event in events} == {"bad", "would", "preview", "began", "done", "failed", "ended"}
    for event in events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", event["time"])
        assert event["run"]
        if event["event"] in ("bad", "would", "done", "failed"):
            assert event["id"]
            assert event["row"] in (1, 2, 3)


def test_the_metrics_of_a_run_are_those_of_its_end(folder: Path) -> None:
    assert command(["batch", "edits.jsonl", "-o", "out", "--metrics", "run.prom", "--quiet"]) == 1
    text = (folder / "run.prom").read_text()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    states = {state: values[f'overpaint_batch_rows{{state="{state}"}}'] for state in ("done", "failed", "waiting")}
    assert states == {"done": "2", "failed": "1", "waiting": "0"}
    assert values["overpaint_batch_running"] == "0"
    assert values["overpaint_batch_row_seconds_count"] == values['overpaint_batch_row_seconds_bucket{le="+Inf"}'] == "2"
    assert float(values["overpaint_batch_rows_per_second"]) > 0
    assert all(
        re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]+"\})? [0-9.e+-]+', one) for one in text.splitlines() if one[0] != "#"
    )


def test_the_metrics_are_written_now_and_then_while_a_run_goes_on(tmp_path: Path) -> None:
    now = 1000.0
    metrics = MetricsFile(tmp_path / "run.prom", clock=lambda: now)
    metrics.show(Began(rows=3, to_do=3, unchanged=0, left=0, bad=0))
    metrics.show(Done("a", 1, "a.png", 2.0, ("seam",), {"timings": {"paint": 1.5}}))
    assert 'rows{state="done"} 0' in (tmp_path / "run.prom").read_text()
    now = 1006.0
    metrics.show(Failed("b", 2, "no", again=True))
    text = (tmp_path / "run.prom").read_text()
    for line in ('rows{state="done"} 1', 'rows{state="waiting"} 2', "retries_total 1", "warned_rows_total 1"):
        assert f"overpaint_batch_{line}\n" in text
    assert "overpaint_batch_painting_seconds_total 1.5\n" in text
    assert "overpaint_batch_running 1\n" in text


def test_a_metrics_file_that_can_not_be_written_is_refused_before_any_work(folder: Path) -> None:
    assert command(["batch", "edits.jsonl", "-o", "out", "--metrics", "none/run.prom"]) == 1
    assert not (folder / "out").exists()


def test_a_command_gets_the_last_event_and_its_output_is_no_event(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "import sys, pathlib; pathlib.Path('told').write_text(sys.stdin.read()); print('not an event')"
    told = f'{sys.executable} -c "{code}"'
    command(["batch", "edits.jsonl", "-o", "out", "--json", "--on-end", told])
    event = json.loads((folder / "told").read_text())
    assert (event["event"], event["done"], event["failed"]) == ("ended", 2, 1)
    out = capfd.readouterr().out
    assert "not an event" not in out
    assert _events(out)[-1]["event"] == "ended"


def _ended(**settings: Any) -> Ended:
    return Ended(done=1, unchanged=0, failed=0, left=0, seconds=1.0, **settings)


def test_an_address_gets_the_last_event_by_post() -> None:
    got: list[bytes] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.handle_request, daemon=True).start()
    EndNotice(f"http://127.0.0.1:{server.server_port}/ended").show(_ended(interrupted=True))
    server.server_close()
    assert json.loads(got[0])["interrupted"] is True


@pytest.mark.parametrize("where", ["false", "no-such-program --at-all", "http://127.0.0.1:9/", "'"])
def test_a_notice_that_fails_is_said_and_costs_nothing(where: str, capfd: pytest.CaptureFixture[str]) -> None:
    EndNotice(where).show(_ended())
    assert "--on-end failed" in capfd.readouterr().err


def test_a_command_is_not_given_to_a_shell(tmp_path: Path) -> None:
    EndNotice(f"true ; touch {tmp_path / 'x'}").show(_ended())
    assert not (tmp_path / "x").exists()


def test_metrics_that_can_not_be_written_any_more_end_no_run(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "gone" / "run.prom")
    metrics.show(Began(rows=1, to_do=1, unchanged=0, left=0, bad=0))
    metrics.show(_ended())
    (tmp_path / "gone").mkdir()
    metrics.show(_ended())
    assert "overpaint_batch_running 0" in (tmp_path / "gone" / "run.prom").read_text()
