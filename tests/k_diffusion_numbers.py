"""Makes `k_diffusion_numbers.json`: results of k-diffusion's samplers on a Gaussian toy problem.

    python tests/k_diffusion_numbers.py FOLDER

FOLDER holds the unpacked wheel k-diffusion 0.1.1.post1 from PyPI (`pip download --no-deps k-diffusion`, `unzip`). Its
own requirements (torchvision, kornia, wandb, ...) are not needed: `sampling.py` alone is loaded, with empty modules in
place of torchsde, torchdiffeq, tqdm and the package's utilities. Noise is `noise(n)`: both sides have the same.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

NUMBERS = Path(__file__).with_suffix(".json")
DEVIATION = 0.7
CELLS = 8


def noise(number: int) -> torch.Tensor:
    """The noise of draw `number`: fixed numbers of about unit variance."""
    at = torch.arange(CELLS, dtype=torch.float64)
    return math.sqrt(2) * torch.cos(1.7 * at * (number + 1) + 0.9 * number)


def begin(sigma: float) -> torch.Tensor:
    """The latent that all start from."""
    return math.sqrt(sigma**2 + DEVIATION**2) * noise(100)


def denoised(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """The ideal estimate for pictures whose cells are N(0, DEVIATION^2)."""
    return x * (DEVIATION**2 / (DEVIATION**2 + sigma**2))


class Draws:
    """Noise by draw. Over a second interval from the same start it is that of one Brownian path in sigma."""

    def __init__(self) -> None:
        """Begin with the first draw."""
        self.count = 0
        self._last: tuple[float, float, torch.Tensor] | None = None

    def next(self, *_: Any) -> torch.Tensor:
        """The next draw."""
        self.count += 1
        return noise(self.count - 1)

    def between(self, sigma: Any, target: Any) -> torch.Tensor:
        """Noise of the path from `sigma` to `target`, of unit variance."""
        sigma, target = float(sigma), float(target)
        drawn = self.next()
        if self._last is not None and self._last[0] == sigma:
            _, middle, first = self._last
            path = math.sqrt(sigma - middle) * first + math.sqrt(middle - target) * drawn
            return path / math.sqrt(sigma - target)
        self._last = (sigma, target, drawn)
        return drawn


def sampling(folder: Path) -> Any:
    """k-diffusion's sampling.py."""
    package = ModuleType("k_diffusion")
    package.__path__ = [str(folder / "k_diffusion")]
    utils: Any = ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, dims: x[(...,) + (None,) * (dims - x.ndim)]
    odes: Any = ModuleType("torchdiffeq")
    odes.odeint = None
    bars: Any = ModuleType("tqdm.auto")
    bars.trange = lambda n, **_: range(n)
    bars.tqdm = _Bar
    package.utils = utils  # type: ignore[attr-defined]
    sys.modules |= {
        "k_diffusion": package, "k_diffusion.utils": utils, "torchdiffeq": odes, "torchsde": ModuleType("torchsde"),
        "tqdm.auto": bars,
    }  # fmt: skip
    spec = importlib.util.spec_from_file_location("k_diffusion.sampling", folder / "k_diffusion/sampling.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["k_diffusion.sampling"] = module
    spec.loader.exec_module(module)
    return module


class _Bar:
    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, *_: Any) -> None:
        """Nothing is shown."""


