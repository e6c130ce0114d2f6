"""Fills of holes by the networks in training: DDIM (Song et al. 2021) with guidance, for sample sheets."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from . import masks, networks
from .config import Noise
from .device import mixed_precision
from .networks import Models
from .scenes import Scenes
from .tokenizer import Tokens


def fill(
    models: Models, noise: Noise, tokens: Tokens, batch: Scenes, *, guidance: float, steps: int = 20, seed: int = 0
) -> Tensor:
    """Pictures (n, 3, size, size) in [-1, 1]: the scenes with filled holes, and unchanged pixels elsewhere."""
    device = batch.pictures.device
    plan = networks.scheduler(noise)
    plan.set_timesteps(steps, device=device)
    with torch.no_grad(), mixed_precision(device):
        known, hole = models.encode(batch.masked), masks.to_latents(batch.holes)
        ids = torch.tensor(tokens([""] * len(hole) + batch.prompts), device=device)
        states = models.text(ids).last_hidden_state
        x = torch.randn(known.shape, generator=Generator().manual_seed(seed)).to(device)
        for t in plan.timesteps:
            given = torch.cat((x, hole, known), 1).repeat(2, 1, 1, 1)
            plain, prompted = models.denoiser(given, t, encoder_hidden_states=states).sample.float().chunk(2)
            x = plan.step(plain + guidance * (prompted - plain), t, x).prev_sample
        made = models.decode(x)
    return torch.where(batch.holes, made, batch.pictures)
