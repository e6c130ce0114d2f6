"""Training stages on synthetic photos, on a CPU: complete runs, and runs that are stopped and continued."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from training.pocket import __main__ as command
from training.pocket import (
    autoencoder,
    card,
    config,
    dataset,
    denoiser,
    evaluate,
    export,
    mobilenet,
    networks,
    phrases,
    sampling,
    scenes,
    sheets,
    tokenizer,
)
from training.pocket.loop import Limits
from training.pocket.state import State

from overpaint.models import read_hints
from overpaint.models.store import licence_of

TINY = """
[networks]
size = 32
[networks.autoencoder]
width = 16
encoder_blocks = [0, 0, 1, 1]
decoder_blocks = [1, 1, 0, 0]
[networks.denoiser]
channels = [16, 32]
heads = [1, 2]
[networks.text]
vocabulary = 560
width = 16
layers = 1
heads = 2
[data]
tile = 24
[autoencoder]
steps = 6
batch = 2
crops = [32]
warm_up = 1
features = 0
adversarial_from = 0.5
[denoiser]
steps = 6
batch = 3
repeats = 2
warm_up = 1
sizes = [32, 24]
"""
SEGMENTER = Path(__file__).parents[2] / "shared" / "nets" / "deeplabv3_mnv2_ade20k_int8.tflite"
CLASSIFIER = Path(__file__).parents[2] / "shared" / "nets" / "mobilenet_edgetpu_224_1.0_uint8.tflite"
DISC = (220, 40, 30)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as tiny as these are slower on several threads, and far slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def quiet(line: str) -> None:
    assert line


def photograph(number: int) -> np.ndarray:
    """A red disc on a green ground with some grain, no two alike."""
    rng = np.random.default_rng(number)
    pixels = np.full((72, 80, 3), (60, 150, 70), np.float64) + rng.normal(0, 4, (72, 80, 3))
    y, x = np.mgrid[:72, :80]
    pixels[(x - 40) ** 2 + (y - 36) ** 2 < (18 + number % 4) ** 2] = DISC
    return pixels.clip(0, 255).astype(np.uint8)


def tar_of_photos(path: Path, licences: list[str]) -> None:
    with tarfile.open(path, "w") as tar:
        for number, licence in enumerate(licences):
            jpeg = io.BytesIO()
            Image.fromarray(photograph(number)).save(jpeg, "jpeg", quality=95)
            row = {
                "caption": "a photo of a rose",
                "labels": ["rose", "flower", "grass"],
                "source": "us",
                "licence": licence,
            }
            for kind, data in (("jpg", jpeg.getvalue()), ("json", json.dumps(row).encode())):
                member = tarfile.TarInfo(f"{number:03d}.{kind}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> config.Config:
    path = tmp_path_factory.mktemp("config") / "tiny.toml"
    path.write_text(TINY)
    return config.read(path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, settings: config.Config) -> State:
    """Photos read and the vocabulary learned."""
    root = tmp_path_factory.mktemp("state")
    (root / "tars").mkdir()
    tar_of_photos(root / "tars" / "a.tar", ["CC0"] * 6 + ["CC-BY-SA-3.0", "LGPL-3.0 / CC-BY", "OSL-3.0", "GPL-2+"])
    state = State(root)
    dataset.build(root / "tars", state.photos, settings.data, report=quiet)
    text = settings.networks.text
    tokenizer.write(
        state.tokenizer, phrases.corpus(dataset.records(state.photos)), vocabulary=text.vocabulary, length=text.length
    )
    return state


def run_autoencoder(settings: config.Config, state: State, steps: int | None = None, begin: Path | None = None) -> int:
    return autoencoder.train(
        settings,
        state,
        device="cpu",
        features=Path("none"),
        limits=Limits(steps),
        begin=begin,
        fast=False,
        record=False,
        report=quiet,
    ).step


def run_denoiser(settings: config.Config, state: State, steps: int | None = None, begin: Path | None = None) -> int:
    return denoiser.train(
        settings, state, device="cpu", limits=Limits(steps), begin=begin, fast=False, record=False, report=quiet
    ).step


@pytest.fixture(scope="module")
def checkpoint(prepared: State, settings: config.Config) -> Path:
    """All stages, each stopped after half of its steps and gone on with."""
    assert run_autoencoder(settings, prepared, 3) == 3
    assert run_autoencoder(settings, prepared) == 6
    assert run_denoiser(settings, prepared, 3) == 3
    assert run_denoiser(settings, prepared) == 6
    folder = prepared.root / "checkpoint"
    export.write(settings, prepared, folder, report=quiet)
    return folder


def weights(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["average"]["weights"]
    return found


def state_with(state: State, folder: Path, *parts: str) -> State:
    """Another state folder with parts of this one."""
    folder.mkdir(exist_ok=True)
    for part in parts:
        (folder / part).symlink_to(state.root / part)
    return State(folder)


def test_photos_whose_licence_asks_for_more_than_credit_are_left_out(prepared: State) -> None:
    assert [record.licence for record in dataset.records(prepared.photos)] == ["CC0"] * 6


def test_several_processes_write_the_same_files(prepared: State, settings: config.Config, tmp_path: Path) -> None:
    dataset.build(prepared.root / "tars", tmp_path, settings.data, jobs=2, report=quiet)
    for path in prepared.photos.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_whole_photos_have_no_cuts_and_zero_jobs_are_refused(
    prepared: State, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["photos", str(prepared.root / "tars"), "--state", str(tmp_path)]
    assert command.main([*given, "--whole"]) == 0
    assert len(dataset.load(tmp_path / "photos", torch.device("cpu")).tiles) == 0
    capsys.readouterr()
    assert command.main([*given, "--jobs", "0"]) == 2
    assert "jobs is 0" in capsys.readouterr().err


def test_a_whole_schedule_fits_into_the_time_that_is_given(settings: config.Config) -> None:
    given = command.RunOptions(within=2.5).schedule(settings, "denoiser")
    assert (given.denoiser.minutes, given.autoencoder.minutes) == (2.5, settings.autoencoder.minutes)
    assert command.RunOptions().schedule(settings, "denoiser") == settings
    with pytest.raises(ValueError, match="within is 0 minutes"):
        command.RunOptions(within=0).schedule(settings, "denoiser")


def test_the_object_of_a_photo_is_cut_out_and_named_with_its_own_colour(prepared: State) -> None:
    photos = dataset.load(prepared.photos, torch.device("cpu"))
    assert len(photos.tiles) == 6
    assert photos.tile_nouns[0] == ("rose", "flower", "grass")
    assert photos.box_tones[0] == ["red"]
    left, top, right, bottom = photos.boxes[0].tolist()
    assert (left, top, right, bottom) == pytest.approx((22, 18, 58, 54), abs=3)
    opaque = photos.tiles[0, 3] > 127
    assert photos.tiles[0, :3, opaque].float().mean(1).tolist() == pytest.approx(DISC, abs=25)


def test_holes_beside_the_object_get_the_background_prompt(prepared: State, settings: config.Config) -> None:
    photos = dataset.load(prepared.photos, torch.device("cpu"))
    alone = {"pasted": 0.0, "in_place": 0.0, "drop": 0.0}
    draw = torch.Generator().manual_seed(0)
    made = scenes.make(photos, settings.denoiser.model_copy(update={**alone, "background": 1.0}), 60, 32, draw)
    beside = made.prompts.count(phrases.BACKGROUND)
    assert 5 < beside < 55, "the photos show a disc in the middle: some holes are over it, and some are not"
    never = scenes.make(photos, settings.denoiser.model_copy(update={**alone, "background": 0.0}), 60, 32, draw)
    assert phrases.BACKGROUND not in never.prompts


def test_a_hole_touches_an_object_when_a_tenth_of_it_lies_in_its_box() -> None:
    boxes = torch.tensor([[0.5, 0.5, 1.0, 1.0], [0.5, 0.5, 1.0, 1.0], [0.5, 0.5, 2.0, 2.0], [float("nan")] * 4])
    holes = torch.zeros(4, 1, 8, 8, dtype=torch.bool)
    holes[:, :, :5, :5] = True  # of its 25 pixels one lies in the box: too little
    holes[2, :, 4:, 4:] = True
    crops = dataset.Crops(torch.zeros(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64), boxes)
    holes[1, :, 4:6, 4:6] = True
    assert scenes.overlaps_object(crops, holes).tolist() == [False, True, True, False]


def test_a_stopped_stage_continues_to_the_same_weights(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path
) -> None:
    state = state_with(prepared, tmp_path, "photos", "tokenizer", "latents.json", "autoencoder.pt")
    assert run_denoiser(settings, state) == 6
    stopped, whole = weights(prepared.saved("denoiser")), weights(state.saved("denoiser"))
    assert stopped.keys() == whole.keys()
    for key, value in whole.items():
        torch.testing.assert_close(stopped[key], value, rtol=1e-4, atol=1e-5)


def test_stopped_muon_continues_to_the_same_weights(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path
) -> None:
    quick = settings.model_copy(update={"denoiser": settings.denoiser.model_copy(update={"optimiser": "muon"})})
    parts = ("photos", "tokenizer", "latents.json", "autoencoder.pt")
    one, other = state_with(prepared, tmp_path / "one", *parts), state_with(prepared, tmp_path / "other", *parts)
    assert run_denoiser(quick, one) == 6
    assert run_denoiser(quick, other, 3) == 3
    assert run_denoiser(quick, other) == 6
    whole, stopped = weights(one.saved("denoiser")), weights(other.saved("denoiser"))
    for key, value in whole.items():
        torch.testing.assert_close(stopped[key], value, rtol=1e-4, atol=1e-5)
    plain = weights(prepared.saved("denoiser"))
    assert any(not torch.allclose(value, plain[key], atol=1e-4) for key, value in whole.items()), "not AdamW's"
    with pytest.raises(ValueError, match="other networks"):
        run_denoiser(settings, other)  # its state is not AdamW's


def test_the_small_setting_trains_on_small_pictures_first(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of six steps at the smallest size, whatever is drawn; then what is drawn, mostly the large one here."""
    sizes: list[int] = []
    make = scenes.make

    def recorded(
        photos: dataset.PhotoDataset, own: config.DenoiserStage, n: int, size: int, draw: Any
    ) -> scenes.Scenes:
        sizes.append(size)
        return make(photos, own, n, size, draw)

    monkeypatch.setattr(scenes, "make", recorded)
    small = settings.denoiser.model_copy(update={"small": 0.5, "sizes": (32, 32, 32, 32, 32, 24)})
    state = state_with(prepared, tmp_path, "photos", "tokenizer", "latents.json", "autoencoder.pt")
    assert run_denoiser(settings.model_copy(update={"denoiser": small}), state) == 6
    assert sizes[:3] == [24, 24, 24]
    assert 32 in sizes[3:6]


