"""Reading the files of an edit that nobody vouches for, in a process of its own (`overpaint.bounded`).

A decoder that hangs, crashes or takes too much ends that process alone. Importing this module loads little, so that
such a process is soon there.
"""

from __future__ import annotations

import atexit
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from overpaint.bounded import BoundedPool, working_on
from overpaint.errors import PictureError

from .controls import ControlInput, control_files
from .inputs import EditInputs, collect
from .places import Places, RegionPlaces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from overpaint.engines import EngineCard
    from overpaint.geometry import Size
    from overpaint.picture import Picture, Source
    from overpaint.request import EditRequest


readers = BoundedPool("overpaint.studio.masks", "simplejpeg")
"""The processes that read for this one."""
atexit.register(readers.close)


@dataclass(frozen=True, slots=True)
class EditFiles:
    """The files of one edit, and what is to be read from them.

    Attributes:
        picture: The picture: its path, or what names its bytes.
        request: The request as far as it is known without the picture.
        digests: SHA-256 that files must have, by name; a file that has another was replaced meanwhile.
        contents: The bytes of what is no file, by name.
        places, avoid, regions, sketch, insert, controls: As for `collect`, with names that are paths or are in
            `contents`.
        rasters: Names of pictures whose pixels are rasters that the request names by their SHA-256.
        pixels: The most that a picture or a mask may have.
        format: The result's, which may have no room for the picture's size; "" where it is not known.
    """

    picture: str
    request: EditRequest
    digests: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[str, bytes] = field(default_factory=dict)
    places: Places = field(default_factory=Places)
    avoid: Places = field(default_factory=Places)
    regions: tuple[RegionPlaces, ...] = ()
    sketch: str | None = None
    insert: str | None = None
    controls: tuple[ControlInput, ...] = ()
    rasters: tuple[str, ...] = ()
    pixels: int | None = None
    format: str = ""

    @property
    def of_pixels(self) -> bool:
        """Whether a mask depends on the picture's pixels, and not on its size alone."""
        places = (self.places, self.avoid, *(one.places for one in self.regions))
        return any("alpha" in one.mask for one in places) or any(one.of_pixels for one in self.request.masks)

    def load(self, name: str) -> bytes:
        """The bytes that a name stands for. Raises PictureError where they can't be read, or were replaced."""
        from overpaint.picture import current_limits
        from overpaint.picture.open import read_source

        what = self._kind(name)
        working_on(f"the {what} {name}", what)
        try:
            data = read_source(self.contents.get(name, name), current_limits())
        except OSError as error:
            raise PictureError(f"{name} can't be read: {error.strerror or error}") from None
        except PictureError as error:
            raise error.within(name) from None
        if name in self.digests and hashlib.sha256(data).hexdigest() != self.digests[name]:
            raise _replaced(name)
        return data

    def raster(self, name: str) -> tuple[str, NDArray[Any]]:
        """The pixels of a picture, (H, W) or (H, W, C), by the SHA-256 that a request names them by.

        Raises:
            PictureError: It can't be read.
        """
        from overpaint.picture import open_picture
        from overpaint.request import blob_of

        pixels = open_picture(self.load(name)).interleaved()
        raster = pixels[..., 0] if pixels.shape[2] == 1 else pixels
        return blob_of(raster, inline=False).sha256, raster

    def _kind(self, name: str) -> str:
        """The field that names a file beside the picture."""
        regional = tuple(file for one in self.regions for file in one.places.mask)
        others = {
            "sketch": (self.sketch,),
            "insert": (self.insert,),
            "avoid": self.avoid.mask,
            "regional_prompts": regional,
            "control": control_files(self.controls),
            "raster": self.rasters,
        }
        return next((what for what, names in others.items() if name in names and name not in self.places.mask), "mask")


def read_edit(files: EditFiles) -> tuple[EditInputs, float]:
    """All that an edit takes, and the seconds that opening the picture took.

    Raises:
        PictureError, MaskError, RequestError: A file can't be used, or was replaced meanwhile.
        OverpaintError: Memory ran out ("memory-short").
    """
    from overpaint.picture import PictureLimits, current_limits, limited

    with limited(PictureLimits(pixels=files.pixels or current_limits().pixels)):
        began = time.perf_counter()
        picture = _opened(files)
        seconds = time.perf_counter() - began
        inputs = _collected(picture, files)
    return inputs, seconds


