"""Faces are found, restored in their frame and laid back; nothing else changes."""

from __future__ import annotations

import base64
import io
import json
import shutil
import threading
from pathlib import Path
from typing import Any

import cv2
import httpx2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage import data

import overpaint
from overpaint import Mask
from overpaint.audit import replay
from overpaint.cli import main
from overpaint.client import Client
from overpaint.engines.spandrel_import import torchvision_stood_in
from overpaint.errors import EngineError, ModelError, OverpaintError, RequestError
from overpaint.models import accept, digest, find_network, licence_terms
from overpaint.picture import Picture, from_array
from overpaint.record import infotext, read_record
from overpaint.request import EditRequest, MaskSpec, SelectPart
from overpaint.restore import FaceSettings, face_frame, face_networks, restore_faces
from overpaint.select import select
from overpaint.select.face_search import find_faces
from overpaint.select.seen import SeenPicture
from overpaint.studio import Studio
from servers import running
from stand_ins import echo, waiting

PHOTO = np.ascontiguousarray(data.astronaut()[:256, 100:356])
YUNET = Path(__file__).resolve().parents[2] / "shared" / "nets" / "yunet_n_dynamic.onnx"
FACE = (80, 50, 170, 190)
"""Around the astronaut's face."""


class Inverts:
    """Turns colours round."""

    name = "inverts"

    def __call__(self, face: Any, fidelity: float = 0.5) -> Any:
        return 1 - face


@pytest.fixture(params=["cascade", "yunet"])
def detector(request: pytest.FixtureRequest) -> Path | None:
    if request.param == "yunet" and not YUNET.exists():
        pytest.skip("the network of YuNet is not here")
    return YUNET if request.param == "yunet" else None


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small RestoreFormer of the published layout, with random weights."""
    with torchvision_stood_in():
        pytest.importorskip("spandrel", reason="the extra restore is not installed")
        from spandrel.architectures.RestoreFormer import RestoreFormer
    torch.manual_seed(3)
    sizes = {"ch": 32, "ch_mult": (1, 1, 1, 1, 1, 1), "num_res_blocks": 1, "n_embed": 16, "embed_dim": 32}
    made = RestoreFormer(**sizes, z_channels=32, attn_resolutions=(16,), resolution=512, head_size=8)
    file = tmp_path_factory.mktemp("faces") / "former.safetensors"
    save_file({name: one.contiguous() for name, one in made.state_dict().items()}, file)
    return file


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    folder = tmp_path / "home"
    monkeypatch.setenv("OVERPAINT_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    (folder / "models").mkdir(parents=True)
    return folder / "models"


def found(picture: Picture, detector: Path | None) -> list[Any]:
    return list(find_faces(SeenPicture.of(picture), detector))


def test_the_face_is_in_its_frame(detector: Path | None):
    (turn,) = face_frame.turns_of(found(from_array(PHOTO), detector), from_array(PHOTO).size)
    eyes = np.array([[101.0, 105.0], [136.0, 105.0]])  # of the astronaut
    places = eyes @ turn.matrix[:, :2].T + turn.matrix[:, 2]
    assert np.abs(places - face_frame.TEMPLATE[:2]).max() < 45


def test_the_face_changes_and_nothing_around_it(detector: Path | None):
    made = restore_faces(from_array(PHOTO), Inverts(), settings=FaceSettings(detector=detector))
    assert made.faces == 1
    changed = (made.picture.samples != PHOTO).any(axis=2)
    assert changed[110:130, 110:130].mean() > 0.9
    assert not changed[:20].any()
    assert not changed[240:].any()
    none = restore_faces(from_array(PHOTO), Inverts(), settings=FaceSettings(weight=0, detector=detector))
    assert np.array_equal(none.picture.samples, PHOTO)


def test_within_a_mask_only(detector: Path | None):
    mask = Mask.box(from_array(PHOTO).size, (0, 0, 120, 256))
    settings = FaceSettings(detector=detector)
    made = restore_faces(from_array(PHOTO), Inverts(), mask=mask, settings=settings).picture.samples
    assert np.array_equal(made[:, 120:], PHOTO[:, 120:])
    assert not np.array_equal(made, PHOTO)


class Fails(Inverts):
    """Gives what damaged weights give."""

    def __call__(self, face: Any, fidelity: float = 0.5) -> Any:
        return np.full_like(face, np.nan)


def test_a_network_that_gives_no_numbers_is_an_error_and_changes_nothing():
    """What is no number stays so when it is multiplied by a mask's 0."""
    mask = Mask.box(from_array(PHOTO).size, (0, 0, 120, 256))
    with pytest.raises(EngineError, match="inverts gave pixels that are not finite numbers"):
        restore_faces(from_array(PHOTO), Fails(), mask=mask)


