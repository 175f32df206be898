"""Tests of what stands on the card of a photo, and is marked there."""

from pathlib import Path

import pytest
from conftest import NUMBER, read_in, transcript

from containers.data.comparison import Case
from containers.data.result import Result
from containers.data.runs import Run
from containers.pages.photo_cards import card_of, marked


@pytest.mark.parametrize(
    ("read", "shown"),
    [
        (NUMBER, NUMBER),
        ("CSQU 305438 4", "CSQU 305438 <mark>4</mark>"),
        ("CSXU 305348 3", "CS<mark>X</mark>U 305<mark>3</mark><mark>4</mark>8 3"),
        ("CSQU 305438", "CSQU 305438<mark>_</mark>"),
        ("CSQU 30543 3", "CSQU 30543<mark>_</mark> 3"),
        ("CSQU 3054388 3", "CSQU 305438<mark>8</mark> 3"),
        ("<i>", "<mark>&lt;i&gt;</mark>"),
    ],
)
def test_what_differs_is_marked(read, shown):
    assert marked(read, NUMBER) == shown


def test_where_nothing_else_is_known_nothing_is_marked():
    assert marked("CSQU <b>", "") == "CSQU &lt;b&gt;"


def test_the_size_type_code_stands_on_the_card_with_its_words_in_both_languages():
    result = Result("a.jpg", read_in(transcript(f"{NUMBER} 45G1", 0.9)))
    card = card_of(Case("a.jpg", (result,)), [Run("r", "", {})], "", Path("report.html"))
    words = {
        "en": "45G1: 40 ft, high cube, general purpose",
        "ko": "45G1: 40피트, 하이 큐브, 일반 화물용",
    }
    assert words in card.notes
