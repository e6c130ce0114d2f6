"""Sessions of a server by the client: the same calls and pixels as of a session here, followed, guarded, taken home."""

from __future__ import annotations

import asyncio
import inspect
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint import AsyncClient, Client, Mask, Monitor, Session, Studio
from overpaint.audit import verify
from overpaint.client import AsyncSession, RemoteSession
from overpaint.client._replies import error_from
from overpaint.errors import (
    Cancelled,
    ChangedError,
    FormatError,
    MaskError,
    NotFoundError,
    OutputError,
    OverpaintError,
    RequestError,
    SessionError,
)
from overpaint.picture import Colour, Picture, from_array
from servers import Running, running
from stand_ins import noise, waiting
from test_client import SIZE, equal, smooth

ONE = Mask.ellipse(SIZE, (20, 20, 60, 60))
TWO = Mask.box(SIZE, (50, 30, 90, 70)).feather(3)
REMOVE = {"intent": "remove", "engine": "telea"}


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    with Studio() as made:
        made.add_engine(noise())
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, studio: Studio) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data") / "server", studio) as found:
        yield found


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(smooth()).save(path)
    return path


def test_a_session_there_is_the_session_here(client, studio, photo, tmp_path):
    with Session.create(photo, tmp_path / "here.overpaint", studio=studio) as here:
        there = client.create_session(photo, "Harbour")
        for session in (here, there):
            session.edit(mask=ONE, **REMOVE)
            session.edit(mask=TWO, intent="remove", engine="stand-in", seed=4, variations=2)
            session.opacity(2, 0.5)
            session.pick(2, 2)
            session.put_aside(2, [1])
            session.hide(1)
            session.rerun_stale()
            session.show(1)
            session.rerun(2, mask=ONE, seed=9)
            session.mask(1, Mask.ellipse(SIZE, (10, 10, 45, 45)))
            session.mask(1, Mask.box(SIZE, (20, 20, 30, 30)), show=True)
            session.set_mask(2, Mask.box(SIZE, (0, 0, 70, 90)))
            session.undo()
            session.redo()
            session.move(2, 1)
            session.new_branch("bolder")
            session.edit(mask=TWO, intent="recolor", options={"to": "navy"})
            session.switch("main")
            session.mask(2, None)
            session.edit(intent="expand", margins=(8, 0, 0, 0), engine="blur")
        assert (there.steps, there.branch, there.branches) == (here.steps, here.branch, here.branches)
        assert (there.size, there.status.canvas) == (here.size, here.canvas)
        assert (there.can_undo, there.can_redo) == (here.can_undo, here.can_redo)
        assert [(one.number, one.text, one.branch) for one in there.log()] == [
            (one.number, one.text, one.branch) for one in here.log()
        ]
        assert equal(there.picture(), here.picture)
        for step in (1, 2, 4):
            assert np.array_equal(there.shown(step), here.shown(step))
            one, other = there.paint(step), here.paint(step)
            assert one.box == other.box
            assert equal(one.picture, other.picture)
        assert equal(there.paint(2, 1).picture, here.paint(2, 1).picture)
        assert there.original_file() == here.original_file == photo.read_bytes()
        assert equal(there.original(), here.original)
        done, local = there.compact(branches=True, undo=True), here.compact(branches=True, undo=True)
        assert (done.takes, done.branches, done.undo) == (local.takes, local.branches, local.undo)
        assert there.branches == ("main",)
        assert not there.can_undo
        there.delete()


def test_a_step_is_a_job_with_progress_that_is_found_again(client, photo):
    session = client.create_session(photo)
    steps: list[tuple[int, int]] = []
    session.edit(
        mask=Mask.box(SIZE, (0, 0, 16, 16)),
        intent="custom",
        prompt="grass",
        model="pocket",
        steps=2,
        monitor=Monitor(on_progress=lambda at, of: steps.append((at, of))),
    )
    assert steps[-1] == (2, 2)
    session.undo()
    step = session.edit(
        mask=ONE,
        intent="remove",
        engine="stand-in",
        seed=3,
    )
    assert (step.number, step.seed, step.engine) == (2, 3, "stand-in")
    asked = {"mask": TWO, "intent": "remove", "engine": "stand-in", "seed": 1, "variations": 2}
    job = session.submit(idempotency_key="one", **asked)
    assert session.submit(idempotency_key="one", **asked).id == job.id
    done = job.wait(timeout=30)
    assert [(one.step, one.take) for one in done.takes] == [(3, 1), (3, 2)]
    assert done.session == session.id
    assert session.jobs()[0].id == job.id
    with pytest.raises(RequestError, match="of a session"):
        job.result()
    assert len(session.steps) == 1, "status is as it was when it was last asked for"
    assert len(session.refresh().steps) == 2
    session.hide(2)
    again = session.submit_rerun_stale().wait(timeout=30)
    assert [one.step for one in again.takes] == [3]
    assert session.rerun_stale() == ()


