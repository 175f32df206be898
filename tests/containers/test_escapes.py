"""Tests of text from outside that is shown."""

import json

from hypothesis import given
from hypothesis import strategies as st

from containers.basis.escapes import escape, json_line, unescape, visible

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # halves of characters too


@given(ANY_TEXT)
def test_what_is_escaped_comes_back_as_it_was(text):
    assert unescape(escape(text)) == text


@given(ANY_TEXT)
def test_what_is_shown_is_one_line_that_can_be_written_and_steers_nothing(text):
    for shown in (visible(text), escape(text), json_line(text)):
        shown.encode("utf-8")
        assert len(shown.splitlines()) <= 1
        assert not any("\x00" <= c < " " or "\x7f" <= c <= "\x9f" for c in shown)
    assert json.loads(json_line(text)) == text


@given(ANY_TEXT)
def test_what_is_visible_stays_as_it_is(text):
    assert visible(visible(text)) == visible(text)


def test_two_names_that_differ_stay_two():
    assert escape("x\udcff.jpg") != escape(r"x\udcff.jpg")
    assert (escape("a\tb"), escape(r"a\tb"), visible("한글 \x1b[2J")) == (
        r"a\tb",
        r"a\\tb",
        r"한글 \x1b[2J",
    )
