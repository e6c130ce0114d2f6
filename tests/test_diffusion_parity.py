"""In the dialect `diffusers`, latents equal those of diffusers' own inpainting pipelines on the same tiny networks."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from overpaint.engines.diffusion.adapters import ReferencePicture
from overpaint.engines.diffusion.controls import SampleControl
from overpaint.engines.diffusion.deep_features import ALL_WHOLE, FeatureReuse
from overpaint.engines.diffusion.denoiser import NetworkDenoiser
from overpaint.engines.diffusion.dialects import DIFFUSERS
from overpaint.engines.diffusion.families.unet import SD1
from overpaint.engines.diffusion.guidance import Guidance
from overpaint.engines.diffusion.names import parse_sampler
from overpaint.engines.diffusion.noise import Noise
from overpaint.engines.diffusion.sample import Sample, SamplingPlan
from overpaint.engines.diffusion.values import Conditioning, SampleLatents
from sampling import run

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2

FAMILIES = ("sd1", "sd2", "sdxl")
SCHEDULERS = {
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "heun": ("HeunDiscreteScheduler", {}),
    "lms": ("LMSDiscreteScheduler", {}),
    "dpm2": ("KDPM2DiscreteScheduler", {}),
    "dpm2_a": ("KDPM2AncestralDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {}),
    "dpmpp_2m_sde": ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),
    "pndm": ("PNDMScheduler", {"skip_prk_steps": True}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {}),
    "tcd": ("TCDScheduler", {}),
}
TOLERANCE = 1e-4
PREDICTION = {"epsilon": "epsilon", "v": "v_prediction"}
STEPS = 5
SIZE = 16
SCALE = 5.0
CONFIG = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}


@dataclass(frozen=True)
class Family:
    """A tiny model of a family, with random weights."""

    name: str
    channels: int
    prediction: str
    unet: torch.nn.Module
    vae: torch.nn.Module

    @property
    def xl(self) -> bool:
        return self.name == "sdxl"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def family(name: str, channels: int) -> Family:
    from diffusers import AutoencoderKL, UNet2DConditionModel

    torch.manual_seed(channels)
    added = (
        {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 4,
            "projection_class_embeddings_input_dim": 4 * 6 + 16,
        }
        if name == "sdxl"
        else {"time_cond_proj_dim": 8 if name == "lcm" else None}
    )
    unet = UNet2DConditionModel(
        sample_size=SIZE // 2,
        in_channels=channels,
        out_channels=4,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=12,
        attention_head_dim=2 if name == "sd1" else (1, 2),
        use_linear_projection=name != "sd1",
        **added,
    )
    vae = AutoencoderKL(
        block_out_channels=(4, 8),
        norm_num_groups=2,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=SIZE,
    )
    return Family(name, channels, "v" if name == "sd2" else "epsilon", unet.eval(), vae.eval())


@dataclass(frozen=True)
class Job:
    """One picture with its mask, prompt and seed."""

    picture: torch.Tensor
    mask: torch.Tensor
    prompt: Conditioning
    negative: Conditioning
    seed: int


def job(model: Family, seed: int, mask: torch.Tensor | None = None) -> Job:
    draw = torch.Generator().manual_seed(seed)
    if mask is None:
        mask = torch.zeros(1, 1, SIZE, SIZE)
        mask[..., 2 + 2 * (seed % 4) : 12, 4 : 9 + seed % 6] = 1

    def states() -> Conditioning:
        context = torch.randn(1, 7, 12, generator=draw)
        if not model.xl:
            return Conditioning({"context": context})
        sizes = torch.tensor([[SIZE, SIZE, 0, 0, SIZE, SIZE]], dtype=torch.float32)
        return Conditioning({"context": context, "pooled": torch.randn(1, 16, generator=draw), "time_ids": sizes})

    return Job(torch.rand(1, 3, SIZE, SIZE, generator=draw) * 2 - 1, mask, states(), states(), seed)


def diffusers_scheduler(sampler: str, model: Family, **more):
    import diffusers

    kind, own = SCHEDULERS[sampler]
    return getattr(diffusers, kind).from_config(CONFIG | {"prediction_type": PREDICTION[model.prediction]} | own | more)


@functools.cache
def pipeline(sampler: str, name: str, channels: int, more: tuple[tuple[str, object], ...]):
    import diffusers

    diffusers.logging.set_verbosity_error()
    model = family(name, channels)
    parts = {"vae": model.vae, "text_encoder": None, "tokenizer": None, "unet": model.unet}
    parts["scheduler"] = diffusers_scheduler(sampler, model, **dict(more))
    if model.xl:
        pipe = diffusers.StableDiffusionXLInpaintPipeline(**parts, text_encoder_2=None, tokenizer_2=None)
    else:
        pipe = diffusers.StableDiffusionInpaintPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def theirs(
    sampler: str,
    model: Family,
    jobs: list[Job],
    *,
    strength: float,
    steps: int = STEPS,
    call: dict | None = None,
    **more,
) -> torch.Tensor:
    """Latents of diffusers' pipeline for a batch; `call` goes to the pipeline, `more` into its scheduler's config."""
    pooled = {}
    if model.xl:
        pooled = {
            "pooled_prompt_embeds": torch.cat([j.prompt.tensors["pooled"] for j in jobs]),
            "negative_pooled_prompt_embeds": torch.cat([j.negative.tensors["pooled"] for j in jobs]),
        }
    pipe = pipeline(sampler, model.name, model.channels, tuple(more.items()))
    return pipe(
        prompt_embeds=torch.cat([j.prompt.context for j in jobs]),
        negative_prompt_embeds=torch.cat([j.negative.context for j in jobs]),
        image=torch.cat([j.picture for j in jobs]) / 2 + 0.5,
        mask_image=torch.cat([j.mask for j in jobs]),
        height=SIZE,
        width=SIZE,
        strength=strength,
        num_inference_steps=steps,
        **({"guidance_scale": SCALE} | (call or {})),
        generator=[torch.Generator().manual_seed(j.seed) for j in jobs],
        output_type="latent",
        **pooled,
    ).images


def ours(
    sampler: str,
    model: Family,
    j: Job,
    *,
    strength: float,
    steps: int = STEPS,
    scheduler: str | None = None,
    guidance: Guidance | None = None,
    eta: float | None = None,
    controls: Sequence[SampleControl] = (),
    pictures: Sequence[ReferencePicture] = (),
    features: FeatureReuse = ALL_WHOLE,
    denoiser: NetworkDenoiser | None = None,
    **more,
) -> Sample:
    """A sample of one picture, its generator used in the order in which the pipeline uses it."""
    generator = torch.Generator().manual_seed(j.seed)
    factor = model.vae.config.scaling_factor

    def encoded(picture: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
        with torch.no_grad():
            return model.vae.encode(picture).latent_dist.sample(draw) * factor

    shown = strength < 1 or model.channels == 4
    content = encoded(j.picture, generator) if shown else torch.zeros(1, 4, SIZE // 2, SIZE // 2)
    mask = torch.nn.functional.interpolate(j.mask, size=(SIZE // 2, SIZE // 2))
    extra = None
    if model.channels == 9:
        ahead = torch.Generator()
        ahead.set_state(generator.get_state())
        torch.randn(content.shape, generator=ahead)
        extra = torch.cat([mask, encoded(j.picture * (j.mask < 0.5), ahead)], dim=1)
        later = ahead
    else:
        later = generator

    class Drawn(Noise):
        """The first noise comes before the masked picture is encoded, all others after."""

        def __init__(self) -> None:
            super().__init__(generator)
            self.first = True

        def __call__(self, like: torch.Tensor) -> torch.Tensor:
            noise = super().__call__(like)
            if self.first:
                self.first = False
                if model.channels == 4:
                    encoded(j.picture * (j.mask < 0.5), later)  # a wasted encoding, which draws all the same
                self.generator = later
            return noise

    own = SCHEDULERS[sampler][1]
    return Sample(
        denoiser or NetworkDenoiser(SD1, model.unet, prediction=model.prediction, key=model.name),
        SamplingPlan(parse_sampler(sampler, scheduler), steps, strength, DIFFUSERS, eta, CONFIG | own | more),
        SampleLatents(content, mask, extra=extra),
        positive=j.prompt,
        negative=j.negative,
        noise=Drawn(),
        guidance=guidance or Guidance(SCALE),
        controls=controls,
        pictures=pictures,
        features=features,
    )


def latents(samples: list[Sample]) -> torch.Tensor:
    run(samples)
    return torch.cat([sample.result() for sample in samples])


def assert_close(got: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal within the tolerance for latents of the deviation that real ones have, which is about 1.

    A network with random weights takes few-step samplers to deviations of 20, where that many roundings more are seen
    between diffusers' own batches of one and of three.
    """
    scale = max(1.0, float(expected.std()))
    assert (got - expected).abs().max() < TOLERANCE * scale


