"""OSOR: one step of SDXL-Inpainting that removes a thing together with its shadow and reflection.

Zhou et al., OSOR: one-step diffusion inpainting for effect-aware object removal, ECCV 2026 (arXiv 2606.28094). With the
latents z0 of the picture as it is, noise n, the hole m on their grid, and the trained time t:

    z = z0 + sigma(t) n
    e, l = unet(z, m, z0; t, prompt)
    a = sigmoid(l)                                  the share that is new: its alpha head
    z' = a (z - sigma(t) e) + (1 - a) z0

The file (sdxlinpainting_phase2.pth of QinmingZhou/OSOR) has what was trained, by diffusers' names of layers: peft's
LoRA of rank 256 and scale 1, and a last convolution of five channels instead of four. Everything else is that of the
base, diffusers/stable-diffusion-xl-1.0-inpainting-0.1. The picture itself, not its known part, is the further input,
since the network must see what casts the shadow. Names, time and prompt are those of Zhouqm-Git/osor (code MIT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from overpaint.engines.diffusion.denoiser import to_estimate
from overpaint.engines.diffusion.lora import LoraUse, Merged, lora_from, merge
from overpaint.engines.diffusion.networks import Networks, PromptNetworks
from overpaint.engines.diffusion.noise import Noise
from overpaint.engines.diffusion.text_plan import CanvasTexts, TextSettings
from overpaint.engines.diffusion.values import NetworkInput, NotFiniteError
from overpaint.errors import ModelError
from overpaint.geometry import Size
from overpaint.models import ModelRef, digest, family_of
from overpaint.request import Sampling

from .network import OnStep

TIME = 400
"""The time that the second phase of its training is of; the first phase, without the alpha head, had 600."""

PROMPT = "Remove the instance of object"

_HEAD = "unet.conv_out."


class OneStepRemoval:
    """SDXL-Inpainting with OSOR's weights. Its result has a fourth channel: the share that is new."""

    sees_whole = True

    def __init__(self, networks: Networks, chosen: PromptNetworks) -> None:
        """Encode the prompt.

        Args:
            networks: The base, with the trained network in the place of its own.
            chosen: The same network, and the prompt.
        """
        self._networks, self._chosen = networks, chosen
        loaded = networks.loaded
        texts = loaded.family.text_encoding(loaded, loaded.text_encoders, loaded.digest)
        job, _ = texts.plan(chosen.texts.prompts[0].prompts[0], None, TextSettings(plain=True), ())
        self._text = networks.encoded(texts, job)

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`; the noise follows from the seed."""
        family, noise = self._networks.loaded.family, Noise(seed)
        pixels = picture[0].permute(1, 2, 0).cpu().numpy()
        z0 = self._networks.encode(pixels).draw(noise.generator)
        cells = functional.max_pool2d(hole, family.cell).to(z0.device)
        latent, share = self._removed(z0, noise(z0), cells)
        found = torch.from_numpy(self._networks.decode(latent)).permute(2, 0, 1)[None].to(picture)
        alpha = functional.interpolate(share, size=found.shape[-2:], mode="bilinear").to(picture)
        on_step(1, 1)
        return torch.cat((found, alpha), dim=1)

    def _removed(self, z0: Tensor, noise: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """The latents without the thing, (1, C, h, w), and the share of them that is new, (1, 1, h, w).

        Raises:
            NotFiniteError: The network gave NaN or infinity, in single precision too.
        """
        loaded = self._networks.loaded
        height, width = (side * loaded.family.cell for side in z0.shape[-2:])
        size = Size(width, height)
        level = loaded.family.training(loaded.scheduler_config, size).sigma(TIME)
        text = self._text.joined(loaded.family.size_conditions(size, z0.device))
        sigma, t = (torch.tensor([one], dtype=torch.float32, device=z0.device) for one in (level, float(TIME)))
        x, extra = z0 + level * noise, torch.cat((cells, z0), dim=1)
        given = NetworkInput(x, sigma, t, text, extra)
        for wide in (False, True):
            output = self._networks.denoiser(self._chosen, exact=False, wide=wide).output(given)
            if torch.isfinite(output).all():
                channels = z0.shape[1]
                share = output[:, channels:].sigmoid()
                estimate = to_estimate(output[:, :channels], x, sigma, loaded.prediction)
                return share * estimate + (1 - share) * z0, share
        raise NotFiniteError("OSOR gave numbers that are not finite, in single precision too")


def removal_of(ref: ModelRef, tensors: Mapping[str, Tensor], device: Any, dtype: torch.dtype) -> OneStepRemoval:
    """OSOR on its base. The base's own network stays as it is.

    Args:
        ref: With its base.
        tensors: What was trained, by the published names.
        device: torch's.
        dtype: Of the base's networks.

    Raises:
        ModelError: Tensors are missing, or do not go with the base.
    """
    assert ref.base is not None
    family = family_of(ref.base.kind.family or "")
    loaded = family.load(ref.base, dtype)
    rest = {name: one for name, one in tensors.items() if not name.startswith(_HEAD)}
    lora = lora_from(rest, ref.name, digest(ref.path), family=family.name)
    merged = merge(loaded.network, (), loaded.digest, [LoraUse(lora)], family)
    if merged.notes:
        raise ModelError(merged.notes[0], code="lora-mismatch", field="base", value=ref.base.name)
    trained = _with_head(merged, tensors)
    networks = Networks(replace(loaded, network=trained.unet), ref.base, device)
    texts = CanvasTexts.read(Sampling(PROMPT), TextSettings(plain=True))
    return OneStepRemoval(networks, PromptNetworks(trained, texts))


def _with_head(merged: Merged, tensors: Mapping[str, Tensor]) -> Merged:
    """The same with the trained last convolution in the network, which is a copy of the base's already."""
    weight, bias = tensors.get(f"{_HEAD}weight"), tensors.get(f"{_HEAD}bias")
    own = merged.unet.conv_out
    into = own.weight.shape[1:]
    if weight is None or bias is None or weight.shape[1:] != into or bias.shape != weight.shape[:1]:
        raise ModelError("its last convolution is missing, or does not go with the base", code="lora-mismatch")
    head = nn.Conv2d(into[0], len(weight), into[1], padding=own.padding)
    head.load_state_dict({"weight": weight.float(), "bias": bias.float()})
    merged.unet.conv_out = head.to(own.weight).eval().requires_grad_(False)
    return merged
