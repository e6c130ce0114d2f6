"""A batch on a Ray cluster: nodes come and go, workers hang and die, and every row is done once all the same."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from overpaint import EditRequest, Studio
from overpaint.audit import entries, verify
from overpaint.batch import (
    Address,
    BatchFolders,
    Done,
    Ended,
    Failed,
    Options,
    Reader,
    Ready,
    RowDefaults,
    Rules,
    Starting,
    read_manifest,
    run,
)
from overpaint.batch.cluster import ClusterOptions, RayExecutor
from overpaint.batch.connect import connected
from overpaint.batch.ray_data import EditActor
from overpaint.cli import main
from overpaint.engines import Canvas, Monitor, Painted
from overpaint.errors import MaskError, OutputError, RequestError
from overpaint.validation import SettingError
from stand_ins import StandIn

TESTS = Path(__file__).parent


def slow(seconds: float) -> Studio:
    """A studio whose engine takes its time, and paints noise from the seed."""

    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        time.sleep(seconds)
        return Painted(np.random.default_rng(canvas.seed).random(canvas.pixels.shape, dtype=np.float32))

    studio = Studio(threads=1)
    studio.add_engine(StandIn(paint))
    return studio


def deadly(folder: str) -> Studio:
    """A studio whose engine ends its process, once for each file that lies in a folder, and hangs at seed 13."""

    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        if canvas.seed == 13:
            while not monitor.cancelled:
                time.sleep(0.01)
            time.sleep(3600)
        for file in Path(folder).iterdir():
            try:
                file.unlink()
            except FileNotFoundError:
                continue
            os._exit(1)
        return Painted(canvas.pixels.copy())

    studio = Studio(threads=1)
    studio.add_engine(StandIn(paint))
    return studio


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that does no work, without any node yet. One for all tests: it takes seconds to start."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patched.setenv("OMP_NUM_THREADS", "1")
        paths = [str(TESTS), str(TESTS.parent / "src"), os.environ.get("PYTHONPATH", "")]
        patched.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        made = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 0,
                "object_store_memory": 80 << 20,
                "include_dashboard": False,
                # A node that is gone is noticed within seconds and not within half a minute.
                "_system_config": {
                    "health_check_initial_delay_ms": 1000,
                    "health_check_period_ms": 1000,
                    "health_check_failure_threshold": 10,  # on a busy machine one that is there answers late
                    "prestart_worker_first_driver": False,  # workers that no task asks for take a second of work each
                },
            },
        )
        patched.setenv("RAY_ADDRESS", made.address)
        try:
            ray.init(address=made.address, log_to_driver=False, logging_level="ERROR")
            yield made
        finally:
            ray.shutdown()
            made.shutdown()


@pytest.fixture
def nodes(cluster: Any) -> Iterator[Callable[..., Any]]:
    """Adds nodes, and takes away at the end of a test what is left of them."""
    import ray

    here: list[Any] = []

    def add(cpus: int = 1) -> Any:
        node = cluster.add_node(num_cpus=cpus, object_store_memory=80 << 20)
        here.append(node)
        return node

    yield add
    for node in here:
        if node in cluster.list_all_nodes():
            cluster.remove_node(node, allow_graceful=False)
    gone = {node.node_id for node in here}
    assert eventually(lambda: not any(one["Alive"] and one["NodeID"] in gone for one in ray.nodes()), 60.0), (
        "a node that is gone but not yet missed would get workers of the next test"
    )


@pytest.fixture(scope="module")
def node(cluster: Any) -> Any:
    """A node that stays, for tests that do not ask for more: one takes seconds to come up."""
    return cluster.add_node(num_cpus=1, object_store_memory=80 << 20)


def batch(folder: Path, count: int, **settings: Any) -> tuple[list[Any], Path]:
    """Rows of a list of so many small pictures, and the folder of the results."""
    folder.mkdir(exist_ok=True)
    chance = np.random.default_rng(5)
    lines = []
    for n in range(count):
        Image.fromarray(chance.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(folder / f"{n:03}.png")
        lines.append(json.dumps({"image": f"{n:03}.png", "box": [8, 8, 20, 24]}))
    (folder / "edits.jsonl").write_text("\n".join(lines))
    reader = Reader(RowDefaults(settings={"intent": "remove", "exact": True, "engine": "stand-in", **settings}))
    return [reader.read(found) for found in read_manifest(folder / "edits.jsonl")], folder


def options(base: Path, out: Path, **more: Any) -> Options:
    return Options(
        folders=BatchFolders.at(out),
        rules=Rules(out=out, base=base),
        audit=out / "audit.jsonl",
        **{"report": False, **more},
    )


def pixels(folder: Path) -> dict[str, bytes]:
    return {
        path.name: np.asarray(Image.open(path)).tobytes()
        for path in folder.iterdir()
        if path.suffix == ".png" and not path.name.startswith(".")
    }


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".") and path.name != ".overpaint")


class Events(list[Any]):
    """What a run told, and something that is done after so many rows."""

    def __init__(self, after: dict[int, Callable[[], object]] | None = None) -> None:
        super().__init__()
        self._after = after or {}

    def __call__(self, event: Any) -> None:
        self.append(event)
        done = sum(isinstance(one, Done) for one in self)
        if isinstance(event, Done) and done in self._after:
            self._after[done]()


def whole(rows: list[Any], base: Path, out: Path, make: Callable[[], Studio], **given: Any) -> Ended:
    with make() as studio:
        return run(rows, options(base, out), studio, **given)


class TestNodes:
    def moving(self, cluster: Any, nodes: Any, tmp_path: Path, count: int, seconds: float) -> tuple[Events, Ended]:
        """A run during which both nodes that it began with are taken away, and another comes."""
        rows, base = batch(tmp_path / "in", count)
        make = partial(slow, seconds)
        first, second = nodes(), nodes()
        events = Events(
            {
                count // 5: lambda: cluster.remove_node(first, allow_graceful=False),
                count // 3: nodes,
                count // 2: lambda: cluster.remove_node(second, allow_graceful=False),
            }
        )
        with RayExecutor(make) as executor:
            ended = whole(rows, base, tmp_path / "out", make, on_event=events, executor=executor)
        alone = whole(rows, base, tmp_path / "alone", make)
        assert alone.done == ended.done == count
        assert pixels(tmp_path / "out") == pixels(tmp_path / "alone")
        assert hidden(tmp_path / "out") == []
        verdict = verify(tmp_path / "out" / "audit.jsonl")
        assert (verdict.whole, verdict.records, verdict.outputs) == (True, count, count)
        return events, ended

    def test_two_go_and_one_comes_and_every_row_is_done_once(self, cluster, nodes, tmp_path):
        events, ended = self.moving(cluster, nodes, tmp_path, 40, 0.05)
        lost = [event for event in events if isinstance(event, Failed)]
        assert lost
        assert all(event.again and "was lost" in event.reason for event in lost)
        assert ended.failed == 0
        records = [entry.record for entry in entries(tmp_path / "out" / "audit.jsonl")]
        assert len({record.output.place for record in records}) == 40
        assert max(record.attempt for record in records) > 1

    @pytest.mark.slow
    def test_the_same_with_300_rows(self, cluster, nodes, tmp_path):
        events, ended = self.moving(cluster, nodes, tmp_path, 300, 0.05)
        assert ended.failed == 0
        assert sum(isinstance(event, Done) for event in events) == 300

    def test_without_a_node_it_says_so_instead_of_waiting_for_ever(self, cluster, tmp_path):
        rows, base = batch(tmp_path / "in", 2)
        make = partial(slow, 0.0)
        with RayExecutor(make, ClusterOptions(patience=1.0)) as executor:
            ended = whole(rows, base, tmp_path / "out", make, executor=executor)
        assert (ended.done, ended.failed, ended.left) == (0, 0, 2)
        assert "no worker came up on the cluster for" in ended.stopped

    def test_a_node_that_comes_later_is_waited_for(self, cluster, nodes, tmp_path):
        rows, base = batch(tmp_path / "in", 2)
        make = partial(slow, 0.0)
        with RayExecutor(make) as executor:
            time.sleep(1.5)
            nodes()
            assert whole(rows, base, tmp_path / "out", make, executor=executor).done == 2


class TestWorkers:
    def test_one_that_dies_costs_no_row(self, node, tmp_path):
        rows, base = batch(tmp_path / "in", 6)
        (tmp_path / "deaths").mkdir()
        (tmp_path / "deaths" / "one").touch()
        make = partial(deadly, str(tmp_path / "deaths"))
        events = Events()
        with RayExecutor(make) as executor:
            ended = whole(rows, base, tmp_path / "out", make, on_event=events, executor=executor)
        assert (ended.done, ended.failed) == (6, 0)
        assert any(isinstance(event, Failed) and event.again for event in events)

    @pytest.mark.slow
    def test_a_row_that_workers_die_by_is_given_up_in_the_end(self, node, tmp_path):
        rows, base = batch(tmp_path / "in", 1)
        (tmp_path / "deaths").mkdir()
        for n in range(9):
            (tmp_path / "deaths" / str(n)).touch()
        make = partial(deadly, str(tmp_path / "deaths"))
        events = Events()
        with RayExecutor(make) as executor:
            ended = whole(rows, base, tmp_path / "out", make, on_event=events, executor=executor)
        assert (ended.done, ended.failed) == (0, 1)
        lost = [event for event in events if isinstance(event, Failed)]
        assert [event.again for event in lost] == [True, True, True, False]
        assert "was lost" in lost[-1].reason

    @pytest.mark.slow
    def test_one_that_hangs_is_given_up_and_its_other_rows_go_elsewhere(self, node, tmp_path):
        rows, base = batch(tmp_path / "in", 5)
        (tmp_path / "deaths").mkdir()
        hanging = [row if n else replace(row, seed=13) for n, row in enumerate(rows)]
        make = partial(deadly, str(tmp_path / "deaths"))
        events = Events()
        with RayExecutor(make, ClusterOptions(stall=1.0)) as executor:
            ended = whole(hanging, base, tmp_path / "out", make, on_event=events, executor=executor)
        assert (ended.done, ended.failed) == (4, 1)
        lost = [event.id for event in events if isinstance(event, Failed)]
        assert max(lost.count(id) for id in lost if id != "000.remove.png") == 1, "no row suffers twice from another"
        assert "it got on with nothing for 1 s" in next(event for event in events if isinstance(event, Failed)).reason
        assert hidden(tmp_path / "out") == []

    def test_a_row_that_can_not_be_done_says_why_as_it_would_here(self, node, tmp_path):
        rows, base = batch(tmp_path / "in", 2)
        events = Events({1: lambda: None})
        (tmp_path / "in" / "001.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture at all")
        make = partial(slow, 0.0)
        with RayExecutor(make) as executor:
            ended = whole(rows, base, tmp_path / "out", make, on_event=events, executor=executor)
        assert (ended.done, ended.failed) == (1, 1)
        failure = next(event for event in events if isinstance(event, Failed))
        assert not failure.again
        assert "001.png" in failure.reason or "PNG" in failure.reason


def counted(folder: str, seed: int = 0) -> Studio:
    """A studio that leaves a file in a folder for each time that one is made, and says in it what memory it has."""
    from overpaint.engines.weight_store import share_of

    (Path(folder) / f"{time.time_ns()}").write_text(str(share_of(1200)))
    return slow(0.0)


def kept_workers() -> list[str]:
    import ray

    return [one["name"] for one in ray.util.list_named_actors(all_namespaces=True) if one["namespace"] == "overpaint"]


def eventually(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    over = time.monotonic() + seconds
    while time.monotonic() < over:
        if holds():
            return True
        time.sleep(0.1)
    return holds()


MANY = 60
"""More rows than are done while workers start: a run that ends before has none that are ready."""


class TestKeptWorkers:
    """Workers that wait for the next run."""

    @pytest.fixture
    def made(self, tmp_path: Path) -> Path:
        (tmp_path / "made").mkdir()
        return tmp_path / "made"

    def run(self, tmp_path: Path, name: str, make: Callable[[], Studio], count: int = 2, **given: Any) -> Events:
        rows, base = batch(tmp_path / "in", count)
        events = Events()
        terms = ClusterOptions(**{"keep": 60.0, **given.pop("terms", {})})
        with RayExecutor(make, terms) as executor, slow(0.0) as studio:
            how = options(base, tmp_path / name, **given)
            assert run(rows, how, studio, on_event=events, executor=executor).done == count
        return events

    def ready(self, events: Events) -> tuple[int, int]:
        (found,) = [event for event in events if isinstance(event, Ready)]
        (starting,) = [event for event in events if isinstance(event, Starting)]
        assert starting.workers == found.workers
        assert found.seconds >= 0
        return found.workers, found.reused

    def test_serve_a_second_run_and_leave_their_place_to_other_settings(self, nodes, tmp_path, made):
        nodes(2)
        make, other = partial(counted, str(made)), partial(counted, str(made), 1)
        count, reused = self.ready(self.run(tmp_path, "one", make, MANY))
        assert (count >= 2, reused) == (True, 0)
        assert self.ready(self.run(tmp_path, "two", make, MANY)) == (count, count)
        assert len(list(made.iterdir())) == count
        assert sorted(path.read_text() for path in made.iterdir())[-2:] == ["600", "600"], "half of their node's memory"
        assert pixels(tmp_path / "one") == pixels(tmp_path / "two")
        assert self.ready(self.run(tmp_path, "three", other, MANY)) == (count, 0)
        assert len(list(made.iterdir())) == 2 * count
        self.run(tmp_path, "four", other, count=4 * count, private=True)
        assert eventually(lambda: len(kept_workers()) < count), "a private run leaves no process that has seen it"

    def test_end_when_nobody_takes_them(self, node, tmp_path, made):
        self.run(tmp_path, "one", partial(counted, str(made)), terms={"keep": 1.0})
        assert eventually(lambda: kept_workers() == [])

    def test_end_with_a_driver_that_is_killed(self, node, tmp_path):
        _, base = batch(tmp_path / "in", 40)
        first = driver(base, tmp_path / "out", keep=3600.0)
        assert first.stdout is not None
        while first.stdout.readline() != "Done\n":
            pass
        assert kept_workers()
        first.send_signal(signal.SIGKILL)
        first.communicate()
        assert eventually(lambda: kept_workers() == [], seconds=120.0)  # a busy machine takes longer

    def test_are_taken_and_not_kept_by_a_run_that_does_not_ask(self, node, tmp_path, made):
        make = partial(counted, str(made))
        self.run(tmp_path, "one", make, terms={"keep": 0.0})
        assert kept_workers() == []
        self.run(tmp_path, "two", make)
        assert kept_workers()
        count = len(list(made.iterdir()))
        self.run(tmp_path, "three", make, terms={"keep": 0.0})
        assert len(list(made.iterdir())) == count, "the rows were done without another studio"
        assert eventually(lambda: kept_workers() == [])

    def test_of_a_run_that_goes_on_go_to_the_next_when_it_is_over(self, node, tmp_path, made):
        rows, base = batch(tmp_path / "in", 2)
        make = partial(counted, str(made))
        terms = ClusterOptions(keep=60.0)
        with slow(0.0) as studio, RayExecutor(make, terms) as first:
            assert run(rows, options(base, tmp_path / "one"), studio, executor=first).done == 2
            with RayExecutor(make, terms) as second:
                time.sleep(2)
                assert second.ahead == terms.ahead, "no worker yet"
                first.stop()
                assert run(rows, options(base, tmp_path / "two"), studio, executor=second).done == 2


class TestPlaces:
    def test_pictures_and_results_may_be_objects(self, node, tmp_path):
        rows, base = batch(tmp_path / "in", 3)
        far = [replace(row, image=f"file://{base}/{row.image}") for row in rows]
        out = Address(f"file://{tmp_path}/far")
        state = tmp_path / "state"
        make = partial(slow, 0.0)
        how = Options(
            BatchFolders.at(out, state),
            Rules(out=out, base=tmp_path, allow=("file://",)),
            audit=state / "audit.jsonl",
            report=False,
        )
        with RayExecutor(make) as executor, make() as studio:
            assert run(far, how, studio, executor=executor).done == 3
        whole(
            [replace(row, seed=seed) for row, seed in zip(rows, seeds(state), strict=True)],
            base,
            tmp_path / "near",
            make,
        )
        assert pixels(tmp_path / "far") == pixels(tmp_path / "near")
        assert verify(state / "audit.jsonl").records == 3

    def test_the_command_line_takes_a_cluster(self, node, tmp_path, capsys):
        _, base = batch(tmp_path / "in", 3)
        words = ["batch", str(base / "edits.jsonl"), "-o", str(tmp_path / "out"), "--engine", "telea", "--json"]
        assert main([*words, "--ray", "auto", "--no-report"]) == 0
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert (events[-1]["event"], events[-1]["done"]) == ("ended", 3)
        records = [entry.record for entry in entries(tmp_path / "out" / "audit.jsonl")]
        assert {record.edit.execution.threads for record in records} == {1}
        assert main(words) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["unchanged"] == 3


def seeds(state: Path) -> list[int]:
    """The seeds that rows were painted with, in the order of their names."""
    records = [entry.record for entry in entries(state / "audit.jsonl")]
    return [record.edit.resolved.seed for record in sorted(records, key=lambda record: record.output.place)]


class TestErrorsOfWorkers:
    def test_an_error_comes_back_as_what_it_was(self):
        back = pickle.loads(pickle.dumps(MaskError("the mask is empty")))
        assert (type(back), str(back)) == (MaskError, "the mask is empty")

    def test_one_of_a_class_that_is_not_public_comes_back_too(self):
        with pytest.raises(SettingError) as caught:
            EditRequest.of(strength=7)
        back = pickle.loads(pickle.dumps(caught.value))
        assert (type(back), str(back), back.field) == (SettingError, str(caught.value), "strength")

    def test_a_full_disk_is_still_one(self):
        error = OutputError("can't write a.png: the disk is full")
        error.__cause__ = OSError(28, "No space left on device")
        cause = pickle.loads(pickle.dumps(error)).__cause__
        assert isinstance(cause, OSError)
        assert cause.errno == 28


class TestConnecting:
    @pytest.mark.parametrize("where", ["local:0", "local", "ray://head:10001", "head", "local:x", "local:99999"])
    def test_what_names_no_cluster_is_refused(self, where):
        with pytest.raises(RequestError, match=r"'auto', HOST:PORT or local:N"), connected(where):
            pass

    @pytest.mark.parametrize("more", [[], ["--ray", "local:2"]])
    def test_workers_are_kept_only_on_a_cluster_that_outlasts_the_command(self, more, capsys):
        assert main(["batch", "edits.jsonl", "-o", "out", "--keep-workers", "60", *more]) == 2
        assert "--keep-workers goes with a cluster that outlasts the command" in capsys.readouterr().err

    @pytest.mark.parametrize("where", ["auto", "127.0.0.1:1"])
    def test_a_cluster_that_is_not_there_is_an_error_in_words_and_soon(self, where, monkeypatch):
        pytest.importorskip("ray")
        # In another process, for this one may be connected.
        code = f"from overpaint.batch.connect import connected\nwith connected({where!r}): pass"
        monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert "ClusterError: the cluster 127.0.0.1:1 can't be reached: " in ended.stderr


DRIVER = """
import sys
from functools import partial
from pathlib import Path
from test_batch_cluster import options, slow
from overpaint.batch import Done, Reader, RowDefaults, read_manifest, run
from overpaint.batch.cluster import ClusterOptions, RayExecutor
from overpaint.batch.connect import connected

