"""Critics (discriminators) of reconstructed pictures: one on pixels, one on the features of a frozen backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


def patch_critic(width: int = 48) -> Any:
    """A patch discriminator (Isola et al. 2017): logits (n, 1, h / 8, w / 8), high for photos."""
    layers: list[Any] = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    for k in range(2):
        inner, outer = width * 2**k, width * 2 ** (k + 1)
        layers += [nn.Conv2d(inner, outer, 4, 2, 1, bias=False), nn.GroupNorm(8, outer), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(width * 4, 1, 3, 1, 1))


class FeatureCritics(nn.Module):  # type: ignore[misc]
    """One small critic for each feature map of a frozen backbone: "Projected GANs converge faster" (Sauer et al. 2021).

    The backbone's features already describe photos, so that these critics learn within minutes, where a critic of
    pixels takes hours.
    """

    def __init__(self, some: Sequence[Tensor], width: int = 96) -> None:
        """Critics for feature maps like `some` (n, c, h, w) of photos; their mean and deviation normalise inputs."""
        super().__init__()
        self.heads = nn.ModuleList()
        for k, features in enumerate(some):
            self.register_buffer(f"middle{k}", features.float().mean((0, 2, 3)).view(1, -1, 1, 1))
            self.register_buffer(f"spread{k}", features.float().std((0, 2, 3)).clamp_min(1e-4).view(1, -1, 1, 1))
            self.heads.append(
                nn.Sequential(
                    spectral_norm(nn.Conv2d(features.shape[1], width, 1)),
                    nn.LeakyReLU(0.2),
                    spectral_norm(nn.Conv2d(width, width, 3, 1, 1)),
                    nn.LeakyReLU(0.2),
                    spectral_norm(nn.Conv2d(width, 1, 3, 1, 1)),
                )
            )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Logits of each map, (n, 1, h, w) float32, high for photos; `features` have the channels of `some`."""
        known = [(getattr(self, f"middle{k}"), getattr(self, f"spread{k}")) for k in range(len(self.heads))]
        parts = zip(self.heads, features, known, strict=True)
        return [head((x.float() - middle) / spread).float() for head, x, (middle, spread) in parts]


def critic_loss(real: Sequence[Tensor], made: Sequence[Tensor]) -> Tensor:
    """Hinge loss of the critics' logits for photos and for made pictures (Lim and Ye 2017), the mean over critics."""
    each = [(F.relu(1 - a).mean() + F.relu(1 + b).mean()) / 2 for a, b in zip(real, made, strict=True)]
    return torch.stack(each).mean()


def generator_loss(made: Sequence[Tensor]) -> Tensor:
    """The autoencoder's adversarial loss: the negated mean logit of made pictures, the mean over the critics."""
    return -torch.stack([logits.mean() for logits in made]).mean()
