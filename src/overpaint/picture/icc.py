"""ICC profiles of curves and a matrix (ICC.1:2022): read, and made for formats that have no place for code points."""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from .code_points import CodePoints
from .profile import D50, SRGB_TO_XYZ, XYZ_TO_SRGB, Matrix, ParametricCurve, Profile, TableCurve, ToneCurve

_ENTRIES = 4096  # of a curve that is written as a table


@lru_cache(maxsize=16)
def parsed(icc: bytes) -> Profile | None:
    """The profile as curves and a matrix; None when it is of another kind (look-up tables, CMYK, Lab) or damaged."""
    try:
        return _parsed(icc)
    except (struct.error, ValueError, LookupError, np.linalg.LinAlgError):  # a tag is damaged or missing
        return None


def colour_space(icc: bytes | None) -> str:
    """The profile's data colour space: "RGB", "GRAY", "CMYK", ...; "" when it isn't a profile."""
    return icc[16:20].decode("latin-1").strip() if icc and len(icc) >= 128 and icc[36:40] == b"acsp" else ""


def _parsed(icc: bytes) -> Profile | None:
    space = colour_space(icc)
    if space not in ("RGB", "GRAY") or icc[20:24] not in (b"XYZ ", b"Lab "):
        return None
    tags = _tags(icc)
    if b"cicp" in tags:  # counts before the curves, which can't hold light above white
        primaries, transfer, _, full = tags[b"cicp"][8:12]
        profile = CodePoints(primaries, transfer, 0, full == 1).profile
        if profile is not None:
            return profile.grey if space == "GRAY" else profile
    if space == "GRAY":
        return Profile((_curve(tags[b"kTRC"]),), None)
    if icc[20:24] != b"XYZ ":
        return None
    matrix = XYZ_TO_SRGB @ np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        return None
    return Profile(tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")), matrix)


def _tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    found = {}
    for i in range(min(count, 200)):
        name, at, size = struct.unpack_from(">4sII", icc, 132 + 12 * i)
        if at + size <= len(icc):
            found[name] = icc[at : at + size]
    return found


def _xyz(tag: bytes) -> Matrix:
    if tag[:4] != b"XYZ ":
        raise ValueError("no XYZ tag")
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> ToneCurve:
    """curveType (10.6) or parametricCurveType (10.18)."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count == 0:
            return ParametricCurve(1.0)
        if count == 1:
            return _invertible(ParametricCurve(struct.unpack_from(">H", tag, 12)[0] / 256))
        values = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
        return TableCurve(np.maximum.accumulate(values))
    if tag[:4] != b"para":
        raise ValueError("no curve tag")
    (kind,) = struct.unpack_from(">H", tag, 8)
    p = [v / 65536 for v in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)]
    if kind in (1, 2):  # below -b/a the curve is 0 (kind 1) or c (kind 2)
        c = p[3] if kind == 2 else 0.0
        p = [*p[:3], 0.0, -p[2] / p[1], c, c]
    return _invertible(ParametricCurve(*p))


def _invertible(curve: ParametricCurve) -> ParametricCurve:
    if not (curve.g > 0 and curve.a > 0):
        raise ValueError("a curve without an inverse")
    return curve


def encoded(profile: Profile, name: str, points: CodePoints | None = None) -> bytes:
    """A version 4 display profile of curves and a matrix, or of one curve for grey.

    Args:
        profile: What to write. Light above white (PQ, HLG) is cut off in the curves.
        name: What programs show to people.
        points: Code points to add as a `cicp` tag (9.2.17), which newer readers prefer to the curves.
    """
    tags = {b"desc": _text(name), b"cprt": _text("No copyright"), b"wtpt": _xyz_tag(D50)}
    if profile.matrix is None:
        tags[b"kTRC"] = _curve_tag(profile.curves[0])
    else:
        for letter, column, curve in zip("rgb", (SRGB_TO_XYZ @ profile.matrix).T, profile.curves, strict=True):
            tags[f"{letter}XYZ".encode()], tags[f"{letter}TRC".encode()] = _xyz_tag(column), _curve_tag(curve)
    if points is not None and points.coded:
        tags[b"cicp"] = b"cicp" + bytes((0, 0, 0, 0, points.primaries, points.transfer, 0, 1))
    at = 132 + 12 * len(tags)
    entries = body = b""
    for tag, value in tags.items():
        entries += struct.pack(">4sII", tag, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    space = b"GRAY" if profile.matrix is None else b"RGB "
    head = struct.pack(">III4s4s4s", at + len(body), 0, 0x04400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s28x", 2026, 1, 1, 0, 0, 0, b"acsp") + _fixed(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def _fixed(values: ArrayLike) -> bytes:
    return bytes(np.rint(np.array(values) * 65536).astype(">i4").tobytes())


def _xyz_tag(values: ArrayLike) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _text(text: str) -> bytes:
    wide = text.encode("utf-16-be")
    return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(wide), 28) + wide


def _curve_tag(curve: ToneCurve) -> bytes:
    if isinstance(curve, ParametricCurve):
        return b"para\0\0\0\0\0\4\0\0" + _fixed([curve.g, curve.a, curve.b, curve.c, curve.d, curve.e, curve.f])
    ramp = np.linspace(0, 1, _ENTRIES, dtype=np.float32)
    table = curve.values if isinstance(curve, TableCurve) else np.clip(curve.linear(ramp), 0, 1)
    return struct.pack(">4s4xI", b"curv", table.size) + np.rint(table * 65535).astype(">u2").tobytes()