def cases() -> list[Any]:
    """Every sampler in every family, in two of the four combinations of channels and strength: each sampler has every
    pair of family, channels and strength. The other two are slow.
    """
    found = []
    for ranked in itertools.product(*map(enumerate, (FAMILIES, (4, 9), SCHEDULERS, (1.0, 0.6)))):
        numbers, case = zip(*ranked, strict=True)
        found.append(pytest.param(*case, marks=[pytest.mark.slow] if sum(numbers) % 2 else []))
    return found


@pytest.mark.parametrize(("name", "channels", "sampler", "strength"), cases())
def test_latents_equal_those_of_the_pipeline(name: str, channels: int, sampler: str, strength: float):
    model = family(name, channels)
    jobs = [job(model, seed) for seed in (3, 8, 11)]
    expected = theirs(sampler, model, jobs, strength=strength)
    single = theirs(sampler, model, jobs[:1], strength=strength)
    got = latents([ours(sampler, model, j, strength=strength) for j in jobs])
    alone = latents([ours(sampler, model, jobs[0], strength=strength)])
    assert_close(got, expected)
    assert_close(alone, single)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_lot_of_all_samplers_in_one_loop_equals_each_pipeline_alone(name: str):
    """Samplers, strengths and steps mixed in the same calls of the network."""
    model = family(name, 9)
    lot = {
        (sampler, number): {"strength": (1.0, 0.6)[number % 2], "steps": 3 + number % 4}
        for number, sampler in enumerate(SCHEDULERS)
    }
    samples = {key: ours(key[0], model, job(model, key[1]), **settings) for key, settings in lot.items()}
    run(samples.values())
    for (sampler, number), settings in lot.items():
        expected = theirs(sampler, model, [job(model, number)], **settings)
        assert_close(samples[sampler, number].result(), expected)


