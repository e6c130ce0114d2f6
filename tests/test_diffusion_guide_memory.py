"""Memory of ControlNets and IP-Adapters: counted, within a budget, and in turns with the model's own networks.

A CPU stands for the device: where networks take turns, their weights are copied to it all the same.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import adapters
from overpaint import Monitor, models
from overpaint.engines.base import Canvas, ControlImage, paint
from overpaint.engines.diffusion import back_ends, diffusers_networks, loader
from overpaint.engines.diffusion import engine as engine_module
from overpaint.engines.diffusion import networks as networks_module
from overpaint.engines.diffusion.adapters import Adapter, encoded_tokens, with_pictures
from overpaint.engines.diffusion.back_ends import Compiled
from overpaint.engines.diffusion.caches import bytes_of
from overpaint.engines.diffusion.control_networks import GUIDE_BYTES, Guide, KeptGuides, guide_bytes
from overpaint.engines.diffusion.controls import ControlNetwork, RowControl
from overpaint.engines.diffusion.copies import network_bytes
from overpaint.engines.diffusion.engine import DiffusionEngine
from overpaint.engines.diffusion.memory_count import peak_bytes
from overpaint.engines.diffusion.memory_plan import ModelBytes, counted_bytes
from overpaint.engines.diffusion.network_call import NetworkCall
from overpaint.engines.diffusion.openvino_programs import OpenVino
from overpaint.engines.diffusion.options import DiffusionOptions
from overpaint.engines.diffusion.placement import Placement, bring
from overpaint.engines.diffusion.values import LoadedModel, NetworkInput
from overpaint.engines.weight_store import WeightStore
from overpaint.errors import Cancelled
from overpaint.geometry import Size
from overpaint.models import ModelRef
from overpaint.request import Blob, Control
from test_diffusion_control_engine import controlnet
from test_diffusion_engine import SIDE, canvas_of, checkpoint, levels, painted, pixels_of

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2

CPU = torch.device("cpu")
COUNT = 10
"""ControlNets in the store."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def ref(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelRef]:
    """An inpainting checkpoint, and in the store ControlNets, an IP-Adapter and its encoder."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_HOME", str(home / "overpaint"))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        store = home / "overpaint" / "models"
        store.mkdir(parents=True)
        model = checkpoint(home / "sd1-9", 9)
        for number in range(COUNT):
            controlnet(store / f"canny-{number}", number)
        from diffusers import UNet2DConditionModel

        widths = adapters.widths_of(UNet2DConditionModel.from_pretrained(model / "unet"))
        save_file(adapters.adapter(widths, 16, "plus"), store / "reference.safetensors")
        adapters.encoder(store / "encoder")
        yield models.find(str(model))


def guided(*names: str, references: int = 0, **settings: Any) -> Canvas:
    """A canvas with controls that these ControlNets read, and with reference pictures."""
    blob, shown = Blob(sha256="0" * 64, width=1, height=1), pixels_of(5)
    controls = [ControlImage(Control(kind="canny", image=blob, model=name), shown) for name in names]
    reference = Control(kind="reference", image=blob, model="reference", weight=0.7)
    controls += [ControlImage(reference, pixels_of(6 + number)) for number in range(references)]
    return replace(canvas_of(**{"steps": 2, **settings}), controls=tuple(controls))


@pytest.fixture
def engine_of(ref: ModelRef) -> Iterator[Callable[..., DiffusionEngine]]:
    """Makes engines, and closes them."""
    made: list[DiffusionEngine] = []

    def make(memory: Any = "auto", *, turns: bool = True, **more: Any) -> DiffusionEngine:
        engine = DiffusionEngine(ref, device="cpu", memory=memory, **{"dtype": torch.float32, **more})
        engine._takes_turns = turns
        made.append(engine)
        return engine

    yield make
    for one in made:
        one.close()


@pytest.fixture
def in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """VAEs always work in strips, as where networks take turns."""
    monkeypatch.setattr(networks_module, "TILED_ABOVE", -1)


# ---- counted ----


def parts(ref: ModelRef, controls: int, references: int) -> tuple[LoadedModel, list[Guide]]:
    loaded = loader.load(ref)
    kept = KeptGuides(loaded.family, ref, torch.float32)
    adapter = kept.get(models.find_reference("sd1", "reference"))
    found = [kept.get(models.find_control("canny", "sd1", f"canny-{number}")) for number in range(controls)]
    return loaded, [*found, *[adapter] * references]


def apart(guides: Sequence[Guide]) -> tuple[list[ControlNetwork], list[Adapter]]:
    """ControlNets and adapters."""
    return [one for one in guides if isinstance(one, ControlNetwork)], [
        one for one in guides if isinstance(one, Adapter)
    ]


def counted(loaded: LoadedModel, guides: Sequence[Guide] = ()) -> ModelBytes:
    found = counted_bytes(loaded.family, loaded.network, loaded.vae, loaded.text_encoders, Size(96, 96), guides)
    assert found is not None
    return found


def call_of(loaded: LoadedModel, guides: Sequence[Guide], rows: int = 2, side: int = 12) -> tuple[Any, NetworkInput]:
    """The network with its adapters, and a call of it with all controls and pictures."""
    controls, held = apart(guides)
    draw = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw)

    example = loaded.family.example_input(loaded.network, Size(8 * side, 8 * side), rows)
    assert example is not None
    text = example.conditioning.map(lambda one: random(*one.shape))
    if held:
        tokens = [random(rows, 5, text.context.shape[2]) for _ in held]
        text = with_pictures(text, tokens, torch.full((rows, len(tokens)), 0.6))
    hint = random(1, 3, 8 * side, 8 * side)
    acting = tuple(tuple(RowControl(one, hint, 0.8) for one in controls) for _ in range(rows))
    times = torch.full((rows,), 500.0)
    network = loaded.family.adapted(loaded.network, held) if held else loaded.network
    assert example.extra is not None
    x, extra = random(*example.x.shape), random(*example.extra.shape)
    return network, NetworkInput(x, torch.ones(rows), times, text, extra, controls=acting)


@pytest.mark.parametrize(("controls", "references"), [(1, 0), (2, 0), (0, 1), (2, 2)])
def test_counted_bytes_are_those_that_networks_and_their_calls_hold(ref: ModelRef, controls: int, references: int):
    loaded, guides = parts(ref, controls, references)
    plain, found = counted(loaded), counted(loaded, guides)
    network, given = call_of(loaded, guides)
    taken = peak_bytes(lambda: NetworkCall(loaded.family, network)(given))
    hints = sum(bytes_of(one.hint) for one in given.controls[0])
    assert found.network.call + found.network.row == pytest.approx(taken + hints, rel=0.1)
    weights = sum(guide_bytes(one) for one in set(guides))
    assert found.guides == weights
    assert found.peak("whole") >= plain.peak("whole") + weights
    assert found.network.blocks >= plain.network.blocks
    nets, held = apart(guides)
    inside = network_bytes(network) + sum(network_bytes(one.network) for one in nets)
    assert found.network.weights == inside
    beside = [network_bytes(one.encoder) + network_bytes(one.projection) for one in held[:1]]
    assert found.pictures.weights == sum(beside)
    assert found.network.weights + found.pictures.weights == plain.network.weights + weights


def test_a_union_controlnet_is_counted_too(ref: ModelRef) -> None:
    loaded, (plain,) = parts(ref, 1, 0)
    assert isinstance(plain, ControlNetwork)
    _, union = diffusers_networks._control_classes()
    sizes = ("block_out_channels", "layers_per_block", "cross_attention_dim", "attention_head_dim", "norm_num_groups")
    sizes += ("down_block_types", "conditioning_embedding_out_channels")
    own = {name: plain.network.config[name] for name in sizes}
    own |= {"num_control_type": 6, "addition_time_embed_dim": 4, "num_trans_channel": 8, "num_trans_head": 2}
    made = union(**own, num_proj_channel=8).eval().requires_grad_(False)
    guides = [ControlNetwork(made, "union", kinds=6)]
    network, call = call_of(loaded, guides)
    taken = peak_bytes(lambda: NetworkCall(loaded.family, network)(call)) + bytes_of(call.controls[0][0].hint)
    found = counted(loaded, guides)
    assert found.guides == network_bytes(made)
    assert found.network.call + found.network.row == pytest.approx(taken, rel=0.1)


def test_a_controlnet_that_does_not_fit_beside_the_model_lets_networks_take_turns(
    ref: ModelRef, engine_of: Callable[..., DiffusionEngine], in_strips: None, monkeypatch: pytest.MonkeyPatch
):
    loaded, guides = parts(ref, 2, 1)
    size, given = Size(SIDE, SIDE), (loaded.family, loaded.network, loaded.vae, loaded.text_encoders)
    plain, full = (counted_bytes(*given, size, one) for one in ((), guides))
    assert plain is not None
    assert full is not None
    free = int((plain.peak("whole") + full.peak("whole")) / 2 / 0.9)
    assert (plain.choice(free), full.choice(free)) in (("whole", "model"), ("whole", "block"))
    canvases, usual = {"p": guided(), "c": guided("canny-0", "canny-1", references=1)}, engine_of(turns=False)
    expected = {name: painted(usual, one) for name, one in canvases.items()}

    here = sum(map(network_bytes, loaded.networks))  # is on the device, which is a CPU, before the memory is read
    monkeypatch.setattr(engine_module, "memory_left", lambda one: None if one is engine_module._CPU else free - here)
    for order in ("c", "pcp"):
        engine = engine_of()
        for number, one in enumerate(order):
            assert np.array_equal(painted(engine, canvases[one]), expected[one])
            assert engine._plan is not None
            assert engine._plan.memory == ("whole" if order[: number + 1] == "p" else full.choice(free))


def test_a_lora_whose_changed_weights_do_not_fit_lets_networks_take_turns(
    ref: ModelRef, engine_of: Callable[..., DiffusionEngine], in_strips: None, monkeypatch: pytest.MonkeyPatch
):
    loaded, _ = parts(ref, 0, 0)
    changed = {name: one for name, one in loaded.network.named_parameters() if name.endswith("conv1.weight")}
    kohya = {f"lora_unet_{name.removesuffix('.weight').replace('.', '_')}.diff": one for name, one in changed.items()}
    save_file(
        {name: 0.5 * one.detach().contiguous() for name, one in kohya.items()}, models.store_folder() / "l.safetensors"
    )
    found = counted_bytes(loaded.family, loaded.network, loaded.vae, loaded.text_encoders, Size(SIDE, SIDE))
    assert found is not None
    free = int((found.peak("whole") + bytes_of(*changed.values()) / 2) / 0.9)
    here = sum(map(network_bytes, loaded.networks))
    styled = guided(prompt="a cat <lora:l:1>")
    expected = painted(engine_of(turns=False), styled)
    monkeypatch.setattr(engine_module, "memory_left", lambda one: None if one is engine_module._CPU else free - here)
    engine = engine_of()
    assert levels(painted(engine, guided(prompt="a cat")), expected) > 1
    assert engine._plan is not None
    assert engine._plan.memory == "whole"
    assert np.array_equal(painted(engine, styled), expected)
    assert engine._plan.memory != "whole"
    assert engine._plan.counted is not None
    assert engine._plan.counted.changed == bytes_of(*changed.values())


def test_a_canvas_whose_controlnet_has_no_room_waits_for_those_that_are_painted(
    engine_of: Callable[..., DiffusionEngine], in_strips: None, monkeypatch: pytest.MonkeyPatch
):
    usual, engine = engine_of(turns=False), engine_of()
    lot = [guided(steps=4), guided("canny-0")]
    expected = [paint(usual, [one])[0].pixels for one in lot]
    monkeypatch.setattr(engine_module, "memory_left", lambda one: None if one is engine_module._CPU else 10**9)
    painted(engine, guided())
    assert engine._plan is not None
    assert engine._plan.memory == "whole"
    assert engine._plan.counted is not None
    full = engine._plan.counted.peak("whole") / 0.899
    monkeypatch.setattr(engine_module, "memory_left", lambda one: None if one is engine_module._CPU else 1000)
    engine._plan = replace(engine._plan, free=int(full))  # has room for the model, and for no more
    order: list[str] = []
    submitted: list[Any] = []

    def first(step: int, steps: int) -> None:
        if not submitted:
            submitted.append(engine.submit(lot[1], Monitor(on_progress=lambda *_: order.append("second"))))
        order.append("first")

    pictures = [paint(engine, lot[:1], [Monitor(on_progress=first)])[0], submitted[0].result()]
    assert order == sorted(order)
    assert engine._plan.memory != "whole"
    assert all(np.array_equal(one.pixels, other) for one, other in zip(pictures, expected, strict=True))


# ---- bounded ----


def test_many_controlnets_in_turn_stay_within_the_budget(ref: ModelRef, engine_of: Callable[..., DiffusionEngine]):
    store = WeightStore()
    engine = engine_of(turns=False, weights=store)
    painted(engine, guided(steps=1))
    model = store.bytes
    painted(engine, guided("canny-0", steps=1))
    size = store.bytes - model
    assert engine._networks is not None
    assert engine._networks.guides.budget == GUIDE_BYTES
    engine.release_weights()
    store.budget = model + int(2.5 * size)  # two of them beside the model
    alive: list[weakref.ref[Any]] = []
    for number in range(COUNT):
        painted(engine, guided(f"canny-{number}", references=number % 2, steps=1))
        guides = engine._networks.guides
        alive.append(weakref.ref(guides.get(models.find_control("canny", "sd1", f"canny-{number}")).network))
        gc.collect()
        assert guides.bytes <= 2.5 * size
        assert store.bytes <= store.budget
        assert sum(one() is not None for one in alive) <= 2
    engine.close()
    del guides
    gc.collect()
    assert store.bytes == 0
    assert not any(one() for one in alive)


# ---- in turns ----


def homes_of(engine: DiffusionEngine) -> dict[str, int]:
    """Where the weights of all networks are in memory, by name."""
    assert engine._networks is not None
    networks = [*engine._networks.loaded.networks]
    networks += [part for one in engine._networks.guides._kept for part in one.networks]
    held = {f"{number} {name}": one for number, each in enumerate(networks) for name, one in each.named_parameters()}
    return {name: one.data_ptr() for name, one in held.items()}


@pytest.mark.parametrize("memory", ["model", "block"])
def test_controlnets_and_references_in_turns_paint_the_same_bits(
    memory: Literal["model", "block"], engine_of: Callable[..., DiffusionEngine], in_strips: None
):
    lot = [guided("canny-0", "canny-1", references=2), guided("canny-2"), guided()]
    whole, turns = engine_of(turns=False), engine_of(memory)
    together, alone = paint(whole, lot), paint(whole, lot[:1])
    assert levels(alone[0].pixels, together[2].pixels) > 1
    for expected, got in ((together, paint(turns, lot)), (alone, paint(turns, lot[:1]))):
        assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(got, expected, strict=True))
    assert turns._networks is not None
    assert turns._networks.placement is not None


@pytest.mark.parametrize("memory", ["model", "block"])
def test_in_turns_every_weight_is_on_the_device_while_it_is_used(memory: Literal["model", "block"], ref: ModelRef):
    loaded, guides = parts(ref, 2, 2)
    network, given = call_of(loaded, guides)
    controls, held = apart(guides)
    adapter, placement = held[0], Placement(CPU, memory)
    homes = {
        one.data_ptr()
        for each in (network, *guides[0].networks, *guides[1].networks, *adapter.networks)
        for one in each.parameters()
    }
    away: list[str] = []
    ran = 0

    def look(module: torch.nn.Module, _: object) -> None:
        nonlocal ran
        own = [one for one in module.parameters(recurse=False) if one.numel()]
        ran += len(own)
        away.extend(type(module).__name__ for one in own if one.data_ptr() in homes)

    def watched(part: Any, stage: Any) -> Any:
        twin = placement.twin(part, stage)
        for module in twin.modules():
            module.register_forward_pre_hook(look)
        return twin

    twin = watched(network, "network")
    for one in controls:
        watched(one.network, "network")
    NetworkCall(loaded.family, twin)(given)
    weights = network_bytes(network) + sum(network_bytes(one.network) for one in controls)
    assert placement.bytes == weights if memory == "model" else placement.bytes < 0.5 * weights
    encoder, projection = (watched(one, "picture") for one in (adapter.encoder, adapter.projection))
    bring(encoder, projection)
    encoded_tokens(replace(adapter, encoder=encoder, projection=projection), guided(references=1).controls[0])
    assert placement.bytes <= network_bytes(adapter.encoder) + network_bytes(adapter.projection), "the others have left"
    assert not away
    assert ran > 100
    for one in placement._places:
        one.leave()
    assert placement.bytes == 0


@pytest.mark.parametrize("memory", ["model", "block"])
def test_a_canvas_that_is_cancelled_in_turns_leaves_every_network_in_its_place(
    memory: Literal["model", "block"], engine_of: Callable[..., DiffusionEngine], in_strips: None
):
    canvas = guided("canny-0", references=1, steps=3)
    expected = painted(engine_of(turns=False), canvas)
    engine = engine_of(memory)
    painted(engine, canvas)
    before = homes_of(engine)
    monitor = Monitor(on_progress=lambda step, steps: step == 2 and monitor.cancel())
    with pytest.raises(Cancelled):
        paint(engine, [canvas], [monitor])
    assert homes_of(engine) == before
    assert engine._networks is not None
    placement = engine._networks.placement
    assert placement is not None
    there = {one.stage for one in placement._places if one.bytes}
    assert there == {"network"}, "of the stage that was called last, until another one is"
    assert np.array_equal(painted(engine, canvas), expected)


@pytest.mark.parametrize("memory", ["model", "block"])
def test_a_controlnet_that_overflows_in_turns_works_in_single_precision(
    memory: Literal["model", "block"],
    engine_of: Callable[..., DiffusionEngine],
    in_strips: None,
    monkeypatch: pytest.MonkeyPatch,
):
    expected = painted(engine_of(turns=False), guided("canny-0"))
    reached = []

    def overflow(_: object, __: object, out: torch.Tensor) -> torch.Tensor:
        reached.append(out.dtype)
        return out * np.inf if out.dtype == torch.float16 else out

    load = loader.load_control

    def loaded(*given: Any) -> Any:
        found = load(*given)
        found.network.controlnet_mid_block.register_forward_hook(overflow)
        return found

    monkeypatch.setattr(loader, "load_control", loaded)
    engine = engine_of(memory, dtype=torch.float16)
    result = paint(engine, [guided("canny-0")])[0]
    assert {torch.float16, torch.float32} == set(reached)
    assert levels(result.pixels, expected) < 4
    assert any("ran again in single precision" in note for note in result.notes)
    plain = paint(engine, [guided()])[0]
    assert not any("single precision" in note for note in plain.notes), "the next canvas begins in half precision"
    assert levels(plain.pixels, painted(engine_of(turns=False), guided())) < 4


# ---- other back ends ----


def test_programs_run_networks_with_controlnets_and_references(ref: ModelRef) -> None:
    loaded, guides = parts(ref, 2, 2)
    network, given = call_of(loaded, guides)
    back_end = Compiled(loaded.family, network, lambda program: program)
    call, plain = NetworkCall(loaded.family, network, back_end=back_end), NetworkCall(loaded.family, network)
    assert torch.equal(call(given), plain(given))
    assert not torch.allclose(plain(replace(given, controls=())), plain(given), atol=0.01)
    assert not back_end.notes


@pytest.mark.slow
def test_openvino_runs_networks_with_controlnets_and_references(ref: ModelRef, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    loaded, guides = parts(ref, 1, 1)
    network, given = call_of(loaded, guides, side=8)
    call = NetworkCall(loaded.family, network, back_end=OpenVino(loaded.family, network, "digest", tmp_path))
    expected = NetworkCall(loaded.family, network)(given)
    assert float((call(given) - expected).abs().max() / expected.abs().max()) < 1e-4


def test_an_engine_with_a_back_end_reads_controls_and_references(
    engine_of: Callable[..., DiffusionEngine], monkeypatch: pytest.MonkeyPatch
):
    made = []
    monkeypatch.setattr(back_ends, "compiled", lambda program: made.append(program) or program)
    engine = engine_of(turns=False)
    canvas = guided("canny-0", "canny-1", references=1)
    expected = painted(engine, canvas)
    result = paint(engine, [replace(canvas, options=DiffusionOptions(backend="compile"))])[0]
    assert made
    assert levels(result.pixels, expected) < 0.05
    assert not any("torch.compile" in note for note in result.notes)
