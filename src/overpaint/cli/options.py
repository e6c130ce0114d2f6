"""Options that verbs share, as dataclasses that the parser fills in. Their attributes' lines are the help.

The options of a request's fields (`--strength`, `--prompt`, ...) are made from its model in `fields`.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import fields as fields_of
from typing import Annotated, Any, Literal

from cyclopts import App, Group, Parameter

from overpaint.doors.controls import ControlInput, control_inputs
from overpaint.doors.extension import Anchor, Extension
from overpaint.doors.places import Channel as ChannelName
from overpaint.doors.places import Places, RegionPlaces

from .hinting import NotPoints, Pick, Points, SelectBoxes, SelectNames, SelectOptions, SelectTexts
from .texts import help_text

PICTURE = Group("Picture", sort_key=0)
MASK = Group("Mask", sort_key=0)
REQUEST = Group("Request", sort_key=0.5)
WHERE = Group("Where", sort_key=1)
WITHOUT = Group("Without a model", sort_key=1.5)
HOW = Group("How", sort_key=2)
MODEL = Group("With a model", sort_key=3, help="For engines that take a prompt; the others leave these alone.")
RUN = Group("Run", sort_key=4)
OUT = Group("Out", sort_key=5)

FORMATS = "png, jpeg, webp, tiff or avif; with the extra heif also heif"
"""The formats that can be written, for the help, which must not load an imaging library."""


def verb_group(name: str, about: str, *examples: str) -> App:
    """A verb that has verbs of its own: what they do, and examples."""
    return App(
        name=name,
        usage=f"Usage: overpaint {name} VERB ...",
        group_commands=Group("Verbs", sort_key=0),
        help=help_text(about, examples),
    )


def argument(
    name: str | tuple[str, ...], help: str, group: Group, metavar: str | None = None, **more: Any
) -> Parameter:
    """An option or argument as the help shows it, with `metavar` in the place of its value."""
    return Parameter(name=name, help=help, group=group, metavar=metavar, **more)


def flattened(group: Group) -> Parameter:
    """A decorator for a class of options: in this panel unless they name another; switches have no `--no-` form."""
    return Parameter(name="*", group=group, negative_bool=())


def switch(name: str | tuple[str, ...], help: str, group: Group, **more: Any) -> Parameter:
    """A switch without a `--no-` form."""
    return Parameter(name=name, help=help, group=group, negative=(), **more)


Device = Literal["auto", "cpu", "cuda", "mps"]

Input = Annotated[str, argument("PICTURE", "The picture; - reads it from standard input.", PICTURE)]
Inputs = Annotated[str, argument("PICTURE", "The picture, or several; - reads standard input.", PICTURE)]

Shapes = Annotated[tuple[str, ...], Parameter(allow_leading_hyphen=True)]
MaskFile = Annotated[
    str, argument("MASK", "An image, or COCO, LabelMe or CVAT annotations; - reads standard input.", MASK)
]
Channel = Annotated[
    ChannelName,
    argument(
        "--mask-channel",
        "What counts in a mask file with alpha: its luminance, its opaque part or its transparent part.",
        WHERE,
        "NAME",
    ),
]
Label = Annotated[
    str | None, argument("--mask-label", "For annotations: take only the shapes with this label.", WHERE, "NAME")
]
About = Annotated[
    str | None,
    argument("--mask-picture", "For annotations of several pictures: the file name of this one.", WHERE, "NAME"),
]
Resize = Annotated[
    bool, switch("--mask-resize", "Resize a mask file of another size, if its sides are in proportion.", WHERE)
]
Overwrite = Annotated[bool, switch("--overwrite", "Replace files that exist already.", OUT)]
AsJson = Annotated[bool, switch("--json", "One JSON object on standard output, for programs.", OUT)]
Quiet = Annotated[bool, switch(("--quiet", "-q"), "No progress bar and no summary.", OUT)]
Debug = Annotated[
    bool, switch("--debug", "Show where in the program an error came from (so does OVERPAINT_DEBUG=1).", OUT)
]
Option = Annotated[
    tuple[str, ...],
    argument(
        "--option",
        "An option that this engine alone knows ('overpaint engines' lists them). May be given again.",
        HOW,
        "KEY=VALUE",
    ),
]
Controls = Annotated[
    tuple[str, ...],
    argument(
        "--control",
        "What guides a model beside the prompt: canny, lineart, scribble, softedge, depth, openpose, tile, inpaint. "
        "Its map is made from the picture, or is that of a file (lineart=hand.png). reference=FILE: a picture to paint "
        "after. After a colon: "
        "model=NAME,weight=0.8,start=0,end=0.6,mode=control. May be given again.",
        MODEL,
        "KIND[=FILE]",
    ),
]
RegionPrompts = Annotated[
    tuple[str, ...],
    argument(
        "--region-prompt",
        "A prompt for a part of the picture, where --prompt does not hold then: a mask file or L,T,R,B, =, the "
        "text. May be given again, 8 times at most; PLACE:1.5=TEXT weighs it where parts overlap.",
        MODEL,
        "PLACE=TEXT",
        allow_leading_hyphen=True,
    ),
]
Quality = Annotated[
    int | None,
    argument(
        "--quality", "For JPEG, WebP and AVIF. Left out: JPEG as the picture, the others without loss.", OUT, "1-100"
    ),
]
MaxPixels = Annotated[
    int | None,
    Parameter(help="Refuse pictures and masks with more pixels than this.", metavar="N", show_default="200000000"),
]
DeviceName = Annotated[Device, argument("--device", "Where engines with weights compute.", RUN, "NAME")]
Threads = Annotated[int | None, argument("--threads", "How many processor threads to use.", RUN, "N")]
Server = Annotated[str | None, argument("--server", "Paint on this server (or that of OVERPAINT_SERVER).", RUN, "URL")]
KeyFile = Annotated[str | None, argument("--key-file", "Its key, in a file that only you can read.", RUN, "FILE")]
AllowPickle = Annotated[
    bool,
    switch(
        "--allow-pickle",
        "Take pickles (.ckpt, .pth) too, whose weights alone are read, and erasers that are TorchScript programs "
        "(.pt), whose code is run.",
        RUN,
    ),
]


@flattened(WHERE)
@dataclass(frozen=True, slots=True)
class Where(Places):
    """Which part of the picture.

    Attributes:
        ellipse: An ellipse in that box. May be given again.
        polygon: A polygon through these points, in one string. May be given again.
        invert: Invert the mask: repaint all the rest.
    """

    mask: Annotated[
        tuple[str, ...],
        Parameter(
            help="A mask: white is repainted. An image, or COCO, LabelMe or CVAT annotations; 'alpha' takes the "
            "picture's own transparency, 'full' all of it. May be given again; the union counts.",
            metavar="FILE",
        ),
    ] = ()
    box: Annotated[
        Shapes,
        Parameter(
            help="A rectangle: left, top, right, bottom in pixels or per cent (10%,20%,30%,40%). May be given again.",
            metavar="L,T,R,B",
        ),
    ] = ()
    ellipse: Annotated[Shapes, Parameter(metavar="L,T,R,B")] = ()
    polygon: Annotated[Shapes, Parameter(metavar="'X,Y X,Y ...'")] = ()
    mask_channel: Channel = "auto"
    mask_label: Label = None
    mask_picture: About = None
    mask_resize: Resize = False
    invert: bool = False
    blurred: Annotated[tuple[float, float] | None, Parameter(parse=False)] = None
    select: SelectNames = ()
    select_text: SelectTexts = ()
    point: Points = ()
    not_point: NotPoints = ()
    select_box: SelectBoxes = ()
    select_option: SelectOptions = ()
    pick: Pick = None


@flattened(WHERE)
@dataclass(frozen=True, slots=True)
class Bounds(Extension):
    """How far the picture is extended.

    Attributes:
        left: Pixels, or % of the width, to add.
        top: Pixels, or % of the height, to add.
        right: Pixels, or % of the width, to add.
        bottom: Pixels, or % of the height, to add.
        to: Grow to this size instead.
        aspect: Grow to this aspect ratio instead: 16:9.
        anchor: Where the old picture sits in the new one, with --to or --aspect.
    """

    left: Annotated[str | None, Parameter(metavar="PX|%")] = None
    top: Annotated[str | None, Parameter(metavar="PX|%")] = None
    right: Annotated[str | None, Parameter(metavar="PX|%")] = None
    bottom: Annotated[str | None, Parameter(metavar="PX|%")] = None
    to: Annotated[str | None, Parameter(metavar="WxH")] = None
    aspect: Annotated[str | None, Parameter(metavar="W:H")] = None
    anchor: Annotated[Anchor, Parameter(metavar="SIDE")] = "center"


@flattened(WITHOUT)
@dataclass(frozen=True, slots=True)
class NoInsert:
    """A verb that puts no picture in."""

    insert: Annotated[str | None, Parameter(parse=False)] = None
    insert_mask: Annotated[str | None, Parameter(parse=False)] = None

    @property
    def options(self) -> dict[str, Any]:
        """The options of the intent's own engine that were given."""
        shared = ("insert", "insert_mask")
        given = {one.name: getattr(self, one.name) for one in fields_of(self) if one.name not in shared}
        return {name: value for name, value in given.items() if value is not None and value is not False}


