"""Tests of ISO 6346, against python-stdnum."""

import pytest
from conftest import CODES
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iso6346

from containers.number.iso6346 import check_digit, format_number, is_valid, split_number

VALID = [
    *("CSQU3054383", "HLXU2008419", "TGHU7599330", "ECMU4657496", "MEDU6246078", "YMLU2809976"),
    *("MRKU0046221", "EMCU3811879", "OOLU8643084", "HJCU1922713", "APZU3789870", "TEMU1002030"),
    *("DFSU1704420", "CMAU2221480", "SEGU5060260", "FCIU8939320"),
]


INVALID = [
    *("OOLU1922713", "HJCU1922413", "ECMJ4657496", "TBJA7176445", "AFFU5962593", "CSQU3054384"),
]


@pytest.mark.parametrize("number", VALID)
def test_known_numbers_are_valid(number):
    assert is_valid(number)
    assert iso6346.is_valid(number)
    assert check_digit(number) == number[10]


@pytest.mark.parametrize(
    "number", [*INVALID, "", "CSQU305438", "ECMR4657496", "CSQU30543831", None, 3]
)
def test_what_is_no_container_number_is_not_valid(number):
    assert not is_valid(number)


@pytest.mark.parametrize(
    "typed", ["csqu 305438 3", "CSQU-305438-3", " CSQU3054383\n", "ＣＳＱＵ３０５４３８３"]
)
def test_spaces_dashes_case_and_full_width_letters_do_not_matter(typed):
    assert is_valid(typed)


@given(CODES)
def test_check_digit_agrees_with_stdnum(code):
    assert check_digit(code) == iso6346.calc_check_digit(code)


@given(CODES, st.sampled_from("0123456789"))
def test_validity_agrees_with_stdnum(code, digit):
    assert is_valid(code + digit) == iso6346.is_valid(code + digit)


@pytest.mark.parametrize(
    "code", ["", "CSQU", "CSQU30543", "CSQA305438", "___U123456", "3054383CSQU"]
)
def test_check_digit_of_something_else_is_a_value_error(code):
    with pytest.raises(ValueError, match="owner code"):
        check_digit(code)


def test_a_number_is_formatted_as_painted():
    assert format_number("csqu3054383") == "CSQU 305438 3"
    assert split_number("CSQU 305438 3") == ("CSQU", "305438", "3")
