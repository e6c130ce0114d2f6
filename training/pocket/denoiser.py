"""Stage `denoiser`: the network that fills holes, and the text encoder, trained together on the frozen autoencoder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from . import autoencoder, masks, networks, sampling, scenes, sheets, shelf, start, tokenizer
from .config import Config, DenoiserStage
from .device import attention, mixed, muon, optimiser, pick, ready, set_rate
from .loop import Average, Chance, Keeper, Limits, Log, Progress, run
from .networks import Models
from .pool import Encoded, Pool
from .replay import Replay
from .state import State

STAGE = "denoiser"


def latent_scale(net: Any, photos: shelf.Shelf, size: int, n: int = 64) -> float:
    """1 / deviation of the latents of a fixed choice of photos: AutoencoderTiny's `scaling_factor`."""
    crops = photos.crops(n, size, Generator(photos.device).manual_seed(0)).pictures * 2 - 1
    with torch.no_grad():
        deviation = torch.cat([net.encode(part).latents.float() for part in crops.split(16)]).std()
    return round(float(1 / deviation.clamp_min(1e-4)), 5)


def kept_scale(state: State, net: Any, photos: shelf.Shelf, size: int) -> float:
    """The scale that a training began with, whatever the device that measured it; measured when it begins."""
    if not state.scale.is_file():
        state.scale.write_text(json.dumps({"scaling_factor": latent_scale(net, photos, size)}) + "\n", "utf-8")
    return float(json.loads(state.scale.read_text("utf-8"))["scaling_factor"])


def weight(signal: Tensor, bound: float) -> Tensor:
    """Weights of the v loss, for the signal's share of the variance: (min(snr, bound) + 1) / (snr + 1).

    The plain v loss weighs the error of the picture itself by snr + 1 (Salimans and Ho 2022, section 4). This bounds
    that as min-SNR does (Hang et al. 2023), but keeps the 1: without it nothing is learned where noise is all there
    is, and that is where colour and object are decided.
    """
    return (torch.minimum(signal / (1 - signal), torch.full_like(signal, bound)) + 1) * (1 - signal)


