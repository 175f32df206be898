"""Tests of the charts, by what they draw."""

import pytest

from containers.pages.charts import COLOURS, LEFT, LENGTH, SIDE, TOP, bars, reliability
from containers.pages.report_words import plain


def test_bars_are_as_long_as_their_shares_and_have_names_and_values():
    chart = bars([(plain("a & b"), [0.25, 1.0], plain("of 4"))])
    assert [bar.width for bar in chart.bars] == [0.25 * LENGTH, LENGTH]
    assert [bar.colour for bar in chart.bars] == [*COLOURS]
    assert [text.words["en"] for text in chart.texts] == ["a & b", "25.0 %", "100.0 %", "of 4"]


def test_one_run_has_the_colour_of_the_second():
    (bar,) = bars([(plain("a"), [0.5], plain(""))]).bars
    assert bar.colour == COLOURS[1]


def test_a_dot_stands_at_the_mean_confidence_and_the_share_that_is_right():
    pairs = [(0.62, True), (0.68, False), (0.9, True)]
    dots = reliability([pairs]).dots
    assert len(dots) == 2
    assert dots[0].x == pytest.approx(LEFT + 0.65 * SIDE, abs=0.1)
    assert dots[0].y == pytest.approx(TOP + 0.5 * SIDE, abs=0.1)
    assert dots[1].y == pytest.approx(TOP, abs=0.1)
    assert dots[0].r > dots[1].r
    assert dots[0].title == "1 of 2 right, confidence 0.6 to 0.7"


def test_a_confidence_that_is_written_as_zero_is_drawn():
    (dot,) = reliability([[(0.0, False), (0.04, True)]]).dots
    assert dot.title == "1 of 2 right, confidence 0 to 0.1"
