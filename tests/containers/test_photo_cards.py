"""Tests of what is marked on the card of a photo."""

import pytest
from conftest import NUMBER

from containers.pages.photo_cards import marked


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
