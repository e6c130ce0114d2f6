"""The options that verbs share, as the values that the parser fills in: where, out, and how to run.

Those of the request's own fields (`--strength`, `--prompt`, ...) are made from the request's model in `fields`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from overpaint.doors.extension import Anchor, Extension
from overpaint.doors.places import Channel as ChannelName
from overpaint.doors.places import Places

PICTURE = Group("Picture", sort_key=0)
MASK = Group("Mask", sort_key=0)
REQUEST = Group("Request", sort_key=0.5)
WHERE = Group("Where", sort_key=1)
HOW = Group("How", sort_key=2)
MODEL = Group("With a model", sort_key=3, help="For engines that take a prompt; the others leave these alone.")
RUN = Group("Run", sort_key=4)
OUT = Group("Out", sort_key=5)

FORMATS = "png, jpeg, webp, tiff or avif; with the extra heif also heif"
"""The formats that can be written, for the help, which must not load an imaging library."""

RecordPlace = Literal["embed", "sidecar", "none"]
Device = Literal["auto", "cpu", "cuda", "mps"]

Input = Annotated[str, Parameter(name="PICTURE", help="The picture; - reads it from standard input.", group=PICTURE)]
Inputs = Annotated[
    str,
    Parameter(name="PICTURE", help="The picture, or several; - reads standard input.", group=PICTURE),
]

Masks = Annotated[
    tuple[str, ...],
    Parameter(
        name="--mask",
        metavar="FILE",
        help="A mask: white is repainted. An image, or COCO, LabelMe or CVAT annotations; 'alpha' takes the picture's "
        "own transparency, 'full' all of it. May be given again; what any of them marks counts.",
        group=WHERE,
    ),
]
Boxes = Annotated[
    tuple[str, ...],
    Parameter(
        name="--box",
        metavar="L,T,R,B",
        allow_leading_hyphen=True,
        help="A rectangle: left, top, right and bottom in pixels or per cent (10%,20%,30%,40%). May be given again.",
        group=WHERE,
    ),
]
Ellipses = Annotated[
    tuple[str, ...],
    Parameter(
        name="--ellipse",
        metavar="L,T,R,B",
        allow_leading_hyphen=True,
        help="An ellipse in that box. May be given again.",
        group=WHERE,
    ),
]
Polygons = Annotated[
    tuple[str, ...],
    Parameter(
        name="--polygon",
        metavar="'X,Y X,Y ...'",
        allow_leading_hyphen=True,
        help="A polygon through these points, in one string. May be given again.",
        group=WHERE,
    ),
]
MaskFile = Annotated[
    str,
    Parameter(name="MASK", help="An image, or COCO, LabelMe or CVAT annotations; - reads standard input.", group=MASK),
]
Channel = Annotated[
    ChannelName,
    Parameter(
        name="--mask-channel",
        metavar="NAME",
        help="What counts in a mask file that has alpha: its light, what is opaque, or what is transparent.",
        group=WHERE,
    ),
]
Label = Annotated[
    str | None,
    Parameter(
        name="--mask-label", metavar="NAME", help="Of annotations, take only the shapes of this label.", group=WHERE
    ),
]
About = Annotated[
    str | None,
    Parameter(
        name="--mask-picture",
        metavar="NAME",
        help="Of annotations of several pictures, the one that is meant.",
        group=WHERE,
    ),
]
Overwrite = Annotated[
    bool, Parameter(name="--overwrite", negative=(), help="Replace files that exist already.", group=OUT)
]
AsJson = Annotated[
    bool, Parameter(name="--json", negative=(), help="One JSON object on standard output, for programs.", group=OUT)
]
Quiet = Annotated[
    bool, Parameter(name=("--quiet", "-q"), negative=(), help="No progress bar and no summary.", group=OUT)
]
Debug = Annotated[
    bool,
    Parameter(
        name="--debug",
        negative=(),
        help="Show where in the program an error came from (so does OVERPAINT_DEBUG=1).",
        group=OUT,
    ),
]
Option = Annotated[
    tuple[str, ...],
    Parameter(
        name="--option",
        metavar="KEY=VALUE",
        help="An option that this engine alone knows ('overpaint engines' lists them). May be given again.",
        group=HOW,
    ),
]
DeviceName = Annotated[
    Device, Parameter(name="--device", metavar="NAME", help="Where engines with weights compute.", group=RUN)
]
Threads = Annotated[
    int | None, Parameter(name="--threads", metavar="N", help="How many processor threads to use.", group=RUN)
]
AllowPickle = Annotated[
    bool,
    Parameter(
        name="--allow-pickle",
        negative=(),
        help="Take a .ckpt checkpoint too: its weights alone are read, and no code in it is run.",
        group=RUN,
    ),
]


@dataclass(frozen=True, slots=True)
class Where(Places):
    """Which part of the picture."""

    mask: Masks = ()
    box: Boxes = ()
    ellipse: Ellipses = ()
    polygon: Polygons = ()
    mask_channel: Channel = "auto"
    mask_label: Label = None
    mask_picture: About = None
    mask_resize: Annotated[
        bool,
        Parameter(
            name="--mask-resize",
            negative=(),
            help="Resize a mask file of another size, if its sides are in proportion.",
            group=WHERE,
        ),
    ] = False
    invert: Annotated[
        bool, Parameter(name="--invert", negative=(), help="Turn the mask round: repaint all the rest.", group=WHERE)
    ] = False


@dataclass(frozen=True, slots=True)
class Bounds(Extension):
    """How far the picture is extended."""

    left: Annotated[
        str | None, Parameter(name="--left", metavar="PX|%", help="Pixels, or % of the width, to add.", group=WHERE)
    ] = None
    top: Annotated[
        str | None, Parameter(name="--top", metavar="PX|%", help="Pixels, or % of the height, to add.", group=WHERE)
    ] = None
    right: Annotated[
        str | None, Parameter(name="--right", metavar="PX|%", help="Pixels, or % of the width, to add.", group=WHERE)
    ] = None
    bottom: Annotated[
        str | None, Parameter(name="--bottom", metavar="PX|%", help="Pixels, or % of the height, to add.", group=WHERE)
    ] = None
    to: Annotated[str | None, Parameter(name="--to", metavar="WxH", help="Grow to this size instead.", group=WHERE)] = (
        None
    )
    aspect: Annotated[
        str | None,
        Parameter(name="--aspect", metavar="W:H", help="Grow to this aspect ratio instead: 16:9.", group=WHERE),
    ] = None
    anchor: Annotated[
        Anchor,
        Parameter(
            name="--anchor",
            metavar="SIDE",
            help="Where the old picture sits in the new one, with --to or --aspect.",
            group=WHERE,
        ),
    ] = "center"


@dataclass(frozen=True, slots=True)
class Run:
    """How an edit runs: sketch, the engine's own options, variations, device."""

    scene: Annotated[
        bool,
        Parameter(
            name="--scene",
            negative=(),
            help="Add to the prompt what the picture says of its light and lens.",
            group=HOW,
        ),
    ] = False
    sketch: Annotated[
        str | None,
        Parameter(
            name="--sketch",
            metavar="FILE",
            help="Strokes with transparency, laid over the picture before it is painted.",
            group=HOW,
        ),
    ] = None
    option: Option = ()
    variations: Annotated[
        int,
        Parameter(
            name=("--variations", "-n"),
            metavar="N",
            help="Paint N times with seed, seed + 1, ...; files NAME-1, NAME-2, ..., and all on NAME-sheet.",
            group=RUN,
        ),
    ] = 1
    device: DeviceName = "auto"
    threads: Threads = None
    allow_pickle: AllowPickle = False


