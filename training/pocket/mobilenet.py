"""A frozen MobileNetV2 (Sandler et al. 2018), read from a published 8-bit file, for perceptual loss and critics.

The file is a segmenter for phones, DeepLab (Chen et al. 2018) on MobileNetV2, trained on ImageNet and ADE20K. Its
weights are whole numbers with a scale a channel; brought back to real ones, the first twelve blocks give features that
correlate with the phone's own by 0.995 and more (a test measures it). Reading the file takes ai-edge-litert; the
converted file needs torch alone, so that training runs without it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS = 12
"""Those before DeepLab's dilated ones: strides up to 16."""

_CONVOLUTIONS = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}
"""How a weight's axes become PyTorch's (out, in / groups, height, width), by kind of operation."""


def convert(network: Path, target: Path) -> None:
    """Write the weights as one safetensors file: `k.weight`, `k.bias` of the k-th convolution, strides in its metadata.

    An existing `target` stays until the new file is complete.

    Raises:
        FileNotFoundError: No such network.
        ValueError: It is no TensorFlow Lite file, or does not begin with a MobileNetV2's convolutions.
        ImportError: Without ai-edge-litert.
    """
    from ai_edge_litert.interpreter import Interpreter

    if not network.is_file():
        raise FileNotFoundError(f"no network at {network}")
    try:
        opened = Interpreter(model_path=str(network), num_threads=1)
    except ValueError as error:
        raise ValueError(f"{network} is no TensorFlow Lite network: {error}") from error
    opened.allocate_tensors()
    about = {details["index"]: details for details in opened.get_tensor_details()}
    weights: dict[str, Tensor] = {}
    strides: list[int] = []
    for operation in opened._get_ops_details():  # the one way to the order of layers
        if operation["op_name"] not in _CONVOLUTIONS or len(strides) == 3 + 3 * BLOCKS:
            continue
        given, weight, bias = (int(k) for k in operation["inputs"])
        before, after = about[given]["shape"], about[int(operation["outputs"][0])]["shape"]
        axes = _CONVOLUTIONS[operation["op_name"]]
        real = _dequantised(opened.get_tensor(weight), about[weight])
        weights[f"{len(strides)}.weight"] = real.permute(axes).contiguous().half()
        weights[f"{len(strides)}.bias"] = _dequantised(opened.get_tensor(bias), about[bias]).float()
        strides.append(int(before[1]) // int(after[1]))
    if [k for k, stride in enumerate(strides) if stride == 2] != [0, 4, 10, 19] or len(strides) != 3 + 3 * BLOCKS:
        raise ValueError(f"{network} does not begin as MobileNetV2 does: its strides are {strides}")
    partial = target.with_suffix(".part")
    save_file(weights, partial, {"strides": json.dumps(strides)})
    partial.replace(target)


def _dequantised(whole: Any, details: dict[str, Any]) -> Tensor:
    """(whole - zero point) x scale, one scale or one for each slice along an axis."""
    known = details["quantization_parameters"]
    scales, zeros = (torch.from_numpy(known[key].copy()).double() for key in ("scales", "zero_points"))
    shape = [1] * whole.ndim
    if len(scales) > 1:
        shape[int(known["quantized_dimension"])] = len(scales)
    return (torch.from_numpy(whole.copy()).double() - zeros.view(shape)) * scales.view(shape)


class MobileNet(nn.Module):  # type: ignore[misc]
    """Features of pictures at strides 2, 4, 8 and 16; frozen, but gradients reach the pictures."""

    def __init__(self, weights: dict[str, Tensor], strides: list[int]) -> None:
        """Build from the weights and strides that `convert` wrote."""
        super().__init__()
        self.layers = nn.ModuleList(
            _convolution(weights[f"{k}.weight"], weights[f"{k}.bias"], stride) for k, stride in enumerate(strides)
        )
        self.requires_grad_(False).eval()

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """The last block's output at each stride.

        Args:
            pictures: (n, 3, h, w) in [-1, 1]; sides that are multiples of 16.

        Returns:
            (n, c, h / s, w / s) for c of 16, 24, 32, 96 and s of 2, 4, 8, 16.
        """
        x = self._convolve(2, F.relu6(self._convolve(1, F.relu6(self._convolve(0, pictures)))))
        found = []
        for k in range(3, len(self.layers), 3):
            if self.layers[k + 1].stride == (2, 2):
                found.append(x)
            y = self._convolve(k + 2, F.relu6(self._convolve(k + 1, F.relu6(self._convolve(k, x)))))
            x = x + y if y.shape == x.shape else y
        return [*found, x]

    def _convolve(self, k: int, x: Tensor) -> Tensor:
        """The k-th convolution; at a stride of 2 an even side is padded at its end alone, as TensorFlow does."""
        layer = self.layers[k]
        made: Tensor = layer(F.pad(x, (0, 1, 0, 1)) if layer.stride == (2, 2) else x)
        return made


def _convolution(weight: Tensor, bias: Tensor, stride: int) -> Any:
    outer, inner, side, _ = weight.shape
    groups = outer if inner == 1 else 1
    layer = nn.Conv2d(inner * groups, outer, side, stride, 0 if stride == 2 else side // 2, groups=groups)
    layer.weight.data, layer.bias.data = weight.float(), bias.float()
    return layer


def load(path: Path, device: torch.device) -> MobileNet:
    """Load a file of `convert`; FileNotFoundError without it, ValueError for another file."""
    if not path.is_file():
        raise FileNotFoundError(f"no backbone at {path}: run the stage `backbone` first")
    try:
        with safe_open(path, "pt") as file:
            strides = json.loads((file.metadata() or {})["strides"])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is no backbone ({error}): run the stage `backbone` again") from error
    made: MobileNet = MobileNet(weights, strides).to(device)
    return made
