"""Tests that what is counted is true: known answers in, every measure worked out by hand."""

import functools
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import CODES, NUMBER, paint, write_annotations
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso6346

import batch_process
from containers.data.result import CHECKED, STATUSES, Result
from containers.data.result_file import MADE_BY
from containers.data.results import read_results, write_results
from containers.number.reading import Reading
from containers.number.scores import edit_distance, score
from measure.evaluate import Case, row

PARTS = ["owner_code"] * 4 + ["serial_number"] * 6 + ["check_digit"]

OF_MODELS = [status for status in STATUSES if status != CHECKED]  # which no person has checked


@given(CODES)
def test_perfect_is_one_and_empty_is_nothing(code):
    number = code + iso6346.calc_check_digit(code)
    perfect, empty = score([(number, number)]), score([(None, number)])
    assert (perfect.pop("character_error_rate"), empty.pop("character_error_rate")) == (0, 1)
    assert set(perfect.values()) == {1}
    assert set(empty.values()) == {0}


@given(CODES, st.integers(0, 10), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
def test_one_wrong_letter_costs_its_own_part_and_an_eleventh(code, place, letter):
    number = code + iso6346.calc_check_digit(code)
    read = number[:place] + letter + number[place + 1 :]
    rates = score([(read, number)])
    right = letter == number[place]
    assert rates["exact_match"] == right
    assert rates["character_error_rate"] == (0 if right else pytest.approx(1 / 11))
    for part in set(PARTS):
        assert rates[part] == (right or part != PARTS[place])
    fits = iso6346.is_valid(read) and read[:3].isalpha() and read[3] in "UJZ"  # its two holes
    assert rates["check_digit_rate"] == fits


@functools.cache
def distance_by_definition(a: str, b: str) -> int:
    """Return the least number of edits, straight from what it means."""
    if not a or not b:
        return len(a) + len(b)
    return min(
        distance_by_definition(a[1:], b) + 1,
        distance_by_definition(a, b[1:]) + 1,
        distance_by_definition(a[1:], b[1:]) + (a[0] != b[0]),
    )


@given(st.text("AB12", max_size=7), st.text("AB12", max_size=7))
def test_the_edit_distance_is_the_one_that_is_defined(a, b):
    assert edit_distance(a, b) == distance_by_definition(a, b)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=20))
def test_the_rate_of_many_is_the_mean_of_each(rights):
    pairs = [(NUMBER if right == 1 else "CSQU" if right else None, NUMBER) for right in rights]
    rates, count = score(pairs), len(rights)
    assert rates["exact_match"] == pytest.approx(rights.count(1) / count)
    assert rates["owner_code"] == pytest.approx(1 - rights.count(0) / count)
    edits = 7 * rights.count(0.5) + 11 * rights.count(0)
    assert rates["character_error_rate"] == pytest.approx(edits / 11 / count)


@given(st.lists(st.sampled_from(STATUSES), max_size=30), st.sampled_from(["txt", "csv", "jsonl"]))
def test_the_counts_at_the_end_of_a_result_file_are_those_of_its_lines(statuses, suffix):
    rows = [Result(f"{i}.jpg", Reading(status=status)) for i, status in enumerate(statuses)]
    with TemporaryDirectory() as folder:
        path = Path(folder, f"r.{suffix}")
        summary = write_results(path, f"{MADE_BY}: a test", rows, "images")
        assert [result.reading.status for result in read_results(path)[1]] == statuses
    counts = [int(count) for count in re.findall("[0-9]+", summary)]
    listed = STATUSES if CHECKED in statuses else OF_MODELS
    assert counts == [len(statuses), *map(statuses.count, listed)]
    assert sum(counts[1:]) == counts[0]


def test_every_photo_has_one_status_and_the_counts_add_up(taught, here, capsys):
    (here / "image/bad.png").write_text("no photo")
    paint(here / "image/again.png", "red")
    assert batch_process.main(taught) == 1
    summary = "7 images: 2 ok, 3 review, 1 none, 1 error"  # as the model was taught
    assert summary in capsys.readouterr().out
    assert Path("results_base.txt").read_text().splitlines()[-1] == f"# {summary}"
    write_annotations(
        here / "annotations.json",
        {f"image/{name}.png": NUMBER for name in ("0", "1", "2", "3", "4", "again", "bad")},
    )
    assert batch_process.main(["--compare", "results_base.txt", "results_base.txt"]) == 0
    table = dict(re.findall(r"^([a-z -]+?)  +([0-9.]+)", capsys.readouterr().out, re.MULTILINE))
    assert [table[f"status {status}"] for status in OF_MODELS] == ["2", "3", "1", "1"]
    numbers = [r.reading.number for r in read_results(Path("results_base.txt"))[1]]
    right = sum(number == NUMBER for number in numbers)
    assert float(table["exact match"]) == pytest.approx(100 * right / 7, abs=0.05)


def test_each_layout_counts_its_own_photos():
    def case(layout: str, number: str | None, status: str) -> Case:
        reading = Reading(number, status=status)
        return Case("x.jpg", {"layout": layout}, NUMBER, reading)

    wrong = "CSQU 305483 0"
    cases = [case("row", NUMBER, "ok"), case("row", wrong, "ok"), case("column", None, "none")]
    assert row("row", cases[:2]).startswith("| row | 2 | 50.0 % (1) | 100.0 % (2) | 50.0 % (1) |")
    assert row("column", cases[2:]).startswith("| column | 1 | 0.0 % (0) | 0.0 % (0) | - |")
    assert row("all", cases).startswith("| all | 3 | 33.3 % (1) | 66.7 % (2) | 50.0 % (1) |")
