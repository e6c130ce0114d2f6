"""Tone curves and matrices in floats: linear light to and from encoded values, RGB and grey to and from sRGB.

Colour conversion libraries work on 8 bits here; these few formulas keep the full depth (ICC.1:2022, F.2 and F.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Matrix = NDArray[np.float64]

# Linear sRGB to XYZ under D50: IEC 61966-2-1's primaries, adapted by Bradford as in the profile that ICC publishes.
SRGB_TO_XYZ: Matrix = np.array(
    [
        [0.4360657, 0.3851471, 0.1430664],
        [0.2224884, 0.7168732, 0.0606079],
        [0.0139160, 0.0970764, 0.7140961],
    ]
)
XYZ_TO_SRGB: Matrix = np.linalg.inv(SRGB_TO_XYZ).astype(np.float64)
D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


@dataclass(frozen=True, slots=True)
class ParametricCurve:
    """y = (a x + b)^g + e for x >= d, y = c x + f below (ICC.1, 10.18); a plain gamma is the case a = 1, the rest 0."""

    g: float
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def linear(self, values: Floats) -> Floats:
        """Encoded to linear."""
        upper = np.maximum(self.a * values + self.b, 0) ** self.g + self.e
        return np.asarray(np.where(values >= self.d, upper, self.c * values + self.f), np.float32)

    def encoded(self, values: Floats) -> Floats:
        """Linear to encoded."""
        upper = (np.maximum(values - self.e, 0) ** (1 / self.g) - self.b) / self.a
        if self.d <= 0:
            return np.asarray(upper, np.float32)
        lower = (values - self.f) / self.c if self.c else np.zeros_like(values)
        return np.asarray(np.where(values >= self.c * self.d + self.f, upper, lower), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class TableCurve:
    """Linear interpolation between evenly spaced values, which never fall (ICC.1, 10.6)."""

    values: NDArray[np.float64]

    def linear(self, values: Floats) -> Floats:
        """Encoded to linear."""
        return np.interp(values, np.linspace(0, 1, self.values.size), self.values).astype(np.float32)

    def encoded(self, values: Floats) -> Floats:
        """Linear to encoded."""
        # On a flat stretch the middle of it: np.interp takes whichever end it finds.
        rising = self.values + np.arange(self.values.size) * 1e-9
        return np.interp(values, rising, np.linspace(0, 1, self.values.size)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class FormulaCurve:
    """A curve that is given by two functions."""

    linear: Callable[[Floats], Floats]
    encoded: Callable[[Floats], Floats]


ToneCurve = ParametricCurve | TableCurve | FormulaCurve
"""A tone curve: encoded values in [0, 1] to linear ones, where 1 is white (`linear`), and back (`encoded`)."""

SRGB_CURVE = ParametricCurve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Tone curves of one or three channels, and the matrix from linear RGB to linear sRGB (None for grey)."""

    curves: tuple[ToneCurve, ...]
    matrix: Matrix | None

    @property
    def is_srgb(self) -> bool:
        """Whether it is sRGB itself, but for rounding (at most a third of a level of 8 bits)."""
        if self.matrix is None or np.abs(self.matrix - np.eye(3)).max() > 2e-3:
            return False
        ramp = np.linspace(0, 1, 256, dtype=np.float32)
        wanted = SRGB_CURVE.linear(ramp)
        return all(np.abs(curve.linear(ramp) - wanted).max() < 1e-3 for curve in self.curves)

    @property
    def grey(self) -> Profile:
        """The profile of a grey picture with the same (first) tone curve."""
        return Profile(self.curves[:1], None)

    @property
    def rgb(self) -> Profile:
        """The same for RGB; grey gets sRGB's primaries, which equal channels do not show."""
        return Profile(self.curves * 3, np.eye(3)) if self.matrix is None else self

    def to_srgb(self, values: Floats) -> Floats:
        """(..., 1 or 3) encoded values in [0, 1] as (..., 3) encoded sRGB in [0, 1], clipped to its gamut."""
        linear = np.stack([c.linear(values[..., i]) for i, c in enumerate(self.curves)], axis=-1)
        matrix = np.ones((3, 1)) if self.matrix is None else self.matrix
        linear = linear @ matrix.T.astype(np.float32)
        return np.clip(SRGB_CURVE.encoded(np.clip(linear, 0, 1)), 0, 1)

    def from_srgb(self, values: Floats) -> Floats:
        """(..., 3) encoded sRGB as (..., 1 or 3) encoded values, clipped to [0, 1]."""
        linear = SRGB_CURVE.linear(values)
        if self.matrix is None:
            linear = (linear @ SRGB_TO_XYZ[1].astype(np.float32) / np.float32(SRGB_TO_XYZ[1].sum()))[..., np.newaxis]
        else:
            linear = linear @ np.linalg.inv(self.matrix).T.astype(np.float32)
        linear = np.clip(linear, 0, 1)
        return np.clip(np.stack([c.encoded(linear[..., i]) for i, c in enumerate(self.curves)], axis=-1), 0, 1)


def matrix_of(chromaticities: Sequence[float]) -> Matrix:
    """Linear RGB to linear sRGB, the white points adapted by Bradford (SMPTE RP 177; ICC.1, annex E).

    Args:
        chromaticities: x and y of red, green, blue and white.

    Raises:
        numpy.linalg.LinAlgError: The primaries are on one line, or white has no light.
    """
    x, y = np.array(chromaticities, np.float64).reshape(4, 2).T
    if not y[3] > 0:
        raise np.linalg.LinAlgError("white without light")
    columns = np.stack([x, y, 1 - x - y])
    white = columns[:, 3] / y[3]
    to_xyz = columns[:, :3] * np.linalg.solve(columns[:, :3], white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ D50) / (_BRADFORD @ white)) @ _BRADFORD
    matrix: Matrix = XYZ_TO_SRGB @ adapted @ to_xyz
    if not np.abs(matrix).max() < 100 or abs(np.linalg.det(matrix)) < 1e-6:  # NaN fails both
        raise np.linalg.LinAlgError("primaries without an area")
    return matrix
