"""What a model has read, as suggestions beside the labels: never in their place."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from containers.basis.errors import UserError
from containers.data.grouped_results import GROUP_BY, group_of
from containers.data.labels import UNREADABLE, iso_problem, label_of
from containers.data.result import STATUSES
from containers.number.iso6346 import compact, is_valid
from containers.number.reading import Reading
from containers.number.reasons import LANGUAGES, in_words, parse_reasons

SUGGESTION = "suggestion"  # an entry's key; a label is never written from it
GROUPED = re.compile(GROUP_BY)


def suggestion_of(reading: Reading, made_by: str) -> dict[str, object]:
    """Return a reading as it stands in annotations.json, with what made it; the box on one line."""
    return {
        "container_number": reading.number,
        "status": reading.status,
        "reason": reading.reason,
        "confidence": round(reading.confidence, 3),
        "box": " ".join(f"{x},{y}" for x, y in reading.box),
        "made_by": made_by,
    }


def suggestion_in(entry: dict) -> dict[str, Any] | None:
    """Return an entry's suggestion, or None where none stands or what stands there is none."""
    seen = entry.get(SUGGESTION)
    if not isinstance(seen, dict) or seen.get("status") not in STATUSES:
        return None
    number, confidence = seen.get("container_number"), seen.get("confidence")
    if not isinstance(number, str | None) or not is_number(confidence):
        return None
    reasons = parse_reasons(str(seen.get("reason") or ""))
    return {
        "number": number or "",
        "status": seen["status"],
        "reason": {language: in_words(reasons, language) for language in LANGUAGES},
        "confidence": confidence,
        "box": corners_of(seen.get("box")),
        "made_by": str(seen.get("made_by") or ""),
    }


def is_number(value: object) -> bool:
    """Tell whether a value of JSON is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e9 and math.isfinite(value)


def corners_of(box: object) -> list[list[int]]:
    """Return the corners, [x, y], that a box has; none where it is no box."""
    corners = re.findall(r"(-?[0-9]{1,6}),(-?[0-9]{1,6})", box) if isinstance(box, str) else []
    return [[int(x), int(y)] for x, y in corners]


def is_doubtful(entry: dict) -> bool:
    """Tell whether an entry deserves a second look.

    That is a label that contradicts itself, is not ISO 6346 or is not what was suggested; and
    without a label a suggestion that is not sure.
    """
    seen = suggestion_in(entry)
    try:
        label = label_of(entry)
    except UserError:
        return True
    if label is None:
        return seen is not None and seen["status"] != "ok" and entry.get(UNREADABLE) is not True
    other = seen is not None and seen["number"] and compact(seen["number"]) != compact(label)
    return bool(other or iso_problem(label))


def teaching_order(entries: Sequence[dict]) -> list[int]:
    """Return the places of entries in the order in which their labels teach most.

    The container whose suggestions are least sure comes first, its views together; what has no
    suggestion stays behind, in the order of the file. No label moves anything, so that the order
    stands while somebody labels.
    """
    seen = [suggestion_in(entry) for entry in entries]
    groups: dict[str, list[int]] = {}
    for i, entry in enumerate(entries):
        groups.setdefault(container_of(entry["image_path"], seen[i]), []).append(i)

    def doubt(places: list[int]) -> float:
        return min((s["confidence"] for p in places if (s := seen[p])), default=math.inf)

    return [i for places in sorted(groups.values(), key=doubt) for i in places]


def container_of(image: str, seen: dict | None) -> str:
    """Return which container a photo shows, by its name, else by the number suggested for it."""
    name = group_of(image.replace("\\", "/"), GROUPED)
    number = seen["number"] if seen else ""
    return compact(number) if name == image and is_valid(number) else name
