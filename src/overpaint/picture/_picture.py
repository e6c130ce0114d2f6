"""The picture: pixels, and all that must survive them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import PictureError
from overpaint.geometry import Size

from .code_points import CodePoints

Samples = NDArray[np.unsignedinteger[Any]]
Frozen = TypeVar("Frozen", bound=NDArray[Any])


class Colour(StrEnum):
    """The colour model of a picture's samples."""

    GREY = "grey"  # 1 sample
    RGB = "rgb"  # 3 samples
    CMYK = "cmyk"  # 4 samples, 0 = no ink

    @property
    def samples(self) -> int:
        """How many samples a pixel has, alpha not counted."""
        return {Colour.GREY: 1, Colour.RGB: 3, Colour.CMYK: 4}[self]


@dataclass(frozen=True, slots=True)
class Metadata:
    """Everything beside the pixels that a file holds and an edit keeps.

    Attributes:
        icc: The ICC profile.
        code_points: Colour stated without an ICC profile; used in place of the profile where a picture has both.
        exif: The TIFF block (without the `Exif\\0\\0` prefix), orientation 1, thumbnails removed.
        xmp: The packet, orientation 1, thumbnails removed.
        iptc: The Photoshop image resource block, thumbnails removed.
        dpi: Dots per inch, across and down.
        text: PNG text by keyword; a JPEG or GIF file's comment as "Comment".
        further_xmp: Packets that the file has beside `xmp`, as they are there: Extended XMP of a JPEG file, or a second
            packet. They are read for what they say of the picture's origin; no writer writes them.
    """

    icc: bytes | None = None
    code_points: CodePoints | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    text: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    further_xmp: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a picture came from: what writers need to keep a file's coding, and records to identify it.

    Attributes:
        format: "png", "jpeg", "webp", "tiff", "avif", "heif", "jpeg2000", "bmp" or "gif"; None for a picture made in
            memory.
        path: The file, if it was one.
        data: The encoded file as it was read; the JPEG writer takes quantisation tables, subsampling and untouched
            blocks from it.
        sha256: Digest of `data`, hexadecimal.
        orientation: The EXIF orientation (1 to 8) that was applied on opening.
        lossless: Whether the encoding kept exact values (false for JPEG, and for WebP, AVIF and HEIF files that can't
            be shown to be lossless).
        mode: The file's own pixel mode in words, for `info`: "palette", "bilevel", "rgb 16-bit", ...
        faults: Sentences on what is damaged in the file, which was decoded all the same.
    """

    format: str | None = None
    path: Path | None = None
    data: bytes | None = None
    sha256: str | None = None
    orientation: int = 1
    lossless: bool = True
    mode: str = ""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels plus all that must survive them. Orientation has been applied; nothing in here may be written to.

    Attributes:
        samples: (H, W, C) uint8 or uint16, C by `colour`; read-only. Colour is not premultiplied by alpha.
        alpha: (H, W) of the same dtype, the largest value opaque; None when the picture has no alpha.
        colour: Grey, RGB or CMYK.
        metadata: ICC, EXIF, XMP, IPTC, dpi, text.
        source: The file it came from.
    """

    samples: Samples
    alpha: Samples | None = None
    colour: Colour = Colour.RGB
    metadata: Metadata = field(default_factory=Metadata)
    source: Source = field(default_factory=Source)

    def __post_init__(self) -> None:
        samples, alpha = self.samples, self.alpha
        if samples.dtype not in (np.uint8, np.uint16):
            raise PictureError(f"samples must be uint8 or uint16, not {samples.dtype}")
        if samples.ndim != 3 or samples.shape[2] != self.colour.samples:
            raise PictureError(
                f"a {self.colour} picture has samples of shape (H, W, {self.colour.samples}), not {samples.shape}"
            )
        if samples.shape[0] == 0 or samples.shape[1] == 0:
            raise PictureError(f"a picture must have at least one pixel, not {samples.shape[1]}x{samples.shape[0]}")
        if alpha is not None and (alpha.shape != samples.shape[:2] or alpha.dtype != samples.dtype):
            raise PictureError(
                f"alpha must be {samples.dtype} of shape {samples.shape[:2]}, not {alpha.dtype} of {alpha.shape}"
            )
        object.__setattr__(self, "samples", frozen(samples))
        if alpha is not None:
            object.__setattr__(self, "alpha", frozen(alpha))

    @property
    def size(self) -> Size:
        """Width and height in pixels, as displayed."""
        return Size(self.samples.shape[1], self.samples.shape[0])

    @property
    def depth(self) -> int:
        """Bits a sample: 8 or 16."""
        return self.samples.dtype.itemsize * 8

    @property
    def maximum(self) -> int:
        """The largest sample value: 255 or 65535."""
        return (1 << self.depth) - 1

    @property
    def mode(self) -> str:
        """In words: "rgb 8-bit", "grey+alpha 16-bit", ..."""
        return self.mode_at(self.depth)

    def mode_at(self, depth: int) -> str:
        """The mode in words, for a file with this number of bits a sample."""
        return f"{self.colour}{'+alpha' if self.alpha is not None else ''} {depth}-bit"

    def interleaved(self, *, rgb: bool = False) -> Samples:
        """(H, W, C) samples, alpha as one channel more where there is one; with `rgb`, grey as three equal channels."""
        samples: Samples = np.repeat(self.samples, 3, axis=2) if rgb and self.colour is Colour.GREY else self.samples
        return samples if self.alpha is None else np.dstack([samples, self.alpha])

    def with_pixels(self, samples: Samples, alpha: Samples | None) -> Picture:
        """The same picture with other pixels: metadata and source stay."""
        return replace(self, samples=samples, alpha=alpha)

    def __repr__(self) -> str:
        came = f" from {self.source.path or self.source.format}" if self.source.format else ""
        return f"<Picture {self.size} {self.mode}{came}>"


Annotate = Callable[[NDArray[np.bool_] | None], Metadata]
"""Makes a file's metadata from where it may differ from the file that the picture came from (`touched` below)."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPicture:
    """A picture as the bytes of a file.

    Attributes:
        data: The file.
        format: One of `formats()`.
        fidelity: "lossless": it decodes to exactly the picture. "blocks": a JPEG file in which untouched blocks are
            those of the original. "re-encoded": every pixel may differ a little.
        touched: (H, W) as displayed: where the decoded file may differ from the decoded original file. None: anywhere,
            or not known.
        notes: Sentences for people: "reduced to 8 bits: WEBP can't hold 16", ...
    """

    data: bytes
    format: str
    fidelity: Literal["lossless", "blocks", "re-encoded"]
    touched: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()


def frozen(values: Frozen) -> Frozen:
    """A contiguous read-only view. The array itself must not be written to any more."""
    if values.flags.writeable or not values.flags.c_contiguous:
        view: Any = np.ascontiguousarray(values).view()
        view.flags.writeable = False
        values = view
    return values
