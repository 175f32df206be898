"""Tests of the charts, read back from their SVG."""

import xml.etree.ElementTree as ElementTree

import pytest

from containers.pages.charts import COLOURS, LEFT, LENGTH, SIDE, TOP, bars, reliability


def test_bars_are_as_long_as_their_shares_and_names_are_escaped():
    chart = ElementTree.fromstring(bars("<shares>", [("a & b", [0.25, 1.0], "of 4")]))
    widths = [float(bar.get("width")) for bar in chart.iter("rect")]
    assert widths == [0.25 * LENGTH, LENGTH]
    assert [bar.get("fill") for bar in chart.iter("rect")] == [*COLOURS]
    assert [text.text for text in chart.iter("text")] == ["a & b", "25.0 %", "100.0 %", "of 4"]


def test_one_run_has_the_colour_of_the_second():
    chart = ElementTree.fromstring(bars("x", [("a", [0.5], "")]))
    assert [bar.get("fill") for bar in chart.iter("rect")] == [COLOURS[1]]


def test_a_dot_stands_at_the_mean_confidence_and_the_share_that_is_right():
    pairs = [(0.62, True), (0.68, False), (0.9, True)]
    dots = list(ElementTree.fromstring(reliability("x", [pairs])).iter("circle"))
    assert len(dots) == 2
    assert float(dots[0].get("cx")) == pytest.approx(LEFT + 0.65 * SIDE, abs=0.1)
    assert float(dots[0].get("cy")) == pytest.approx(TOP + 0.5 * SIDE, abs=0.1)
    assert float(dots[1].get("cy")) == pytest.approx(TOP, abs=0.1)
    assert float(dots[0].get("r")) > float(dots[1].get("r"))
    assert dots[0][0].text == "1 of 2 right, confidence 0.6 to 0.7"


def test_a_confidence_that_is_written_as_zero_is_drawn():
    (dot,) = ElementTree.fromstring(reliability("x", [[(0.0, False), (0.04, True)]])).iter("circle")
    assert dot[0].text == "1 of 2 right, confidence 0 to 0.1"
