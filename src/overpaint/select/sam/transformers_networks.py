"""Networks of the SAM family by transformers' classes: SAM 1, HQ-SAM, SAM 2, EdgeTAM and SAM 3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from overpaint.errors import ModelError, RequestError
from overpaint.geometry import Size

from .network import SamAnswer, in_order
from .prepare import HALF, SamPicture, SamPrompt

LEAST = 0.3
"""How sure SAM 3 must be of a thing that a text means, as in transformers' own processor."""

TOKENS = 32
"""Tokens of a text that SAM 3 takes."""


class PromptedSam:
    """A network of transformers that takes points, boxes and an earlier mask."""

    def __init__(
        self, model: Any, takes: SamPicture, *, high_quality: bool = False, words: Callable[[], Sam3Words] | None = None
    ) -> None:
        """`high_quality`: whether it is an HQ-SAM; `words` loads what finds things by a text, where there is that."""
        self.takes = takes
        self.reads_text = words is not None
        self._model, self._high_quality, self._words = model, high_quality, words
        prompts = model.config.prompt_encoder_config
        self._mask_side = 4 * (prompts.image_size // prompts.patch_size)

    def embedding(self, picture: Any) -> Any:
        """As `SamNetwork`."""
        import torch

        with torch.inference_mode():
            return self._model.get_image_embeddings(picture)

    def answer(self, embedding: Any, prompt: SamPrompt, size: Size) -> SamAnswer:
        """As `SamNetwork`."""
        import torch

        seen: dict[str, Any] = {"image_embeddings": embedding}
        if self._high_quality:
            seen = {"image_embeddings": embedding[0], "intermediate_embeddings": list(embedding[1])}
        elif isinstance(embedding, list | tuple):
            seen = {"image_embeddings": list(embedding)}  # a copy, as the list may be written to
        if prompt.points:
            places = self.takes.places([(one.x, one.y) for one in prompt.points], size)
            seen["input_points"] = torch.from_numpy(places)[None, None]
            seen["input_labels"] = torch.tensor([[[int(one.inside) for one in prompt.points]]])
        if prompt.box is not None:
            left, top, right, bottom = prompt.box
            corners = self.takes.places([(left, top), (right, bottom)], size)
            seen["input_boxes"] = torch.from_numpy(corners.reshape(1, 1, 4))
        if prompt.mask is not None:
            seen["input_masks"] = self.takes.mask_input(prompt.mask, self._mask_side)
        with torch.inference_mode():
            found = self._model(**seen, multimask_output=prompt.ambiguous)
        return in_order(found.pred_masks[0, 0], found.iou_scores[0, 0])

    def found(self, picture: Any, text: str) -> SamAnswer:
        """As `SamNetwork`."""
        if self._words is None:
            raise RequestError("this network reads no text", code="hint-refused", field="text", value=text)
        return self._words().found(picture, text)


class Sam3Words:
    """SAM 3's detector: it finds all things that a text means."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self._model, self._tokenizer = model, tokenizer

    def found(self, picture: Any, text: str) -> SamAnswer:
        """As `SamNetwork`."""
        import torch

        read = self._tokenizer.encode(text)
        tokens, known = torch.tensor([read.ids]), torch.tensor([read.attention_mask])
        with torch.inference_mode():
            seen = self._model(pixel_values=picture, input_ids=tokens, attention_mask=known)
            scores = (seen.pred_logits.sigmoid() * seen.presence_logits.sigmoid())[0]
            kept = scores > LEAST
            return in_order(seen.pred_masks[0][kept].sigmoid() - 0.5, scores[kept])


def tokenizer_of(folder: Path, name: str) -> Any:
    """The tokenizer of a folder, which gives `TOKENS` tokens.

    Raises:
        ModelError: The folder has none.
    """
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        message = f"{name} can't read a text: it has no tokenizer.json"
        raise ModelError(message, code="model-incomplete", field="model", value=name)
    try:
        found = Tokenizer.from_file(str(path))
    except Exception as error:  # any bytes may be in the file
        raise ModelError(f"{name}: tokenizer.json is damaged", field="model", value=name) from error
    end = found.token_to_id("<|endoftext|>")
    found.enable_truncation(TOKENS)
    found.enable_padding(length=TOKENS, pad_id=end or 0, pad_token="<|endoftext|>")
    return found


def picture_of(network: str, model: Any) -> SamPicture:
    """How a network of transformers takes pictures."""
    side = int(np.max(model.config.prompt_encoder_config.image_size))
    if network in ("sam", "sam-hq"):
        return SamPicture(side)
    if network == "sam3":
        return SamPicture(side, False, HALF, HALF)
    return SamPicture(side, False)
