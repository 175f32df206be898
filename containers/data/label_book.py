"""annotations.json while its page is open: read anew each time, saved whole after each answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from operator import itemgetter
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.escapes import visible
from containers.basis.files import digest, while_edited
from containers.basis.locks import only_writer
from containers.data.backups import save_annotations
from containers.data.book import Book, keyed
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
from containers.photo.files import find_image, photo_key
from containers.photo.opening import is_whole

PATIENCE = 3.0  # seconds to wait for another process that writes annotations.json
FIELDS = ("container_number", *PARTS)

image_of = itemgetter("image_path")


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


class LabelBook(Book[dict]):
    """The photos and labels of annotations.json; each read sees what others have saved."""

    role = "label"
    stamp, answered = staticmethod(stamp), staticmethod(answered)

    def __init__(self, path: Path):
        super().__init__(path)
        self.listed: set[str] = set()  # images that `add` need not look at again

    def read(self) -> str:
        """Read the file if it has changed; return its version. Raises `UserError`."""
        with self.lock:
            saved = read_annotation_file(self.path)
            if saved != self.saved or not self.photos:
                pairs = list(keyed(parse_annotations(saved, self.path)["images"], image_of))
                known = {photo["key"]: photo for photo in self.photos}
                order = teaching_order([entry for _, entry in pairs])
                self.photos = [
                    known[key] if self.entries.get(key) == entry else record(key, entry)
                    for key, entry in (pairs[i] for i in order)
                ]
                self.entries, self.saved = dict(pairs), saved
            return digest(saved)

    def find(self, key: str) -> Path | None:
        """Return where a listed photo is, or None for any other key; raises `ImageError`."""
        entry = self.entries.get(key)
        return find_image(entry["image_path"], self.path.parent) if entry else None

    def box(self, key: str) -> list[list[int]]:
        """Return the corners of the place where a listed photo's number was suggested, if any."""
        seen = suggestion_in(self.entries.get(key, {}))
        return seen["box"] if seen else []

    def change(self, edit: Callable[[dict[str, dict]], None]) -> None:
        """Have `edit` change the entries, by key, in the file as it is now, and save it whole."""

        def save() -> None:
            before = read_annotation_file(self.path)
            data = parse_annotations(before, self.path)
            entries = dict(keyed(data["images"], image_of))
            edit(entries)
            save_annotations(self.path, data | {"images": list(entries.values())}, before)

        with self.lock, only_writer(self.path, PATIENCE):
            while_edited(save)

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
            for key, entry in keyed(map(empty_entry, new), image_of):
                entries.setdefault(key, entry)  # somebody may have listed it meanwhile

        if new:
            self.change(edit)
            self.listed.update(new)

    def is_of(self, folder: Path) -> bool:
        """Tell whether photos of a folder are listed: no other folder's are to be added."""
        inside, beside = f"{Path(os.path.realpath(folder)).as_posix()}/", self.path.parent
        names = (entry["image_path"] for entry in self.entries.values())
        return any(photo_key(name, beside).startswith(inside) for name in names)
