"""One result file, or two side by side, beside the labels: what changed, and how much is right."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.files import relative_path
from containers.basis.talk import counted, log
from containers.data.labels import labelled, size_type_in
from containers.data.result import Result, statuses_in
from containers.data.runs import Run
from containers.number.iso6346 import compact
from containers.number.reading import Reading
from containers.number.scores import edit_distance, score
from containers.photo.files import photo_key

MEASURES = {
    "exact_match": "exact match",
    "character_error_rate": "character error rate",
    "owner_code": "owner code",
    "serial_number": "serial number",
    "check_digit": "check digit",
    "check_digit_rate": "check-digit rate",
}
COLUMN, LINE, ROWS = "vertical", "horizontal", "two-line"  # labels say so; three rows are rare
LONGEST_ROWS = 4.5  # a place that is longer than so many times its height holds one line


@dataclass(frozen=True)
class Label:
    """What is painted on a photo, and how it stands there, where the label says that."""

    number: str
    layout: str = ""
    size_type: str = ""


@dataclass(frozen=True)
class Case:
    """One photo: its result in each of the runs, the last of which counts, and its label if known.

    `key` is its `photo_key`.
    """

    key: str
    results: tuple[Result, ...]
    label: Label | None = None

    @property
    def image(self) -> str:
        """Return the photo's path as the run that counts lists it."""
        return self.results[-1].image

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Return the reading of each run."""
        return tuple(result.reading for result in self.results)

    @property
    def reading(self) -> Reading:
        """Return the reading that counts."""
        return self.results[-1].reading

    @property
    def number(self) -> str | None:
        """Return what is painted, if that is known."""
        return self.label.number if self.label else None

    @cached_property
    def errors(self) -> tuple[int, ...]:
        """Return how many characters of each reading are wrong; none: nobody knows."""
        if self.label is None:
            return ()
        truth = compact(self.label.number)
        return tuple(edit_distance(compact(r.number or ""), truth) for r in self.readings)

    @property
    def is_wrong(self) -> bool:
        """Tell whether the reading that counts is known not to be what is painted."""
        return self.label is not None and self.errors[-1] > 0

    @property
    def ranks(self) -> tuple[int, ...]:
        """Return how each reading stands: 2 right, 1 no number, 0 a wrong one; none: nobody knows.

        Right beats none, and none beats wrong, for a wrong number may pass unseen. How many of its
        characters are wrong does not count.
        """
        if self.label is None:
            return ()
        pairs = zip(self.readings, self.errors)
        return tuple(2 if not wrong else 0 if reading.number else 1 for reading, wrong in pairs)

    @property
    def is_better(self) -> bool:
        """Tell whether the last reading is known to stand higher than the first."""
        return self.ranks[-1:] > self.ranks[:1]

    @property
    def is_worse(self) -> bool:
        """Tell whether the last reading is known to stand lower than the first."""
        return self.ranks[-1:] < self.ranks[:1]

    @property
    def is_changed(self) -> bool:
        """Tell whether the runs have read different numbers."""
        return len({compact(reading.number or "") for reading in self.readings}) > 1

    @property
    def layout(self) -> str:
        """Return how the number stands: as its label says, else by the place where it was read."""
        boxes = [reading.box for reading in reversed(self.readings) if reading.box]
        if self.label and self.label.layout:
            return self.label.layout
        return layout_of(boxes[0]) if boxes else ""


def layout_of(box: Sequence[Sequence[int]]) -> str:
    """Return how a number stands in a box: four corners, clockwise from where reading begins."""
    (x, y), (right, below), (far_x, far_y), _ = box
    length, height = math.dist((x, y), (right, below)), math.dist((right, below), (far_x, far_y))
    if abs(below - y) > abs(right - x):
        return COLUMN
    return LINE if length > LONGEST_ROWS * height else ROWS


def read_labels(path: Path) -> dict[str, Label]:
    """Return the labels of annotations.json by `photo_key`."""
    labels = {}
    for entry, number in labelled(path, "not compared"):
        layout = entry.get("layout")
        shown = layout if isinstance(layout, str) else ""
        label = Label(number, shown, size_type_in(entry))
        labels[photo_key(entry["image_path"], path.parent)] = label
    return labels


def join(runs: Sequence[Run], truth: dict[str, Label]) -> list[Case]:
    """Return the photos that stand in all runs: the labelled ones first, in their labels' order."""
    first, *others = (run.results for run in runs)
    shared = {key: None for key in first if all(key in results for results in others)}
    keys = [key for key in truth if key in shared] + [key for key in shared if key not in truth]
    return [Case(key, tuple(run.results[key] for run in runs), truth.get(key)) for key in keys]


