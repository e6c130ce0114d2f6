"""The diffusion engine from a checkpoint's folder to a picture: small random networks, every door but the published."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
import warnings
import weakref
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
import torch

from overpaint import Mask, Monitor, Studio, models
from overpaint.audit import request_again
from overpaint.engines.base import Canvas, Engine, Painted, paint
from overpaint.engines.diffusion import lora, networks
from overpaint.engines.diffusion.caches import ByteCache
from overpaint.engines.diffusion.dialects import NATIVE
from overpaint.engines.diffusion.engine import DiffusionEngine, card_of
from overpaint.engines.diffusion.families.unet import SD1, UNetFamily
from overpaint.engines.diffusion.options import DiffusionOptions
from overpaint.engines.diffusion.settings import paint_settings
from overpaint.engines.diffusion.start import Moments, content_pixels
from overpaint.engines.diffusion.text_plan import CanvasTexts, TextSettings
from overpaint.engines.diffusion.values import NetworkInput
from overpaint.errors import Cancelled, EngineError, RequestError
from overpaint.geometry import Box, Size
from overpaint.models import ModelError
from overpaint.picture import from_array
from overpaint.request import EditRequest, RegionText, Sampling
from overpaint.studio import presets
from overpaint.studio.progress import SharedProgress

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import diffusers
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SIDE = 64
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "clip_sample": False,
}
SETTINGS = {"prompt": "a (cat:1.3) and a dog", "negative_prompt": "dog", "steps": 4, "strength": 0.9}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tokenizer_of() -> CLIPTokenizer:
    """Bytes and two words."""
    from tokenizers.pre_tokenizers import ByteLevel

    symbols = sorted(ByteLevel.alphabet())
    vocabulary = {symbol: i for i, symbol in enumerate(itertools.chain(symbols, (s + "</w>" for s in symbols)))}
    merges = ["c a", "ca t</w>", "d o", "do g</w>"]
    for name in [*(merge.replace(" ", "") for merge in merges), "<|startoftext|>", "<|endoftext|>"]:
        vocabulary[name] = len(vocabulary)
    pairs = [tuple(merge.split()) for merge in merges]
    return CLIPTokenizer(vocab=vocabulary, merges=pairs, pad_token="<|endoftext|>", model_max_length=77)


def checkpoint(folder: Path, channels: int, family: str = "sd1") -> Path:
    """A small model with random weights, as diffusers and transformers write it."""
    torch.manual_seed(channels)
    tokenizer = tokenizer_of()
    xl = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 4,
        "projection_class_embeddings_input_dim": 4 * 6 + 16,
    }
    unet = UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32 if family == "sdxl" else 16,
        attention_head_dim=2 if family == "sd1" else (1, 2),
        use_linear_projection=family != "sd1",
        **(xl if family == "sdxl" else {}),
    )
    vae = AutoencoderKL(
        block_out_channels=(4, 4, 8, 8),
        norm_num_groups=2,
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        force_upcast=False,
        sample_size=SIDE,
    )
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    prediction = {"prediction_type": "v_prediction"} if family == "sd2" else {}
    DDIMScheduler(**SCHEDULE, **prediction).save_pretrained(folder / "scheduler")
    for number, kind in enumerate(
        (CLIPTextModel, CLIPTextModelWithProjection) if family == "sdxl" else (CLIPTextModel,)
    ):
        text = kind(
            CLIPTextConfig(
                vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                num_attention_heads=2, max_position_embeddings=77, projection_dim=16,
                bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )  # fmt: skip
        with torch.no_grad():
            for parameter in text.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape))
        text.save_pretrained(folder / ("text_encoder_2" if number else "text_encoder"))
        tokenizer.save_pretrained(folder / ("tokenizer_2" if number else "tokenizer"))
    return folder


@pytest.fixture(scope="module")
def every_folder(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Path]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_HOME", str(home / "overpaint"))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        yield {
            (family, channels): checkpoint(home / f"{family}-{channels}", channels, family)
            for family in ("sd1", "sd2", "sdxl")
            for channels in (4, 9)
        }


@pytest.fixture(scope="module")
def every_engine(every_folder: dict[tuple[str, int], Path]):
    held = {
        key: DiffusionEngine(models.find(str(folder)), device="cpu", dtype=torch.float32)
        for key, folder in every_folder.items()
    }
    yield held
    for engine in held.values():
        engine.close()


@pytest.fixture(scope="module")
def folders(every_folder: dict[tuple[str, int], Path]) -> dict[int, Path]:
    return {channels: every_folder["sd1", channels] for channels in (4, 9)}


@pytest.fixture(scope="module")
def engines(every_engine: dict[tuple[str, int], DiffusionEngine]) -> dict[int, DiffusionEngine]:
    return {channels: every_engine["sd1", channels] for channels in (4, 9)}


@pytest.fixture(params=[4, 9])
def engine(request: pytest.FixtureRequest, engines: dict[int, DiffusionEngine]) -> DiffusionEngine:
    return engines[request.param]


def pixels_of(seed: int = 0, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """Smooth colours with some texture."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 3, 4, 4), np.float32))
    smooth = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")[0].permute(1, 2, 0).numpy()
    return np.clip(smooth + 0.1 * rng.random((height, width, 3), np.float32), 0, 1).astype(np.float32)


def canvas_of(seed: int = 1, *, picture: int = 0, width: int = SIDE, **settings: object) -> Canvas:
    mask = np.zeros((SIDE, width), np.float32)
    mask[16:40, 24:48] = 1
    return Canvas(pixels_of(picture, width=width), mask, seed, sampling=Sampling(**{**SETTINGS, **settings}))


def painted(engine: Engine, canvas: Canvas) -> np.ndarray:
    return paint(engine, [canvas])[0].pixels


