"""Tests of several views of one container."""

import re

import pytest
from conftest import NUMBER, OTHER, rows_of

from containers.data.grouped_results import GROUP_BY, fuse, fuse_group, group_of, write_groups
from containers.data.result import Result
from containers.data.result_tables import USUAL_COLUMNS
from containers.number.iso6346 import format_number
from containers.number.reading import Reading


def view(name: str, status: str = "ok", **numbers: float) -> Result:
    """Return the result of one photo; its alternatives are written CSQU3054383=0.6."""
    painted = tuple((format_number(number), p) for number, p in numbers.items())
    number, confidence = painted[0] if painted else (None, 0.0)
    reading = Reading(number, status=status, confidence=confidence, alternatives=painted)
    return Result(f"image/{name}.jpg", reading)


def test_fused_views_are_the_sum_of_their_log_probabilities():
    views = [
        view("1_LEFT_1", "review", CSQU3054383=0.4, HLXU2008419=0.5),
        view("1_LEFT_2", "review", CSQU3054383=0.3),
    ]
    fused = fuse("1", views, 0.5)
    both, first, unseen = 0.4 * 0.3, 0.5 * 0.01 * 0.7, 100 * (0.01 * 0.1) * (0.01 * 0.7)
    assert fused.reading.number == NUMBER
    assert fused.reading.confidence == pytest.approx(both / (both + first + unseen), abs=1e-3)
    assert (fused.reading.status, fused.reading.reason) == ("ok", "")
    assert "1_LEFT_1.jpg" in fused.reading.raw_text


def test_one_view_alone_keeps_its_number_and_confidence():
    fused = fuse("1", [view("1_LEFT_1", CSQU3054383=0.7, HLXU2008419=0.1)], 0.5)
    reading = fused.reading
    assert (reading.number, reading.confidence, reading.status) == (NUMBER, 0.7, "ok")


def test_a_view_without_a_number_changes_nothing():
    views = [view("1_LEFT_1", CSQU3054383=0.9), view("1_LEFT_2", "none")]
    assert fuse("1", views, 0.5).reading.confidence == pytest.approx(0.9)
    assert fuse("1", views[1:], 0.5).reading.status == "none"


def test_a_confidence_that_was_rounded_to_zero_or_to_one_is_fused():
    """A result file has three digits: 0.000 is not never, and 1.000 not always."""
    fused = fuse("1", [view("1_LEFT_1", "review", CSQU3054383=0.0)], 0.5)
    reading = fused.reading
    assert (reading.number, reading.confidence, reading.status) == (NUMBER, 0.0, "review")
    assert fuse("1", [view("1_LEFT_1", CSQU3054383=1.0)], 0.5).reading.confidence == 1.0
    views = [view("1_LEFT_1", CSQU3054383=1.0), view("1_LEFT_2", "review", HLXU2008419=0.0)]
    assert fuse("1", views, 0.5).reading.number == NUMBER
    sure, other = view("1_LEFT_1", CSQU3054383=1.0), view("1_LEFT_2", HLXU2008419=0.9996)
    assert fuse("1", [sure, other], 0.5).reading.confidence == pytest.approx(0.5, abs=0.1)


def test_a_group_of_a_thousand_views_is_fused():
    """Their product is less than any number that a machine knows."""
    views = [view(f"1_LEFT_{i}", "review", CSQU3054383=0.4, HLXU2008419=0.3) for i in range(1000)]
    fused = fuse("1", views, 0.5)
    assert (fused.reading.number, fused.reading.confidence) == (NUMBER, 1.0)
    views = [view(f"1_LEFT_{i}", "review", CSQU3054383=0.9) for i in range(500)]
    views += [view(f"1_BACK_{i}", "review", HLXU2008419=0.9) for i in range(500)]
    assert fuse("1", views, 0.5).reading.confidence == pytest.approx(0.5)


def test_two_different_containers_are_not_forced_into_one():
    views = [
        view("1_LEFT_1", CSQU3054383=0.9),
        view("1_LEFT_2", HLXU2008419=0.9),
        view("1_LEFT_3", "review", CSQU3054383=0.4),
        view("1_LEFT_4", "error"),
    ]
    containers = fuse_group("1", views, 0.5)
    assert [fused.reading.number for fused in containers] == [NUMBER, OTHER]
    assert [fused.reading.status for fused in containers] == ["review", "review"]
    assert containers[0].reading.reason == f"other views of 1 show {OTHER}"


@pytest.mark.parametrize(
    ("image", "pattern", "group"),
    [
        ("image/000207_LEFT_1.jpg", GROUP_BY, "image/000207"),
        ("000207_right_12.jpeg", GROUP_BY, "000207"),
        ("image/gate 3/IMG_20240101.jpg", GROUP_BY, "image/gate 3/IMG_20240101.jpg"),
        ("image/7-a.jpg", "^[0-9]+", "image/7"),
        ("image/7-a.jpg", "(x)?", "image/7-a.jpg"),
        ("7-a.jpg", "(x)?", "7-a.jpg"),
        ("image/7-a.jpg", "x*", "image/7-a.jpg"),
        ("image/7-a.jpg", "()", "image/7-a.jpg"),
    ],
)
def test_photos_are_grouped_by_the_part_of_the_name_that_matches(image, pattern, group):
    assert group_of(image, re.compile(pattern)) == group


def test_a_pattern_that_takes_nothing_leaves_each_photo_alone_and_is_named(here, capsys):
    views = [view("7-a", CSQU3054383=0.9), view("8-a", HLXU2008419=0.9)]
    write_groups(here / "r.txt", "# made by", views, "(x)?", 0.5, USUAL_COLUMNS)
    assert [row[1] for row in rows_of("r_grouped.txt")] == [NUMBER, OTHER]
    assert "--group_by (x)? takes a part of no photo's name" in capsys.readouterr().err
