"""What people say in a review, as labels in annotations.json: the next training set."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.escapes import visible
from containers.basis.files import write_json
from containers.basis.locks import only_writer
from containers.basis.talk import log
from containers.data.book import keyed
from containers.data.label_book import PATIENCE, LabelBook, answered, image_of
from containers.data.labels import UNREADABLE, empty_entry, label_of, size_type_in
from containers.data.result import Result
from containers.number.iso6346 import compact
from containers.photo.files import photo_key

Answer = tuple[str, bool]  # a number or nothing, and whether it cannot be read
TYPED_CONFIDENCE = 1.0  # the confidence of a size-type code that a person has typed


def answer_of(result: Result | None) -> Answer:
    """Return what a person has said of a photo, ("", False) for nothing."""
    if result is None or not result.is_checked:
        return "", False
    return result.reading.number or "", result.reading.number is None


def label_in(entry: dict) -> Answer | None:
    """Return what an entry's label says, or None where it contradicts itself."""
    try:
        number = label_of(entry) or ""
    except UserError:
        return None
    return number, not number and entry.get(UNREADABLE) is True


class ReviewedLabels:
    """annotations.json, into which the answers of a review go; made where it is not there."""

    def __init__(self, path: Path):
        self.book = LabelBook(path)
        self.key_of = functools.cache(photo_key)  # of hundreds of entries, after each answer
        if not path.exists():
            with only_writer(path, PATIENCE):
                write_json(path, {"images": []}, None)
        self.book.read()

    def take(self, pairs: Sequence[tuple[Result | None, Result]]) -> None:
        """Save the answers of results as labels; before each is what it was before, if known.

        A label that says otherwise, and not what was answered before, stays, and that is said.
        """
        kept: list[str] = []

        def edit(entries: dict[str, dict]) -> None:
            kept.clear()  # it is called again where the file has changed
            kept.extend(self.put(pairs, entries))

        self.book.read()
        trial = dict(self.book.entries)
        kept.extend(self.put(pairs, trial))
        if trial != self.book.entries:
            self.book.change(edit)
        for line in kept:
            log.warning(f"{line}")

    def put(
        self, pairs: Sequence[tuple[Result | None, Result]], entries: dict[str, dict]
    ) -> list[str]:
        """Put answers into entries, by key; return a line for each that another label keeps out."""
        folder, kept = self.book.path.parent, []
        places = {self.key_of(image_of(entry), folder): key for key, entry in entries.items()}
        for before, result in pairs:
            said, image = answer_of(result), result.image
            ((key, entry),) = keyed([empty_entry(image)], image_of)
            key = places.get(self.key_of(image, Path()), key)
            entry = entries.get(key, entry)
            label = label_in(entry)
            code = sure_size_type(result)
            if label is not None and same(label, said) and code in ("", size_type_in(entry)):
                continue
            if label is None or not (same(label, ("", False)) or same(label, answer_of(before))):
                stands = entry["container_number"] if label is None or label[0] else UNREADABLE
                number = said[0] or UNREADABLE
                shown = f"{image}: the label {stands} stays in {self.book.path}, not {number}"
                kept.append(visible(shown))
                continue
            entries[key] = answered(entry, *said, code)
        return kept


def sure_size_type(result: Result) -> str:
    """Return the size-type code that a person has typed after the number, or an empty string."""
    reading = result.reading
    is_typed = result.is_checked and reading.size_type_confidence == TYPED_CONFIDENCE
    return reading.size_type_code if is_typed and reading.number else ""


def same(one: Answer, other: Answer) -> bool:
    """Tell whether two answers say the same."""
    return compact(one[0]) == compact(other[0]) and one[1] == other[1]