def levels(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, in 255ths."""
    return float(np.abs(one - other).max() * 255)


# ---- what a canvas gets ----


def test_the_same_seed_gives_the_same_pixels_and_another_others(engine):
    one, same, other = (painted(engine, canvas_of(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert levels(one, other) > 1


def test_prompt_negative_prompt_and_guidance_change_the_result(engine):
    plain = painted(engine, canvas_of())
    changes = [{"prompt": "a cat"}, {"negative_prompt": ""}, {"guidance_scale": 1.0}, {"guidance_rescale": 0.7}]
    changes += [{"guidance_interval": (0.5, 1.0)}, {"clip_skip": 2}, {"sampler": "Euler a"}, {"scheduler": "Normal"}]
    for change in changes:
        assert not np.array_equal(painted(engine, canvas_of(**change)), plain), change


def test_where_prompt_and_negative_prompt_are_equal_the_network_sees_one_row(engine):
    painted(engine, canvas_of())
    rows = []
    hook = engine._networks.loaded.network.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    try:
        nothing = painted(engine, canvas_of(prompt="", negative_prompt=""))
        assert set(rows) == {1}
        rows.clear()
        same = painted(engine, canvas_of(prompt="a cat", negative_prompt="a cat"))
        assert set(rows) == {1}
        rows.clear()
        painted(engine, canvas_of(prompt="a cat", negative_prompt="a dog"))
        assert set(rows) == {2}
    finally:
        hook.remove()
    for found, words in ((nothing, ""), (same, "a cat")):
        assert levels(found, painted(engine, canvas_of(prompt=words, guidance_scale=1.0))) < 1


# ---- prompts over the steps ----


def by_hand(engine: DiffusionEngine, canvas: Canvas, texts: list[dict[str, float]], scale: float = 7.5) -> np.ndarray:
    """Euler's method in a loop of its own; for each step texts with their weights: x0 = u + s sum w (c - u)."""
    nets = engine._networks
    given = paint_settings(canvas, SD1, nets.loaded.scheduler_config)
    chosen = nets.prompt_networks(given)
    extra_input = nets.loaded.family.extra_input if nets.loaded.inpainting else None
    start = NATIVE.start(canvas, nets.encode, extra_input, Monitor())
    denoiser, latents, levels = nets.denoiser(chosen, exact=False), start.latents, given.plan.schedule()

    def estimate(prompt: str, x: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        own = dataclasses.replace(canvas, sampling=dataclasses.replace(canvas.sampling, prompt=prompt))
        settings = paint_settings(own, SD1, nets.loaded.scheduler_config)
        pair = [one.at(0).parts[0][1] for one in nets.conditionings(nets.prompt_networks(settings), settings, own)]
        at = torch.tensor([levels.sigmas[step]]), torch.tensor([levels.times[step]])
        c, u = (denoiser(NetworkInput(x, *at, one, latents.extra)) for one in pair)
        return c, u

    x = latents.content + levels.sigmas[0] * start.noise(latents.content)
    for step, weights in enumerate(texts):
        pairs = [(weight, *estimate(prompt, x, step)) for prompt, weight in weights.items()]
        u = pairs[-1][2]  # of the longest text, which comes last
        x0 = u + scale * sum(weight * (c - u) for weight, c, _ in pairs)
        x0 = torch.where(latents.mask > 0, x0, latents.content)
        x = x + (x - x0) / levels.sigmas[step] * (levels.sigmas[step + 1] - levels.sigmas[step])
    return nets.decode(x)


LONG = "a dog, " * 40


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("[a cat:a dog:0.5]", [{"a cat": 1}] * 2 + [{"a dog": 1}] * 2),
        ("a (cat:1.3) [and a dog:3]", [{"a (cat:1.3) ": 1}] * 3 + [{"a (cat:1.3) and a dog": 1}]),
        ("[a cat|a dog]", [{"a cat": 1}, {"a dog": 1}] * 2),
        ("a cat AND a dog:0.5", [{"a cat ": 1, " a dog": 0.5}] * 4),
        ("a cat AND dog:-1", [{"a cat ": 1, " dog": -1}] * 4),
        ("a cat:-0.5 AND dog:0", [{"a cat": -0.5}] * 4),
        ("[a cat AND dog:[bird|tree]:2]", [{"a cat ": 1, " dog": 1}] * 2 + [{"bird": 1}, {"tree": 1}]),
        (f"cat:0.5 AND {LONG}", [{"cat": 0.5, f" {LONG}": 1}] * 4),
    ],
)
def test_the_network_follows_the_prompt_over_the_steps(engine, prompt, texts):
    canvas = canvas_of(prompt=prompt, sampler="Euler", scheduler="Normal", guidance_scale=3.0)
    found = painted(engine, canvas)
    assert levels(found, by_hand(engine, canvas, texts, 3.0)) < 0.05
    assert levels(found, painted(engine, canvas_of(sampler="Euler", scheduler="Normal", guidance_scale=3.0))) > 1


@pytest.mark.parametrize(
    "prompt",
    [
        "[a (cat:1.3) and a dog:else:4]", "[a (cat:1.3) and a dog|a (cat:1.3) and a dog]", "[:a (cat:1.3) and a dog:0]",
        "a (cat:1.3) [and a dog:and a dog:0.5]", "a (cat:1.3) and a dog:0.5 AND a (cat:1.3) and a dog:0.5",
        "a (cat:1.3) and a dog AND bird:0",
    ],
)  # fmt: skip
def test_a_schedule_that_never_switches_is_the_plain_prompt_to_the_bit(engine, prompt):
    rows = []
    plain = painted(engine, canvas_of())
    hook = engine._networks.loaded.network.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    try:
        assert np.array_equal(painted(engine, canvas_of(prompt=prompt)), plain)
    finally:
        hook.remove()
    assert rows == [2] * 4, "and costs no more"


def test_texts_of_a_schedule_are_encoded_once_each_and_cost_one_row_a_part(engine, monkeypatch):
    from overpaint.engines.diffusion import text

    painted(engine, canvas_of())
    encoded, rows, encode = [], [], text.ClipEncoders.encode
    monkeypatch.setattr(text.ClipEncoders, "encode", lambda self, job: encoded.append(job) or encode(self, job))
    hook = engine._networks.loaded.network.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    try:
        painted(engine, canvas_of(prompt="[x1|x2] AND x3 AND[ x4: x5:2]", steps=6))
    finally:
        hook.remove()
    assert len(encoded) == 5, "the negative prompt's states are kept from before"
    assert rows == [4] * 6
    rows.clear()
    hook = engine._networks.loaded.network.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    try:
        painted(engine, canvas_of(prompt="x1 AND x3", guidance_scale=0.5))
        painted(engine, canvas_of(prompt="x1 AND x3", guidance_scale=3, guidance_interval=(0, 0.5)))
    finally:
        hook.remove()
    assert rows == [2] * 4 + [3, 3, 2, 2], "without guidance the mean of the parts is enough"


def test_exact_mode_keeps_the_bits_of_a_prompt_over_the_steps_beside_any_neighbour(engines):
    prompts = "[a cat:a dog:0.5]", "a cat AND [dog|bird]:0.7", "a (cat:1.3)"
    canvases = [canvas_of(seed, prompt=prompt, exact=True) for seed, prompt in enumerate(prompts)]
    alone = [painted(engines[4], one) for one in canvases]
    together = [one.pixels for one in paint(engines[4], canvases)]
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_every_family_follows_a_prompt_over_the_steps(every_engine, family):
    one = every_engine[family, 4]
    assert levels(painted(one, canvas_of(prompt="[cat|dog] AND bird")), painted(one, canvas_of(prompt="cat"))) > 1


# ---- regional prompts ----


def regional(canvas: Canvas, *regions: tuple[str, np.ndarray] | tuple[str, np.ndarray, float]) -> Canvas:
    """The canvas with regional prompts: text, mask, and weight where it is not 1."""
    texts = tuple(RegionText(prompt=text, weight=more[0] if more else 1.0) for text, _, *more in regions)
    sampling = dataclasses.replace(canvas.sampling, regional_prompts=texts)
    return dataclasses.replace(canvas, sampling=sampling, prompt_masks=tuple(mask for _, mask, *_ in regions))


