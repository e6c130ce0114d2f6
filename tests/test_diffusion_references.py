"""Reference pictures through IP-Adapters: encoders as transformers has them, pictures as in diffusers' pipelines."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import adapters
from overpaint import models
from overpaint.engines.base import ControlImage
from overpaint.engines.diffusion.adapters import Adapter, ReferencePicture, adapted, encoded_tokens
from overpaint.engines.diffusion.clip_vision import ClipVision, ClipVisionConfig, clip_pixels
from overpaint.engines.diffusion.deep_features import FeatureReuse
from overpaint.engines.diffusion.denoiser import NetworkDenoiser
from overpaint.engines.diffusion.families.unet import SD1
from overpaint.engines.diffusion.loader import load_adapter
from overpaint.engines.diffusion.loop import advance
from overpaint.engines.diffusion.sample import Sample
from overpaint.engines.diffusion.weight_files import adapter_bytes
from overpaint.models import ModelError, ModelRef, ReferenceRefs
from overpaint.request import Blob, Control
from sampling import run
from test_diffusion_controls import Guide, control_network, hint
from test_diffusion_parity import SCALE, SIZE, STEPS, Family, Job, assert_close, diffusers_scheduler, family, job, ours

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("references")


@pytest.fixture(scope="module")
def oracle(folder: Path) -> Any:
    """transformers' picture encoder, which is in the folder too."""
    return adapters.encoder(folder / "image_encoder")


def tensors(model: Family, form: str, seed: int) -> dict[str, torch.Tensor]:
    return adapters.adapter(adapters.widths_of(model.unet), 12, form, seed)


def loaded(model: Family, form: str, seed: int, folder: Path, dtype: Any = torch.float32) -> Adapter:
    path = folder / f"{model.name}-{form}-{seed}.safetensors"
    save_file(tensors(model, form, seed), path)
    encoder = folder / "image_encoder"
    refs = ReferenceRefs(*(ModelRef(one.name, one, models.detect(one)) for one in (path, encoder)))
    return load_adapter(refs, dtype)


def picture(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    """(H, W, 3) in steps of a 255th, as files have it."""
    return (np.random.default_rng(seed).integers(0, 256, (height, width, 3)) / 255).astype(np.float32)


def shown(seed: int, **settings: Any) -> ControlImage:
    control = Control(kind="reference", image=Blob(sha256="0" * 64, width=1, height=1), **settings)
    return ControlImage(control, picture(seed))


def reference(adapter: Adapter, image: ControlImage) -> ReferencePicture:
    return ReferencePicture(*encoded_tokens(adapter, image), image.control)


# ---- networks ----


@pytest.mark.parametrize("size", [(40, 56), (300, 17), (16, 16), (9, 200), (33, 32)])
def test_a_picture_of_any_size_is_made_ready_as_by_the_processor(size: tuple[int, int]) -> None:
    from PIL import Image
    from transformers import CLIPImageProcessor

    pixels = picture(4, *size)
    processor = CLIPImageProcessor(size=16, crop_size=16)
    image = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    expected = processor(image, return_tensors="pt").pixel_values
    assert torch.allclose(clip_pixels(pixels, 16), torch.as_tensor(np.asarray(expected)), atol=1e-5)


def test_the_longest_pictures_need_no_more_memory_than_short_ones() -> None:
    assert clip_pixels(np.zeros((1, 50_000, 3), np.float32), 224).shape == (1, 3, 224, 224)


def test_the_encoder_equals_that_of_transformers(folder: Path, oracle: Any) -> None:
    found = loaded(family("sd1", 4), "plain", 0, folder).encoder
    x = torch.randn(2, 3, adapters.SIDE, adapters.SIDE)
    expected = oracle(x, output_hidden_states=True)
    with torch.no_grad():
        got = found(x)
    assert torch.allclose(got.embeds, expected.image_embeds, atol=1e-5)
    assert torch.allclose(got.states, expected.hidden_states[-2], atol=1e-5)


def test_a_file_without_configuration_is_read_by_the_sizes_of_the_published_ones() -> None:
    """Of the encoder ViT-H, whose file has 2,528,373,448 bytes in single precision."""
    sizes = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 16}
    sizes |= {"projection_dim": 1024, "patch_size": 14, "hidden_act": "gelu", "image_size": 224}
    config = ClipVisionConfig.read(sizes)
    small = ClipVisionConfig.read(sizes | {"hidden_size": 32, "num_hidden_layers": 1})
    with torch.device("meta"):
        tensors, others = (ClipVision(one).state_dict() for one in (config, small))
    assert 0 < 2_528_373_448 - 4 * sum(one.numel() for one in tensors.values()) < 100_000
    assert ClipVisionConfig.of_tensors(tensors, "it") == config
    with pytest.raises(ModelError, match="states of 32 numbers"):
        ClipVisionConfig.of_tensors(others, "it")


