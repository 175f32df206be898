"""Tests of the words for why a reading is doubtful."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containers.number.reasons import ENGLISH, OTHER, WORDS, Reason, in_words, parse_reasons

DETAIL = st.from_regex(r"[A-Z]{4}( [0-9]{6} [0-9])?", fullmatch=True)


def reason_of(code: str, detail: str) -> Reason:
    """Return a doubt with as many details as its words have."""
    return Reason(code, (detail,) * WORDS[ENGLISH][code].count("{}"))


@given(st.lists(st.tuples(st.sampled_from([*WORDS[ENGLISH]]), DETAIL), max_size=4))
def test_doubts_in_words_are_read_back_as_they_were(pairs):
    reasons = tuple(reason_of(*pair) for pair in pairs)
    assert parse_reasons(in_words(reasons)) == reasons


@pytest.mark.parametrize("language", WORDS)
def test_each_language_has_words_for_each_doubt_and_its_details(language):
    assert WORDS[language].keys() == WORDS[ENGLISH].keys()
    for code, words in WORDS[language].items():
        assert words.count("{}") == WORDS[ENGLISH][code].count("{}")
        if language != ENGLISH and code != OTHER:
            assert words != WORDS[ENGLISH][code]


def test_what_nobody_here_has_written_stays_as_it_is():
    assert in_words(parse_reasons("damaged image: x; y")) == "damaged image: x; y"