Match = Annotated[
    float | None,
    argument(
        "--match", "How far its exposure and colour cast follow the picture's.", WITHOUT, "0-1", show_default="0.5"
    ),
]


@flattened(WITHOUT)
@dataclass(frozen=True, slots=True)
class NewBackground(NoInsert):
    """The background, where no model paints it.

    Attributes:
        colour: One colour: white, "dark green", #f4f4f4.
        gradient: Two or more colours from top to bottom: "#fff:#ccc".
        angle: Turns the gradient clockwise, in degrees.
        blur: The old background out of focus; the radius of the lens's disc.
        transparent: No background; the result has alpha.
    """

    colour: Annotated[str | None, Parameter(name="--color", alias="--colour", metavar="COLOUR")] = None
    gradient: Annotated[str | None, Parameter(metavar="FROM:TO")] = None
    angle: Annotated[float | None, Parameter(metavar="DEGREES", show_default="0")] = None
    blur: Annotated[float | None, Parameter(metavar="PX")] = None
    transparent: bool = False
    insert: Annotated[
        str | None, argument("--with", "A picture of your own, cropped to cover the whole.", WITHOUT, "FILE")
    ] = None
    match: Match = None
    shadow: Annotated[
        float | None,
        argument(
            "--shadow", "Darkness of a shadow where the subject touches the ground.", WITHOUT, "0-1", show_default="0"
        ),
    ] = None