def test_a_request_is_given_as_one_value_and_a_rerun_keeps_its_intent_or_gets_another(client, photo):
    from overpaint import EditRequest

    session = client.create_session(photo)
    assert session.edit(EditRequest.of("remove", engine="telea"), mask=ONE).engine == "telea"
    assert session.rerun(1, engine="blur").engine == "blur"
    assert session.step(1).takes == 2
    assert [session.rerun(1, **more).intent for more in ({}, {"intent": "replace"}, {"grow": 2})] == [
        "remove",
        "replace",
        "replace",
    ]
    with pytest.raises(RequestError) as found:
        session.rerun(1, intent="custom")
    assert found.value.field == "intent"
    with pytest.raises(SessionError):
        session.rerun(7)
    with pytest.raises(SessionError):
        session.step(7)


def test_wrong_calls_are_the_errors_of_a_session_here(client, photo):
    session = client.create_session(photo)
    with pytest.raises(SessionError) as found:
        session.undo()
    assert found.value.code == "session-undo"
    session.edit(mask=ONE, **REMOVE)
    for wrong, kind in (
        (lambda: session.opacity(1, 2), RequestError),
        (lambda: session.pick(1, 5), SessionError),
        (lambda: session.hide(4), SessionError),
        (lambda: session.mask(1, np.zeros((5, 5), bool)), MaskError),
        (lambda: session.set_mask(1, np.ones((5, 5), bool)), MaskError),
        (lambda: session.edit(mask=np.ones((5, 5), bool), **REMOVE), MaskError),
        (lambda: session.new_branch("main"), SessionError),
        (lambda: session.switch("none"), SessionError),
        (lambda: session.paint(1, 4), SessionError),
        (lambda: session.audit_log(), NotFoundError),
        (lambda: client.session("0" * 32), NotFoundError),
        (lambda: client.session("../pictures"), RequestError),
        (lambda: client.upload_session(photo), SessionError),
        (lambda: client.upload_session("none.overpaint"), SessionError),
    ):
        with pytest.raises(kind):
            wrong()
    assert len(session.refresh().steps) == 1


def test_every_error_of_a_server_is_raised_as_its_own_class():
    kinds, found = [OverpaintError], set()
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if kind.__module__.startswith("overpaint.server") or kind.__name__.startswith("_"):
            continue
        table = {"kind": kind.__name__, "code": "some-code", "message": "it is wrong", "field": "opacity", "value": 2}
        error = error_from({**table, "hint": "set another"}, 422)
        assert (type(error).__name__, error.code) == (kind.__name__, "some-code")
        assert (error.field, error.value) == ("opacity", 2)
        assert str(error) == "it is wrong; set another"
        found.add(kind.__name__)
    assert {"SettingError", "MissingExtraError", "TooManyJobsError"} <= found


def test_a_guarded_change_is_not_made_on_what_another_page_has_changed(client, photo):
    session = client.create_session(photo)
    session.edit(mask=ONE, **REMOVE)
    mine = client.session(session.id, guarded=True)
    session.opacity(1, 0.5)
    for late in (lambda: mine.hide(1), lambda: mine.submit(mask=TWO, **REMOVE), mine.compact, mine.delete):
        with pytest.raises(ChangedError) as found:
            late()
        assert found.value.value == session.status.version
    assert not client.jobs("queued")
    mine.refresh()
    mine.hide(1)
    assert mine.edit(mask=TWO, **REMOVE).number == 2
    mine.guarded = False
    session.show(1)
    mine.hide(1)


def test_what_happens_to_a_session_is_followed_to_its_end(client, photo):
    session = client.create_session(photo)
    seen: list[tuple[str, object]] = []
    begun = threading.Event()

    def follow() -> None:
        for event in session.events():
            seen.append((event.kind, event.data.get("what", event.data.get("state"))))
            begun.set()

    thread = threading.Thread(target=follow)
    thread.start()
    assert begun.wait(20)
    session.edit(mask=ONE, **REMOVE)
    session.rename("Other")
    session.delete()
    thread.join(20)
    assert not thread.is_alive()
    assert [kind for kind, _ in seen if kind != "job"] == ["changed", "changed", "renamed", "deleted"]
    assert ("job", "done") in seen
    assert session.id not in [one.id for one in client.sessions()]
    with pytest.raises(NotFoundError):
        session.refresh()


