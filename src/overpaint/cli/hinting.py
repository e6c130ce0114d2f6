"""The options of what is selected in a picture, which verbs share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

_AGAIN = "May be given again."

SelectNames = Annotated[
    tuple[str, ...],
    Parameter(
        help="Find it: faces, subject, background, text, scratches, lines, spots, sam, grabcut, colour, edges "
        f"('overpaint mask selectors' says more). {_AGAIN}",
        metavar="NAME",
    ),
]
SelectTexts = Annotated[
    tuple[str, ...],
    Parameter(
        help="Find it by words: 'the red car'; without --select by what understands them best of what is here. With "
        f"--select text: lines of lettering that have these words in them. {_AGAIN}",
        metavar="TEXT",
    ),
]
Points = Annotated[
    tuple[str, ...],
    Parameter(
        help="A point on the thing, in pixels or per cent; without --select it is found by a network where one is here "
        f"(sam), else by colours and edges. {_AGAIN}",
        metavar="X,Y",
        allow_leading_hyphen=True,
    ),
]
NotPoints = Annotated[
    tuple[str, ...],
    Parameter(help=f"A point that is not on it. {_AGAIN}", metavar="X,Y", allow_leading_hyphen=True),
]
SelectBoxes = Annotated[
    tuple[str, ...],
    Parameter(
        help=f"A box around the thing that is to be found. {_AGAIN}", metavar="L,T,R,B", allow_leading_hyphen=True
    ),
]
Pick = Annotated[
    int | None,
    Parameter(help="One of several selections, by its number from 0; left out, all of them.", metavar="N"),
]
SelectOptions = Annotated[
    tuple[str, ...],
    Parameter(help=f"An option of what finds it, such as tolerance=20. {_AGAIN}", metavar="KEY=VALUE"),
]