def test_training_moves_every_network(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path
) -> None:
    state = state_with(prepared, tmp_path, "photos", "tokenizer", "latents.json", "autoencoder.pt")
    run_denoiser(settings, state, 0)
    before, after = weights(state.saved("denoiser")), weights(prepared.saved("denoiser"))
    moved = {key.split(".")[0] for key, value in after.items() if not torch.equal(value, before[key])}
    assert moved == {"denoiser", "text"}


def test_a_state_of_other_networks_is_refused(checkpoint: Path, prepared: State, settings: config.Config) -> None:
    other = settings.model_copy(
        update={
            "networks": settings.networks.model_copy(update={"denoiser": config.Denoiser(channels=(16,), heads=(1,))})
        }
    )
    with pytest.raises(ValueError, match=r"denoiser\.pt is of other networks"):
        run_denoiser(other, prepared)


def test_stages_begin_from_a_finished_checkpoint(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path
) -> None:
    state = state_with(prepared, tmp_path, "photos")
    assert command.main(["tokenizer", "--begin", str(checkpoint), "--state", str(tmp_path)]) == 0
    assert run_autoencoder(settings, state, 0, checkpoint) == 0
    assert run_denoiser(settings, state, 0, checkpoint) == 0
    for stage in ("autoencoder", "denoiser"):
        begun, shipped = weights(state.saved(stage)), weights(prepared.saved(stage))
        for key, value in begun.items():
            torch.testing.assert_close(value, shipped[key], rtol=2e-3, atol=1e-4)  # shipped in fp16
    assert state.scale.read_text() == prepared.scale.read_text()


