"""Several views of one container: what is read from them is fused into one line."""

from __future__ import annotations

import math
import re
from pathlib import Path

from containers.basis.escapes import visible
from containers.basis.talk import say
from containers.data.results import Row, write_results
from containers.number.iso6346 import is_valid
from containers.number.review import doubt_confidence

GROUP_BY = r"^(.+)_[A-Za-z]+_[0-9]+[.]"  # 000207_LEFT_1.jpg, 000207_RIGHT_2.jpg: 000207
UNSEEN = 0.01  # of the probability that a view leaves to other numbers, what each of them gets
ROUNDED = 0.0005  # what is less stands as 0.000 in a result file, and as much is cut off at 1.000


def group_of(image: str, pattern: re.Pattern[str]) -> str:
    """Return the name that the views of one container share; a photo without one stands alone.

    So does one of which the pattern takes nothing: `x*` or `(x)?` fit every name, emptily.
    """
    folder, _, name = image.rpartition("/")
    found = pattern.search(name)
    key = found and (found[1] if pattern.groups else found[0])
    if not key:
        return image
    return f"{folder}/{key}" if folder else key


def probabilities(row: Row) -> dict[str, float]:
    """Return the valid numbers that a view may show, each with the model's probability of it."""
    numbers = dict(row.get("alternatives", ()))
    if is_valid(row["number"]):
        numbers[row["number"]] = max(row["confidence"], numbers.get(row["number"], 0.0))
    return numbers


def likeliest(views: list[dict[str, float]]) -> tuple[str | None, float]:
    """Return the number that all views together find likeliest, and how sure they are of it.

    Their log-probabilities are added. Of what a view leaves to numbers that it does not name, each
    gets the share UNSEEN. The confidence is the number's share of the sum over all numbers, the
    unseen ones too; with all divided by the largest, a product of many views stays above zero.
    """
    rests = [UNSEEN * max(ROUNDED, 1 - sum(view.values())) for view in views]
    fused = {
        number: sum(
            math.log(max(ROUNDED, v[number]) if number in v else rest)
            for v, rest in zip(views, rests)
        )
        for number in sorted({number for view in views for number in view})
    }
    if not fused:
        return None, 0.0
    number, unseen = max(fused, key=fused.get), sum(map(math.log, rests)) - math.log(UNSEEN)
    most = max(fused[number], unseen)
    shares = [math.exp(log - most) for log in (*fused.values(), unseen)]
    return number, math.exp(fused[number] - most) / sum(shares)


def fuse(name: str, views: list[Row], review_below: float) -> Row:
    """Return one row for the views of one container, whose probabilities are multiplied."""
    number, confidence = likeliest([probabilities(row) for row in views])
    if number:
        reason = doubt_confidence(confidence, review_below)
        doubts = [row["reason"] for row in views if row["number"] == number]
        if not reason and any(doubts) and all(doubts):
            reason = doubts[0]
    else:  # no view has a number that checks
        best = max(views, key=lambda row: (row["number"] is not None, row["confidence"]))
        number, confidence, reason = best["number"], best["confidence"], best["reason"]
    return {
        "image": name,
        "number": number,
        "status": ("review" if reason else "ok") if number else "none",
        "reason": reason,
        "confidence": round(confidence, 3),
        "raw_text": "; ".join(
            f"{Path(row['image']).name} {row['number'] or '-'} {row['confidence']:.3f}"
            for row in views
        ),
    }


def fuse_group(name: str, views: list[Row], review_below: float) -> list[Row]:
    """Return a row for each container that a group of views is sure of; mostly it is one.

    Views that are each `ok` with another number are not forced into one: all are for review.
    """
    read = [row for row in views if row["status"] != "error"]
    sure = sorted({row["number"] for row in read if row["status"] == "ok"})
    if not read:
        return [views[0] | {"image": name}]
    if len(sure) < 2:
        return [fuse(name, read, review_below)]
    rows = []
    for number in sure:
        own = [row for row in read if row["status"] != "ok" or row["number"] == number]
        others = ", ".join(other for other in sure if other != number)
        reason = f"other views of {name} show {others}"
        rows.append(fuse(name, own, review_below) | {"status": "review", "reason": reason})
    return rows


def grouped_name(output: Path) -> Path:
    """Return the name of the file with a line for each container, beside the result file."""
    return output.with_name(f"{output.stem}_grouped{output.suffix}")


def write_groups(
    output: Path, description: str, rows: list[Row], group_by: str, review_below: float
) -> str:
    """Write NAME_grouped beside the result file: a line for each container, from all its views.

    Return its name and count.
    """
    pattern = re.compile(group_by)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(group_of(row["image"], pattern), []).append(row)
    fused = [row for name in sorted(groups) for row in fuse_group(name, groups[name], review_below)]
    if rows and all(name == views[0]["image"] for name, views in groups.items()):
        say(f"warning: --group_by {group_by} takes a part of no photo's name: each stands alone")
    path = grouped_name(output)
    made_by = visible(f"{description}, grouped by {group_by}")
    return f"{path}: {write_results(path, made_by, fused, 'container')}"