@pytest.mark.parametrize(
    "more",
    [
        {"timestep_spacing": "trailing"},
        {"timestep_spacing": "linspace", "use_karras_sigmas": True},
        {"timestep_spacing": "linspace", "use_exponential_sigmas": True},
        {"use_beta_sigmas": True},
        {"final_sigmas_type": "sigma_min"},
    ],
    ids=lambda more: "-".join(map(str, more.values())),
)
@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm2", "dpmpp_2m", "unipc"])
def test_spacings_of_a_scheduler_config_are_followed(sampler: str, more: dict):
    model = family("sd1", 4)
    j = job(model, 5)
    expected = theirs(sampler, model, [j], strength=0.8, **more)
    assert_close(latents([ours(sampler, model, j, strength=0.8, **more)]), expected)


@pytest.mark.parametrize("strength", [0.2, 0.5, 0.8, 0.9999])
@pytest.mark.parametrize(("sampler", "name"), [("pndm", "sd1"), ("pndm", "sd2"), ("lms", "sd1"), ("unipc", "sd1")])
def test_strengths_that_cut_a_multistep_sampler_short_go_as_upstream(sampler: str, name: str, strength: float):
    model = family(name, 4)
    j = job(model, 7)
    expected = theirs(sampler, model, [j], strength=strength, steps=8)
    assert_close(latents([ours(sampler, model, j, strength=strength, steps=8)]), expected)