def test_weights_of_another_vocabulary_are_refused(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path
) -> None:
    state = state_with(prepared, tmp_path, "photos", "autoencoder.pt")
    tokenizer.write(state.tokenizer, ["other words"], vocabulary=560, length=32)
    with pytest.raises(ValueError, match="another vocabulary"):
        run_denoiser(settings, state, 0, checkpoint)


def changed(settings: config.Config, stage: str, **values: object) -> config.Config:
    own = getattr(settings, stage).model_copy(update=values)
    return settings.model_copy(update={stage: own})


def test_a_decoder_learns_alone_and_leaves_latents_as_they_are(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path
) -> None:
    state = state_with(prepared, tmp_path, "photos", "tokenizer")
    assert run_autoencoder(changed(settings, "autoencoder", decoder_alone=True, halved=0.5), state, 6, checkpoint) == 6
    before = load_file(checkpoint / "vae" / "diffusion_pytorch_model.safetensors")
    moved = {
        key.removeprefix("net.").partition(".")[0]
        for key, value in weights(state.saved("autoencoder")).items()
        if not torch.equal(value.half(), before[key.removeprefix("net.")])
    }
    assert moved == {"decoder"}


@pytest.mark.skipif(not SEGMENTER.is_file(), reason="the published network is not part of the repository")
def test_an_autoencoder_trains_on_backbone_features_and_continues(
    prepared: State, settings: config.Config, tmp_path: Path
) -> None:
    pytest.importorskip("ai_edge_litert")
    state = state_with(prepared, tmp_path, "photos")
    mobilenet.convert(SEGMENTER, state.backbone)
    seen = changed(settings, "autoencoder", perceptual=1.0, halved=0.1, adversarial_from=0.0)
    assert run_autoencoder(seen, state, 3) == 3
    assert run_autoencoder(seen, state) == 6
    rows = [json.loads(line) for line in state.log("autoencoder").read_text().splitlines()]
    assert {"perceptual", "critic", "halved"} <= set(rows[-1])
    assert all(np.isfinite(value) for value in rows[-1].values())


