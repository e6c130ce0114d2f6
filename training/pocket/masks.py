"""Random holes: boxes, brush strokes, rounded shapes, borders for expansion, the whole picture.

All functions give (n, 1, size, size) bool, True where to repaint, and draw from the generator alone.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

KINDS = ("box", "strokes", "shape", "border", "full")
SHARES = (0.3, 0.3, 0.25, 0.12, 0.03)


def uniform(n: int, low: float, high: float, generator: Generator) -> Tensor:
    """(n,) float in [low, high) on the generator's device."""
    return torch.rand(n, device=generator.device, generator=generator) * (high - low) + low


def grid(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """x (1, 1, 1, size) and y (1, 1, size, 1): centres of pixels, in sides of the picture."""
    centres = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) / size
    return centres.view(1, 1, 1, -1), centres.view(1, 1, -1, 1)


def inside(boxes: Tensor, size: int) -> Tensor:
    """The pixels in boxes (n, 4): left, top, right, bottom in sides of the picture."""
    x, y = grid(size, boxes.device)
    left, top, right, bottom = boxes.view(-1, 4, 1, 1, 1).unbind(1)
    return (x >= left) & (x < right) & (y >= top) & (y < bottom)


def oval(boxes: Tensor, size: int) -> Tensor:
    """The pixels in the ellipses that fill boxes (n, 4)."""
    x, y = grid(size, boxes.device)
    left, top, right, bottom = boxes.view(-1, 4, 1, 1, 1).unbind(1)
    across = (x - (left + right) / 2) / ((right - left) / 2).clamp_min(1e-6)
    down = (y - (top + bottom) / 2) / ((bottom - top) / 2).clamp_min(1e-6)
    return across.square() + down.square() <= 1


def random_boxes(n: int, generator: Generator, low: float = 0.2, high: float = 0.75) -> Tensor:
    """(n, 4) boxes with sides from `low` to `high`, wholly inside the picture."""
    width, height = uniform(n, low, high, generator), uniform(n, low, high, generator)
    left = uniform(n, 0, 1, generator) * (1 - width)
    top = uniform(n, 0, 1, generator) * (1 - height)
    return torch.stack((left, top, left + width, top + height), 1)


def strokes(n: int, size: int, generator: Generator, points: int = 6) -> Tensor:
    """A walk of a round brush through `points` places, each a short way from the last."""
    start = torch.rand(n, 1, 2, device=generator.device, generator=generator)
    ways = torch.randn(n, points - 1, 2, device=generator.device, generator=generator) * 0.18
    places = torch.cat((start, ways), 1).cumsum(1).clamp(0.02, 0.98)
    radius = uniform(n, 0.03, 0.11, generator).view(-1, 1, 1)
    x, y = (axis.squeeze(1) for axis in grid(size, generator.device))
    covered = torch.zeros(n, size, size, dtype=torch.bool, device=generator.device)
    for k in range(points - 1):
        (ax, ay), (bx, by) = (places[:, k + end, :, None, None].unbind(1) for end in (0, 1))
        dx, dy = bx - ax, by - ay
        along = (((x - ax) * dx + (y - ay) * dy) / (dx.square() + dy.square()).clamp_min(1e-6)).clamp(0, 1)
        covered |= (x - ax - along * dx).square() + (y - ay - along * dy).square() <= radius.square()
    return covered[:, None]


def shapes(n: int, size: int, generator: Generator, waves: int = 4) -> Tensor:
    """Blobs: a circle in polar form whose radius has a few random harmonics, stretched and moved."""
    x, y = grid(size, generator.device)
    box = random_boxes(n, generator, 0.25, 0.85)
    left, top, right, bottom = box.view(-1, 4, 1, 1, 1).unbind(1)
    across, down = (2 * x - left - right) / (right - left), (2 * y - top - bottom) / (bottom - top)
    angle = torch.atan2(down, across)
    edge = torch.full_like(angle, 0.8)
    for k in range(1, waves + 1):
        size_k = (uniform(n, 0, 0.22, generator) / k**0.5).view(-1, 1, 1, 1)
        edge = edge + size_k * torch.sin(k * angle + uniform(n, 0, 2 * torch.pi, generator).view(-1, 1, 1, 1))
    return across.square() + down.square() <= edge.square()


def borders(n: int, size: int, generator: Generator) -> Tensor:
    """Margins to fill when a picture is expanded: each side with probability 0.45, up to half; at least one."""
    ends = torch.rand(n, 4, device=generator.device, generator=generator)
    there = torch.rand(n, 4, device=generator.device, generator=generator) < 0.45
    there[:, 0] |= ~there.any(1)
    depth = (0.08 + 0.42 * ends) * there
    kept = torch.cat((depth[:, :2], 1 - depth[:, 2:]), 1)
    return ~inside(kept, size)


def mixture(n: int, size: int, generator: Generator, shares: tuple[float, ...] = SHARES) -> Tensor:
    """Holes of all kinds, by their shares; never an empty one."""
    device = generator.device
    chances = torch.tensor(shares, device=device)
    kind = torch.multinomial(chances, n, replacement=True, generator=generator)
    holes = torch.ones(n, 1, size, size, dtype=torch.bool, device=device)
    for index, name in enumerate(KINDS[:-1]):
        rows = (kind == index).nonzero()[:, 0]
        if len(rows):
            holes[rows] = _of_kind(name, len(rows), size, generator)
    return _never_empty(holes)


def _of_kind(name: str, n: int, size: int, generator: Generator) -> Tensor:
    if name == "box":
        return inside(random_boxes(n, generator), size)
    if name == "strokes":
        return strokes(n, size, generator)
    return shapes(n, size, generator) if name == "shape" else borders(n, size, generator)


def _never_empty(holes: Tensor) -> Tensor:
    middle = torch.zeros_like(holes)
    size = holes.shape[-1]
    middle[..., size // 4 : -(size // 4), size // 4 : -(size // 4)] = True
    return torch.where(holes.flatten(1).any(1).view(-1, 1, 1, 1), holes, middle)


def to_latents(holes: Tensor, factor: int = 8) -> Tensor:
    """(n, 1, h / factor, w / factor) float mask beside the latents: nearest, as diffusers' pipeline resizes it."""
    return holes[..., ::factor, ::factor].float()
