"""Checkpoints as a request meets them: usual settings, what is loaded with them, what a record says of them."""

from __future__ import annotations

import json
import re
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from overpaint import Mask, Monitor, Studio, models
from overpaint.cli import main
from overpaint.engines.diffusion.engine import DiffusionEngine, card_of
from overpaint.engines.diffusion.options import CARD, DiffusionOptions
from overpaint.engines.diffusion.usual import usual_of
from overpaint.engines.diffusion.weights import read_tensors
from overpaint.errors import OverpaintError, RequestError
from overpaint.geometry import Box, Size
from overpaint.models import ModelError, ModelRef
from overpaint.models.values import Kind
from overpaint.picture import encode
from overpaint.request import EditRequest, Sampling, UsedModel, Usual, usual_of_lora
from overpaint.studio import resolve
from stand_ins import DIFFUSION
from test_diffusion_engine import checkpoint, photo

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2

DOCS = Path(__file__).parents[1] / "docs"
SIZE = Size(96, 80)
MASK = Mask.box(SIZE, Box(30, 20, 60, 50))
ASK: dict[str, Any] = {"intent": "replace", "prompt": "a dog", "seed": 4}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("OVERPAINT_MODEL_PATH", raising=False)
    models.store_folder().mkdir(parents=True)
    return models.store_folder()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("made") / "model", 9)


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "model"))


def ref(name: str = "model", **kind: Any) -> ModelRef:
    about = {"family": "sd1", "channels": 4, "prediction": "epsilon"} | kind
    return ModelRef(name, Path("/nowhere") / name, Kind("checkpoint", "safetensors", **about))


# ---- usual settings ----


@pytest.mark.parametrize(
    ("lora", "usual"),
    [
        ("lcm-lora-sdv1-5", Usual(sampler="LCM", steps=4, guidance_scale=1.0)),
        ("Hyper-SD15-8steps-lora", Usual(sampler="DDIM", scheduler="SGM Uniform", steps=8, guidance_scale=1.0)),
        ("Hyper-SD15-12steps-CFG-lora", Usual(sampler="DDIM", scheduler="SGM Uniform", steps=12, guidance_scale=5.0)),
        ("Hyper-SDXL-1step-lora", Usual(sampler="TCD", steps=1, guidance_scale=1.0)),
        ("sdxl_lightning_2step_lora", Usual(sampler="Euler", scheduler="SGM Uniform", steps=2, guidance_scale=1.0)),
        *(("hyperreal", None), ("style", None)),
    ],
)
def test_a_lora_that_was_made_for_few_steps_is_known_by_its_name(lora: str, usual: Usual | None) -> None:
    assert usual_of_lora(lora) == usual


@pytest.mark.parametrize(
    ("model", "usual"),
    [
        (ref("sd15"), Usual()),
        (ref("any", lcm=True, embeds_guidance=True), Usual(sampler="LCM", steps=8, guidance_scale=8.0)),
        (ref("any", lcm=True), Usual(sampler="LCM", steps=8, guidance_scale=1.5)),
        (
            ref("sdxl_lightning_4step.safetensors"),
            Usual(sampler="Euler", scheduler="SGM Uniform", steps=4, guidance_scale=1.0),
        ),
        (ref("RealVis-Lightning"), Usual(sampler="Euler", scheduler="SGM Uniform", steps=8, guidance_scale=1.0)),
        (ref("sdxl-turbo"), Usual(sampler="Euler a", scheduler="SGM Uniform", steps=4, guidance_scale=1.0)),
        (ref("blightninger"), Usual()),
        (ref("any", prediction="v"), Usual()),
        (ref("any", prediction="v", zero_snr=True), Usual(guidance_rescale=0.7, scheduler="SGM Uniform")),
    ],
)
def test_the_usual_settings_of_a_kind(model: ModelRef, usual: Usual) -> None:
    assert usual_of(model) == usual


