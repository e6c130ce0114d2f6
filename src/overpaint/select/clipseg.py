"""The selector "clipseg": where something is that is meant in words, as a network of coarse cells sees it.

Lüddecke and Ecker, "Image segmentation using text and image prompts", CVPR 2022. What the network sees in a picture is
kept by the picture's content, so that further words only run its decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import Field

from overpaint.geometry import Size
from overpaint.models import ModelRef
from overpaint.picture import Picture
from overpaint.request import UsedModel

from .base import Selection, SelectorCard, SelectorHints, SelectorOptions
from .cache import shared
from .networks import held, loaded_folder, network_digest, transformers_class
from .prepare import InputForm, at_size, edged, is_usable, mask_by, network_for, used_network, within
from .seen import SeenPicture
from .tokens import tokens_of

NETWORKS = ("clipseg",)

FORM = InputForm(size=Size(352, 352))
"""How the published network takes pictures, unless its folder says otherwise."""

_FAMILY = "clipseg"


class ClipSegOptions(SelectorOptions):
    """Which network, and where the line is drawn."""

    model: str = Field(default="", max_length=1024, description="the network's name; left out, the first that is here")
    threshold: float = Field(default=0.4, gt=0, lt=1, description="lower takes more of the picture for what is meant")
    refine: bool = Field(default=True, description="move the edge of a mask to the picture's own")


class ClipSeg:
    """Where something is that is meant in words."""

    card = SelectorCard(
        name="clipseg",
        title="what words mean, coarse (CLIPSeg)",
        takes=frozenset({"text", "boxes"}),
        needs=frozenset({"text"}),
        options=ClipSegOptions,
        tip="lower the threshold, or name it in other words",
        licence="that of its network",
        digest="clipseg-1",
        references=("Lüddecke and Ecker, Image segmentation using text and image prompts, CVPR 2022",),
    )

    @property
    def here(self) -> bool:
        """Whether a network is on this machine that needs no further permission."""
        return is_usable(NETWORKS, "transformers")

    def models(self, hints: SelectorHints) -> tuple[UsedModel, ...]:
        """As `NetworkSelector`."""
        return (used_network(_ref(hints)),)

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask."""
        options = ClipSegOptions.model_validate(dict(hints.options))
        ref = _ref(hints)
        seen = SeenPicture.of(picture)
        digest = network_digest(ref.path)
        network = held((digest, _FAMILY), lambda: ClipSegNetwork.load(ref))
        logits = network.logits(seen, hints.text, digest)
        likely = np.asarray(at_size(logits.sigmoid(), seen.size).numpy())
        marked = likely >= np.float32(options.threshold)
        if options.refine:
            marked = edged(seen, marked, max(seen.size) / max(network.cells))
        marked = within(marked, hints.boxes)
        if not marked.any():
            return []
        return [Selection(mask_by(marked, ref), float(likely[marked].mean()), hints.text)]


def _ref(hints: SelectorHints) -> ModelRef:
    name = ClipSegOptions.model_validate(dict(hints.options)).model
    return network_for(NETWORKS, name, purpose="the selector 'clipseg'", suggested="clipseg")


@dataclass(frozen=True, slots=True, eq=False)
class ClipSegNetwork:
    """The network of a folder.

    Attributes:
        model: transformers' CLIPSegForImageSegmentation.
        tokenizer: Of its texts.
        form: How it takes pictures.
    """

    model: Any
    tokenizer: Any
    form: InputForm

    @classmethod
    def load(cls, ref: ModelRef) -> ClipSegNetwork:
        """From a folder. Raises ModelError where a file is missing or damaged."""
        kind = transformers_class("clipseg.modeling_clipseg", "CLIPSegForImageSegmentation", ref.name)
        tokenizer = tokens_of(ref, "clip.tokenization_clip", "CLIPTokenizer", ("vocab.json", "merges.txt"))
        return cls(loaded_folder(kind, ref), tokenizer, FORM.read(ref.path))

    @property
    def cells(self) -> Size:
        """Columns and rows of the cells that it sees."""
        patch, size = self.model.config.vision_config.patch_size, self.form.size or FORM.size
        assert size is not None
        return Size(max(1, size.width // patch), max(1, size.height // patch))

    def logits(self, seen: SeenPicture, text: str, digest: str) -> Any:
        """(h, w) tensor over the whole picture: above 0 is more likely than not what the text means."""
        import torch

        most = self.model.config.text_config.max_position_embeddings
        read = self.tokenizer([text], return_tensors="pt", truncation=True, max_length=most)
        with torch.inference_mode():
            layers = shared.get((seen.digest, digest, "layers"), lambda: self._layers(seen), _bytes)
            meant = self.model.get_conditional_embeddings(
                batch_size=1, input_ids=read["input_ids"], attention_mask=read["attention_mask"]
            )
            found = self.model.decoder(list(layers), meant).logits
        return found.reshape(found.shape[-2:])

    def _layers(self, seen: SeenPicture) -> list[Any]:
        """What the layers give that the decoder reads."""
        given = self.model.clip.vision_model(
            pixel_values=self.form.tensor(seen), output_hidden_states=True, interpolate_pos_encoding=True
        )
        return [given.hidden_states[number + 1] for number in self.model.extract_layers]


def _bytes(layers: list[Any]) -> int:
    return sum(int(one.nbytes) for one in layers)
