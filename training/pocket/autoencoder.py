"""Stage `autoencoder`: pictures to latents and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from . import critics, losses, mobilenet, networks, sheets, shelf, start
from .config import AutoencoderStage, Config
from .device import mixed, optimiser, pick, ready, set_rate
from .loop import Average, Chance, Keeper, Limits, Log, Progress, run
from .replay import Replay
from .state import State

STAGE = "autoencoder"


class Trainer:
    """The networks of the stage and one step of their training."""

    def __init__(
        self,
        config: Config,
        photos: shelf.Shelf,
        *,
        features: Path,
        eyes: Path,
        seed: int = 0,
        fast: bool = False,
        record: bool = True,
    ) -> None:
        """Networks at their first weights, on the device that the photos lie on.

        Args:
            config: All settings.
            photos: Their device is where it trains.
            features: The encoder of the feature loss; not read where its share is 0.
            eyes: The backbone of `perceptual` and of the critics, from the stage `backbone`; likewise.
            seed: Of weights and of all that is drawn.
            fast: Compile the autoencoder.
            record: On a GPU, replay steps as CUDA graphs.
        """
        self.settings: AutoencoderStage = config.autoencoder
        self.photos, self.device = photos, photos.device
        torch.manual_seed(seed)
        self.net = ready(networks.autoencoder(config.networks.autoencoder), self.device)
        some = photos.crops(16, min(config.autoencoder.crops), Generator(self.device).manual_seed(seed)).pictures
        networks.balance(self.net, some * 2 - 1)
        self.eyes = mobilenet.load(eyes, self.device) if self.settings.perceptual else None
        parts = {"patches": critics.patches()}
        if self.eyes is not None:
            parts["heads"] = critics.Heads(self.eyes(some * 2 - 1))
        self.critic = ready(nn.ModuleDict(parts), self.device)
        trained = self.net.decoder if self.settings.decoder_alone else self.net
        self._weights = list(trained.parameters())
        self._gradients = Replay(
            self._set_gradients,
            [*self._weights, *self.critic.parameters()],
            record=record and self.device.type == "cuda",
        )
        self.optimiser = optimiser([trained], self.settings.rate, self.settings.weight_decay, self.device)
        self.critic_optimiser = optimiser([self.critic], self.settings.adversarial_rate, 0.0, self.device)
        self.average = Average({"net": self.net}, self.settings.average)
        self.chance = Chance(Generator(self.device).manual_seed(seed))
        self.luck = Chance(Generator().manual_seed(seed))  # on the CPU: to know a size must not wait for a GPU
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
            "luck": self.luck,
        }

    def step(self, factor: float, share: float) -> Mapping[str, Tensor]:
        """One step at `factor` of the rate, with `share` of the schedule behind."""
        own, draw = self.settings, self.chance.generator
        size = own.crops[int(torch.randint(len(own.crops), (), generator=self.luck.generator))]
        wanted = self.photos.crops(own.batch, size, draw).pictures * 2 - 1
        cells = (own.batch, self.net.config.latent_channels, size // 8, size // 8)
        noise = torch.randn(cells, device=self.device, generator=draw)
        noise = noise * own.noise * torch.rand(own.batch, 1, 1, 1, device=self.device, generator=draw)
        judged = own.adversarial > 0 and share >= own.adversarial_from
        say = torch.full((), own.adversarial * own.ramp(share), device=self.device)
        figures = self._gradients(wanted, noise, say, kind="judged" if judged else "alone")
        torch.nn.utils.clip_grad_norm_(self._weights, own.clip)
        set_rate(self.optimiser, own.rate * factor)
        self.optimiser.step()
        if judged:
            set_rate(self.critic_optimiser, own.adversarial_rate * min(1.0, 2 * factor))
            self.critic_optimiser.step()
        self.average.update()
        return {name: value.detach() for name, value in figures.items()}

    def _set_gradients(self, wanted: Tensor, noise: Tensor, say: Tensor, *, kind: str) -> Mapping[str, Tensor]:
        """Leave gradients on the autoencoder, and on the critics where they judge; to figures.

        Args:
            wanted: (n, 3, h, w) photos in [-1, 1].
            noise: (n, c, h / 8, w / 8), in deviations of the latents.
            say: What share of the gradient the critics have.
            kind: "judged" or "alone".
        """
        own = self.settings
        with mixed(self.device):
            latents = self._latents(wanted)
            made = self._decode(latents + noise * latents.std()).float()
            seen = made.detach().requires_grad_()
            first, figures = self._alike(seen, wanted)
            figures["loss"] = first
            others = self._judged(seen, wanted, say if kind == "judged" else None, figures)
            loss = (made * losses.balanced(seen, first, others)).sum()  # whose gradient at `made` is that
            if not own.decoder_alone:
                loss = loss + own.moments * losses.moments(latents)
            if own.halved:
                small, target = (F.avg_pool2d(x[: max(1, own.batch // 2)], 2) for x in (latents, wanted))
                half, _ = self._alike(self._decode(small).float(), target)
                figures["halved"] = half
                loss = loss + own.halved * half
        loss.backward()
        return figures

    def _latents(self, wanted: Tensor) -> Tensor:
        with torch.set_grad_enabled(not self.settings.decoder_alone):
            latents: Tensor = self._encode(wanted).float()
        return latents

    def _alike(self, made: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """How far pictures are from the photos, pixel by pixel, and the figures to log."""
        own = self.settings
        figures = {"l1": (made - wanted).abs().mean(), "mse": (made.clamp(-1, 1) - wanted).square().mean()}
        loss = figures["l1"] + own.gradient * losses.gradients(made, wanted)
        return loss + own.low_pass * losses.low_pass(made, wanted), figures

    def _judged(
        self, seen: Tensor, wanted: Tensor, say: Tensor | None, figures: dict[str, Tensor]
    ) -> list[tuple[Tensor, float | Tensor]]:
        """Losses by what is seen in the pictures, with their shares of the gradient: the critics' is `say`."""
        own = self.settings
        found: list[tuple[Tensor, float | Tensor]] = []
        if self.distance is not None:
            figures["features"] = self.distance(seen, wanted)
            found.append((figures["features"], own.features))
        real: list[Tensor] = []
        made: list[Tensor] = []
        if self.eyes is not None:
            with torch.no_grad():
                real = self.eyes(wanted)
            made = self.eyes(seen)
            figures["perceptual"] = losses.perceived(made, real)
            found.append((figures["perceptual"], own.perceptual))
        if say is not None:
            figures["critic"] = self._judge(wanted, seen.detach(), real, [x.detach() for x in made])
            self.critic.requires_grad_(False)
            found.append((critics.praise(self._logits(seen, made)), say))
            self.critic.requires_grad_(True)
        return found

    def _logits(self, pictures: Tensor, features: list[Tensor]) -> list[Tensor]:
        logits = [self.critic["patches"](pictures).float()]
        return logits + (self.critic["heads"](features) if features else [])

    def _judge(self, wanted: Tensor, made: Tensor, real_features: list[Tensor], made_features: list[Tensor]) -> Tensor:
        """The critics' own loss, whose gradients are left on them; their step comes after the praise is worked out."""
        loss = critics.loss(self._logits(wanted, real_features), self._logits(made, made_features))
        loss.backward()
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
    record: bool,
    say: Callable[[str], None],
) -> Progress:
    """Run the stage, or go on with it; `begin` is a folder of finished weights to begin from when there is no state.

    The backbone of perceptual loss and critics is `state.backbone`.
    """
    photos = shelf.load(state.photos, pick(device))
    trainer = Trainer(config, photos, features=features, eyes=state.backbone, fast=fast, record=record)
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
