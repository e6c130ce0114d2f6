"""Camera data in metadata: focal length, aperture, exposure, the tilt of a drone's gimbal."""

from __future__ import annotations

import math
from contextlib import suppress

from overpaint.picture import Metadata
from overpaint.picture.exif import readable
from overpaint.picture.ifd import EXIF_IFD, MalformedIFD, TagBlock, TagDirectory
from overpaint.picture.xmp import read_property

from .scene import Camera

_DRONE = "http://www.dji.com/drone-dji/1.0/"
_EXPOSURE_TIME, _F_NUMBER, _SPEED, _FLASH = 0x829A, 0x829D, 0x8827, 0x9209
_FOCAL_LENGTH, _FOCAL_LENGTH_35, _WIDTH = 0x920A, 0xA405, 0xA002
_PLANE_RESOLUTION, _PLANE_UNIT = 0xA20E, 0xA210
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


def camera_of(metadata: Metadata) -> Camera:
    """Camera data of a picture's metadata."""
    pitch = _number(read_property(metadata.xmp, _DRONE, "GimbalPitchDegree"))
    block, first = readable(metadata.exif)
    directory = block.child(first, EXIF_IFD)
    if directory is None:
        return Camera(pitch=pitch)

    def value(tag: int) -> float | None:
        return _value(block, directory, tag)

    focal, number = value(_FOCAL_LENGTH), value(_F_NUMBER)
    flash = value(_FLASH)
    return Camera(
        focal_length=focal if focal and 0.5 < focal < 5000 else None,
        focal_length_35=_in_35(
            value(_FOCAL_LENGTH_35), focal, value(_WIDTH), value(_PLANE_RESOLUTION), value(_PLANE_UNIT)
        ),
        f_number=number if number and 0.5 < number < 200 else None,
        exposure_value=_exposure_value(number, value(_EXPOSURE_TIME), value(_SPEED)),
        flash=None if flash is None else bool(int(flash) & 1),
        pitch=pitch,
    )


def _in_35(
    written: float | None, focal: float | None, width: float | None, resolution: float | None, unit: float | None
) -> float | None:
    """The focal length on 35 mm film: as written, or from the sensor's width that the plane's resolution gives."""
    if written and 4 < written < 5000:
        return written
    if not (focal and width and resolution):
        return None
    sensor = width / resolution * _UNIT_MM.get(int(unit or 2), 25.4)
    equivalent = focal * 36 / sensor if 2 < sensor < 70 else 0
    return equivalent if 4 < equivalent < 5000 else None


def _exposure_value(number: float | None, time: float | None, speed: float | None) -> float | None:
    if not (number and time and speed):
        return None
    return math.log2(number * number / time) - math.log2(speed / 100)


def _value(block: TagBlock, directory: TagDirectory, tag: int) -> float | None:
    """The number of a tag, when it is finite and not negative."""
    entry = directory.entries.get(tag)
    if entry is None:
        return None
    try:
        numbers = block.numbers(entry)
    except (MalformedIFD, ValueError, ZeroDivisionError, OverflowError):
        return None
    return float(numbers[0]) if numbers and math.isfinite(numbers[0]) and numbers[0] >= 0 else None


def _number(text: str | None) -> float | None:
    with suppress(ValueError):
        if math.isfinite(number := float(text or "")):
            return number
    return None
