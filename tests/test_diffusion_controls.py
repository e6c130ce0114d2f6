"""ControlNets: files become networks, and networks guide pictures as in diffusers' pipelines."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import checkpoints
from checkpoints import REAL, TINY
from overpaint import models
from overpaint.engines.diffusion import diffusers_networks, loader
from overpaint.engines.diffusion.controls import ControlNetwork, RowControl, SampleControl
from overpaint.engines.diffusion.denoiser import NetworkDenoiser
from overpaint.engines.diffusion.diffusers_networks import controlnet
from overpaint.engines.diffusion.families.unet import SD1
from overpaint.engines.diffusion.sample import Sample
from overpaint.engines.diffusion.weight_files import control_bytes
from overpaint.models import ModelError, ModelRef
from sampling import run
from test_diffusion_parity import (
    SCALE,
    SIZE,
    STEPS,
    Family,
    Job,
    assert_close,
    diffusers_scheduler,
    job,
    ours,
)
from test_diffusion_parity import family as parity_family

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2

HINTS = (4, 4, 8, 8)
"""Channels of the small networks that read control images."""


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("OVERPAINT_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    return folder / "models"


def model_of(family: str, folder: Path) -> ModelRef:
    """A checkpoint of the small sizes, of which the configurations alone are read here."""
    return ModelRef("it", checkpoints.small_config(TINY[family], folder / family), models.Kind("checkpoint", "folder"))


def weights(family: str) -> dict[str, torch.Tensor]:
    return checkpoints.tensors(checkpoints.control(TINY[family], HINTS))


def added(name: str, tensors: dict[str, torch.Tensor], home: Path) -> ModelRef:
    """A single file in the store, found by its name."""
    home.mkdir(exist_ok=True)
    save_file(tensors, home / f"{name}.safetensors")
    family = models.detect(home / f"{name}.safetensors").family
    assert family is not None
    return models.find_control("canny", family, name)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# ---- files ----


def test_every_tensor_of_a_published_controlnet_has_its_place() -> None:
    family = models.family_of("sd1")
    given = checkpoints.tensors(checkpoints.control(REAL["sd1"]), device="meta")
    bare = {name.removeprefix("control_model."): one for name, one in given.items()}
    config = family.config(ModelRef("it", Path("it.safetensors"), models.Kind("checkpoint", "safetensors")))
    named = diffusers_networks.controlnet_from_original(bare, config, "it")
    config |= diffusers_networks.controlnet_config(named, "it")
    network = diffusers_networks.controlnet(config, named, torch.float32, "it", union=False, source="it")
    assert sum(one.numel() for one in network.parameters()) == 361_279_120
    assert len(given) == 340
    assert tuple(network.config.conditioning_embedding_out_channels) == (16, 32, 96, 256)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_both_layouts_and_a_folder_give_the_network_that_diffusers_reads(family: str, tmp_path: Path, home: Path):
    from diffusers import ControlNetModel

    model = model_of(family, tmp_path)
    original = added("its-canny", weights(family), home)
    found = loader.load_control(original, model)
    assert (original.kind.layout, original.kind.family) == ("ldm", family)
    held = sum(one.numel() * one.element_size() for one in found.network.parameters())
    assert control_bytes(original, torch.float32, lambda source: False) == held
    assert control_bytes(original, torch.float32, lambda source: True) == 0

    oracle = ControlNetModel.from_config(dict(found.network.config))
    oracle.load_state_dict(found.network.state_dict())  # raises for a name that it does not have
    oracle.save_pretrained(home / "folder-canny")
    if family != "sdxl":  # whose original layout diffusers' converter does not know
        name = str(home / "its-canny.safetensors")
        read = ControlNetModel.from_single_file(name, config=str(home / "folder-canny"), local_files_only=True)
        assert same(found.network, read)
    folder = models.find_control("canny", family, "folder-canny")
    assert same(loader.load_control(folder, model).network, oracle)
    tensors = load_file(home / "folder-canny" / "diffusion_pytorch_model.safetensors")
    current = added("current-canny", tensors, home)
    assert current.kind.layout == "diffusers"
    assert same(loader.load_control(current, model, torch.bfloat16).network, oracle.to(torch.bfloat16))


@pytest.mark.parametrize("attended", [(0, 1, 1), (0, 0, 1), (0, 0, 0)])
def test_smaller_controlnets_of_sdxl_are_read_by_what_their_tensors_show(attended: tuple[int, ...], tmp_path, home):
    """Published in three sizes, of which two leave out attention."""
    from diffusers import ControlNetModel

    plan = TINY["sdxl"]
    oracle = ControlNetModel(
        block_out_channels=[plan.width * one for one in plan.mult],
        down_block_types=["CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attended],
        mid_block_type="UNetMidBlock2DCrossAttn" if any(attended) else "UNetMidBlock2D",
        transformer_layers_per_block=list(attended),
        norm_num_groups=plan.groups,
        cross_attention_dim=plan.context,
        attention_head_dim=plan.heads,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=plan.time_width,
        projection_class_embeddings_input_dim=plan.label,
        conditioning_embedding_out_channels=HINTS,
    )
    ref = added("small-canny", {name: one.contiguous() for name, one in oracle.state_dict().items()}, home)
    assert same(loader.load_control(ref, model_of("sdxl", tmp_path)).network, oracle)


def test_a_controlnet_beside_its_checkpoint_in_one_file_is_found_there(tmp_path: Path, home: Path) -> None:
    tensors = weights("sd1")
    alone = loader.load_control(added("a-canny", tensors, home), model_of("sd1", tmp_path))
    whole = tensors | checkpoints.tensors(checkpoints.unet(TINY["sd1"]), seed=1)
    assert same(loader.load_control(added("b-canny", whole, home), model_of("sd1", tmp_path)).network, alone.network)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"control_model.zero_convs.2.0.weight": None}, "lacks 1 of its"),
        ({"control_model.input_hint_block.0.weight": (4, 1, 3, 3)}, "takes other input"),
        ({"control_model.input_blocks.0.0.weight": (16, 9, 3, 3)}, "takes other input"),
        ({"control_model.time_embed.0.weight": (64, 8)}, "has other sizes than its configuration"),
        ({"control_model.something": (3,)}, "has more weights than it should: 3 numbers"),
    ],
)
def test_a_damaged_controlnet_is_one_clear_error(change: dict[str, Any], says: str, tmp_path: Path, home: Path) -> None:
    tensors = weights("sd1")
    for name, shape in change.items():
        tensors |= {name: torch.zeros(shape or ())}
        if shape is None:
            del tensors[name]
    with pytest.raises(ModelError, match=f"^the ControlNet its-canny {says}"):
        loader.load_control(added("its-canny", tensors, home), model_of("sd1", tmp_path))


# ---- pictures, against diffusers' pipelines ----


@dataclass(frozen=True)
class Guide:
    """A control of a job, as our loop and diffusers' pipelines both take it."""

    network: torch.nn.Module
    hint: torch.Tensor
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    guess: bool = False
    number: int = 0

    @property
    def ours(self) -> SampleControl:
        row = RowControl(own(self.network), self.hint, self.weight, self.guess, self.number)
        return SampleControl(row, self.start, self.end, self.guess)


