"""A photo on a page: its picture, its label, and what was read, with what differs marked."""

from __future__ import annotations

import difflib
import html
import os
from collections.abc import Sequence
from pathlib import Path
from string import Template
from urllib.parse import quote

from containers.basis.errors import ImageError
from containers.basis.escapes import visible
from containers.data.comparison import Case, Run
from containers.number.iso6346 import compact
from containers.pages.charts import colours
from containers.photo.files import find_image
from containers.photo.thumbnails import Box

UNSEEN = 0.01  # a reading of less confidence has not found where the number stands, either
MOST_OPTIONS = 2  # other numbers that a photo may show, on its card
NAME = Template('<span class="key" style="background:$colour"></span>$name')
CARD = Template(
    '<article class="card$form">$picture<div><h3>$image</h3><dl>$lines</dl>$notes</div></article>'
)
IMAGE = Template('<img src="$address" alt="open the photo" loading="lazy" decoding="async">')
LINE = Template('<dt>$name</dt><dd><span class="number">$number</span> $status</dd>')
STATUS = Template('<span class="$status">$status</span> $confidence')


def card(case: Case, runs: Sequence[Run], picture: str, page: Path) -> str:
    """Return the card of a photo: its picture, its label and what each run has read."""
    reading, lines, names = case.reading, [], names_of(runs)
    if case.label:
        lines.append(LINE.substitute(name="label", number=text(case.number), status=""))
    for place, read in enumerate(case.readings):
        other = case.number if case.label else case.readings[place - 1].number  # its own, if alone
        confidence = f"{read.confidence:.3f}" if read.number else ""
        status = STATUS.substitute(status=read.status, confidence=confidence)
        number = marked(read.number, other or "") if read.number else "-"
        lines.append(LINE.substitute(name=names[place], number=number, status=status))
    if len(runs) == 1:
        others = [(n, p) for n, p in reading.alternatives if n != reading.number]
        for option, chance in others[:MOST_OPTIONS]:
            number = marked(option, reading.number or "")
            lines.append(LINE.substitute(name="or", number=number, status=f"{chance:.3f}"))
    notes = [reading.reason] if reading.reason else []
    if compact(reading.raw_text) not in compact(f"{reading.number} {reading.reason}"):
        notes.append(f"text: {reading.raw_text}")
    return CARD.substitute(
        form=" tall" if is_tall(box_of(case)) else "",
        picture=linked(case.image, picture, page),
        image=text(case.image),
        lines="".join(lines),
        notes="".join(f'<p class="note">{text(note)}</p>' for note in notes),
    )


def is_tall(box: Box) -> bool:
    """Tell whether a number stands upright in its box, and needs a high picture."""
    xs, ys = zip(*box) if box else ((0,), (0,))
    return max(ys) - min(ys) > 1.5 * (max(xs) - min(xs))


def linked(image: str, picture: str, page: Path) -> str:
    """Return a picture that leads to its photo, as seen from the page."""
    try:
        photo = os.path.abspath(find_image(image, Path()))
    except ImageError:
        return '<span class="none">no photo</span>'
    try:
        photo = os.path.relpath(photo, page.resolve().parent)
    except ValueError:  # another drive
        photo = f"file:///{photo}"
    link = quote(os.fsencode(photo.replace(os.sep, "/")), safe="/:" if os.name == "nt" else "/")
    shown = IMAGE.substitute(address=picture) if picture else "cannot be shown"
    return f'<a href="{link}">{shown}</a>'


def marked(read: str, other: str) -> str:
    """Return a reading as HTML: the characters in which it differs from another one are marked.

    Readings of one length are compared place by place; `_` stands where something is missing.
    """
    if not other:
        return text(read)
    if len(read) == len(other):
        pairs = zip(read, other)
        return "".join(text(a) if a == b else f"<mark>{text(a)}</mark>" for a, b in pairs)
    parts = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, read, other, False).get_opcodes():
        if kind == "equal":
            parts.append(text(read[a:b]))
        else:
            parts.append(
                f"<mark>{text(read[a:b]) or '_' * len(other[c:d].replace(' ', ''))}</mark>"
            )
    return "".join(parts)


def text(value: str) -> str:
    """Return any text as HTML that shows it."""
    return html.escape(visible(value))


def box_of(case: Case) -> Box:
    """Return where on its photo the number stands: by the reading that is right, else the last.

    One that has seen nothing does not know; then it is nowhere, and all of the photo is shown.
    """
    right = [reading for reading, errors in zip(case.readings, case.errors) if not errors]
    seen = [reading for reading in reversed(case.readings) if reading.confidence >= UNSEEN]
    return next((reading.box for reading in [*right, *seen] if reading.box), ())


def names_of(runs: Sequence[Run]) -> list[str]:
    """Return what the runs are called, with the colour in which they are drawn."""
    if len(runs) == 1:
        return ["read"]
    names = ("before", "after")
    return [NAME.substitute(name=n, colour=c) for n, c in zip(names, colours(len(runs)))]
