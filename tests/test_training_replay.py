"""Steps of the training that are replayed: on a CPU they are plain calls, on a GPU they come to the same weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from training.pocket.replay import Replay

GPU = torch.cuda.is_available()


def trained(device: str, *, record: bool) -> list[Tensor]:
    """Weights after 24 steps on inputs of two shapes in turn and of two kinds, then the losses."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).to(device)
    rule = torch.optim.AdamW(net.parameters(), lr=1e-2)

    def gradients(x: Tensor, *, kind: str) -> dict[str, Tensor]:
        loss = net(x).square().mean() * (2 if kind == "twice" else 1)
        loss.backward()
        return {"loss": loss.detach()}

    replay = Replay(gradients, net.parameters(), record=record)
    draw = torch.Generator().manual_seed(1)
    losses = []
    for step in range(24):
        given = torch.randn(3 + step % 2, 4, generator=draw).to(device)
        losses.append(float(replay(given, kind="twice" if step % 3 else "once")["loss"]))
        rule.step()
    return [*(weight.detach().cpu() for weight in net.parameters()), torch.tensor(losses)]


def test_without_recording_each_call_has_its_own_gradients() -> None:
    weight = torch.zeros(2, requires_grad=True)

    def gradients(x: Tensor) -> dict[str, Tensor]:
        loss = (weight * x).sum()
        loss.backward()
        return {"loss": loss.detach()}

    replay = Replay(gradients, [weight], record=False)
    for x in (torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])):
        replay(x)
        assert torch.equal(weight.grad, x), "gradients of an earlier call are not added to"


@pytest.mark.skipif(not GPU, reason="needs a GPU")
def test_recorded_steps_come_to_the_weights_of_plain_ones() -> None:
    for plain, recorded in zip(trained("cuda", record=False), trained("cuda", record=True), strict=True):
        torch.testing.assert_close(recorded, plain, rtol=1e-4, atol=1e-6)
