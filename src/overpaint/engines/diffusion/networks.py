"""A loaded model on its device: encoding, decoding, conditioning and denoising, with LoRAs and caches.

A network whose half precision gives NaN or infinity works in single precision instead.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from overpaint.engines.base import Canvas, ControlImage
from overpaint.engines.weight_store import call_lock
from overpaint.errors import concerning
from overpaint.models import ModelRef, digest
from overpaint.prompt import Prompt

from .adapters import Adapter, ReferencePicture, encoded_tokens
from .back_ends import BackEnd, BackEndName, Compiled
from .caches import ByteCache, bytes_of
from .control_networks import KeptGuides
from .copies import copy_with
from .denoiser import NetworkDenoiser
from .devices import memory_left
from .families import TextEncoding
from .fp8_weights import Fp8Layer, with_fp8_weights
from .inversion import Inversion
from .lora import LoraUse, Merged, merge, read_lora
from .memory_plan import SPARE
from .mixing import mixtures, shares
from .options import DiffusionOptions
from .placement import Placement, Stage, bring
from .settings import PaintSettings
from .start import Moments, Pixels
from .text_plan import TEXTS, CanvasTexts, unread, unread_words
from .used import embeddings_of, inversions_of, loras_of
from .vae_strips import in_strips, strip_bytes
from .values import Conditioning, LoadedModel, NotFiniteError, Timeline

TILED_ABOVE = 1024 * 1024
"""Pixels above which an autoencoder works in strips: as a whole it needs several kilobytes of memory a pixel."""

BACK_ENDS = 2
"""Networks whose compiled programs are kept: each may take as much memory as the network again."""

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class PromptNetworks:
    """The networks for one prompt: the model's own, or copies with LoRAs in them.

    Attributes:
        merged: The network that predicts, and the text encoders.
        texts: The texts over the steps.
        inversions: Textual inversions in the texts.
        ignored: A note for each textual inversion that can't be used.
    """

    merged: Merged
    texts: CanvasTexts
    inversions: tuple[Inversion, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Parts of the texts and of the LoRAs that were not used, for people."""
        return self.texts.notes + self.merged.notes + self.ignored


