"""What was read of one photo, as the commands carry it and the result files keep it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from containers.number.iso6346 import MAY_BE_PAINTED, compact
from containers.number.reading import Reading
from containers.number.reasons import parse_reasons
from containers.number.size_type import size_type_of
from containers.photo.taken import taken_at

CHECKED = "checked"  # by a person, whose answer stands in the place of what the model had read
STATUSES = ("ok", "review", "none", "error", CHECKED)
FARTHEST = 1e6  # pixels: no photo is so large
LEAST_SHOWN = 0.0005  # a probability that three digits would show as 0.000


@dataclass(frozen=True, slots=True)
class Result:
    """The reading of one photo, or of the container that several show.

    `image` is the path as it was listed, or the name of a group. `taken_at` and `read_at` tell when
    the camera took the photo and when it was read, by ISO 8601; empty: nobody knows. `read` is the
    number that the model had read, where a person has checked it.
    """

    image: str
    reading: Reading
    taken_at: str = ""
    read_at: str = ""
    read: str = ""

    @property
    def is_checked(self) -> bool:
        """Tell whether a person has said what the photo shows, if only that it cannot be read."""
        return self.reading.status == CHECKED

    @property
    def is_sure(self) -> bool:
        """Tell whether the number stands without a doubt: a person's, or one that is ok."""
        return self.reading.is_ok or (self.is_checked and self.reading.number is not None)


def statuses_in(found: Iterable[str]) -> list[str]:
    """Return the statuses to count: all of a run, and what people have checked if there is any."""
    return [status for status in STATUSES if status != CHECKED or CHECKED in found]


def kept(reading: Reading) -> Reading:
    """Return a reading as a file keeps it: three digits of each probability, text on one line."""
    return replace(
        reading,
        confidence=round(reading.confidence, 3),
        raw_text=" ".join(reading.raw_text.split()),
        numbers=(),
        alternatives=tuple(
            (number, round(p, 3)) for number, p in reading.alternatives if p >= LEAST_SHOWN
        ),
        found=reading.found and (reading.found[0], round(reading.found[1], 3)),
        size_type_confidence=round(reading.size_type_confidence, 3),
    )


def read_now(image: str, reading: Reading) -> Result:
    """Return what is kept of a photo that was read just now."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return Result(image, kept(reading), taken_at(image), now)


def record_of(result: Result) -> dict[str, object]:
    """Return a result as JSON keeps it: one flat object, what is not known left out at its end."""
    reading = result.reading
    record = {
        "image": result.image,
        "number": reading.number,
        "status": reading.status,
        "reason": reading.reason,
        "confidence": reading.confidence,
        "raw_text": reading.raw_text,
        "alternatives": reading.alternatives,
        "box": reading.box,
    }
    extras = {
        "found": reading.found,
        "taken_at": result.taken_at,
        "read_at": result.read_at,
        **size_type_fields(reading),
        "read": result.read,
    }
    return record | {name: value for name, value in extras.items() if value}


def size_type_fields(reading: Reading) -> dict[str, object]:
    """Return what a record says of the size-type code: nothing where none was read."""
    if not reading.size_type:
        return {}
    return {
        "size_type": reading.size_type.code,
        "size_type_words": reading.size_type.words,
        "size_type_confidence": reading.size_type_confidence,
    }


def parse_record(record: dict) -> Result:
    """Return the result that a flat object holds; raises ValueError, KeyError or TypeError."""
    number = "" if record["number"] is None else record["number"]
    texts = [record["image"], number, record["reason"], record["raw_text"]]
    extras = [record.get(name, "") for name in ("taken_at", "read_at", "read")]
    status = STATUSES[STATUSES.index(record["status"])]  # one text for a million rows
    if not all(isinstance(x, str) for x in [*texts, *extras]):
        raise ValueError("not a result")
    if number and not MAY_BE_PAINTED.fullmatch(compact(number)):
        raise ValueError("not a number, so perhaps another column")
    reading = Reading(
        number=number or None,
        status=status,
        reasons=parse_reasons(record["reason"]),
        confidence=parse_probability(record["confidence"]),
        raw_text=record["raw_text"],
        alternatives=tuple(map(parse_option, record.get("alternatives", ()))),
        box=parse_box(record.get("box", ())),
        found=parse_option(record["found"]) if record.get("found") else None,
        size_type=size_type_of(record.get("size_type") or ""),
        size_type_confidence=parse_probability(record.get("size_type_confidence", 0.0)),
    )
    return Result(record["image"], reading, *extras)


def parse_probability(value: Any) -> float:
    """Return a probability, which may be a text; raises ValueError or TypeError for another."""
    probability = float(value)
    if not 0 <= probability <= 1:
        raise ValueError("not a probability")
    return probability


def parse_option(value: Any) -> tuple[str, float]:
    """Return a number and its probability of a list of both; raises ValueError or TypeError."""
    number, probability = value
    if not isinstance(number, str) or not isinstance(probability, int | float):
        raise ValueError("not a number with its probability")
    return number, parse_probability(probability)


def parse_box(value: Any) -> tuple[tuple[int, int], ...]:
    """Return four corners, (x, y) in pixels, or none; raises ValueError or TypeError."""
    corners = tuple((x, y) for x, y in value)
    if len(corners) not in (0, 4) or not all(abs(side) < FARTHEST for c in corners for side in c):
        raise ValueError("not four corners")
    return corners
