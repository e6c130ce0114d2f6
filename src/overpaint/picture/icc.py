"""Matrix and tone-curve profiles in floats (ICC.1:2022): RGB by section F.3, grey by F.2, both to and from linear sRGB.

Colour conversion libraries work on 8 bits here; these few formulas keep the full depth.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Linear sRGB to XYZ under D50: IEC 61966-2-1's primaries, adapted by Bradford as in the profile that ICC publishes.
_SRGB_TO_XYZ = np.array(
    [
        [0.4360657, 0.3851471, 0.1430664],
        [0.2224884, 0.7168732, 0.0606079],
        [0.0139160, 0.0970764, 0.7140961],
    ]
)
_XYZ_TO_SRGB = np.linalg.inv(_SRGB_TO_XYZ)


class Curve(Protocol):
    """A tone curve: device values in [0, 1] to linear ones, and back."""

    def linear(self, values: Floats) -> Floats:
        """Device to linear."""
        ...

    def device(self, values: Floats) -> Floats:
        """Linear to device."""
        ...


@dataclass(frozen=True, slots=True)
class Parametric:
    """y = (a x + b)^g + e for x >= d, y = c x + f below (ICC.1, 10.18); a plain gamma is the case a = 1, the rest 0."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def linear(self, values: Floats) -> Floats:
        """Device to linear."""
        upper = np.maximum(self.a * values + self.b, 0) ** self.g + self.e
        found: Floats = np.where(values >= self.d, upper, self.c * values + self.f).astype(np.float32)
        return found

    def device(self, values: Floats) -> Floats:
        """Linear to device."""
        upper = (np.maximum(values - self.e, 0) ** (1 / self.g) - self.b) / self.a
        if self.d <= 0:
            plain: Floats = upper.astype(np.float32)
            return plain
        lower = (values - self.f) / self.c if self.c else np.zeros_like(values)
        found: Floats = np.where(values >= self.c * self.d + self.f, upper, lower).astype(np.float32)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Linear interpolation between evenly spaced values, which never fall (ICC.1, 10.6)."""

    values: NDArray[np.float64]

    def linear(self, values: Floats) -> Floats:
        """Device to linear."""
        return np.interp(values, np.linspace(0, 1, self.values.size), self.values).astype(np.float32)

    def device(self, values: Floats) -> Floats:
        """Linear to device."""
        # On a flat stretch the middle of it: np.interp takes whichever end it finds.
        rising = self.values + np.arange(self.values.size) * 1e-9
        return np.interp(values, rising, np.linspace(0, 1, self.values.size)).astype(np.float32)


SRGB_CURVE = Parametric(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Tone curves of one or three channels, and the matrix from linear device RGB to linear sRGB (None for grey)."""

    curves: tuple[Curve, ...]
    matrix: NDArray[np.float64] | None

    @property
    def is_srgb(self) -> bool:
        """Whether it is sRGB itself, but for rounding (at most a third of a level of 8 bits)."""
        if self.matrix is None or np.abs(self.matrix - np.eye(3)).max() > 2e-3:
            return False
        ramp = np.linspace(0, 1, 256, dtype=np.float32)
        wanted = SRGB_CURVE.linear(ramp)
        return all(np.abs(curve.linear(ramp) - wanted).max() < 1e-3 for curve in self.curves)

    def to_srgb(self, values: Floats) -> Floats:
        """(..., 1 or 3) device values in [0, 1] as (..., 3) encoded sRGB in [0, 1], clipped to its gamut."""
        linear = np.stack([c.linear(values[..., i]) for i, c in enumerate(self.curves)], axis=-1)
        matrix = np.ones((3, 1)) if self.matrix is None else self.matrix
        linear = linear @ matrix.T.astype(np.float32)
        return np.clip(SRGB_CURVE.device(np.clip(linear, 0, 1)), 0, 1)

    def from_srgb(self, values: Floats) -> Floats:
        """(..., 3) encoded sRGB as (..., 1 or 3) device values, clipped to [0, 1]."""
        linear = SRGB_CURVE.linear(values)
        if self.matrix is None:
            linear = (linear @ _SRGB_TO_XYZ[1].astype(np.float32) / np.float32(_SRGB_TO_XYZ[1].sum()))[..., np.newaxis]
        else:
            linear = linear @ np.linalg.inv(self.matrix).T.astype(np.float32)
        linear = np.clip(linear, 0, 1)
        return np.clip(np.stack([c.device(linear[..., i]) for i, c in enumerate(self.curves)], axis=-1), 0, 1)


@lru_cache(maxsize=16)
def parsed(icc: bytes) -> Profile | None:
    """The profile as curves and a matrix; None when it is of another kind (look-up tables, CMYK, Lab) or damaged."""
    try:
        return _parsed(icc)
    except (struct.error, ValueError, IndexError, np.linalg.LinAlgError):
        return None


def colour_space(icc: bytes) -> str:
    """The profile's data colour space: "RGB", "GRAY", "CMYK", ...; "" when it isn't a profile."""
    return icc[16:20].decode("latin-1").strip() if len(icc) >= 128 and icc[36:40] == b"acsp" else ""


def _parsed(icc: bytes) -> Profile | None:
    space = colour_space(icc)
    if space not in ("RGB", "GRAY") or icc[20:24] not in (b"XYZ ", b"Lab "):
        return None
    tags = _tags(icc)
    if space == "GRAY":
        return Profile((_curve(tags[b"kTRC"]),), None) if b"kTRC" in tags else None
    needed = [tags.get(name) for name in (b"rTRC", b"gTRC", b"bTRC", b"rXYZ", b"gXYZ", b"bXYZ")]
    if any(tag is None for tag in needed) or icc[20:24] != b"XYZ ":
        return None
    found = [tag for tag in needed if tag is not None]
    to_xyz = np.stack([_xyz(tag) for tag in found[3:]], axis=1)
    matrix = _XYZ_TO_SRGB @ to_xyz
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        return None
    return Profile(tuple(_curve(tag) for tag in found[:3]), matrix)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    found = {}
    for i in range(min(count, 200)):
        name, at, size = struct.unpack_from(">4sII", icc, 132 + 12 * i)
        if at + size <= len(icc):
            found[name] = icc[at : at + size]
    return found


def _xyz(tag: bytes) -> NDArray[np.float64]:
    if tag[:4] != b"XYZ ":
        raise ValueError("no XYZ tag")
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> Curve:
    """curveType (10.6) or parametricCurveType (10.18)."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return Parametric(1.0)
        if count == 1:
            return _sound(Parametric(struct.unpack_from(">H", tag, 12)[0] / 256))
        values = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
        return Table(np.maximum.accumulate(values))
    if tag[:4] != b"para":
        raise ValueError("no curve tag")
    (kind,) = struct.unpack_from(">H", tag, 8)
    p = [v / 65536 for v in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)]
    if kind == 0:
        return _sound(Parametric(p[0]))
    g, a, b = p[:3]
    if kind in (1, 2):  # below -b/a the curve is 0 (kind 1) or c (kind 2)
        c = p[3] if kind == 2 else 0.0
        return _sound(Parametric(g, a, b, 0.0, -b / a, c, c))
    if kind == 3:
        return _sound(Parametric(g, a, b, p[3], p[4]))
    return _sound(Parametric(g, a, b, p[3], p[4], p[5], p[6]))


def _sound(curve: Parametric) -> Parametric:
    if not (curve.g > 0 and curve.a > 0):
        raise ValueError("a curve that can't be turned round")
    return curve
