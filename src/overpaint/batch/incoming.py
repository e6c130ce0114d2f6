"""The pictures of a folder that keeps being filled: which are whole, with their masks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from overpaint.doors.names import has_placeholder
from overpaint.errors import RequestError
from overpaint.picture import READABLE_EXTENSIONS

from .arrivals import FileMark, FolderListing, Settling, list_folder
from .events import Event, LeftOut, Postponed
from .pairs import ANNOTATIONS, NoMaskError, PicturePairs, is_mask_name
from .rows import RawRow
from .run import Options


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder that keeps being filled.

    Attributes:
        images: The folder; pictures in the folders in it count too.
        masks: The folder of their masks, or one mask for all; None where the settings say where to repaint.
        interval: Seconds between two looks, and for which a file must stay equal before it is read.
        idle_exit: Seconds without anything to do after which the run ends; None: it goes on until it is stopped.
    """

    images: Path
    masks: Path | None = None
    interval: float = 2.0
    idle_exit: float | None = None

    @property
    def mask_folder(self) -> Path | None:
        """The folder of masks, where there is one."""
        return self.masks if self.masks is not None and self.masks.is_dir() else None

    def check(self, options: Options) -> None:
        """Raise RequestError where the folder can't be watched with these options."""
        if not self.images.is_dir():
            raise RequestError(f"{{field}}: {self.images} is no folder", field="images", value=str(self.images))
        if self.masks is not None and not self.masks.exists():
            raise RequestError(f"{{field}}: {self.masks} doesn't exist", field="masks", value=str(self.masks))
        out = options.folders.out
        if isinstance(out, Path) and self.images.resolve().is_relative_to(out.resolve()):
            message = f"the results would come into the folder that is watched, {self.images}: choose another one"
            raise RequestError(message, field="output", value=str(out))
        if has_placeholder(options.rules.name, "row", "id"):
            message = "the pictures of a folder that is filled have no lasting numbers: name results by {name}"
            raise RequestError(message, field="name", value=options.rules.name)