def _collected(picture: Picture, files: EditFiles) -> EditInputs:
    from overpaint.picture import check_size

    inputs = collect(
        picture,
        files.request,
        files.load,
        places=files.places,
        avoid=files.avoid,
        regions=files.regions,
        sketch=files.sketch,
        insert=files.insert,
        controls=files.controls,
    )
    if files.rasters:
        inputs = replace(inputs, rasters={**inputs.rasters, **dict(map(files.raster, files.rasters))})
    if files.format:
        check_size(inputs.size, files.format)
    return inputs


def read_beside(picture: Picture | UnseenPicture, files: EditFiles) -> EditInputs:
    """All that an edit of a picture takes beside it, which is not in the result: in its place is one of a pixel.

    Args:
        picture: The picture, as it was opened before, or what `unseen` makes of it.
        files: The files; their `picture` does not count.

    Raises:
        MaskError, PictureError, RequestError: A file can't be used.
    """
    import numpy as np

    from overpaint.picture import Picture, PictureLimits, current_limits, limited

    seen = picture.blank() if isinstance(picture, UnseenPicture) else picture
    with limited(PictureLimits(pixels=files.pixels or current_limits().pixels)):
        return replace(_collected(seen, files), picture=Picture(np.zeros((1, 1, 3), np.uint8)))


@dataclass(frozen=True, slots=True)
class UnseenPicture:
    """A picture whose pixels do not count, in a few bytes for another process.

    Attributes:
        size: As displayed.
        source: Its file's.
    """

    size: Size
    source: Source

    def blank(self) -> Picture:
        """A picture like it, which takes no memory."""
        import numpy as np

        from overpaint.picture import Picture

        return Picture(np.broadcast_to(np.uint8(0), (*self.size.shape, 3)), source=self.source)


def unseen(picture: Picture, files: EditFiles) -> Picture | UnseenPicture:
    """What `read_beside` needs of a picture: the picture where a mask depends on its pixels, else its size."""
    source = replace(picture.source, data=None)
    if files.of_pixels:
        return replace(picture, source=source)
    return UnseenPicture(picture.size, source)


def check_edit(files: EditFiles, card: EngineCard) -> None:
    """Check an edit before it is painted, by the picture's size and all files but the picture, which is not decoded
    where its header tells the size. What is refused may be right all the same where the header lacks the orientation.

    Args:
        files: Of the edit.
        card: Of the engine that would paint it.

    Raises:
        PictureError, MaskError, RequestError, OverpaintError: As of `read_edit`, and as the edit's preparation does.
    """
    from overpaint.picture import PictureLimits, current_limits, limited
    from overpaint.studio.inputs import EditArguments, gather
    from overpaint.studio.scene import make_scene

    with limited(PictureLimits(pixels=files.pixels or current_limits().pixels)):
        inputs = _collected(_blank(files) or _opened(files), files)
        request, rasters = gather(inputs.picture, inputs.request, cast(EditArguments, inputs.rest))
        make_scene(request, rasters, request.rule, card)


def _blank(files: EditFiles) -> Picture | None:
    """A picture of the same size without its content; None where that counts, or the size is not known."""
    import numpy as np

    from overpaint.picture import Picture, Source, current_limits, displayed_size, format_of

    if files.of_pixels:
        return None
    data = files.load(files.picture)
    size = displayed_size(data, current_limits())
    if size is None:
        return None
    path = None if files.picture in files.contents else Path(files.picture)
    nothing = np.broadcast_to(np.uint8(0), (*size.shape, 3))
    return Picture(nothing, source=Source(format=format_of(data), path=path))


def _opened(files: EditFiles) -> Picture:
    from overpaint.picture import open_picture

    name = files.picture
    working_on(name, "image")
    try:
        picture = open_picture(files.contents.get(name, name))
    except PictureError as error:
        raise (error.within(name) if name in files.contents else error) from error
    if files.digests.get(name, picture.source.sha256) != picture.source.sha256:
        raise _replaced(name)
    return picture


def _replaced(name: str) -> PictureError:
    return PictureError(f"{name} was replaced during the run; the next run takes the new one")
