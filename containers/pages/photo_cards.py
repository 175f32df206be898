"""A photo on a page: its picture, its label, and what was read, with what differs marked."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape

from containers.basis.errors import ImageError
from containers.basis.escapes import visible
from containers.data.comparison import Case
from containers.data.runs import Run
from containers.number.iso6346 import compact
from containers.pages.charts import colours
from containers.pages.report_words import Words, doubts, size_in_words, words
from containers.photo.files import find_image
from containers.photo.thumbnails import Box

NOT_FOUND_BELOW = 0.01  # a reading of less confidence has not found where the number stands, either
MOST_OPTIONS = 2  # other numbers that a photo may show, on its card


@dataclass(frozen=True)
class Name:
    """What a line or a run is called, and the colour in which it is drawn, if it has one."""

    words: Words
    colour: str = ""


@dataclass(frozen=True)
class Line:
    """A number on a card: whose it is, how it stands, and what the button beside it copies."""

    name: Name
    number: Markup
    status: str = ""
    confidence: str = ""
    copy: str = ""


@dataclass(frozen=True)
class Card:
    """What a page shows of a photo. `picture` is a data address, `link` leads to the photo."""

    image: str
    number: str
    confidence: float
    codes: str
    picture: str
    link: str
    is_tall: bool
    lines: tuple[Line, ...]
    notes: tuple[Words, ...]


def card_of(case: Case, runs: Sequence[Run], picture: str, page: Path) -> Card:
    """Return the card of a photo: its picture, its label and what each run has read."""
    reading = case.reading
    notes = [doubts(reading.reasons)] if reading.reasons else []
    if reading.size_type:
        notes.append(size_in_words(reading.size_type))
    if compact(reading.raw_text) not in compact(f"{reading.number} {reading.reason}"):
        notes.append(words("text", visible(reading.raw_text)))
    return Card(
        image=visible(case.image),
        number=compact(reading.number or ""),
        confidence=reading.confidence,
        codes="|".join(reason.code for reason in reading.reasons),
        picture=picture,
        link=link_to(case.image, page),
        is_tall=is_tall(box_of(case)),
        lines=tuple(lines_of(case, names_of(runs))),
        notes=tuple(notes),
    )


def lines_of(case: Case, names: Sequence[Name]) -> list[Line]:
    """Return the lines of a card: the label, what each run has read, and what else it may be."""
    lines, reading = [], case.reading
    if case.number:
        lines.append(Line(Name(words("label")), shown(case.number), copy=compact(case.number)))
    for i, read in enumerate(case.readings):
        other = case.number or case.readings[i - 1].number  # its own, if alone
        confidence = f"{read.confidence:.3f}" if read.number else ""
        number = marked(read.number, other or "") if read.number else Markup("-")
        copied = compact(read.number or "")
        lines.append(Line(names[i], number, read.status, confidence, copied))
    if len(names) == 1:
        others = [(n, p) for n, p in reading.alternatives if n != reading.number]
        for option, chance in others[:MOST_OPTIONS]:
            number = marked(option, reading.number or "")
            line = Line(Name(words("or")), number, "", f"{chance:.3f}", compact(option))
            lines.append(line)
    return lines


def is_tall(box: Box) -> bool:
    """Tell whether a number stands upright in its box, and needs a high picture."""
    xs, ys = zip(*box) if box else ((0,), (0,))
    return max(ys) - min(ys) > 1.5 * (max(xs) - min(xs))


def link_to(image: str, page: Path) -> str:
    """Return the address of a photo as seen from the page; empty: it is not there."""
    try:
        photo = os.path.abspath(find_image(image, Path()))
    except ImageError:
        return ""
    try:
        photo = os.path.relpath(photo, page.resolve().parent)
    except ValueError:  # another drive
        photo = f"file:///{photo}"
    return quote(os.fsencode(photo.replace(os.sep, "/")), safe="/:" if os.name == "nt" else "/")


def marked(read: str, other: str) -> Markup:
    """Return a reading as HTML: the characters in which it differs from another one are marked.

    Readings of one length are compared letter by letter; `_` stands where something is missing.
    """
    mark = Markup("<mark>{}</mark>").format
    if not other:
        return shown(read)
    if len(read) == len(other):
        pairs = zip(read, other)
        return Markup("").join(shown(a) if a == b else mark(shown(a)) for a, b in pairs)
    parts = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, read, other, False).get_opcodes():
        missing = "_" * len(other[c:d].replace(" ", ""))
        parts.append(shown(read[a:b]) if kind == "equal" else mark(shown(read[a:b]) or missing))
    return Markup("").join(parts)


def shown(value: str) -> Markup:
    """Return any text as HTML that shows it."""
    return escape(visible(value))


def box_of(case: Case) -> Box:
    """Return where on its photo the number stands: by the reading that is right, else the last.

    One that has seen nothing does not know; then it is nowhere, and all of the photo is shown.
    """
    right = [reading for reading, errors in zip(case.readings, case.errors) if not errors]
    seen = [reading for reading in reversed(case.readings) if reading.confidence >= NOT_FOUND_BELOW]
    return next((reading.box for reading in [*right, *seen] if reading.box), ())


def names_of(runs: Sequence[Run]) -> list[Name]:
    """Return what the runs are called, with the colour in which they are drawn."""
    if len(runs) == 1:
        return [Name(words("read"))]
    pairs = zip(("before", "after"), colours(len(runs)))
    return [Name(words(name), colour) for name, colour in pairs]