def test_a_picture_without_a_face_stays_as_it_is():
    plain = from_array(cv2.GaussianBlur(PHOTO[180:, :100], (0, 0), 9))
    made = restore_faces(plain, Inverts())
    assert made.faces == 0
    assert np.array_equal(made.picture.samples, plain.samples)


def test_bad_input_is_named(tmp_path: Path):
    with pytest.raises(RequestError, match="0 to 1"):
        FaceSettings(weight=1.5)
    with pytest.raises(RequestError, match="0 to 1"):
        FaceSettings(fidelity=float("nan"))
    with pytest.raises(ModelError) as error:
        face_networks.face_restorer(str(tmp_path / "none.pth"))
    assert error.value.field == "model"
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"no network")
    with pytest.raises(ModelError, match="no face detector"):
        found(from_array(PHOTO), junk)


def test_a_network_that_changes_nothing_changes_nothing(detector: Path | None):
    """The way into the frame and back adds no blur: what is laid back is the change."""

    class Same(Inverts):
        def __call__(self, face: Any, fidelity: float = 0.5) -> Any:
            return face

    for array in (PHOTO, PHOTO.astype(np.uint16) * 257 + 3):
        made = restore_faces(from_array(array), Same(), settings=FaceSettings(detector=detector))
        assert made.faces == 1
        assert np.array_equal(made.picture.samples, array)