def test_what_a_request_leaves_open_is_the_models_usual_and_what_it_names_is_not() -> None:
    usual = Usual(sampler="LCM", steps=8, guidance_scale=1.5)

    def resolved(**settings: Any) -> tuple[Any, ...]:
        request = EditRequest.of("replace", prompt="x", **settings)
        found = resolve(request, replace(DIFFUSION, usual=usual), seed=0)
        return found.sampler, found.scheduler, found.steps, found.guidance_scale, found.clip_skip

    assert resolved() == ("LCM", None, 8, 1.5, 1)
    assert resolved(steps=4, guidance_scale=2.0) == ("LCM", None, 4, 2.0, 1)
    assert resolved(sampler="Euler") == ("Euler", None, 8, 1.5, 1), "a sampler keeps the scheduler that goes with it"
    assert resolved(scheduler="Beta") == ("LCM", "Beta", 8, 1.5, 1)
    usual = Usual(scheduler="SGM Uniform")
    assert resolved() == ("DPM++ 2M", "SGM Uniform", 25, 7.5, 1)
    usual = Usual()
    assert resolved() == ("DPM++ 2M", "Karras", 25, 7.5, 1)


def test_a_sampler_of_ones_own_does_not_take_anothers_scheduler() -> None:
    kind = Usual(sampler="Euler", scheduler="SGM Uniform", steps=4)
    assert Usual(sampler="DDIM").over(kind) == Usual(sampler="DDIM", steps=4)
    assert Usual(steps=6).over(kind) == Usual(sampler="Euler", scheduler="SGM Uniform", steps=6)


def test_a_folder_says_how_it_is_used(folder: Path) -> None:
    own = {"steps": 3, "guidance_scale": 2, "sampler": "DDIM", "scheduler": "SGM Uniform"}
    sizes = {"native": 80, "minimum": 48, "maximum": 120}
    (folder / "overpaint.json").write_text(json.dumps({"schema": 1, **own, **sizes}))
    card = card_of(models.find(str(folder)))
    assert (card.sizes.native, card.sizes.minimum, card.sizes.maximum_area) == (80, 48, 120 * 120)
    with Studio(device="cpu") as studio:
        steps: list[tuple[int, int]] = []
        monitor = Monitor(lambda step, whole: steps.append((step, whole)))
        edited = studio.edit(photo(SIZE), mask=MASK, model=str(folder), monitor=monitor, **ASK)
        assert {name: getattr(edited.resolved, name) for name in own} == own
        assert steps[-1] == (3, 3)
        assert studio.resolved(EditRequest.of(model=str(folder), steps=9, **ASK), seed=1).steps == 9


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"stepss": 20}', "stepss.*did you mean 'steps'"),
        ('{"steps": "20"}', "steps must be a whole number between 1 and 1000, not '20'"),
        ('{"sampler": "DDMI"}', "DDMI"),
        ('{"native": 100}', "multiple of 8, not 100"),
        ('{"native": 512, "maximum": 256}', r"\[512, 256\]"),
        ('{"schema": 2}', "schema"),
        ("[]", "JSON object"),
    ],
)
def test_damaged_usual_settings_are_reported(text: str, says: str, folder: Path) -> None:
    (folder / "overpaint.json").write_text(text)
    with pytest.raises(ModelError, match=says) as caught:
        card_of(models.find(str(folder)))
    assert "overpaint.json" in str(caught.value)


def test_an_lcm_folder_is_recognised_by_scheduler_and_network(folder: Path) -> None:
    def change(part: str, **values: Any) -> None:
        file = folder / part
        file.write_text(json.dumps(json.loads(file.read_text()) | values))

    assert usual_of(models.find(str(folder))) == Usual()
    change("scheduler/scheduler_config.json", _class_name="LCMScheduler")
    assert usual_of(models.find(str(folder))).guidance_scale == 1.5
    change("unet/config.json", time_cond_proj_dim=8)
    assert usual_of(models.find(str(folder))).guidance_scale == 8.0
    change("scheduler/scheduler_config.json", _class_name="DDIMScheduler", rescale_betas_zero_snr=True)
    change("scheduler/scheduler_config.json", prediction_type="v_prediction")
    change("unet/config.json", time_cond_proj_dim=None)
    assert usual_of(models.find(str(folder))).guidance_rescale == 0.7


