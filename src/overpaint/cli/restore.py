"""`overpaint restore`: the faces of pictures, restored by a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .options import HOW, AllowPickle, DeviceName, Inputs
from .whole import WHOLE_UNSET, WholeOut, WholeResult, WholeWork, work_on

if TYPE_CHECKING:
    from overpaint.engines import Monitor
    from overpaint.picture import Picture


def restore(
    *pictures: Inputs,
    model: Annotated[str, Parameter(group=HOW, metavar="FILE")],
    weight: Annotated[float, Parameter(group=HOW, metavar="0-1", show_default="1")] = 1.0,
    detector: Annotated[Path | None, Parameter(group=HOW, metavar="FILE", show_default="by the cascade")] = None,
    device: DeviceName = "auto",
    allow_pickle: AllowPickle = False,
    out: WholeOut = WHOLE_UNSET,
) -> int:
    """Restore the faces of a picture by a network; all that is no face stays as it is.

    [dim]$[/] overpaint restore photo.jpg --model RestoreFormer.safetensors
    [dim]$[/] overpaint restore photo.jpg --model GFPGANv1.4.pth --allow-pickle --weight 0.6

    Args:
        model: GFPGAN or RestoreFormer, in a file (extra restore).
        weight: 0 leaves faces as they are, 1 takes what the network makes of them.
        detector: The file of YuNet, which finds turned faces too.
    """
    from overpaint.restore import load_face_network, restore_faces

    network = load_face_network(model, allow_pickle=allow_pickle, device=device)

    def make(picture: Picture, monitor: Monitor) -> WholeResult:
        made = restore_faces(picture, network, weight=weight, detector=detector, monitor=monitor)
        count = f"{made.faces} face{'' if made.faces == 1 else 's'}"
        facts = {"faces": made.faces, "by": network.name, "weight": weight}
        return WholeResult(made.picture, f"restored {count} ({network.name})", facts, made.notes)

    return work_on(pictures, WholeWork("restore", lambda picture: picture.size, make), out)