@dataclass(slots=True)
class IncomingPictures:
    """What is in a watched folder and in that of its masks.

    Attributes:
        watched: The folder.
        own: Folders of the batch, which are left out.
        on_event: Is told of files that are no pictures, and of pictures that wait for their masks.
        clock: Gives seconds; monotonic.
        postponed: Pictures that wait for their masks.
        unfinished: Number of pictures that are still being written, or whose masks are.
    """

    watched: WatchedFolder
    own: Collection[Path]
    on_event: Callable[[Event], None]
    clock: Callable[[], float]
    postponed: set[str] = field(default_factory=set)
    unfinished: int = 0
    _ready: list[str] = field(default_factory=list)
    _listing: FolderListing = field(default_factory=FolderListing)
    _mask_listing: FolderListing = field(default_factory=FolderListing)
    _masks: Path | None = field(init=False)
    _pairs: PicturePairs = field(init=False)
    _paired: frozenset[str] = frozenset()
    _coming: PicturePairs | None = None  # with the masks that are being written
    _told: dict[str, str] = field(default_factory=dict)  # what was said of a file or folder that is there
    _settling: Settling = field(init=False)

    def __post_init__(self) -> None:
        self._settling = Settling(self.watched.interval, self.clock)
        self._masks = self.watched.mask_folder  # what it is stays so, also while it is gone
        self._pairs = PicturePairs(self.watched.images, self.watched.masks, None if self._masks is None else ())

    def __contains__(self, path: object) -> bool:
        """Whether there is a file, whole or not."""
        return path in self._listing.files

    def look(self) -> None:
        """List the folders."""
        watched, masks = self.watched, self._masks
        apart = masks is not None and masks.resolve() != watched.images.resolve()
        left_out = [*self.own, masks] if masks is not None and apart else self.own
        self._listing = list_folder(watched.images, left_out, self._listing)
        if masks is None:
            self._mask_listing = FolderListing()
        else:
            self._mask_listing = list_folder(masks, self.own, self._mask_listing) if apart else self._listing
        everything = FolderListing(
            {**self._listing.files, **self._mask_listing.files},
            [*self._listing.temporary, *self._mask_listing.temporary],
        )
        if watched.masks is not None and masks is None:
            with contextlib.suppress(OSError):
                everything.files[str(watched.masks)] = FileMark.of(watched.masks.stat())
        self._settling.see(everything)
        self._forget_told()
        self._tell_left_out()
        self._pair(masks)
        self.postponed &= self._listing.files.keys()
        pictures = self._pictures()
        whole = pictures & self._settling.settled.keys()
        self._ready = sorted(path for path in whole if self._has_mask(path))
        self.unfinished = len(pictures) - len(self._ready) - len(self.postponed & whole)

    def settled(self) -> list[str]:
        """The whole pictures that have their masks, in the order of their names."""
        return self._ready

    def row(self, number: int, path: str) -> RawRow:
        """The row of a picture."""
        try:
            return self._pairs.row(number, Path(path))
        except RequestError as error:
            return self._pairs.bad_row(number, Path(path), error)

    def marks(self, path: str) -> tuple[object, ...]:
        """What a row's inputs are known by: the picture's content, its mask's path and its content; () for a picture
        that is gone, or lacks its mask.
        """
        settled = self._settling.settled
        own = settled.get(path)
        if own is None:
            return ()
        try:
            mask = self._pairs.mask_of(Path(path))
        except NoMaskError:
            return ()
        except RequestError as error:
            return (own.content, None, str(error))
        if mask is None:
            return (own.content, None, None)
        mark = settled.get(str(mask))
        return () if mark is None else (own.content, str(mask), mark.content)

    def _has_mask(self, path: str) -> bool:
        """Whether the mask of a picture is there and whole, or none is needed. One that is missing is reported."""
        try:
            mask = self._pairs.mask_of(Path(path))
        except NoMaskError as error:
            if not self._is_coming(path):
                self._postpone(path, error.message)
            return False
        except RequestError:  # it has several: its row says so
            mask = None
        if mask is not None and str(mask) not in self._settling.settled:
            if str(mask) not in self._settling.unsettled:
                self._postpone(path, f"its mask {shown(str(mask))} is gone")
            return False
        self.postponed.discard(path)
        self._told.pop(path, None)
        return True

    def _is_coming(self, path: str) -> bool:
        """Whether the mask of a picture is being written."""
        if self._coming is None:
            return False
        try:
            self._coming.mask_of(Path(path))
        except NoMaskError:
            return False
        except RequestError:
            pass
        self.postponed.discard(path)
        return True

    def _pictures(self) -> set[str]:
        """Files of the folder that are pictures."""
        shared = self._mask_listing is self._listing
        return {
            path
            for path in self._listing.files
            if Path(path).suffix.lower() in READABLE_EXTENSIONS and not (shared and is_mask_name(Path(path).stem))
        }

    def _forget_told(self) -> None:
        """Forget what was said of files and folders that are gone, or can be read again."""
        there = (self._listing.files, self._listing.odd, self._listing.unread, self._mask_listing.unread)
        known = {path for paths in there for path in paths}
        self._told = {path: said for path, said in self._told.items() if path in known}

    def _tell_left_out(self) -> None:
        shared, new = self._mask_listing is self._listing, []
        for path in (*self._listing.files, *self._listing.odd):
            name = Path(path).suffix.lower()
            picture = name in READABLE_EXTENSIONS and path not in self._listing.odd
            if not picture and not (shared and name in ANNOTATIONS) and path not in self._told:
                self._told[path] = "left out"
                new.append(shown(path))
        if new:
            self.on_event(LeftOut(tuple(sorted(new))))
        for folder, reason in {**self._listing.unread, **self._mask_listing.unread}.items():
            self._tell(folder, f"it can't be read: {reason}")

    def _postpone(self, path: str, reason: str) -> None:
        self.postponed.add(path)
        self._tell(path, reason)

    def _tell(self, path: str, reason: str) -> None:
        if self._told.get(path) != reason:
            self._told[path] = reason
            self.on_event(Postponed(shown(path), reason))

    def _pair(self, masks: Path | None) -> None:
        """Pair pictures and masks anew where the masks have changed."""
        settled = self._settling.settled
        names = frozenset(path for path in self._mask_listing.files if path in settled)
        if masks is not None and names != self._paired:
            self._paired = names
            self._pairs = PicturePairs(self.watched.images, masks, map(Path, sorted(names)))
        coming = [] if masks is None else sorted(self._mask_listing.files.keys() & self._settling.unsettled)
        self._coming = PicturePairs(self.watched.images, masks, map(Path, coming)) if coming else None


def shown(path: str) -> str:
    """A path as text: on some systems names are bytes, which need not be UTF-8."""
    return path.encode("utf-8", "backslashreplace").decode()