def half(start: int, end: int) -> np.ndarray:
    """A mask of these columns."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[:, start:end] = 1
    return mask


FADE = np.broadcast_to(np.linspace(0, 1, SIDE, dtype=np.float32), (SIDE, SIDE)).copy()


@pytest.mark.parametrize("dialect", ["diffusers", "webui"])
def test_regional_prompts_act_in_every_dialect(engines, dialect):
    asked = {"dialect": dialect, "sampler": "Euler", "prompt": "a cat"}
    plain = painted(engines[4], canvas_of(**asked))
    assert levels(painted(engines[4], regional(canvas_of(**asked), ("dog", half(0, 40)))), plain) > 0.5


def test_a_regional_prompt_of_all_or_of_nothing_is_the_plain_prompt_to_the_bit_at_no_more_cost(engines):
    """So are several that cover all and have the same text, whatever their masks and weights."""
    engine = engines[4]
    text = "a dog AND [cat|bird]:0.7"
    plain = painted(engine, canvas_of(prompt=text))
    rows = []
    hook = engine._networks.loaded.network.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    try:
        for regions in (
            [(text, half(0, SIDE))],
            [(text, FADE), (text, 1 - FADE, 0.3)],
            [("x", half(0, 0)), (text, half(0, SIDE), 0.1)],
            [(text, half(8, 40)), (text, half(0, SIDE), 3.0), (text, FADE)],
        ):
            assert np.array_equal(painted(engine, regional(canvas_of(prompt="never"), *regions)), plain)
        assert np.array_equal(painted(engine, regional(canvas_of(prompt=text), ("x", half(0, 0)))), plain)
    finally:
        hook.remove()
    assert set(rows) == {3}


@pytest.mark.parametrize("sampler", ["Euler", "Euler CFG++"])
def test_regions_of_one_text_are_that_text_to_the_bit_for_every_guidance(engines, sampler):
    for method, more in (
        ("cfg", {"guidance_rescale": 0.5}), ("apg", {"guidance_interval": (0.2, 1.0)}), ("cfg_zero", {}),
    ):  # fmt: skip
        canvas = canvas_of(prompt="a cat AND a dog", sampler=sampler, guidance_scale=3.0, steps=2, **more)
        canvas = dataclasses.replace(canvas, options=DiffusionOptions(guidance_method=method))
        same = regional(canvas, ("a cat AND a dog", half(0, 20)), ("a cat AND a dog", half(20, SIDE), 2.0))
        found = painted(engines[4], same)
        assert np.array_equal(found, painted(engines[4], canvas))
        assert levels(found, painted(engines[4], regional(canvas, ("bird", half(0, 40))))) > 0.5


def test_each_cell_is_guided_by_the_texts_of_its_regions(engine):
    """Beside a loop by hand: a schedule on the left, AND and a negative prompt of its own on the right, the prompt
    between; two regions that share a column of cells.
    """
    ask = {"sampler": "Euler", "scheduler": "Normal", "guidance_scale": 3.0, "prompt": "a dog"}
    canvas = regional(canvas_of(**ask), ("[a cat:bird:0.5]", half(0, 28)), ("tree AND x:0.5", half(24, 40), 2.0))
    own = canvas.sampling.regional_prompts[1].model_copy(update={"negative_prompt": "cat"})
    texts = (canvas.sampling.regional_prompts[0], own)
    canvas = dataclasses.replace(canvas, sampling=dataclasses.replace(canvas.sampling, regional_prompts=texts))
    found = painted(engine, canvas)
    nets = engine._networks
    given = paint_settings(canvas, SD1, nets.loaded.scheduler_config)
    start = NATIVE.start(
        canvas, nets.encode, nets.loaded.family.extra_input if nets.loaded.inpainting else None, Monitor()
    )
    denoiser = nets.denoiser(nets.prompt_networks(given), exact=False)
    latents, schedule = start.latents, given.plan.schedule()

    def away(prompt: str, negative: str, x: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        plain = canvas_of(**{**ask, "prompt": prompt, "negative_prompt": negative})
        settings = paint_settings(plain, SD1, nets.loaded.scheduler_config)
        pair = [one.at(0).parts[0][1] for one in nets.conditionings(nets.prompt_networks(settings), settings, plain)]
        at = torch.tensor([schedule.sigmas[step]]), torch.tensor([schedule.times[step]])
        c, u = (denoiser(NetworkInput(x, *at, one, latents.extra)) for one in pair)
        return c, u

    columns = torch.arange(8)[None, None, None]
    one, other = (columns < 3) + 0.5 * (columns == 3), 2.0 * ((columns == 3) + 1.0 * (columns == 4))
    rest = (columns > 4).float()
    whole = one + other + rest
    x = latents.content + schedule.sigmas[0] * start.noise(latents.content)
    for step in range(4):
        c0, u0 = away("a dog", "dog", x, step)
        c1, _ = away("a cat" if step < 2 else "bird", "dog", x, step)
        (c2, u2), (c3, _) = (away(text, "cat", x, step) for text in ("tree ", " x"))
        u = ((one + rest) * u0 + other * u2) / whole
        x0 = u + 3.0 * (one * (c1 - u) + other * (c2 - u + 0.5 * (c3 - u)) + rest * (c0 - u)) / whole
        x0 = torch.where(latents.mask > 0, x0, latents.content)
        x = x + (x - x0) / schedule.sigmas[step] * (schedule.sigmas[step + 1] - schedule.sigmas[step])
    assert levels(found, nets.decode(x)) < 0.05


def test_exact_mode_keeps_the_bits_of_regional_prompts_beside_any_neighbour(engines):
    canvases = [
        regional(canvas_of(1, exact=True, steps=2), ("a cat AND bird", FADE), ("tree", half(30, SIDE))),
        regional(canvas_of(3, exact=True, steps=2, guidance_rescale=0.5), ("[x|y]", half(0, 30))),
    ]
    alone = [painted(engines[4], one) for one in canvases]
    together = [one.pixels for one in paint(engines[4], canvases)]
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_a_regional_prompt_is_read_as_the_prompt_is_and_its_notes_and_errors_name_it(engines):
    engine = engines[4]
    canvas = regional(canvas_of(steps=1), ("a cat [x", half(0, 30)), ("a dog # wet", half(30, 60)))
    (found,) = paint(engine, [canvas])
    assert [note for note in found.notes if note.startswith("regional prompt")] == [
        "regional prompt 2: left out as a comment: # wet"
    ]
    for wrong in ("<lora:missing:1>", "(" * 200 + "x" + ")" * 200):
        with pytest.raises((RequestError, ModelError)):
            painted(engine, regional(canvas_of(steps=1), (wrong, half(0, 30))))
    texts = CanvasTexts.read(
        Sampling(
            "<lora:a:1> x",
            regional_prompts=(RegionText(prompt="<lora:a:1> y"), RegionText(prompt="<lora:b:0.5> AND z")),
        ),
        TextSettings(steps=4),
    )
    assert [one.name for one in texts.networks] == ["a", "b"], "one network paints all, with each tag once"
    assert texts.notes == tuple(
        f"regional prompt {number}: the networks that its tags name act on the whole picture" for number in (1, 2)
    )


def test_strength_0_gives_the_canvas_back(engine):
    canvas = canvas_of(strength=0.0)
    assert np.array_equal(painted(engine, canvas), canvas.pixels)


def test_known_cells_keep_the_pictures_own_latents_and_the_decoded_whole_is_the_evidence(engine, monkeypatch):
    painted(engine, canvas_of())
    networks, decoded = engine._networks, []
    decode = networks.decode
    monkeypatch.setattr(networks, "decode", lambda latents: decoded.append(latents) or decode(latents))
    canvas = canvas_of(masked_content="original")
    result = paint(engine, [canvas])[0]
    own = networks.encode(canvas.pixels).mean
    same = (decoded[0] == own).all(dim=1)[0]
    known = torch.ones(8, 8, dtype=torch.bool)
    known[2:5, 3:6] = False
    assert torch.equal(same, known)
    assert np.array_equal(result.evidence, decode(decoded[0]))


@pytest.mark.parametrize("family", ["sd2", "sdxl"])
def test_every_family_paints(every_engine, family):
    for channels, dialect in ((4, "native"), (9, "native"), (4, "webui"), (9, "webui")):
        canvases = (canvas_of(seed, dialect=dialect) for seed in (1, 2))
        one, other = (painted(every_engine[family, channels], canvas) for canvas in canvases)
        assert levels(one, other) > 1


def test_two_canvases_at_once_are_as_one_at_a_time(engine):
    canvases = [canvas_of(3), canvas_of(4, picture=2, sampler="Euler a", steps=6), canvas_of(5, width=SIDE + 16)]
    alone = [painted(engine, canvas) for canvas in canvases]
    for result, expected in zip(paint(engine, canvases), alone, strict=True):
        assert levels(result.pixels, expected) < 1


def test_a_canvas_that_comes_while_another_runs_joins_it(engines):
    """It ends first, having fewer steps: the worker did not wait for the one before it."""
    engine, ended = engines[4], []
    started = threading.Event()

    def watched(step: int, steps: int) -> None:
        started.set()
        if step == 1:
            assert late_is_in.wait(20)

    late_is_in = threading.Event()
    long = engine.submit(canvas_of(1, steps=30), Monitor(on_progress=watched))
    assert started.wait(20)
    short = engine.submit(canvas_of(2, steps=2), Monitor())
    long.add_done_callback(lambda _: ended.append("long"))
    short.add_done_callback(lambda _: ended.append("short"))
    late_is_in.set()
    assert np.array_equal(short.result(30).pixels.shape, (SIDE, SIDE, 3))
    long.result(30)
    assert ended == ["short", "long"]


def test_a_canvas_does_not_wait_for_the_many_of_another_edit(engines, monkeypatch):
    monkeypatch.setattr("overpaint.engines.diffusion.engine.AT_ONCE", 2)
    ended: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def watched(step: int, steps: int) -> None:
        inside.set()
        assert go_on.wait(20)

    edit = Monitor(on_progress=watched)
    parts = SharedProgress(edit, 6).parts
    many = [engines[4].submit(canvas_of(number, steps=6), part) for number, part in enumerate(parts)]
    for number, future in enumerate(many):
        future.add_done_callback(lambda _, number=number: ended.append(str(number)))
    assert inside.wait(20)
    short = engines[4].submit(canvas_of(9, steps=2), Monitor())
    short.add_done_callback(lambda _: ended.append("short"))
    go_on.set()
    for future in (short, *many):
        future.result(30)
    assert ended == ["short", "0", "1", "2", "3", "4", "5"]


def test_exact_mode_gives_the_same_bits_beside_any_neighbour(engines):
    canvas = canvas_of(3, exact=True)
    alone = painted(engines[9], canvas)
    together = paint(engines[9], [canvas_of(8, exact=True, steps=7), canvas, canvas_of(9, exact=True, picture=4)])
    assert np.array_equal(together[1].pixels, alone)


@pytest.mark.parametrize(
    ("family", "prediction", "native"),
    [("sd1", "epsilon", 512), ("sd2", "epsilon", 512), ("sd2", "v", 768), ("sdxl", "epsilon", 1024)],
)
def test_a_family_is_painted_with_at_the_size_that_it_was_trained_at(tmp_path, family, prediction, native):
    (tmp_path / "model.safetensors").write_bytes(b"looked at for its digest alone")
    kind = models.Kind("checkpoint", "safetensors", family, 9, prediction)
    card = card_of(models.ModelRef("a model", tmp_path / "model.safetensors", kind))
    assert (card.name, card.paints_from, card.samples, card.colour_space) == ("diffusion", "prompt", True, "srgb")
    assert (card.sizes.native, card.sizes.multiple, card.sizes.maximum_aspect) == (native, 8, 2)
    assert card.sizes.maximum_area >= native**2
    with pytest.raises(ModelError, match="LoRA"):
        card_of(models.ModelRef("x", tmp_path, models.Kind("lora", "safetensors", family)))


def test_what_a_network_has_to_paint_may_be_read_only(engine):
    """A view of somebody's array, say; PyTorch warns of those."""
    canvas = canvas_of()
    canvas.pixels.flags.writeable = canvas.mask.flags.writeable = False
    assert np.array_equal(painted(engine, canvas), painted(engine, canvas_of()))