@functools.cache
def own(network: torch.nn.Module) -> ControlNetwork:
    """The network as it is loaded here."""
    config, kinds = dict(network.config), network.config.get("num_control_type", 0)
    tensors, key = network.state_dict(), str(id(network))
    here = diffusers_networks.controlnet(config, tensors, torch.float32, "it", union=kinds > 0, source=key)
    return ControlNetwork(here, key, kinds)


@functools.cache
def control_network(name: str, seed: int, union: bool = False) -> torch.nn.Module:
    """A small ControlNet with random weights, its last convolutions too."""
    from diffusers import ControlNetModel, ControlNetUnionModel

    torch.manual_seed(seed)
    added = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 4,
        "projection_class_embeddings_input_dim": 4 * 6 + 16,
    }
    more = {"num_control_type": 8, "num_trans_channel": 8, "num_trans_head": 2, "num_proj_channel": 8}
    network = (ControlNetUnionModel if union else ControlNetModel)(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=2 if name == "sd1" else (1, 2),
        use_linear_projection=name != "sd1",
        conditioning_embedding_out_channels=(4, 8),
        **(added if name == "sdxl" else {}),
        **(more if union else {}),
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return network.eval()


def hint(seed: int) -> torch.Tensor:
    """A picture with a hole of -1."""
    found = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))
    found[..., 4:9, 4:12] = -1
    return found


