"""Another colour for the pixels of an object, in linear light.

A pixel is light that the object sent back in its own colour, and light that was mirrored, or came from something else
in the same pixel (the dichromatic model: Shafer, "Using color to separate reflection components", 1985):

    c = d S + s W + r          S own colour, W white, r what is left: variation of hue and saturation

With A(c) the light of a pixel (a weighted mean of its channels), p(c) = c - A(c) W its colour part, and
q = <p(c), p(S)> / |p(S)|^2 x A(S) / A(c) its saturation over the object's, the share of its light that has the object's
colour is

    f = membership x min(1, (q - tint) / (1 - varies - tint)),   d = f A(c) / A(S),   s = (1 - f) A(c)

and the repainted pixel is c' = g(d) T + s W + r', with T the new colour. For T = S it is c itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .oklab import Floats
from .own_colour import OwnColour
from .ramps import falling

_MOST_SHADE = 2.5
"""Light of a white, grey or black object beyond this multiple of its own colour's is mirrored."""

_MOST_DARK = 0.03
"""And beyond this where that is less."""

_TINT = np.float32(0.07)
"""Saturation, as a share of the object's, that white and grey things have from the light that the object sends them."""

_NOISE = 0.005
"""Light at which half of a dark pixel's hue is noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Repainted:
    """Pixels in another colour.

    Attributes:
        linear: (..., 3) linear sRGB, within [0, 1].
        share: (...) float32 in [0, 1], how much of each pixel's light had the object's colour.
    """

    linear: Floats
    share: Floats


def repainted(linear: Floats, membership: Floats, own: OwnColour, new: Floats) -> Repainted:
    """Pixels with the object's own colour replaced by another.

    Args:
        linear: (..., 3) linear sRGB.
        membership: (...) float32 in [0, 1], how much each belongs to the object's colour.
        own: That colour.
        new: (3,) linear sRGB, the new one.
    """
    light = linear @ own.weights
    if own.coloured:
        share, result = _of_coloured(linear, light, membership, own, new)
    else:
        share, result = _of_neutral(linear, light, membership, own, new)
    return Repainted(_in_gamut(result), share)


def _of_coloured(
    linear: Floats, light: Floats, membership: Floats, own: OwnColour, new: Floats
) -> tuple[Floats, Floats]:
    own_light, new_light = (float(one @ own.weights) for one in (own.linear, new))
    own_part, new_part = own.linear - own_light, new - new_light
    part = linear - light[..., None]
    strength = float(own_part @ own_part)
    along = (part @ own_part) / np.float32(max(strength, 1e-9))
    saturation = along * np.float32(own_light) / np.maximum(light, 1e-5)
    body = light * np.clip((saturation - _TINT) / np.float32(1 - own.varies - _TINT), 0, 1)
    most = np.float32(max(_MOST_SHADE * own_light, _MOST_DARK))
    body = np.minimum(body, most) * _left(body, most, 0.6 * float(most))
    share = membership * body / np.maximum(light, 1e-6)
    shade = share * light / np.float32(own_light)
    surplus = along - shade
    # What the body lacks in saturation is lacking in the new colour as well; taken from the old one it would leave its
    # complement. The rest is shared out.
    against = np.minimum(along, 0)
    of_body = np.where(surplus < 0, surplus - (1 - share) * against, share * surplus)
    rest = part - along[..., None] * own_part
    # What is left of the old colour goes with it, as far as the new one is paler or darker; variation of saturation
    # goes over to the new colour, and noise is not made larger where that has more.
    ratio = float(np.linalg.norm(new_part)) / max(float(np.sqrt(strength)), 1e-6)
    kept = (1 - share) + share * np.float32(min(1.0, ratio))
    result = (
        (share * _toned(light, own, new_light))[..., None] * new
        + ((1 - share) * light)[..., None]
        + of_body[..., None] * (new_part / np.float32(max(1.0, ratio)))
        + (surplus - of_body)[..., None] * own_part
        + kept[..., None] * rest
    )
    return np.asarray(share, np.float32), np.asarray(result, np.float32)


def _of_neutral(
    linear: Floats, light: Floats, membership: Floats, own: OwnColour, new: Floats
) -> tuple[Floats, Floats]:
    """A white, grey or black object has no colour that would show in how much of the light it is.

    It has all of the light up to a limit; the colour of the light falls on the new colour as on the old one.
    """
    own_light, new_light = (float(one @ own.weights) for one in (own.linear, new))
    most = np.float32(max(_MOST_SHADE * own_light, _MOST_DARK))
    diffuse = np.minimum(light, most)
    lighter = _left(light, most, 1.6 * float(_toned(most, own, new_light)) * new_light + 0.05)
    membership = membership * lighter * _shadowed(light, own, new_light)
    share = membership * diffuse / np.maximum(light, 1e-6)
    cast = linear / np.maximum(light, 1e-4)[..., None] * (own_light / np.maximum(own.linear, 1e-4))
    trusted = light / (light + _NOISE) * (1 - _lifted(own, new_light))
    cast = 1 + (np.clip(cast, 0, 2) - 1) * trusted[..., None]
    result = (membership * _toned(diffuse, own, new_light))[..., None] * cast * new + (1 - share)[..., None] * linear
    return np.asarray(share, np.float32), np.asarray(result, np.float32)


def _left(light: Floats, most: np.float32, reach: float) -> Floats:
    """1 up to the most light that an object's colour can have, 0 from `reach` on: that is something else, or mirrored.

    Over a reach of 1.5 times the new colour's light, no lighter pixel becomes darker than a darker one.
    """
    return falling(light, float(most), float(most) + reach)


def _shadowed(light: Floats, own: OwnColour, new_light: float) -> Floats:
    """1 from the least light that a white or grey object has in shadow, 0 for what is darker, as tyres are.

    Where the new colour is darker, that begins further down, so that what is between does not become lighter than it.
    """
    least = own.shadow**3
    if least <= 0:
        return np.ones_like(light)
    ratio = min(new_light / float(own.linear @ own.weights), 0.6)
    return np.clip((1 - ratio * least / np.maximum(light, 1e-6)) / np.float32(1 - ratio), 0, 1)


def _toned(light: Floats | np.float32, own: OwnColour, new_light: float) -> Floats:
    """The shading, 1 where the object has its own colour: how much of the new colour shows.

    A dark object shows more of mirrored light and noise than of its shading, over many times its own light: the lighter
    the new colour is, the more this is compressed, and the less black its shadows are.
    """
    own_light, lifted = float(own.linear @ own.weights), _lifted(own, new_light)
    if not lifted:
        return np.asarray(light / np.float32(own_light), np.float32)
    power, floor = 1 - 0.5 * lifted, 0.006 * lifted
    return np.asarray(((light + floor) / (own_light + floor)) ** np.float32(power), np.float32)


def _lifted(own: OwnColour, new_light: float) -> float:
    """0 to 1: how far a dark object is made a light one."""
    lifted = math.log(max(new_light / float(own.linear @ own.weights), 1e-6)) / math.log(8)
    return min(max(lifted, 0.0), 1.0) * own.dark


def _in_gamut(linear: Floats) -> Floats:
    """Colours beyond [0, 1] drawn towards grey of the same light until they are within."""
    # numpy reduces over an axis of three slowly
    beyond = np.zeros(linear.shape[:-1], bool)
    for channel in range(3):
        beyond |= (linear[..., channel] < 0) | (linear[..., channel] > 1)
    found = linear[beyond]
    light = np.clip(found.mean(axis=-1, keepdims=True), 0, 1)
    apart = found - light
    room = np.where(apart > 0, 1 - light, light) / np.maximum(np.abs(apart), 1e-9)
    result = linear.copy()
    result[beyond] = np.clip(light + np.minimum(room.min(axis=-1, keepdims=True), 1) * apart, 0, 1)
    return result
