"""Tests of result files side by side."""

from pathlib import Path

import pytest
from conftest import NUMBER, OTHER

from containers.data.comparison import Case, Label, join, layout_of, read_labels, table
from containers.data.result import Result
from containers.data.runs import read_run
from containers.number.reading import Reading


def read(number: str | None, **fields) -> Result:
    """Return a result of a photo."""
    return Result("a.jpg", Reading(number, status="ok", confidence=0.9, **fields))


@pytest.mark.parametrize(
    ("box", "layout"),
    [
        ([[0, 0], [80, 0], [80, 10], [0, 10]], "horizontal"),
        ([[0, 0], [80, 20], [77, 30], [-3, 10]], "horizontal"),
        ([[0, 0], [60, 0], [60, 20], [0, 20]], "two-line"),
        ([[20, 0], [20, 90], [10, 90], [10, 0]], "vertical"),
    ],
)
def test_a_box_tells_how_the_number_stands(box, layout):
    assert layout_of(box) == layout
    assert Case("a", (read(NUMBER, box=box),)).layout == layout
    assert Case("a", (read(NUMBER, box=box),), Label(NUMBER, "three-line")).layout == "three-line"


def test_the_box_of_the_last_run_counts_and_no_box_is_no_layout():
    line, column = [[0, 0], [80, 0], [80, 9], [0, 9]], [[9, 0], [9, 90], [0, 90], [0, 0]]
    assert Case("a", (read(NUMBER, box=line), read(NUMBER, box=column))).layout == "vertical"
    assert Case("a", (read(NUMBER, box=line), read(None, box=()))).layout == "horizontal"
    assert Case("a", (read(NUMBER),)).layout == ""


def test_a_case_knows_what_changed_and_what_is_wrong():
    case = Case("a", (read("CSQU 305438 4"), read(None)), Label(NUMBER))
    assert (case.errors, case.is_wrong, case.is_changed) == ((1, 11), True, True)
    case = Case("a", (read("CSQU3054383"), read(NUMBER)), Label(NUMBER))
    assert (case.errors, case.is_wrong, case.is_changed) == ((0, 0), False, False)
    case = Case("a", (read(OTHER), read(NUMBER)))
    assert (case.errors, case.is_wrong, case.is_changed) == ((), False, True)


def test_photos_in_all_runs_are_joined_the_labelled_first(here):
    head = "# batch_process.py: model x\n"
    Path("a.txt").write_text(head + "".join(f"{n}.jpg\t{NUMBER}\tok\t0.9\tx\n" for n in "abcd"))
    Path("b.txt").write_text(head + "".join(f"{n}.jpg\t{OTHER}\tok\t0.9\tx\n" for n in "dcx"))
    entries = '{"image_path": "%s.jpg", "container_number": "%s", "layout": %s}'
    entries = ",".join(entries % x for x in (("d", NUMBER, '"vertical"'), ("y", OTHER, "7")))
    Path("annotations.json").write_text(f'{{"images": [{entries}]}}')
    labels = read_labels(Path("annotations.json"))
    cases = join([read_run("a.txt"), read_run("b.txt")], labels)
    assert [(case.key, case.label) for case in cases] == [
        ("d.jpg", Label(NUMBER, "vertical")),
        ("c.jpg", None),
    ]
    assert labels["y.jpg"].layout == "", "a layout that is no text is none"
    assert table(cases[:1])[0] == ("exact match", "100.0 %", "0.0 %")


RIGHT, WRONG, OTHER_WRONG, NEAR = NUMBER, OTHER, "MSKU 000000 6", "CSQU 305438 4"


@pytest.mark.parametrize(
    ("before", "after", "better", "worse"),
    [
        (None, RIGHT, True, False),
        (WRONG, RIGHT, True, False),
        (WRONG, None, True, False),
        (RIGHT, None, False, True),
        (RIGHT, NEAR, False, True),
        (None, NEAR, False, True),
        (WRONG, NEAR, False, False),
        (NEAR, WRONG, False, False),
        (WRONG, OTHER_WRONG, False, False),
        (None, None, False, False),
        (RIGHT, RIGHT, False, False),
    ],
)
def test_right_beats_none_and_none_beats_wrong(before, after, better, worse):
    case = Case("a", (read(before), read(after)), Label(NUMBER))
    assert (case.is_better, case.is_worse) == (better, worse)
    nobody_knows = Case("a", (read(before), read(after)))
    assert not nobody_knows.is_better
    assert not nobody_knows.is_worse
    assert not Case("a", (read(after),), Label(NUMBER)).is_worse, "one run alone has no before"
