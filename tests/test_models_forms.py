"""Forms that weights are kept in: GGUF, fp8 with scales, pickles. Each gives the numbers that its maker meant."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from overpaint import models
from overpaint.engines.diffusion.weights import read_tensors
from overpaint.errors import MissingExtraError
from overpaint.models import ModelError, detect, read_table

G = torch.Generator().manual_seed(3)


def write_gguf(path: Path, tensors: dict[str, torch.Tensor], kind: str = "Q8_0", flat: tuple[str, ...] = ()) -> Path:
    """A GGUF file as ComfyUI's converter writes it: matrices quantised, the rest in single precision."""
    import gguf

    writer = gguf.GGUFWriter(path, "sd1")
    for name, one in tensors.items():
        data, form = one.float().numpy(), getattr(gguf.GGMLQuantizationType, kind)
        if name in flat:
            writer.add_array(f"comfy.gguf.orig_shape.{name}", list(data.shape))
            data = data.reshape(-1, 32)
        if data.ndim < 2 or data.shape[-1] % 32:
            form = gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quants.quantize(data, form), raw_dtype=form)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(("kind", "error"), [("F32", 0), ("F16", 1e-3), ("BF16", 1e-2), ("Q8_0", 0.02), ("Q4_0", 0.3)])
def test_gguf_gives_the_shapes_and_nearly_the_numbers(kind: str, error: float, tmp_path: Path) -> None:
    tensors = {
        "a.weight": torch.randn(3, 64, generator=G),
        "conv.weight": torch.randn(8, 4, 3, 3, generator=G),
        "b.bias": torch.randn(5, generator=G),
    }
    path = write_gguf(tmp_path / "x.gguf", tensors, kind, flat=("conv.weight",))
    assert {name: one.shape for name, one in read_table(path).tensors.items()} == {
        name: tuple(one.shape) for name, one in tensors.items()
    }
    for dtype in (torch.float32, torch.bfloat16):
        found = read_tensors(path, dtype=dtype)
        assert {one.dtype for one in found.values()} == {dtype}
        for name, one in tensors.items():
            torch.testing.assert_close(
                found[name].float(), one, atol=error + 0.02 * (dtype != torch.float32), rtol=0.01
            )


def test_a_damaged_gguf_file_and_a_missing_package_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_gguf(tmp_path / "x.gguf", {"a.weight": torch.randn(32, 32, generator=G)})
    whole = path.read_bytes()
    for cut in (6, 40, len(whole) // 2):
        path.write_bytes(whole[:cut])
        with pytest.raises(ModelError, match="cut short or damaged"):
            read_table(path)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtraError, match=r"overpaint\[gguf\]"):
        detect(path)
    monkeypatch.setenv("OVERPAINT_MODEL_PATH", str(tmp_path))
    (listed,) = [one for one in models.entries() if one.name == "x"]
    assert "overpaint[gguf]" in listed.fault, "one such file does not keep the others from being listed"
    assert "overpaint[gguf]" in models.verify("x")[1][0]


@pytest.mark.parametrize("names", [("scale_weight", "scale_input"), ("weight_scale", "input_scale")])
@pytest.mark.parametrize("shape", [(), (1,), (4, 1)])
def test_fp8_is_multiplied_by_its_scale(names: tuple[str, str], shape: tuple[int, ...], tmp_path: Path) -> None:
    small = torch.randn(4, 6, generator=G).to(torch.float8_e4m3fn)
    scale = torch.rand(shape, generator=G) + 0.5
    held = {"x.a.weight": small, f"x.a.{names[0]}": scale, f"x.a.{names[1]}": torch.ones(()), "x.a.bias": torch.ones(4)}
    held |= {"scaled_fp8": torch.zeros(2).to(torch.float8_e4m3fn), "x.b.weight": torch.full((2,), 3.0)}
    save_file(held, tmp_path / "a.safetensors")
    found = read_tensors(tmp_path / "a.safetensors")
    assert sorted(found) == ["x.a.bias", "x.a.weight", "x.b.weight"]
    torch.testing.assert_close(found["x.a.weight"], small.float() * scale)
    assert read_tensors(tmp_path / "a.safetensors", dtype=torch.float16)["x.a.weight"].dtype == torch.float16


def test_packed_weights_are_refused(tmp_path: Path) -> None:
    about = torch.frombuffer(bytearray(json.dumps({"format": "nvfp4"}).encode()), dtype=torch.uint8)
    held = {"a.weight": torch.zeros((4, 3), dtype=torch.uint8), "a.weight_scale": torch.ones(4), "a.comfy_quant": about}
    save_file(held, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="quantised in a way that is not supported: a is packed"):
        read_tensors(tmp_path / "a.safetensors")


def test_a_pickle_s_weights_are_not_read_to_list_them(tmp_path: Path) -> None:
    """Names, shapes and types of 400 MB, in less memory than a tenth of it."""
    import resource

    zero = torch.zeros(1).expand(1000, 1000)
    torch.save({"state_dict": {f"w{n}": zero.clone() for n in range(100)}}, tmp_path / "a.ckpt")
    read_table(tmp_path / "a.ckpt")  # what is imported and mapped
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table = read_table(tmp_path / "a.ckpt")
    assert len(table.tensors) == 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
    assert np.prod(table.tensors["w7"].shape) == 1_000_000