def measures(cases: Sequence[Case]) -> list[dict[str, float]]:
    """Return the scores of each run over labelled photos."""
    runs = zip(*(case.readings for case in cases))
    labels = [case.number or "" for case in cases]
    return [score([(r.number, label) for r, label in zip(readings, labels)]) for readings in runs]


def table(cases: Sequence[Case]) -> list[tuple[str, ...]]:
    """Return the lines of the table over labelled photos: a name and a figure for each run."""
    scores, runs = measures(cases), [*zip(*(case.readings for case in cases))]
    lines = [
        (name, *(f"{100 * rates[key]:.1f} %" for rates in scores)) for key, name in MEASURES.items()
    ]
    for status in statuses_in([reading.status for readings in runs for reading in readings]):
        counts = (sum(reading.status == status for reading in readings) for readings in runs)
        lines.append((f"status {status}", *map(str, counts)))
    return lines


def size_type_line(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the line of the table on size-type codes: a name, a figure for each run, and a count.

    It is over the photos whose label has such a code; nothing where none has.
    """
    known = [(case, case.label.size_type) for case in cases if case.label and case.label.size_type]
    if not known:
        return ()
    truth = [code for _, code in known]
    runs = zip(*([reading.size_type_code for reading in case.readings] for case, _ in known))
    right = [sum(map(operator.eq, codes, truth)) for codes in runs]
    return "size type", *(f"{100 * count / len(known):.1f} %" for count in right), str(len(known))


def describe_changes(
    runs: Sequence[Run], cases: Sequence[Case], labels: str, count: int
) -> Iterator[str]:
    """Yield the measures of two runs side by side, and which photos got better and worse.

    Counted are the labelled photos that stand in both, of `count` in the file `labels`. Raises
    `UserError` if there are none.
    """
    known = [case for case in cases if case.label]
    if not known:
        read = " and ".join(f"{run.count:,} in {run.name}" for run in runs)
        raise UserError(
            f"nothing to compare: of {counted(count, 'labelled image')} in {labels}, none stands "
            f"in both files ({read})"
        )
    for i, run in enumerate(runs):
        if by_people := sum(case.results[i].is_checked for case in known):
            answers = counted(by_people, "answer")
            log.warning(f"{run.name} holds {answers} of people, which count as if they were read")
    yield f"in both files: {len(known)} of {counted(count, 'labelled image')}"
    yield ""
    lines = [(*line, str(len(known))) for line in table(known)]
    lines[len(MEASURES) : len(MEASURES)] = filter(None, [size_type_line(known)])
    lines.insert(0, ("", *(run.name for run in runs), "images"))
    width = max(len(cell) for line in lines for cell in line[1:3]) + 2
    for name, before, after, images in lines:
        yield f"{name:21}{before:>{width}}{after:>{width}}{images:>9}"
    better, worse = ([c for c in known if c.is_better], [c for c in known if c.is_worse])
    for title, changed in (("better", better), ("worse", worse)):
        yield ""
        yield f"{title}: {counted(len(changed), 'image')}"
        for case in changed:
            before, after = (reading.number or "-" for reading in case.readings)
            yield f"  {relative_path(Path(case.key))}  {case.number}: {before} -> {after}"
