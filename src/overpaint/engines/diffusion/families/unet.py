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
from overpaint.models import ModelRef, ReferenceRefs, config_folder, read_json, whole_number
from overpaint.request import Usual
from overpaint.request.distilled import usual_of_model

from . import unet_layers
from .base import Family, Pixels

if TYPE_CHECKING:
    import torch

    from overpaint.engines.diffusion.adapters import Adapter
    from overpaint.engines.diffusion.controls import ControlNetwork
    from overpaint.engines.diffusion.text import ClipEncoders
    from overpaint.engines.diffusion.values import LoadedModel, NetworkInput
    from overpaint.prompt.chunks import PromptTokenizer


_ADDED = {"pooled": "text_embeds"}
"""Names of conditions in diffusers, where they differ."""


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
        text_width: See `Family`.
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
        aligned: See `Family`; those of Stable Diffusion 1.5 and SDXL (Sabour et al. 2024).
    """

    name: str
    title: str
    texts: tuple[ClipPart, ...]
    text_width: int | None = None
    trained_cells: int = 64
    trained_cells_v: int = 64
    text_layer: int = 1
    text_norm: bool = True
    empty_is_zeros: bool = False
    sizes: bool = False
    upcast_v: bool = False
    latents: str = "sd"
    dialects: tuple[str, ...] = ("native", "diffusers", "webui")
    takes_controls: bool = True
    aligned: tuple[float, ...] = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)

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

    def empty(self, ref: ModelRef, dtype: torch.dtype) -> LoadedModel:
        """See `Family.empty`."""
        from overpaint.engines.diffusion.loader import empty

        return empty(ref, dtype)

    def config(self, ref: ModelRef) -> dict[str, Any]:
        """The U-Net's parameters: those of the model's own configurations, or the published ones."""
        folder = ref.configs or config_folder(self.name)
        whole = folder / "unet" / "config.json"
        found = read_json(whole if whole.is_file() else folder / "config.json")  # a U-Net's folder has its own alone
        found["in_channels"] = ref.kind.channels or found.get("in_channels", 4)
        if self.upcast_v and ref.kind.prediction == "v":
            found["upcast_attention"] = True
        return found

    def native_size(self, ref: ModelRef) -> int:
        """See `Family.native_size`. A single file has no configuration of its own: its prediction decides."""
        usual = self.trained_cells_v if ref.kind.prediction == "v" else self.trained_cells
        if ref.configs is None and usual != self.trained_cells:
            return usual * self.cell
        size = self.config(ref).get("sample_size") or self.trained_cells
        return self.cell * int(max(size) if isinstance(size, list) else size)

    def width(self, ref: ModelRef) -> int:
        """See `Family.width`."""
        widths = self.config(ref).get("block_out_channels", (320,))
        first = widths[0] if isinstance(widths, list | tuple) and widths else widths
        return whole_number(first, "block_out_channels", ref.name)

    def published(self, ref: ModelRef) -> bool:
        """See `Family.published`."""
        wanted = read_json(config_folder(self.name) / "unet" / "config.json")
        found = self.config(ref)
        return all(found.get(name) == wanted[name] for name in ("block_out_channels", "cross_attention_dim"))

    def usual(self, ref: ModelRef) -> Usual:
        """See `Family.usual`.

        * Latent consistency models (Luo et al. 2023, arXiv 2310.04378): their own sampler, "1 to 8 steps" on the first
          one's card. Where the guidance scale is an input of the network, 8, that card's own; where guidance was
          distilled into the weights, between 1 and 2 (LCM-LoRA's card, arXiv 2311.05556).
        * SDXL Lightning, SD and SDXL Turbo: see `request.distilled`.
        * Models of zero terminal SNR (Lin et al. 2024, arXiv 2305.08891): trailing timesteps, guidance rescaled by 0.7.
        """
        if ref.kind.lcm:
            return Usual(steps=8, guidance_scale=8.0 if ref.kind.embeds_guidance else 1.5, sampler="LCM")
        if (usual := usual_of_model(f"{ref.name} {ref.path.name}")) is not None:
            return usual
        if ref.kind.prediction == "v" and ref.kind.zero_snr:
            return Usual(guidance_rescale=0.7, scheduler="SGM Uniform")
        return Usual()

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

    def tokenizers(self, ref: ModelRef) -> tuple[PromptTokenizer, ...]:
        """See `Family.tokenizers`."""
        from overpaint.engines.diffusion.loader import tokenizers

        return tokenizers(ref, self)

    def embedding_widths(self, ref: ModelRef) -> tuple[tuple[str, int], ...]:
        """See `Family.embedding_widths`: the widths of the text encoders."""
        folder = ref.source_of("text").configs or config_folder(self.name)
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
        """See `Family.text_free_layers`.

        Empty where they depend on the text: where the time embedding contains text (SDXL), and for other architectures.
        """
        config = getattr(network, "config", None)
        if (
            config is None
            or config.get("addition_embed_type") is not None
            or config.get("encoder_hid_dim_type") is not None
        ):
            return ()
        hints = getattr(network, "controlnet_cond_embedding", None)
        found: list[torch.nn.Module] = [network.conv_in, *([] if hints is None else [hints])]
        for block in network.down_blocks:
            attentions = list(getattr(block, "attentions", ()))
            if attentions:
                first = attentions[0]
                layer = first.transformer_blocks[0]
                # A block with conditioned norms, or without self-attention first, is of another architecture.
                if not hasattr(layer, "norm1") or not hasattr(layer, "attn1") or layer.only_cross_attention:
                    return (*found, block.resnets[0])
                return (*found, block.resnets[0], first.norm, first.proj_in, layer.norm1, layer.attn1)
            found += [*block.resnets, *(block.downsamplers or ())]
        return tuple(found)

    def predict(self, network: Any, given: NetworkInput) -> torch.Tensor:
        """See `Family.predict`. The network is called as diffusers' UNet2DConditionModel is."""
        x, guided, added = _arguments(network, given)
        *skips, middle = given.residuals or (None,)
        output: torch.Tensor = network(
            x,
            given.t,
            encoder_hidden_states=_states(given),
            timestep_cond=guided,
            added_cond_kwargs=added,
            down_block_additional_residuals=tuple(skips) or None,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return output

    def example_input(self, network: Any, size: Size, rows: int) -> NetworkInput:
        """See `Family.example_input`: one chunk of text."""
        import torch

        from overpaint.engines.diffusion.values import Conditioning, NetworkInput

        config, dtype = network.config, network.conv_in.weight.dtype

        def empty(*shape: int) -> torch.Tensor:
            return torch.empty((rows, *shape), dtype=dtype, device="meta")

        tensors = {"context": empty(77, config["cross_attention_dim"])}
        if config.get("addition_embed_type") == "text_time":
            tensors["time_ids"] = empty(6)
            sizes = 6 * config["addition_time_embed_dim"]
            tensors["pooled"] = empty(config["projection_class_embeddings_input_dim"] - sizes)
        cells, channels = (size.height // self.cell, size.width // self.cell), config["out_channels"]
        further = config["in_channels"] - channels
        extra = empty(further, *cells) if further else None
        guidance = torch.empty(rows, device="meta") if self.embeds_guidance(network) else None
        times = torch.empty(rows, device="meta")
        return NetworkInput(empty(channels, *cells), times, times, Conditioning(tensors), extra, guidance)

    def layer_count(self, network: Any) -> int:
        """See `Family.layer_count`."""
        return unet_layers.layer_count(network)

    def predict_outer(
        self, network: Any, given: NetworkInput, depth: int, deep: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Family.predict_outer`."""
        x, guided, added = _arguments(network, given)
        context, residuals = _states(given), given.residuals
        return unet_layers.outer_layers(
            network, x, given.t, context, depth=depth, deep=deep, guided=guided, added=added, residuals=residuals
        )

    def load_control(self, ref: ModelRef, model: ModelRef, dtype: torch.dtype) -> ControlNetwork:
        """See `Family.load_control`."""
        from overpaint.engines.diffusion.loader import load_control

        return load_control(ref, model, dtype)

    def check_control(self, ref: ModelRef, model: ModelRef) -> None:
        """See `Family.check_control`."""
        from overpaint.engines.diffusion.weight_files import check_control

        check_control(ref, model)

    def control_bytes(self, ref: ModelRef, dtype: torch.dtype, holds: Callable[[str], bool]) -> int:
        """See `Family.control_bytes`."""
        from overpaint.engines.diffusion.weight_files import control_bytes

        return control_bytes(ref, dtype, holds)

    def control(
        self, network: ControlNetwork, given: NetworkInput, hints: torch.Tensor, numbers: Sequence[int]
    ) -> tuple[torch.Tensor, ...]:
        """See `Family.control`. It is called as diffusers' ControlNetModel or ControlNetUnionModel is."""
        import torch

        kinds = {}
        if network.kinds:
            chosen = torch.tensor(numbers, device=hints.device)
            flags = torch.nn.functional.one_hot(chosen, network.kinds).to(hints)
            kinds = {"control_type": flags, "control_type_idx": [chosen]}
        skips, middle = network.network(
            given.x,
            given.t,
            encoder_hidden_states=given.conditioning.context,
            controlnet_cond=[hints] if network.kinds else hints,
            added_cond_kwargs=_added(given),
            return_dict=False,
            **kinds,
        )
        return *skips, middle

    def load_adapter(self, refs: ReferenceRefs, dtype: torch.dtype) -> Adapter:
        """See `Family.load_adapter`."""
        from overpaint.engines.diffusion.loader import load_adapter

        return load_adapter(refs, dtype)

    def check_adapter(self, ref: ModelRef, model: ModelRef) -> None:
        """See `Family.check_adapter`."""
        from overpaint.engines.diffusion.weight_files import check_adapter

        check_adapter(ref, model)

    def adapter_bytes(self, refs: ReferenceRefs, dtype: torch.dtype, holds: Callable[[str], bool]) -> int:
        """See `Family.adapter_bytes`."""
        from overpaint.engines.diffusion.weight_files import adapter_bytes

        return adapter_bytes(refs, dtype, holds)

    def adapted(self, network: Any, adapters: Sequence[Adapter]) -> Any:
        """See `Family.adapted`."""
        from overpaint.engines.diffusion.adapters import adapted

        return adapted(network, adapters)

    def original_layer_names(self, network: Any, modules: Sequence[str]) -> Iterator[tuple[str, str]]:
        """See `Family.original_layer_names`."""
        from overpaint.engines.diffusion.lora_names import original_unet_names

        return original_unet_names(network, modules)


def _added(given: NetworkInput) -> dict[str, torch.Tensor] | None:
    """The conditions beside the states of text and pictures, by diffusers' names; None where there are none."""
    from overpaint.engines.diffusion.adapters import without_pictures

    found = without_pictures(given.conditioning)
    return {_ADDED.get(name, name): one for name, one in found if name != "context"} or None


def _states(given: NetworkInput) -> Any:
    """The states that a U-Net's cross-attention reads: the text's, or where a picture acts those of both.

    The latter are for `adapters.PicturedAttention`; diffusers' U-Net passes them on as they are.
    """
    from overpaint.engines.diffusion.adapters import picture_states

    pictures = picture_states(given.conditioning)
    return given.conditioning.context if pictures is None else (given.conditioning.context, *pictures)


def _arguments(
    network: Any, given: NetworkInput
) -> tuple[torch.Tensor, torch.Tensor | None, dict[str, torch.Tensor] | None]:
    """A U-Net's input with its further channels, the embedded guidance scale, and the conditions beside the text."""
    import torch

    from overpaint.engines.diffusion.denoiser import guidance_embedding

    guided = None
    if given.guidance is not None:
        guided = guidance_embedding(given.guidance, network.config.time_cond_proj_dim).to(given.x)
    return given.x if given.extra is None else torch.cat([given.x, given.extra], dim=1), guided, _added(given)


SD1 = UNetFamily("sd1", "Stable Diffusion 1.x", (ClipPart(),), text_width=768)
SD2 = UNetFamily(
    "sd2",
    "Stable Diffusion 2.x",
    (ClipPart(open_clip="cond_stage_model.model.", pad="!"),),
    text_width=1024,
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
    text_width=2048,
    trained_cells=128,
    trained_cells_v=128,
    text_layer=2,
    text_norm=False,
    empty_is_zeros=True,
    sizes=True,
    latents="sdxl",
    aligned=(14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.38, 0.234, 0.113, 0.029),
)
