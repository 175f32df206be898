"""annotations.json while its page is open: read anew each time, saved whole after each answer."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.escapes import visible
from containers.basis.files import digest, while_edited
from containers.basis.locks import only_writer
from containers.data.backups import save_annotations
from containers.data.labels import (
    PARTS,
    SIZE_TYPE,
    TODO,
    UNREADABLE,
    empty_entry,
    is_todo,
    label_of,
    parse_annotations,
    read_annotation_file,
    size_type_in,
)
from containers.data.suggestions import SUGGESTION, is_doubtful, suggestion_in, teaching_order
from containers.number.iso6346 import LIKE_A_NUMBER, compact, split_number
from containers.number.size_type import size_type_of
from containers.photo.files import find_image, is_whole, photo_key

PATIENCE = 3.0  # seconds to wait for another process that writes annotations.json
FIELDS = ("container_number", *PARTS)


class OutdatedError(UserError):
    """Say that a photo's label is no longer the one that an answer is to replace."""


def keyed(entries: Iterable[dict]) -> Iterator[tuple[str, dict]]:
    """Yield (key, entry): a photo keeps its key wherever it stands in the file."""
    times: Counter[str] = Counter()
    for entry in entries:
        name = entry["image_path"]
        yield f"{digest(name.encode('utf-8', 'surrogatepass'))}-{times[name]}", entry
        times[name] += 1


def stamp(entry: dict) -> str:
    """Return what is different as soon as an entry's label is."""
    label = [entry.get(key) for key in (*FIELDS, UNREADABLE, SIZE_TYPE)]
    return digest(json.dumps(label).encode())


def record(key: str, entry: dict) -> dict[str, object]:
    """Return what the page shows of an entry."""
    problem = ""
    try:
        number = label_of(entry) or ""
    except UserError as error:
        raw = entry.get("container_number")
        number, problem = ("" if not isinstance(raw, str) or is_todo(raw) else raw), str(error)
    return {
        "key": key,
        "name": visible(entry["image_path"]),
        "number": visible(number),
        "problem": visible(problem),
        "unreadable": entry.get(UNREADABLE) is True and not number,
        "sizeType": visible(size_type_in(entry)),
        "doubtful": is_doubtful(entry),
        "suggestion": suggestion_in(entry),
        "stamp": stamp(entry),
    }


def is_done(photo: dict[str, object]) -> bool:
    """Tell whether a record has its answer."""
    return bool(photo["number"] or photo["problem"] or photo["unreadable"])


def answered(entry: dict, number: str, unreadable: bool, size_type: str = "") -> dict:
    """Return an entry with an answer, its parts filled, and all that else stands in it kept.

    An empty number is no answer yet; no size-type code keeps the one that stands there. Raises
    `UserError` for what cannot be a label.
    """
    painted = label_of({"container_number": number})
    filled = dict.fromkeys(FIELDS, TODO)
    if painted:
        whole = LIKE_A_NUMBER.fullmatch(compact(painted))
        parts = zip(PARTS, split_number(painted)) if whole else ()
        filled |= {"container_number": painted, **dict(parts)}
    kept = {key: value for key, value in entry.items() if key != UNREADABLE}
    if size_type and not size_type_of(size_type):
        raise UserError(f"{size_type} is no size-type code of ISO 6346")
    beside = {SIZE_TYPE: compact(size_type)} if size_type else {}
    return kept | filled | beside | ({UNREADABLE: True} if unreadable and not painted else {})


@dataclass(frozen=True)
class Given:
    """An answer that the page has saved, and the stamps of the label before and after it."""

    number: str
    unreadable: bool
    size_type: str
    before: str
    after: str


