"""Several views of one container: what is read from them is fused into one line."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from containers.basis.escapes import visible
from containers.basis.talk import log
from containers.data.result import CHECKED, Result
from containers.data.results import write_results
from containers.number.iso6346 import is_valid
from containers.number.reading import Reading
from containers.number.reasons import Reason
from containers.number.review import chances_of, doubt_confidence, with_size_type

GROUP_BY = r"^(.+)_[A-Za-z]+_[0-9]+[.]"  # 000207_LEFT_1.jpg, 000207_RIGHT_2.jpg: 000207
UNSEEN_SHARE = 0.01  # of what a view leaves to numbers that it does not name, for each of them
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


def probabilities(view: Result) -> dict[str, float]:
    """Return the valid numbers that a view may show, each with the model's probability of it.

    One that a person could not read either shows none.
    """
    chances = {} if view.is_checked else chances_of(view.reading)
    return {number: p for number, p in chances.items() if is_valid(number)}


def likeliest(views: list[dict[str, float]]) -> tuple[str | None, float]:
    """Return the number that all views together find likeliest, and how sure they are of it.

    Their log-probabilities are added. Each number that a view does not name gets UNSEEN_SHARE of
    what it leaves to them. The confidence is the number's share of the sum over all numbers, the
    unseen ones too; with all divided by the largest, a product of many views stays above zero.
    """
    rests = [UNSEEN_SHARE * max(ROUNDED, 1 - sum(view.values())) for view in views]
    fused = {
        number: sum(
            math.log(max(ROUNDED, v[number]) if number in v else rest)
            for v, rest in zip(views, rests)
        )
        for number in sorted({number for view in views for number in view})
    }
    if not fused:
        return None, 0.0
    number = max(fused, key=fused.__getitem__)
    unseen = sum(map(math.log, rests)) - math.log(UNSEEN_SHARE)
    most = max(fused[number], unseen)
    shares = [math.exp(log - most) for log in (*fused.values(), unseen)]
    return number, math.exp(fused[number] - most) / sum(shares)


def fuse(name: str, views: list[Result], review_below: float) -> Result:
    """Return one result for the views of one container, whose probabilities are multiplied.

    What a person has read on one of them is the number.
    """
    seen = "; ".join(
        f"{Path(view.image).name} {view.reading.number or '-'} {view.reading.confidence:.3f}"
        for view in views
    )
    if sure := next((view for view in views if view.is_checked and view.is_sure), None):
        said = sure.reading
        checked = Reading(said.number, said.reasons, said.confidence, seen, status=CHECKED)
        return Result(name, checked)
    readings = [view.reading for view in views]
    number, confidence = likeliest([probabilities(view) for view in views])
    if number:
        reasons = doubt_confidence(confidence, review_below)
        doubts = [reading.reasons for reading in readings if reading.number == number]
        if not reasons and any(doubts) and all(doubts):
            reasons = doubts[0]
    else:  # no view has a number that checks
        best = max(readings, key=lambda reading: (reading.number is not None, reading.confidence))
        number, confidence, reasons = best.number, best.confidence, best.reasons
    status = ("review" if reasons else "ok") if number else "none"
    fused = Reading(number, reasons, round(confidence, 3), seen, status=status)
    return Result(name, with_size_type(fused, readings))


def fuse_group(name: str, views: list[Result], review_below: float) -> list[Result]:
    """Return a result for each container that a group of views is sure of; mostly it is one.

    Views that are each `ok` with another number are not forced into one: all are for review.
    """
    read = [view for view in views if view.reading.status != "error"]
    sure = sorted({n for view in read if view.is_sure and (n := view.reading.number)})
    if not read:
        return [replace(views[0], image=name)]
    if len(sure) < 2:
        return [fuse(name, read, review_below)]
    results = []
    for number in sure:
        own = [view for view in read if view.reading.number == number or not view.is_sure]
        others = ", ".join(other for other in sure if other != number)
        fused = fuse(name, own, review_below)
        doubts = (Reason("views", (name, others)),)
        doubtful = replace(fused.reading, status="review", reasons=doubts)
        results.append(replace(fused, reading=doubtful))
    return results


def grouped_name(output: Path) -> Path:
    """Return the name of the file with a line for each container, beside the result file."""
    return output.with_name(f"{output.stem}_grouped{output.suffix}")


def write_groups(
    output: Path,
    description: str,
    results: list[Result],
    group_by: str,
    review_below: float,
    columns: Sequence[str],
) -> str:
    """Write NAME_grouped beside the result file: a line for each container, from all its views.

    Return its name and count.
    """
    pattern = re.compile(group_by)
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(group_of(result.image, pattern), []).append(result)
    fused = [one for name in sorted(groups) for one in fuse_group(name, groups[name], review_below)]
    if results and all(name == views[0].image for name, views in groups.items()):
        log.warning(f"§group_by {group_by} takes a part of no photo's name: each stands alone")
    path = grouped_name(output)
    made_by = visible(f"{description}, grouped by {group_by}")
    return f"{path}: {write_results(path, made_by, fused, 'container', columns)}"
