"""The import of spandrel (extra restore) without torchvision.

spandrel imports three names of torchvision, of which one is called, by RestoreFormer. Where torchvision is not
installed, stand-ins take their place for the import alone, as other packages look for torchvision and would take them
for it.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_FUNCTIONAL = "torchvision.transforms.functional"
_LOCK = threading.Lock()


@contextmanager
def torchvision_stood_in() -> Iterator[None]:
    """Within the block there is something to import by torchvision's name."""
    names = ["torchvision", "torchvision.transforms", _FUNCTIONAL]
    with _LOCK:
        if names[0] in sys.modules or importlib.util.find_spec(names[0]) is not None:
            yield
            return
        made = {name: ModuleType(name) for name in names}
        vars(made[_FUNCTIONAL]).update(InterpolationMode=None, rotate=None, normalize=normalised)
        sys.modules.update(made)
        try:
            yield
        finally:
            for name in names:
                sys.modules.pop(name, None)


def normalised(image: Any, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Any:
    """A tensor (..., C, H, W) less the mean of each channel, over its deviation."""
    import torch

    centre, spread = (
        torch.as_tensor(one, dtype=image.dtype, device=image.device)[:, None, None] for one in (mean, std)
    )
    return image.sub_(centre).div_(spread) if inplace else (image - centre) / spread