base, out = map(Path, sys.argv[1:3])
reader = Reader(RowDefaults(settings={"intent": "remove", "exact": True, "engine": "stand-in"}))
rows = [reader.read(found) for found in read_manifest(base / "edits.jsonl")]
make = partial(slow, 0.05)

def tell(event):
    print(type(event).__name__, flush=True)

terms = ClusterOptions(keep=float(sys.argv[3]), lease=2.0)
with connected("auto"), RayExecutor(make, terms) as executor, make() as studio:
    ended = run(rows, options(base, out), studio, on_event=tell, executor=executor)
print(ended.done, ended.unchanged, ended.failed)
"""


def driver(base: Path, out: Path, keep: float = 0.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(base), str(out), str(keep)], stdout=subprocess.PIPE, text=True, cwd=TESTS
    )


def test_a_driver_that_is_killed_is_gone_on_from(node, tmp_path):
    _, base = batch(tmp_path / "in", 40)
    out = tmp_path / "out"
    first = driver(base, out)
    assert first.stdout is not None
    seen = 0
    while seen < 10:
        seen += first.stdout.readline() == "Done\n"
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = driver(base, out)
    events, _ = second.communicate()
    assert second.returncode == 0
    done, unchanged, failed = map(int, events.splitlines()[-1].split())
    assert (done + unchanged, failed) == (40, 0)
    assert unchanged >= 10
    assert len(pixels(out)) == 40
    assert hidden(out) == []
    verdict = verify(out / "audit.jsonl")
    assert verdict.whole
    assert verdict.records == 40


class TestDataSets:
    def test_rows_of_a_block_get_their_results_or_reasons(self, tmp_path):
        _, base = batch(tmp_path, 2)
        actor = EditActor(str(tmp_path / "out"), base=str(base), intent="remove", engine="telea")
        block = {
            "image": np.array(["000.png", "001.png", "nowhere.png"], dtype=object),
            "box": np.array([[8, 8, 20, 24]] * 3),
            "price": np.array([1.5, np.nan, 2.0]),
        }
        result = actor(block)
        assert set(result) == {"image", "box", "price", "output", "sha256", "error"}
        assert [Path(path).name for path in result["output"]] == ["000.remove.png", "001.remove.png", ""]
        for path, digest in zip(result["output"][:2], result["sha256"][:2], strict=True):
            assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == digest
        assert result["error"][:2].tolist() == ["", ""]
        assert "nowhere.png doesn't exist" in result["error"][2]
        assert hidden(tmp_path / "out") == []

    def test_a_block_that_is_done_again_gives_the_same_files(self, tmp_path):
        _, base = batch(tmp_path, 1)
        block = {"image": np.array(["000.png"], dtype=object), "box": np.array([[8, 8, 20, 24]])}
        results = [
            EditActor(str(tmp_path / "out"), base=str(base), intent="remove", engine="telea")(block) for _ in range(2)
        ]
        assert results[0]["sha256"].tolist() == results[1]["sha256"].tolist()

    def test_a_name_that_needs_a_place_in_the_whole_is_refused(self, tmp_path):
        with pytest.raises(RequestError, match="a block of rows does not know its position"):
            EditActor(str(tmp_path), name="{row}{ext}")
