"""Batches whose pictures, masks and results lie in S3: a real server (moto) over real HTTP, with faults put in."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from batches import BOX, photo
from overpaint.batch import Address
from overpaint.batch.calls import Patience
from overpaint.cli.run import run as command

pytest.importorskip("flask_cors", reason="the server of moto needs flask and flask-cors")
pytest.importorskip("flask", reason="the server of moto needs flask and flask-cors")
s3fs = pytest.importorskip("s3fs", reason="the extra s3 is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYsecret"
Fault = Callable[[dict[str, Any], Callable[..., Any]], Any]


@dataclass
class Server:
    """An S3 server. A fault takes requests whose method and path begin so, as often as it is asked for."""

    port: int = 0
    faults: list[tuple[str, str, int, Fault]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)

    def on(self, method: str, path: str, fault: Fault, times: int = 1 << 30) -> None:
        self.faults.append((method, path, times, fault))

    def app(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def serve(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            self.seen.append(f"{method} {path}")
            for index, (of, begin, times, fault) in enumerate(self.faults):
                if of == method and path.startswith(begin) and times > 0:
                    self.faults[index] = (of, begin, times - 1, fault)
                    return fault(environ, start)
            return inner(environ, start)

        return serve


def answer(status: str, code: str) -> Fault:
    """An error of S3."""

    def fault(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = f"<Error><Code>{code}</Code><Message>told by the server</Message></Error>".encode()
        start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]  # or the connection may break off

    return fault


def hang(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
    """A byte now and then, so that no reader's own time runs out."""
    start("200 OK", [("Content-Length", "100000"), ("ETag", '"x"')])

    def body() -> Iterator[bytes]:
        for _ in range(150):
            time.sleep(0.2)
            yield b"x"

    return body()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    moto = pytest.importorskip("moto.server")
    from werkzeug.serving import make_server

    found = Server()
    app = found.app(moto.DomainDispatcherApplication(moto.create_backend_app))
    made = make_server("127.0.0.1", 0, app, threaded=True)
    made.log = lambda *_, **__: None  # type: ignore[method-assign]
    found.port = made.server_port
    threading.Thread(target=made.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{found.port}")
        patched.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        patched.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patched.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patched.setenv("AWS_MAX_ATTEMPTS", "2")
        patched.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patched.setattr(s3fs.S3FileSystem, "retries", 2)
        s3fs.S3FileSystem.clear_instance_cache()
        yield found
        s3fs.S3FileSystem.clear_instance_cache()
    made.shutdown()


class Bucket:
    """A bucket of its own for a test, with three pictures and a mask, and a list in the folder."""

    def __init__(self, server: Server, name: str, folder: Path) -> None:
        self.server, self.name, self.folder = server, name, folder
        self.fs = s3fs.S3FileSystem(use_listings_cache=False)
        self.fs.mkdir(name)
        for n in range(3):
            self.put(f"in/{n}.png", photo(folder / f"{n}.png", seed=n).read_bytes())
        from PIL import Image

        mask = Image.new("L", (40, 30))
        mask.paste(255, (8, 6, 20, 16))
        mask.save(folder / "mask.png")
        self.put("masks/2.png", (folder / "mask.png").read_bytes())
        self.rows: list[dict[str, Any]] = [{"image": self.at(f"in/{n}.png"), "box": BOX} for n in range(2)]
        self.rows.append({"image": self.at("in/2.png"), "mask": self.at("masks/2.png")})

    def at(self, name: str) -> str:
        return f"s3://{self.name}/{name}"

    def put(self, name: str, data: bytes) -> None:
        self.fs.pipe_file(f"{self.name}/{name}", data)

    def get(self, name: str) -> bytes:
        return bytes(self.fs.cat_file(f"{self.name}/{name}"))

    def names(self, folder: str = "out") -> list[str]:
        return sorted(path.rpartition("/")[2] for path in self.fs.find(f"{self.name}/{folder}"))

    def words(self, *more: str, allow: str = "", out: str = "out") -> list[str]:
        (self.folder / "edits.jsonl").write_text("\n".join(map(json.dumps, self.rows)))
        allowed = ["--allow", allow or self.at("")]
        fixed = [
            "--engine",
            "telea",
            "--json",
            "--no-thumbnails",
            "--state",
            str(self.folder / "state"),
            "-o",
            self.at(out),
        ]
        return ["batch", str(self.folder / "edits.jsonl"), *fixed, *allowed, *more]

    def run(self, capfd: pytest.CaptureFixture[str], *more: str, **given: str) -> tuple[int, list[dict[str, Any]]]:
        capfd.readouterr()
        status = command(self.words(*more, **given))
        text = capfd.readouterr().out
        events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        kept = [path.read_bytes() for path in (self.folder / "state").rglob("*") if path.is_file()]
        assert SECRET not in text
        assert not any(SECRET.encode() in one for one in kept)
        return status, events


@pytest.fixture
def bucket(server: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bucket]:
    server.faults.clear()
    server.seen.clear()
    made = Bucket(server, f"b{abs(hash(request.node.name)):x}"[:40], tmp_path)
    yield made
    server.faults.clear()


def ended(events: list[dict[str, Any]]) -> tuple[int, int, int]:
    return tuple(events[-1][name] for name in ("done", "unchanged", "failed"))  # type: ignore[return-value]


def reasons(events: list[dict[str, Any]]) -> dict[str, str]:
    return {event["id"]: event["reason"] for event in events if event["event"] == "failed" and not event["again"]}


class TestRuns:
    def test_pictures_and_masks_come_from_a_bucket_and_results_go_there(self, bucket, capfd):
        status, events = bucket.run(capfd)
        assert (status, ended(events)) == (0, (3, 0, 0))
        assert bucket.names() == ["0.remove.png", "1.remove.png", "2.remove.png"]
        assert bucket.get("out/0.remove.png") != bucket.get("in/0.png")
        before = {name: bucket.get(f"out/{name}") for name in bucket.names()}
        bucket.server.seen.clear()
        assert ended(bucket.run(capfd)[1]) == (0, 3, 0)
        assert not [one for one in bucket.server.seen if one.startswith("GET") and "/in/" in one], (
            "nothing is read again"
        )
        bucket.put("in/1.png", photo(bucket.folder / "other.png", seed=9).read_bytes())
        bucket.fs.rm_file(f"{bucket.name}/out/0.remove.png")
        assert ended(bucket.run(capfd)[1]) == (2, 1, 0)
        after = {name: bucket.get(f"out/{name}") for name in bucket.names()}
        assert [name for name in before if before[name] != after[name]] == ["1.remove.png"]

    def test_a_row_beyond_the_allowed_folder_is_refused_and_never_asked_for(self, bucket, capfd):
        bucket.put("secret/a.png", bucket.get("in/0.png"))
        bucket.rows += [{"id": "x", "image": bucket.at("secret/a.png"), "box": BOX}]
        bucket.rows[2]["mask"] = bucket.at("in/../secret/a.png")
        bucket.server.seen.clear()
        status, events = bucket.run(capfd, allow=bucket.at("in/"))
        assert (status, ended(events)) == (1, (2, 0, 2))
        assert all("is not allowed" in reason for reason in reasons(events).values())
        assert not [one for one in bucket.server.seen if "secret" in one]

    def test_missing_denied_and_broken_objects_are_failures_of_their_rows(self, bucket, capfd):
        bucket.server.on("HEAD", f"/{bucket.name}/in/1.png", answer("403 Forbidden", "AccessDenied"))
        bucket.server.on("GET", f"/{bucket.name}/in/1.png", answer("403 Forbidden", "AccessDenied"))
        bucket.rows[2]["mask"] = bucket.at("masks/none.png")
        bucket.rows += [{"image": "s3://no-such-bucket-here/a.png", "box": BOX}]
        status, events = bucket.run(capfd, "--allow", "s3://no-such-bucket-here/")
        assert (status, ended(events)) == (1, (1, 0, 3))
        told = " ".join(reasons(events).values())
        assert "in/1.png can't be read" in told
        assert "masks/none.png doesn't exist" in told
        assert "no-such-bucket-here/a.png doesn't exist" in told

    def test_a_folder_is_listed_and_masks_are_found_by_name(self, bucket, capfd):
        bucket.put("in/sub/a[1] b.png", bucket.get("in/0.png"))
        bucket.put("in/note.txt", b"no picture")
        bucket.put("in/.hidden.png", b"no picture")
        for name in ("0", "1", "sub/a[1] b"):
            bucket.put(f"masks/{name}.png", bucket.get("masks/2.png"))
        words = bucket.words()
        words[1:2] = ["--images", bucket.at("in"), "--masks", bucket.at("masks")]
        at = words.index("--allow")
        del words[at : at + 2]  # the folders that the command names are allowed
        assert command(words) == 0
        assert bucket.names() == ["0.remove.png", "1.remove.png", "2.remove.png", "a[1] b.remove.png"]
        assert "note.txt" in capfd.readouterr().out
        words[words.index("--images") + 1] = bucket.at("nothing-here")
        assert command(words) == 2

    def test_an_object_of_someone_else_is_replaced_only_when_asked(self, bucket, capfd):
        bucket.put("out/0.remove.png", b"someone's")
        status, events = bucket.run(capfd)
        assert (status, ended(events)) == (1, (2, 0, 1))
        assert bucket.get("out/0.remove.png") == b"someone's"
        assert ended(bucket.run(capfd, "--overwrite")[1]) == (1, 2, 0)
        assert bucket.get("out/0.remove.png") != b"someone's"

    def test_a_bucket_for_the_results_that_is_not_there_is_not_made(self, bucket, capfd):
        words = bucket.words()
        words[words.index("-o") + 1] = "s3://mistyped-bucket/out"
        assert command(words) == 1
        assert "can't write to s3://mistyped-bucket/out: The specified bucket does not exist" in capfd.readouterr().err
        assert not bucket.fs.exists("mistyped-bucket")


class TestFaults:
    def test_answers_that_fail_and_come_late_cost_no_row(self, bucket, capfd):
        late = threading.Event()

        def slow(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            late.set()
            time.sleep(0.5)
            return answer("503 Slow Down", "SlowDown")(environ, start)

        bucket.server.on("HEAD", f"/{bucket.name}/in/0.png", answer("500 Internal Server Error", "InternalError"), 3)
        bucket.server.on("GET", f"/{bucket.name}/in/1.png", slow, 2)
        busy = answer("503 Service Unavailable", "ServiceUnavailable")
        bucket.server.on("PUT", f"/{bucket.name}/out/.2.remove", busy, 3)
        status, events = bucket.run(capfd)
        assert (status, ended(events)) == (0, (3, 0, 0))
        assert late.is_set()
        assert bucket.names() == ["0.remove.png", "1.remove.png", "2.remove.png"]

    def test_a_bucket_that_vanishes_midway_fails_rows_by_name_and_ends_no_run(self, bucket, capfd):
        gone = answer("404 Not Found", "NoSuchBucket")
        bucket.run(capfd, "--dry-run")  # the digests are known, so that the run itself meets the fault
        bucket.rows += [{"image": str(bucket.folder / "0.png"), "box": BOX, "output": "near.png"}]
        bucket.server.on("GET", f"/{bucket.name}/in/", gone)
        status, events = bucket.run(capfd)
        assert (status, ended(events)) == (1, (1, 0, 3))
        assert all(name in reason for name, reason in zip("012", sorted(reasons(events).values()), strict=True))
        bucket.server.faults.clear()
        assert ended(bucket.run(capfd)[1]) == (3, 1, 0)

    def test_results_that_are_denied_fail_their_rows_and_nothing_hidden_stays(self, bucket, capfd):
        denied = answer("403 Forbidden", "AccessDenied")
        bucket.server.on("PUT", f"/{bucket.name}/out/1.remove.png", denied)  # the copy
        bucket.server.on("PUT", f"/{bucket.name}/out/.2.remove", denied)  # the upload
        status, events = bucket.run(capfd)
        assert (status, ended(events)) == (1, (1, 0, 2))
        assert all("can't write s3://" in reason for reason in reasons(events).values())
        assert bucket.names() == ["0.remove.png"]

    def test_an_upload_that_breaks_off_leaves_no_object(self, bucket, capfd):
        def broken(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            environ["wsgi.input"].read(10)
            raise ConnectionResetError

        bucket.server.on("PUT", f"/{bucket.name}/out/.0.remove", broken)
        status, events = bucket.run(capfd, "--retries", "0")
        assert (status, ended(events)) == (1, (2, 0, 1))
        assert bucket.names() == ["1.remove.png", "2.remove.png"]

    def test_a_download_that_hangs_is_given_up_in_time_and_the_others_are_done(self, bucket, capfd):
        bucket.run(capfd, "--dry-run")
        bucket.server.on("GET", f"/{bucket.name}/in/1.png", hang)
        began = time.monotonic()
        status, events = bucket.run(capfd, "--row-timeout", "2", "--retries", "0")
        assert (status, ended(events)) == (1, (2, 0, 1))
        assert time.monotonic() - began < 8
        (reason,) = reasons(events).values()
        assert "in/1.png can't be read: it took longer than 2 seconds" in reason

    def test_sigterm_is_obeyed_while_a_store_answers_neither_reads_nor_writes(self, bucket, capfd):
        bucket.run(capfd, "--dry-run")
        reached = threading.Semaphore(0)

        def fault(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            reached.release()
            return hang(environ, start)

        bucket.server.on("GET", f"/{bucket.name}/in/1.png", fault)
        bucket.server.on("PUT", f"/{bucket.name}/out/0.remove.png", fault)  # in the step that defers signals
        run = subprocess.Popen(
            [sys.executable, "-m", "overpaint", *bucket.words("--retries", "0")],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert reached.acquire(timeout=60)
        assert reached.acquire(timeout=60)
        run.send_signal(signal.SIGTERM)
        began = time.monotonic()
        out, _ = run.communicate(timeout=30)
        assert time.monotonic() - began < 10
        assert run.returncode == 143
        assert json.loads(out.splitlines()[-1])["event"] == "ended"
        bucket.server.faults.clear()
        assert bucket.run(capfd)[0] == 0
        assert bucket.names() == ["0.remove.png", "1.remove.png", "2.remove.png"]


class TestCredentials:
    @pytest.mark.parametrize(
        "address", ["s3://KEY:SECRET@bucket/a.png", "https://h.example/a.png?X-Amz-Signature=SECRET&x=1"]
    )
    def test_an_address_that_has_them_is_refused_and_quoted_nowhere(self, address, bucket, capfd):
        named = address.replace("SECRET", SECRET)
        bucket.rows += [{"id": "x", "image": named, "box": BOX}, {"id": "y", "after": named, "box": BOX}]
        bucket.rows += [{"id": "z", "image": bucket.at("in/0.png"), "mask": [named]}]
        bucket.rows.pop(-2)
        status, events = bucket.run(capfd, "--allow", "https://", "--allow", "s3://")
        assert (status, ended(events)) == (1, (3, 0, 2))
        assert "is an address with credentials" in reasons(events)["x"]

    def test_they_are_not_quoted_from_what_a_store_says(self, bucket):
        def fault(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
            return answer("403 Forbidden", "AccessDenied")(environ, start)

        bucket.server.on("HEAD", f"/{bucket.name}/in/0.png", fault)
        bucket.server.on("GET", f"/{bucket.name}/in/0.png", fault)
        with pytest.raises(PermissionError) as caught:
            Address(bucket.at("in/0.png")).read_bytes(Patience(10))
        assert "AKIA" not in str(caught.value)

    def test_without_the_extra_the_error_says_what_to_install(self, bucket, capfd, monkeypatch):
        monkeypatch.setitem(sys.modules, "s3fs", None)
        assert command(bucket.words()) == 1
        assert "pip install 'overpaint[s3]'" in capfd.readouterr().err