CASES: tuple[tuple[str, str, int, dict[str, float]], ...] = (
    ("euler", "sample_euler", 7, {}),
    ("euler", "sample_euler", 7, {"s_churn": 2.0, "s_tmin": 0.2, "s_noise": 1.1}),
    ("heun", "sample_heun", 7, {}),
    ("heun", "sample_heun", 7, {"s_churn": 4.0, "s_tmin": 0.5}),
    ("dpm2", "sample_dpm_2", 7, {}),
    ("dpm2", "sample_dpm_2", 7, {"s_churn": 1.0, "s_tmin": 0.1}),
    ("lms", "sample_lms", 9, {}),
    ("dpmpp_2m", "sample_dpmpp_2m", 20, {}),
    ("euler_a", "sample_euler_ancestral", 7, {"eta": 0.8}),
    ("dpm2_a", "sample_dpm_2_ancestral", 7, {"eta": 0.6, "s_noise": 1.2}),
    ("dpmpp_2s_a", "sample_dpmpp_2s_ancestral", 7, {}),
    ("dpmpp_2s_a", "sample_dpmpp_2s_ancestral", 7, {"eta": 0.0}),
    ("dpmpp_2s_a", "sample_dpmpp_2s_ancestral", 7, {"eta": 0.4, "s_noise": 0.9}),
    ("dpmpp_sde", "sample_dpmpp_sde", 7, {}),
    ("dpmpp_sde", "sample_dpmpp_sde", 7, {"eta": 0.0}),
    ("dpmpp_sde", "sample_dpmpp_sde", 7, {"eta": 0.5, "s_noise": 1.1}),
    ("dpmpp_2m_sde", "sample_dpmpp_2m_sde", 20, {"eta": 0.5}),
    ("dpmpp_2m_sde_heun", "sample_dpmpp_2m_sde", 20, {}),
    ("dpmpp_2m_sde_heun", "sample_dpmpp_2m_sde", 20, {"eta": 0.5}),
    ("dpmpp_3m_sde", "sample_dpmpp_3m_sde", 7, {}),
    ("dpmpp_3m_sde", "sample_dpmpp_3m_sde", 7, {"eta": 0.0}),
    ("dpmpp_3m_sde", "sample_dpmpp_3m_sde", 7, {"eta": 0.3, "s_noise": 1.1}),
    *(("dpm_fast", "sample_dpm_fast", steps, {}) for steps in (1, 2, 3, 4, 5, 6, 10)),
    ("dpm_fast", "sample_dpm_fast", 11, {"eta": 0.7, "s_noise": 1.1}),
    ("dpm_adaptive", "sample_dpm_adaptive", 10, {}),
    ("dpm_adaptive", "sample_dpm_adaptive", 10, {"eta": 0.5}),
)
"""(ours, theirs, steps, settings). The two solvers that space levels themselves end at the lowest, where one more
estimate is taken, as here: for them `steps` counts that one."""


def main(folder: Path) -> None:
    """Write the numbers."""
    theirs = sampling(folder)
    draws = Draws()
    torch.randn_like = lambda like: draws.next()  # type: ignore[assignment]
    torch.set_default_dtype(torch.float64)
    cases = []
    for ours, name, steps, settings in CASES:
        draws = Draws()
        levels = theirs.get_sigmas_karras(steps, 0.03, 12.0)
        model = lambda x, sigma: denoised(x, sigma[0])  # noqa: E731
        x = begin(12.0)[None]
        if name in ("sample_dpm_fast", "sample_dpm_adaptive"):
            extra = {"n": steps - 1} if name == "sample_dpm_fast" else {}
            drawn = draws.next
            end = x if extra.get("n") == 0 else getattr(theirs, name)(
                model, x, 0.03, 12.0, **extra, **settings, disable=True, noise_sampler=drawn
            )  # fmt: skip
            end = denoised(end, 0.03 if steps > 1 else 12.0)
        else:
            drawn = draws.between if name == "sample_dpmpp_sde" else draws.next
            takes = inspect.signature(getattr(theirs, name)).parameters
            fresh: dict[str, Any] = {"noise_sampler": drawn} if "noise_sampler" in takes else {}
            fresh |= {"solver_type": "heun"} if ours.endswith("_heun") else {}
            end = getattr(theirs, name)(model, x, levels, **settings, disable=True, **fresh)
        cases.append({"sampler": ours, "steps": steps, "settings": settings, "end": end[0].tolist()})
    scheduled = {
        "karras": theirs.get_sigmas_karras(9, 0.03, 12.0, rho=5.0).tolist(),
        "polyexponential": theirs.get_sigmas_polyexponential(9, 0.03, 12.0, rho=1.7).tolist(),
    }
    NUMBERS.write_text(json.dumps({"samplers": cases, "levels": scheduled}, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
