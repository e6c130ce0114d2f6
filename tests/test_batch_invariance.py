"""Exact mode at real width: a picture's bits do not depend on what shares its calls, on any processor."""

from __future__ import annotations

import functools

import pytest
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from overpaint.engines.diffusion import batch_invariance
from overpaint.engines.diffusion.batch_invariance import BATCHED, batch_dependent
from overpaint.engines.diffusion.denoiser import NetworkDenoiser
from overpaint.engines.diffusion.devices import NARROW, device_of, usual_dtype
from overpaint.engines.diffusion.families.unet import SD1
from overpaint.engines.diffusion.guidance import Guidance
from overpaint.engines.diffusion.names import parse_sampler
from overpaint.engines.diffusion.noise import Noise
from overpaint.engines.diffusion.sample import Sample, SamplingPlan
from overpaint.engines.diffusion.values import Conditioning, SampleLatents
from overpaint.errors import EngineError
from sampling import run

SIDE = 8
WIDTH = 320
by_operator = pytest.mark.parametrize("operator", list(BATCHED), ids=lambda operator: operator.__name__)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    batch_invariance._tried.cache_clear()
    yield
    batch_invariance._tried.cache_clear()
    torch.set_num_threads(before)


class OtherProcessor(TorchFunctionMode):
    """A processor on which an operator's result depends on the length of the batch, as linear layers' do with AMX."""

    def __init__(self, operator):
        super().__init__()
        self.operator = operator

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func is self.operator and result.dim() > 2:
            result = result * (1 + 2**-7 * (len(result) - 1))
        return result


@functools.cache
def unet(dtype: torch.dtype, width: int = WIDTH):
    """One level of Stable Diffusion 1.5's U-Net for inpainting, at its real width unless another is given: resnets,
    transformers, time MLP.
    """
    from diffusers import UNet2DConditionModel

    torch.manual_seed(3)
    net = UNet2DConditionModel(
        sample_size=SIDE,
        in_channels=9,
        out_channels=4,
        block_out_channels=(width,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        cross_attention_dim=768,
        attention_head_dim=8,
    )
    return net.to(dtype).eval()


def sample(denoiser: NetworkDenoiser, number: int) -> Sample:
    """A picture with a prompt, steps and strength of its own."""
    draw = torch.Generator().manual_seed(number)
    positive, negative = (Conditioning({"context": torch.randn(1, 77, 768, generator=draw)}) for _ in range(2))
    mask = (torch.rand(1, 1, SIDE, SIDE, generator=draw) > 0.4).float()
    pixels, extra = (torch.randn(1, channels, SIDE, SIDE, generator=draw) for channels in (4, 5))
    return Sample(
        denoiser,
        SamplingPlan(parse_sampler("Euler"), 1 + number % 2, 1.0 - number / 10),
        SampleLatents(pixels, mask, extra=extra),
        positive=positive,
        negative=negative,
        noise=Noise(number),
        guidance=Guidance(3.0),
    )


def results(dtype: torch.dtype, *numbers: int, exact: bool = True, width: int = WIDTH) -> list[torch.Tensor]:
    """What pictures get that are painted together."""
    denoiser = NetworkDenoiser(SD1, unet(dtype, width), prediction="epsilon", key="net", exact=exact)
    samples = [sample(denoiser, number) for number in numbers]
    run(samples)
    return [one.result() for one in samples]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
def test_a_picture_has_the_same_bits_alone_and_beside_others(dtype: torch.dtype):
    (alone,) = results(dtype, 1)
    assert torch.equal(results(dtype, 0, 1, 2)[1], alone)


@by_operator
def test_a_processor_on_which_an_operator_depends_on_the_batch_gives_the_same_bits_too(operator):
    """The dependence is made here, at any width."""
    painted = functools.partial(results, torch.bfloat16, width=64)
    with OtherProcessor(operator):
        (alone,), (fast,) = painted(0), painted(0, exact=False)
        assert torch.equal(painted(0, 2)[0], alone)
        assert not torch.equal(painted(0, 2, exact=False)[0], fast), "the test shows nothing"


@by_operator
def test_an_operator_that_depends_on_the_batch_is_found(operator):
    usual = batch_dependent(torch.bfloat16)
    batch_invariance._tried.cache_clear()
    with OtherProcessor(operator):
        assert batch_dependent(torch.bfloat16) == usual | {operator}


def test_linear_layers_count_wherever_amx_is(monkeypatch):
    """A few shapes that agree prove nothing for all others."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert F.linear in batch_dependent(torch.bfloat16)


def test_attention_masks_of_a_batch_go_with_their_rows():
    draw = torch.Generator().manual_seed(0)
    queries, keys, values = (torch.randn(3, 2, 5, 8, generator=draw) for _ in range(3))
    for shape in ((3, 1, 5, 5), (1, 2, 5, 5), (5, 5)):
        mask = torch.randn(shape, generator=draw)
        with OtherProcessor(F.scaled_dot_product_attention), batch_invariance.RowByRow():
            found = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        expected = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("features", "narrow", "wide"),
    [
        ({"amx_tile", "avx512_bf16"}, torch.bfloat16, torch.bfloat16),
        ({"avx512_bf16"}, torch.float32, torch.bfloat16),
        (set(), torch.float32, torch.float32),
    ],
    ids=["AMX", "AVX512-BF16", "neither"],
)
def test_the_type_follows_from_the_cpus_features_and_the_networks_width(monkeypatch, features, narrow, wide):
    for feature in ("amx_tile", "avx512_bf16"):
        monkeypatch.setattr(torch.cpu, f"_is_{feature}_supported", lambda one=feature: one in features)
    cpu = torch.device("cpu")
    assert [usual_dtype(cpu, width) for width in (NARROW // 2, NARROW - 1, NARROW, 320)] == [narrow] * 2 + [wide] * 2


@pytest.mark.parametrize("name", ["cuda:99", "abacus"])
def test_a_device_that_the_machine_does_not_have_is_an_error_with_those_it_has(name):
    if name != "abacus" and torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(EngineError, match=name) as failed:
        device_of(name)
    assert (failed.value.code, failed.value.value) == ("device-missing", name)
    assert "cpu" in failed.value.hint
