"""The verbs that change a whole picture: from options to files, one picture after another."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from overpaint.doors.outputs import check_format, check_result_size, check_writable_all
from overpaint.errors import Cancelled, OverpaintError, RequestError

from . import outputs
from .messages import check_words, failed, in_json, note_line
from .options import FORMATS, OUT, MaxPixels, Out, Overwrite, Quality, flattened
from .progress import bar
from .streams import STDIO, as_written, check_one_reader, opened, paths, write_output
from .texts import print_json, visible

if TYPE_CHECKING:
    from overpaint.engines import Monitor
    from overpaint.geometry import Size
    from overpaint.picture import Picture


@flattened(OUT)
@dataclass(frozen=True, slots=True)
class WholeOut:
    """Where results go."""

    output: Annotated[
        str | None,
        Parameter(
            alias="-o",
            help="The result; - writes it to standard output. A name without extension is a folder. For several: that, "
            "or a name with {name}. Left out: NAME.VERB.EXT beside the picture.",
            metavar="OUT",
        ),
    ] = None
    overwrite: Overwrite = False
    format: Annotated[
        str | None, Parameter(help=f"{FORMATS}. Left out: by the name of OUT, else as the picture.", metavar="NAME")
    ] = None
    quality: Quality = None
    max_pixels: MaxPixels = None
    json: Annotated[bool, Parameter(help="One JSON object a picture on standard output, for programs.")] = False
    quiet: Annotated[bool, Parameter(alias="-q", help="No progress bar and no summary.")] = False
    debug: Annotated[
        bool, Parameter(help="Show where in the program an error came from (so does OVERPAINT_DEBUG=1).")
    ] = False

    @property
    def place(self) -> Out:
        """The same as an option of the verbs that paint."""
        return Out(
            output=self.output,
            overwrite=self.overwrite,
            format=self.format,
            quality=self.quality,
            record="none",
            json=self.json,
            quiet=self.quiet,
            debug=self.debug,
        )


WHOLE_UNSET = WholeOut()


@dataclass(frozen=True, slots=True, eq=False)
class WholeResult:
    """What became of one picture.

    Attributes:
        picture: The result.
        done: What was done, for people: "enlarged to 800x600 ...".
        facts: The same for programs.
        notes: For people.
    """

    picture: Picture
    done: str
    facts: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WholeWork:
    """What a verb does.

    Attributes:
        verb: Its name.
        size_of: The size of a picture's result; errors of size come before any work.
        make: Makes it.
    """

    verb: str
    size_of: Callable[[Picture], Size]
    make: Callable[[Picture, Monitor], WholeResult]


def work_on(pictures: tuple[str, ...], work: WholeWork, out: WholeOut) -> int:
    """Make, save and report the result of each picture.

    Returns:
        0, or the exit status of the first picture that failed; the others are done all the same.
    """
    if not pictures:
        raise RequestError(f"{work.verb} needs a picture")
    check_words(pictures)
    outputs.check_options(out.place, 1, len(pictures))
    check_one_reader(pictures)
    status = 0
    written: set[Path] = set()
    for source in pictures:
        try:
            _work_on_one(source, work, out, written, several=len(pictures) > 1)
        except Cancelled:
            raise
        except (OverpaintError, MemoryError) as caught:
            message = f"{as_written(source)}: not enough memory for this picture"
            error = caught if isinstance(caught, OverpaintError) else OverpaintError(message, code="memory-short")
            if out.json:
                print_json({"input": as_written(source)} | in_json(error), one_line=True, finite=True)
            own = failed(error, as_written(source) if len(pictures) > 1 else "", debug=out.debug)
            status = status or own
    return status


def _work_on_one(source: str, work: WholeWork, out: WholeOut, written: set[Path], *, several: bool) -> None:
    from overpaint.picture import encode

    began = time.perf_counter()
    with bar(quiet=out.quiet) as shown:
        picture = opened(source)
        target = outputs.target(picture, work.verb, out.place)
        check_format(picture, target.format, out.quality)
        check_result_size(target, work.size_of(picture), picture.colour)
        if target.path is not None and (several or outputs.is_folder(out.output)):
            with contextlib.suppress(OSError):  # the check says why
                target.path.parent.mkdir(exist_ok=True)
        check_writable_all(target.files, overwrite=out.overwrite, inputs=paths((source,)), taken=written)
        shown.say(f"{work.verb}: working")
        made = work.make(picture, shown.monitor())
        shown.say("saving")
        encoded = encode(made.picture, target.format, quality=out.quality)
        write_output(STDIO if target.path is None else str(target.path), encoded.data, overwrite=out.overwrite)
    seconds = time.perf_counter() - began
    name = "standard output" if target.path is None else str(target.path)
    notes = [*made.notes, *encoded.notes]
    if out.json:
        table: dict[str, Any] = {"input": as_written(source), "output": name, "size": list(made.picture.size)}
        table |= {**made.facts, "format": encoded.format, "seconds": round(seconds, 3), "notes": notes}
        print_json(table, one_line=True, finite=True)
        return
    if out.quiet or (target.path is None and not sys.stderr.isatty()):
        return
    print(visible(f"{name}: {made.done} in {seconds:.1f} s"), file=sys.stderr if target.path is None else sys.stdout)
    for note in dict.fromkeys(notes):
        print(note_line(f"{as_written(source)}: {note}" if several else note), file=sys.stderr, flush=True)