class Networks:
    """One model on one device. Not thread-safe."""

    def __init__(
        self,
        loaded: LoadedModel,
        ref: ModelRef,
        device: torch.device,
        *,
        placement: Placement | None = None,
        original: Callable[[], Any] | None = None,
        guides: KeptGuides | None = None,
    ) -> None:
        """Take a model, and move it to the device.

        Args:
            loaded: The model, on the CPU.
            ref: Where it was loaded from.
            device: Where it calculates.
            placement: Where its networks take turns on the device; None: all of them are there.
            original: Loads the network that predicts with its weights as published, where those of `loaded` are in
                eight bits: LoRAs are merged into these.
            guides: Its ControlNets and IP-Adapters, where some were loaded already.
        """
        if placement is not None:  # another engine may have these networks on the device as a whole
            loaded = replace(
                loaded,
                network=_on_cpu(loaded.network),
                vae=_on_cpu(loaded.vae),
                text_encoders=tuple(map(_on_cpu, loaded.text_encoders)),
            )
        self.loaded = loaded
        self.ref = ref
        self.device = device
        self.placement = placement
        self._original = original
        self.home = device if placement is None else torch.device("cpu")
        for network in (loaded.network, loaded.vae):
            # Convolutions and group norms like channels last: 10 % of the VAE's time on a CPU.
            network.to(self.home, memory_format=torch.channels_last)
        for encoder in loaded.text_encoders:
            encoder.to(self.home)
        self.guides = guides or KeptGuides(loaded.family, ref, loaded.network.dtype)
        self.guides.move(self.home)
        self._back_ends: dict[tuple[BackEndName, str], BackEnd] = {}
        self._wide: dict[str, tuple[str, Any]] = {}
        self._repeated: list[str] = []
        self._texts: ByteCache[Conditioning] = ByteCache(64 * _MIB, lambda c: bytes_of(*c.tensors.values()))
        self._pictures: ByteCache[Moments] = ByteCache(64 * _MIB, lambda m: bytes_of(m.mean, m.deviation))
        self._merged: ByteCache[Merged] = ByteCache(2048 * _MIB, lambda merged: merged.bytes)
        self._tokens: ByteCache[tuple[torch.Tensor, ...]] = ByteCache(16 * _MIB, lambda tokens: bytes_of(*tokens))

    def encode(self, pixels: Pixels) -> Moments:
        """The latents of a picture (H, W, 3) in [0, 1]; cached by content."""
        key = hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest(), pixels.shape
        return self._pictures.get(key, lambda: self._encoded(pixels))

    def _encoded(self, pixels: Pixels) -> Moments:
        x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(self.device) * 2 - 1
        family, area = self.loaded.family, pixels.shape[0] * pixels.shape[1]
        return Moments(*self._with_vae(lambda vae: family.encode(vae, x), area, "the VAE's encoder"))

    def decode(self, latents: torch.Tensor) -> Pixels:
        """The picture (H, W, 3) in [0, 1] of latents (1, C, h, w), scaled as `encode` gives them."""
        family = self.loaded.family
        area = latents.shape[2] * latents.shape[3] * family.cell**2
        (x,) = self._with_vae(lambda vae: (family.decode(vae, latents),), area, "the VAE's decoder")
        pixels = (x[0] / 2 + 0.5).clamp(0, 1).permute(1, 2, 0)
        return np.ascontiguousarray(pixels.cpu().numpy(), dtype=np.float32)

    def _with_vae(
        self, work: Callable[[Any], tuple[torch.Tensor, ...]], area: int, title: str
    ) -> tuple[torch.Tensor, ...]:
        """`work` on so many pixels; repeated in single precision where it gives NaN or infinity."""

        large = area > TILED_ABOVE or self.placement is not None

        def call(vae: Any) -> tuple[torch.Tensor, ...]:
            vae = self._as_called(vae, "vae")
            with call_lock(vae), torch.inference_mode():
                bring(vae)
                if large and (strips := in_strips(vae, keep=self._kept_on(vae, area))) is not None:
                    return work(strips)
                (vae.enable_tiling if large else vae.disable_tiling)()
                return work(vae)

        found = call(self.loaded.vae)
        if not _finite(*found) and self.loaded.vae.dtype != torch.float32:
            found = call(self._in_single_precision("vae", "", self.loaded.vae))
            self._repeated.append(title)
        if not _finite(*found):
            raise NotFiniteError(f"{title} gave numbers that are not finite, in single precision too")
        return found

    def _kept_on(self, vae: Any, area: int) -> torch.device | None:
        """Where strips keep the features of a layer: on the CPU, where a GPU has no room for them."""
        if self.device.type == "cpu" or (free := memory_left(self.device)) is None:
            return None
        return torch.device("cpu") if strip_bytes(vae, area) > free * (1 - SPARE) else None

    def _as_called(self, network: Any, stage: Stage) -> Any:
        """The network itself, or its twin where networks take turns."""
        return network if self.placement is None else self.placement.twin(network, stage)

    def _in_single_precision(self, part: str, key: str, network: Any) -> Any:
        """A copy of a network; the latest one of each part is kept."""
        if part not in self._wide or self._wide[part][0] != key:
            self._wide[part] = key, copy.deepcopy(network).float()
        return self._wide[part][1]

    def prompt_networks(self, settings: PaintSettings, adapters: Sequence[Adapter] = ()) -> PromptNetworks:
        """Parse the texts, and merge the LoRAs of their tags into the networks.

        Args:
            settings: With the texts.
            adapters: For each reference picture the one that reads it; the network gets their layers.

        Raises:
            RequestError: A prompt that can't be read, or tags that can't be used.
            ModelError: A LoRA that is missing, or not for this model; an adapter for a network of other sizes.
        """
        given = CanvasTexts.read(settings.sampling, settings.text)
        model, tags, texts = self.loaded, given.networks, given.texts
        paths = tuple(one.path for one in loras_of(given, self.ref))
        taken, ignored = embeddings_of(texts, self.ref)
        inversions = inversions_of(taken, texts, self.ref)
        ignored += [
            f"the textual inversion {name!r} stands beyond the part of the prompt that is read: it had no effect"
            for name in unread([*texts[0], *texts[1]], model.tokenizers, inversions, settings.text)
        ]
        for title, text in given.named.items():
            if words := unread_words(text.prompts[0], model.tokenizers, inversions, settings.text):
                ignored.append(f"{title}: {words}")

        def merged() -> Merged:
            with concerning(TEXTS[0]):
                uses = [
                    LoraUse(read_lora(path, one.name, allow_pickle=self.ref.allow_pickle), one.unet, one.te, one.dyn)
                    for path, one in zip(paths, tags, strict=True)
                ]
                return self.merged(uses)

        key = (tags, *map(digest, paths))
        found = self._merged.get(key, merged)
        if adapters:
            plain, keys = found, tuple(one.key for one in adapters)
            found = self._merged.get((key, keys), lambda: self._adapted(plain, adapters))
        return PromptNetworks(found, given, inversions, tuple(ignored))

    def _adapted(self, merged: Merged, adapters: Sequence[Adapter]) -> Merged:
        """The networks with adapters for reference pictures."""
        keys = [one.key for one in adapters]
        layers = {one.key: bytes_of(*one.layers.parameters()) for one in adapters}
        return replace(
            merged,
            unet=self.loaded.family.adapted(merged.unet, adapters),
            unet_digest=hashlib.sha256(repr((merged.unet_digest, keys)).encode()).hexdigest(),
            bytes=merged.bytes + sum(layers.values()),
        )

    def picture(self, adapter: Adapter, image: ControlImage) -> ReferencePicture:
        """A reference picture as the network reads it; cached by content.

        Raises:
            NotFiniteError: The encoder gives NaN or infinity, in single precision too.
        """
        pixels = np.ascontiguousarray(image.pixels)
        key = adapter.key, hashlib.sha256(pixels.tobytes()).hexdigest(), pixels.shape

        def call(one: Adapter) -> tuple[torch.Tensor, ...]:
            encoder, projection = (self._as_called(part, "picture") for part in (one.encoder, one.projection))
            bring(encoder, projection)
            return encoded_tokens(replace(one, encoder=encoder, projection=projection), image)

        def encoded() -> tuple[torch.Tensor, ...]:
            found = call(adapter)
            if not _finite(*found) and adapter.encoder.dtype != torch.float32:
                found = call(adapter.widened())
                self._repeated.append("the picture encoder")
            if not _finite(*found):
                raise NotFiniteError(f"the picture encoder of {adapter.name} gave numbers that are not finite")
            return found

        tokens, none = self._tokens.get(key, encoded)
        return ReferencePicture(tokens, none, image.control)

    def merged(self, uses: Sequence[LoraUse]) -> Merged:
        """The networks with LoRAs in them.

        They are merged before weights go to eight bits, which would round small changes away.
        """
        model = self.loaded
        changes = self._original is not None and any(one.unet != 0 for one in uses)
        base = self._original() if changes and self._original is not None else model.network
        merged = merge(base, model.text_encoders, model.digest, uses, model.family)
        if not changes:
            return merged
        unet = with_fp8_weights(merged.unet).to(self.home, memory_format=torch.channels_last)
        return replace(merged, unet=unet, bytes=merged.bytes + bytes_of(*unet.parameters()))

    def conditionings(
        self, chosen: PromptNetworks, settings: PaintSettings, canvas: Canvas
    ) -> tuple[Timeline, Timeline]:
        """Prompt and negative prompt over the steps; the text encoders run once for each text that is not cached."""
        model, merged = self.loaded, chosen.merged
        encoders = tuple(self._as_called(one, "text") for one in merged.text_encoders)
        texts = model.family.text_encoding(model, encoders, merged.text_digest)
        home = model.family.text_encoding(model, merged.text_encoders, merged.text_digest)
        sizes = model.family.size_conditions(canvas.size, self.device)

        made: dict[Hashable, Conditioning] = {}  # equal texts are one object

        def conditioning(job: Any) -> Conditioning:
            if job.key not in made:
                if job.key not in self._texts:
                    bring(*encoders)
                made[job.key] = self.encoded(texts, job, home).joined(sizes)
            return made[job.key]

        def pair(prompt: Prompt, negative: Prompt | None) -> tuple[Conditioning, Conditioning]:
            jobs = texts.plan(prompt, negative, settings.text, chosen.inversions)
            return conditioning(jobs[0]), conditioning(jobs[1])

        regional = settings.sampling.regional_prompts
        height, width = (side // model.family.cell for side in canvas.size.shape)
        masks = [torch.tensor(one) for one in canvas.prompt_masks]
        divided = shares(masks, [one.weight for one in regional], height, width)
        entries = [
            (step + settings.text.delay if step else 0, *mixtures(chosen.texts, divided, step, pair, self.device))
            for step in chosen.texts.changes
        ]
        return (
            Timeline(tuple((step, mixture) for step, mixture, _ in entries)),
            Timeline(tuple((step, negative) for step, _, negative in entries)),
        )

    def encoded(self, texts: TextEncoding, job: Any, home: TextEncoding | None = None) -> Conditioning:
        """The states of one text; cached by what they depend on. `home`: the encoders that are copied at need."""
        return self._texts.get(job.key, lambda: self._text(texts, job, home or texts))

    def _text(self, texts: TextEncoding, job: Any, home: TextEncoding) -> Conditioning:
        found = texts.encode(job)
        wide = None if _finite(*found.tensors.values()) else home.widened()
        if wide is not None:
            found = wide.encode(job).map(lambda one: one.to(self.device))
            self._repeated.append("the text encoder")
        if not _finite(*found.tensors.values()):
            raise NotFiniteError("the text encoder gave numbers that are not finite, in single precision too")
        return found

    def denoiser(
        self, chosen: PromptNetworks, *, exact: bool, wide: bool = False, back_end: BackEndName = "eager"
    ) -> NetworkDenoiser:
        """The denoiser of a prompt's network, in single precision with `wide`.

        Raises:
            MissingExtraError: The back end is not installed.
        """
        unet, key = chosen.merged.unet, chosen.merged.unet_digest
        if wide and unet.dtype != torch.float32:
            unet = self._in_single_precision("unet", key, unet)
        unet = self._as_called(unet, "network")
        if self.placement is not None:
            back_end = "eager"  # weights that come and go are no part of a compiled program
        return NetworkDenoiser(
            self.loaded.family,
            unet,
            prediction=self.loaded.prediction,
            key=(key, str(unet.dtype)),
            exact=exact,
            back_end=self._back_end(back_end, unet, f"{key} {unet.dtype}"),
        )

    def _back_end(self, name: BackEndName, unet: Any, key: str) -> BackEnd | None:
        """A back end with its programs, which are kept for later canvases; those of the last few networks are."""
        if name == "eager":
            return None
        if (found := self._back_ends.pop((name, key), None)) is None:
            if name == "compile":
                found = Compiled(self.loaded.family, unet)
            else:
                from .openvino_programs import OpenVino

                found = OpenVino(self.loaded.family, unet, key)
        self._back_ends[name, key] = found
        while len(self._back_ends) > BACK_ENDS:
            self._back_ends.pop(next(iter(self._back_ends)))
        return found

    def repeated(self) -> tuple[str, ...]:
        """The parts that ran again in single precision since the last call of this method."""
        found, self._repeated = tuple(self._repeated), []
        return found

    def notes_of(self, options: DiffusionOptions) -> tuple[str, ...]:
        """Options of memory that have no effect here, for people."""
        found = []
        if options.memory not in (None, "auto") and self.device.type == "cpu":
            found.append("the option memory has no effect on a CPU, whose memory holds the weights in any case")
        if options.weights == "fp8" and not any(isinstance(one, Fp8Layer) for one in self.loaded.network.modules()):
            found.append("the option weights had no effect: the network has no blocks whose weights are known")
        if self.placement is not None and options.backend != "eager":
            found.append(f"the option backend had no effect: networks take turns on {self.device}")
        return tuple(found)

    @property
    def half(self) -> bool:
        """Whether the network works in less than single precision, so that single precision may help."""
        return bool(self.loaded.network.dtype != torch.float32)


def _on_cpu(network: Any) -> Any:
    """The network itself where it is on the CPU, else a copy there."""
    if next(network.parameters()).device.type == "cpu":
        return network
    return copy_with(network, lambda one: one.cpu())


def _finite(*tensors: torch.Tensor | None) -> bool:
    return all(bool(torch.isfinite(one).all()) for one in tensors if one is not None)
