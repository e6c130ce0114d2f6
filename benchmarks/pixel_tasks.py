"""The tasks of `benchmarks.pixels` at 4K: our implementation first, then plain ones."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks.dataset import EVAL
from overpaint.geometry import Box, Size

WIDE = Size(3840, 2160)
OURS = "overpaint"
Pixels8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Task:
    """One task with several implementations.

    Attributes:
        name: Name of the task.
        sides: Implementations by name, ours first; each returns its result.
        notes: Text on accuracy and sizes, measured at set-up or from the results.
        repeats: Share of the requested rounds; 1 for all.
    """

    name: str
    sides: Mapping[str, Callable[[], object]]
    notes: Callable[[], str] = field(default=lambda: "")
    repeats: float = 1.0


def photo(size: Size = WIDE) -> Pixels8:
    """(H, W, 3): real photos side by side at their own scale, so that noise and detail are those of photos.

    From the benchmark's photos if they exist, else from scikit-image's.
    """
    tiles = _eval_photos() if EVAL.is_dir() else _skimage_photos()
    wide = np.empty((*size.shape, 3), np.uint8)
    top = 0
    while top < size.height:
        left, tallest = 0, size.height
        while left < size.width:
            tile = next(tiles)[: size.height - top, : size.width - left]
            wide[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
            left, tallest = left + tile.shape[1], min(tallest, tile.shape[0])
        top += tallest
    return wide


def _eval_photos() -> Iterator[Pixels8]:
    large = [path for path in sorted((EVAL / "images").glob("*.jpg")) if path.stat().st_size > 60_000]
    while True:
        for path in large:
            with Image.open(path) as image:
                yield np.asarray(image.convert("RGB"))


def _skimage_photos() -> Iterator[Pixels8]:
    from skimage import data

    while True:
        yield from (np.asarray(picture, np.uint8) for picture in (data.astronaut(), data.coffee(), data.chelsea()))


def one_hole(size: Size = WIDE) -> NDArray[np.bool_]:
    """(H, W): one ellipse, a third of the picture across and down: a large object."""
    y, x = np.ogrid[: size.height, : size.width]
    across, down = (x - size.width / 2) / (size.width / 6), (y - size.height / 2) / (size.height / 6)
    hole: NDArray[np.bool_] = across**2 + down**2 <= 1
    return hole


def specks(size: Size = WIDE) -> NDArray[np.bool_]:
    """(H, W): discs all over the picture, so that no shortcut around a single box helps."""
    y, x = np.ogrid[: size.height, : size.width]
    hole: NDArray[np.bool_] = ((x % 240) - 120) ** 2 + ((y % 216) - 108) ** 2 <= 60**2
    return hole


def feather(radius: float, name: str, hole: NDArray[np.bool_]) -> Task:
    """Blur a mask by a Gaussian. Ours and Pillow's sigma is the radius."""
    from overpaint.mask import Mask

    mask = Mask.from_array(hole)
    grey = Image.fromarray(hole.astype(np.uint8) * 255)

    def notes() -> str:
        part = (slice(0, WIDE.height // 2), slice(0, WIDE.width // 2))
        cut = np.ascontiguousarray(hole[part])
        ours = Mask.from_array(cut).feather(radius).values * 255.0
        theirs = np.asarray(Image.fromarray(cut.astype(np.uint8) * 255).filter(ImageFilter.GaussianBlur(radius)))
        true = true_gaussian(cut, radius) * 255.0
        return (
            f"largest error in 255ths: ours {np.abs(ours - true).max():.2f}, Pillow's {np.abs(theirs - true).max():.2f}"
        )

    import cv2

    sides: dict[str, Callable[[], object]] = {
        OURS: lambda: mask.feather(radius),
        "Pillow GaussianBlur": lambda: grey.filter(ImageFilter.GaussianBlur(radius)),
        "OpenCV GaussianBlur": lambda: cv2.GaussianBlur(np.asarray(grey), (0, 0), radius),
    }
    return Task(f"feather {radius:g}, {name}", sides, notes)


def true_gaussian(hole: NDArray[np.bool_], sigma: float) -> NDArray[np.float64]:
    """(H, W) the Gaussian in float64, cut at 5 sigma (6e-7 of its mass is beyond), edges extended."""
    from scipy.ndimage import gaussian_filter

    blurred: NDArray[np.float64] = gaussian_filter(hole.astype(np.float64), sigma, mode="nearest", truncate=5.0)
    return blurred


def composite(name: str, box: Box) -> Task:
    """A patch into a picture by a soft mask: all ways return a new picture and leave the old one alone."""
    from overpaint.composite import paste

    old = photo()
    rows, columns = box.slices
    new = np.ascontiguousarray(old[::-1, ::-1][rows, columns])
    patch = new.astype(np.float32)
    weight = true_gaussian(one_hole(box.size), 16).astype(np.float32)
    grey = Image.fromarray(np.rint(weight * 255).astype(np.uint8))
    under, over = Image.fromarray(old), Image.fromarray(new)

    def ours() -> Pixels8:
        result = old.copy()
        paste(result, patch, weight, box)
        return result

    def numpy_way() -> Pixels8:
        result = old.copy()
        share = weight[..., None]
        blend = old[rows, columns] * (1 - share) + patch * share
        result[rows, columns] = np.rint(blend).clip(0, 255).astype(np.uint8)
        return result

    def pillow_way() -> Image.Image:
        result = under.copy()
        result.paste(over, (box.left, box.top), grey)
        return result

    def notes() -> str:
        difference = np.abs(ours().astype(int) - numpy_way()).max()
        return f"largest difference between ours and NumPy's: {difference} levels"

    return Task(f"composite, {name}", {OURS: ours, "NumPy": numpy_way, "Pillow paste (8 bits)": pillow_way}, notes)


def corrections(size: Size = WIDE) -> Task:
    """Colour match and seam correction of a painted canvas whose engine shifted colours by a known amount.

    The shift: 3 % less contrast, lighter by 2 %, and a tint that grows to 2 % from the left to the right.
    """
    from overpaint.finish import correct

    original = photo(size).astype(np.float32) / np.float32(255)
    hole = one_hole(size)
    tint = np.linspace(0, 0.02, size.width, dtype=np.float32)[:, None] * np.array([1, 0, -1], np.float32)
    estimate = original * np.float32(0.97) + np.float32(0.02) + tint

    def ours() -> NDArray[np.float32]:
        return np.asarray(correct(estimate, estimate, original, hole).pixels, np.float32)

    def numpy_way() -> NDArray[np.float32]:
        """Gain and offset by least squares, then what is left near the hole spread by a normalised Gaussian."""
        from scipy.ndimage import gaussian_filter

        known = ~hole
        x, y = estimate[known].astype(np.float64), original[known].astype(np.float64)
        gain = ((x - x.mean(0)) * (y - y.mean(0))).mean(0) / ((x - x.mean(0)) ** 2).mean(0)
        offset = y.mean(0) - gain * x.mean(0)
        matched = estimate * gain.astype(np.float32) + offset.astype(np.float32)
        weight = known.astype(np.float32)
        share = gaussian_filter(weight, 16) + np.float32(1e-6)
        left = (original - matched) * weight[..., None]
        seam = np.stack([gaussian_filter(left[..., c], 16) / share for c in range(3)], axis=-1)
        return np.asarray(matched + seam, np.float32)

    def notes() -> str:
        before, after = (np.abs(x - original)[hole].mean() * 255 for x in (estimate, ours()))
        plain = np.abs(numpy_way() - original)[hole].mean() * 255
        return f"mean error in the hole in 255ths: {before:.2f} before, {after:.2f} ours, {plain:.2f} NumPy's"

    return Task("colour and seam correction", {OURS: ours, "NumPy and SciPy": numpy_way}, notes, repeats=0.3)


def png() -> Task:
    """Save as PNG, in memory."""
    from overpaint.picture import encode, from_array

    pixels = photo()
    picture, image = from_array(pixels), Image.fromarray(pixels)

    def notes() -> str:
        mine, plain, fast = encode(picture, "png").data, _saved(image, "PNG"), _saved(image, "PNG", compress_level=1)
        with Image.open(io.BytesIO(mine)) as back:
            equal = np.array_equal(np.asarray(back), pixels)
        sizes = ", ".join(f"{len(data) / 1e6:.1f}" for data in (mine, plain, fast))
        return f"MB: {sizes}; decodes to {'equal' if equal else 'OTHER'} pixels"

    return Task(
        "save PNG",
        {
            OURS: lambda: encode(picture, "png"),
            "Pillow save": lambda: _saved(image, "PNG"),
            "Pillow, level 1": lambda: _saved(image, "PNG", compress_level=1),
        },
        notes,
        repeats=0.3,
    )


def jpeg(quality: int = 95) -> Task:
    """Save as JPEG of one quality, in memory. Pillow halves the colour's resolution unless told not to."""
    from overpaint.picture import encode, from_array

    pixels = photo()
    picture, image = from_array(pixels), Image.fromarray(pixels)
    sides: dict[str, Callable[[], bytes]] = {
        OURS: lambda: encode(picture, "jpeg", quality=quality).data,
        "Pillow save": lambda: _saved(image, "JPEG", quality=quality),
        "Pillow, full colour": lambda: _saved(image, "JPEG", quality=quality, subsampling=0),
    }

    def notes() -> str:
        files = {way: save() for way, save in sides.items()}
        return "; ".join(f"{way} {len(f) / 1e6:.2f} MB, {_fidelity(f, pixels):.1f} dB" for way, f in files.items())

    return Task(f"save JPEG, quality {quality}", sides, notes)


def jpeg_again() -> Task:
    """Save an edited JPEG as JPEG: ours carries over the blocks that the edit did not touch."""
    from overpaint.picture import encode, open_picture

    file = _saved(Image.fromarray(photo()), "JPEG", quality=90)
    opened = open_picture(file)
    edit = one_hole()
    samples = opened.samples.copy()
    samples[edit] = 255 - samples[edit]
    edited = opened.with_pixels(samples, opened.alpha)
    image = Image.fromarray(np.asarray(samples, np.uint8))

    def notes() -> str:
        mine, plain = encode(edited, "jpeg", touched=edit), _saved(image, "JPEG", quality=90)
        blocks = edit if mine.touched is None else mine.touched
        counts = []
        for data in (mine.data, plain):
            with Image.open(io.BytesIO(data)) as back:
                changed = (np.asarray(back) != np.asarray(opened.samples)).any(axis=2)
            counts.append(int(np.count_nonzero(changed & ~blocks)))
        return f"{mine.fidelity}; pixels changed outside the edit's blocks: ours {counts[0]:,}, Pillow's {counts[1]:,}"

    return Task(
        "save an edited JPEG again",
        {
            OURS: lambda: encode(edited, "jpeg", touched=edit),
            "Pillow save": lambda: _saved(image, "JPEG", quality=90),
        },
        notes,
    )


def _saved(image: Image.Image, kind: str, **settings: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def _fidelity(data: bytes, pixels: Pixels8) -> float:
    with Image.open(io.BytesIO(data)) as back:
        error = np.asarray(back.convert("RGB")).astype(np.float64) - pixels
    return float(10 * np.log10(255**2 / np.mean(error * error)))


def all_tasks() -> dict[str, Callable[[], Task]]:
    """By short name, what makes each task; made one at a time, because each holds several 4K pictures."""
    holes = {"one hole": one_hole, "discs all over": specks}
    boxes = {"one hole": Box(1200, 700, 2640, 1460), "the whole picture": WIDE.box}
    feathers = {
        f"feather-{radius}-{name.split()[-1]}": partial(_feather_of, radius, name, hole)
        for name, hole in holes.items()
        for radius in (8, 32, 64)
    }
    composites = {f"composite-{name.split()[-1]}": partial(composite, name, box) for name, box in boxes.items()}
    rest = {"corrections": corrections, "png": png, "jpeg": jpeg, "jpeg-again": jpeg_again}
    return {**feathers, **composites, **rest}


def _feather_of(radius: float, name: str, hole: Callable[[], NDArray[np.bool_]]) -> Task:
    return feather(radius, name, hole())
