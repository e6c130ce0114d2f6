"""A studio whose canvases a server paints: all of an edit's parts are there, and equal those of an edit made here."""

from __future__ import annotations

import contextlib
import json
import threading
import zlib
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cutting import relay
from overpaint import Client, Mask, Session, Studio
from overpaint.client import RemoteStudio, WaitLimits
from overpaint.engines import Canvas, EngineCard, Monitor, Painted
from overpaint.engines.card_table import ServedOptions, card_from, card_table
from overpaint.engines.packed import (
    CANVAS_PROTOCOL,
    PackedArrays,
    canvas_arrays,
    pack,
    pack_canvas,
    pack_painted,
    unpack,
    unpack_painted,
    unpacked_size,
)
from overpaint.errors import Cancelled, EngineError, ModelError, OverpaintError, RequestError, UnknownEngineError
from overpaint.picture import encode, from_array
from servers import Running, running
from stand_ins import StandIn, noise, waiting
from test_client import MASK, SIZE, equal, smooth

PICTURE = from_array(smooth(21))


@pytest.fixture(scope="module")
def here() -> Iterator[Studio]:
    with Studio() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, here: Studio) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data") / "server", here) as found:
        yield found


@pytest.fixture
def there(server: Running) -> Iterator[RemoteStudio]:
    with Client(server.url) as client, client.studio() as made:
        yield made


POCKET = {"intent": "replace", "prompt": "grass", "model": "pocket", "steps": 2, "seed": 3, "mask": MASK}
CASES = {
    "exemplar": {"intent": "remove", "engine": "exemplar", "seed": 7, "mask": MASK},
    "avoid": {"intent": "remove", "seed": 1, "mask": MASK, "avoid": Mask.box(SIZE, (75, 0, 120, 90))},
    "pocket": POCKET,
    "regional": {
        **POCKET,
        "regional_prompts": [{"prompt": "snow", "mask": np.arange(120) < 60 + np.zeros((90, 1))}],
    },
    "recolor": {"intent": "recolor", "options": {"to": "navy"}, "mask": MASK},
    "transparent": {"intent": "background", "options": {"transparent": True}, "mask": MASK},
    "expand": {"intent": "expand", "margins": (7, 0, 9, 3), "engine": "extend", "seed": 2},
}


def test_variations_of_a_variation_count_its_seed_on_there_and_here(there, here):
    options = {"subseed": 4, "subseed_strength": 0.3}
    wish = {**CASES["pocket"], "steps": 1, "dialect": "webui", "options": options, "count": 2}
    left, right = (list(studio.variations(PICTURE, **wish)) for studio in (there, here))
    for number, (one, other) in enumerate(zip(left, right, strict=True)):
        assert equal(one.picture, other.picture)
        assert (one.resolved.seed, one.resolved.options["subseed"]) == (3, 4 + number)
        assert one.resolved == other.resolved
    assert not equal(left[0].picture, left[1].picture)


@pytest.mark.parametrize("name", CASES)
def test_an_edit_has_the_parts_of_one_made_here(there, here, name):
    exact = {"exact": True, **CASES[name]}
    one, other = there.edit(PICTURE, **exact), here.edit(PICTURE, **exact)
    assert equal(one.picture, other.picture)
    left, right = one.record.to_mapping(), other.record.to_mapping()
    assert {key for key in left | right if left.get(key) != right.get(key)} <= {"timings"}
    assert (one.notes, one.doubts, one.licence, one.source_type) == (
        other.notes,
        other.doubts,
        other.licence,
        other.source_type,
    )
    for mine, its in zip(one.regions, other.regions, strict=True):
        assert np.array_equal(mine.patch, its.patch)
        assert np.array_equal(mine.weight, its.weight)
        assert (mine.quality, mine.shift, mine.detail) == (its.quality, its.shift, its.detail)