# ---- progress, previews, cancellation ----


def test_progress_and_previews_come_with_every_step(engine):
    steps, previews = [], []
    monitor = Monitor(lambda *at: steps.append(at), previews.append)
    engine.submit(canvas_of(), monitor).result(30)
    assert steps == [(k, 4) for k in range(1, 5)]
    assert len(previews) == 3
    assert all(p.shape == (8, 8, 3) and p.dtype == np.float32 and 0 <= p.min() <= p.max() <= 1 for p in previews)


def test_a_cancelled_canvas_leaves_its_neighbours_alone(engine):
    canvas = canvas_of(7)
    expected = painted(engine, canvas)
    monitor = Monitor(on_progress=lambda step, steps: step == 2 and monitor.cancel())
    called_off = engine.submit(canvas_of(8, steps=9), monitor)
    beside = engine.submit(canvas, Monitor())
    with pytest.raises(Cancelled):
        called_off.result(30)
    assert levels(beside.result(30).pixels, expected) < 1


@pytest.mark.parametrize("part", ["encode", "decode"])
def test_nothing_is_encoded_or_decoded_once_it_is_called_off(engine, part, monkeypatch):
    canvas = canvas_of(1, steps=2, picture=77 + len(part))
    painted(engine, canvas_of())
    monitor = Monitor()
    if part == "encode":
        monitor.cancel()
    else:
        # the last step's report comes before decoding
        monitor = Monitor(on_progress=lambda step, steps: step == steps and monitor.cancel())
    monkeypatch.setattr(engine._networks, part, lambda *_: pytest.fail("it went on"))
    with pytest.raises(Cancelled):
        engine.submit(canvas, monitor).result(30)


def test_closing_cancels_what_waits_and_ends_what_runs(folders):
    engine = DiffusionEngine(models.find(str(folders[4])), device="cpu", dtype=torch.float32)
    inside, go_on = threading.Event(), threading.Event()

    def held(step: int, steps: int) -> None:
        inside.set()
        go_on.wait(20)

    running = engine.submit(canvas_of(steps=2), Monitor(on_progress=held))
    assert inside.wait(20)
    waiting: Future[Painted] = engine.submit(canvas_of(2), Monitor())
    closing = threading.Thread(target=engine.close)
    closing.start()
    while not engine._closed:
        time.sleep(0.001)
    go_on.set()
    closing.join(20)
    assert running.result(1).pixels.shape == (SIDE, SIDE, 3)
    assert waiting.cancelled()
    with pytest.raises(EngineError, match="closed"):
        engine.submit(canvas_of(), Monitor())


# ---- what the hole begins with ----


