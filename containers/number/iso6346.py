"""ISO 6346: how a container number is made, written, checked, and found in free text."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# The position of a character in this string is its value; 11, 22 and 33 are skipped.
ALPHABET = "0123456789A BCDEFGHIJK LMNOPQRSTU VWXYZ"
OWNER_CODE = re.compile("[A-Z]{3}[UJZ]")
NUMBER = re.compile(OWNER_CODE.pattern + "[0-9]{7}")
LIKE_A_NUMBER = re.compile("[A-Z]{4}[0-9]{7}")  # painted so by somebody who knew no better
MAY_BE_PAINTED = re.compile("[A-Z]{4}[0-9]{6,7}")  # the same, or its check digit is not painted
PAINTED = "AAAU 000000 0"  # what stands at each position of a number as it is painted
KINDS = {"A": ALPHABET[10:].replace(" ", ""), "U": "UJZ", "0": ALPHABET[:10], " ": " "}
BETWEEN = re.compile(r"[\s\-_\u2010-\u2015\u2212]")  # its parts: spaces and dashes
MAX_GAP = 6  # words of other text tolerated inside a number that checks
# Words of digits that are no part of a number: phone numbers, weights, size-type codes, 30480KGS.
OTHER_DIGITS = re.compile(
    r"(?<![A-Z0-9])(?:\+?[0-9]{1,4}(?:-[0-9]{2,4}){2,}"
    r"|(?:TEL|CALL|PHONE|FAX)[^A-Z0-9]*[0-9][0-9 ()+-]*"
    r"|[0-9]{1,5}(?:[.,:/'\"][0-9]+)+[A-Z]*"
    r"|[1-9LM][0-9A-Z][A-Z][0-9]|[0-9]{1,5}[A-Z]+)(?![A-Z0-9])"
)


def ascii_upper(text: str) -> str:
    """Return `text` in upper case with full-width forms made plain, of the same length."""
    if text.isascii():  # as nearly all are; the other way takes a hundred times as long
        return text.upper()
    plain = (unicodedata.normalize("NFKC", character).upper() for character in text)
    return "".join(new if len(new) == 1 else old for old, new in zip(text, plain))


def compact(text: str) -> str:
    """Return a number without spaces and dashes, in upper case: `csqu 305438-3` → `CSQU3054383`."""
    return BETWEEN.sub("", ascii_upper(text))


def check_digit(number: str) -> str:
    """Return the check digit that the first ten characters of `number` ask for, by ISO 6346.

    That is their sum, see `weigh`, mod 11; 10 becomes 0. Raises ValueError where the ten are not
    three letters, one of U, J, Z, and six digits.
    """
    code = compact(number)[:10]
    if not NUMBER.fullmatch(code + "0"):
        raise ValueError(f"{number!r} does not begin with an owner code and six digits")
    return str(weigh(format_number(code)) % 11 % 10)


def weigh(text: str, start: int = 0) -> int:
    """Return what characters of a painted number, from position `start` on, add to its sum.

    Each counts its value times 2^position by ISO 6346; the space and the check digit nothing.
    """
    counted = enumerate(text[: len(PAINTED) - 1 - start], start)
    return sum(ALPHABET.index(c) << i - (i > 4) for i, c in counted if c != " ")


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


@dataclass(frozen=True)
class Candidate:
    """A number in a text: ten characters (check digit missing) or eleven, and where they stand.

    `gap` counts the words of other text inside it, and one more if its parts are out of order;
    `start` and `end` are indices into the text.
    """

    number: str
    gap: int
    start: int
    end: int

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        """Return the sort key, best first: checks, is whole, is in one piece, comes early."""
        return not is_valid(self.number), len(self.number) < 11, self.gap, self.start


@functools.cache
def number_patterns() -> list[tuple[bool, re.Pattern[str]]]:
    """Return (doubtful, pattern) for each way in which OCR leaves the pieces of a number."""
    owner = r"(?P<owner>[A-Z] *[A-Z] *[A-Z] *[UJZ])"
    serial = r"(?<![0-9])(?P<serial>[0-9](?: *[0-9]){5})"
    digit = r"(?P<digit>[0-9])"
    words, whole_word = r"(?: +[^ ]+){%d} +", r"(?P<serial>[0-9]{6})"
    ways = [
        (False, rf"{owner} *{serial}(?: *{digit})?(?![0-9])"),
        # a size-type code stands between
        (False, rf"{owner}(?: +~+)+ +{whole_word}(?: *{digit})?(?![0-9])"),
        (True, rf"{owner} *{serial}{digit}(?=[0-9])"),  # the size-type code is glued on
        (True, rf"(?<![A-Z]){serial} *{digit} +{owner}"),  # read out of order
    ]
    for before in range(MAX_GAP + 1):
        apart = owner + words % before + serial
        ways.append((True, rf"{apart} *{digit}(?![0-9])"))
        for after in range(1, MAX_GAP - 1):
            ways.append((True, apart + words % after + rf"{digit}(?![^ ])"))
    return [(doubtful, re.compile(f"(?={way})")) for doubtful, way in ways]


def find_candidates(text: str) -> list[Candidate]:
    """Return the best candidate for each owner code in `text`, best first.

    Where other text stands inside a number or touches it, only one that checks is believed; and
    where six digits follow the owner code directly, no others are believed to be its serial.
    """
    plain = OTHER_DIGITS.sub(lambda word: "~" * len(word[0]), ascii_upper(text))
    plain = re.sub(r"[^A-Z0-9~]", " ", plain)
    best: dict[int, Candidate] = {}
    for doubtful, pattern in number_patterns():
        for match in pattern.finditer(plain):
            candidate, start = candidate_of(match), match.start("owner")
            glued = plain[start - 1 : start].isalpha()  # MAERSKMSKU: lines run together
            pieces = len(match["owner"].split())
            if (glued and pieces > 1) or (candidate.gap and 1 < pieces < 4):
                continue  # letters of several words
            inside = plain[candidate.start : candidate.end]
            if (doubtful or (glued and " " in inside)) and not is_valid(candidate.number):
                continue
            known = best.setdefault(start, candidate)
            if known.gap or known.number[:10] == candidate.number[:10]:
                best[start] = min(known, candidate, key=lambda c: c.rank)
    return rank_candidates(best.values())


def candidate_of(match: re.Match[str]) -> Candidate:
    """Return the candidate that one of the `number_patterns` has found."""
    parts = [part for part in ("owner", "serial", "digit") if match[part]]
    starts, ends = [match.start(part) for part in parts], [match.end(part) for part in parts]
    number = compact("".join(match[part] for part in parts))
    before, after = match.string[ends[0] : starts[1]], match.string[ends[1] : starts[-1]]
    words = before.replace("~", " ").split() + after.split()  # a size-type code may stand before
    return Candidate(number, len(words) + (starts != sorted(starts)), min(starts), max(ends))


def rank_candidates(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return each number once, best first; what stands more often leads among equals."""
    best: dict[str, Candidate] = {}
    times = Counter(candidate.number for candidate in candidates)
    for candidate in sorted(candidates, key=lambda c: c.rank):
        best.setdefault(candidate.number, candidate)
    whole = {number[:10] for number in best if len(number) == 11}
    kept = [c for c in best.values() if len(c.number) == 11 or c.number not in whole]
    return sorted(kept, key=lambda c: (*c.rank[:2], -times[c.number], *c.rank[2:]))


def find_numbers(text: str) -> list[str]:
    """Return the container numbers in free text, compact, best first: a valid check digit leads.

    Owner code, serial and check digit may stand in pieces, on several lines, boxed or with other
    text between. Size-type codes, weights and phone numbers are passed over; nothing is repaired.
    """
    return [c.number for c in find_candidates(text) if len(c.number) == 11]