def controlled(model: Family, j: Job, guides: Sequence[Guide], strength: float) -> torch.Tensor:
    """Latents of diffusers' ControlNet pipeline for one picture."""
    import diffusers

    diffusers.logging.set_verbosity_error()
    networks = [one.network for one in guides]
    parts: dict[str, Any] = {"vae": model.vae, "text_encoder": None, "tokenizer": None, "unet": model.unet}
    parts["scheduler"] = diffusers_scheduler("dpmpp_2m", model)
    union = isinstance(networks[0], diffusers.ControlNetUnionModel)
    several = diffusers.models.MultiControlNetUnionModel if union else diffusers.MultiControlNetModel
    parts["controlnet"] = networks[0] if len(networks) == 1 else several(networks)
    if model.xl:
        kind = (
            "StableDiffusionXLControlNetUnionInpaintPipeline" if union else "StableDiffusionXLControlNetInpaintPipeline"
        )
        parts |= {"text_encoder_2": None, "tokenizer_2": None}
    else:
        kind = "StableDiffusionControlNetInpaintPipeline"
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    pipe = getattr(diffusers, kind)(**parts)
    pipe.set_progress_bar_config(disable=True)
    pooled = {}
    if model.xl:
        texts = {"pooled_prompt_embeds": j.prompt, "negative_pooled_prompt_embeds": j.negative}
        pooled = {name: one.tensors["pooled"] for name, one in texts.items()}
    one = len(guides) == 1 and not union
    values = {
        "control_image": [guide.hint for guide in guides],
        "controlnet_conditioning_scale": [guide.weight for guide in guides],
        "control_guidance_start": [guide.start for guide in guides],
        "control_guidance_end": [guide.end for guide in guides],
    }
    return pipe(
        prompt_embeds=j.prompt.context,
        negative_prompt_embeds=j.negative.context,
        image=j.picture / 2 + 0.5,
        mask_image=j.mask,
        height=SIZE,
        width=SIZE,
        strength=strength,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        guess_mode=guides[0].guess,
        generator=torch.Generator().manual_seed(j.seed),
        output_type="latent",
        **{name: value[0] if one else value for name, value in values.items()},
        **({"control_mode": [guide.number for guide in guides]} if union else {}),
        **pooled,
    ).images


def guides_of(name: str, union: bool = False) -> list[list[Guide]]:
    """The controls of four pictures: one, two of two networks, two of one network, and one for the prompt alone
    (diffusers' pipeline for union ones fails there).
    """
    first, second = (control_network(name, seed, union) for seed in (1, 2))
    return [
        [Guide(first, hint(1), 0.7, number=7)],
        [Guide(first, hint(2), 0.5, end=0.6, number=3), Guide(second, hint(3), 1.2, start=0.2, number=1)],
        [Guide(second, hint(4), 0.8, number=6), Guide(second, hint(5), 0.4, 0.4, 0.8, number=2)],
        [Guide(second, hint(6), 1.1, guess=not union, number=5)],
    ]


@pytest.mark.parametrize(
    ("name", "channels", "union"),
    [
        *((name, channels, False) for name in ("sd1", "sdxl") for channels in (4, 9)),
        ("sd2", 9, False),
        ("sdxl", 4, True),
    ],
)
def test_pictures_with_controls_of_their_own_equal_those_of_the_pipelines(name: str, channels: int, union: bool):
    """All in the same calls, beside one without any."""
    model, strength = parity_family(name, channels), 1.0 if channels == 9 else 0.8
    lots, jobs = guides_of(name, union), [job(model, seed) for seed in (3, 8, 11, 4)]
    samples = [
        ours("dpmpp_2m", model, j, strength=strength, controls=[one.ours for one in guides])
        for j, guides in zip(jobs, lots, strict=True)
    ]
    plain = ours("dpmpp_2m", model, jobs[0], strength=strength)
    run([*samples, plain])
    for j, guides, sample in zip(jobs, lots, samples, strict=True):
        assert_close(sample.result(), controlled(model, j, guides, strength))
    alone = ours("dpmpp_2m", model, jobs[0], strength=strength)
    run([alone])
    assert_close(plain.result(), alone.result())
    assert not torch.allclose(plain.result(), samples[0].result(), atol=1e-2)


def halved(control: SampleControl, done: dict[object, ControlNetwork]) -> SampleControl:
    """The control with its network in half precision, once for each network."""
    network = control.row.network
    if network.key not in done:
        half = copy.deepcopy(network.network).to(torch.bfloat16)
        done[network.key] = replace(network, network=half, key=f"half {network.key}")
    return replace(control, row=replace(control.row, network=done[network.key]))