@dataclass(frozen=True, slots=True)
class Out:
    """Where results go, and what is written beside them."""

    output: Annotated[
        str | None,
        Parameter(
            name=("--output", "-o"),
            metavar="OUT",
            help="The result; - writes it to standard output. For several: a folder, or a name with {name}. Left out: "
            "NAME.VERB.EXT beside the picture.",
            group=OUT,
        ),
    ] = None
    overwrite: Overwrite = False
    format: Annotated[
        str | None,
        Parameter(
            name="--format",
            metavar="NAME",
            help=f"{FORMATS}. Left out: by the name of OUT, else as the picture.",
            group=OUT,
        ),
    ] = None
    quality: Annotated[
        int | None,
        Parameter(
            name="--quality",
            metavar="1-100",
            help="For JPEG, WebP and AVIF. Left out: JPEG as the picture, the others without loss.",
            group=OUT,
        ),
    ] = None
    compare: Annotated[
        str | None,
        Parameter(name="--compare", metavar="OUT.png", help="Also before, mask and after side by side.", group=OUT),
    ] = None
    sheet: Annotated[
        bool | None,
        Parameter(
            name="--sheet",
            negative="--no-sheet",
            help="With --variations, also a contact sheet NAME-sheet with the seed under each; --no-sheet makes none.",
            show_default="yes, for 2 or more",
            group=OUT,
        ),
    ] = None
    layers: Annotated[
        str | None,
        Parameter(name="--layers", metavar="OUT.psd", help="Also a layered file: original, patch and mask.", group=OUT),
    ] = None
    record: Annotated[
        RecordPlace,
        Parameter(
            name="--record",
            help="How the picture was made: within the file, beside it, or nowhere.",
            group=OUT,
        ),
    ] = "embed"
    audit: Annotated[
        str | None,
        Parameter(
            name="--audit",
            metavar="PATH",
            help="Also append a record to this audit log ('overpaint audit verify PATH' checks it).",
            group=OUT,
        ),
    ] = None
    private: Annotated[
        bool,
        Parameter(
            name="--private",
            negative=(),
            help="Keep prompts out of the audit log, but for their hashes, and any record out of the picture.",
            group=OUT,
        ),
    ] = False
    json: AsJson = False
    quiet: Quiet = False
    debug: Debug = False
