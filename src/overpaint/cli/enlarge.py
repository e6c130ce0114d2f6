"""`overpaint enlarge`: pictures at a larger size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .options import HOW, AllowPickle, DeviceName, Inputs
from .whole import WHOLE_UNSET, WholeOut, WholeResult, WholeWork, work_on

if TYPE_CHECKING:
    from overpaint.engines import Monitor
    from overpaint.geometry import Size
    from overpaint.picture import Picture


def enlarge(
    *pictures: Inputs,
    scale: Annotated[float | None, Parameter(group=HOW, metavar="TIMES", show_default="2")] = None,
    width: Annotated[int | None, Parameter(group=HOW, metavar="PX")] = None,
    height: Annotated[int | None, Parameter(group=HOW, metavar="PX")] = None,
    model: Annotated[str | None, Parameter(group=HOW, metavar="FILE")] = None,
    device: DeviceName = "auto",
    allow_pickle: AllowPickle = False,
    out: WholeOut = WHOLE_UNSET,
) -> int:
    """Make a picture larger: by filters that the photo itself teaches, or by a network of yours.

    [dim]$[/] overpaint enlarge photo.jpg --scale 2
    [dim]$[/] overpaint enlarge photo.jpg --width 3000 -o large.png
    [dim]$[/] overpaint enlarge photo.jpg --model RealESRGAN_x4plus.safetensors

    Args:
        scale: How many times as wide and as high, up to 16.
        width: As wide as this, and no higher than --height says.
        height: As high as this, and no wider than --width says.
        model: A network that enlarges, in a file: Real-ESRGAN, SwinIR and others that spandrel reads (extra restore).
    """
    from overpaint.restore import enlarge as enlarged
    from overpaint.restore import enlarged_size, load_upscaler

    upscaler = None if model is None else load_upscaler(model, allow_pickle=allow_pickle, device=device)

    def size_of(picture: Picture) -> Size:
        return enlarged_size(picture.size, scale=scale, width=width, height=height)

    def make(picture: Picture, monitor: Monitor) -> WholeResult:
        made = enlarged(picture, scale=scale, width=width, height=height, upscaler=upscaler, monitor=monitor)
        done = f"enlarged {made.scale:.3g} times to {made.picture.size} ({made.by})"
        return WholeResult(made.picture, done, {"scale": made.scale, "by": made.by}, made.notes)

    return work_on(pictures, WholeWork("enlarge", size_of, make), out)
