"""Tests of numbers in free text."""

import pytest
from conftest import CODES
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iso6346

from containers.number.iso6346 import (
    check_digit,
    find_candidates,
    find_numbers,
    is_valid,
    split_number,
)

NOISE = {
    "MAERSK MSKU 123456 5 45G1": ["MSKU1234565"],
    "CSQU3054383": ["CSQU3054383"],
    "csqu 305438-3": ["CSQU3054383"],
    "CSQU\n305438\n3": ["CSQU3054383"],
    "CSQU 305438 [3]": ["CSQU3054383"],
    "CSQU 305438 |3|": ["CSQU3054383"],
    "CSQU 305438\n□3□ 22G1": ["CSQU3054383"],
    "CSQU.305438.3": ["CSQU3054383"],
    "CSQU 305 438 3": ["CSQU3054383"],
    "CSQU\n22G1\n305438\n3": ["CSQU3054383"],
    "CSQU\n305438\n22G1\nTARE 2.200KGS\n3": ["CSQU3054383"],
    "C S Q U 3 0 5 4 3 8 3": ["CSQU3054383"],  # painted from top to bottom
    "C\nS\nQ\nU\n3\n0\n5\n4\n3\n8\n3": ["CSQU3054383"],
    "K\nKM\nBU\n20351\n1\n3\nKAMBARA": ["KMBU2035113"],
    "MAERSKCSQU305438345G1MAX.GROSS": ["CSQU3054383"],  # lines run together
    "305438 3\nCSQU\n22G1": ["CSQU3054383"],  # read out of order
    "CSQU3054383 CSQU3054383": ["CSQU3054383"],
    "HLXU2008414 CSQU3054383": ["CSQU3054383", "HLXU2008414"],  # the one that checks leads
    "HLXU2008419 CSQU3054383 TGHU7599330": ["HLXU2008419", "CSQU3054383", "TGHU7599330"],
    "HLXU2008419 CSQU3054383 CSQU 305438 3": ["CSQU3054383", "HLXU2008419"],  # stands twice
    "CSQU 305438 4": ["CSQU3054384"],  # painted wrong or read wrong: shown, not repaired
    "CSQU 305438": [],  # a check digit is never computed
    "CSQU 305438 22G1": [],
    "CSQU 3O5438 3": [],  # letter O: not repaired
    "22G1 45R1 L5G1": [],
    "MAX GROSS 30480 KGS 67.200 LBS": [],
    "CALL MENU +49 40 1234567890": [],
    "TARE 2.200 KGS NET 28.280": [],
    "ЖМСК 3054383": [],
    "CSQU\n22G1\n305438\n4": ["CSQU3054384"],
    "CSQU 305438 4\nTEL 02-470-7590": ["CSQU3054384"],  # the phone number would check
    "CSQU 305438\nTEL 02-470-7590": [],
    "CSQU 305438 4 THEN 470759 0": ["CSQU3054384"],  # its own digits, or none
    "THANK YOU 010-6439-6450": [],
    "CALL YOU 1-800-791-5920": [],
    "PHONE EU 555 123 4567": [],
    "TARE 0139 KG CU CAP 63 388 2108 CU FT": [],
    "": [],
}


@pytest.mark.parametrize("text", NOISE)
def test_numbers_are_found_in_noise(text):
    assert find_numbers(text) == NOISE[text]


def test_a_number_without_its_check_digit_is_kept_for_review_only():
    assert find_numbers("CSQU 305438") == []
    assert [c.number for c in find_candidates("CSQU 305438")] == ["CSQU305438"]


def test_a_candidate_tells_where_it_stands():
    text = "MAERSK ★ CSQU 305438 [3] 22G1"
    (found,) = find_candidates(text)
    assert text[found.start : found.end] == "CSQU 305438 [3"


@given(st.text(max_size=60))
def test_no_text_at_all_is_a_traceback(text):
    assert all(len(number) == 11 for number in find_numbers(text))


PIECES = ["CSQU", "HLXU", "305438", "200841", "3", "9", "22G1", "TARE", "\n", "-", "[", "]", "KM"]


@settings(max_examples=500)
@given(st.lists(st.sampled_from(PIECES), min_size=3, max_size=9))
def test_the_parts_of_every_number_stand_in_the_text(pieces):
    found = find_numbers(" ".join(["CSQU 305438 3", *pieces]))
    assert "CSQU3054383" in found
    for number in found:
        owner, serial, digit = split_number(number)
        digits = "".join(piece for piece in ["305438", "3", *pieces] if piece.isdigit())
        assert owner in ["CSQU", *pieces]
        assert serial in digits
        assert digit in digits
        assert is_valid(number) == iso6346.is_valid(number)


@given(CODES, st.text(alphabet="ABC \n[]-", max_size=20))
def test_a_whole_number_is_found_whatever_stands_before_it(code, before):
    number = code + check_digit(code)
    assert number in find_numbers(f"{before} {number}")