def started(canvas: Canvas, channels: int = 4):
    """Latents of an autoencoder that is a mean over cells."""

    def encode(pixels: np.ndarray) -> Moments:
        means = pixels.reshape(SIDE // 8, 8, SIDE // 8, 8, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
        return Moments(torch.from_numpy(np.ascontiguousarray(means))[None])

    extra_input = SD1.extra_input if channels == 9 else None
    return NATIVE.start(canvas, encode, extra_input, Monitor()).latents


def test_the_hole_begins_with_the_masked_content():
    hole = np.s_[0, :, 2:5, 3:6]
    content = {
        name: started(canvas_of(masked_content=name)).content
        for name in ("original", "fill", "latent_noise", "latent_nothing", "exemplar")
    }
    for one, other in itertools.combinations(content.values(), 2):
        assert not torch.equal(one[hole], other[hole])
        kept = torch.ones(1, 3, 8, 8)
        kept[hole] = 0
        assert torch.equal(one * kept, other * kept)
    assert content["latent_nothing"][hole].abs().max() == 0
    noise = started(
        Canvas(pixels_of(), np.ones((SIDE, SIDE), np.float32), sampling=Sampling(masked_content="latent_noise"))
    )
    assert abs(float(noise.content.std()) - 1) < 0.2


def test_fill_is_made_of_the_surroundings_alone():
    canvas = canvas_of()
    poisoned = Canvas(np.where(canvas.hole[..., None], np.float32(9), canvas.pixels), canvas.mask)
    for content in ("fill", "exemplar"):
        filled = content_pixels(poisoned, content, Monitor())
        assert filled.max() <= canvas.pixels[~canvas.hole].max() + 1e-6
        assert np.array_equal(filled[~canvas.hole], canvas.pixels[~canvas.hole])


def test_nine_channels_see_a_binary_mask_and_a_grey_hole():
    canvas = canvas_of()
    soft = Canvas(canvas.pixels, canvas.mask * np.float32(0.2), sampling=canvas.sampling)
    extra = started(soft, 9).extra
    assert set(extra[0, 0].unique().tolist()) == {0.0, 1.0}
    assert (extra[0, 1:, 2:5, 3:6] == 0.5).all()
    assert started(soft).mask.max() == pytest.approx(0.2)


# ---- diffusers' pipeline as the oracle ----


def pipeline(folder: Path, family: str):
    parts = {
        "unet": UNet2DConditionModel.from_pretrained(folder / "unet").eval(),
        "vae": AutoencoderKL.from_pretrained(folder / "vae").eval(),
        "text_encoder": CLIPTextModel.from_pretrained(folder / "text_encoder").eval(),
        "tokenizer": CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        "scheduler": DDIMScheduler.from_pretrained(folder / "scheduler"),
    }
    if family == "sdxl":
        parts["text_encoder_2"] = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder_2").eval()
        parts["tokenizer_2"] = CLIPTokenizer.from_pretrained(folder / "tokenizer_2")
        pipe = diffusers.StableDiffusionXLInpaintPipeline(**parts)
    else:
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        pipe = diffusers.StableDiffusionInpaintPipeline(**parts)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize("negative", ["dog", "", None])
@pytest.mark.parametrize("strength", [1.0, 0.6])
@pytest.mark.parametrize(
    ("family", "channels", "sampler"),
    [("sd1", 4, "DDIM"), ("sd1", 4, "Euler a"), ("sd1", 9, "DDIM"), ("sd1", 9, "Euler a"), ("sd2", 4, "DDIM"),
     ("sdxl", 4, "Euler a"), ("sdxl", 9, "DDIM")],
)  # fmt: skip
def test_the_dialect_of_diffusers_paints_what_its_pipeline_paints(
    family, channels, sampler, strength, negative, every_engine, every_folder
):
    pipe = pipeline(every_folder[family, channels], family)
    if sampler == "Euler a":
        pipe.scheduler = diffusers.EulerAncestralDiscreteScheduler.from_config(pipe.scheduler.config)
    canvas = canvas_of(11)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pipe(
            "a cat and a dog",
            negative_prompt=negative,
            image=torch.from_numpy(canvas.pixels.transpose(2, 0, 1))[None],
            mask_image=torch.from_numpy(canvas.mask)[None, None],
            height=SIDE,
            width=SIDE,
            strength=strength,
            num_inference_steps=6,
            guidance_scale=5.0,
            generator=torch.Generator().manual_seed(11),
            output_type="np",
        ).images[0]
    asked = {"sampler": sampler, "strength": strength, "steps": 6, "guidance_scale": 5.0, "prompt": "a cat and a dog"}
    asked |= {"negative_prompt": negative, "dialect": "diffusers", "scheduler": "automatic", "clip_skip": 1}
    assert levels(painted(every_engine[family, channels], canvas_of(11, **asked)), expected) < 0.1


# ---- half precision, caches, LoRAs ----


@pytest.mark.parametrize(
    ("part", "title"),
    [
        ("unet", "the network"),
        ("encoder", "the VAE's encoder"),
        ("decoder", "the VAE's decoder"),
        ("text", "the text encoder"),
    ],
)
def test_numbers_that_overflow_half_precision_are_done_again_in_single(folders, engines, part, title):
    expected = painted(engines[9], canvas_of())
    engine = DiffusionEngine(models.find(str(folders[9])), device="cpu", dtype=torch.float16)
    reached = []

    def overflow(_: object, __: object, out: torch.Tensor) -> torch.Tensor:
        reached.append(out.dtype)
        return out * np.inf if out.dtype == torch.float16 else out

    try:
        (first,) = paint(engine, [canvas_of(picture=9, prompt="a dog", negative_prompt="")])  # loads it
        model = engine._networks.loaded
        layers = {
            "unet": model.network.conv_out,
            "encoder": model.vae.encoder.conv_out,
            "decoder": model.vae.decoder.conv_out,
            "text": model.text_encoders[0].embeddings.token_embedding,
        }
        layers[part].register_forward_hook(overflow)
        (again,) = paint(engine, [canvas_of()])
    finally:
        engine.close()
    assert {torch.float16, torch.float32} == set(reached)
    assert levels(again.pixels, expected) < 4
    note = f"{title} gave numbers that are not finite, and ran again in single precision"
    assert first.notes == ()
    assert again.notes == (note,)


def test_a_model_that_gives_no_numbers_at_all_is_an_error(folders):
    engine = DiffusionEngine(models.find(str(folders[4])), device="cpu", dtype=torch.float32)
    try:
        painted(engine, canvas_of())
        handle = engine._networks.loaded.network.conv_out.register_forward_hook(lambda _, __, out: out * np.nan)
        with pytest.raises(EngineError, match="not finite"):
            painted(engine, canvas_of())
        handle.remove()
        assert np.isfinite(painted(engine, canvas_of())).all()
    finally:
        engine.close()


def test_texts_and_pictures_are_encoded_once(engine, monkeypatch):
    from overpaint.engines.diffusion import text

    painted(engine, canvas_of(1))
    monkeypatch.setattr(text.ClipEncoders, "encode", lambda *_: pytest.fail("the text was encoded again"))
    monkeypatch.setattr(engine._networks, "_encoded", lambda *_: pytest.fail("the picture was encoded again"))
    painted(engine, canvas_of(2))


@pytest.mark.parametrize("channels", [4, 9])
def test_a_second_edit_of_a_picture_reuses_what_was_encoded(folders, channels, monkeypatch):
    """Another prompt encodes one text and no picture; another seed nothing at all."""
    made: list[str] = []
    for name in ("_encoded", "_text"):
        whole = getattr(networks.Networks, name)

        def counted(self, *given, name=name, whole=whole):
            made.append(name)
            return whole(self, *given)

        monkeypatch.setattr(networks.Networks, name, counted)
    size = Size(96, 80)
    ask = {"mask": Mask.box(size, Box(30, 20, 60, 50)), "intent": "replace", "model": str(folders[channels])}
    with Studio(device="cpu") as studio:
        for prompt, seed, expected in (
            ("a cat", 1, ["_encoded"] * (2 if channels == 9 else 1) + ["_text"] * 2),
            ("a cat", 2, []),
            ("a dog", 2, ["_text"]),
        ):
            made.clear()
            studio.edit(photo(size), prompt=prompt, seed=seed, steps=1, **ask)
            assert sorted(made) == expected


def test_a_cache_keeps_within_its_budget_what_was_used_last():
    cache: ByteCache[str] = ByteCache(10, len)
    made = []

    def get(text: str) -> str:
        return cache.get(text, lambda: made.append(text) or text)

    for text in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb", "d" * 11, "d" * 11, "bbbb"):
        assert get(text) == text
        assert cache.bytes <= (11 if text[0] == "d" else 10)
    assert made == ["aaaa", "bbbb", "cccc", "bbbb", "d" * 11, "bbbb"]


def save_style(name: str = "style") -> None:
    """A LoRA in the store."""
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(3)
    layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    style = {
        f"{layer}.lora_down.weight": torch.randn(2, 16, generator=generator),
        f"{layer}.lora_up.weight": torch.randn(16, 2, generator=generator),
        f"{layer}.alpha": torch.tensor(2.0),
    }
    models.store_folder().mkdir(parents=True, exist_ok=True)
    save_file(style, models.store_folder() / f"{name}.safetensors")


def test_a_lora_of_the_prompt_changes_its_own_canvas_alone(engines, folders):
    save_style()
    plain = painted(engines[4], canvas_of())
    styled = canvas_of(prompt=f"{SETTINGS['prompt']}<lora:style:1>")
    with_lora, beside = paint(engines[4], [styled, canvas_of()])
    assert levels(with_lora.pixels, plain) > 1
    assert levels(beside.pixels, plain) < 1
    assert np.array_equal(painted(engines[4], canvas_of(prompt=f"{SETTINGS['prompt']}<lora:style:0>")), plain)
    with pytest.raises(ModelError, match="stile"):
        painted(engines[4], canvas_of(prompt="a cat <lora:stile:1>"))


def test_a_textual_inversion_stands_for_its_word_and_one_for_another_kind_is_a_word(engines, folders):
    from safetensors.torch import save_file

    models.store_folder().mkdir(parents=True, exist_ok=True)
    canvas = canvas_of(prompt="a mywrd and a dog")
    plain = painted(engines[4], canvas)
    save_file({"emb_params": torch.randn(2, 24)}, models.store_folder() / "mywrd.safetensors")
    assert np.array_equal(painted(engines[4], canvas), plain)
    save_file({"emb_params": torch.randn(2, 16)}, models.store_folder() / "mywrd.safetensors")
    assert levels(painted(engines[4], canvas), plain) > 0.1


def test_a_tiny_vae_may_take_the_vaes_place(folders, tmp_path):
    from diffusers import AutoencoderTiny

    torch.manual_seed(0)
    tiny = AutoencoderTiny(
        encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4, num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
    )  # fmt: skip
    torch.nn.init.constant_(tiny.decoder.layers[-1].bias, 0.5)  # else untrained ones decode to black
    tiny.save_pretrained(tmp_path / "tiny")
    engine = DiffusionEngine(
        models.find(str(folders[9]), vae=str(tmp_path / "tiny")), device="cpu", dtype=torch.float32
    )
    try:
        for dialect in ("native", "diffusers"):
            assert painted(engine, canvas_of(dialect=dialect, scheduler="automatic")).std() > 0
    finally:
        engine.close()


def test_an_eta_that_a_sampler_does_not_use_is_named_in_a_note(engine):
    for sampler, used in (("LCM", False), ("Euler", False), ("DPM++ 2M SDE", True), ("DDIM", True)):
        canvas = dataclasses.replace(canvas_of(sampler=sampler, steps=1), options=DiffusionOptions(eta=0.5))
        notes = paint(engine, [canvas])[0].notes
        assert (notes == ()) is used
        assert used or f"eta has no effect with {sampler}" in notes[0]


@pytest.mark.parametrize(
    ("settings", "options", "note"),
    [
        ({"sampler": "Euler"}, {"s_churn": 2.0, "s_noise": 1.1}, None),
        ({"sampler": "DPM++ 2M"}, {"s_churn": 2.0}, "s_churn, s_tmin and s_tmax have no effect with DPM++ 2M"),
        ({"sampler": "Euler"}, {"s_tmax": 2.0}, "have no effect where s_churn is 0"),
        ({"sampler": "Euler"}, {"s_noise": 1.1}, "s_noise has no effect with Euler"),
        ({"sampler": "Euler", "scheduler": "Karras"}, {"rho": 5.0}, None),
        ({"sampler": "Euler", "scheduler": "Normal"}, {"rho": 5.0}, "rho has no effect"),
        ({"sampler": "DPM fast", "scheduler": "Karras"}, {}, "DPM fast spaces most noise levels itself"),
        ({"guidance_scale": 1.0}, {"guidance_stop": 0.9, "guidance_method": "apg"}, "guidance_method, guidance_stop"),
        ({}, {"cache_interval": 2}, None),
        ({"exact": True}, {"backend": "compile"}, "backend compile has no effect in exact mode"),
        ({"exact": True}, {"cache_interval": 2}, "cache_interval has no effect in exact mode"),
        ({}, {"cache_depth": 2}, "cache_depth has no effect where cache_interval is 1"),
        ({}, {"cache_interval": 2, "cache_depth": 4}, "of which cache_depth 4 leaves none out"),
    ],
)
def test_options_of_sampling_that_have_no_effect_are_named_in_a_note(engine, settings, options, note):
    canvas = dataclasses.replace(canvas_of(steps=2, **settings), options=DiffusionOptions(**options))
    notes = paint(engine, [canvas])[0].notes
    assert len(notes) == (note is not None)
    assert note is None or note in notes[0]


@pytest.mark.parametrize(
    "options",
    [
        *({"guidance_method": "apg"}, {"guidance_method": "cfg_zero"}, {"guidance_stop": 0.0}, {"s_min_uncond": 20.0}),
        *({"s_churn": 9.0}, {"rho": 3.0}, {"s_min_uncond": 20.0, "s_min_uncond_all": True}, {"skip_early_cond": 0.4}),
        {"cache_interval": 2},
    ],
)
def test_an_option_of_sampling_changes_the_result(engine, options):
    canvas = canvas_of(sampler="Euler", scheduler="Karras", steps=3)
    changed = dataclasses.replace(canvas, options=DiffusionOptions(**options))
    assert not np.array_equal(painted(engine, changed), painted(engine, canvas))


@pytest.mark.parametrize(
    "options",
    [
        *(
            {"subseed": 5, "subseed_strength": 0.5},
            {"seed_resize_from_w": 32, "seed_resize_from_h": 48},
            {"ensd": 31337},
        ),
        *({"noise_source": "nv"}, {"initial_noise_multiplier": 1.1}, {"extra_noise": 0.1}, {"exact_steps": True}),
        *({"colour_correction": True}, {"content_seed": 9}),
    ],
)
def test_an_option_of_the_webui_acts_in_its_dialect_alone(engines, options):
    canvas = canvas_of(sampler="Euler a", steps=3, strength=0.6, masked_content="latent_noise", dialect="webui")
    changed = dataclasses.replace(canvas, options=DiffusionOptions(**options))
    (found,) = paint(engines[4], [changed])
    assert found.notes == ()
    assert not np.array_equal(found.pixels, painted(engines[4], canvas))
    sampling = dataclasses.replace(changed.sampling, dialect="native", steps=1)
    (native,) = paint(engines[4], [dataclasses.replace(changed, sampling=sampling)])
    words = f"option {min(options)} has" if len(options) == 1 else f"options {', '.join(sorted(options))} have"
    assert native.notes == (f"the {words} no effect in the dialect native",)


def test_the_mask_weight_is_that_of_networks_made_for_inpainting(engines):
    canvas = canvas_of(steps=2, dialect="webui")
    changed = dataclasses.replace(canvas, options=DiffusionOptions(inpainting_mask_weight=0.0))
    assert not np.array_equal(painted(engines[9], changed), painted(engines[9], canvas))
    (found,) = paint(engines[4], [changed])
    assert np.array_equal(found.pixels, painted(engines[4], canvas))
    assert "inpainting_mask_weight has no effect" in found.notes[0]


def test_the_webui_paints_as_it_is_described(engine):
    """Euler's method by hand: the last four of five Karras levels, the seed's noise over the picture, kept cells."""
    wish = {"prompt": "a cat", "negative_prompt": "dog", "sampler": "Euler", "scheduler": "Karras", "steps": 5}
    canvas = canvas_of(seed=5, strength=0.6, guidance_scale=3.0, dialect="webui", **wish)
    found = painted(engine, canvas)
    nets = engine._networks
    given = paint_settings(canvas, SD1, nets.loaded.scheduler_config)
    chosen = nets.prompt_networks(given)
    texts = [one.at(0).parts[0][1] for one in nets.conditionings(chosen, given, canvas)]
    denoiser, training = nets.denoiser(chosen, exact=False), given.plan.training
    roots = np.linspace(training.sigmas[-1] ** (1 / 7), training.sigmas[0] ** (1 / 7), 5)
    sigmas = [*(roots**7), 0.0][5 - 3 - 1 :]
    z0 = nets.encode(canvas.pixels).mean
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:5, 3:6] = 1
    grey = np.where(canvas.mask[..., None] > 0, np.float32(0.5), canvas.pixels)
    extra = torch.cat([mask, nets.encode(grey).mean], dim=1) if nets.loaded.inpainting else None
    x = z0 + sigmas[0] * torch.randn((4, 8, 8), generator=torch.Generator().manual_seed(5))
    for high, low in itertools.pairwise(sigmas):
        at = torch.tensor([high], dtype=torch.float32), torch.tensor([training.time(high)], dtype=torch.float32)
        c, u = (denoiser(NetworkInput(x, *at, one, extra)) for one in texts)
        x0 = (u + 3.0 * (c - u)) * mask + z0 * (1 - mask)
        x = x + (x - x0) / high * (low - high)
    assert levels(found, nets.decode(x * mask + z0 * (1 - mask))) < 0.05