def test_a_denoiser_can_draw_from_a_pool_and_go_on(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkpoint.is_dir()
    state = state_with(prepared, tmp_path, "photos", "tokenizer", "autoencoder.pt")
    made: list[list[str]] = []
    make = scenes.make

    def watched(*given: Any) -> scenes.Scenes:
        found = make(*given)
        made.append(found.prompts)
        return found

    monkeypatch.setattr(scenes, "make", watched)
    pooled = changed(settings, "denoiser", pool=8)
    assert run_denoiser(pooled, state, 3) == 3
    assert run_denoiser(pooled, state) == 6
    assert max(len(prompts) for prompts in made) == 8, "made in chunks for the pool, not a batch at a time"
    rows = [json.loads(line) for line in state.log("denoiser").read_text().splitlines()]
    assert all(np.isfinite(row["loss"]) for row in rows)


@pytest.mark.slow
def test_all_stages_fit_into_the_seconds_that_are_given(prepared: State, tmp_path: Path) -> None:
    """Five processes, each of which imports all there is."""
    state, config_ = state_with(prepared, tmp_path / "state", "tokenizer"), tmp_path / "tiny.toml"
    config_.write_text(TINY)
    root = Path(__file__).parents[1]
    given = [root / "training" / "pocket" / "timed.sh", "300", prepared.root / "tars", state.root, tmp_path / "out"]
    own = {"CONFIG": str(config_), "JOBS": "2", "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    ran = subprocess.run([str(word) for word in given], cwd=root, env=os.environ | own, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "out" / "checkpoint" / "model_index.json").is_file()
    assert len(dataset.load(state.photos, torch.device("cpu")).tiles) == 6, "the denoiser had the objects"
    late = subprocess.run(
        [str(word) for word in [*given[:1], "1", *given[2:]]],
        cwd=root,
        env=os.environ | own,
        capture_output=True,
        text=True,
    )
    assert late.returncode == 1
    assert "none are left for the denoiser" in late.stderr


def test_figures_and_sheets_are_kept(checkpoint: Path, prepared: State) -> None:
    for stage in ("autoencoder", "denoiser"):
        rows = [json.loads(line) for line in prepared.log(stage).read_text().splitlines()]
        assert rows[-1]["step"] == 6
        assert all(np.isfinite(row["loss"]) for row in rows)
        assert (prepared.sheets / f"{stage}-0000006.png").is_file()
    assert "critic" in rows[-1] or "critic" in prepared.log("autoencoder").read_text()


@pytest.fixture(scope="module")
def lively(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path_factory: pytest.TempPathFactory
) -> State:
    """A state whose denoiser does something: large weights in the last layer, which begins at 0, and in the words."""
    assert checkpoint.is_dir()
    state = state_with(
        prepared, tmp_path_factory.mktemp("lively"), "photos", "tokenizer", "latents.json", "autoencoder.pt"
    )
    kept = weights(prepared.saved("denoiser"))
    draw = torch.Generator().manual_seed(5)
    for key, value in kept.items():
        if key.startswith(("denoiser.conv_out", "text.embeddings")) or ".attn2." in key:
            value.copy_(torch.randn(value.shape, generator=draw) * 0.3)
    torch.save({"average": {"weights": kept}}, state.saved("denoiser"))
    export.write(settings, state, state.root / "checkpoint", report=quiet)
    return state


def test_diffusers_fills_holes_as_the_training_does(
    lively: State, settings: config.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = evaluate.open_pipeline(lively.root / "checkpoint")
    picture = np.asarray(Image.fromarray(photograph(9)).resize((32, 32)))
    one, other = (evaluate.fill(pipeline, [picture], prompt)[0] for prompt in ("a red rose", "grass"))
    hole = evaluate.hole_of(32)
    assert np.array_equal(one[~hole], picture[~hole])
    assert np.abs(one[hole].astype(int) - other[hole]).mean() > 1, "the prompt has an effect"

    monkeypatch.setattr(sampling, "mixed_precision", lambda device: nullcontext())
    scale = float(pipeline.vae.config.scaling_factor)
    models = networks.Models(pipeline.vae, pipeline.unet, pipeline.text_encoder, scale)
    given = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    batch = scenes.Scenes(given, torch.from_numpy(hole)[None, None], ["a red rose"])
    tokens = tokenizer.Tokens(pipeline.tokenizer)
    made = sampling.fill(models, settings.networks.noise, tokens, batch, guidance=evaluate.GUIDANCE)
    assert np.abs(sheets.to_bytes(made)[0].astype(int) - one).max() <= 1


def test_the_same_seed_gives_the_same_picture(lively: State) -> None:
    pipeline = evaluate.open_pipeline(lively.root / "checkpoint")
    picture = np.asarray(Image.fromarray(photograph(9)).resize((32, 32)))
    one, again = (evaluate.fill(pipeline, [picture], "a rose")[0] for _ in range(2))
    assert np.array_equal(one, again)


def test_the_export_has_credits_and_readable_files(checkpoint: Path) -> None:
    assert json.loads((checkpoint / "credits.json").read_text()) == [{"source": "us", "licence": "CC0", "photos": 6}]
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in checkpoint.rglob("*.safetensors"))


def test_an_export_that_is_too_large_is_refused(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="more than the 1,000 that may be shipped"):
        export.write(settings, prepared, tmp_path / "large", report=quiet)
    assert not (tmp_path / "large").exists()


def test_evaluation_measures_and_draws(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos" / "images").mkdir(parents=True)
    for number in range(2):
        Image.fromarray(photograph(number)).save(tmp_path / "photos" / "images" / f"{number}.jpg")
    monkeypatch.setattr(evaluate, "STEPS", 2)
    monkeypatch.setattr(evaluate, "EVALUATION_PROMPTS", evaluate.EVALUATION_PROMPTS[:2])
    result = evaluate.measure(
        checkpoint, tmp_path / "photos", tmp_path / "none", tmp_path / "out", seeds=2, report=quiet
    )
    assert 0 <= result["colours"] <= 1
    assert result["nouns"] is None, "there is no classifier"
    assert 3 < result["reconstruction_db"] < 50
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == result
    assert (tmp_path / "out" / "prompts.png").is_file()


def test_the_card_is_written_from_the_files_of_the_stages(
    checkpoint: Path, prepared: State, settings: config.Config, tmp_path: Path
) -> None:
    answers = [{"prompt": "a red flower", "coloured": 0.875, "named": None}]
    found = {
        "reconstruction_db": 21.5,
        "seconds": 1.25,
        "seeds": 8,
        "colours": 0.875,
        "nouns": None,
        "answers": answers,
    }
    (tmp_path / "results.json").write_text(json.dumps(found))
    card.write(settings, prepared, checkpoint, tmp_path / "results.json", given=7, device="a test", report=quiet)
    text = (checkpoint / "MODEL_CARD.md").read_text()
    assert text.startswith("---\nlicense: apache-2.0\n")
    for line in (
        "| us | CC0 | 6 |",
        "| denoiser | 6 | 6 |",  # 3 scenes, twice each
        "a red flower is a reddish patch",
        "21.50 dB",
        "| a red flower | 88 % | - |",
        "6 openly licensed",
    ):
        assert line in text, line
    assert licence_of(checkpoint) == "Apache-2.0"
    seen = "Daisies are daisies."
    results = tmp_path / "results.json"
    card.write(settings, prepared, checkpoint, results, given=7, device="a test", objects=seen, report=quiet)
    text = (checkpoint / "MODEL_CARD.md").read_text()
    assert seen in text
    assert "reddish patch" not in text, "given words replace the ones from the figures"
    (checkpoint / "MODEL_CARD.md").unlink()


def test_the_checkpoint_has_usual_settings(checkpoint: Path) -> None:
    hints = read_hints(checkpoint)
    assert (hints.native, hints.minimum, hints.maximum) == (32, 16, 40)
    assert (hints.usual.steps, hints.usual.guidance_scale) == (evaluate.STEPS, evaluate.GUIDANCE)
    assert hints.words is not None
    assert {"sunflower", "red"} <= set(hints.words)
    assert hints.intents == ("replace", "add")


@pytest.mark.skipif(not CLASSIFIER.is_file(), reason="the classifier is not part of the project")
def test_the_classifier_gives_every_class_a_probability() -> None:
    pytest.importorskip("ai_edge_litert")
    names = evaluate.ImageClassifier(CLASSIFIER)
    odds = names(photograph(0))
    assert odds.shape == (1001,)
    assert odds.sum() == pytest.approx(1)
    assert odds.min() > 0, "no class is rounded away"
