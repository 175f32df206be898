"""Tests of which number is reported, and what makes it doubtful."""

from dataclasses import replace

import pytest
from conftest import NUMBER, OTHER, read_in, some_numbers, transcript
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso6346

from containers.number.iso6346 import compact
from containers.number.review import UNLIKELY, hypothesis_of, merge, reading_of
from florence.grammar import BEAMS


@pytest.mark.parametrize(
    ("text", "number", "status", "reason"),
    [
        ("MAERSK CSQU 305438 3 22G1", "CSQU 305438 3", "ok", ""),
        ("CSQU 305438 4", "CSQU 305438 4", "review", "check digit does not fit"),
        ("CSQU 305438 22G1", "CSQU 305438", "review", "check digit not read"),
        ("CSQU\n305438\n22G1\n3", "CSQU 305438 3", "review", "parts stand apart"),
        ("CSQU\n22G1\n305438 3", "CSQU 305438 3", "ok", ""),
        ("305438 3\nCSQU", "CSQU 305438 3", "review", "out of order"),
        ("HLXU2008419 CSQU3054383", "HLXU 200841 9", "review", "several containers"),
        ("CSQU3054383 HLXU2008419 CSQU3054384", "CSQU 305438 3", "review", "3, HLXU 200841 9"),
        ("CSQU3054383 CSQU3054383", "CSQU 305438 3", "ok", ""),
        ("MAX GROSS 30480 KGS", None, "none", ""),
        ("", None, "none", ""),
    ],
)
def test_a_reading_says_what_is_doubtful(text, number, status, reason):
    reading = read_in(transcript(text))
    assert (reading.number, reading.status) == (number, status)
    assert reason in reading.reason
    assert reading.is_valid == (number is not None and "check digit" not in reason)
    assert reading.raw_text == text


def test_confidence_is_the_probability_of_the_number_alone():
    reading = read_in(transcript("MAERSK CSQU3054383 22G1", 0.9))
    assert reading.confidence == pytest.approx(0.9**11)
    assert (reading.status, reading.reason) == ("review", "confidence below 0.4")
    assert read_in(transcript("MAERSK CSQU3054383 22G1", 0.9), review_below=0.3).is_ok


def test_a_number_that_does_not_check_gives_way_to_the_likeliest_valid_one_and_says_so():
    reading = read_in(transcript("CSQU 305438 4", CSQU3054383=0.2, HLXU2008419=0.01))
    assert (reading.number, reading.status, reading.confidence) == (NUMBER, "review", 0.2)
    assert reading.reason == "the text has CSQU 305438 4"
    assert reading.alternatives == ((NUMBER, 0.2), (OTHER, 0.01))
    unlikely = read_in(transcript("CSQU 305438 4", 1.0, CSQU3054383=UNLIKELY / 2))
    assert unlikely.number == "CSQU 305438 4"


def test_a_number_that_the_model_could_hardly_have_written_is_not_invented():
    assert read_in(transcript("MAX GROSS", CSQU3054383=1e-6)).status == "none"
    reading = read_in(transcript("MAX GROSS", CSQU3054383=0.3))
    assert (reading.number, reading.reason) == (NUMBER, "the text has no number")


def test_a_rival_that_is_nearly_as_likely_is_named():
    reading = read_in(transcript(NUMBER, 0.96, CSQU3054383=0.6, HLXU2008419=0.35))
    assert (reading.number, reading.status) == (NUMBER, "review")
    assert reading.reason == f"nearly as likely: {OTHER}"


def test_a_known_owner_is_preferred_and_an_unknown_one_is_for_review():
    text = transcript(NUMBER, 0.97, CSQU3054383=0.7, HLXU2008419=0.2, MEDU6246078=0.001)
    assert read_in(text, owner_codes={"CSQU"}).is_ok
    preferred = read_in(text, owner_codes={"HLXU"})
    assert (preferred.number, preferred.status) == (OTHER, "review")
    assert preferred.reason == "owner code CSQU is not in the list, HLXU is"
    unknown = read_in(text, owner_codes={"MEDU"})
    assert (unknown.number, unknown.reason) == (NUMBER, "owner code CSQU is not in the list")


def test_an_unknown_owner_does_not_hide_another_doubt():
    several = read_in(transcript(f"{NUMBER} {OTHER}"), owner_codes={"MEDU"})
    assert several.reason.startswith("several containers: ")
    assert several.reason.endswith("is not in the list")
    changed = read_in(transcript("CSQU 305438 4", CSQU3054383=0.2), owner_codes={"MEDU"})
    assert changed.reason.startswith("the text has CSQU 305438 4; owner code CSQU ")


TEXTS = st.one_of(
    st.text(),
    st.text("CSQU305438HLX2019 \n-"),
    st.lists(st.sampled_from([NUMBER, OTHER, "22G1"])).map(" ".join),
)


@given(
    text=TEXTS,
    weights=st.lists(st.floats(0, 1), max_size=BEAMS),
    owners=st.sets(st.sampled_from(["CSQU", "HLXU"])),
)
def test_whatever_is_written_an_invalid_number_is_never_ok(text, weights, owners):
    numbers = dict(zip(map(compact, some_numbers(BEAMS)), weights))
    reading = read_in(transcript(text, 1.0, **numbers), owner_codes=owners)
    assert reading.status in ("ok", "review", "none")
    assert reading.is_ok <= (reading.is_valid and iso6346.is_valid(compact(reading.number)))
    assert (reading.number is None) == (reading.status == "none")
    assert bool(reading.reason) == (reading.status == "review")
    assert not reading.is_ok or not owners or reading.owner_code in owners


