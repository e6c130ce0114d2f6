"""`overpaint enlarge`: pictures at a larger size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .options import HOW, Inputs
from .result_options import RESULT_OUT, ResultOut
from .whole import WHOLE_RUN, WholeRun, work_on

if TYPE_CHECKING:
    from overpaint.studio import Enhancer


def enlarge(
    *pictures: Inputs,
    scale: Annotated[float | None, Parameter(group=HOW, metavar="TIMES", show_default="2")] = None,
    width: Annotated[int | None, Parameter(group=HOW, metavar="PX")] = None,
    height: Annotated[int | None, Parameter(group=HOW, metavar="PX")] = None,
    model: Annotated[str | None, Parameter(group=HOW, metavar="NAME|FILE")] = None,
    run: WholeRun = WHOLE_RUN,
    out: ResultOut = RESULT_OUT,
) -> int:
    """Make a picture larger: by filters that the photo itself teaches, or by a network of yours.

    [dim]$[/] overpaint enlarge photo.jpg --scale 2
    [dim]$[/] overpaint enlarge photo.jpg --width 3000 -o large.png
    [dim]$[/] overpaint enlarge photo.jpg --model RealESRGAN_x4plus.safetensors

    Args:
        scale: How many times as wide and as high, up to 16.
        width: As wide as this, and no higher than --height says.
        height: As high as this, and no wider than --width says.
        model: A network that enlarges: Real-ESRGAN, SwinIR and others that spandrel reads (extra restore).
    """

    def ready() -> Enhancer:
        from overpaint.studio import EnlargeSettings

        settings = EnlargeSettings(scale=scale, width=width, height=height, model=model)
        return settings.ready(run.source)

    return work_on(pictures, "enlarge", ready, out)
