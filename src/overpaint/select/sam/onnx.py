"""Networks in ONNX files of the SAM protocol, run by ONNX Runtime (extra onnx).

Two files: an encoder, from a picture to embeddings, and a decoder, whose inputs are called as Segment Anything's own
exporter calls them (scripts/export_onnx_model.py): image_embeddings, point_coords, point_labels, mask_input,
has_mask_input and orig_im_size. A decoder of SAM 2 takes further embeddings, called as the encoder's outputs are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overpaint.errors import MissingExtraError, ModelError, RequestError
from overpaint.geometry import Size
from overpaint.models.onnx_graph import OnnxGraph, read_graph

from .network import SamAnswer, in_order
from .prepare import SamPicture, SamPrompt

PROMPTS = ("point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")
"""Inputs of a decoder that say what is meant; the others are embeddings."""

BOX_CORNERS = (2, 3)
"""Labels of the corners of a box, and of a point that is none."""
NO_POINT = -1


class OnnxSam:
    """An encoder and a decoder, by ONNX Runtime on the CPU."""

    reads_text = False

    def __init__(self, encoder: Path, decoder: Path) -> None:
        """Load both.

        Raises:
            ModelError: A file is damaged, or has other inputs.
            MissingExtraError: ONNX Runtime is not installed.
        """
        self.takes = SamPicture(_side(read_graph(encoder), encoder))
        self._encoder, self._decoder = _session(encoder), _session(decoder)
        graph = read_graph(decoder)
        self._takes = {port.name: port.shape for port in graph.inputs}
        gives = [port.name for port in graph.outputs]
        self._masks = gives.index("low_res_masks") if "low_res_masks" in gives else 0
        self._scores = next((number for number, name in enumerate(gives) if "iou" in name), 1)
        seen, wanted = [port.name for port in self._encoder.get_outputs()], set(self._takes) - set(PROMPTS)
        if "point_coords" not in self._takes or not wanted or (len(wanted) > 1 and not wanted <= set(seen)):
            raise _refused(decoder, graph, "an encoder's embeddings, point_coords and point_labels")
        self._seen = [seen[0]] if len(wanted) == 1 and not wanted <= set(seen) else sorted(wanted)
        self._called = dict(zip(self._seen, sorted(wanted), strict=True))
        self._name = decoder.name

    def embedding(self, picture: Any) -> Any:
        """As `SamNetwork`."""
        inputs = {self._encoder.get_inputs()[0].name: picture.numpy()}
        return _run(self._encoder, self._seen, inputs, self._name)

    def answer(self, embedding: Any, prompt: SamPrompt, size: Size) -> SamAnswer:
        """As `SamNetwork`."""
        import torch

        given = [((one.x, one.y), int(one.inside)) for one in prompt.points]
        if prompt.box is not None:
            left, top, right, bottom = prompt.box
            given += zip(((left, top), (right, bottom)), BOX_CORNERS, strict=True)
        places = self.takes.places([place for place, _ in given], size)
        labels = [label for _, label in given]
        if prompt.box is None:  # what the exporter asks for
            places, labels = np.concatenate([places, np.zeros((1, 2), np.float32)]), [*labels, NO_POINT]
        side = int(self._takes.get("mask_input", (1, 1, 256))[2] or 256)
        earlier = np.zeros((1, 1, side, side), np.float32)
        if prompt.mask is not None:
            earlier = self.takes.mask_input(prompt.mask, side).numpy()
        inputs = {self._called[name]: one for name, one in zip(self._seen, embedding, strict=True)}
        inputs |= {
            "point_coords": places[None],
            "point_labels": np.array([labels], np.float32),
            "mask_input": earlier,
            "has_mask_input": np.array([prompt.mask is not None], np.float32),
            "orig_im_size": np.array(size.shape, np.float32),
        }
        found = _run(
            self._decoder, None, {name: one for name, one in inputs.items() if name in self._takes}, self._name
        )
        masks, scores = found[self._masks][0], found[self._scores][0]
        if masks.ndim != 3 or scores.shape != masks.shape[:1]:
            raise ModelError(f"{self._name} gave masks of {masks.shape} and scores of {scores.shape}")
        if len(masks) == 4:  # the first is for prompts that mean one thing, the others for those that may mean several
            masks, scores = (masks[1:], scores[1:]) if prompt.ambiguous else (masks[:1], scores[:1])
        answer = in_order(torch.from_numpy(masks), torch.from_numpy(scores))
        return answer if prompt.ambiguous else SamAnswer(answer.masks[:1], answer.scores[:1])

    def found(self, picture: Any, text: str) -> SamAnswer:
        """As `SamNetwork`."""
        raise RequestError("this network reads no text", code="hint-refused", field="text", value=text)


def onnx_pair(path: Path) -> tuple[Path, Path]:
    """(encoder, decoder) of a folder, or of the folder that a file of it is in.

    Raises:
        ModelError: There are not one of each.
    """
    folder = path if path.is_dir() else path.parent
    encoders, decoders = [], []
    for file in sorted(folder.glob("*.onnx")):
        takes = {port.name for port in read_graph(file).inputs}
        if "point_coords" in takes:
            decoders.append(file)
        elif len(takes) == 1:
            encoders.append(file)
    if path in encoders:
        encoders = [path]
    if path in decoders:
        decoders = [path]
    if len(encoders) != 1 or len(decoders) != 1:
        count = f"{len(encoders)} encoders and {len(decoders)} decoders"
        raise ModelError(
            f"a SAM in ONNX files is an encoder and a decoder in one folder; {folder.name} has {count}",
            code="model-incomplete",
            field="model",
            value=path.name,
        )
    return encoders[0], decoders[0]


def _side(graph: OnnxGraph, path: Path) -> int:
    """The side of the pictures that an encoder takes."""
    shape = graph.inputs[0].shape if len(graph.inputs) == 1 else ()
    floats = bool(graph.inputs) and graph.inputs[0].dtype == "float32"
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or not shape[2] or not floats:
        raise _refused(path, graph, "one picture, float32 [1, 3, side, side]")
    return shape[2]


def _refused(path: Path, graph: OnnxGraph, wanted: str) -> ModelError:
    takes = ", ".join(map(str, graph.inputs)) or "nothing"
    message = f"{path.name} takes {takes}, and should take {wanted}"
    return ModelError(message, code="model-other-task", field="model", value=path.name)


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError.of(f"{path.name}, an ONNX file,", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it would print warnings on standard error
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # any bytes may be in the file
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path.name} can't be run: {reason}", field="model", value=path.name) from error


def _run(session: Any, names: list[str] | None, inputs: dict[str, Any], name: str) -> list[Any]:
    try:
        return list(session.run(names, inputs))
    except Exception as error:  # what a graph does is its own
        reason = str(error).splitlines()[0]
        raise ModelError(f"{name} does not run: {reason}", field="model", value=name) from error