def test_the_parts_of_a_reading_are_those_of_the_number():
    reading = read_in(transcript(NUMBER))
    parts = reading.owner_code, reading.serial_number, reading.check_digit
    assert parts == ("CSQU", "305438", "3")


def test_of_several_looks_at_a_place_the_number_is_the_one_that_they_are_surest_of_together():
    looks = [
        hypothesis_of(transcript(f"{OTHER} 22G1", 0.9, HLXU2008419=0.12)),
        hypothesis_of(transcript(NUMBER, 0.9, CSQU3054383=0.1, HLXU2008419=0.01)),
        hypothesis_of(transcript(NUMBER, 0.9, CSQU3054383=0.1)),
    ]
    lone = [replace(look, confidence=dict(look.alternatives)[look.number]) for look in looks]
    lead, reading = merge([lone])
    assert reading.number == NUMBER
    assert lead in (1, 2)
    chances = dict(reading.alternatives)
    assert chances[NUMBER] == reading.confidence == pytest.approx(0.2 / 3)
    assert chances[OTHER] == pytest.approx(0.13 / 3)
    assert "nearly as likely" in reading_of(reading, 0.0).reason


def test_the_place_counts_that_is_surest_of_a_number():
    def look(text: str, p: float):
        return replace(hypothesis_of(transcript(text)), confidence=p, alternatives=())

    here, there = [look(NUMBER, 0.5), look(NUMBER, 0.3)], [look(OTHER, 0.9), look(NUMBER, 0.2)]
    lead, reading = merge([here, there])
    assert (lead, reading.number) == (2, OTHER)
    assert dict(reading.alternatives) == pytest.approx({OTHER: 0.45, NUMBER: 0.4})


def test_a_number_that_no_look_chose_can_be_the_likeliest_of_all_looks():
    looks = [
        hypothesis_of(transcript(OTHER, 0.5, HLXU2008419=0.2, CSQU3054383=0.19)),
        hypothesis_of(transcript("MSKU 000000 6", 0.5, MSKU0000006=0.21, CSQU3054383=0.2)),
    ]
    lone = [replace(look, confidence=dict(look.alternatives)[look.number]) for look in looks]
    _, reading = merge([lone])
    assert reading.number == NUMBER
    assert reading.confidence == pytest.approx((0.19 + 0.2) / 2)
    assert reading.reason == "the text has MSKU 000000 6"


def test_looks_together_prefer_a_known_owner_unless_it_is_unlikely():
    unknown = replace(hypothesis_of(transcript("GSQU 305438 7"), ["CSQU"]), confidence=0.5)
    assert "GSQU is not in the list" in unknown.reason
    for p, number in ((0.1, NUMBER), (0.04, unknown.number)):
        other = replace(hypothesis_of(transcript(NUMBER), ["CSQU"]), confidence=p)
        _, reading = merge([[unknown], [other]], ["CSQU"])
        assert reading.number == number
        assert reading.confidence == pytest.approx(p if number == NUMBER else 0.5)
        assert merge([[unknown], [other]])[1].number == unknown.number


def test_a_number_in_no_text_that_all_looks_together_find_unlikely_is_none():
    for text, p, status in (
        ("CSQU 305438 4", 0.004, "none"),
        ("CSQU 305438 4", 0.006, "review"),
        (NUMBER, 0.0001, "review"),
    ):
        look = replace(
            hypothesis_of(transcript(text, CSQU3054383=0.9)), confidence=p, alternatives=()
        )
        reading = reading_of(merge([[look] * 2])[1], 0.5)
        assert (reading.status, bool(reading.reason)) == (status, status == "review")
        assert (reading.number is None) == (status == "none")


def test_one_look_merged_is_that_look():
    for text in (NUMBER, "CSQU 305438 4", "CSQU 305438", "22G1", f"{NUMBER} {OTHER}"):
        written = transcript(text, 0.99, CSQU3054383=0.95)
        assert reading_of(merge([[hypothesis_of(written)]])[1], 0.5) == read_in(written, 0.5)


def test_the_least_probability_of_a_look_is_not_lost():
    """If it were 0, any number of a known owner would do as well."""
    look = replace(hypothesis_of(transcript("GSQU 305438 7")), confidence=1e-20, alternatives=())
    never = replace(hypothesis_of(transcript(NUMBER)), confidence=0.0, alternatives=())
    assert merge([[look]])[1].confidence == 1e-20
    assert merge([[look] * 3], ["CSQU"])[1].confidence == pytest.approx(1e-20)
    assert merge([[look], [never]], ["CSQU"])[1].number == "GSQU 305438 7"


def test_a_doubt_of_one_look_gives_way_where_another_has_none():
    doubtful = hypothesis_of(transcript("CSQU 305438 4", 0.9, CSQU3054383=0.7))
    clear = hypothesis_of(transcript(NUMBER, 0.97, CSQU3054383=0.6))
    assert reading_of(merge([[doubtful]])[1], 0.5).status == "review"
    assert reading_of(merge([[doubtful], [clear]])[1], 0.5).is_ok
