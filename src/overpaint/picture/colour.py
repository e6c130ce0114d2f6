"""Bridges between a picture's own samples and the colours that an engine works in.

Three ways, by profile: none or sRGB-like and matrix/tone-curve profiles are converted in floats, in full depth;
look-up-table profiles (all CMYK ones) go through LittleCMS in 8 bits. On the way back the painted colour is converted
and what the conversion had lost of the original colour (out of sRGB's gamut, another mix of the same inks, rounding) is
given back in the measure in which the colour was left alone: all of it where nothing changed, so that such pixels come
back exactly, and none where the colour is plainly another one, so that no trace of the old colour remains there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import PictureError

from . import icc as profiles
from ._picture import Colour, Metadata, Picture
from .profile import Profile

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

Floats = NDArray[np.float32]
Integers = NDArray[np.uint8] | NDArray[np.uint16]
_UNCHANGED_WITHIN = np.float32(1 / 8)  # of [0, 1]: a colour that moved so far keeps nothing of the old one's residue


class Bridge(Protocol):
    """The way of one picture's samples to an engine's canvas and back."""

    def to_canvas(self, samples: NDArray[Any]) -> Floats:
        """(h, w, C) samples of the picture's depth as (h, w, 3) float32 in [0, 1]."""
        ...

    def back(self, original_samples: NDArray[Any], original_canvas: Floats, painted_canvas: Floats) -> Floats:
        """A painted canvas as samples.

        Args:
            original_samples: (h, w, C) of the picture.
            original_canvas: (h, w, 3): `to_canvas(original_samples)`.
            painted_canvas: (h, w, 3).

        Returns:
            (h, w, C) float32 in units of samples, not rounded and not clipped; exactly the original samples where the
            painted canvas equals the original one.
        """
        ...


class _Conversion(Protocol):
    """Colours of one kind of profile, both in [0, 1]."""

    def forward(self, values: Floats) -> Floats:
        """(h, w, C) device values as (h, w, 3) sRGB."""
        ...

    def backward(self, values: Floats) -> Floats:
        """(h, w, 3) sRGB as (h, w, C) device values."""
        ...


def bridge_for(picture: Picture, space: Literal["encoded", "srgb"]) -> Bridge:
    """The bridge of a picture to canvases in the picture's own encoded values, or in sRGB.

    CMYK has no encoded values that an engine could take as colours: it goes through sRGB always.

    Raises:
        PictureError: Another space.
    """
    if space not in ("encoded", "srgb"):
        raise PictureError(f"a canvas is 'encoded' or 'srgb', not {space!r}")
    if picture.colour is Colour.CMYK:
        return _Converted(_cmyk(picture.metadata.icc), picture.maximum)
    conversion = None if space == "encoded" else _conversion(picture.metadata, picture.colour)
    return _Encoded(picture.colour, picture.maximum) if conversion is None else _Converted(conversion, picture.maximum)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """The samples themselves, divided by their maximum; grey as three equal channels, coming back as their mean."""

    colour: Colour
    maximum: int

    def to_canvas(self, samples: NDArray[Any]) -> Floats:
        values = samples.astype(np.float32) / np.float32(self.maximum)
        return np.repeat(values, 3, axis=2) if self.colour is Colour.GREY else values

    def back(self, original_samples: NDArray[Any], original_canvas: Floats, painted_canvas: Floats) -> Floats:
        same = painted_canvas == original_canvas
        values = painted_canvas * np.float32(self.maximum)
        if self.colour is Colour.GREY:
            values, same = values.mean(axis=2, keepdims=True), same.all(axis=2, keepdims=True)
        return np.where(same, original_samples, values).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Converted:
    """Through sRGB, with what the conversion loses given back where the colour stays."""

    conversion: _Conversion
    maximum: int

    def to_canvas(self, samples: NDArray[Any]) -> Floats:
        return self.conversion.forward(samples.astype(np.float32) / np.float32(self.maximum))

    def back(self, original_samples: NDArray[Any], original_canvas: Floats, painted_canvas: Floats) -> Floats:
        top = np.float32(self.maximum)
        painted = self.conversion.backward(np.clip(painted_canvas, 0, 1))
        again = self.conversion.backward(original_canvas)
        change = np.abs(painted_canvas - original_canvas).max(axis=2, keepdims=True)
        kept = np.clip(1 - change / _UNCHANGED_WITHIN, 0, 1)
        kept = kept * kept * (3 - 2 * kept)  # smooth at both ends
        residue = original_samples.astype(np.float32) - again * top
        return np.where(change == 0, original_samples, painted * top + kept * residue).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    """A profile of curves and a matrix, in floats."""

    profile: Profile

    def forward(self, values: Floats) -> Floats:
        return self.profile.to_srgb(values)

    def backward(self, values: Floats) -> Floats:
        return self.profile.from_srgb(values)