def half_exact(model: Family) -> NetworkDenoiser:
    unet = copy.deepcopy(model.unet).to(torch.bfloat16)
    return NetworkDenoiser(SD1, unet, prediction=model.prediction, key="net", exact=True)


@pytest.mark.parametrize(("name", "union"), [("sd1", False), ("sdxl", False), ("sdxl", True)])
def test_a_neighbour_and_its_controls_change_no_bit_in_exact_mode(name: str, union: bool):
    model, done = parity_family(name, 4), dict[object, ControlNetwork]()
    lots = [*([halved(one.ours, done) for one in guides] for guides in guides_of(name, union)), []]
    denoiser = half_exact(model)

    def started(number: int) -> Sample:
        j = job(model, number)
        return ours("euler_a", model, j, strength=0.8, controls=lots[number], denoiser=denoiser)

    alone = [started(number) for number in range(5)]
    for one in alone:
        run([one])
    for order in (range(5), range(4, -1, -1)):
        together = {number: started(number) for number in order}
        run(together.values())
        assert [number for number in order if not torch.equal(together[number].result(), alone[number].result())] == []


def test_a_controlnet_s_layers_before_the_text_work_once_for_a_prompt_and_its_negative():
    """With the bits of a call that shares nothing."""
    model, done = parity_family("sd1", 4), dict[object, ControlNetwork]()
    controls = [halved(one.ours, done) for one in guides_of("sd1")[0]]
    (network,) = (one.network for one in done.values())
    sharing, plain = half_exact(model), half_exact(model)
    plain._call._shares, plain._call._first = False, ()
    seen: list[int] = []
    layers = network.conv_in, network.controlnet_cond_embedding.conv_in, network.mid_block.resnets[0].conv1
    hooks = [layer.register_forward_hook(lambda _, given, out: seen.append(len(given[0]))) for layer in layers]
    results = []
    try:
        for denoiser in (sharing, plain):
            sample = ours("euler", model, job(model, 3), strength=1.0, steps=1, controls=controls, denoiser=denoiser)
            run([sample])
            results.append(sample.result())
    finally:
        for hook in hooks:
            hook.remove()
    assert torch.equal(*results)
    assert seen == [1, 1, 2, 2, 2, 2]


def test_texts_that_are_equal_have_rows_of_their_own_where_a_control_acts_on_the_prompt_alone():
    model, (guide,) = parity_family("sd1", 4), guides_of("sd1")[3]
    j = job(model, 3)
    j = replace(j, negative=j.prompt)
    one_sided, both_sided = (
        ours("dpmpp_2m", model, j, strength=1.0, controls=[each.ours]) for each in (guide, replace(guide, guess=False))
    )
    assert [[len(row.controls) for row in one.rows()] for one in (one_sided, both_sided)] == [[1, 0], [1]]
    run([one_sided])
    assert_close(one_sided.result(), controlled(model, j, [guide], 1.0))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layers_per_block": 10_000_000}, "layers_per_block 10000000"),
        ({"transformer_layers_per_block": [[1, 9_999_999]]}, "transformer_layers_per_block"),
        ({"conditioning_embedding_out_channels": [16] * 100_000}, "conditioning_embedding_out_channels with 100,000"),
        ({"norm_num_groups": 0}, "no network can be built"),
        ({"cross_attention_dim": "x"}, "no network can be built"),
    ],
)
def test_a_configuration_by_which_no_network_can_be_built_is_refused_at_once(change, words):
    config = {"block_out_channels": [32, 64], "layers_per_block": 1, "cross_attention_dim": 8, **change}
    with pytest.raises(ModelError, match=words) as caught:
        controlnet(config, {"conv_in.weight": torch.zeros(1)}, torch.float32, "odd", union=False, source="x")
    assert str(caught.value).startswith("odd")


def test_weights_that_are_whole_numbers_are_refused():
    from diffusers import ControlNetModel

    config = {"block_out_channels": [32], "down_block_types": ["DownBlock2D"], "layers_per_block": 1}
    whole = {name: one.to(torch.int8) for name, one in ControlNetModel(**config).state_dict().items()}
    with pytest.raises(ModelError, match="odd has weights of the type int8"):
        controlnet(config, whole, torch.float32, "odd", union=False, source="whole")