@pytest.mark.parametrize("side", [90, 700, 1500])
def test_a_face_of_any_size_keeps_its_detail(side: int):
    """A face far larger than the frame keeps the detail that the frame can't show; a small one gets no patterns."""
    rng = np.random.default_rng(5)
    large = cv2.resize(PHOTO[40:200, 40:200], (side * 8 // 5, side * 8 // 5), interpolation=cv2.INTER_CUBIC)
    noise = rng.integers(-20, 21, large.shape[:2])[..., None]
    picture = from_array(np.clip(60 + large * 0.4 + noise, 0, 255).astype(np.uint8))

    class Brighter(Inverts):
        def __call__(self, face: Any, fidelity: float = 0.5) -> Any:
            return np.clip(face + np.float32(20 / 255), 0, 1)

    middle = side * 8 // 10
    face = face_frame.turns_of([face_search_result(side)], picture.size)
    made = restored_with(picture, Brighter(), face)
    area = (slice(middle - side // 6, middle + side // 6),) * 2
    before, after = (one[area].astype(float) for one in (picture.samples, made))
    assert abs(after - before - 20).max() <= 1  # the change is even, and the noise is as it was


def face_search_result(side: int) -> Any:
    from overpaint.select.face_search import FoundFace

    return FoundFace((side * 0.3, side * 0.3, side * 1.3, side * 1.3))


def restored_with(picture: Picture, network: Any, turns: Any) -> Any:
    from overpaint.picture.colour import converter_for
    from overpaint.restore.faces import _change

    (turn,) = turns
    change = _change(picture, converter_for(picture, "srgb"), turn, network, FaceSettings())
    samples = picture.samples.astype(np.float32)
    samples[turn.box.slices] += change
    return np.rint(np.clip(samples, 0, 255))


def test_restoring_keeps_depth_alpha_and_profile():
    array = np.dstack([PHOTO.astype(np.uint16) * 257, np.full(PHOTO.shape[:2], 65535, np.uint16)])
    array[100:120, 100:120, 3] = 0
    picture = from_array(array)
    made = restore_faces(picture, Inverts()).picture
    assert made.depth == 16
    assert np.array_equal(made.alpha, picture.alpha)
    changed = (made.samples != picture.samples).any(axis=2)
    assert changed[125:135, 110:130].all()
    assert not changed[102:118, 102:118].any()  # what can't be seen
    assert made.metadata.icc == picture.metadata.icc


def test_restoreformer_is_loaded_and_the_command_uses_it(
    former: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PHOTO).save("a.png")
    assert main(["restore", "a.png"]) != 0
    assert "no network for faces is on this machine" in capsys.readouterr().err
    assert main(["restore", "a.png", "--model", str(former)]) == 0
    assert "restored 1 face (former)" in capsys.readouterr().out
    changed = (np.asarray(Image.open("a.restore.png")) != PHOTO).any(axis=2)
    assert changed[110:130, 110:130].mean() > 0.5
    assert not changed[240:].any()
    shutil.copy(former, store / "former.safetensors")
    assert main(["restore", "a.png", "--overwrite"]) == 0
    out = capsys.readouterr()
    assert "restored 1 face (former)" in out.out
    assert "restored by former" in out.err
    assert main(["info", "a.restore.png"]) == 0
    shown = capsys.readouterr().out
    assert "faces restored by former" in shown
    assert not {"custom", "regions", "seam", "intent"} & set(shown.split())
    Image.fromarray(PHOTO[240:]).save("none.png")
    for detector, advised in ((), True), (("--detector", "none"), False):
        assert main(["restore", "none.png", "--overwrite", *detector]) == 0
        err = capsys.readouterr().err
        assert "no face was found: the picture is as it was" in err
        assert ("run 'overpaint models get yunet'" in err) == advised
    assert main(["restore", "a.png", "--overwrite", "--model", "former", "--weight", "0"]) == 0
    assert np.array_equal(np.asarray(Image.open("a.restore.png")), PHOTO)


def edited(**settings: Any) -> Any:
    """A copy of the face is painted over it, with a soft edge."""
    with Studio(threads=1) as studio:
        studio.add_engine(echo())
        mask = Mask.box(from_array(PHOTO).size, FACE)
        return studio.edit(from_array(PHOTO), mask=mask, engine="stand-in", grow=4, feather=6, seed=1, **settings)


@pytest.fixture
def former_here(former: Path, store: Path) -> Path:
    """The same network in a store that has nothing else."""
    return Path(shutil.copy(former, store / "former.safetensors"))


@pytest.fixture
def quick(former_here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That network, in whose place colours are turned round, which takes no time."""
    monkeypatch.setattr(face_networks, "load_face_network", lambda ref, device: Inverts())
    return former_here


def test_an_edit_restores_the_faces_in_what_it_painted_and_nothing_else(quick: Path):
    plain, restored = edited(), edited(restore_faces="auto", face_weight=0.5)
    changed = (restored.picture.samples != PHOTO).any(axis=2)
    assert changed[100:140, 100:140].mean() > 0.5
    assert not changed[~restored.touched].any()
    assert np.array_equal(restored.touched, plain.touched)
    resolved = restored.resolved
    assert (resolved.restore_faces, resolved.face_weight, resolved.face_fidelity) == ("former", 0.5, None)
    assert [one.role for one in resolved.models] == ["faces"]
    assert resolved.models[0].sha256 == digest(find_network("former", "faces").path)
    assert resolved.digest != plain.resolved.digest
    assert "faces are restored by former, as it is on this machine" in restored.notes
    assert "Face restoration: former" in infotext(restored.record)
    assert "spandrel" in restored.execution.versions
    assert restored.source_type != plain.source_type
    assert edited(restore_faces=True, face_weight=0.5).resolved == resolved  # as tables of other tools have it


def test_a_restored_edit_is_replayed_to_equal_pixels_by_its_record_alone(former_here: Path, tmp_path: Path):
    restored = edited(restore_faces="former")
    restored.save(tmp_path / "a.png")
    record = read_record(overpaint.open(tmp_path / "a.png")).record
    assert record.resolved.restore_faces == "former"
    with Studio(threads=1) as studio:
        studio.add_engine(echo())
        again = replay(studio, record, from_array(PHOTO), made=overpaint.open(tmp_path / "a.png"))
        assert (again.equal, again.file) == (True, "same")
        former_here.unlink()
        with pytest.raises(ModelError, match="former"):
            replay(studio, record, from_array(PHOTO))


def test_what_can_t_be_followed_is_noted_or_refused_before_any_painting(quick: Path):
    assert "without restore_faces face_weight had no effect" in edited(face_weight=0.5).notes
    noted = edited(restore_faces="former", face_fidelity=0.2)
    assert "RestoreFormer does not use face_fidelity" in noted.notes
    off = edited(restore_faces="former", face_weight=0)
    assert np.array_equal(off.picture.samples, PHOTO)
    assert (off.resolved.restore_faces, off.resolved.models) == (None, ())
    assert any("weight of 0" in note for note in off.notes)
    quick.unlink()
    assert any(
        "may be used, so that restore_faces had no effect" in note for note in edited(restore_faces="auto").notes
    )
    with Studio() as studio:
        studio.add_engine(waiting(threading.Event(), threading.Event()))  # that would never be done
        with pytest.raises(ModelError, match="former"):
            studio.edit(PHOTO, mask=Mask.box(from_array(PHOTO).size, FACE), engine="stand-in", restore_faces="former")
        with pytest.raises(ModelError, match="former"):
            studio.check(EditRequest(intent="remove", restore_faces="former"), masked=True)
    with pytest.raises(RequestError, match="face_weight"):
        EditRequest(face_weight=1.5)


def test_no_face_in_what_is_painted_is_noted(quick: Path):
    with Studio() as studio:
        studio.add_engine(echo())
        mask = Mask.box(from_array(PHOTO).size, (0, 200, 40, 256))
        made = studio.edit(from_array(PHOTO), mask=mask, engine="stand-in", restore_faces="former")
    assert "no face is in what was painted, so that restore_faces had no effect" in made.notes
    assert np.array_equal(made.picture.samples, PHOTO)


def test_a_network_that_is_named_by_its_path_is_for_those_on_this_machine(former: Path, quick: Path):
    assert edited(restore_faces=str(former)).resolved.models[0].name == "former"
    with Studio(model_paths=False) as studio, pytest.raises(ModelError):
        studio.check(EditRequest(intent="remove", engine="telea", restore_faces=str(former)), masked=True)


def test_sixteen_bits_and_alpha_are_kept_by_an_edit(quick: Path):
    array = np.dstack([PHOTO.astype(np.uint16) * 257, np.full(PHOTO.shape[:2], 40000, np.uint16)])
    picture = from_array(array)
    with Studio() as studio:
        studio.add_engine(echo())
        mask = Mask.box(picture.size, FACE)
        made = studio.edit(picture, mask=mask, engine="stand-in", restore_faces="former")
    assert made.picture.depth == 16
    assert np.array_equal(made.picture.alpha, picture.alpha)
    assert len(np.unique(made.picture.samples[100:140, 100:140] % 257)) > 100
    assert np.array_equal(made.picture.samples[~made.touched], picture.samples[~made.touched])


def test_the_option_of_every_verb_that_paints(former_here: Path, tmp_path: Path, monkeypatch: Any, capsys: Any):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PHOTO).save("a.png")
    place = ["--box", "90,120,105,135", "--engine", "telea"]
    assert main(["remove", "a.png", *place, "-o", "plain.png"]) == 0
    assert main(["remove", "a.png", *place, "-o", "new.png", "--restore-faces", "former", "--audit", "log"]) == 0
    plain, new = (np.asarray(Image.open(name)) for name in ("plain.png", "new.png"))
    assert (plain != new).any(axis=2)[122:133, 92:103].mean() > 0.5
    reach = (np.asarray(Image.fromarray(PHOTO)) != plain).any(axis=2)
    assert not (plain != new).any(axis=2)[~cv2.dilate(reach.astype(np.uint8), np.ones((25, 25))).astype(bool)].any()
    capsys.readouterr()
    assert main(["replay", "new.png"]) == 0
    assert main(["audit", "verify", "log"]) == 0
    assert "former" in Path("log").read_text()
    rows = [{"image": "a.png", "box": "90,120,105,135", "engine": "telea", "restore_faces": True, "output": "row.png"}]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["batch", "rows.jsonl", "-o", "out"]) == 0
    assert np.array_equal(np.asarray(Image.open("out/row.png")), new)
    capsys.readouterr()
    assert main(["remove", "a.png", *place, "-o", "no.png", "--restore-faces", "nobody"]) != 0
    assert "nobody" in capsys.readouterr().err
    assert not Path("no.png").exists()


@pytest.mark.skipif(not YUNET.exists(), reason="the network of YuNet is not here")
def test_yunet_is_used_when_it_is_in_the_store(quick: Path, store: Path):
    shutil.copy(YUNET, store / "yunet.onnx")
    made = edited(restore_faces="former")
    assert [one.role for one in made.resolved.models] == ["faces", "face-detector"]
    assert len(select(from_array(PHOTO), "faces")) == 1
    assert not np.array_equal(made.picture.samples, PHOTO)
    tilted = cv2.warpAffine(
        PHOTO, cv2.getRotationMatrix2D((120, 120), 40, 1), (256, 256), borderMode=cv2.BORDER_REFLECT
    )
    assert len(select(from_array(tilted), "faces")) == 1


@pytest.mark.skipif(not YUNET.exists(), reason="the network of YuNet is not here")
def test_what_finds_faces_to_be_selected_is_recorded_and_found_again(store: Path):
    """The cascade does not see a face that is turned, and a replay on another machine must not use it in silence."""
    settings = EditRequest.of("remove", engine="telea", mask=MaskSpec(parts=(SelectPart(selector="faces"),)))
    with Studio(threads=1) as studio:
        by_cascade = studio.edit(from_array(PHOTO), settings).resolved
        shutil.copy(YUNET, store / "yunet.onnx")
        by_network = studio.edit(from_array(PHOTO), settings)
        again = studio.edit(from_array(PHOTO), EditRequest.of("remove", engine="telea", mask=by_cascade.mask)).resolved
    assert [one.role for one in by_network.resolved.models] == ["face-detector"]
    assert by_network.resolved.mask.parts[0].options == {"model": "yunet"}
    assert by_cascade.mask.parts[0].options == {"model": "cascade"}
    assert by_cascade.models == again.models == ()
    record = by_network.record
    (store / "yunet.onnx").unlink()
    with Studio(threads=1) as studio, pytest.raises(ModelError, match="yunet"):
        replay(studio, record, from_array(PHOTO))


def test_automatic1111s_clients_have_faces_restored(quick: Path, tmp_path: Path):
    def b64(array: Any) -> str:
        out = io.BytesIO()
        Image.fromarray(array).save(out, "PNG")
        return base64.b64encode(out.getvalue()).decode()

    mask = np.zeros(PHOTO.shape[:2], np.uint8)
    mask[120:135, 90:105] = 255
    body = {"init_images": [b64(PHOTO)], "mask": b64(mask), "mask_blur": 0, "width": 256, "height": 256}
    body["override_settings"] = {"sd_model_checkpoint": "telea", "face_restoration_model": "CodeFormer"}
    with Studio(threads=1) as studio, running(tmp_path / "data", studio) as server:
        client = httpx2.Client(base_url=server.url, timeout=60, trust_env=False)

        def painted(**more: Any) -> tuple[Any, Any]:
            reply = client.post("/sdapi/v1/img2img", json={**body, **more}).json()
            image = Image.open(io.BytesIO(base64.b64decode(reply["images"][0])))
            return np.asarray(image.convert("RGB")), json.loads(reply["info"])

        plain, about = painted()
        assert (about["restore_faces"], about["face_restoration_model"]) == (False, None)
        restored, about = painted(restore_faces=True)
        assert (about["restore_faces"], about["face_restoration_model"]) == (True, "RestoreFormer")
        assert "the network for faces 'CodeFormer' is not on this server: RestoreFormer was used" in about["notes"]
        assert "Face restoration: former" in about["infotexts"][0]
        assert (plain != restored).any(axis=2)[mask > 0].mean() > 0.5
        assert not (plain != restored).any(axis=2)[mask == 0].any()
        assert client.get("/sdapi/v1/face-restorers").json() == [{"name": "RestoreFormer", "cmd_dir": None}]
        assert client.post("/sdapi/v1/options", json={"face_restoration": True}).status_code == 200
        assert np.array_equal(painted()[0], restored)
        client.close()


def test_a_client_has_faces_restored_by_the_server_and_here(quick: Path, former: Path, tmp_path: Path):
    mask = Mask.box(from_array(PHOTO).size, (90, 120, 105, 135))
    wish = {"engine": "telea", "intent": "remove", "restore_faces": "former"}
    with (
        Studio(model_paths=False) as studio,
        running(tmp_path / "data", studio) as server,
        Client(server.url) as client,
    ):
        there = client.edit(PHOTO, mask=mask, **wish)
        with client.studio() as remote:
            here = remote.edit(from_array(PHOTO), mask=mask, **wish)
        with pytest.raises(OverpaintError, match="former"):
            client.edit(PHOTO, mask=mask, **{**wish, "restore_faces": str(former)})
    assert np.array_equal(there.picture.samples, here.picture.samples)
    assert any(one.role == "faces" for one in here.resolved.models)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["gfpgan", "codeformer"])
def test_gfpgan_and_codeformer_of_the_published_layout_give_what_their_authors_code_gives(network: str, store: Path):
    """87 and 94 million random weights. In and out are colours in [-1, 1]; GFPGAN takes its stored noise."""
    with torchvision_stood_in():
        pytest.importorskip("spandrel_extra_arches", reason="the extra restore is not installed")
        from spandrel.architectures.GFPGAN import GFPGAN
        from spandrel_extra_arches.architectures.CodeFormer import CodeFormer
    torch.manual_seed(1)
    module = (GFPGAN() if network == "gfpgan" else CodeFormer()).eval()
    save_file({name: one.contiguous() for name, one in module.state_dict().items()}, store / f"{network}.safetensors")
    if network == "codeformer":
        with pytest.raises(ModelError) as refused:
            face_networks.face_restorer(network)
        assert refused.value.code == "licence-not-accepted"
        accept(licence_terms(network))
    restorer = face_networks.face_restorer(network, device="cpu")
    assert restorer.network == network
    face = np.random.default_rng(0).random((512, 512, 3), dtype=np.float32)
    made = restorer(face, 0.25)
    how = {"return_rgb": False, "randomize_noise": False} if network == "gfpgan" else {"weight": 0.25}
    with torch.inference_mode():
        whole = module(torch.from_numpy(face.transpose(2, 0, 1))[None] * 2 - 1, **how)[0]
    assert np.allclose(made, (whole[0].clamp(-1, 1).numpy().transpose(1, 2, 0) + 1) / 2, atol=1e-5)
    assert np.array_equal(made, restorer(face, 0.25))
    if network == "codeformer":
        assert not np.allclose(made, restorer(face, 1.0), atol=0.01)


def test_a_licence_of_its_own_is_accepted_before_and_kept_in_the_record(quick: Path, monkeypatch: pytest.MonkeyPatch):
    """As CodeFormer's: with the same file under a name of the catalogue that has terms."""
    quick.rename(quick.with_name("codeformer.safetensors"))
    with pytest.raises(ModelError) as refused:
        edited(restore_faces="codeformer")
    assert refused.value.code == "licence-not-accepted"
    assert any(
        "no network for faces is on this machine that may be used" in n for n in edited(restore_faces=True).notes
    )
    accept(licence_terms("codeformer"))
    (used,) = edited(restore_faces="codeformer").record.resolved.models
    assert "non-commercial" in used.licence
    assert used.accepted is not None