@flattened(WITHOUT)
@dataclass(frozen=True, slots=True)
class AnyInsert(NoInsert):
    """A picture to put in."""

    insert: Annotated[
        str | None,
        argument("--with", "The object: a PNG with alpha, or any picture with --with-mask.", WITHOUT, "FILE"),
    ] = None
    insert_mask: Annotated[
        str | None, argument("--with-mask", "A mask of that picture: white marks the object.", WITHOUT, "FILE")
    ] = None


@flattened(WITHOUT)
@dataclass(frozen=True, slots=True)
class NewColour(NoInsert):
    """The colour, where no model paints it.

    Attributes:
        to: The new colour: navy, "dark green", "#1e66d0". Left out, that of --with, or of the prompt.
        only: The colour that changes, of an object that has several.
        tone: As light as the new colour is, or as light as it was.
    """

    to: Annotated[str | None, Parameter(metavar="COLOUR")] = None
    insert: Annotated[
        str | None, argument("--with", "A picture that has the new colour, such as a swatch.", WITHOUT, "FILE")
    ] = None
    insert_mask: Annotated[
        str | None,
        argument("--with-mask", "A mask of that picture: white marks what has the colour.", WITHOUT, "FILE"),
    ] = None
    only: Annotated[str | None, Parameter(metavar="COLOUR", show_default="its leading one")] = None
    tone: Annotated[Literal["match", "keep"] | None, Parameter(show_default="match")] = None