@dataclass(frozen=True, slots=True)
class _NaiveInks:
    """CMYK without a profile: full under colour removal, R = (1 - C) (1 - K), as screens show such files."""

    def forward(self, values: Floats) -> Floats:
        return (1 - values[..., :3]) * (1 - values[..., 3:])

    def backward(self, values: Floats) -> Floats:
        light = values.max(axis=2, keepdims=True)
        inks = np.where(light > 0, 1 - values / np.maximum(light, np.float32(1e-6)), 0)
        return np.concatenate([inks, 1 - light], axis=2).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _LittleCms:
    """A profile of look-up tables through LittleCMS, 8 bits each way, relative colorimetric with black point."""

    mode: str
    there: ImageCmsTransform
    again: ImageCmsTransform

    def forward(self, values: Floats) -> Floats:
        return self._applied(values, self.mode, self.there)

    def backward(self, values: Floats) -> Floats:
        found = self._applied(values, "RGB", self.again)
        return found if found.ndim == 3 else found[..., np.newaxis]

    @staticmethod
    def _applied(values: Floats, mode: str, transform: ImageCmsTransform) -> Floats:
        from PIL import Image, ImageCms

        bytes_8 = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
        height, width = bytes_8.shape[:2]
        image = Image.frombytes(mode, (width, height), bytes_8.tobytes())
        found = ImageCms.applyTransform(image, transform)
        assert found is not None
        return np.asarray(found).astype(np.float32) / np.float32(255)


def icc_of(metadata: Metadata, *, grey: bool) -> bytes | None:
    """The ICC profile; where there is none, one made of the code points, unless they are sRGB or no curve is known.

    Args:
        metadata: The picture's.
        grey: Whether one that is made is to be for grey, not for RGB.
    """
    points = metadata.code_points
    if metadata.icc is not None or points is None or points.is_srgb or points.profile is None:
        return metadata.icc
    return profiles.encoded(points.profile.grey if grey else points.profile, points.name, points)


def profile_name(metadata: Metadata) -> str | None:
    """What the colour of a picture is called: by its code points, else by its ICC profile; None without either."""
    if metadata.code_points is not None:
        return metadata.code_points.name
    if metadata.icc is None:
        return None
    import io

    from PIL import ImageCms

    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(metadata.icc))).strip() or "unnamed"
    except (ImageCms.PyCMSError, OSError):
        return "unreadable"


def _conversion(metadata: Metadata, colour: Colour) -> _Conversion | None:
    """The conversion of a grey or RGB picture; None for sRGB, for no colour, and for one that can't be used."""
    grey = colour is Colour.GREY
    if metadata.code_points is not None:
        profile = metadata.code_points.profile
    elif profiles.colour_space(metadata.icc) != ("GRAY" if grey else "RGB"):
        return None
    else:
        assert metadata.icc is not None
        profile = profiles.parsed(metadata.icc)
        if profile is None:
            return _little_cms(metadata.icc, "L" if grey else "RGB")
    if profile is None or profile.is_srgb:
        return None
    return _Matrix(profile.grey if grey else profile)


def _cmyk(icc: bytes | None) -> _Conversion:
    found = _little_cms(icc, "CMYK") if icc and profiles.colour_space(icc) == "CMYK" else None
    return found or _NaiveInks()


def _little_cms(icc: bytes, mode: str) -> _Conversion | None:
    import io

    from PIL import ImageCms

    try:
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        there = ImageCms.buildTransform(own, srgb, mode, "RGB", intent, flags)
        again = ImageCms.buildTransform(srgb, own, "RGB", mode, intent, flags)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    return _LittleCms(mode, there, again)