def test_show_says_the_usual_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", str(folder)]) == 0
    assert "\nusual " not in capsys.readouterr().out
    (folder / "overpaint.json").write_text('{"steps": 20, "sampler": "DDIM"}')
    assert main(["models", "show", str(folder)]) == 0
    assert re.search(r"usual +steps 20, sampler DDIM", capsys.readouterr().out)
    assert main(["models", "show", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["usual"] == {"steps": 20, "sampler": "DDIM"}
    (folder / "overpaint.json").write_text('{"steps": 0}')
    assert main(["models", "show", str(folder)]) == 0
    assert "steps must be" in capsys.readouterr().out


# ---- what is loaded with a checkpoint ----


def other_vae(folder: Path, target: Path) -> Path:
    """A VAE of the same shape with other weights."""
    shutil.copytree(folder / "vae", target)
    from safetensors.torch import load_file

    file = target / "diffusion_pytorch_model.safetensors"
    held = load_file(file)
    save_file({name: one + 0.05 * torch.randn_like(one) for name, one in held.items()}, file)
    return target


def test_a_request_chooses_the_vae_and_the_prediction(folder: Path, home: Path) -> None:
    other_vae(folder, home / "smooth")
    with Studio(device="cpu") as studio:

        def painted(**options: Any) -> np.ndarray:
            edited = studio.edit(photo(SIZE), mask=MASK, model=str(folder), steps=2, options=options, **ASK)
            return edited.picture.samples

        plain, smooth, v = painted(), painted(vae="smooth"), painted(prediction="v")
        assert not np.array_equal(plain, smooth)
        assert not np.array_equal(plain, v)
        assert np.array_equal(painted(eta=None), plain)
        engines = [
            studio.engine("diffusion", str(folder), options)
            for options in (None, {"vae": "smooth"}, {"prediction": "v"}, {"eta": 0.5}, {})
        ]
        assert engines[0] is engines[3] is engines[4]
        assert len({engine.card.digest for engine in engines[:3]}) == 3


def test_a_variant_is_loaded_and_a_missing_one_is_reported(folder: Path) -> None:
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    from safetensors.torch import load_file

    save_file(
        {name: (one * 1.5).half() for name, one in load_file(unet).items()}, unet.with_suffix(".fp16.safetensors")
    )
    shutil.move(unet.with_suffix(".fp16.safetensors"), unet.with_name("diffusion_pytorch_model.fp16.safetensors"))
    with Studio(device="cpu") as studio:

        def painted(**options: Any) -> np.ndarray:
            edited = studio.edit(photo(SIZE), mask=MASK, model=str(folder), steps=2, options=options, **ASK)
            return edited.picture.samples

        assert np.array_equal(painted(), painted(variant="fp32"))
        assert not np.array_equal(painted(), painted(variant="fp16"))
        with pytest.raises(ModelError, match=r"no variant 'fp8' here \(there are: fp16, fp32\)"):
            painted(variant="fp8")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"vae": "nowhere"}, ModelError, "the VAE: no model is called 'nowhere'"),
        ({"vae": "style"}, ModelError, "style is not a VAE but a .*LoRA"),
        ({"vae": 3}, RequestError, "vae=3"),
        ({"variant": "fp8"}, ModelError, "fp8"),
        ({"prediction": "x0"}, RequestError, "prediction='x0'"),
        (
            {"vea": "x"},
            RequestError,
            "vea'; did you mean 'vae'.*options: vae, ([a-z_]+, ){6}[a-z_]+ and 3. oth",
        ),
    ],
)
def test_what_can_not_be_loaded_is_one_clear_error(
    options: dict[str, Any], error: type[Exception], says: str, made: Path, home: Path
) -> None:
    save_lora(home / "style.safetensors")
    with Studio(device="cpu") as studio, pytest.raises(error, match=says):
        studio.edit(photo(SIZE), mask=MASK, model=str(made), options=options, **ASK)


