"""Stage `autoencoder`: pictures to latents and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from . import critics, dataset, initial_weights, losses, mobilenet, networks, sheets
from .config import AutoencoderStage, Config
from .device import adamw, choose_device, mixed_precision, on_device, set_rate
from .loop import GeneratorState, Limits, Log, Progress, StateFile, WeightAverage, run
from .replay import Replay
from .state import State

STAGE = "autoencoder"


class Trainer:
    """The networks of the stage and one step of their training."""

    def __init__(
        self,
        config: Config,
        photos: dataset.PhotoDataset,
        *,
        features: Path,
        backbone: Path,
        seed: int = 0,
        fast: bool = False,
        record: bool = True,
    ) -> None:
        """Networks at their initial weights, on the device of the photos.

        Args:
            config: All settings.
            photos: The dataset; its device is the training device.
            features: The encoder of the feature loss; not read where its share is 0.
            backbone: File of the stage `backbone`, for `perceptual` and the critics; likewise.
            seed: Seed of the weights and of all random numbers.
            fast: Compile the autoencoder.
            record: On a GPU, replay steps as CUDA graphs.
        """
        self.settings: AutoencoderStage = config.autoencoder
        self.photos, self.device = photos, photos.device
        torch.manual_seed(seed)
        self.net = on_device(networks.autoencoder(config.networks.autoencoder), self.device)
        some = photos.crops(16, min(config.autoencoder.crops), Generator(self.device).manual_seed(seed)).pictures
        networks.initialise(self.net, some * 2 - 1)
        self.backbone = mobilenet.load(backbone, self.device) if self.settings.perceptual else None
        parts = {"patches": critics.patch_critic()}
        if self.backbone is not None:
            parts["heads"] = critics.FeatureCritics(self.backbone(some * 2 - 1))
        self.critic = on_device(nn.ModuleDict(parts), self.device)
        trained = self.net.decoder if self.settings.decoder_alone else self.net
        self._weights = list(trained.parameters())
        self._gradients = Replay(
            self._set_gradients,
            [*self._weights, *self.critic.parameters()],
            record=record and self.device.type == "cuda",
        )
        self.optimiser = adamw([trained], self.settings.rate, self.settings.weight_decay, self.device)
        self.critic_optimiser = adamw([self.critic], self.settings.adversarial_rate, 0.0, self.device)
        self.average = WeightAverage({"net": self.net}, self.settings.average)
        self.random = GeneratorState(Generator(self.device).manual_seed(seed))
        self.size_random = GeneratorState(Generator().manual_seed(seed))  # on the CPU: sizes must not wait for a GPU
        self.distance = losses.feature_loss(features, self.device) if self.settings.features else None
        self._encode, self._decode = self.net.encoder, self.net.decoder
        if fast:
            self._encode, self._decode = (torch.compile(part, dynamic=False) for part in (self._encode, self._decode))

    @property
    def parts(self) -> dict[str, Any]:
        """The parts of the saved state, by the names in its file."""
        return {
            "net": self.net,
            "critic": self.critic,
            "optimiser": self.optimiser,
            "critic_optimiser": self.critic_optimiser,
            "average": self.average,
            "chance": self.random,
            "luck": self.size_random,
        }

    def step(self, factor: float, share: float) -> Mapping[str, Tensor]:
        """One step at `factor` of the rate, at `share` of the schedule."""
        own, draw = self.settings, self.random.generator
        size = own.crops[int(torch.randint(len(own.crops), (), generator=self.size_random.generator))]
        wanted = self.photos.crops(own.batch, size, draw).pictures * 2 - 1
        cells = (own.batch, self.net.config.latent_channels, size // 8, size // 8)
        noise = torch.randn(cells, device=self.device, generator=draw)
        noise = noise * own.noise * torch.rand(own.batch, 1, 1, 1, device=self.device, generator=draw)
        with_critics = own.adversarial > 0 and share >= own.adversarial_from
        critic_share = torch.full((), own.adversarial * own.ramp(share), device=self.device)
        figures = self._gradients(wanted, noise, critic_share, kind="critics" if with_critics else "plain")
        torch.nn.utils.clip_grad_norm_(self._weights, own.clip)
        set_rate(self.optimiser, own.rate * factor)
        self.optimiser.step()
        if with_critics:
            set_rate(self.critic_optimiser, own.adversarial_rate * min(1.0, 2 * factor))
            self.critic_optimiser.step()
        self.average.update()
        return {name: value.detach() for name, value in figures.items()}

    def _set_gradients(self, wanted: Tensor, noise: Tensor, critic_share: Tensor, *, kind: str) -> Mapping[str, Tensor]:
        """Set gradients of the autoencoder, and of the critics for kind "critics"; returns figures.

        Args:
            wanted: (n, 3, h, w) photos in [-1, 1].
            noise: (n, c, h / 8, w / 8), in deviations of the latents.
            critic_share: Share of the gradient that comes from the critics.
            kind: "critics" or "plain".
        """
        own = self.settings
        with mixed_precision(self.device):
            latents = self._latents(wanted)
            made = self._decode(latents + noise * latents.std()).float()
            seen = made.detach().requires_grad_()
            first, figures = self._pixel_loss(seen, wanted)
            figures["loss"] = first
            others = self._feature_losses(seen, wanted, critic_share if kind == "critics" else None, figures)
            loss = (
                made * losses.balanced_gradient(seen, first, others)
            ).sum()  # its gradient at `made` is the balanced one
            if not own.decoder_alone:
                loss = loss + own.moments * losses.moments(latents)
            if own.halved:
                small, target = (F.avg_pool2d(x[: max(1, own.batch // 2)], 2) for x in (latents, wanted))
                half, _ = self._pixel_loss(self._decode(small).float(), target)
                figures["halved"] = half
                loss = loss + own.halved * half
        loss.backward()
        return figures

    def _latents(self, wanted: Tensor) -> Tensor:
        with torch.set_grad_enabled(not self.settings.decoder_alone):
            latents: Tensor = self._encode(wanted).float()
        return latents

    def _pixel_loss(self, made: Tensor, wanted: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of pictures against photos, pixel by pixel, and figures to log."""
        own = self.settings
        figures = {"l1": (made - wanted).abs().mean(), "mse": (made.clamp(-1, 1) - wanted).square().mean()}
        loss = figures["l1"] + own.gradient * losses.gradients(made, wanted)
        return loss + own.low_pass * losses.low_pass(made, wanted), figures

    def _feature_losses(
        self, seen: Tensor, wanted: Tensor, critic_share: Tensor | None, figures: dict[str, Tensor]
    ) -> list[tuple[Tensor, float | Tensor]]:
        """Losses on features, with their shares of the gradient; `critic_share` is the critics'."""
        own = self.settings
        found: list[tuple[Tensor, float | Tensor]] = []
        if self.distance is not None:
            figures["features"] = self.distance(seen, wanted)
            found.append((figures["features"], own.features))
        real: list[Tensor] = []
        made: list[Tensor] = []
        if self.backbone is not None:
            with torch.no_grad():
                real = self.backbone(wanted)
            made = self.backbone(seen)
            figures["perceptual"] = losses.feature_distance(made, real)
            found.append((figures["perceptual"], own.perceptual))
        if critic_share is not None:
            figures["critic"] = self._train_critics(wanted, seen.detach(), real, [x.detach() for x in made])
            self.critic.requires_grad_(False)
            found.append((critics.generator_loss(self._logits(seen, made)), critic_share))
            self.critic.requires_grad_(True)
        return found

    def _logits(self, pictures: Tensor, features: list[Tensor]) -> list[Tensor]:
        logits = [self.critic["patches"](pictures).float()]
        return logits + (self.critic["heads"](features) if features else [])

    def _train_critics(
        self, wanted: Tensor, made: Tensor, real_features: list[Tensor], made_features: list[Tensor]
    ) -> Tensor:
        """The critics' loss; sets their gradients. Their step follows after the generator loss."""
        loss = critics.critic_loss(self._logits(wanted, real_features), self._logits(made, made_features))
        loss.backward()
        return loss.detach()

    def sheet(self, path: Path, size: int, n: int = 8) -> None:
        """Draw photos above their reconstructions by the averaged weights."""
        crops = self.photos.crops(n, size, Generator(self.device).manual_seed(1)).pictures * 2 - 1
        with self.average.swapped(), torch.no_grad(), mixed_precision(self.device):
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
    report: Callable[[str], None],
) -> Progress:
    """Run or continue the stage; `begin` is a checkpoint folder whose weights start it when there is no state.

    The backbone of perceptual loss and critics is `state.backbone`.
    """
    photos = dataset.load(state.photos, choose_device(device))
    trainer = Trainer(config, photos, features=features, backbone=state.backbone, fast=fast, record=record)
    state_file = StateFile(state.saved(STAGE), trainer.parts)
    progress = state_file.load(photos.device)
    if progress.step == 0 and begin is not None:
        initial_weights.fill_autoencoder(trainer.net, begin)
        trainer.average = WeightAverage({"net": trainer.net}, config.autoencoder.average)
        state_file = StateFile(state_file.path, trainer.parts)
    report(
        f"autoencoder: {networks.parameters(trainer.net):,} parameters on {photos.device}, from step {progress.step}"
    )
    size = min(config.networks.size, photos.smallest_side // 8 * 8)
    return run(
        trainer.step,
        schedule=config.autoencoder,
        limits=limits,
        state_file=state_file,
        progress=progress,
        log=Log(state.log(STAGE), report),
        sheet=lambda at: trainer.sheet(state.sheets / f"{STAGE}-{at.step:07d}.png", size),
    )


def averaged(config: Config, state: State, device: torch.device) -> Any:
    """The trained autoencoder with averaged weights, frozen; FileNotFoundError when the stage has not run."""
    net = networks.autoencoder(config.networks.autoencoder)
    initial_weights.fill_averaged(state.saved(STAGE), {"net": net})
    return on_device(net, device).eval().requires_grad_(False)