def test_variations_share_one_canvas_on_the_way(server, here):
    """Each takes long enough that all are sent before the first is painted and its canvas forgotten."""
    picture = from_array(np.random.default_rng(3).integers(0, 256, (300, 400, 3), np.uint8))
    given = {**CASES["exemplar"], "mask": Mask.box((400, 300), (100, 80, 280, 220))}
    with relay(server.url) as way, Client(way.url) as client, client.studio() as there:
        made = list(there.variations(picture, count=3, **given))
        assert way.count("POST /canvases/") == 3
        assert sum(one == "POST /canvases" for one in way.requests) == 1
    for one, other in zip(made, here.variations(picture, count=3, **given), strict=True):
        assert equal(one.picture, other.picture)


def test_nothing_is_left_on_the_server(tmp_path):
    with Studio() as studio, running(tmp_path, studio) as server:
        with Client(server.url) as client, client.studio() as there:
            there.edit(PICTURE, mask=MASK, intent="remove", engine="telea")
            list(there.variations(PICTURE, mask=MASK, intent="remove", engine="exemplar", count=2))
            assert client.jobs() == []
        assert [path.name for path in (tmp_path / "canvases").glob("*/*")] == []
        assert server.server.inner.state.services.queue.counts()["done"] == 0


def test_a_session_is_here_and_its_paint_comes_from_there(there, here, tmp_path):
    made = {}
    for name, studio in (("there", there), ("here", here)):
        with Session.create(encode(PICTURE, "png").data, tmp_path / f"{name}.overpaint", studio=studio) as session:
            session.edit(mask=MASK, intent="remove", engine="exemplar", seed=5)
            session.edit(mask=Mask.box(SIZE, (0, 0, 20, 20)), intent="remove", engine="telea")
            made[name] = [session.picture]
            session.rerun(1, seed=6)
            made[name].append(session.picture)
    assert all(equal(one, other) for one, other in zip(made["there"], made["here"], strict=True))
    assert not equal(*made["there"])


def test_errors_and_refusals_are_those_of_an_edit_made_here(there, here, tmp_path):
    for settings_, kind in (
        ({"engine": "nonsense"}, UnknownEngineError),
        ({"engine": "telea", "options": {"radius": -3}}, RequestError),
        ({"model": "no-such-model", "prompt": "a cat"}, ModelError),
        ({"intent": "replace"}, RequestError),
    ):
        errors = []
        for studio in (there, here):
            with pytest.raises(kind) as found:
                studio.edit(PICTURE, mask=MASK, **{"intent": "remove", **settings_})
            errors.append(found.value)
        assert type(errors[0]) is type(errors[1])
        assert (errors[0].code, errors[0].field, str(errors[0])) == (errors[1].code, errors[1].field, str(errors[1]))
    with pytest.raises(RequestError):
        there.add_engine(noise())


def test_no_path_of_a_client_is_opened_as_a_model(tmp_path):
    checkpoint = tmp_path / "model.safetensors"
    checkpoint.write_bytes(b"secret")
    with running(tmp_path / "server") as server, Client(server.url) as client, client.studio() as there:
        for given_ in ({"model": str(checkpoint)}, {"model": "pocket", "options": {"vae": str(checkpoint)}}):
            with pytest.raises(ModelError) as found:
                there.edit(PICTURE, mask=MASK, intent="replace", prompt="a cat", **given_)
            assert "no model is called" in str(found.value)
            with pytest.raises(ModelError):
                client.edit(PICTURE, mask=MASK, intent="replace", prompt="a cat", **given_)


def test_a_failing_engine_fails_here_with_its_reason(tmp_path):
    def fail(canvas: Canvas, monitor: Monitor) -> Painted:
        raise EngineError("no luck", hint="try again")

    with Studio() as studio, running(tmp_path, studio) as server, Client(server.url) as client:
        studio.add_engine(StandIn(fail))
        with client.studio() as there, pytest.raises(EngineError) as found:
            there.edit(PICTURE, mask=MASK, intent="remove", engine="stand-in")
        assert (found.value.message, found.value.hint) == ("no luck", "try again")