def test_a_single_file_has_no_variants(tmp_path: Path) -> None:
    import checkpoints

    file = tmp_path / "one.safetensors"
    save_file(checkpoints.tensors(checkpoints.layout(checkpoints.TINY["sd1"])), file)
    with pytest.raises(ModelError, match="single file, which has no variant 'fp16'"):
        models.find(str(file), variant="fp16")


def test_a_file_of_other_sizes_is_used_with_its_configurations(tmp_path: Path) -> None:
    import checkpoints

    plan = checkpoints.TINY["sd1"]
    file = tmp_path / "small.safetensors"
    save_file(checkpoints.tensors(checkpoints.layout(plan)), file)
    checkpoints.write_vocabulary(tmp_path / "bpe_simple_vocab_16e6.txt.gz")
    config = checkpoints.small_config(plan, tmp_path / "config")
    ask = ASK | {"mask": MASK, "steps": 1, "model": str(file)}
    with Studio(device="cpu") as studio:
        edited = studio.edit(photo(SIZE), options={"config": str(config)}, **ask)
        assert edited.touched.any()
        with pytest.raises(ModelError, match="nowhere is no folder of configurations"):
            studio.edit(photo(SIZE), options={"config": str(tmp_path / "nowhere")}, **ask)
        with pytest.raises(ModelError, match=r"of other sizes.*needs the option 'config'"):
            studio.edit(photo(SIZE), **ask)


