"""Words for a picture's light, lens and grain, measured around the mask, for its prompt.

Tutorials advise to describe lighting and perspective in the prompt, so that the new content fits in. Here the words are
measured. A word is used only where its measure is clear: the thresholds were set on 52 photos so that a wrong word is
rarer than a missing one. (The side of the light is the least certain: a black wall on one side of a room looks like
light from the other.) The height of the camera and the time of day can't be measured from pixels, and are not guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from overpaint.mask import Mask
    from overpaint.picture import Picture


@dataclass(frozen=True, slots=True)
class Light:
    """The light.

    Attributes:
        lightness: Median CIE L* around the mask, 0 to 100.
        dark_end, bright_end: 10th and 90th percentile of L* over all known pixels.
        range_stops: From the 5th to the 95th percentile of luminance over all known pixels, smoothed, in stops.
        bright_share: Share of the known pixels that are nearly white.
        dark_share: Share of them that are nearly black.
        warmth: log2(red / blue) of the light; 0 where its measures contradict each other (see `_warmth`).
        slope_stops: How much brighter the right edge is than the left one in stops, by a plane fitted to known pixels.
        slope_share: Share of the variance of smoothed brightness that this slope explains, 0 to 1.
        chroma: 95th percentile of the CIELAB chroma over all known pixels.
    """

    lightness: float
    dark_end: float
    bright_end: float
    range_stops: float
    bright_share: float
    dark_share: float
    warmth: float
    slope_stops: float
    slope_share: float
    chroma: float


@dataclass(frozen=True, slots=True)
class Camera:
    """Camera data; None for what the metadata do not have.

    Attributes:
        focal_length: In mm, as engraved on the lens.
        focal_length_35: In mm, for the same angle of view on 36 x 24 mm film.
        f_number: Focal length over aperture.
        exposure_value: log2(N^2 / t) for ISO 100: about 15 in sunlight, 12 under clouds, 7 indoors, 2 at night.
        flash: Whether the flash fired.
        pitch: Of a drone's camera in degrees; -90 looks straight down.
    """

    focal_length: float | None = None
    focal_length_35: float | None = None
    f_number: float | None = None
    exposure_value: float | None = None
    flash: bool | None = None
    pitch: float | None = None

    @property
    def aperture(self) -> float | None:
        """Diameter of the entrance pupil in mm. The blur of a background grows with it, whatever the sensor."""
        return self.focal_length / self.f_number if self.focal_length and self.f_number else None


@dataclass(frozen=True, slots=True)
class MeasuredScene:
    """Measurements of a picture, and the words for them.

    Attributes:
        light: The light (see `Light`); None when too little of the picture is known.
        camera: Camera data from the metadata.
        sharpness: Around the mask, relative to the sharpest part of the picture; 1 = equal. None without texture.
        grain: Around the mask, in levels of 255. None where no part is flat enough.
        lighting, perspective, style: Words for them; empty where nothing is clear.
    """

    light: Light | None
    camera: Camera
    sharpness: float | None
    grain: float | None
    lighting: tuple[str, ...]
    perspective: tuple[str, ...]
    style: tuple[str, ...]


def scene_of(picture: Picture, mask: Mask | None = None) -> MeasuredScene:
    """Measure the scene around the mask (or of the whole picture without one).

    Raises:
        MaskError: The mask has another size.
    """
    from ._camera import camera_of
    from ._light import grain_of, light_of, sharpness_of

    if mask is not None:
        mask.require_size(picture.size)
    light, camera = light_of(picture, mask), camera_of(picture.metadata)
    sharpness, grain = sharpness_of(picture, mask), grain_of(picture, mask)
    return MeasuredScene(
        light=light,
        camera=camera,
        sharpness=sharpness,
        grain=grain,
        lighting=tuple(_lighting(light, camera)),
        perspective=tuple(_perspective(camera, sharpness)),
        style=tuple(_style(light, grain)),
    )


def scene_prompt(
    prompt: str,
    picture: Picture,
    mask: Mask | None = None,
    *,
    lighting: bool = True,
    perspective: bool = True,
    style: bool = False,
    general: bool = True,
) -> str:
    """The prompt, followed by words for the picture's light and lens.

        scene_prompt("a bench", picture, mask)   # "a bench, warm light, matching perspective"

    Nothing is added on a topic that the prompt has a word on: with "warm" or "cold", nothing on the light's colour.

    Args:
        prompt: May be empty.
        picture: The picture.
        mask: The masked part is not measured, and its surroundings count most.
        lighting: Add the light: bright or dim, soft or hard, warm or cool, its side.
        perspective: Add the lens: focal length, depth of field, focus.
        style: Add grain and colour: film grain, black and white, muted or vivid colours.
        general: Where nothing clear was measured of the light or the perspective, add the tutorials' "consistent
            lighting" or "matching perspective" instead.

    Raises:
        MaskError: The mask has another size.
    """
    scene = scene_of(picture, mask)
    words: list[str] = []
    for wanted, measured, otherwise in (
        (lighting, scene.lighting, "consistent lighting"),
        (perspective, scene.perspective, "matching perspective"),
        (style, scene.style, None),
    ):
        if wanted:
            words += measured or ([otherwise] if general and otherwise else [])
    fresh = [word for word in words if not _is_mentioned(word, prompt)]
    start = prompt.rstrip().rstrip(",")
    return ", ".join([*([start] if start else []), *fresh])


def _lighting(light: Light | None, camera: Camera) -> Iterator[str]:
    if camera.flash:
        yield "flash photography"
    if light is None:
        return
    if light.bright_end < 45 or (camera.exposure_value is not None and camera.exposure_value < 4):
        yield "dim light"
    elif light.dark_end > 50 and light.lightness > 70:
        yield "bright light"
    if light.bright_share > 0.03 and light.dark_share > 0.1 and light.range_stops > 4.5:
        yield "hard light"
    elif light.range_stops < 2.05 and light.dark_share < 0.045 and light.bright_end >= 55:
        yield "soft light"
    if abs(light.warmth) > 0.3:
        yield "warm light" if light.warmth > 0 else "cool light"
    if light.bright_share > 0.05 and light.dark_share > 0.1 and light.lightness < 30:
        yield "backlit"
    elif abs(light.slope_stops) > 1.5 and light.slope_share > 0.3:
        yield f"light from the {'right' if light.slope_stops > 0 else 'left'}"


def _perspective(camera: Camera, sharpness: float | None) -> Iterator[str]:
    if camera.pitch is not None and camera.pitch < -20:
        yield "top-down aerial view" if camera.pitch < -70 else "aerial view"
    focal, aperture = camera.focal_length_35, camera.aperture
    if focal is not None:
        lenses = ((20, "ultra wide-angle"), (36, "wide-angle"), (64, "standard"), (math.inf, "telephoto"))
        yield f"{focal:.0f}mm {next(kind for most, kind in lenses if focal < most)} lens"
    # The blur of a distant background is as wide as the entrance pupil: 17 mm is 50 mm at f/2.8.
    if aperture is not None and aperture > 17:
        yield "shallow depth of field"
    elif aperture is not None and focal is not None and aperture < 4 and focal < 40:
        yield "deep depth of field"
    if sharpness is not None and sharpness < 0.25:
        yield "out of focus" if sharpness < 0.08 else "slightly out of focus"


def _style(light: Light | None, grain: float | None) -> Iterator[str]:
    if grain is not None and grain > 3.5:
        yield "film grain"
    if light is None:
        return
    if light.chroma < 3:
        yield "black and white photo"
    elif light.chroma < 14:
        yield "muted colours"
    elif light.chroma > 70:
        yield "vivid colours"


# Topics: words that we add, and words of a prompt that cover the same.
_TOPICS = (
    (("warm light", "cool light"), r"warm|cool|cold|golden|sunset|sunrise|tungsten|candle\w*|blue hour|neutral light"),
    (("dim light", "bright light"), r"dim|dark|bright|night|low[- ]light|high[- ]key|low[- ]key|sunny|sunlit"),
    (("hard light", "soft light"), r"soft|hard|harsh|diffused?|overcast|contrasty"),
    (("backlit", "light from"), r"backlit|backlight|rim light|light(ing)? from|side[- ]?lit"),
    (("flash photography",), r"flash"),
    (("mm ",), r"\d+ ?mm|wide[- ]angle|telephoto|fisheye|macro"),
    (("depth of field",), r"depth of field|bokeh|deep focus"),
    (("out of focus",), r"(out of|in|sharp) focus|blurr?(y|ed)|bokeh"),
    (("aerial view",), r"aerial|top[- ]down|drone|bird'?s[- ]eye|overhead"),
    (("consistent lighting",), r"lights?|lit|lighting|shade|shadows?|dark|bright|night|sunset|sunny|sunlit|backlit"),
    (("matching perspective",), r"perspective|view|shot|angle|lens|close-?up|\d+ ?mm|aerial|overhead"),
    (("film grain",), r"grain\w*|noisy"),
    (("black and white photo",), r"black[- ]and[- ]white|monochrome|b&w|greyscale|grayscale|sepia"),
    (("colours",), r"colou?rs|colou?rful|muted|vivid|saturated|pastel"),
)  # fmt: skip


def _is_mentioned(word: str, prompt: str) -> bool:
    """Whether the prompt has a word on the topic of `word`."""
    if word.lower() in prompt.lower():
        return True
    return any(
        any(ours in word for ours in words) and re.search(rf"(?<!\w)({theirs})(?!\w)", prompt, re.IGNORECASE)
        for words, theirs in _TOPICS
    )