def test_progress_comes_and_cancelling_stops_the_engine(tmp_path):
    gate, started = threading.Event(), threading.Event()
    with Studio() as studio, running(tmp_path, studio) as server, Client(server.url) as client:
        studio.add_engine(waiting(gate, started))
        steps: list[tuple[int, int]] = []

        def progress(step: int, of: int) -> None:
            steps.append((step, of))
            monitor.cancel()

        monitor = Monitor(on_progress=progress)
        with client.studio() as there, pytest.raises(Cancelled):
            there.edit(PICTURE, mask=MASK, intent="remove", engine="stand-in", monitor=monitor)
        assert steps
        client._loop.run(client._client._calls.settle())
        queue = server.server.inner.state.services.queue
        for _ in range(100):
            if not queue.counts()["running"]:
                break
            threading.Event().wait(0.05)
        assert queue.counts()["running"] == 0


def test_a_canvas_that_the_server_removed_is_sent_again(tmp_path):
    with Studio() as studio, running(tmp_path, studio) as server, Client(server.url) as client:
        store = server.server.inner.state.services.canvases
        real, removed = store.size, []

        def size(owner: str, id: str) -> int:
            if not removed:
                removed.append(id)
                store.delete(owner, id)
            return real(owner, id)

        store.size = size
        with client.studio() as there:
            made = there.edit(PICTURE, mask=MASK, intent="remove", engine="telea")
        assert len(removed) == 1
        assert equal(made.picture, studio.edit(PICTURE, mask=MASK, intent="remove", engine="telea").picture)


def test_a_lost_reply_paints_no_canvas_twice(tmp_path):
    with Studio() as studio, running(tmp_path, studio) as server, relay(server.url) as way:
        engine = noise()
        studio.add_engine(engine)
        with Client(way.url, limits=WaitLimits(20, 20, 20)) as client, client.studio() as there:
            there.edit(PICTURE, mask=MASK, intent="remove", engine="telea")
            (path,) = {one for one in way.requests if one.endswith("/paint")}
            way.lose = {path: 1}
            there.edit(PICTURE, mask=MASK, intent="remove", engine="telea")
            assert way.requests.count(path) == 3
            way.lose = {}
            there.edit(PICTURE, mask=MASK, intent="remove", engine="stand-in", seed=1)
        assert len(engine.canvases) == 1


def test_another_form_of_canvases_is_refused_on_both_sides(there, monkeypatch):
    from overpaint.client import _canvases

    monkeypatch.setattr(_canvases, "CANVAS_PROTOCOL", 99)
    with pytest.raises(RequestError) as found:
        there.edit(PICTURE, mask=MASK, intent="remove", engine="telea", grow=11)
    assert found.value.code == "canvas-protocol"
    assert "same version" in found.value.hint


def test_a_server_without_canvases_is_named_as_such(tmp_path):
    import http.server

    class Older(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            body = b'{"error": {"code": "not-found", "message": "Not Found"}}'
            self.send_response(404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Older)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        with Client(f"http://127.0.0.1:{made.server_port}") as client, client.studio() as studio:
            with pytest.raises(OverpaintError) as found:
                studio.edit(PICTURE, mask=MASK, intent="remove")
            assert found.value.code == "server-version"
    finally:
        made.shutdown()
        made.server_close()


def test_a_card_comes_back_whole(here):
    from overpaint.engines import names, usable_card

    for name in names():
        try:
            card = usable_card(name)
        except OverpaintError:
            continue
        import json

        again = card_from(json.loads(json.dumps(card_table(card))))
        assert again == replace(card, options=ServedOptions)
    assert isinstance(card, EngineCard)


floats = st.floats(0, 1, width=32)


@settings(max_examples=40, deadline=None)
@given(arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=3, max_side=9), elements=floats))
def test_arrays_travel_without_a_bit_of_loss(values):
    for array in (values, np.rint(values * 255).astype(np.float32) / np.float32(255), values > 0.5):
        again = unpack(pack(PackedArrays({"a": array}, {"b": [1]})))
        assert again.arrays["a"].dtype == array.dtype
        assert again.arrays["a"].tobytes() == np.ascontiguousarray(array).tobytes() or np.array_equal(
            again.arrays["a"], array
        )
        assert again.table == {"b": [1]}


