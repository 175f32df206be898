"""A result file while people review it: each answer is at once in it, saved whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.escapes import visible
from containers.basis.files import digest, file_stamp, read_file, while_edited
from containers.data.book import Book, keyed
from containers.data.labels import label_of
from containers.data.result import CHECKED, Result
from containers.data.result_file import MADE_BY, Provenance
from containers.data.result_tables import USUAL_COLUMNS, Table
from containers.data.results import format_of, stream_results, write_results
from containers.data.reviewed_labels import ReviewedLabels
from containers.number.reading import Reading
from containers.number.reasons import LANGUAGES, UNREAD, WAS, WAS_NONE, Reason, in_words
from containers.number.size_type import size_type_of
from containers.photo.files import find_image


def model_reading(result: Result) -> Reading:
    """Return what the model had read, whether a person has checked it or not."""
    reading, reasons = result.reading, list(result.reading.reasons)
    if not result.is_checked:
        return reading
    i = next((i for i, reason in enumerate(reasons) if reason.code in (WAS, WAS_NONE)), -1)
    doubts = tuple(reasons[i + 1 :])
    if i < 0 or reasons[i].code == WAS_NONE:
        return replace(reading, number=None, status="none", reasons=doubts)
    (number,), status = reasons[i].details, "review" if doubts else "ok"
    return replace(reading, number=number, status=status, reasons=doubts)


def stamp(result: Result) -> str:
    """Return what is different as soon as a photo's number is, or who has read it."""
    reading = result.reading
    return digest(f"{reading.number} {reading.status} {reading.size_type_code}".encode())


def answered(result: Result, number: str, unreadable: bool, size_type: str = "") -> Result:
    """Return a result with a person's answer, and what the model had read among its reasons.

    An empty number is no answer: then the result is as the model has left it, but for a size-type
    code that was typed. Raises `UserError` for what cannot be a number, or such a code.
    """
    seen = model_reading(result)
    painted = label_of({"container_number": number})
    if not painted and not unreadable:
        return replace(result, reading=seen, read="")
    unread = () if painted else (Reason(UNREAD),)
    was = Reason(WAS, (seen.number,)) if seen.number else Reason(WAS_NONE)
    reasons = *unread, was, *seen.reasons
    reading = replace(seen, number=painted, status=CHECKED, reasons=reasons)
    if size_type:
        if not (code := size_type_of(size_type)):
            raise UserError(f"{size_type} is no size-type code of ISO 6346")
        reading = replace(reading, size_type=code, size_type_confidence=1.0)
    return replace(result, reading=reading, read=seen.number or "")


def record(key: str, result: Result) -> dict[str, object]:
    """Return what the page shows of a result: what is sure, or checked, stands as its number."""
    seen, said = model_reading(result), result.reading
    return {
        "key": key,
        "name": visible(result.image),
        "number": visible(said.number or "") if result.is_sure else "",
        "problem": "",
        "sizeType": said.size_type_code if result.is_checked else "",
        "unreadable": result.is_checked and said.number is None,
        "doubtful": not seen.is_ok,
        "suggestion": {
            "number": visible(seen.number or ""),
            "status": seen.status,
            "reason": {tongue: in_words(seen.reasons, tongue) for tongue in LANGUAGES},
            "confidence": seen.confidence,
            "box": seen.box,
        },
        "stamp": stamp(result),
    }


class ReviewBook(Book[Result]):
    """The photos and numbers of a result file, but for photos that could not be opened.

    Whoever makes it holds the file by `only_writer`. With `labels`, what people say goes into
    annotations.json as well, and first: what cannot be saved there is not saved at all.
    """

    role = "review"
    stamp, answered = staticmethod(stamp), staticmethod(answered)

    def __init__(self, path: Path, labels: ReviewedLabels | None = None):
        super().__init__(path)
        self.labels, self.made_by = labels, ""
        self.seen: tuple[int, ...] = ()  # of the file, by `file_stamp`
        self.problem = ""  # why the file is not whole, if so
        self.columns: Sequence[str] = USUAL_COLUMNS  # of a table

    def read(self) -> str:
        """Read the file if it has changed; return its version. Raises `UserError`."""
        with self.lock:
            now = file_stamp(self.path)
            if now != self.seen:
                self.keep(self.parse(), now)
            return digest(repr(now).encode())

    def parse(self) -> dict[str, Result]:
        """Return the results of the file, by key."""
        says, form = Provenance(), format_of(self.path)
        self.saved = read_file(self.path)
        found = (result for _, result in stream_results(self.path, says))
        entries = dict(keyed(found, attrgetter("image")))
        self.made_by, self.problem = says.made_by or MADE_BY, says.problem
        self.columns = form.columns_in(self.path) if isinstance(form, Table) else USUAL_COLUMNS
        return entries

    def keep(self, entries: dict[str, Result], seen: tuple[int, ...]) -> None:
        """Take over what the file holds, which was `seen` there."""
        known = {photo["key"]: photo for photo in self.photos}
        self.photos = [
            known[key] if key in known and self.entries.get(key) == result else record(key, result)
            for key, result in entries.items()
            if result.reading.status != "error"
        ]
        self.entries, self.seen = entries, seen

    def find(self, key: str) -> Path | None:
        """Return where a listed photo is, or None for any other key; raises `ImageError`."""
        result = self.entries.get(key)
        return find_image(result.image, Path()) if result else None

    def box(self, key: str) -> Sequence[Sequence[int]]:
        """Return the corners of the place where a photo's number was read, if the file says it."""
        return self.entries[key].reading.box if key in self.entries else ()

    def change(self, edit: Callable[[dict[str, Result]], None]) -> None:
        """Have `edit` change the results, by key, in the file as it is now, and save it whole.

        The file keeps its time, by which --resume tells which photos have changed since they were
        read.
        """

        def save() -> None:
            status, before = os.stat(self.path), read_file(self.path)
            old = self.entries if before == self.saved else self.parse()
            entries = dict(old)
            edit(entries)
            if self.labels:
                pairs = [(old[key], now) for key, now in entries.items() if now is not old[key]]
                self.labels.take(pairs)
            results, kept = list(entries.values()), (before,)
            write_results(self.path, self.made_by, results, "image", self.columns, kept)
            os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
            self.saved = read_file(self.path)
            self.keep(entries, file_stamp(self.path))

        with self.lock:
            while_edited(save)

    @property
    def checked(self) -> list[Result]:
        """Return the results that people have answered."""
        return [result for result in self.entries.values() if result.is_checked]
