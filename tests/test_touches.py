"""A small seeded part of what tests/endurance.py does to what is not ours, flags and sockets."""

import random

import pytest
from touches import cross_outputs, odd_values, press_sockets, touch_others


@pytest.mark.parametrize(
    ("part", "count"), [(touch_others, 37), (cross_outputs, 20), (odd_values, 60)]
)
def test_nothing_of_others_is_touched_and_every_end_is_in_words(part, count, here):
    problems = []
    part(random.Random(0), count, lambda what, problem: problems.append(problem), {})
    assert len(problems) == count
    assert not [problem for problem in problems if problem]


def test_whoever_asks_the_label_page_is_answered_whatever_else_is_sent(here, monkeypatch):
    problems = []
    monkeypatch.setattr("containers.pages.label_server.Handler.timeout", 1)
    press_sockets(random.Random(0), 60, lambda what, problem: problems.append(problem), {})
    assert len(problems) == 60
    assert not [problem for problem in problems if problem]
