"""Conversion between a picture's own samples and the colours that an engine works in.

None or sRGB, and profiles of curves and a matrix (code points too), are converted in floats, in full depth; profiles of
look-up tables (all CMYK ones) go through LittleCMS in 8 bits. On the way back the painted colour is converted. What the
conversion had lost of the original colour (out of sRGB's gamut, another mix of the same inks, rounding) is added again
as far as the colour stayed the same: all of it where nothing changed, so that such pixels come back exactly, and none
where the colour is plainly another one, so that no trace of the old colour remains there.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import PictureError

from . import icc as profiles
from ._picture import Colour, Metadata, Picture
from .profile import Floats, Profile

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

_UNCHANGED_WITHIN = np.float32(1 / 8)  # of [0, 1]: beyond such a change, nothing of what was lost is added


@dataclass(frozen=True, slots=True)
class ColourConverter:
    """Conversion of one picture's samples to an engine's canvas and back; see `converter_for`.

    Attributes:
        conversion: To and from sRGB; None: canvases hold the samples divided by their maximum, grey as three equal
            channels, whose mean is taken on the way back.
        maximum: The largest sample value.
        grey: Whether the picture has one channel.
    """

    conversion: _Conversion | None
    maximum: int
    grey: bool

    def to_canvas(self, samples: NDArray[Any]) -> Floats:
        """(h, w, C) samples of the picture's depth as (h, w, 3) float32 in [0, 1]."""
        values = samples.astype(np.float32) / np.float32(self.maximum)
        if self.conversion is not None:
            return self.conversion.to_srgb(values)
        return np.repeat(values, 3, axis=2) if self.grey else values

    def to_samples(self, original_samples: NDArray[Any], original_canvas: Floats, painted_canvas: Floats) -> Floats:
        """A painted canvas as samples.

        Args:
            original_samples: (h, w, C) of the picture.
            original_canvas: (h, w, 3): `to_canvas(original_samples)`.
            painted_canvas: (h, w, 3).

        Returns:
            (h, w, C) float32 in units of samples, not rounded and not clipped; exactly the original samples where the
            painted canvas equals the original one.
        """
        top = np.float32(self.maximum)
        if self.conversion is None:
            same, values = painted_canvas == original_canvas, painted_canvas * top
            if self.grey:
                values, same = values.mean(axis=2, keepdims=True), same.all(axis=2, keepdims=True)
            return np.where(same, original_samples, values).astype(np.float32)
        painted = self.conversion.from_srgb(np.clip(painted_canvas, 0, 1))
        again = self.conversion.from_srgb(original_canvas)
        change = np.abs(painted_canvas - original_canvas).max(axis=2, keepdims=True)
        kept = np.clip(1 - change / _UNCHANGED_WITHIN, 0, 1)
        kept = kept * kept * (3 - 2 * kept)  # smooth at both ends
        lost = original_samples.astype(np.float32) - again * top
        return np.where(change == 0, original_samples, painted * top + kept * lost).astype(np.float32)


def converter_for(picture: Picture, space: Literal["encoded", "srgb"]) -> ColourConverter:
    """The conversion of a picture to canvases in the picture's own encoded values, or in sRGB, and back.

    CMYK has no encoded values that an engine could take as colours: it goes through sRGB always.

    Raises:
        PictureError: Another space.
    """
    if space not in ("encoded", "srgb"):
        raise PictureError(f"a canvas is 'encoded' or 'srgb', not {space!r}")
    wanted = space == "srgb" or picture.colour is Colour.CMYK
    conversion = _conversion(picture.metadata, picture.colour) if wanted else None
    return ColourConverter(conversion, picture.maximum, picture.colour is Colour.GREY)


def icc_of(metadata: Metadata, *, grey: bool) -> bytes | None:
    """The ICC profile; where there is none, one made of the code points (for grey or for RGB).

    None where these are sRGB, or have no known curve.
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
    from PIL import ImageCms

    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(metadata.icc))).strip() or "unnamed"
    except (ImageCms.PyCMSError, OSError):
        return "unreadable"


def _conversion(metadata: Metadata, colour: Colour) -> _Conversion | None:
    """The conversion for a picture; None for sRGB, for no stated colour, and for one that can't be used."""
    space, mode = {Colour.GREY: ("GRAY", "L"), Colour.RGB: ("RGB", "RGB"), Colour.CMYK: ("CMYK", "CMYK")}[colour]
    icc = metadata.icc if profiles.colour_space(metadata.icc) == space else None
    if colour is Colour.CMYK:
        return (_little_cms(icc, mode) if icc else None) or _NaiveInks()
    profile = metadata.code_points.profile if metadata.code_points else profiles.parsed(icc) if icc else None
    if profile is not None:
        return None if profile.is_srgb else profile.grey if colour is Colour.GREY else profile
    return _little_cms(icc, mode) if icc and not metadata.code_points else None


@dataclass(frozen=True, slots=True)
class _NaiveInks:
    """CMYK without a profile: full under colour removal, R = (1 - C) (1 - K), as screens show such files."""

    def to_srgb(self, values: Floats) -> Floats:
        return (1 - values[..., :3]) * (1 - values[..., 3:])

    def from_srgb(self, values: Floats) -> Floats:
        light = values.max(axis=2, keepdims=True)
        inks = np.where(light > 0, 1 - values / np.maximum(light, np.float32(1e-6)), 0)
        return np.concatenate([inks, 1 - light], axis=2).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _LittleCms:
    """A profile of look-up tables through LittleCMS, 8 bits each way, relative colorimetric with black point."""

    mode: str
    forward: ImageCmsTransform
    backward: ImageCmsTransform

    def to_srgb(self, values: Floats) -> Floats:
        return self._applied(values, self.mode, self.forward)

    def from_srgb(self, values: Floats) -> Floats:
        found = self._applied(values, "RGB", self.backward)
        return found if found.ndim == 3 else found[..., np.newaxis]

    @staticmethod
    def _applied(values: Floats, mode: str, transform: ImageCmsTransform) -> Floats:
        from PIL import Image, ImageCms

        bytes_8 = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
        height, width = bytes_8.shape[:2]
        found = ImageCms.applyTransform(Image.frombytes(mode, (width, height), bytes_8.tobytes()), transform)
        assert found is not None
        return np.asarray(found).astype(np.float32) / np.float32(255)


_Conversion = Profile | _NaiveInks | _LittleCms
"""Colours of one kind of profile, (h, w, C), to and from sRGB, (h, w, 3), all in [0, 1]."""


def _little_cms(icc: bytes, mode: str) -> _Conversion | None:
    from PIL import ImageCms

    try:
        own, srgb = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        forward = ImageCms.buildTransform(own, srgb, mode, "RGB", intent, flags)
        backward = ImageCms.buildTransform(srgb, own, "RGB", mode, intent, flags)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    return _LittleCms(mode, forward, backward)