@flattened(WITHOUT)
@dataclass(frozen=True, slots=True)
class NewObject(AnyInsert):
    """The object, where no model paints it."""

    match: Match = None
    shadow: Annotated[
        float | None,
        argument("--shadow", "Darkness of the shadow where it touches the ground.", WITHOUT, "0-1", show_default="0.7"),
    ] = None


@flattened(RUN)
@dataclass(frozen=True, slots=True)
class Run:
    """How an edit runs: what it avoids, prompts for parts, sketch, the engine's own options, variations, device.

    Attributes:
        scene: Add words about the picture's light and lens to the prompt.
        sketch: Strokes with transparency, laid over the picture before it is painted.
        variations: Paint N times with seed, seed + 1, ...; files NAME-1, NAME-2, ..., and all on NAME-sheet.
    """

    avoid: Annotated[
        tuple[str, ...],
        argument(
            "--avoid",
            "A mask of what must not be copied, such as a person beside the hole. Read as --mask is; may be given "
            "again.",
            WHERE,
            "FILE",
        ),
    ] = ()
    avoid_box: Annotated[
        Shapes,
        argument(
            "--avoid-box",
            "A rectangle that must not be copied. May be given again.",
            WHERE,
            "L,T,R,B",
            allow_leading_hyphen=True,
        ),
    ] = ()
    region_prompt: RegionPrompts = ()
    scene: Annotated[bool, Parameter(group=HOW)] = False
    sketch: Annotated[str | None, Parameter(metavar="FILE", group=HOW)] = None
    option: Option = ()
    control: Controls = ()
    variations: Annotated[int, Parameter(alias="-n", metavar="N")] = 1
    server: Server = None
    key_file: KeyFile = None
    device: DeviceName = "auto"
    threads: Threads = None
    allow_pickle: AllowPickle = False
    max_pixels: MaxPixels = None

    @property
    def avoided(self) -> Places:
        """What must not be copied."""
        return Places(mask=self.avoid, box=self.avoid_box)

    @property
    def regions(self) -> tuple[RegionPlaces, ...]:
        """Regional prompts with their places."""
        return region_prompts(self.region_prompt)

    @property
    def mask_files(self) -> tuple[str, ...]:
        """Mask files of what is avoided and of regional prompts."""
        return (*self.avoided.files, *(file for one in self.regions for file in one.places.files))

    @property
    def controls(self) -> tuple[ControlInput, ...]:
        """What guides the engine. RequestError where one is not written as it should be."""
        return control_inputs(self.control)


@flattened(OUT)
@dataclass(frozen=True, slots=True)
class Printed:
    """What is printed."""

    json: AsJson = False
    quiet: Quiet = False
    debug: Debug = False


@flattened(OUT)
@dataclass(frozen=True, slots=True)
class Written:
    """How a file is written, what is printed, and what is too large to be read."""

    overwrite: Overwrite = False
    max_pixels: MaxPixels = None
    json: AsJson = False
    quiet: Quiet = False
    debug: Debug = False


def region_prompts(texts: tuple[str, ...]) -> tuple[RegionPlaces, ...]:
    """Regional prompts as the command line has them. RequestError where one is not written as it should be."""
    return tuple(RegionPlaces.of(one, "region_prompt") for one in texts)


NO_INSERT = NoInsert()
WHERE_UNSET, PRINTED_UNSET, WRITTEN_UNSET = Where(), Printed(), Written()
