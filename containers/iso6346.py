"""ISO 6346: how a container number is made, written and checked."""

from __future__ import annotations

import re
import unicodedata

# The place of a character in this string is its value; 11, 22 and 33 are skipped.
ALPHABET = "0123456789A BCDEFGHIJK LMNOPQRSTU VWXYZ"
NUMBER = re.compile(r"[A-Z]{3}[UJZ][0-9]{7}")
PAINTED = "AAAU 000000 0"  # what stands at each place of a number as it is painted
KINDS = {"A": ALPHABET[10:].replace(" ", ""), "U": "UJZ", "0": ALPHABET[:10], " ": " "}


def ascii_upper(text: str) -> str:
    """Return `text` in upper case with full-width forms made plain, of the same length."""
    plain = (unicodedata.normalize("NFKC", character).upper() for character in text)
    return "".join(new if len(new) == 1 else old for old, new in zip(text, plain))


def compact(text: str) -> str:
    """Return a number without spaces and dashes, in upper case: `csqu 305438-3` → `CSQU3054383`."""
    return re.sub(r"[\s\-_\u2010-\u2015\u2212]", "", ascii_upper(text))


def check_digit(number: str) -> str:
    """Return the check digit that the first ten characters of `number` ask for, by ISO 6346.

    Each character's value times 2^position, summed, mod 11; 10 becomes 0. Raises ValueError where
    the ten are not three letters, one of U, J, Z, and six digits.
    """
    code = compact(number)[:10]
    if not NUMBER.fullmatch(code + "0"):
        raise ValueError(f"{number!r} does not begin with an owner code and six digits")
    total = sum(ALPHABET.index(c) << place for place, c in enumerate(code))
    return str(total % 11 % 10)


def is_valid(number: object) -> bool:
    """Tell whether `number` is a whole ISO 6346 number with the right check digit."""
    code = compact(number) if isinstance(number, str) else ""
    return bool(NUMBER.fullmatch(code)) and check_digit(code) == code[10]


def split_number(number: str) -> tuple[str, str, str]:
    """Return owner code, serial number and check digit; what is missing is an empty string."""
    code = compact(number)
    return code[:4], code[4:10], code[10:]


def format_number(number: str) -> str:
    """Return a number as it is painted: `CSQU3054383` → `CSQU 305438 3`."""
    return " ".join(part for part in split_number(number) if part)