def test_a_canvas_of_bytes_is_small():
    canvas = Canvas(smooth(1).astype(np.float32) / np.float32(255), (MASK.values > 0).astype(np.float32))
    data = pack_canvas(canvas)
    assert len(data) < SIZE.area * 3 + 2000
    found, controls = canvas_arrays(data)
    assert np.array_equal(found["pixels"], canvas.pixels)
    assert np.array_equal(found["mask"], canvas.mask)
    assert controls == []
    painted = Painted(canvas.pixels, evidence=canvas.pixels * np.float32(0.3), notes=("a",), match=0.25)
    again, table = unpack_painted(pack_painted(painted, {"x": 1}))
    assert np.array_equal(again.evidence, painted.evidence)
    assert (again.notes, again.match, table["x"]) == (("a",), 0.25, 1)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_and_nothing_else(data):
    canvas = Canvas(np.full((6, 7, 3), 0.5, np.float32), np.zeros((6, 7), np.float32))
    good = bytearray(pack_canvas(canvas))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = good[: data.draw(st.integers(0, len(good)))]
    for some in (bytes(good), bytes(cut)):
        with contextlib.suppress(RequestError):
            canvas_arrays(some, most=10_000)


def test_a_bomb_is_not_inflated():
    import json
    import zlib

    bomb = zlib.compress(b"\0" * (1 << 26), 9)
    entry = {"name": "pixels", "shape": [8, 8, 3], "type": "float32", "packed": True, "bytes": len(bomb)}
    head = json.dumps({"protocol": 1, "table": {}, "arrays": [entry]}).encode()
    with pytest.raises(RequestError):
        unpack(b"OVPC" + len(head).to_bytes(4, "little") + head + bomb)
    huge = {**entry, "shape": [1 << 20, 1 << 20, 3]}
    head = json.dumps({"protocol": 1, "table": {}, "arrays": [huge]}).encode()
    for most in (None, 1000):
        with pytest.raises(RequestError):
            unpack(b"OVPC" + len(head).to_bytes(4, "little") + head + bomb, most=most)


def test_a_canvas_that_unpacks_to_more_than_there_is_memory_for_is_refused_unread(tmp_path):
    """Forty arrays of a few kilobytes each, which are gigabytes in all; and one of sizes that are no sizes."""
    body = zlib.compress(bytes(1 << 20), 9)
    entry = {"shape": [1 << 10, 1 << 10], "type": "uint8", "packed": True, "bytes": len(body)}

    def canvas(*entries: dict[str, object]) -> bytes:
        head = json.dumps({"protocol": CANVAS_PROTOCOL, "table": {}, "arrays": entries}).encode()
        return b"OVPC" + len(head).to_bytes(4, "little") + head + body * len(entries)

    with running(tmp_path, reading_memory=16 << 20) as server, server.client() as client:
        forty = canvas(*({**entry, "name": f"array {number}"} for number in range(40)))
        assert unpacked_size(forty) == 40 << 22
        reply = client.post("/canvases", content=forty)
        assert (reply.status_code, reply.json()["error"]["code"]) == (422, "canvas-too-large")
        for size in (float("inf"), float("nan"), -1, True, "1"):
            reply = client.post("/canvases", content=canvas({**entry, "name": "mask", "bytes": size}))
            assert (reply.status_code, reply.json()["error"]["code"]) == (422, "canvas-damaged"), size
