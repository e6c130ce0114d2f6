"""Back ends run the network in place of PyTorch's own steps, and give what it gives."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from overpaint.engines.diffusion import back_ends, openvino_programs
from overpaint.engines.diffusion.back_ends import MOST_FORMS, Compiled
from overpaint.engines.diffusion.deep_features import RowFeatures
from overpaint.engines.diffusion.families.unet import SD1
from overpaint.engines.diffusion.network_call import NetworkCall
from overpaint.engines.diffusion.openvino_programs import OpenVino, check_openvino, converted_file
from overpaint.engines.diffusion.values import Conditioning, NetworkInput
from overpaint.errors import MissingExtraError


@functools.cache
def unet(dtype: torch.dtype = torch.float32) -> Any:
    from diffusers import UNet2DConditionModel

    torch.manual_seed(4)
    net = UNet2DConditionModel(
        in_channels=9,
        out_channels=4,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
    )
    return net.to(dtype).eval()


def given_of(rows: int, side: int = 8, features: tuple[RowFeatures, ...] = ()) -> NetworkInput:
    draw = torch.Generator().manual_seed(rows)
    x, extra = (torch.randn(rows, channels, side, side, generator=draw) for channels in (4, 5))
    text = Conditioning({"context": torch.randn(rows, 7, 16, generator=draw)})
    return NetworkInput(x, torch.full((rows,), 3.0), torch.arange(rows) * 90.0, text, extra, features=features)


def test_a_program_serves_several_numbers_of_rows_and_few_forms_are_compiled():
    made: list[torch.nn.Module] = []

    def compiler(program: torch.nn.Module) -> torch.nn.Module:
        made.append(program)
        return program

    back_end = Compiled(SD1, unet(), compiler)
    call, plain = NetworkCall(SD1, unet(), back_end=back_end), NetworkCall(SD1, unet())
    for rows in (3, 4, 1, 3):
        assert torch.allclose(call(given_of(rows)), plain(given_of(rows)), atol=1e-5)
    assert len(made) == 2, "four rows, and one"
    kept = tuple(RowFeatures(1) for _ in range(2))
    whole = call(given_of(2, features=kept))
    assert torch.allclose(whole, plain(given_of(2)), atol=1e-5)
    assert all(one.deep is not None for one in kept)
    assert torch.allclose(call(given_of(2, features=kept)), whole, atol=1e-5)
    assert len(made) == 4, "whole and outer layers"
    for side in range(4, 24, 2):
        given = given_of(1, side)
        assert torch.allclose(call(given), plain(given), atol=1e-5)
    assert len(made) == MOST_FORMS
    (note,) = back_end.notes
    assert "ran without" in note


def test_programs_that_are_kept_on_disk_make_room_for_others():
    class Kept(Compiled):
        kept = True

    made: list[torch.nn.Module] = []
    back_end = Kept(SD1, unet(), lambda program: made.append(program) or program)
    call, plain = NetworkCall(SD1, unet(), back_end=back_end), NetworkCall(SD1, unet())
    sides = [4 + 2 * number for number in range(MOST_FORMS + 2)]
    for side in (*sides, sides[0], sides[-1]):
        assert torch.allclose(call(given_of(1, side)), plain(given_of(1, side)), atol=1e-5)
    assert len(made) == len(sides) + 1, "the first had to go, and came back"
    assert not back_end.notes


def test_a_program_is_made_where_there_is_memory_for_it(monkeypatch: pytest.MonkeyPatch):
    class Counted(Compiled):
        program_bytes = making_bytes = 10**9

    made: list[torch.nn.Module] = []
    back_end = Counted(SD1, unet(), lambda program: made.append(program) or program)
    call, plain = NetworkCall(SD1, unet(), back_end=back_end), NetworkCall(SD1, unet())
    monkeypatch.setattr(back_ends, "memory_left", lambda device: 5 * 10**9 - back_end.bytes - 2 * 10**9)
    for side in (4, 6, 8, 10, 4):
        assert torch.equal(call(given_of(1, side)), plain(given_of(1, side)))
        assert back_end.bytes <= 3 * 10**9
    assert len(made) == 5, "that of the first size had to go for the fourth"
    assert not back_end.notes
    monkeypatch.setattr(back_ends, "memory_left", lambda device: 10**8)
    for _ in range(2):
        assert torch.equal(call(given_of(1, 12)), plain(given_of(1, 12)))
    assert list(back_end.notes) == [
        "torch.compile needs 1.0 GB of memory for a program, and 0.1 GB are left: the network ran without"
    ]


def test_where_compiling_fails_the_network_runs_without_and_a_note_says_so():
    def broken(program: torch.nn.Module) -> Any:
        def call(*tensors: torch.Tensor) -> None:
            raise RuntimeError("No working C++ compiler found\nand more")

        return call

    back_end = Compiled(SD1, unet(), broken)
    call, plain = NetworkCall(SD1, unet(), back_end=back_end), NetworkCall(SD1, unet())
    for _ in range(2):
        assert torch.equal(call(given_of(2)), plain(given_of(2)))
    assert list(back_end.notes) == [
        "torch.compile failed, and the network ran without it: No working C++ compiler found"
    ]


def test_converted_networks_are_kept_verified_and_bounded(tmp_path: Path):
    made: list[str] = []

    def convert(name: str):
        def write(file: Path) -> None:
            made.append(name)
            file.write_text(name)
            file.with_suffix(".bin").write_bytes(b"0" * 100)

        return write

    def get(name: str, limit: int = 1000) -> str:
        return converted_file(tmp_path, name, convert(name), limit).read_text()

    assert [get("a"), get("a"), get("b")] == ["a", "a", "b"]
    assert made == ["a", "b"]
    (tmp_path / "a" / "model.bin").write_bytes(b"1" * 100)
    assert get("a") == "a"
    assert made == ["a", "b", "a"], "damaged"
    get("c", limit=1)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c"]
    with pytest.raises(OSError, match="full"):
        converted_file(tmp_path, "d", lambda file: (_ for _ in ()).throw(OSError("full")))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["c"]


def converted(folder: Path, name: str, limit: int = 1000, size: int = 100) -> Path:
    """A kept network of so many bytes, or a little more."""

    def convert(file: Path) -> None:
        file.write_text(name)
        file.with_suffix(".bin").write_bytes(b"0" * size)

    return converted_file(folder, name, convert, limit)


def test_what_killed_conversions_left_is_removed_and_does_not_count(tmp_path: Path):
    for name in (".left", ".earlier", ".young"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_bytes(b"0" * 5000)
    (tmp_path / ".left.lock").touch()  # its lock ended with the process
    os.utime(tmp_path / ".earlier", (0, 0))  # of a version without locks
    converted(tmp_path, "a")
    converted(tmp_path, "b")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".young", "a", "b"]


def test_a_conversion_that_lasts_is_left_alone(tmp_path: Path):
    def convert(file: Path) -> None:
        file.write_text("slow")
        os.utime(file.parent, (0, 0))
        converted(tmp_path, "other", limit=1)
        file.with_suffix(".bin").write_bytes(b"0")

    assert converted_file(tmp_path, "slow", convert).read_text() == "slow"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["other", "slow"]


def test_processes_that_clean_at_once_do_not_disturb_each_other(tmp_path: Path):
    names = [f"{number:02}" for number in range(24)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: converted(tmp_path, name, limit=300), names * 2))
    converted(tmp_path, "last", limit=1)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["last"]


def test_making_a_program_is_told_once_for_each_form():
    said: list[str] = []
    call = NetworkCall(SD1, unet(), back_end=Compiled(SD1, unet(), lambda program: program))
    for rows in (1, 1, 2):
        call(given_of(rows), said.append)
    assert said == ["compiling the network (once for this shape)"] * 2


def test_a_missing_openvino_is_a_clear_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"overpaint\[openvino\]"):
        check_openvino()


_TRACED = """
import torch
from overpaint.engines.diffusion.openvino_programs import forget_traces