@pytest.mark.parametrize(
    ("prompt", "sampler", "settings", "texts"),
    [
        ("[a cat:dog:5]", "Euler", {"steps": 8, "strength": 1}, [("a cat", 6), ("dog", 2)]),
        ("[a cat:dog:0.5]", "Euler", {"steps": 8, "strength": 1}, [("a cat", 5), ("dog", 3)]),
        ("[a cat:dog:0.5]", "Euler", {"steps": 20, "strength": 0.5}, [("a cat", 11)]),
        ("[a cat|dog]", "Euler", {"steps": 4, "strength": 1}, [("a cat", 2), ("dog", 1), ("a cat", 1)]),
        ("[a cat:dog:3]", "Heun", {"steps": 4, "strength": 1}, [("a cat", 4), ("dog", 3)]),
    ],
)
def test_the_webui_switches_texts_one_call_after_their_step(engines, prompt, sampler, settings, texts):
    calls = []
    engine = engines[4]
    canvas = canvas_of(prompt=prompt, sampler=sampler, guidance_scale=1.0, dialect="webui", **settings)
    painted(engine, canvas)
    nets = engine._networks

    def states(text: str) -> torch.Tensor:
        own = dataclasses.replace(canvas, sampling=dataclasses.replace(canvas.sampling, prompt=text))
        given = paint_settings(own, SD1, nets.loaded.scheduler_config)
        return nets.conditionings(nets.prompt_networks(given), given, own)[0].at(0).parts[0][1].context

    hook = nets.loaded.network.register_forward_pre_hook(
        lambda _, args, kwargs: calls.append(kwargs.get("encoder_hidden_states", args[-1])), with_kwargs=True
    )
    try:
        painted(engine, canvas)
    finally:
        hook.remove()
    wanted = [states(text) for text, count in texts for _ in range(count)]
    assert len(calls) == len(wanted)
    assert all(torch.equal(one, other) for one, other in zip(calls, wanted, strict=True))


