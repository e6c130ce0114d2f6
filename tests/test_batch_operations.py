"""What operations see of a batch: times and ids of events, a file for Prometheus, a notice at the end."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from batches import BOX, photos
from overpaint.batch import Began, Done, Doubted, Ended, Event, Failed, Watching
from overpaint.batch.metrics import MetricsFile, RunCounts
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
    counts = RunCounts(clock=lambda: now)
    metrics = MetricsFile(tmp_path / "run.prom", counts, clock=lambda: now)

    def show(event: Event) -> None:
        counts.show(event)
        metrics.show(event)

    show(Began(rows=3, to_do=3, unchanged=0, left=0, bad=0))
    show(Done("a", 1, "a.png", 2.0, ("seam",), {"timings": {"paint": 1.5}, "size": [40, 30]}))
    assert 'rows{state="done"} 0' in (tmp_path / "run.prom").read_text()
    now = 1006.0
    show(Failed("b", 2, "no", again=True))
    text = (tmp_path / "run.prom").read_text()
    for line in ('rows{state="done"} 1', 'rows{state="waiting"} 2', "retries_total 1", "warned_rows_total 1"):
        assert f"overpaint_batch_{line}\n" in text
    assert "overpaint_batch_painting_seconds_total 1.5\n" in text
    assert "overpaint_batch_pixels_total 1200\n" in text
    assert 'overpaint_batch_row_seconds_bucket{le="3"} 1\n' in text
    assert "overpaint_batch_running 1\n" in text


def test_a_metrics_file_that_can_not_be_written_is_refused_before_any_work(folder: Path) -> None:
    assert command(["batch", "edits.jsonl", "-o", "out", "--metrics", "none/run.prom"]) == 1
    assert not (folder / "out").exists()


def test_metrics_replace_metrics_alone(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("run.prom", "run.prom"):
        command(["batch", "edits.jsonl", "-o", "out", "--metrics", name])
    assert "is not replaced" not in capfd.readouterr().err
    for name in ("edits.jsonl", "out/audit.jsonl", "out/.overpaint/ledger.sqlite"):
        before = (folder / name).read_bytes()
        assert command(["batch", "edits.jsonl", "-o", "out", "--metrics", name]) == 1
        assert "holds no metrics of a batch: it is not replaced" in capfd.readouterr().err
        assert (folder / name).read_bytes() == before


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


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("", "takes a command or an address"),
        ("sh -c 'exit", "can't be split into words: no closing quotation"),
        ("no-such-program --at-all", "'no-such-program', which is not found"),
        ("ftp://127.0.0.1/x", "begins with http:// or https://, not ftp://"),
        ("http://", "without a host"),
        ("https://[::1/x", "can't be read"),
    ],
)
@pytest.mark.parametrize("verb", [["batch", "edits.jsonl"], ["batch", "watch", "."]])
def test_a_notice_that_can_not_be_is_refused_before_the_run(
    folder: Path, capfd: pytest.CaptureFixture[str], where: str, says: str, verb: list[str]
) -> None:
    assert command([*verb, "-o", "out", "--on-end", where]) == 2
    assert says in capfd.readouterr().err
    assert not (folder / "out").exists()


def test_a_command_is_not_given_to_a_shell(tmp_path: Path) -> None:
    EndNotice(f"true ; touch {tmp_path / 'x'}").show(_ended())
    assert not (tmp_path / "x").exists()


def test_metrics_that_can_not_be_written_any_more_end_no_run(tmp_path: Path) -> None:
    counts = RunCounts()
    metrics = MetricsFile(tmp_path / "gone" / "run.prom", counts)
    for event in (Began(rows=1, to_do=1, unchanged=0, left=0, bad=0), _ended()):
        counts.show(event)
        metrics.show(event)
    (tmp_path / "gone").mkdir()
    metrics.show(_ended())
    assert "overpaint_batch_running 0" in (tmp_path / "gone" / "run.prom").read_text()


class Collector:
    """An OpenTelemetry collector: what was sent to it, decoded."""

    def __init__(self) -> None:
        self.points: dict[str, Any] = {}
        self.spans: list[Any] = []
        self.bodies: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/x-protobuf"
                outer.bodies.append(body)
                outer.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def take(self, path: str, body: bytes) -> None:
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.spans += [span for scope in resource.scope_spans for span in scope.spans]
            return
        assert path == "/v1/metrics"
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                for point in getattr(metric, metric.WhichOneof("data")).data_points:
                    state = "".join(one.value.string_value for one in point.attributes)
                    self.points[metric.name + (f"[{state}]" if state else "")] = point


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.sdk")
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_a_collector_gets_what_the_metrics_file_says_and_a_span_for_each_row(
    folder: Path, collector: Collector
) -> None:
    words = ["batch", "edits.jsonl", "-o", "out", "--metrics", "run.prom", "--quiet", "--otlp", collector.address]
    assert command(words) == 1
    text = (folder / "run.prom").read_text()
    compared = 0
    for line in (line for line in text.splitlines() if line[0] != "#" and "row_seconds" not in line):
        name, value = line.rsplit(" ", 1)
        name = name.replace("overpaint_batch_", "overpaint.batch.").replace('{state="', "[").replace('"}', "]")
        if "per_second" in name or "last_update" in name:
            assert name in collector.points
            continue
        point = collector.points[name]
        assert float(getattr(point, point.WhichOneof("value"))) == pytest.approx(float(value), rel=1e-9)
        compared += 1
    assert compared >= 10
    histogram = collector.points["overpaint.batch.row_seconds"]
    assert histogram.count == 2
    assert f"overpaint_batch_row_seconds_sum {histogram.sum:.15g}\n" in text
    rows = [span for span in collector.spans if span.name == "row"]
    assert len(rows) == 3
    assert {span.parent_span_id for span in rows} == {span.span_id for span in collector.spans if span.name == "batch"}
    assert sorted(span.status.code for span in rows) == [0, 0, 2]


def test_a_doubtful_row_has_a_span_and_rows_of_a_watch_are_traces_of_their_own(collector: Collector) -> None:
    from overpaint.batch.otlp import OtlpExport

    counts = RunCounts()
    export = OtlpExport(collector.address, counts)
    time.sleep(0.2)
    details = {"intent": "remove", "engine": "telea", "timings": {"paint": 1.0}}
    done = [Done(f"{n}", n, f"{n}.png", 2.0, details=details) for n in range(2)]
    doubted = Doubted("d", 3, "d.png", "needs-review/d.png", 3.0, ("seam",), details=details)
    for event in (Watching("in"), Began(0, 0, 0, 0, 0), *done, doubted, _ended()):
        counts.show(event)
        export.show(event)
    rows = [span for span in collector.spans if span.name == "row"]
    (run,) = [span for span in collector.spans if span.name == "batch"]
    assert len({span.trace_id for span in (*rows, run)}) == 4
    assert {link.span_id for span in rows for link in span.links} == {run.span_id}
    histogram = collector.points["overpaint.batch.row_seconds"]
    assert (histogram.count, histogram.sum) == (3, 7.0)


def test_a_collector_learns_no_names_and_no_prompts_of_a_private_batch(folder: Path, collector: Collector) -> None:
    row = {"image": "p000.png", "box": BOX, "engine": "telea", "prompt": "a secret-word", "id": "secret-id"}
    bad = {"image": "secret-name.png", "box": BOX, "steps": "secret-steps"}
    (folder / "edits.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(bad))
    words = ["batch", "edits.jsonl", "-o", "out", "--quiet", "--private", "--otlp", collector.address]
    assert command(words) == 1
    assert len(collector.spans) == 3
    for body in collector.bodies:
        for word in (b"secret", b"p000", str(folder).encode()):
            assert word not in body


@pytest.mark.parametrize("answers", [False, True])
def test_a_collector_that_does_not_answer_costs_one_warning_and_little_time(
    answers: bool, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("opentelemetry.sdk")
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes connections, and never says a word
        port = listener.getsockname()[1] if answers else 9
        began = time.monotonic()
        words = ["batch", "edits.jsonl", "-o", "out", "--quiet", "--otlp", f"http://127.0.0.1:{port}"]
        assert command(words) == 1  # for the row without a picture
        assert time.monotonic() - began < 20
    told = capfd.readouterr().err
    assert told.count("can't be sent to") == 1
    assert len(told.splitlines()) == 1


def test_an_address_of_a_collector_is_checked_before_any_work(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("opentelemetry.sdk")
    assert command(["batch", "edits.jsonl", "-o", "out", "--otlp", "collector:4318"]) == 2
    assert command(["batch", "edits.jsonl", "-o", "out", "--otlp", "http://me:SECRET@host:4318"]) == 2
    told = capfd.readouterr().err
    assert "http://HOST:4318" in told
    assert "SECRET" not in told
    assert not (folder / "out").exists()


def test_an_address_that_answers_a_byte_at_a_time_is_left_after_the_time(capfd: pytest.CaptureFixture[str]) -> None:
    over = threading.Event()

    def drip() -> None:
        connection, _ = server.accept()
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        number = 0
        while not over.wait(0.2):
            number += 1
            connection.sendall(b"X-A: %d\r\n" % number if number < 50 else b"a")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        began = time.monotonic()
        try:
            EndNotice(f"http://127.0.0.1:{server.getsockname()[1]}/").show(_ended(interrupted=True))
        finally:
            took = time.monotonic() - began
            over.set()
            thread.join()
    assert took < 9
    assert "--on-end failed: it took longer than 5 seconds" in capfd.readouterr().err


def test_what_is_told_at_the_end_has_the_run_the_time_and_the_folder(folder: Path, capfd) -> None:
    told = f"{sys.executable} -c \"import sys, pathlib; pathlib.Path('told').write_text(sys.stdin.read())\""
    command(["batch", "edits.jsonl", "-o", "out", "--json", "--on-end", told])
    event, shown = json.loads((folder / "told").read_text()), _events(capfd.readouterr().out)[-1]
    assert event["output"] == str(folder / "out")
    assert (event["run"], event["done"]) == (shown["run"], shown["done"])
    assert datetime.fromisoformat(event["time"]).tzinfo is not None


def test_a_forgotten_key_of_a_signed_log_is_asked_for(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command(["audit", "keygen", "batch.key"])
    words = ["batch", "edits.jsonl", "-o", "out"]
    command([*words, "--audit-key", "batch.key"])
    capfd.readouterr()
    assert command(words) == 1
    said = capfd.readouterr().err
    assert "is signed, and there is no key to sign what is appended; --audit-key FILE gives the key" in said
    assert "not whole" not in said


def test_a_file_in_the_way_is_replaced_with_the_option_of_the_command_line(folder: Path, capfd) -> None:
    command(["batch", "edits.jsonl", "-o", "out", "--audit", "none"])
    shutil.rmtree(folder / "out" / ".overpaint")
    capfd.readouterr()
    assert command(["batch", "edits.jsonl", "-o", "out", "--audit", "none"]) == 1
    out = capfd.readouterr().out
    assert "is no result of this batch; --overwrite replaces it" in out
    assert "set overwrite" not in out


def test_a_misspelt_verb_of_the_batch_is_known(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert command(["batch", "reviews"]) == 2
    assert "did you mean 'review'?" in capfd.readouterr().err
    assert command(["batch", "edits.jsonl"]) == 2
    assert "did you mean" not in capfd.readouterr().err


def test_a_watch_of_an_empty_folder_says_at_once_that_it_watches(folder: Path, capfd) -> None:
    (folder / "empty").mkdir()
    words = ["--box", "1,1,9,9", "--idle-exit", "0", "--interval", "0.05"]
    assert command(["batch", "watch", "empty", "-o", "out", *words]) == 0
    events = _events(capfd.readouterr().out)
    assert [one["event"] for one in events[:2]] == ["watching", "began"]
    assert events[0]["folder"] == str(folder / "empty")
