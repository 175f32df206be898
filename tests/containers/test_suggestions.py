"""Tests of what a model has read beside the labels."""

import pytest
from conftest import NUMBER, OTHER

from containers.data.suggestions import is_doubtful, suggestion_in, suggestion_of, teaching_order
from containers.number.reading import Reading
from containers.number.reasons import Reason

BOX = ((8, 40), (100, 41), (100, -2), (8, 52))


def entry(image: str = "a.jpg", label: str = "TODO", **seen: object) -> dict:
    """Return an entry with a suggestion."""
    suggestion = {"container_number": NUMBER, "status": "ok", "confidence": 0.9} | seen
    return {"image_path": image, "container_number": label, "suggestion": suggestion}


def test_a_reading_is_read_back_as_it_was_written():
    reading = Reading(
        NUMBER, (Reason("unsure", ("0.5",)),), 0.41234, NUMBER, status="review", box=BOX
    )
    suggestion = suggestion_of(reading, "model x")
    assert suggestion["container_number"] == NUMBER
    assert suggestion_in({"suggestion": suggestion}) == {
        "number": NUMBER,
        "status": "review",
        "reason": {"en": "confidence below 0.5", "ko": "신뢰도 0.5 미만"},
        "confidence": 0.412,
        "box": [list(corner) for corner in BOX],
        "made_by": "model x",
    }
    nothing = suggestion_in({"suggestion": suggestion_of(Reading(), "model x")})
    assert (nothing["number"], nothing["status"], nothing["box"]) == ("", "none", [])


@pytest.mark.parametrize("seen", [None, [], "CSQU", 1, {}, {"status": "ok"}])
def test_what_is_no_suggestion_is_passed_over(seen):
    assert suggestion_in({"image_path": "a.jpg", "suggestion": seen}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"status": "sure"},
        {"status": []},
        {"container_number": 3},
        {"confidence": True},
        {"confidence": 1e300},
        {"confidence": float("nan")},
    ],
)
def test_a_suggestion_with_what_none_has_is_passed_over(change):
    assert suggestion_in(entry()) is not None
    assert suggestion_in(entry(**change)) is None


@pytest.mark.parametrize("box", [None, [], [[1, 2]], "a,b", {"x": 1}, "<script>"])
def test_a_box_that_is_none_is_left_out(box):
    assert suggestion_in(entry(box=box))["box"] == []


@pytest.mark.parametrize(
    ("change", "doubtful"),
    [
        ({}, False),
        ({"suggestion": {"status": "review", "confidence": 0.3}}, True),
        ({"suggestion": {"status": "none", "confidence": 0}}, True),
        ({"suggestion": {"status": "none", "confidence": 0}, "unreadable": True}, False),
        ({"container_number": NUMBER}, False),
        ({"container_number": OTHER}, True),
        ({"container_number": "CSQU 305438 4", "suggestion": None}, True),
        ({"container_number": NUMBER, "owner_code": "HLXU"}, True),
    ],
)
def test_what_deserves_a_second_look(change, doubtful):
    assert is_doubtful(entry() | change) is doubtful


def test_the_least_sure_container_comes_first_its_views_together_and_the_unread_last():
    entries = [
        {"image_path": "image/unread.jpg"},
        entry("image/1_LEFT_1.jpg", confidence=0.9),
        entry("image/2_LEFT_1.jpg", confidence=0.5),
        entry("image/1_RIGHT_1.jpg", confidence=0.1),
        entry("image/free name.jpg", container_number=OTHER, confidence=0.8),
        entry("image/other name.jpg", container_number=OTHER, confidence=0.4),
    ]
    order = [entries[place]["image_path"][6:] for place in teaching_order(entries)]
    assert order == [
        "1_LEFT_1.jpg",
        "1_RIGHT_1.jpg",
        "free name.jpg",
        "other name.jpg",
        "2_LEFT_1.jpg",
        "unread.jpg",
    ]
    for labelled in entries:
        labelled["container_number"] = NUMBER
    assert [entries[place]["image_path"][6:] for place in teaching_order(entries)] == order