def traced():
    return torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))

def name(module):
    return module._c._type().qualified_name()

traced()
forget_traces()
first = name(traced())
assert name(traced()) != first  # PyTorch keeps what was traced: a further one has a name of its own
forget_traces()
used = traced()
assert name(used) == first
expected = used(torch.ones(1, 2))
traced()
forget_traces()
assert torch.equal(used(torch.ones(1, 2)), expected)
"""


def test_what_was_traced_is_forgotten_unless_some_of_it_is_still_in_use():
    # in a process of its own: modules that other tests compiled would count
    subprocess.run([sys.executable, "-W", "ignore", "-c", _TRACED], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_openvino_gives_what_the_network_gives_and_a_later_process_reads_it(
    dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("openvino")
    plain = NetworkCall(SD1, unet(dtype))
    for again in (False, True):
        if again:
            monkeypatch.setattr(openvino_programs, "NetworkProgram", None)  # nothing is converted
        call = NetworkCall(SD1, unet(dtype), back_end=OpenVino(SD1, unet(dtype), "digest", tmp_path))
        kept = tuple(RowFeatures(1) for _ in range(2))
        for given in (given_of(2), given_of(2, features=kept), given_of(2, features=kept)):
            expected = plain(given_of(2))
            error = float((call(given) - expected).abs().max() / expected.abs().max())
            assert error < (1e-5 if dtype == torch.float32 else 0.05)
    assert len([one for one in tmp_path.iterdir() if one.is_dir()]) == 3


@pytest.mark.slow
def test_torch_compile_gives_what_the_network_gives():
    call, plain = NetworkCall(SD1, unet(), back_end=Compiled(SD1, unet())), NetworkCall(SD1, unet())
    assert torch.allclose(call(given_of(2)), plain(given_of(2)), atol=1e-5)
    assert not call._back_end.notes
