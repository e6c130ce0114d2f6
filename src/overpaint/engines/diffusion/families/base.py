"""The interface of a family of models. Importing it loads no network library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Size
from overpaint.models import Kind, ModelRef, ReferenceRefs, TensorTable
from overpaint.request import Usual

if TYPE_CHECKING:
    import torch

    from overpaint.engines.diffusion.adapters import Adapter
    from overpaint.engines.diffusion.controls import ControlNetwork
    from overpaint.engines.diffusion.inversion import Inversion
    from overpaint.engines.diffusion.schedule import Training
    from overpaint.engines.diffusion.text_plan import TextSettings
    from overpaint.engines.diffusion.values import Conditioning, LoadedModel, NetworkInput
    from overpaint.prompt import Prompt
    from overpaint.prompt.chunks import PromptTokenizer

Pixels = NDArray[np.float32]


class TextEncoding(Protocol):
    """The text encoders of a model, with the LoRAs of one prompt in them."""

    def plan(
        self, prompt: Prompt, negative: Prompt | None, settings: TextSettings, inversions: Sequence[Inversion]
    ) -> tuple[Any, Any]:
        """Read both texts; no network runs.

        Args:
            prompt: What to paint.
            negative: What not to paint; None: no negative prompt was given.
            settings: How texts are read.
            inversions: Textual inversions that may occur in the texts.

        Returns:
            The jobs of prompt and negative prompt, with equally many tokens where the network needs that. Each has a
            hashable `key`: encoded texts are cached by it, and equal keys mean equal states.

        Raises:
            RequestError: A text or setting that these encoders can't take.
        """

    def encode(self, job: Any) -> Conditioning:
        """Run the encoders for one job."""

    def widened(self) -> TextEncoding | None:
        """The same in single precision; None where they are in it already."""


class Family(ABC):
    """A family of models: one object in one file.

    Latents are (1, C, h, w) float32 throughout the engine, one cell for `cell` x `cell` pixels. A family whose network
    takes packed tokens packs them in `predict`, and unpacks its output there.

    Attributes:
        name: Stable name, as files, records and LoRAs have it.
        title: Name for people.
        cell: Pixels on the side of a latent cell.
        multiple: Pixels that the sides of a canvas must be multiples of: `cell`, or more where cells are packed.
        text_width: Width of the text states that the network reads, which shows for which family a LoRA or a textual
            inversion was made; None: it shows none.
        dialects: Names of the dialects that this family can be sampled in.
        takes_controls: Whether ControlNets and reference pictures can guide its networks; then it has `load_control`,
            `control`, `load_adapter` and `adapted`.
        aligned: Descending noise levels that were published as best for it (Align Your Steps); () for none.
    """

    name: str
    title: str
    cell: int = 8
    multiple: int = 8
    text_width: int | None = None
    dialects: tuple[str, ...] = ("native",)
    takes_controls: bool = False
    aligned: tuple[float, ...] = ()

    # ---- files

    def recognise(self, path: Path, table: TensorTable | None) -> Kind | None:
        """The kind of a file (with its table of tensors) or folder (None), if it belongs to this family."""
        return None

    def import_networks(self) -> None:  # noqa: B027 - a family without such libraries has nothing to do
        """Import the libraries that `load` needs. It takes most of a second, which a refused request is spared."""

    @abstractmethod
    def load(self, ref: ModelRef, dtype: torch.dtype) -> LoadedModel:
        """The networks of a model, on the CPU. Nothing is downloaded.

        Raises:
            ModelError: Files that are missing, damaged or of another kind.
        """

    def weight_bytes(self, ref: ModelRef, dtype: torch.dtype, holds: Callable[[str], bool]) -> int:
        """Memory in bytes that `load` will need for weights; 0 where that is not known beforehand.

        Args:
            ref: The model.
            dtype: See `load`.
            holds: Whether a network of these weights, by digest, is in memory already.
        """
        return 0

    def empty(self, ref: ModelRef, dtype: torch.dtype) -> LoadedModel | None:
        """The networks of a model without memory (on torch's meta device), by its configurations; None: unknown.

        Args:
            ref: The model.
            dtype: See `load`.

        Raises:
            ModelError: Configurations are missing or damaged.
        """
        return None

    @abstractmethod
    def native_size(self, ref: ModelRef) -> int:
        """Side in pixels of the pictures that the model was trained on; reads configurations only."""

    def width(self, ref: ModelRef) -> int:
        """Channels of the network's first level; reads configurations only. Decides about dtype and threads."""
        return 1024

    def published(self, ref: ModelRef) -> bool:
        """Whether the network has the sizes of its family's releases, for which others make what goes with them."""
        return True

    def usual(self, ref: ModelRef) -> Usual:
        """The settings that this kind of model was made for; None for those that have Overpaint's defaults."""
        return Usual()

    # ---- latents

    def encode(self, vae: Any, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Latents of pictures (1, 3, H, W) in [-1, 1]: mean and, where the autoencoder has one, deviation.

        Both (1, C, h, w) float32, shifted and scaled as the network takes them.
        """
        shift, factor = _scaling(vae)
        found = vae.encode(x.to(vae.dtype))
        if not hasattr(found, "latent_dist"):
            return ((found.latents.float() - shift) * factor,)
        return (found.latent_dist.mean.float() - shift) * factor, found.latent_dist.std.float() * factor

    def decode(self, vae: Any, z: torch.Tensor) -> torch.Tensor:
        """Pictures (1, 3, H, W) float32 of latents, scaled as `encode` gives them."""
        shift, factor = _scaling(vae)
        decoded: torch.Tensor = vae.decode((z / factor + shift).to(vae.dtype)).sample.float()
        return decoded

    def extra_input(
        self, pixels: Pixels, hole: NDArray[np.bool_], cells: torch.Tensor, encode: Callable[[Pixels], torch.Tensor]
    ) -> torch.Tensor | None:
        """Further input of a model made for inpainting or editing: mask, masked picture, reference picture.

        Args:
            pixels: (H, W, 3) in [0, 1].
            hole: (H, W), true where it is repainted.
            cells: (1, 1, h, w) float32, the hole on the grid of latents: 0 or 1.
            encode: Latents (1, C, h, w) of a picture (H, W, 3).

        Returns:
            (1, E, h, w) float32, which `predict` receives unchanged; None for no further input.
        """
        return None

    # ---- text

    @abstractmethod
    def text_encoding(self, model: LoadedModel, encoders: tuple[Any, ...], digest: str) -> TextEncoding:
        """The text encoders of a model, ready for use.

        Args:
            model: With its tokenizers.
            encoders: The model's text encoders, or copies with LoRAs in them.
            digest: Of the weights of `encoders`.
        """

    def tokenizers(self, ref: ModelRef) -> tuple[PromptTokenizer, ...]:
        """The tokenizers of the text encoders; () for a family that takes no textual inversions."""
        return ()

    def embedding_widths(self, ref: ModelRef) -> tuple[tuple[str, int], ...]:
        """(slot, width) of the vectors of a textual inversion that fits, sorted, as `Kind.vectors`; () for none."""
        return ()

    def size_conditions(self, size: Size, device: torch.device) -> Mapping[str, torch.Tensor]:
        """Conditions that follow from the size of the canvas; joined to those of the texts."""
        return {}

    # ---- network

    def training(self, config: Mapping[str, Any], size: Size) -> Training:
        """The noise levels that the network was trained on, by its scheduler's config."""
        from overpaint.engines.diffusion.schedule import Training

        return replace(Training.of(config), aligned=self.aligned)

    def embeds_guidance(self, network: Any) -> bool:
        """Whether the guidance scale is an input of the network, so that the prompt's row is enough."""
        return False

    def text_free_layers(self, network: Any) -> tuple[torch.nn.Module, ...]:
        """Layers before the first one that reads the text. They run once for rows that are equal up to there."""
        return ()

    @abstractmethod
    def predict(self, network: Any, given: NetworkInput) -> torch.Tensor:
        """Call the network.

        Args:
            network: In evaluation mode.
            given: x in the network's type and scaled as it was trained to see it; conditions and further input in its
                type; guidance scales where `embeds_guidance`.

        Returns:
            (B, C, h, w), of the kind that the model's `prediction` names.
        """

    # ---- controls

    def load_control(self, ref: ModelRef, model: ModelRef, dtype: torch.dtype) -> ControlNetwork:
        """The ControlNet of a control, on the CPU, where the family `takes_controls`. Nothing is downloaded.

        Args:
            ref: Of this family.
            model: The checkpoint that it guides.
            dtype: Of the network.

        Raises:
            ModelError: Files that are missing, damaged or of another kind.
        """
        raise NotImplementedError

    def check_control(self, ref: ModelRef, model: ModelRef) -> None:  # noqa: B027 - it may be that all fit
        """Check from a ControlNet's header that it fits a checkpoint; see `load_control`.

        Raises:
            ModelError: It was made for networks of other sizes.
        """

    def control_bytes(self, ref: ModelRef, dtype: torch.dtype, holds: Callable[[str], bool]) -> int:
        """Memory in bytes that `load_control` will need; see `weight_bytes`."""
        return 0

    def control(
        self, network: ControlNetwork, given: NetworkInput, hints: torch.Tensor, numbers: Sequence[int]
    ) -> tuple[torch.Tensor, ...]:
        """Call a ControlNet.

        Args:
            network: The ControlNet.
            given: x, times and conditions as `predict` receives them.
            hints: (B, 3, H, W) control images in the network's type.
            numbers: Of the B images' kinds, for a union ControlNet.

        Returns:
            What it adds, (B, C, h, w) each, as `NetworkInput.residuals` has it.
        """
        raise NotImplementedError

    def load_adapter(self, refs: ReferenceRefs, dtype: torch.dtype) -> Adapter:
        """The IP-Adapter of a reference picture with its encoder, on the CPU. Nothing is downloaded.

        Args:
            refs: The adapter, of this family, and the encoder.
            dtype: Of their networks.

        Raises:
            ModelError: Files that are missing, damaged or of another kind.
        """
        raise NotImplementedError

    def check_adapter(self, ref: ModelRef, model: ModelRef) -> None:  # noqa: B027 - it may be that all fit
        """Check from an IP-Adapter's header that it fits a checkpoint. ModelError as of `check_control`."""

    def adapter_bytes(self, refs: ReferenceRefs, dtype: torch.dtype, holds: Callable[[str], bool]) -> int:
        """Memory in bytes that `load_adapter` will need; see `weight_bytes`."""
        return 0

    def adapted(self, network: Any, adapters: Sequence[Adapter]) -> Any:
        """A copy of the network that reads a reference picture through each adapter; its own weights are shared.

        Raises:
            ModelError: An adapter was made for a network of other sizes.
        """
        raise NotImplementedError

    # ---- deep features

    def example_input(self, network: Any, size: Size, rows: int) -> NetworkInput | None:
        """An input of `predict` without numbers (on torch's meta device), by which memory is counted; None: unknown.

        Args:
            network: See `predict`.
            size: Of the canvas.
            rows: B.
        """
        return None

    def layer_count(self, network: Any) -> int:
        """How many layers on the way in have one on the way out that takes their output; 0 for other architectures.

        Where it is 0, no deep features can be kept (`deep_features`).
        """
        return 0

    def predict_outer(
        self, network: Any, given: NetworkInput, depth: int, deep: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Call the outer layers of a network that has a `layer_count`.

        Args:
            network: See `predict`.
            given: See `predict`.
            depth: How many layers on the way in are outer ones, below `layer_count`.
            deep: The deep features of an earlier call, (B, C, h, w); None: the whole network runs.

        Returns:
            What `predict` returns, and the deep features.
        """
        raise NotImplementedError(f"{self.title} has no deep features")

    # ---- LoRA

    def original_layer_names(self, network: Any, modules: Sequence[str]) -> Iterator[tuple[str, str]]:
        """(name of a module of `network`, its name in the original release), where LoRAs use the latter."""
        return iter(())


def _scaling(vae: Any) -> tuple[float, float]:
    return float(getattr(vae.config, "shift_factor", None) or 0.0), float(vae.config.scaling_factor)
