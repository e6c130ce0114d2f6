"""Stage `autoencoder`: pictures to latents and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from . import losses, networks, sheets, shelf, start
from .config import AutoencoderStage, Config
from .device import mixed, optimiser, pick, ready, set_rate
from .loop import Average, Chance, Keeper, Limits, Log, Progress, run
from .state import State

STAGE = "autoencoder"


class Trainer:
    """The networks of the stage and one step of their training."""

    def __init__(
        self, config: Config, photos: shelf.Shelf, *, features: Path, seed: int = 0, fast: bool = False
    ) -> None:
        """Networks at their first weights, on the device that the photos lie on."""
        self.settings: AutoencoderStage = config.autoencoder
        self.photos, self.device = photos, photos.device
        torch.manual_seed(seed)
        self.net = ready(networks.autoencoder(config.networks.autoencoder), self.device)
        some = photos.crops(16, min(config.autoencoder.crops), Generator(self.device).manual_seed(seed)).pictures
        networks.balance(self.net, some * 2 - 1)
        self.critic = ready(losses.critic(), self.device)
        self.optimiser = optimiser([self.net], self.settings.rate, self.settings.weight_decay, self.device)
        self.critic_optimiser = optimiser([self.critic], self.settings.adversarial_rate, 0.0, self.device)
        self.average = Average({"net": self.net}, self.settings.average)
        self.chance = Chance(Generator(self.device).manual_seed(seed))
        self.distance = losses.feature_loss(features, self.device) if self.settings.features else None
        self._encode, self._decode = self.net.encoder, self.net.decoder
        if fast:
            self._encode, self._decode = (torch.compile(part, dynamic=False) for part in (self._encode, self._decode))

    @property
    def parts(self) -> dict[str, Any]:
        """What is saved."""
        return {
            "net": self.net,
            "critic": self.critic,
            "optimiser": self.optimiser,
            "critic_optimiser": self.critic_optimiser,
            "average": self.average,
            "chance": self.chance,
        }

    def step(self, factor: float, share: float) -> Mapping[str, Tensor]:
        """One step at `factor` of the rate, with `share` of the schedule behind."""
        own, draw = self.settings, self.chance.generator
        size = own.crops[int(torch.randint(len(own.crops), (), device=self.device, generator=draw))]
        wanted = self.photos.crops(own.batch, size, draw).pictures * 2 - 1
        with mixed(self.device):
            latents = self._encode(wanted).float()
            noisy = latents + own.noise * torch.randn(latents.shape, device=self.device, generator=draw)
            made = self._decode(noisy).float()
            figures = {"l1": (made - wanted).abs().mean(), "mse": (made.clamp(-1, 1) - wanted).square().mean()}
            loss = figures["l1"] + own.moments * losses.moments(latents)
            loss = loss + own.gradient * losses.gradients(made, wanted) + own.low_pass * losses.low_pass(made, wanted)
            if self.distance is not None:
                figures["features"] = self.distance(made, wanted)
                loss = loss + own.features * figures["features"]
            if own.adversarial and share >= own.adversarial_from:
                figures["critic"] = self._judge(wanted, made.detach(), factor)
                self.critic.requires_grad_(False)
                loss = loss - own.adversarial * self.critic(made).float().mean()
                self.critic.requires_grad_(True)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), own.clip)
        set_rate(self.optimiser, own.rate * factor)
        self.optimiser.step()
        self.average.update()
        return {"loss": loss.detach(), **{name: value.detach() for name, value in figures.items()}}

    def _judge(self, real: Tensor, made: Tensor, factor: float) -> Tensor:
        loss = losses.critic_loss(self.critic(real).float(), self.critic(made).float())
        self.critic_optimiser.zero_grad()
        loss.backward()
        set_rate(self.critic_optimiser, self.settings.adversarial_rate * min(1.0, 2 * factor))
        self.critic_optimiser.step()
        return loss.detach()

    def sheet(self, path: Path, size: int, n: int = 8) -> None:
        """Draw photos over their reconstructions by the averaged weights."""
        crops = self.photos.crops(n, size, Generator(self.device).manual_seed(1)).pictures * 2 - 1
        with self.average.swapped(), torch.no_grad(), mixed(self.device):
            made = self.net.decode(self.net.encode(crops).latents).sample.float()
        sheets.draw(path, [crops, made])


def train(
    config: Config,
    state: State,
    *,
    device: str,
    features: Path,
    limits: Limits,
    begin: Path | None,
    fast: bool,
    say: Callable[[str], None],
) -> Progress:
    """Run the stage, or go on with it; `begin` is a folder of finished weights to begin from when there is no state."""
    photos = shelf.load(state.photos, pick(device))
    trainer = Trainer(config, photos, features=features, fast=fast)
    keeper = Keeper(state.saved(STAGE), trainer.parts)
    progress = keeper.load(photos.device)
    if progress.step == 0 and begin is not None:
        start.autoencoder(trainer.net, begin)
        trainer.average = Average({"net": trainer.net}, config.autoencoder.average)
        keeper = Keeper(keeper.path, trainer.parts)
    say(f"autoencoder: {networks.parameters(trainer.net):,} parameters on {photos.device}, from step {progress.step}")
    size = min(config.networks.size, photos.smallest_side // 8 * 8)
    return run(
        trainer.step,
        schedule=config.autoencoder,
        limits=limits,
        keeper=keeper,
        progress=progress,
        log=Log(state.log(STAGE), say),
        sheet=lambda at: trainer.sheet(state.sheets / f"{STAGE}-{at.step:07d}.png", size),
    )


def averaged(config: Config, state: State, device: torch.device) -> Any:
    """The trained autoencoder with averaged weights, frozen; FileNotFoundError when the stage has not run."""
    net = networks.autoencoder(config.networks.autoencoder)
    start.averaged(state.saved(STAGE), {"net": net})
    return ready(net, device).eval().requires_grad_(False)