def test_what_a_plain_prompt_leaves_without_effect_is_named_in_a_note(engine):
    def notes(prompt: str, dialect: str, **options: object) -> tuple[str, ...]:
        canvas = canvas_of(prompt=prompt, dialect=dialect, steps=2)
        return paint(engine, [dataclasses.replace(canvas, options=DiffusionOptions(**options))])[0].notes

    assert notes("a cat <lora:style:0.5> <lora:style:1>", "diffusers") == (
        "prompt: encoded as plain words: <lora:style:...>",
    )
    assert "emphasis has no effect in the dialect diffusers" in notes("a (cat)", "diffusers", emphasis="ignore")[0]
    assert notes("a (cat)", "diffusers", emphasis="none") == notes("a (cat)", "native", emphasis="ignore") == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sampler": "Eulr"}, "Eulr"),
        ({"scheduler": "Karas"}, "Karas"),
        ({"dialect": "diffusers", "sampler": "DPM++ 2M SDE Heun"}, "no scheduler for the sampler"),
        ({"prompt": "<hypernet:x:1>"}, "hypernet"),
        ({"negative_prompt": "<lora:x:1>"}, "negative"),
        ({"clip_skip": 12}, "clip_skip"),
        ({"guidance_interval": (0.9, 0.1)}, "interval"),
    ],
)
def test_what_can_not_be_done_is_one_clear_error_and_the_engine_goes_on(engines, settings, message):
    with pytest.raises(RequestError, match=message):
        painted(engines[4], canvas_of(**settings))
    assert painted(engines[4], canvas_of()).shape == (SIDE, SIDE, 3)


# ---- through the studio ----


def photo(size: Size) -> object:
    return from_array((pixels_of(5, size.height, size.width) * 255).round().astype(np.uint8))


@pytest.mark.parametrize("channels", [4, 9])
def test_an_object_is_replaced_and_nothing_else(folders, channels):
    size = Size(150, 120)
    picture, mask = photo(size), Mask.box(size, Box(60, 40, 90, 70))
    ask = {"mask": mask, "intent": "replace", "model": str(folders[channels]), "prompt": "a dog", "steps": 3}
    with Studio(device="cpu") as studio:
        edited = studio.edit(picture, seed=4, **ask)
        same, other = (studio.edit(picture, seed=seed, **ask) for seed in (4, 5))
        engine = studio.engine("diffusion", str(folders[channels]))
        assert engine.card.sizes.native == SIDE
        assert edited.resolved.engine == "diffusion"
        assert edited.resolved.engine_digest == engine.card.digest
    before, after = picture.samples, edited.picture.samples
    assert np.array_equal(after, same.picture.samples)
    assert not np.array_equal(after, other.picture.samples)
    reached = mask.grow(edited.reach + 1).values > 0
    assert np.array_equal(after[~reached], before[~reached])
    core = mask.values >= 0.5
    assert (after[core] != before[core]).mean() > 0.5


