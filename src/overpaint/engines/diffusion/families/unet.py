"""Stable Diffusion 1, 2 and XL: U-Nets that read CLIP's states through cross-attention.

Rombach et al. 2022 (arXiv 2112.10752); SDXL: Podell et al. 2023 (arXiv 2307.01952). Those made for inpainting take the
mask and the latents of the masked picture as five further channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Size
from overpaint.models import Kind, ModelRef, config_folder, read_json, unet_config
from overpaint.request import Usual

from .base import Family, Pixels

if TYPE_CHECKING:
    import torch

    from overpaint.engines.diffusion.text import ClipEncoders
    from overpaint.engines.diffusion.values import Conditioning, LoadedModel


@dataclass(frozen=True, slots=True)
class ClipPart:
    """One text encoder of a checkpoint.

    Attributes:
        folder: Of its weights, in diffusers' layout.
        tokenizer: Folder of its tokenizer.
        open_clip: Prefix of its tensors in a single file, for OpenCLIP's encoders; None for OpenAI's.
        pad: Token that fills a row up. OpenCLIP's encoders were trained with "!", OpenAI's with the end mark.
        slot: Name of its vectors in a textual inversion for several encoders; "" where there is one encoder.
        projection: Whether it projects a text's state to one vector, which the network is given as well.
    """

    folder: str = "text_encoder"
    tokenizer: str = "tokenizer"
    open_clip: str | None = None
    pad: str = "<|endoftext|>"
    slot: str = ""
    projection: bool = False


@dataclass(frozen=True)
class UNetFamily(Family):
    """A family of Stable Diffusion's kind.

    Attributes:
        name: See `Family`.
        title: See `Family`.
        texts: The text encoders; their states are joined.
        trained_cells: Latent cells on the side of the pictures that it was trained on, where no configuration has them.
        trained_cells_v: The same for those that predict v.
        text_layer: The hidden state that the network reads, from the last, which is 1.
        text_norm: Whether the encoder's final layer norm follows.
        empty_is_zeros: Whether an empty negative prompt is zeros instead of an encoded empty text, where the model's
            index does not say.
        sizes: Whether the network is given the picture's size and crop.
        upcast_v: Whether those that predict v compute their attention in single precision (`attn_precision: fp32` of
            SD 2's original release).
        latents: Which autoencoders fit: those of families with the same word.
    """

    name: str
    title: str
    texts: tuple[ClipPart, ...]
    trained_cells: int = 64
    trained_cells_v: int = 64
    text_layer: int = 1
    text_norm: bool = True
    empty_is_zeros: bool = False
    sizes: bool = False
    upcast_v: bool = False
    latents: str = "sd"
    dialects: tuple[str, ...] = ("native", "diffusers")

    def import_networks(self) -> None:
        """See `Family.import_networks`."""
        from overpaint.engines.diffusion import loader  # noqa: F401

    def load(self, ref: ModelRef, dtype: torch.dtype) -> LoadedModel:
        """See `Family.load`."""
        from overpaint.engines.diffusion.loader import load

        return load(ref, dtype)

    def weight_bytes(self, ref: ModelRef, dtype: torch.dtype, holds: Callable[[str], bool]) -> int:
        """See `Family.weight_bytes`."""
        from overpaint.engines.diffusion.weight_files import weight_bytes

        return weight_bytes(ref, dtype, holds)

    def config(self, kind: Kind, folder: Any = None) -> dict[str, Any]:
        """The U-Net's parameters: of `folder`, or the published ones."""
        found = unet_config(kind, folder)
        if self.upcast_v and kind.prediction == "v":
            found["upcast_attention"] = True
        return found

    def native_size(self, ref: ModelRef) -> int:
        """See `Family.native_size`. A single file has no configuration of its own: its prediction decides."""
        usual = self.trained_cells_v if ref.kind.prediction == "v" else self.trained_cells
        folder = ref.configs
        if folder is None and usual != self.trained_cells:
            return usual * self.cell
        size = unet_config(ref.kind, folder).get("sample_size") or self.trained_cells
        return self.cell * int(max(size) if isinstance(size, list) else size)

    def width(self, ref: ModelRef) -> int:
        """See `Family.width`."""
        return int(unet_config(ref.kind, ref.configs).get("block_out_channels", (320,))[0])

    def usual(self, ref: ModelRef) -> Usual:
        """See `Family.usual`."""
        from overpaint.engines.diffusion.usual import usual_of_kind

        return usual_of_kind(ref)

    def extra_input(
        self, pixels: Pixels, hole: NDArray[np.bool_], cells: torch.Tensor, encode: Callable[[Pixels], torch.Tensor]
    ) -> torch.Tensor:
        """The hole on the grid, and the latents of the picture with the hole in mid-grey: (1, 1 + C, h, w)."""
        import torch

        masked = encode(np.where(hole[..., None], np.float32(0.5), pixels))
        return torch.cat([cells, masked], dim=1)

    def text_encoding(self, model: LoadedModel, encoders: tuple[Any, ...], digest: str) -> ClipEncoders:
        """See `Family.text_encoding`."""
        from overpaint.engines.diffusion.text import ClipEncoders

        return ClipEncoders.of(self, encoders, model.tokenizers, digest, zero_negative=model.empty_is_zeros)

    def embedding_widths(self, ref: ModelRef) -> tuple[tuple[str, int], ...]:
        """See `Family.embedding_widths`: the widths of the text encoders."""
        folder = ref.text_source.configs or config_folder(self.name)
        configs = ((part.slot, read_json(folder / part.folder / "config.json")) for part in self.texts)
        return tuple(sorted((slot, config.get("text_config", config)["hidden_size"]) for slot, config in configs))

    def size_conditions(self, size: Size, device: torch.device) -> Mapping[str, torch.Tensor]:
        """SDXL's micro-conditioning (Podell et al. 2023, arXiv 2307.01952, 2.2); the canvas is the whole picture.

        (1, 6): original height and width, top and left of the crop, painted height and width.
        """
        import torch

        sides = [size.height, size.width]
        time_ids = torch.tensor([[*sides, 0, 0, *sides]], dtype=torch.float32, device=device)
        return {"time_ids": time_ids} if self.sizes else {}

    def embeds_guidance(self, network: Any) -> bool:
        """Whether it was distilled with the guidance scale (LCM)."""
        return getattr(getattr(network, "config", None), "time_cond_proj_dim", None) is not None

    def text_free_layers(self, network: Any) -> tuple[torch.nn.Module, ...]:
        """See `first_layers.first_layers`."""
        from overpaint.engines.diffusion.first_layers import first_layers

        return first_layers(network)

    def predict(
        self,
        network: Any,
        x: torch.Tensor,
        sigma: torch.Tensor,
        t: torch.Tensor,
        conditioning: Conditioning,
        extra: torch.Tensor | None,
        guidance: torch.Tensor | None,
    ) -> torch.Tensor:
        """See `Family.predict`. The network is called as diffusers' UNet2DConditionModel is."""
        import torch

        from overpaint.engines.diffusion.denoiser import guidance_embedding

        guided = None
        if guidance is not None:
            guided = guidance_embedding(guidance, network.config.time_cond_proj_dim).to(x)
        added = None
        if conditioning.pooled is not None:
            added = {"text_embeds": conditioning.pooled, **conditioning.added}
        output: torch.Tensor = network(
            x if extra is None else torch.cat([x, extra], dim=1),
            t,
            encoder_hidden_states=conditioning.context,
            timestep_cond=guided,
            added_cond_kwargs=added,
            return_dict=False,
        )[0]
        return output

    def original_layer_names(self, network: Any, modules: Sequence[str]) -> Iterator[tuple[str, str]]:
        """See `Family.original_layer_names`."""
        from overpaint.engines.diffusion.lora_names import original_unet_names

        return original_unet_names(network, modules)


SD1 = UNetFamily("sd1", "Stable Diffusion 1.x", (ClipPart(),))
SD2 = UNetFamily(
    "sd2",
    "Stable Diffusion 2.x",
    (ClipPart(open_clip="cond_stage_model.model.", pad="!"),),
    trained_cells_v=96,
    upcast_v=True,
)
SDXL = UNetFamily(
    "sdxl",
    "SDXL",
    (
        ClipPart(slot="clip_l"),
        ClipPart(
            "text_encoder_2", "tokenizer_2", "conditioner.embedders.1.model.", pad="!", slot="clip_g", projection=True
        ),
    ),
    trained_cells=128,
    trained_cells_v=128,
    text_layer=2,
    text_norm=False,
    empty_is_zeros=True,
    sizes=True,
    latents="sdxl",
)