def test_a_session_is_taken_home_and_sent_to_a_server(client, photo, tmp_path):
    session = client.create_session(photo, "Harbour", audited=True)
    session.edit(mask=ONE, **REMOVE)
    (listed,) = [one for one in client.sessions() if one.id == session.id]
    assert (listed.name, listed.size, listed.audited) == ("Harbour", SIZE, True)
    home = session.file().save(tmp_path / "home.overpaint")
    with Session.open(home) as opened:
        assert equal(opened.picture, session.picture())
    copy = client.upload_session(home, "Copy")
    assert (copy.status.name, copy.steps) == ("Copy", session.steps)
    with Session.create(photo, tmp_path / "named.overpaint"):
        pass
    assert client.upload_session((tmp_path / "named.overpaint").read_bytes()).status.name == "photo.png"
    log = session.audit_log().save(tmp_path / "log.jsonl")
    found = verify(log, files=False)
    assert (found.records, found.faults, found.head.count) == (3, (), 3)
    cut = tmp_path / "cut.jsonl"
    cut.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    cut.with_suffix(".head").write_bytes(log.with_suffix(".head").read_bytes())
    assert verify(cut, files=False).faults
    for format in (None, "jpeg", "psd", "ora"):
        file = session.export(format)
        assert file.format == (format or "png")
        with Image.open(io.BytesIO(file.data)) if format != "ora" else Image.open(photo) as shown:
            assert shown.size == tuple(SIZE)
        path = file.save(tmp_path / f"there.{ {'jpeg': 'jpg'}.get(file.format, file.format) }")
        with pytest.raises(OutputError):
            file.save(path)
    with pytest.raises(FormatError):
        session.export("psd").save(tmp_path / "wrong.png")
    assert not (tmp_path / "wrong.png").exists()
    flat = session.flatten("png")
    assert equal(client.open(flat.id), session.picture())
    with Image.open(io.BytesIO(session.screen(box=(10, 10, 50, 40), format="png"))) as part:
        assert part.size == (40, 30)
    with Image.open(io.BytesIO(session.picture_with(1, side=60))) as small:
        assert small.size == (60, 45)
    kept = client.create_session(client.upload(photo))
    assert equal(kept.picture(), kept.original())


def test_pictures_with_inks_and_16_bits_come_whole(client):
    values = smooth(2, channels=4).astype(np.uint16) * 257
    session = client.create_session(Picture(values, None, Colour.CMYK))
    session.edit(mask=ONE, **REMOVE)
    found = session.picture()
    assert (found.colour, found.depth) == (Colour.CMYK, 16)
    far = ~ONE.grow(40).support
    assert np.array_equal(found.samples[far], values[far])


def test_a_picture_that_was_removed_meanwhile_is_sent_again(client, photo):
    session = client.create_session(photo)
    values = np.random.default_rng(1).random(SIZE.shape).astype(np.float32)  # its code is too large to be inline
    values[:, 60:] = 0
    given = {"avoid": Mask.from_array(np.random.default_rng(2).random(SIZE.shape) > 0.7), **REMOVE}
    session.edit(mask=Mask.from_array(values), **given)
    for one in client.pictures():
        client.delete_picture(one.id)
    session.edit(mask=Mask.from_array(values), **given)
    assert len(session.steps) == 2


def test_a_cancelled_monitor_stops_the_job_of_a_session(tmp_path, photo):
    gate, started = threading.Event(), threading.Event()
    with Studio() as studio, running(tmp_path / "slow", studio, lanes=1) as found, Client(found.url) as client:
        studio.add_engine(waiting(gate, started))
        session = client.create_session(from_array(smooth()))
        monitor = Monitor(on_progress=lambda at, of: monitor.cancel())
        with pytest.raises(Cancelled):
            session.edit(mask=ONE, intent="remove", engine="stand-in", monitor=monitor)
        (job,) = session.jobs()
        assert job.wait(timeout=10).state == "cancelled"
        assert session.refresh().steps == ()
        gate.set()


def test_both_kinds_of_session_have_the_same_calls_and_those_of_one_here():
    def calls(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in vars(kind).items()
            if inspect.isfunction(member) and not name.startswith("_")
        }

    assert calls(RemoteSession) == calls(AsyncSession)
    here = calls(Session)
    elsewhere = {"close", "paint_again", "plan_edit", "plan_rerun", "keep", "land"}  # of its files, or of the server
    assert set(here) - elsewhere <= set(calls(RemoteSession))
    for name in (
        "hide",
        "show",
        "opacity",
        "pick",
        "put_aside",
        "move",
        "mask",
        "set_mask",
        "new_branch",
        "switch",
        "compact",
    ):
        assert calls(RemoteSession)[name] == here[name]


def test_the_asynchronous_client_edits_sessions_at_once(server, photo):
    async def work() -> list[object]:
        async with AsyncClient(server.url) as client:
            sessions = [await client.create_session(photo, str(number)) for number in range(3)]
            steps = await asyncio.gather(*(one.edit(mask=ONE, seed=1, **REMOVE) for one in sessions))
            await sessions[0].undo()
            job = await sessions[1].submit(mask=TWO, **REMOVE)
            kinds = [event.kind async for event in job.events()]
            first = [event.kind async for event in _some(sessions[0].events())]
            pictures = [(await one.picture()).size for one in sessions]
            return [*(one.number for one in steps), sessions[0].can_redo, kinds[-1], first, pictures]

    async def _some(events):
        async for event in events:
            yield event
            return

    assert asyncio.run(work()) == [1, 1, 1, True, "done", ["changed"], [SIZE] * 3]
