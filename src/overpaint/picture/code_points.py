"""Colour without an ICC profile: code points (ITU-T H.273, in AVIF's nclx and PNG's cICP), or PNG's gAMA and cHRM."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .profile import SRGB_CURVE, Floats, FormulaCurve, ParametricCurve, Profile, ToneCurve, matrix_of

UNSPECIFIED = 2
_SRGB_GAMMA = 0.45455  # PNG files in sRGB have this gAMA beside or in place of the sRGB chunk (PNG, 11.3.2.5)
_D65, _C = (0.3127, 0.3290), (0.310, 0.316)

# H.273, table 2: a name; x and y of red, green, blue and white.
_PRIMARIES = {
    1: ("BT.709", (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)),
    4: ("BT.470 M", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C)),
    5: ("BT.470 B/G", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65)),
    6: ("BT.601", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    7: ("SMPTE 240M", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65)),
    8: ("film", (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C)),
    9: ("BT.2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)),
    10: ("XYZ", (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)),
    11: ("DCI-P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: ("Display P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)),
    22: ("EBU 3213", (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65)),
}


def _video_curve(alpha: float, beta: float, slope: float) -> ParametricCurve:
    """The inverse of V = alpha L^0.45 - (alpha - 1) for L >= beta, V = slope L below."""
    return ParametricCurve(1 / 0.45, 1 / alpha, (alpha - 1) / alpha, 1 / slope, slope * beta)


_WHITE = 203.0  # cd/m² of diffuse white in HDR pictures (ITU-R BT.2408): 1 in linear sRGB; brighter light is clipped
_PQ_M1, _PQ_M2, _PQ_C1, _PQ_C2, _PQ_C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073


def _pq_linear(values: Floats) -> Floats:
    """BT.2100, table 4: the PQ EOTF, in units of diffuse white."""
    power = np.asarray(values, np.float64) ** (1 / _PQ_M2)
    light = (np.maximum(power - _PQ_C1, 0) / (_PQ_C2 - _PQ_C3 * power)) ** (1 / _PQ_M1)
    return (light * (10_000 / _WHITE)).astype(np.float32)


def _pq_encoded(values: Floats) -> Floats:
    power = (np.asarray(values, np.float64) * (_WHITE / 10_000)) ** _PQ_M1
    return (((_PQ_C1 + _PQ_C2 * power) / (1 + _PQ_C3 * power)) ** _PQ_M2).astype(np.float32)


def _hlg_linear(values: Floats) -> Floats:
    """BT.2100, table 5: the inverse HLG OETF, then the OOTF of a screen of 1000 cd/m² (gamma 1.2).

    The OOTF is applied channel by channel, which is exact for grey; a signal of 75 % becomes diffuse white.
    """
    encoded = np.asarray(values, np.float64)
    scene = np.where(encoded <= 0.5, encoded**2 / 3, (np.exp((encoded - _HLG_C) / _HLG_A) + _HLG_B) / 12)
    return (scene**1.2 * (1000 / _WHITE)).astype(np.float32)


def _hlg_encoded(values: Floats) -> Floats:
    scene = (np.asarray(values, np.float64) * (_WHITE / 1000)) ** (1 / 1.2)
    upper = _HLG_A * np.log(np.maximum(12 * scene - _HLG_B, 1e-9)) + _HLG_C
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper).astype(np.float32)


_BT_709 = _video_curve(1.09929682680944, 0.018053968510807, 4.5)
# H.273, table 3: a name, and the curve from encoded values to linear ones.
_TRANSFERS: dict[int, tuple[str, ToneCurve]] = {
    1: ("BT.709", _BT_709),
    4: ("gamma 2.2", ParametricCurve(2.2)),
    5: ("gamma 2.8", ParametricCurve(2.8)),
    6: ("BT.601", _BT_709),
    7: ("SMPTE 240M", _video_curve(1.111572195921731, 0.022821585529445, 4.0)),
    8: ("linear", ParametricCurve(1.0)),
    13: ("sRGB", SRGB_CURVE),
    14: ("BT.2020", _BT_709),
    15: ("BT.2020", _BT_709),
    16: ("PQ", FormulaCurve(_pq_linear, _pq_encoded)),
    17: ("SMPTE 428", ParametricCurve(2.6, (52.37 / 48) ** (1 / 2.6))),
    18: ("HLG", FormulaCurve(_hlg_linear, _hlg_encoded)),
}


@dataclass(frozen=True, slots=True)
class CodePoints:
    """Colour that a file states without an ICC profile.

    Attributes:
        primaries: ColourPrimaries of H.273; 2, unspecified, is taken for BT.709.
        transfer: TransferCharacteristics; 2, unspecified, is taken for sRGB.
        matrix: MatrixCoefficients that the file's pixels are coded with. A decoder has applied them.
        full_range: Whether samples use the whole range; False only of rare PNG files, whose colour stays as it is.
        gamma: What PNG's gAMA states in place of `transfer`: the exponent from light to samples.
        chromaticities: What PNG's cHRM states in place of `primaries`: x and y of red, green, blue and white.
        mastering: Whether the file also states a mastering display or light levels (mDCV, cLLI; mdcv, clli).
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    full_range: bool = True
    gamma: float | None = None
    chromaticities: tuple[float, ...] | None = None
    mastering: bool = False

    @property
    def coded(self) -> bool:
        """Whether formats with code points can carry it: full range, and nothing beside the numbers of H.273."""
        return self.full_range and self.gamma is None and self.chromaticities is None

    @property
    def profile(self) -> Profile | None:
        """The tone curves and matrix for RGB; None for codes that have no curve or primaries here."""
        return _profile(self)

    @property
    def is_srgb(self) -> bool:
        """Whether this is sRGB, which needs no profile."""
        profile = _profile(self)
        return profile is not None and profile.is_srgb

    @property
    def name(self) -> str:
        """In words: "sRGB", "Display P3", "BT.2020 primaries, PQ transfer"."""
        if self.is_srgb:
            return "sRGB"
        primaries = _PRIMARIES.get(self.primaries, (f"number {self.primaries}",))[0]
        transfer = _TRANSFERS.get(self.transfer, (f"number {self.transfer}",))[0]
        if self.primaries == UNSPECIFIED:
            primaries = "BT.709" if self.chromaticities is None else "own"
        if self.transfer == UNSPECIFIED:
            transfer = "sRGB" if self.gamma is None else f"gamma {1 / self.gamma:.3g}"
        if (primaries, transfer) == ("Display P3", "sRGB"):
            return primaries
        return f"{primaries} primaries, {transfer} transfer"


@lru_cache(maxsize=16)
def _profile(points: CodePoints) -> Profile | None:
    curve = _TRANSFERS.get(13 if points.transfer == UNSPECIFIED else points.transfer, ("", None))[1]
    if points.gamma is not None and not 0.05 < points.gamma < 20:
        return None
    if points.gamma is not None:
        curve = SRGB_CURVE if abs(points.gamma - _SRGB_GAMMA) < 5e-4 else ParametricCurve(1 / points.gamma)
    place = points.chromaticities
    if place is None:
        place = _PRIMARIES.get(1 if points.primaries == UNSPECIFIED else points.primaries, ("", None))[1]
    if curve is None or place is None or not points.full_range:
        return None
    try:
        return Profile((curve,) * 3, matrix_of(place))
    except np.linalg.LinAlgError:
        return None