class Trainer:
    """The networks of the stage and one step of their training."""

    def __init__(
        self,
        config: Config,
        photos: shelf.Shelf,
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
            photos: Their device is where it trains.
            frozen: The autoencoder.
            words: The tokenizer.
            scale: Factor on latents.
            seed: Of weights and of all that is drawn.
            fast: Compile the denoiser.
            record: On a GPU, replay steps as CUDA graphs.
        """
        self.config, self.photos, self.device = config, photos, photos.device
        self.settings: DenoiserStage = config.denoiser
        torch.manual_seed(seed)
        self.tokens = tokenizer.Tokens(words)
        self.models = Models(
            encoder=frozen,
            denoiser=ready(networks.denoiser(config.networks), self.device),
            text=ready(networks.text_encoder(config.networks.text, len(words)), self.device),
            scale=scale,
        )
        nets = {"denoiser": self.models.denoiser, "text": self.models.text}
        self._weights = [p for net in nets.values() for p in net.parameters()]
        make = muon if self.settings.optimiser == "muon" else optimiser
        self.optimiser = make(list(nets.values()), self.settings.rate, self.settings.weight_decay, self.device)
        self.average = Average(nets, self.settings.average)
        self.chance = Chance(Generator(self.device).manual_seed(seed))
        self.luck = Chance(Generator().manual_seed(seed))  # on the CPU: to know a size must not wait for a GPU
        self._pools: dict[int, Pool] = {}
        self._gradients = Replay(self._set_gradients, self._weights, record=record and self.device.type == "cuda")
        noise = networks.scheduler(config.networks.noise)
        self._signal = noise.alphas_cumprod.to(self.device)
        self._forward = torch.compile(self.models.denoiser, dynamic=False) if fast else self.models.denoiser

    @property
    def parts(self) -> dict[str, Any]:
        """What is saved."""
        return {
            "denoiser": self.models.denoiser,
            "text": self.models.text,
            "optimiser": self.optimiser,
            "average": self.average,
            "chance": self.chance,
            "luck": self.luck,
        }

    def step(self, factor: float, share: float) -> Mapping[str, Tensor]:
        """One step at `factor` of the rate: scenes, each at `repeats` times of the forward process."""
        own, draw = self.settings, self.chance.generator
        sizes = own.sizes if share >= own.small else (min(own.sizes),)
        size = sizes[int(torch.randint(len(sizes), (), generator=self.luck.generator))]
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
        """Leave gradients on the networks; to figures. `times` and `noise` have a row for each repeat of a scene."""
        own, repeats = self.settings, len(times) // len(clean)
        with mixed(self.device), attention(self.device):
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

    def _drawn(self, size: int) -> tuple[Encoded, int]:
        """The scenes of a step, and how often each is a row: a new batch, or `repeats` times as many from the pool."""
        own, draw = self.settings, self.chance.generator
        if not own.pool:
            return self._encoded(own.batch, size), own.repeats
        if size not in self._pools:
            self._pools[size] = Pool(lambda n: self._encoded(n, size), capacity=own.pool)
        return self._pools[size].draw(own.batch * own.repeats, fresh=own.batch, generator=draw), 1

    def _encoded(self, n: int, size: int) -> Encoded:
        batch = scenes.make(self.photos, self.settings, n, size, self.chance.generator)
        with mixed(self.device):
            clean, known = self.models.encode(batch.pictures), self.models.encode(batch.masked)
        ids = torch.tensor(self.tokens(batch.prompts), device=self.device)
        return Encoded(clean, known, masks.to_latents(batch.holes), ids)

    def _times(self, n: int) -> Tensor:
        """n timesteps, one drawn in each of n equal parts of the process, in random order."""
        draw = self.chance.generator
        within = (torch.arange(n, device=self.device) + torch.rand(n, device=self.device, generator=draw)) / n
        order = torch.randperm(n, device=self.device, generator=draw)
        return (within[order] * len(self._signal)).long().clamp_max(len(self._signal) - 1)

    def sheet(self, path: Path, n: int = 8) -> None:
        """Draw scenes, their holes, and what the averaged weights make of them with and without guidance."""
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
    say: Callable[[str], None],
) -> Progress:
    """Run the stage, or go on with it; `begin` is a folder of finished weights to begin from when there is no state."""
    photos = shelf.load(state.photos, pick(device))
    frozen = autoencoder.averaged(config, state, photos.device)
    if begin is not None and not state.saved(STAGE).is_file():
        start.same_vocabulary(begin, state.tokenizer)
        if start.same_autoencoder(frozen, begin):
            state.scale.write_text(json.dumps({"scaling_factor": start.scale(begin)}) + "\n", "utf-8")
    scale = kept_scale(state, frozen, photos, min(config.denoiser.sizes))
    trainer = Trainer(config, photos, frozen, tokenizer.load(state.tokenizer), scale=scale, fast=fast, record=record)
    keeper = Keeper(state.saved(STAGE), trainer.parts)
    progress = keeper.load(photos.device)
    if progress.step == 0 and begin is not None:
        start.denoiser(trainer.models.denoiser, trainer.models.text, begin)
        nets = {"denoiser": trainer.models.denoiser, "text": trainer.models.text}
        trainer.average = Average(nets, config.denoiser.average)
        keeper = Keeper(keeper.path, trainer.parts)
    count = networks.parameters(frozen, trainer.models.denoiser, trainer.models.text)
    say(f"denoiser: {count:,} parameters with autoencoder and text on {photos.device}, from step {progress.step}")
    return run(
        trainer.step,
        schedule=config.denoiser,
        limits=limits,
        keeper=keeper,
        progress=progress,
        log=Log(state.log(STAGE), say),
        sheet=lambda at: trainer.sheet(state.sheets / f"{STAGE}-{at.step:07d}.png"),
    )
