"""`overpaint restore`: the faces of pictures, restored by a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .options import HOW, Inputs
from .result_options import RESULT_OUT, ResultOut
from .whole import WHOLE_RUN, WholeRun, work_on

if TYPE_CHECKING:
    from overpaint.studio import Enhancer


def restore(
    *pictures: Inputs,
    model: Annotated[str | None, Parameter(group=HOW, metavar="NAME|FILE", show_default="the one that is here")] = None,
    weight: Annotated[float, Parameter(group=HOW, metavar="0-1", show_default="1")] = 1.0,
    fidelity: Annotated[float | None, Parameter(group=HOW, metavar="0-1", show_default="0.5")] = None,
    detector: Annotated[
        str | None, Parameter(group=HOW, metavar="NAME|FILE", show_default="YuNet, if it is here")
    ] = None,
    run: WholeRun = WHOLE_RUN,
    out: ResultOut = RESULT_OUT,
) -> int:
    """Restore the faces of a picture by a network; all that is no face stays as it is.

    [dim]$[/] overpaint restore photo.jpg
    [dim]$[/] overpaint restore photo.jpg --model RestoreFormer.safetensors
    [dim]$[/] overpaint restore photo.jpg --model GFPGANv1.4.pth --allow-pickle --weight 0.6

    Args:
        model: GFPGAN, RestoreFormer or CodeFormer (extra restore).
        weight: 0 leaves faces as they are, 1 takes what the network makes of them.
        fidelity: Of CodeFormer alone: 0 restores the most, 1 keeps the most of the face.
        detector: YuNet, which finds turned faces too; none for the cascade.
    """

    def ready() -> Enhancer:
        from overpaint.studio import RestoreSettings

        settings = RestoreSettings(model=model, weight=weight, fidelity=fidelity, detector=detector)
        return settings.ready(run.source)

    return work_on(pictures, "restore", ready, out)