def test_what_of_a_prompt_is_not_used_as_written_is_named_in_the_notes(folders):
    size = Size(96, 80)
    ask = {"mask": Mask.box(size, Box(30, 20, 60, 50)), "intent": "replace", "model": str(folders[4]), "steps": 1}
    with Studio(device="cpu") as studio:
        prompt = "[red|blue] car AND sky [x:y:z:1] # hm"
        edited = studio.edit(photo(size), prompt=prompt, negative_prompt="[a:b:0.5] AND", **ask)
        assert edited.record.request.prompt == prompt, "as it was given"
        assert edited.notes == edited.record.notes
        assert edited.notes == (
            "prompt: left out as a comment: # hm",
            "prompt: no schedule, so that its brackets only weigh: [x:y:z:1]",
            "prompt: a text is used at none of 1 steps: [red|blue]",
            "negative prompt: a text is used at none of 1 steps: [a:b:0.5]",
            "negative prompt: AND joins texts in the prompt alone, and is a word here",
        )
        assert studio.edit(photo(size), prompt="a #D14233 (car:1.2) [old]", **ask).notes == ()
        plain = studio.edit(photo(size), prompt="[a|b] AND # c", dialect="diffusers", **(ask | {"steps": 2}))
        assert plain.notes == ("prompt: encoded as plain words: [a|b], AND",)


def test_a_lora_for_few_steps_has_its_settings_where_they_were_left_open(folders):
    save_style("tiny-lcm")
    size = Size(96, 80)
    ask = {"mask": Mask.box(size, Box(30, 20, 60, 50)), "intent": "replace", "model": str(folders[9]), "seed": 1}
    with Studio(device="cpu") as studio:
        edited = studio.edit(photo(size), prompt="a cat <lora:tiny-lcm:1>", steps=2, **ask)
        found = edited.resolved
        assert (found.sampler, found.scheduler, found.steps, found.guidance_scale) == ("LCM", None, 2, 1.0)
        assert edited.notes == (
            "the LoRA 'tiny-lcm' was made for few steps, by its name, which sets guidance_scale 1.0, sampler LCM",
        )


def test_the_preset_fast_is_that_of_the_checkpoint(folders):
    asked = EditRequest.of("replace", prompt="a cat", model=str(folders[9]), preset="fast")
    with Studio(device="cpu") as studio:
        found = studio.resolved(asked, seed=1)
        assert studio.card_for(asked).sizes.native == 64
        # a request has no smaller size than 64
        assert (found.size, found.steps, found.guidance_interval) == (None, 12, (0.0, 0.6))
        assert found.options == {"cache_interval": 2}
        assert "<lora" not in found.prompt


def test_a_replay_needs_no_preset_and_paints_the_same(folders, monkeypatch):
    save_style("tiny-lcm")
    path = models.store_folder() / "tiny-lcm.safetensors"
    lora = models.ModelEntry("tiny-lcm", path, "store", 1, models.Kind("lora", "safetensors", family="sd1"))
    monkeypatch.setattr(presets, "entries", lambda wanted: [lora] if wanted(lora.name) else [])
    size = Size(96, 80)
    ask = {"mask": Mask.box(size, Box(30, 20, 60, 50)), "intent": "replace", "model": str(folders[9]), "seed": 1}
    with Studio(device="cpu") as studio:
        edited = studio.edit(photo(size), prompt="a cat", preset="fast", exact=True, **ask)
        assert edited.resolved.prompt == "a cat <lora:tiny-lcm:1>"
        assert [one.role for one in edited.resolved.models] == ["checkpoint", "lora"]
        assert (
            "preset fast: LoRA tiny-lcm, steps 4, guidance_scale 1.0, sampler LCM; it would also use taesd, which can "
            "be downloaded"
        ) in edited.notes
        monkeypatch.setattr(presets, "entries", lambda wanted: [])
        again = studio.edit(photo(size), request_again(edited.resolved))
    assert np.array_equal(again.picture.samples, edited.picture.samples)


def test_strength_0_gives_the_picture_back(folders):
    size = Size(96, 80)
    picture, mask = photo(size), Mask.box(size, Box(30, 20, 60, 50))
    with Studio(device="cpu") as studio:
        ask = {"intent": "replace", "model": str(folders[4]), "prompt": "a dog", "strength": 0.0}
        assert np.array_equal(studio.edit(picture, mask=mask, **ask).picture.samples, picture.samples)


def test_a_missing_model_is_reported(folders, tmp_path):
    size = Size(64, 64)
    ask = {"mask": Mask.box(size, Box(20, 20, 40, 40)), "intent": "replace", "prompt": "a dog"}
    with Studio() as studio:
        with pytest.raises(ModelError, match="sd99"):
            studio.edit(photo(size), model="sd99", **ask)
        with pytest.raises(RequestError, match=r"telea.*diffusion"):
            studio.edit(photo(size), model=str(folders[4]), engine="telea", **ask)
        assert studio.edit(photo(size), model=str(folders[4]), steps=1, **ask).touched.any()


def test_settings_that_guidance_or_strength_leave_without_effect_are_named_in_a_note(engine):
    def notes(**settings: object) -> tuple[str, ...]:
        return paint(engine, [canvas_of(steps=1, **settings)])[0].notes

    without = "guidance_scale 1 guides nothing: negative_prompt, guidance_rescale had no effect"
    assert notes(guidance_scale=1.0, negative_prompt="blur", guidance_rescale=0.5) == (without,)
    assert notes(guidance_scale=1.0, negative_prompt=" ") == ()
    assert notes(guidance_scale=1.0, negative_prompt="blur", prompt="a cat AND a dog") == (), "its weights are 2"
    assert notes(guidance_scale=2.0, negative_prompt="blur", guidance_rescale=0.5) == ()
    assert "strength 0 paints nothing" in notes(strength=0.0)[0]


def test_a_network_that_takes_the_guidance_scale_as_an_input_has_no_use_for_a_negative_prompt(engine, monkeypatch):
    monkeypatch.setattr(UNetFamily, "embeds_guidance", lambda self, network: True)
    monkeypatch.setattr(UNetFamily, "predict", lambda self, network, given: given.x)

    def notes(**settings: object) -> tuple[str, ...]:
        return paint(engine, [canvas_of(steps=1, **settings)])[0].notes

    without = "the network takes guidance_scale as an input: negative_prompt, guidance_interval had no effect"
    assert notes(guidance_scale=3.0, negative_prompt="blur", guidance_interval=(0.2, 1.0)) == (without,)
    assert notes(guidance_scale=3.0, negative_prompt="") == ()


def test_an_engine_that_waits_holds_no_result(engines):
    held = weakref.ref(paint(engines[4], [canvas_of(steps=1)])[0].pixels)
    deadline = time.monotonic() + 20
    while held() is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert held() is None


def test_a_lora_that_is_larger_than_the_cache_is_merged_once_for_all_its_canvases(engines, monkeypatch):
    save_style()
    made = []
    monkeypatch.setattr(networks, "merge", lambda *given: made.append(1) or lora.merge(*given))
    painted(engines[4], canvas_of())
    monkeypatch.setattr(engines[4]._networks._merged, "budget", 1)
    made.clear()
    paint(engines[4], [canvas_of(seed, prompt="a cat <lora:style:0.7>") for seed in range(3)])
    assert made == [1]


def test_a_studio_s_own_model_may_be_a_path_beside_options_that_name_no_file(folders):
    """As a server's: its callers may choose how weights are kept, and no file."""
    with Studio(device="cpu", model=str(folders[4]), model_paths=False) as studio:
        for options in ({}, {"weights": "fp8"}, {"memory": "block"}):
            assert studio.engine("diffusion", str(folders[4]), options).card.samples
        with pytest.raises(ModelError):
            studio.engine("diffusion", str(folders[4]), {"vae": str(folders[9])})
