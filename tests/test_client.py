"""The client against real servers: the same pixels as here, one upload, errors as values, jobs that are done once."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import overpaint
from overpaint import AsyncClient, Client, EditFailure, Mask, Monitor, Studio
from overpaint.client import AsyncJob, RemoteJob, WaitLimits
from overpaint.errors import (
    Cancelled,
    ConflictError,
    MaskError,
    NotAllowedError,
    NotFoundError,
    PictureError,
    RequestError,
    TooManyJobsError,
    UnknownEngineError,
)
from overpaint.geometry import Size
from overpaint.picture import Colour, Picture, encode, from_array
from overpaint.server import new_key
from servers import Running, running
from stand_ins import waiting

SIZE = Size(120, 90)


def smooth(seed: int = 0, size: Size = SIZE, channels: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, channels), np.uint8)
    return cv2.resize(coarse, tuple(size), interpolation=cv2.INTER_CUBIC).reshape(*size.shape, channels)


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    with Studio() as made:
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
    path = tmp_path / "photo.jpg"
    Image.fromarray(smooth()).save(path, quality=90)
    return path


MASK = Mask.ellipse(SIZE, (40, 30, 70, 60)).feather(2)


def equal(one: Picture, other: Picture) -> bool:
    return (
        one.mode == other.mode
        and np.array_equal(one.samples, other.samples)
        and (one.alpha is None or np.array_equal(one.alpha, other.alpha))
    )


def test_an_edit_on_a_server_is_the_edit_made_here(client, studio, photo, tmp_path):
    there = client.remove(photo, MASK, engine="exemplar", seed=7, exact=True)
    here = studio.edit(photo, mask=MASK, intent="remove", engine="exemplar", seed=7, exact=True)
    assert equal(there.picture, here.picture)
    assert (there.request, there.resolved, there.regions) == (
        here.request,
        here.resolved,
        tuple(region.record for region in here.regions),
    )
    assert (there.reach, there.placed, there.quality, there.notes, there.doubt) == (
        here.reach,
        here.placed,
        here.quality,
        here.notes,
        here.doubt,
    )
    assert np.array_equal(there.mask.values, here.mask.values)
    left, right = there.record.to_mapping(), here.record.to_mapping()
    assert {name for name in left | right if left.get(name) != right.get(name)} <= {"timings"}
    assert there.timings["paint"] > 0
    one, two = there.save(tmp_path / "there.jpg"), here.save(tmp_path / "here.jpg")
    assert (one.fidelity, one.reach, one.pixels_sha256) == (two.fidelity, two.reach, two.pixels_sha256)
    assert there.default_path() == here.default_path()


def test_an_exact_edit_of_a_model_is_the_one_made_here(client, studio, photo):
    given = {"mask": MASK, "intent": "custom", "prompt": "grass", "model": "pocket", "steps": 2, "seed": 3}
    there = client.edit(photo, exact=True, **given)
    assert equal(there.picture, studio.edit(photo, exact=True, **given).picture)
    assert there.resolved.models


@pytest.mark.parametrize(
    ("name", "kind"), [("tiff", Colour.CMYK), ("png", Colour.GREY), ("png", Colour.RGB)], ids=lambda one: str(one)
)
def test_every_kind_of_picture_comes_back_in_its_own_kind(client, studio, name, kind):
    channels = {Colour.CMYK: 4, Colour.GREY: 1, Colour.RGB: 3}[kind]
    values = smooth(2, channels=channels).astype(np.uint16) * 257
    alpha = None if kind is Colour.CMYK else np.full(SIZE.shape, 40000, np.uint16)
    picture = Picture(values, alpha, kind)
    there = client.edit(picture, mask=MASK, intent="remove", engine="telea")
    here = studio.edit(picture, mask=MASK, intent="remove", engine="telea")
    assert equal(there.picture, here.picture)
    assert (there.picture.depth, there.picture.colour) == (16, kind)


def test_what_lies_beside_the_mask_goes_along(client, studio):
    noise = np.random.default_rng(1).random((300, 300)).astype(np.float32)  # its code is too large to be inline
    noise[:, 260:] = 0
    noisy, picture = Mask.from_array(noise), from_array(smooth(3, Size(300, 300)))
    beside = Mask.from_array(np.random.default_rng(2).random((300, 300)) > 0.7)
    given = {"intent": "remove", "engine": "blur"}
    there = client.edit(picture, mask=noisy, avoid=beside, **given)
    here = studio.edit(picture, mask=noisy, avoid=beside, **given)
    assert equal(there.picture, here.picture)
    assert there.request == here.request
    assert there.request.mask.parts[0].raster.data is None
    assert set(there.notes) == set(here.notes)
    sketch = np.zeros((*SIZE.shape, 4), np.uint8)
    sketch[20:30, 20:40] = (200, 10, 10, 255)
    small = from_array(smooth(4))
    assert equal(
        client.edit(small, mask=MASK, sketch=sketch, **given).picture,
        studio.edit(small, mask=MASK, sketch=sketch, **given).picture,
    )
    put_in = np.dstack([smooth(5), np.where(MASK.values > 0, 180, 0).astype(np.uint8)])
    added = {"mask": MASK, "intent": "add", "insert": put_in}
    assert equal(client.edit(small, **added).picture, studio.edit(small, **added).picture)
    cut = {"mask": MASK, "intent": "add", "insert": (smooth(6), Mask.ellipse(SIZE, (10, 10, 100, 80)))}
    there, here = client.edit(small, **cut), studio.edit(small, **cut)
    assert equal(there.picture, here.picture)
    assert there.source_type == here.source_type


def test_margins_and_new_alpha_come_back(client, studio, photo):
    there, here = (
        client.expand(photo, left=9, engine="blur"),
        studio.edit(photo, intent="expand", margins=(9, 0, 0, 0), engine="blur"),
    )
    assert equal(there.picture, here.picture)
    assert there.placed == here.placed
    given = {"mask": MASK, "intent": "background", "options": {"transparent": True}}
    there, here = client.edit(photo, **given), studio.edit(photo, **given)
    assert there.picture.alpha is not None
    assert equal(there.picture, here.picture)
    assert there.comparison().size == here.comparison().size


def test_variations_and_many_edits(client, studio, photo):
    given = {"mask": MASK, "intent": "remove", "engine": "exemplar", "seed": 4}
    there = list(client.variations(photo, count=3, **given))
    assert [one.resolved.seed for one in there] == [4, 5, 6]
    for one, other in zip(there, studio.variations(photo, count=3, **given), strict=True):
        assert equal(one.picture, other.picture)
    edits = [(photo, MASK), (photo.with_name("missing.jpg"), MASK), (smooth(8), MASK)]
    found = list(client.edit_many(edits, intent="remove", engine="telea"))
    assert [isinstance(one, EditFailure) for one in found] == [False, True, False]
    assert isinstance(found[1].error, PictureError)


def test_a_changed_picture_is_not_taken_for_its_file(client, photo):
    opened = overpaint.open(photo)
    other = opened.with_pixels(255 - opened.samples, None)
    assert client.upload(opened).id == opened.source.sha256
    assert client.upload(other).id != opened.source.sha256
    there = client.remove(other, MASK, engine="telea")
    far = np.ones(SIZE.shape, bool)
    far[20:70, 30:80] = False
    assert np.array_equal(there.picture.samples[far], other.samples[far])


def test_where_nothing_may_change_the_original_stays_whatever_the_server_decodes(client, photo, monkeypatch):
    from overpaint.client import _calls

    real = _calls.asked_edit

    def other_decoder(*given: object) -> object:
        asked = real(*given)
        picture = asked.rasters.picture
        shifted = picture.with_pixels(np.clip(picture.samples.astype(int) + 1, 0, 255).astype(np.uint8), None)
        return replace(asked, rasters=replace(asked.rasters, picture=shifted))

    monkeypatch.setattr(_calls, "asked_edit", other_decoder)
    there = client.remove(photo, MASK, engine="telea")
    far = np.ones(SIZE.shape, bool)
    far[30 - there.reach - 8 : 60 + there.reach + 8, 40 - there.reach - 8 : 70 + there.reach + 8] = False
    assert np.array_equal(there.picture.samples[far], there.base.samples[far])
    assert any("decodes this file otherwise" in note for note in there.notes)


def test_pictures_and_masks_of_a_server(client, photo):
    kept = client.upload(photo)
    assert (kept.size, kept.format, kept.notes) == (SIZE, "jpeg", ())
    assert client.download(kept.id) == photo.read_bytes()
    assert client.open(kept.id).size == SIZE
    assert kept.id in [one.id for one in client.pictures()]
    assert client.thumbnail(kept.id, 32)[8:12] == b"WEBP"
    made = client.make_mask(kept, marks={"box": ["10,10,40,40"]}, grow=2)
    assert tuple(made.bounds) == (8, 8, 42, 42)
    assert client.open_mask(made.id).bounds == made.bounds
    assert client.overlay(kept.id, made.id)[8:12] == b"WEBP"
    shape = overpaint.EditRequest.of("remove", mask={"parts": [{"kind": "box", "box": (0, 0, 5, 5)}]}).mask
    assert client.make_mask(photo, shape).bounds.right == 5
    with pytest.raises(MaskError):
        client.make_mask(kept)
    client.delete_picture(kept.id)
    with pytest.raises(NotFoundError):
        client.picture(kept.id)


def test_the_catalogue(client):
    assert "exemplar" in {one["name"] for one in client.engines()}
    assert isinstance(client.models(), list)
    assert {"remove", "replace"} <= {one["name"] for one in client.intents()}
    assert client.samplers().samplers
    assert client.health().version == overpaint.__version__
    assert client.state().lanes >= 1


def test_errors_are_those_of_an_edit_made_here(client, studio, photo):
    for given, kind in (
        ({"mask": MASK, "engine": "nonsense"}, UnknownEngineError),
        ({"mask": MASK, "engine": "telea", "options": {"radius": -3}}, RequestError),
        ({"engine": "telea"}, MaskError),
        ({"mask": Mask.box(Size(5, 5), (0, 0, 2, 2))}, MaskError),
        ({"mask": MASK, "strength": 7}, RequestError),
        ({"mask": Mask.full(SIZE), "engine": "telea"}, MaskError),
    ):
        errors = []
        for made in (client, studio):
            with pytest.raises(kind) as found:
                made.edit(photo, intent="remove", **given)
            errors.append(found.value)
        there, here = errors
        assert type(there) is type(here)
        assert (str(there), there.code, there.field, there.hint) == (str(here), here.code, here.field, here.hint)
        assert there.value == here.value or here.value == given.get("options")


def test_jobs_are_listed_found_again_and_forgotten(client, studio, photo):
    job = client.submit(photo, mask=MASK, intent="remove", engine="telea")
    seen = list(job.events())
    assert (seen[0].kind, seen[-1].kind) == ("queued", "done")
    later = [one.number for one in job.events(seen[0].number)]  # of several places and steps the last one is kept
    assert later
    assert later[-1] == seen[-1].number
    assert seen[0].number not in later
    assert job.wait().state == "done"
    other = client.job(job.id)
    assert equal(other.result().picture, job.result().picture)
    assert np.array_equal(other.result().mask.values, job.result().mask.values)
    assert job.id in [one.id for one in client.jobs("done")]
    assert job.id not in [one.id for one in client.jobs("failed")]
    for wrong in (job.retry, lambda: job.move(0)):
        with pytest.raises(ConflictError):
            wrong()
    job.delete()
    with pytest.raises(NotFoundError):
        job.refresh()
    with pytest.raises(RequestError, match="no id"):
        client.job("../pictures")


def test_the_same_name_is_the_same_job_and_no_other_request(client, photo):
    given = {"mask": MASK, "intent": "remove", "engine": "telea"}
    first = client.submit(photo, idempotency_key="one", **given)
    assert client.submit(photo, idempotency_key="one", **given).id == first.id
    assert client.submit(photo, **given).id != first.id
    with pytest.raises(ConflictError) as found:
        client.submit(photo, idempotency_key="one", **{**given, "grow": 9})
    assert found.value.code == "idempotency-key-used"


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Running, threading.Event, threading.Event]]:
    gate, started = threading.Event(), threading.Event()
    with Studio() as studio, running(tmp_path / "slow", studio, lanes=1, client_jobs=2) as found:
        studio.add_engine(waiting(gate, started))
        yield found, gate, started
        gate.set()


SLOW = {"mask": MASK, "intent": "remove", "engine": "stand-in"}


def test_progress_comes_and_a_cancelled_monitor_cancels_the_job(slow, photo):
    server, _, started = slow
    steps: list[tuple[int, int]] = []
    with Client(server.url) as client:

        def progress(step: int, of: int) -> None:
            steps.append((step, of))
            if len(steps) >= 2:
                monitor.cancel()

        monitor = Monitor(on_progress=progress)
        with pytest.raises(Cancelled):
            client.edit(photo, monitor=monitor, **SLOW)
        assert started.is_set()
        assert steps[0][1] == 1000
        (job,) = client.jobs()
        assert job.wait(timeout=10).state == "cancelled"
        with pytest.raises(Cancelled):
            job.result()


def test_a_wait_can_end_before_the_job_does(slow, photo):
    server, gate, _ = slow
    with Client(server.url) as client:
        job = client.submit(photo, **SLOW)
        with pytest.raises(TimeoutError):
            job.wait(timeout=0.2)
        assert not job.refresh().ended
        gate.set()
        assert job.wait(timeout=20).state == "done"


def test_where_there_is_no_room_it_waits_or_says_so(slow, photo):
    server, gate, _ = slow
    with Client(server.url, limits=WaitLimits(busy=0.0)) as hasty, Client(server.url) as patient:
        jobs = [hasty.submit(photo, seed=seed, **SLOW) for seed in range(2)]
        with pytest.raises(TooManyJobsError) as found:
            hasty.submit(photo, seed=2, **SLOW)
        assert found.value.retry_after >= 1
        opening = threading.Timer(0.5, gate.set)
        opening.start()
        jobs.append(patient.submit(photo, seed=2, **SLOW))
        assert gate.is_set()
        assert len({job.id for job in jobs}) == 3
        assert [job.wait(timeout=20).state for job in jobs] == ["done"] * 3


def test_a_job_that_waits_is_moved_and_cancelled_and_tried_again(slow, photo):
    server, gate, started = slow
    with Client(server.url) as client:
        first = client.submit(photo, **SLOW)
        assert started.wait(20)
        second = client.submit(photo, seed=5, **SLOW)
        assert second.move(0).place == 0
        assert second.cancel().state == "cancelled"
        assert second.retry().state == "queued"
        gate.set()
        assert [first.wait().state, second.wait().state] == ["done", "done"]


def test_keys_say_who_sees_what_and_are_shown_nowhere(tmp_path, photo):
    keys = tmp_path / "keys.txt"
    ann, bob, eye = new_key(keys, "ann"), new_key(keys, "bob"), new_key(keys, "eye", ("read",))
    file = tmp_path / "ann.key"
    file.write_text(f"# of Ann\n{ann}\n")
    file.chmod(0o600)
    given = {"mask": MASK, "intent": "remove", "engine": "telea"}
    with (
        Studio() as studio,
        running(tmp_path / "server", studio, keys=keys) as server,
        Client(server.url, key_file=file) as first,
        Client(server.url, bob) as second,
        Client(server.url, eye) as reader,
        Client(server.url, "op-wrong") as stranger,
    ):
        jobs = [made.submit(photo, **given) for made in (first, second)]
        assert [job.wait().state for job in jobs] == ["done", "done"]
        with pytest.raises(NotFoundError):
            second.job(jobs[0].id)
        with pytest.raises(NotAllowedError) as found:
            reader.submit(photo, **given)
        assert found.value.code == "not-allowed"
        with pytest.raises(NotAllowedError) as found:
            stranger.pictures()
        assert (found.value.code, found.value.field) == ("key-missing", "key")
        assert "op-wrong" not in f"{found.value!r} {found.value} {stranger!r} {stranger.address!r} {first.address}"
        assert ann not in f"{first!r} {first.address!r}"


def test_both_clients_have_the_same_calls():
    def calls(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in vars(kind).items()
            if inspect.isfunction(member) and not name.startswith("_")
        }

    many = {"edit_many", "studio"}  # a loop with its own tasks needs none
    assert {name: one for name, one in calls(Client).items() if name not in many} == calls(AsyncClient)
    assert calls(RemoteJob) == calls(AsyncJob)


def test_the_asynchronous_client_does_several_at_once(server, photo):
    async def work() -> list[object]:
        async with AsyncClient(server.url) as client:
            made = [client.remove(photo, MASK, engine="exemplar", seed=seed) for seed in range(3)]
            found: list[object] = [one.resolved.seed for one in await asyncio.gather(*made)]
            job = await client.submit(photo, mask=MASK, intent="remove", engine="telea")
            found.append([event.kind async for event in job.events()][-1])
            found.append((await job.result()).picture.size)
            found.append(
                [
                    one.resolved.seed
                    async for one in client.variations(photo, mask=MASK, intent="remove", count=2, seed=9)
                ]
            )
            return found

    assert asyncio.run(work()) == [0, 1, 2, "done", SIZE, [9, 10]]


def test_a_stopped_task_stops_its_job(slow, photo):
    server, _, started = slow

    async def work() -> str:
        async with AsyncClient(server.url) as client:
            task = asyncio.ensure_future(client.edit(photo, **SLOW))
            await asyncio.to_thread(started.wait, 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            (job,) = await client.jobs()
            return (await job.wait(timeout=10)).state

    assert asyncio.run(work()) == "cancelled"


def test_two_clients_with_one_picture_upload_it_once(server, studio):
    picture = from_array(smooth(11))
    data = encode(picture, "png").data
    with Client(server.url) as one, Client(server.url) as two:
        found: list[object] = []
        threads = [
            threading.Thread(target=lambda made=made: found.append(made.remove(data, MASK, engine="telea")))
            for made in (one, two, one, two)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 4
        assert all(equal(one.picture, found[0].picture) for one in found)


def test_a_call_from_a_report_does_not_block(slow, photo):
    server, gate, _ = slow
    with Client(server.url) as client:
        seen: list[str] = []

        def progress(step: int, of: int) -> None:
            seen.append(client.health().status)
            gate.set()

        began = time.monotonic()
        client.edit(photo, monitor=Monitor(on_progress=progress), **SLOW)
        assert seen[0] == "ok"
        assert time.monotonic() - began < 30
