"""Stage `denoiser`: the network that fills holes, and the text encoder, trained together on the frozen autoencoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from . import autoencoder, dataset, initial_weights, masks, networks, sampling, scenes, sheets, tokenizer
from .config import Config, DenoiserStage
from .device import adamw, choose_device, cpu_attention, mixed_precision, muon_and_adamw, on_device, set_rate
from .loop import GeneratorState, Limits, Log, Progress, StateFile, WeightAverage, run
from .networks import Models
from .pool import EncodedScenes, ScenePool
from .replay import Replay
from .state import State

STAGE = "denoiser"


def latent_scale(net: Any, photos: dataset.PhotoDataset, size: int, n: int = 64) -> float:
    """1 / deviation of the latents of a fixed choice of photos: AutoencoderTiny's `scaling_factor`."""
    crops = photos.crops(n, size, Generator(photos.device).manual_seed(0)).pictures * 2 - 1
    with torch.no_grad():
        deviation = torch.cat([net.encode(part).latents.float() for part in crops.split(16)]).std()
    return round(float(1 / deviation.clamp_min(1e-4)), 5)


def stored_scale(state: State, net: Any, photos: dataset.PhotoDataset, size: int) -> float:
    """The scale stored with the training; it is measured once, so that it does not depend on the device."""
    if not state.scale.is_file():
        state.scale.write_text(json.dumps({"scaling_factor": latent_scale(net, photos, size)}) + "\n", "utf-8")
    return float(json.loads(state.scale.read_text("utf-8"))["scaling_factor"])


def weight(signal: Tensor, bound: float) -> Tensor:
    """Weights of the v loss, for the signal's share of the variance: (min(snr, bound) + 1) / (snr + 1).

    The plain v loss weighs the error of the picture itself by snr + 1 (Salimans and Ho 2022, section 4). This bounds
    that as min-SNR does (Hang et al. 2023), but keeps the 1: without it nothing is learned at pure noise,
    where colour and object are decided.
    """
    return (torch.minimum(signal / (1 - signal), torch.full_like(signal, bound)) + 1) * (1 - signal)