def test_a_folder_has_configurations_of_its_own(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has configurations of its own"):
        models.find(str(made), config=tmp_path)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"sampler": "DPM++ 9M"},
            r"no sampler is called 'DPM\+\+ 9M'; did you mean 'DPM\+\+ 2M'\?; available are Euler,",
        ),
        ({"scheduler": "Karas"}, "did you mean 'Karras'"),
        ({"dialect": "a1111"}, "did you mean 'webui'"),
        ({"prompt": "a dog <lora:stile:1>"}, "<lora:stile> in the prompt: no LoRA is called 'stile'"),
    ],
)
def test_wrong_names_are_reported_before_loading(
    settings: dict[str, Any], says: str, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overpaint.engines.diffusion.loader.load", lambda *_: pytest.fail("it was loaded"))
    with Studio(device="cpu") as studio, pytest.raises(OverpaintError, match=says):
        studio.edit(photo(SIZE), mask=MASK, model=str(made), **ASK | settings)


def test_the_engine_without_a_checkpoint_asks_for_one() -> None:
    with Studio() as studio:
        studio.model = None  # as where the embedded one is not installed
        with pytest.raises(RequestError, match="needs a model, and none was named"):
            studio.edit(photo(SIZE), mask=MASK, engine="diffusion", **ASK)


def test_the_options_reach_the_command_line(folder: Path, tmp_path: Path, home: Path, capsys: Any) -> None:
    other_vae(folder, home / "smooth")
    picture = tmp_path / "photo.png"
    picture.write_bytes(encode(photo(SIZE), "png").data)
    words = ["replace", str(picture), "--box", "30,20,60,50", "--prompt", "a dog", "--steps", "1", "--seed", "4"]
    words += ["--model", str(folder), "--device", "cpu", "--json"]
    assert main([*words, "--option", "vae=smooth", "-o", str(tmp_path / "one.png")]) == 0
    assert main([*words, "--option", "vae=sooth", "-o", str(tmp_path / "two.png")]) == 2
    assert "no model is called 'sooth'; did you mean 'smooth'?" in capsys.readouterr().err


def test_the_page_and_the_command_line_name_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    section = page.split("## Options of a checkpoint", 1)[1].split("\n## ", 1)[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(DiffusionOptions.model_fields)
    assert main(["engines", "diffusion"]) == 0
    out = capsys.readouterr().out
    assert all(f"--option {name}=" in out for name in CARD.options.model_fields)
    assert main(["engines", "--json"]) == 0
    assert "diffusion" in [one["name"] for one in json.loads(capsys.readouterr().out)]


# ---- what a result was made with ----


def save_lora(path: Path, seed: int = 3, width: int = 16) -> Path:
    generator = torch.Generator().manual_seed(seed)
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    lora = {
        f"{layer}.lora_down.weight": torch.randn(2, width, generator=generator),
        f"{layer}.lora_up.weight": torch.randn(16, 2, generator=generator),
    }
    save_file(lora, path)
    return path


def test_a_record_names_every_file_of_weights(folder: Path, home: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: openrail++\n---\n")
    other_vae(folder, home / "smooth")
    save_lora(home / "style.safetensors")
    save_file({"emb_params": torch.randn(2, 16)}, home / "mywrd.safetensors")
    save_file({"emb_params": torch.randn(2, 16)}, home / "absent.safetensors")
    ask = ASK | {"prompt": "a mywrd dog <lora:style:0.5> <lora:style:0.5>", "options": {"vae": "smooth"}, "steps": 1}
    with Studio(device="cpu") as studio:
        edited = studio.edit(photo(SIZE), mask=MASK, model=str(folder), **ask)
    said = [(one.role, one.name, one.licence) for one in edited.record.resolved.models]
    assert said == [
        ("checkpoint", "model", "CreativeML Open RAIL++-M"),
        ("vae", "smooth", "unknown"),
        ("lora", "style", "unknown"),
        ("embedding", "mywrd", "unknown"),
    ]
    paths = [folder, home / "smooth", home / "style.safetensors", home / "mywrd.safetensors"]
    assert [one.sha256 for one in edited.resolved.models] == [models.digest(path) for path in paths]
    assert edited.licence == "CreativeML Open RAIL++-M"
    assert type(edited.record).from_json(edited.record.to_json()).resolved == edited.resolved


def test_an_embedding_counts_as_a_word_of_its_own_and_as_a_pickle_only_when_allowed(folder: Path, home: Path) -> None:
    """A name within another word is that word; one that can't be used stays text, and a note names it."""
    torch.save({"string_to_param": {"*": torch.randn(2, 16)}, "name": "art"}, home / "art.pt")
    save_file({"emb_params": torch.randn(2, 768)}, home / "dog.safetensors")

    def edited(prompt: str, allow_pickle: bool) -> Any:
        with Studio(device="cpu", allow_pickle=allow_pickle) as studio:
            return studio.edit(photo(SIZE), mask=MASK, model=str(folder), **ASK | {"prompt": prompt, "steps": 1})

    def used(found: Any) -> list[str]:
        return [one.name for one in found.resolved.models if one.role == "embedding"]

    def same(a: Any, b: Any) -> bool:
        return bool((a.picture.samples == b.picture.samples).all())

    party = edited("a party balloon", allow_pickle=False)
    assert (used(party), party.notes) == ([], ())
    refused, plain = edited("an art balloon", allow_pickle=False), edited("an a\u200brt balloon", allow_pickle=False)
    assert used(refused) == used(plain) == []
    assert any("'art' is a pickle" in note and "stays text" in note for note in refused.notes)
    allowed = edited("an art balloon", allow_pickle=True)
    assert (used(allowed), allowed.notes) == (["art"], ())
    assert not same(allowed, refused), "its vectors take the place of the word's"
    other = edited("a dog", allow_pickle=True)
    assert used(other) == []
    assert any("'dog' was made for another kind of model" in note for note in other.notes)


def test_a_record_names_the_embeddings_that_took_a_place_in_the_parsed_prompt(folder: Path, home: Path) -> None:
    """Brackets are syntax, and the longest name counts; a file that can't be read leaves its name as text."""
    for number, name in enumerate(["(x)", "[y]", "x", "foo", "foo-bar"]):
        rows = torch.randn(2, 16, generator=torch.Generator().manual_seed(number))
        save_file({"emb_params": rows}, home / f"{name}.safetensors")
    (home / "broken.safetensors").write_bytes(b"junk")

    def used(prompt: str, **settings: Any) -> list[str]:
        found = studio.edit(
            photo(SIZE), mask=MASK, model=str(folder), **ASK | {"prompt": prompt, "steps": 1}, **settings
        )
        notes.extend(found.notes)
        return [one.name for one in found.resolved.models if one.role == "embedding"]

    notes: list[str] = []
    with Studio(device="cpu") as studio:
        assert used("a (x) dog") == ["x"]
        assert used(r"a \(x\) dog") == ["(x)"]
        assert used("a [y] dog") == []
        assert used("a foo-bar dog") == ["foo-bar"]
        assert sorted(used("a foo and foo-bar dog")) == ["foo", "foo-bar"]
        assert used("a dog", negative_prompt="(foo:1.2)") == ["foo"]
        assert notes == []
        assert used("a broken dog") == []
    assert notes == ["the model 'broken', which the prompt names, can't be read; its name stays text"]


def test_an_embedding_beyond_the_first_chunk_is_used_only_where_it_is_read(folder: Path, home: Path) -> None:
    """The dialect diffusers cuts both texts at one chunk; `native` reads on."""
    save_file({"emb_params": torch.randn(2, 16)}, home / "mywrd.safetensors")
    long = " ".join(["a"] * 80)
    beyond = "'mywrd' stands beyond the part of the prompt that is read: it had no effect"
    with Studio(device="cpu") as studio:
        for dialect, prompt, negative, used in (
            ("diffusers", f"{long} mywrd", "", False),
            ("diffusers", "a dog", f"{long} mywrd", False),
            ("diffusers", f"mywrd {long} mywrd", "", True),
            ("diffusers", f"{long} mywrd", "a mywrd", True),
            ("native", f"{long} mywrd", "", True),
        ):
            ask = ASK | {"prompt": prompt, "negative_prompt": negative, "dialect": dialect, "steps": 2}
            found = studio.edit(photo(SIZE), mask=MASK, model=str(folder), **ask)
            assert ("mywrd" in [one.name for one in found.resolved.models]) is used, (dialect, prompt, negative)
            assert any(beyond in note for note in found.notes) is not used


def test_words_beyond_the_first_chunk_are_named_where_they_are_not_read(folder: Path) -> None:
    """The bytes of "a" and of "zz": one token, and two."""
    long = " ".join(["a"] * 74)
    found: list[tuple[str, ...]] = []
    with Studio(device="cpu") as studio:
        for prompt, negative in (
            (f"{long} a", f"{long}   a "),
            (f"{long} zz", "a dog"),
            (f"{long} a\nbig  hat", f"{long} a a"),
        ):
            ask = ASK | {"prompt": prompt, "negative_prompt": negative, "dialect": "diffusers", "steps": 2}
            found.append(studio.edit(photo(SIZE), mask=MASK, model=str(folder), **ask).notes)
    assert found == [
        (),
        ("prompt: 1 of its 75 words were not read, from 'zz' on",),
        (
            "prompt: 2 of its 77 words were not read, from 'big' on",
            "negative prompt: 1 of its 76 words were not read, from 'a' on",
        ),
    ]


@pytest.mark.parametrize(
    ("texts", "says", "field"),
    [
        ({"prompt": "a <hypernet:x:1>"}, "hypernetworks can't be used", "prompt"),
        ({"prompt": "a", "negative_prompt": "<lora:x:1>"}, "belongs in the prompt", "negative_prompt"),
    ],
)
def test_tags_that_cannot_be_used_are_refused_before_the_weights_are_loaded(
    texts: dict[str, str], says: str, field: str, folder: Path
) -> None:
    engine = DiffusionEngine(models.find(str(folder)))
    with pytest.raises(RequestError, match=says) as caught:
        engine.models(Sampling(**texts), DiffusionOptions())
    assert (caught.value.field, caught.value.value) == (field, "x")


def test_a_record_names_the_loras_of_both_kinds_of_tags(folder: Path, home: Path) -> None:
    save_lora(home / "style.safetensors")
    engine = DiffusionEngine(models.find(str(folder)))
    for kind in ("lora", "lyco"):
        used = engine.models(Sampling(prompt=f"a dog <{kind}:style:1>"), DiffusionOptions())
        assert [one.name for one in used if one.role == "lora"] == ["style"]


def test_a_lora_in_a_pickle_is_read_only_when_allowed(folder: Path, home: Path) -> None:
    held = save_lora(home / "style.safetensors")
    torch.save(read_tensors(held), home / "pickled.pt")
    pictures = []
    for name, allow in (("style", False), ("pickled", True)):
        with Studio(device="cpu", allow_pickle=allow) as studio:
            ask = ASK | {"prompt": f"a dog <lora:{name}:1>", "steps": 1}
            pictures.append(studio.edit(photo(SIZE), mask=MASK, model=str(folder), **ask).picture.samples)
    assert (pictures[0] == pictures[1]).all()
    with Studio(device="cpu") as studio, pytest.raises(ModelError, match=r"<lora:pickled> in the prompt.*is a pickle"):
        studio.edit(photo(SIZE), mask=MASK, model=str(folder), **ask)


def test_a_unet_of_the_request_takes_its_other_parts_from_a_base(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "unet", tmp_path / "only")
    with Studio(device="cpu") as studio:
        ask = {"mask": MASK, "steps": 2, **ASK}
        whole = studio.edit(photo(SIZE), model=str(folder), **ask)
        found = studio.edit(photo(SIZE), model=str(tmp_path / "only"), options={"base": str(folder)}, **ask)
    assert (found.picture.samples == whole.picture.samples).all()
    assert [(one.role, one.name) for one in found.resolved.models] == [("checkpoint", "only"), ("checkpoint", "model")]


def test_evidence_names_the_files_and_private_evidence_no_word_of_the_prompt(
    made: Path, home: Path, tmp_path: Path
) -> None:
    from overpaint.audit import Secret, edit_record, replay

    save_lora(home / "style.safetensors")
    save_file({"emb_params": torch.randn(2, 16)}, home / "mywrd.safetensors")
    ask = ASK | {"prompt": "a mywrd dog <lora:style:0.5>", "steps": 1}
    with Studio(device="cpu") as studio:
        edited = studio.edit(photo(SIZE), mask=MASK, model=str(made), **ask)
        saved = edited.save(tmp_path / "out.png")
        open_, private = edit_record(edited, saved), edit_record(edited, saved, secret=Secret(b"k" * 32))
        assert [one.name for one in open_.models] == ["diffusion", "model", "style", "mywrd"]
        assert [one.digest for one in open_.models[1:]] == [one.sha256 for one in edited.resolved.models]
        assert [one.name for one in private.models] == ["diffusion", "model", "lora", "embedding"]
        assert not {"style", "mywrd"} & set(re.findall(r"\w+", private.to_json()))
        assert replay(studio, open_.edit, photo(SIZE)).equal
        save_lora(home / "style.safetensors", seed=8)
        again = replay(studio, open_.edit, photo(SIZE))
        assert "the lora style has changed" in again.notes


def test_the_digest_of_a_result_follows_the_files_that_its_prompt_names(made: Path, home: Path) -> None:
    with Studio(device="cpu") as studio:

        def digest(prompt: str) -> str:
            return studio.resolved(EditRequest.of(model=str(made), **ASK | {"prompt": prompt}), seed=1).digest

        save_lora(home / "style.safetensors")
        plain, styled = digest("a dog"), digest("a dog <lora:style:1>")
        assert digest("a dog <lora:style:1>") == styled
        save_lora(home / "style.safetensors", seed=8)
        assert digest("a dog <lora:style:1>") != styled
        assert digest("a dog") == plain


def test_a_digest_does_not_follow_what_a_model_is_called_or_its_licence() -> None:
    request = EditRequest.of("replace", prompt="x")
    resolved = resolve(request, DIFFUSION, seed=0)
    used = UsedModel(role="lora", name="style", sha256="0" * 64)

    def digest(*found: UsedModel) -> str:
        return resolved.model_copy(update={"models": found}).digest

    assert digest(used) == digest(used.model_copy(update={"name": "other", "licence": "MIT"}))
    assert len({digest(used), digest(), digest(used.model_copy(update={"sha256": "1" * 64}))}) == 3


def test_a_lora_for_another_family_is_reported_before_loading(
    made: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_lora(home / "wide.safetensors", width=2048)
    monkeypatch.setattr("overpaint.engines.diffusion.loader.load", lambda *_: pytest.fail("it was loaded"))
    ask = ASK | {"prompt": "a dog <lora:wide:1>"}
    with Studio(device="cpu") as studio, pytest.raises(ModelError, match=r"'wide' was made for SDXL, and model is"):
        studio.edit(photo(SIZE), mask=MASK, model=str(made), **ask)


def test_the_licence_is_the_notes_the_cards_or_the_catalogues(folder: Path, home: Path) -> None:
    assert models.find(str(folder)).licence == ""
    assert card_of(models.find(str(folder))).licence == "unknown"
    models.add(folder, "mine", licence="CC0")
    assert card_of(models.find("mine")).licence == "CC0"
    shutil.copytree(folder, home / "sdxl-inpainting")
    assert models.find("sdxl-inpainting").licence == "CreativeML Open RAIL++-M"


# ---- variations ----


def test_variations_are_painted_together_and_each_is_what_its_seed_gives(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from overpaint.engines.diffusion import engine as module

    together: list[int] = []
    advance = module.advance

    def counting(samples: Any, **how: Any) -> None:
        together.append(len(samples))
        advance(samples, **how)

    monkeypatch.setattr(module, "advance", counting)
    ask = ASK | {"model": str(made), "steps": 4, "mask": MASK}
    with Studio(device="cpu") as studio:
        studio.edit(photo(SIZE), **ask)  # the weights are loaded now
        together.clear()
        several = list(studio.variations(photo(SIZE), count=3, **ask))
        assert max(together) == 3
        assert len(together) <= 6, "three times four steps, in few calls"
        alone = [studio.edit(photo(SIZE), **ask | {"seed": seed, "exact": True}) for seed in (4, 5, 6)]
    for one, other in zip(several, alone, strict=True):
        assert one.resolved == other.resolved
        assert np.array_equal(one.picture.samples, other.picture.samples), "several variations are exact"


def test_variations_are_painted_with_the_studios_model_where_none_is_named(made: Path) -> None:
    with Studio(device="cpu", model=str(made)) as studio:
        several = list(studio.variations(photo(SIZE), mask=MASK, steps=1, count=2, **ASK))
    assert [one.resolved.model for one in several] == [str(made)] * 2


# ---- many threads at one studio ----


def test_looking_at_one_model_keeps_no_one_waiting_for_another(
    made: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, go_on = threading.Event(), threading.Event()
    looked: list[str] = []
    real = card_of

    def slow(model: ModelRef) -> Any:
        looked.append(str(model.path))
        if model.path == folder:
            looking.set()
            assert go_on.wait(20)
        return real(model)

    monkeypatch.setattr("overpaint.engines.diffusion.engine.card_of", slow)
    got: list[Any] = []
    with Studio(device="cpu") as studio:
        threads = [
            threading.Thread(target=lambda: got.append(studio.engine("diffusion", str(folder)))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        assert looking.wait(20)
        try:
            assert studio.engine("telea").card.name == "telea"
            assert studio.engine("diffusion", str(made)).card.samples
            assert not got
        finally:
            go_on.set()
            for thread in threads:
                thread.join(20)
        assert got[0] is got[1]
        assert looked.count(str(folder)) == 1


def test_a_model_that_failed_once_is_looked_at_again(folder: Path) -> None:
    with Studio(device="cpu") as studio:
        (folder / "overpaint.json").write_text('{"steps": 0}')
        with pytest.raises(ModelError, match="steps"):
            studio.engine("diffusion", str(folder))
        (folder / "overpaint.json").write_text('{"steps": 5}')
        assert studio.engine("diffusion", str(folder)).card.usual.steps == 5


def test_another_vae_may_be_a_pickle_only_when_that_is_allowed(made: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(made / "vae" / "diffusion_pytorch_model.safetensors"), tmp_path / "vae.pt")
    with pytest.raises(ModelError, match="allow_pickle"):
        models.find(str(made), vae=str(tmp_path / "vae.pt"))
    found = models.find(str(made), vae=str(tmp_path / "vae.pt"), allow_pickle=True)
    assert found == replace(found, vae=tmp_path / "vae.pt", vae_name="vae.pt")