# ---- pictures, against diffusers' pipelines ----


@functools.cache
def _quiet() -> None:
    import diffusers

    diffusers.logging.set_verbosity_error()


def pictured(
    model: Family,
    j: Job,
    held: list[dict[str, torch.Tensor]],
    images: list[ControlImage],
    oracle: Any,
    strength: float,
    guide: Guide | None = None,
) -> torch.Tensor:
    """Latents of diffusers' pipeline for one picture with IP-Adapters, and with a ControlNet."""
    import diffusers
    from PIL import Image
    from transformers import CLIPImageProcessor

    _quiet()
    parts: dict[str, Any] = {"vae": model.vae, "text_encoder": None, "tokenizer": None, "image_encoder": oracle}
    parts |= {"unet": copy.deepcopy(model.unet), "scheduler": diffusers_scheduler("dpmpp_2m", model)}
    parts["feature_extractor"] = CLIPImageProcessor(size=adapters.SIDE, crop_size=adapters.SIDE)
    controls = {}
    if guide is not None:
        parts |= {"controlnet": guide.network, "safety_checker": None, "requires_safety_checker": False}
        controls = {"control_image": guide.hint, "controlnet_conditioning_scale": guide.weight}
        pipe = diffusers.StableDiffusionControlNetInpaintPipeline(**parts)
    elif model.xl:
        pipe = diffusers.StableDiffusionXLInpaintPipeline(**parts, text_encoder_2=None, tokenizer_2=None)
    else:
        pipe = diffusers.StableDiffusionInpaintPipeline(**parts, safety_checker=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet._load_ip_adapter_weights([adapters.nested(one) for one in held], low_cpu_mem_usage=False)
    pipe.set_ip_adapter_scale([one.control.weight for one in images])
    pooled = {}
    if model.xl:
        texts = {"pooled_prompt_embeds": j.prompt, "negative_pooled_prompt_embeds": j.negative}
        pooled = {name: one.tensors["pooled"] for name, one in texts.items()}
    return pipe(
        prompt_embeds=j.prompt.context,
        negative_prompt_embeds=j.negative.context,
        image=j.picture / 2 + 0.5,
        mask_image=j.mask,
        ip_adapter_image=[Image.fromarray(np.rint(one.pixels * 255).astype(np.uint8)) for one in images],
        height=SIZE,
        width=SIZE,
        strength=strength,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        generator=torch.Generator().manual_seed(j.seed),
        output_type="latent",
        **pooled,
        **controls,
    ).images


@pytest.mark.parametrize(("name", "channels"), [("sd1", 4), ("sd1", 9), ("sdxl", 9)])
def test_pictures_with_references_equal_those_of_the_pipelines(name: str, channels: int, folder: Path, oracle: Any):
    """One adapter, several, several pictures of one; all in the same loop, beside one without any."""
    model, strength = family(name, channels), 1.0 if channels == 9 else 0.8
    forms = [("plain", "plus")[number % 2] if number < 2 else "full" for number in range(3)]
    held = [loaded(model, form, number, folder) for number, form in enumerate(forms)]
    lots = [
        ([0], [shown(1, weight=0.7)]),
        ([1, 0], [shown(2, weight=0.5), shown(3, weight=1.2)]),
        ([1, 1], [shown(4), shown(5, weight=0.4)]),
        ([2], [shown(6)]),
    ]
    before = {key: one.clone() for key, one in model.unet.state_dict().items()}
    samples, jobs = [], [job(model, 3 + number) for number in range(len(lots))]
    for j, (which, images) in zip(jobs, lots, strict=True):
        own = [held[number] for number in which]
        network = adapted(model.unet, own)
        shared = dict(network.named_parameters())
        assert all(shared[key] is one for key, one in model.unet.named_parameters())
        denoiser = NetworkDenoiser(SD1, network, prediction=model.prediction, key=tuple(one.key for one in own))
        pictures = [reference(one, image) for one, image in zip(own, images, strict=True)]
        samples.append(ours("dpmpp_2m", model, j, strength=strength, pictures=pictures, denoiser=denoiser))
    plain = ours("dpmpp_2m", model, jobs[0], strength=strength)
    run([*samples, plain])
    for j, (which, images), sample in zip(jobs, lots, samples, strict=True):
        expected = pictured(model, j, [tensors(model, forms[one], one) for one in which], images, oracle, strength)
        assert_close(sample.result(), expected)
    assert not torch.allclose(plain.result(), samples[0].result(), atol=1e-2)
    assert all(torch.equal(one, before[key]) for key, one in model.unet.state_dict().items())


def test_a_controlnet_beside_a_reference_equals_diffusers_pipeline_with_both(folder: Path, oracle: Any) -> None:
    """The ControlNet reads the text alone, the network both."""
    model = family("sd1", 9)
    adapter, j, image = loaded(model, "plus", 1, folder), job(model, 5), shown(1, weight=0.8)
    guide = Guide(control_network("sd1", 1), hint(1), 0.7)
    sample = ours(
        "dpmpp_2m",
        model,
        j,
        strength=1.0,
        pictures=[reference(adapter, image)],
        controls=[guide.ours],
        denoiser=denoiser_of(model, [adapter]),
    )
    run([sample])
    assert_close(sample.result(), pictured(model, j, [tensors(model, "plus", 1)], [image], oracle, 1.0, guide))


def denoiser_of(model: Family, own: list[Adapter], *, exact: bool = False, dtype: Any = torch.float32):
    network = adapted(copy.deepcopy(model.unet).to(dtype), own)
    return NetworkDenoiser(SD1, network, prediction=model.prediction, key="net", exact=exact)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_neighbour_and_its_references_change_no_bit_in_exact_mode(name: str, folder: Path, oracle: Any) -> None:
    model = family(name, 4)
    adapter = loaded(model, "plus", 1, folder, torch.bfloat16)
    denoiser = denoiser_of(model, [adapter], exact=True, dtype=torch.bfloat16)
    images = [shown(1, weight=0.7), shown(2, weight=1.3, start=0.3), shown(3, end=0.5), None]

    def started(number: int) -> Sample:
        image = images[number]
        pictures = [] if image is None else [reference(adapter, image)]
        return ours("euler_a", model, job(model, number), strength=0.8, pictures=pictures, denoiser=denoiser)

    together = [started(number) for number in range(len(images))]
    run(together)
    for number, one in enumerate(together):
        alone = started(number)
        run([alone])
        assert torch.equal(alone.result(), one.result()), number


def test_a_reference_that_does_not_act_leaves_the_network_as_it_is(folder: Path, oracle: Any) -> None:
    model = family("sd1", 9)
    adapter = loaded(model, "plain", 0, folder)
    denoiser = denoiser_of(model, [adapter])

    def latents(**settings: Any) -> torch.Tensor:
        pictures = [reference(adapter, shown(1, **settings))]
        sample = ours("dpmpp_2m", model, job(model, 3), strength=1.0, pictures=pictures, denoiser=denoiser)
        run([sample])
        return sample.result()

    plain = ours("dpmpp_2m", model, job(model, 3), strength=1.0)
    run([plain])
    for settings in ({"weight": 0.0}, {"start": 0.9, "end": 0.95}):
        assert torch.equal(latents(**settings), plain.result())
    half, whole = latents(end=0.5), latents()
    assert min((one - other).abs().max() for one, other in ((half, whole), (half, plain.result()))) > 1e-2


def test_prompts_that_are_equal_have_rows_of_their_own_while_a_reference_acts(folder: Path, oracle: Any) -> None:
    model = family("sd1", 4)
    adapter, j = loaded(model, "plain", 0, folder), job(model, 3)
    j = replace(j, negative=j.prompt)
    pictures = [reference(adapter, shown(1))]
    sample = ours("dpmpp_2m", model, j, strength=1.0, pictures=pictures, denoiser=denoiser_of(model, [adapter]))
    assert len(sample.rows()) == 2
    run([sample])
    assert_close(sample.result(), pictured(model, j, [tensors(model, "plain", 0)], [shown(1)], oracle, 1.0))


def test_an_adapter_of_other_sizes_is_one_error(folder: Path, oracle: Any) -> None:
    model = family("sd1", 4)
    found = loaded(model, "plain", 0, folder)
    with pytest.raises(ModelError, match="other sizes than the checkpoint's") as caught:
        adapted(_other(), [found])
    assert caught.value.code == "control-sizes"
    for change, says in (("ip_adapter.1.to_v_ip.weight", "lacks"), ("image_proj.norm.weight", "is damaged")):
        damaged = tensors(model, "plain", 9)
        del damaged[change]
        path = folder / "damaged.safetensors"
        save_file(damaged, path)
        encoder = folder / "image_encoder"
        refs = ReferenceRefs(*(ModelRef(one.name, one, models.detect(one)) for one in (path, encoder)))
        with pytest.raises(ModelError, match=says):
            load_adapter(refs)


@functools.cache
def _other() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=10,
        attention_head_dim=2,
    )


