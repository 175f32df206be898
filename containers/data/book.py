"""What the page shows and saves: photos, each with its number, in a file that others write too."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from containers.basis.errors import UserError
from containers.basis.files import digest

Entry = TypeVar("Entry")  # of annotations.json, or a `Result`


class OutdatedError(UserError):
    """Say that a photo's number is no longer the one that an answer is to replace."""


@dataclass(frozen=True)
class Given:
    """An answer that the page has saved, and the stamps of the entry before and after it."""

    number: str
    unreadable: bool
    size_type: str
    before: str
    after: str


def keyed(
    entries: Iterable[Entry], image_of: Callable[[Entry], str]
) -> Iterator[tuple[str, Entry]]:
    """Yield (key, entry): a photo keeps its key wherever it stands in the file."""
    times: Counter[str] = Counter()
    for entry in entries:
        image = image_of(entry)
        yield f"{digest(image.encode('utf-8', 'surrogatepass'))}-{times[image]}", entry
        times[image] += 1


def is_done(photo: dict[str, object]) -> bool:
    """Tell whether a record has its answer."""
    return bool(photo["number"] or photo["problem"] or photo["unreadable"])


class Book(ABC, Generic[Entry]):
    """The photos of a file, in the order in which they are shown; what others save is seen.

    `entries` are what the file holds, by key, and `photos` what the page shows of them. `role` is
    what the page is for: `label` or `review`.
    """

    role: str

    def __init__(self, path: Path):
        self.path, self.lock = path, threading.RLock()
        self.saved = b""
        self.entries: dict[str, Entry] = {}
        self.photos: list[dict[str, Any]] = []
        self.given: dict[str, Given] = {}  # answers of this run, by key

    @abstractmethod
    def read(self) -> str:
        """Read the file if it has changed; return its version. Raises `UserError`."""

    @abstractmethod
    def find(self, key: str) -> Path | None:
        """Return where a listed photo is, or None for any other key; raises `ImageError`."""

    @abstractmethod
    def box(self, key: str) -> Sequence[Sequence[int]]:
        """Return the corners of the place where a listed photo's number was read, if any."""

    @abstractmethod
    def change(self, edit: Callable[[dict[str, Entry]], None]) -> None:
        """Have `edit` change the entries, by key, in the file as it is now, and save it whole."""

    @staticmethod
    @abstractmethod
    def stamp(entry: Entry, /) -> str:
        """Return what is different as soon as an entry's answer is."""

    @staticmethod
    @abstractmethod
    def answered(entry: Entry, /, number: str, unreadable: bool, size_type: str = "") -> Entry:
        """Return an entry with an answer; an empty number is no answer yet. Raises `UserError`."""

    def answer(
        self, key: str, number: str, unreadable: bool, seen: str, size_type: str = ""
    ) -> bool:
        """Save an answer for a photo whose entry had the stamp `seen`.

        False: somebody has saved the file again since, and who has only the answer lacks that.

        Raises `OutdatedError` where it has another by now, `UserError` where it cannot be saved.
        """

        def edit(entries: dict[str, Entry]) -> None:
            if key not in entries:
                raise UserError(f"this photo no longer stands in {self.path}")
            if self.stamp(entries[key]) != seen:
                raise OutdatedError(f"{self.path} has another number for this photo by now")
            entries[key] = self.answered(entries[key], number, unreadable, size_type)
            whole.clear()  # it is called again where the file has changed
            whole.update(entries)

        whole: dict[str, Entry] = {}
        self.change(edit)
        earlier = self.given.get(key)
        first = earlier.before if earlier and earlier.after == seen else seen
        self.given[key] = Given(number, unreadable, size_type, first, self.stamp(whole[key]))
        self.read()
        return self.entries == whole

    @property
    def lost(self) -> list[str]:
        """Return the keys of answers given here whose entries are what they were before them.

        So they are where a browser or an editor has saved an older file over them. An answer that
        somebody has written since is none of these.
        """
        return [
            key
            for key, given in self.given.items()
            if key in self.entries and self.stamp(self.entries[key]) == given.before != given.after
        ]

    def give_again(self) -> int:
        """Save all answers that are lost, in one go; return how many."""
        with self.lock:
            self.read()
            lost = self.lost

            def edit(entries: dict[str, Entry]) -> None:
                for key in lost:
                    given = self.given[key]
                    if key in entries and self.stamp(entries[key]) == given.before:
                        answer = given.number, given.unreadable, given.size_type
                        entries[key] = self.answered(entries[key], *answer)

            if lost:
                self.change(edit)
                self.read()
            return len(lost)

    @property
    def done(self) -> int:
        """Return how many photos have their answer."""
        return sum(map(is_done, self.photos))
