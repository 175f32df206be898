"""A run's result file as it is compared and shown: of a million photos what is needed is kept."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.talk import counted, log
from containers.data.result import Result
from containers.data.result_file import PARTIAL, Provenance
from containers.data.results import stream_results
from containers.number.reading import Reading
from containers.photo.files import photo_key


@dataclass(frozen=True)
class Run:
    """What one result file holds: its name, what made it, and its results by `photo_key`."""

    name: str
    made_by: str
    results: dict[str, Result]
    count: int = 0  # in the file, of which the results may be those of photos with a label


def whole(result: Result) -> Result:
    """Return a result with all that it holds."""
    return result


def nothing(_: Result) -> None:
    """Return that nothing of a result is kept."""


def outline(result: Result, box: tuple[tuple[int, int], ...] = ()) -> Result:
    """Return a result without what only a card shows: of a million rows few have a card."""
    seen = result.reading
    reading = Reading(seen.number, confidence=seen.confidence, status=seen.status, box=box)
    return Result(result.image, reading)


def of_one(result: Result) -> Result:
    """Return what is kept of a result without a label for the page of one run."""
    return outline(result) if result.is_sure else result


def of_first(result: Result) -> Result:
    """Return what is kept of the first run's result without a label for the page of two."""
    return outline(result, result.reading.box)


def of_second(first: Run) -> Callable[[Result], Result]:
    """Return what tells what is kept of the second run's: of a number that is the same, little."""
    read = {hash((result.image, result.reading.number)) for result in first.results.values()}
    known = read.__contains__
    return lambda r: outline(r) if known(hash((r.image, r.reading.number))) else r


def read_run(
    name: str,
    labels: Iterable[str] = (),
    kept: Callable[[Result], Result | None] = whole,
) -> Run:
    """Return what a result file holds: of photos that may have `labels` all, of others what `kept`.

    That it is not whole, or lists a photo twice, is said. Raises `UserError`, also where two of its
    lines contradict each other.
    """
    provenance, path, is_run = Provenance(), Path(name), name.endswith(PARTIAL)
    results: dict[str, Result] = {}
    seen: dict[int, int] = {}  # what is said of an image: hashes, as there may be a million rows
    is_labelled = may_be_one_of(labels)
    for row, result in stream_results(path, provenance):
        image, reading = result.image, result.reading
        said = hash((reading.number, reading.status, reading.confidence))
        if seen.setdefault(hash(image), said) != said and not is_run:
            raise UserError(f"{name}, line {row}: another line says otherwise of {image}")
        if found := result if is_labelled(image) else kept(result):
            key = photo_key(image, Path())
            results[image if key == image else key] = found  # one text for both
    twice = provenance.rows - len(seen)
    if provenance.problem and not is_run:
        log.warning(f"{name} {provenance.problem}")
    if twice and not is_run:
        log.warning(f"{name} lists {counted(twice, 'photo')} more than once")
    return Run(name, provenance.made_by, results, provenance.rows)


def may_be_one_of(labels: Iterable[str]) -> Callable[[str], bool]:
    """Return what tells of an image's name, fast, whether `photo_key` may be among the labels.

    Another name for the same photo leads there by a link. Of a million rows few may have a label.
    """
    names = {last_of(key) for key in labels}
    return lambda image: last_of(image) in names or os.path.islink(image)


def last_of(image: str) -> str:
    """Return the last part of a path, however it is spelt: by `/` or a backslash, composed or not.

    It is the same for all spellings of one, and may be for others.
    """
    name = image.replace("\\", "/").rpartition("/")[2]
    return name if name.isascii() else unicodedata.normalize("NFC", name)
