"""Pictures of a folder with their masks: a mask is the file of the same stem, in a folder of masks, or one for all."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any

from overpaint.doors.names import folded
from overpaint.errors import RequestError
from overpaint.picture import READABLE_EXTENSIONS

from .rows import RawRow
from .store import Address, Place, resolved

ANNOTATIONS = (".json", ".xml")
_MASK_ENDINGS = ("", "_mask", "-mask", ".mask")


def is_mask_name(stem: str) -> bool:
    """Whether a file of this stem is a mask where pictures and masks lie in one folder."""
    return stem.endswith(_MASK_ENDINGS[1:])


class NoMaskError(RequestError):
    """A picture has no mask in the folder of masks."""


class PicturePairs:
    """The rows of a folder's pictures. Of masks' names composed and decomposed accents are the same, and so is case
    where no other name is equal.
    """

    def __init__(self, images: Place, masks: Place | None, mask_files: Iterable[Place] | None = None) -> None:
        """`images`: the folder. `masks`: the folder of masks, whose files are given; or one mask for all, or None."""
        self._images, self._masks = images, masks
        self._folder = mask_files is not None
        self._by_place: dict[str, list[Place]] = {}
        self._by_stem: dict[str, list[Place]] = {}
        for path in mask_files or ():
            if masks is not None and path.suffix.lower() in READABLE_EXTENSIONS.union(ANNOTATIONS):
                self._by_place.setdefault(folded(str(path.relative_to(masks).with_suffix(""))), []).append(path)
                self._by_stem.setdefault(folded(path.stem), []).append(path)

    def row(self, number: int, picture: Place) -> RawRow:
        """The row of a picture. NoMaskError where its mask is missing, RequestError where it has several."""
        table: dict[str, Any] = {"image": _whole(picture)}
        if (mask := self.mask_of(picture)) is not None:
            table["mask"] = _whole(mask)
        return RawRow(number, table, folder=self._within(picture))

    def bad_row(self, number: int, picture: Place, error: RequestError) -> RawRow:
        """The row of a picture whose mask can't be determined."""
        where = self._within(picture)
        return RawRow(number, error=error.within(str(picture)), folder=where, image=_whole(picture))

    def mask_of(self, picture: Place) -> Place | None:
        """The mask of a picture; None where none is taken from files. Raises as `row`."""
        if self._masks is None or not self._folder:
            return self._masks
        within = picture.relative_to(self._images)
        for ending in _MASK_ENDINGS:
            place = within.with_name(within.stem + ending)
            for candidates in (self._by_place.get(folded(str(place)), []), self._by_stem.get(folded(place.name), [])):
                others = [path for path in candidates if resolved(path) != resolved(picture)]
                others = [path for path in others if _composed(path.stem) == _composed(place.name)] or others
                if len(others) > 1:
                    names = ", ".join(str(path.relative_to(self._masks)) for path in others[:4])
                    raise RequestError(f"it has several masks in {self._masks}: {names}", field="masks")
                if others:
                    return others[0]
        message = f"it has no mask in {self._masks}; its name would be {within.stem}.png"
        raise NoMaskError(message, field="masks", value=str(self._masks))

    def _within(self, picture: Place) -> str:
        """The picture's folder within the one that was read: "" or "sub/"."""
        within = picture.relative_to(self._images)
        return "" if len(within.parts) == 1 else within.parent.as_posix() + "/"


def _whole(place: Place) -> str:
    """The absolute path, or the address."""
    return str(place if isinstance(place, Address) else place.absolute())


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
