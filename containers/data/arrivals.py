"""Photos that arrive in a folder while a run watches it: each is taken once it is there whole."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from containers.basis.errors import FlagError, ImageError
from containers.basis.files import relative_path
from containers.basis.processes import process_count
from containers.basis.talk import log
from containers.data.result import Result
from containers.photo.files import PassedOver, Stamp, stamp_of
from containers.photo.folder_tree import FolderTree
from containers.photo.formats import is_photo
from containers.photo.opening import check_image

LOOK_SECONDS = 0.25  # between two looks into the folder, at least
LOOK_AGAIN_SECONDS = 1.0  # after which it is looked into, though photos of the last look wait
SETTLED = 1.0  # seconds for which a photo must stay as it is
RECENT_PHOTOS = 1000  # photos read last, which are looked at each time: one may be written over
A_DAY = 24 * 3600.0  # seconds after which a photo that is gone is not looked for any more
PATIENCE = 10.0  # seconds for which one may stay as it is and not open: its copy may go on


def require_watchable(folder: Path) -> None:
    """Raise `FlagError` for a folder that is not there, or many processes that would watch it."""
    if not folder.is_dir():
        raise FlagError(f"{folder}: no such folder; name the folder where photos arrive")
    if process_count() > 1:
        raise FlagError("§watch reads in one process: run it without accelerate launch")


class Arrivals:
    """The photos of a folder that are yet to be read.

    `results` are of those that were read before, and `others` those that need no reading either.
    What was read, or could not be opened, is taken again when its file has changed: a camera may
    use its names again.
    """

    def __init__(self, folder: Path, results: Iterable[Result], others: Iterable[str] = ()):
        self.folder, self.passed_over = folder, PassedOver()
        self.tree = FolderTree(folder, self.passed_over)
        self.recent: deque[str] = deque(maxlen=RECENT_PHOTOS)
        read = (result.image for result in results if result.reading.status != "error")
        self.known = {image: stamp_of(image) for image in chain(read, others)}  # as it was then
        self.gone: set[str] = set()
        self.forgotten = time.monotonic()
        self.waiting: dict[str, tuple[Stamp, float]] = {}  # and since when it is so

    def stamp(self, image: str) -> Stamp | None:
        """Return what the file of a photo was that has been taken and not noted yet."""
        return self.waiting.get(image, (None, 0.0))[0]

    def note(self, image: str) -> None:
        """Take down that a photo was read, or could not be."""
        if image in self.known:
            log.info(f"{image} had changed since it was read: read again")
        self.known[image] = self.stamp(image)
        self.waiting.pop(image, None)
        self.recent.append(image)

    def batches(self, size: int, on_look: Callable[[], None] = lambda: None) -> Iterator[list[str]]:
        """Yield the photos that are whole, up to so many at once, the newest first; for ever.

        Who takes them says by `note` what came of them. The folder is looked into again in between,
        so what has just arrived does not wait for all that was there; `on_look` is called first.
        """
        was_there = True
        while True:
            on_look()
            start = time.monotonic()
            if start >= self.forgotten + A_DAY:
                self.forget_gone()
                self.forgotten = start
            whole = (image for image in self.at_rest(start) if self.is_whole(image, start))
            while batch := list(islice(whole, size)):
                yield batch
                if time.monotonic() - start > LOOK_AGAIN_SECONDS:
                    break
            if not batch:
                is_there = self.folder.is_dir()
                if is_there != was_there:
                    log.info(
                        f"{self.folder} {'is back' if is_there else 'is gone: waiting for it'}"
                    )
                was_there = is_there
                time.sleep(max(LOOK_SECONDS, time.monotonic() - start))

    def forget_gone(self) -> None:
        """Forget the photos that are gone, and were when this was called before.

        So what is known does not grow for ever where they are moved away. A drive may come back.
        """
        gone = {image for image in self.known if stamp_of(image) is None}
        self.known = {image: self.known[image] for image in self.known.keys() - (gone & self.gone)}
        self.gone = gone & self.known.keys()

    def at_rest(self, now: float) -> list[str]:
        """Return the photos to read whose files have stayed as they are, the newest first."""
        found, again = [], {Path(image) for image in (*self.waiting, *self.recent)}
        for path in {*self.tree.changed(now)} | again:
            image = relative_path(path)
            if not is_photo(path):
                self.passed_over.by_kind(path)
                continue
            stamp = stamp_of(path)
            before, since = self.waiting.get(image, (None, now))
            if stamp is None or stamp == self.known.get(image):  # none: it was moved on
                self.waiting.pop(image, None)
                continue
            if stamp != before:
                self.waiting[image] = stamp, now
            elif now - since >= SETTLED:
                found.append((stamp[1], image))
        return [image for _, image in sorted(found, reverse=True)]

    def is_whole(self, image: str, now: float) -> bool:
        """Tell whether a file at rest opens, or has rested for so long that it never will."""
        try:
            check_image(image)
        except ImageError:
            return now - self.waiting[image][1] >= PATIENCE
        return True