class LabelBook:
    """The photos and labels of annotations.json; each read sees what others have saved."""

    def __init__(self, path: Path):
        self.path, self.lock = path, threading.RLock()
        self.saved, self.entries, self.photos = b"", {}, []
        self.given: dict[str, Given] = {}  # answers of this run, by key
        self.listed: set[str] = set()  # images that `add` need not look at again

    def read(self) -> str:
        """Read the file if it has changed; return its version. Raises `UserError`."""
        with self.lock:
            saved = read_annotation_file(self.path)
            if saved != self.saved or not self.photos:
                pairs = list(keyed(parse_annotations(saved, self.path)["images"]))
                known = {photo["key"]: photo for photo in self.photos}
                order = teaching_order([entry for _, entry in pairs])
                self.photos = [
                    known[key] if self.entries.get(key) == entry else record(key, entry)
                    for key, entry in (pairs[place] for place in order)
                ]
                self.entries, self.saved = dict(pairs), saved
            return digest(saved)

    def find(self, key: str) -> Path | None:
        """Return where a listed photo is, or None for any other key; raises `ImageError`."""
        entry = self.entries.get(key)
        return entry and find_image(entry["image_path"], self.path.parent)

    def change(self, edit: Callable[[dict[str, dict]], None]) -> None:
        """Have `edit` change the entries, by key, in the file as it is now, and save it whole."""

        def save() -> None:
            before = read_annotation_file(self.path)
            data = parse_annotations(before, self.path)
            entries = dict(keyed(data["images"]))
            edit(entries)
            save_annotations(self.path, data | {"images": list(entries.values())}, before)

        with self.lock, only_writer(self.path, PATIENCE):
            while_edited(save)

    def answer(
        self, key: str, number: str, unreadable: bool, seen: str, size_type: str = ""
    ) -> bool:
        """Save an answer for a photo whose label had the stamp `seen`.

        False: somebody has saved the file again since, and who has only the answer lacks that.

        Raises `OutdatedError` where it has another by now, `UserError` where it cannot be saved.
        """

        def edit(entries: dict[str, dict]) -> None:
            if key not in entries:
                raise UserError(f"this photo no longer stands in {self.path}")
            if stamp(entries[key]) != seen:
                raise OutdatedError(f"{self.path} has another label for this photo by now")
            entries[key] = answered(entries[key], number, unreadable, size_type)
            whole.clear()  # it is called again where the file has changed
            whole.update(entries)

        whole: dict[str, dict] = {}
        self.change(edit)
        earlier = self.given.get(key)
        first = earlier.before if earlier and earlier.after == seen else seen
        self.given[key] = Given(number, unreadable, size_type, first, stamp(whole[key]))
        self.read()
        return self.entries == whole

    @property
    def lost(self) -> list[str]:
        """Return the keys of answers given here whose labels are what they were before them.

        So they are where a browser or an editor has saved an older file over them. A label that
        somebody has written since is none of these.
        """
        return [
            key
            for key, given in self.given.items()
            if key in self.entries and stamp(self.entries[key]) == given.before != given.after
        ]

    def give_again(self) -> int:
        """Save all answers that are lost, in one go; return how many."""
        with self.lock:
            self.read()
            lost = self.lost

            def edit(entries: dict[str, dict]) -> None:
                for key in lost:
                    given = self.given[key]
                    if key in entries and stamp(entries[key]) == given.before:
                        answer = given.number, given.unreadable, given.size_type
                        entries[key] = answered(entries[key], *answer)

            if lost:
                self.change(edit)
                self.read()
            return len(lost)

    def suggest(self, suggestions: dict[str, dict]) -> None:
        """Save suggestions, by key, for the photos that still stand in the file."""

        def edit(entries: dict[str, dict]) -> None:
            for key in suggestions.keys() & entries.keys():
                entries[key] = entries[key] | {SUGGESTION: suggestions[key]}

        self.change(edit)

    def add(self, images: Iterable[str]) -> None:
        """List the images that the file lacks and that can be opened: a copy may be under way."""
        waiting = [image for image in images if image not in self.listed]
        if not waiting:
            return
        self.read()
        folder = self.path.parent
        known = {photo_key(entry["image_path"], folder) for entry in self.entries.values()}
        new = []
        for image in waiting:
            if photo_key(image, Path()) in known:
                self.listed.add(image)
            elif is_whole(image):
                new.append(image)

        def edit(entries: dict[str, dict]) -> None:
            for key, entry in keyed(map(empty_entry, new)):
                entries.setdefault(key, entry)  # somebody may have listed it meanwhile

        if new:
            self.change(edit)
            self.listed.update(new)

    def is_of(self, folder: Path) -> bool:
        """Tell whether photos of a folder are listed: no other folder's are to be added."""
        inside, beside = f"{Path(os.path.realpath(folder)).as_posix()}/", self.path.parent
        names = (entry["image_path"] for entry in self.entries.values())
        return any(photo_key(name, beside).startswith(inside) for name in names)

    @property
    def done(self) -> int:
        """Return how many photos have their answer."""
        return sum(map(is_done, self.photos))