def test_long_schedules_end_as_upstream():
    model = family("sd1", 9)
    j = job(model, 2)
    for sampler in ("dpmpp_2m", "unipc"):
        more = {"final_sigmas_type": "sigma_min"}
        expected = theirs(sampler, model, [j], strength=1.0, steps=16, **more)
        assert_close(latents([ours(sampler, model, j, strength=1.0, steps=16, **more)]), expected)


@pytest.mark.parametrize("rescale", [0.3, 1.0])
def test_rescaled_guidance_is_upstreams(rescale: float):
    model = family("sdxl", 4)
    j = job(model, 6)
    expected = theirs("dpmpp_2m", model, [j], strength=0.8, call={"guidance_rescale": rescale})
    sample = ours("dpmpp_2m", model, j, strength=0.8, guidance=Guidance(SCALE, rescale=rescale))
    assert_close(latents([sample]), expected)


@pytest.mark.parametrize("scale", [0.0, 0.7, 1.0, 1.01])
def test_a_scale_of_1_or_less_does_not_guide(scale: float):
    model = family("sd1", 9)
    j = job(model, 6)
    expected = theirs("euler", model, [j], strength=1.0, call={"guidance_scale": scale})
    assert_close(latents([ours("euler", model, j, strength=1.0, guidance=Guidance(scale))]), expected)


@pytest.mark.parametrize("sampler", ["ddim", "tcd"])
@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_eta_renews_noise_as_upstream(sampler: str, eta: float):
    model = family("sd2", 9)
    j = job(model, 6)
    expected = theirs(sampler, model, [j], strength=1.0, call={"eta": eta})
    assert_close(latents([ours(sampler, model, j, strength=1.0, eta=eta)]), expected)


@pytest.mark.parametrize("channels", [4, 9])
def test_a_distilled_network_receives_its_guidance(channels: int):
    """LCM checkpoints: the scale is an input, and there is no row for the negative prompt."""
    model = family("lcm", channels)
    j = job(model, 6)
    expected = theirs("lcm", model, [j], strength=0.75, steps=4)
    assert_close(latents([ours("lcm", model, j, strength=0.75, steps=4)]), expected)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "unipc"])
def test_zero_terminal_snr_is_upstreams(sampler: str):
    """Its Euler loses four digits at level 4096, and its DDIM alone begins at infinity: they are left out."""
    model = family("sd2", 4)
    j = job(model, 6)
    more = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    expected = theirs(sampler, model, [j], strength=1.0, **more)
    assert_close(latents([ours(sampler, model, j, strength=1.0, **more)]), expected)


@pytest.mark.parametrize("name", ["sd1", "sd2"])
def test_a_white_mask_and_nothing_under_it_is_text_to_image(name: str):
    """4 channels, all-white mask, latent_nothing, strength 1: StableDiffusionPipeline."""
    import diffusers

    model = family(name, 4)
    j = job(model, 4)
    pipe = diffusers.StableDiffusionPipeline(
        vae=model.vae,
        text_encoder=None,
        tokenizer=None,
        unet=model.unet,
        scheduler=diffusers_scheduler("euler_a", model),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    expected = pipe(
        prompt_embeds=j.prompt.context,
        negative_prompt_embeds=j.negative.context,
        height=SIZE,
        width=SIZE,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        generator=torch.Generator().manual_seed(j.seed),
        output_type="latent",
    ).images
    nothing = torch.zeros(1, 4, SIZE // 2, SIZE // 2)
    sample = Sample(
        NetworkDenoiser(SD1, model.unet, prediction=model.prediction, key=name),
        SamplingPlan(parse_sampler("Euler a"), STEPS, 1.0, DIFFUSERS, config=CONFIG),
        SampleLatents(nothing, torch.ones(1, 1, SIZE // 2, SIZE // 2)),
        positive=j.prompt,
        negative=j.negative,
        noise=Noise(j.seed),
        guidance=Guidance(SCALE),
    )
    assert_close(latents([sample]), expected)