class Trainer:
    """The networks of the stage and one step of their training."""

    def __init__(
        self,
        config: Config,
        photos: dataset.PhotoDataset,
        frozen: Any,
        words: Any,
        *,
        scale: float,
        seed: int = 0,
        fast: bool = False,
        record: bool = True,
    ) -> None:
        """Denoiser and text encoder at random weights.

        Args:
            config: All settings.
            photos: The dataset; its device is the training device.
            frozen: The autoencoder.
            words: The tokenizer.
            scale: Factor on latents.
            seed: Seed of the weights and of all random numbers.
            fast: Compile the denoiser.
            record: On a GPU, replay steps as CUDA graphs.
        """
        self.config, self.photos, self.device = config, photos, photos.device
        self.settings: DenoiserStage = config.denoiser
        torch.manual_seed(seed)
        self.tokens = tokenizer.Tokens(words)
        self.models = Models(
            encoder=frozen,
            denoiser=on_device(networks.denoiser(config.networks), self.device),
            text=on_device(networks.text_encoder(config.networks.text, len(words)), self.device),
            scale=scale,
        )
        nets = {"denoiser": self.models.denoiser, "text": self.models.text}
        self._weights = [p for net in nets.values() for p in net.parameters()]
        make = muon_and_adamw if self.settings.optimiser == "muon" else adamw
        self.optimiser = make(list(nets.values()), self.settings.rate, self.settings.weight_decay, self.device)
        self.average = WeightAverage(nets, self.settings.average)
        self.random = GeneratorState(Generator(self.device).manual_seed(seed))
        self.size_random = GeneratorState(Generator().manual_seed(seed))  # on the CPU: sizes must not wait for a GPU
        self._pools: dict[int, ScenePool] = {}
        self._gradients = Replay(self._set_gradients, self._weights, record=record and self.device.type == "cuda")
        noise = networks.scheduler(config.networks.noise)
        self._signal = noise.alphas_cumprod.to(self.device)
        self._forward = torch.compile(self.models.denoiser, dynamic=False) if fast else self.models.denoiser

    @property
    def parts(self) -> dict[str, Any]:
        """The parts of the saved state, by the names in its file."""
        return {
            "denoiser": self.models.denoiser,
            "text": self.models.text,
            "optimiser": self.optimiser,
            "average": self.average,
            "chance": self.random,
            "luck": self.size_random,
        }

    def step(self, factor: float, share: float) -> Mapping[str, Tensor]:
        """One step at `factor` of the rate: scenes, each at `repeats` times of the forward process."""
        own, draw = self.settings, self.random.generator
        sizes = own.sizes if share >= own.small else (min(own.sizes),)
        size = sizes[int(torch.randint(len(sizes), (), generator=self.size_random.generator))]
        batch, repeats = self._drawn(size)
        rows = len(batch) * repeats
        noise = torch.randn(rows, *batch.clean.shape[1:], device=self.device, generator=draw)
        figures = self._gradients(batch.clean, batch.known, batch.hole, batch.ids, self._times(rows), noise)
        torch.nn.utils.clip_grad_norm_(self._weights, own.clip)
        set_rate(self.optimiser, own.rate * factor)
        self.optimiser.step()
        self.average.update()
        return figures

    def _set_gradients(
        self, clean: Tensor, known: Tensor, hole: Tensor, ids: Tensor, times: Tensor, noise: Tensor
    ) -> Mapping[str, Tensor]:
        """Set gradients of the networks; returns figures. `times` and `noise` have a row for each repeat of a scene."""
        own, repeats = self.settings, len(times) // len(clean)
        with mixed_precision(self.device), cpu_attention(self.device):
            states = self.models.text(ids).last_hidden_state
            if repeats > 1:
                clean, known, hole, states = (x.repeat_interleave(repeats, 0) for x in (clean, known, hole, states))
            signal = self._signal[times].view(-1, 1, 1, 1)
            noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
            wanted = signal.sqrt() * noise - (1 - signal).sqrt() * clean
            given = torch.cat((noisy, hole, known), 1).contiguous(memory_format=torch.channels_last)
            made = self._forward(given, times, encoder_hidden_states=states, return_dict=False)[0].float()
        error = (made - wanted).square().mean(1, keepdim=True)
        where = own.outside + (1 - own.outside) * hole
        each = (error * where).flatten(1).sum(1) / where.flatten(1).sum(1)
        loss = (each * weight(signal.flatten(), own.snr)).mean()
        loss.backward()
        return {"loss": loss.detach(), "v": each.detach().mean()}

    def _drawn(self, size: int) -> tuple[EncodedScenes, int]:
        """The scenes of a step, and the rows of each: a new batch, or `repeats` times as many from the pool."""
        own, draw = self.settings, self.random.generator
        if not own.pool:
            return self._encoded(own.batch, size), own.repeats
        if size not in self._pools:
            self._pools[size] = ScenePool(lambda n: self._encoded(n, size), capacity=own.pool)
        return self._pools[size].draw(own.batch * own.repeats, fresh=own.batch, generator=draw), 1

    def _encoded(self, n: int, size: int) -> EncodedScenes:
        batch = scenes.make(self.photos, self.settings, n, size, self.random.generator)
        with mixed_precision(self.device):
            clean, known = self.models.encode(batch.pictures), self.models.encode(batch.masked)
        ids = torch.tensor(self.tokens(batch.prompts), device=self.device)
        return EncodedScenes(clean, known, masks.to_latents(batch.holes), ids)

    def _times(self, n: int) -> Tensor:
        """n timesteps, one drawn in each of n equal parts of the process, in random order."""
        draw = self.random.generator
        within = (torch.arange(n, device=self.device) + torch.rand(n, device=self.device, generator=draw)) / n
        order = torch.randperm(n, device=self.device, generator=draw)
        return (within[order] * len(self._signal)).long().clamp_max(len(self._signal) - 1)

    def sheet(self, path: Path, n: int = 8) -> None:
        """Draw scenes, their holes, and fills by the averaged weights with and without guidance."""
        size = min(self.config.networks.size, self.photos.smallest_side // 8 * 8)
        batch = scenes.make(self.photos, self.settings, n, size, Generator(self.device).manual_seed(2))
        with self.average.swapped():
            made = [
                sampling.fill(self.models, self.config.networks.noise, self.tokens, batch, guidance=guidance)
                for guidance in (1.0, 4.0)
            ]
        sheets.draw(path, [batch.pictures, batch.masked, *made], batch.prompts)


def train(
    config: Config,
    state: State,
    *,
    device: str,
    limits: Limits,
    begin: Path | None,
    fast: bool,
    record: bool,
    report: Callable[[str], None],
) -> Progress:
    """Run or continue the stage; `begin` is a checkpoint folder whose weights start it when there is no state."""
    photos = dataset.load(state.photos, choose_device(device))
    frozen = autoencoder.averaged(config, state, photos.device)
    if begin is not None and not state.saved(STAGE).is_file():
        initial_weights.require_same_vocabulary(begin, state.tokenizer)
        if initial_weights.has_same_autoencoder(frozen, begin):
            state.scale.write_text(json.dumps({"scaling_factor": initial_weights.latent_scale(begin)}) + "\n", "utf-8")
    scale = stored_scale(state, frozen, photos, min(config.denoiser.sizes))
    trainer = Trainer(config, photos, frozen, tokenizer.load(state.tokenizer), scale=scale, fast=fast, record=record)
    state_file = StateFile(state.saved(STAGE), trainer.parts)
    progress = state_file.load(photos.device)
    if progress.step == 0 and begin is not None:
        initial_weights.fill_denoiser(trainer.models.denoiser, trainer.models.text, begin)
        nets = {"denoiser": trainer.models.denoiser, "text": trainer.models.text}
        trainer.average = WeightAverage(nets, config.denoiser.average)
        state_file = StateFile(state_file.path, trainer.parts)
    count = networks.parameters(frozen, trainer.models.denoiser, trainer.models.text)
    report(f"denoiser: {count:,} parameters with autoencoder and text on {photos.device}, from step {progress.step}")
    return run(
        trainer.step,
        schedule=config.denoiser,
        limits=limits,
        state_file=state_file,
        progress=progress,
        log=Log(state.log(STAGE), report),
        sheet=lambda at: trainer.sheet(state.sheets / f"{STAGE}-{at.step:07d}.png"),
    )