def test_the_memory_of_an_adapter_and_its_encoder_is_known_before(folder: Path, oracle: Any) -> None:
    found = loaded(family("sd1", 4), "plain", 0, folder)
    path, encoder = folder / "sd1-plain-0.safetensors", folder / "image_encoder"
    refs = ReferenceRefs(*(ModelRef(one.name, one, models.detect(one)) for one in (path, encoder)))
    held = sum(
        one.numel() * one.element_size()
        for part in (found.layers, found.projection, found.encoder)
        for one in part.parameters()
    )
    counted = adapter_bytes(refs, torch.float32, lambda source: False)
    assert held <= counted <= held * 1.05  # files have a few buffers too
    assert adapter_bytes(refs, torch.float32, lambda source: True) == 0


def test_deep_features_are_kept_between_steps_in_which_the_same_references_act(folder: Path, oracle: Any) -> None:
    model = family("sd1", 4)
    adapter = loaded(model, "plain", 0, folder)

    def kept(**settings: Any) -> list[bool]:
        sample = ours(
            "euler",
            model,
            job(model, 3),
            strength=1.0,
            pictures=[reference(adapter, shown(1, **settings))],
            denoiser=denoiser_of(model, [adapter]),
            features=FeatureReuse(STEPS, 1),
        )
        found = []
        while rows := sample.rows():
            assert all(row.features is not None for row in rows)
            found.append(all(row.features.deep is not None for row in rows))
            advance([sample])
        return found

    assert kept() == [False, True, True, True, True]
    assert kept(end=0.6) == [False, True, True, False, True]
