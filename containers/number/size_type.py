"""Size-type codes (45G1): how long, how high and of which type a container is, found in free text.

The tables are those of ISO 6346:1995, annexes D (size) and E (type), which leave some places free:
a code that stands on one of these is none. Not read are the codes of four digits of ISO 6346:1984
(2210), which look like weights, and what amendment 3 of 2012 has added: the letter at the end for
less strength, and tanks as K and N.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from containers.number.iso6346 import Candidate, ascii_upper, compact, find_candidates
from containers.number.reasons import KOREAN, LANGUAGES

LENGTHS = {  # annex D, first character
    **{"1": "10 ft", "2": "20 ft", "3": "30 ft", "4": "40 ft"},
    **{"A": "7.15 m", "B": "24 ft", "C": "24 ft 6 in", "D": "7.45 m", "E": "7.82 m", "F": "8.1 m"},
    **{"G": "41 ft", "H": "43 ft", "K": "13.6 m"},
    **{"L": "45 ft", "M": "48 ft", "N": "49 ft", "P": "53 ft"},
}
HEIGHTS = {  # annex D, second character: digits are 8 ft (2,438 mm) wide
    **{"0": "8 ft high", "2": "8 ft 6 in high", "4": "9 ft high", "5": "high cube"},
    **{"6": "over 9 ft 6 in high", "8": "4 ft 3 in high", "9": "at most 4 ft high"},
    # over 8 ft and up to 2.5 m wide, for two pallets side by side
    **{"C": "8 ft 6 in high, pallet wide", "D": "9 ft high, pallet wide"},
    **{"E": "high cube, pallet wide", "F": "over 9 ft 6 in high, pallet wide"},
    **{"L": "8 ft 6 in high, over 2.5 m wide", "M": "9 ft high, over 2.5 m wide"},
    **{"N": "high cube, over 2.5 m wide", "P": "over 9 ft 6 in high, over 2.5 m wide"},
}
GROUPS = {  # annex E: the third and fourth character of each group
    "G0 G1 G2 G3": "general purpose",
    "V0 V2 V4": "ventilated",
    "B0 B1": "dry bulk",
    "B3 B4 B5 B6": "dry bulk, pressurized",
    "S0": "livestock carrier",
    "S1": "automobile carrier",
    "S2": "live fish carrier",
    "R0": "refrigerated",
    "R1": "refrigerated and heated",
    "R2 R3": "refrigerated, self-powered",
    "H0 H1 H2": "refrigerated or heated, removable equipment",
    "H5 H6": "insulated",
    "U0 U1 U2 U3 U4 U5": "open top",
    "P0": "platform",
    "P1 P2": "flat rack, fixed",
    "P3 P4": "flat rack, folding",
    "P5": "platform, complete superstructure",
    "T0 T1 T2": "tank for liquids",
    "T3 T4 T5 T6": "tank for dangerous liquids",
    "T7 T8 T9": "tank for gases",
    "A0": "air/surface",
}
KOREAN_WORDS = {  # of what the tables say; lengths keep their figures
    **{"8 ft high": "높이 8피트", "8 ft 6 in high": "높이 8피트 6인치"},
    **{"9 ft high": "높이 9피트", "high cube": "하이 큐브"},
    **{"over 9 ft 6 in high": "높이 9피트 6인치 초과", "4 ft 3 in high": "높이 4피트 3인치"},
    **{"at most 4 ft high": "높이 4피트 이하", "pallet wide": "팔레트 폭"},
    **{"over 2.5 m wide": "폭 2.5 m 초과"},
    **{"general purpose": "일반 화물용", "ventilated": "통풍형", "dry bulk": "건식 벌크"},
    **{"pressurized": "가압식", "livestock carrier": "가축 운반용"},
    **{"automobile carrier": "자동차 운반용", "live fish carrier": "활어 운반용"},
    **{"refrigerated": "냉동", "refrigerated and heated": "냉동·가열"},
    **{"self-powered": "자체 동력", "refrigerated or heated": "냉동 또는 가열"},
    **{"removable equipment": "장비 분리형", "insulated": "단열", "open top": "오픈 톱"},
    **{"platform": "플랫폼", "flat rack": "플랫 랙", "fixed": "고정식", "folding": "접이식"},
    **{"complete superstructure": "상부 구조 있음", "tank for liquids": "액체 탱크"},
    **{"tank for dangerous liquids": "위험 액체 탱크", "tank for gases": "가스 탱크"},
    "air/surface": "항공·지상 겸용",
}
TYPES = {detail: words for group, words in GROUPS.items() for detail in group.split()}
FIRST, SECOND = "".join(LENGTHS), "".join(HEIGHTS)
# Whole, in two halves, or letter by letter: so OCR writes it, and a column of letters is read.
CODE = re.compile(
    rf"(?<![A-Z0-9])(?:[{FIRST}][{SECOND}]\s?[A-Z][0-9]|[{FIRST}]\s[{SECOND}]\s[A-Z]\s[0-9])"
    r"(?![A-Z0-9])"
)


@dataclass(frozen=True, slots=True)
class SizeType:
    """A size-type code, and what its characters say in words.

    `code` is `45G1`, `length` `40 ft`, `height` `high cube`, with the width where that is more than
    8 ft, and `type` `general purpose`.
    """

    code: str
    length: str
    height: str
    type: str

    @property
    def words(self) -> str:
        """Return all that it says: `40 ft, high cube, general purpose`."""
        return f"{self.length}, {self.height}, {self.type}"

    def words_in(self, language: str) -> str:
        """Return what `words` does, in one of LANGUAGES."""
        return in_language(self.words, language)


def in_language(words: str, language: str) -> str:
    """Return words of the tables in one of LANGUAGES."""
    if language != KOREAN:
        return words
    parts = (KOREAN_WORDS.get(part, part) for part in words.split(", "))
    return ", ".join(part.replace(" ft", "피트").replace(" in", "인치") for part in parts)


def in_languages(table: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return one of the tables with its words in each of LANGUAGES."""
    return {
        code: {language: in_language(words, language) for language in LANGUAGES}
        for code, words in table.items()
    }


@functools.lru_cache(maxsize=1024)  # a million rows have few, which all share
def size_type_of(code: str) -> SizeType | None:
    """Return what a size-type code says, or None where it is not in the tables of ISO 6346."""
    plain = compact(code)
    length, height, kind = plain[:1], plain[1:2], plain[2:]
    if length not in LENGTHS or height not in HEIGHTS or kind not in TYPES:
        return None
    return SizeType(plain, LENGTHS[length], HEIGHTS[height], TYPES[kind])


def find_size_type(text: str) -> SizeType | None:
    """Return the size-type code in free text, or None: the first behind the number, else before it.

    It may be written in pieces (`45 G1`) or touch the number; the number's own characters are none
    of it, and nothing is repaired.
    """
    span = locate_size_type(text, find_candidates(text))
    return size_type_of(text[slice(*span)]) if span else None


def locate_size_type(text: str, numbers: Sequence[Candidate]) -> tuple[int, int] | None:
    """Return where the size-type code stands, (start, end), in a text with these `numbers`."""
    places = list(places_of_codes(text, numbers))
    end = numbers[0].end if numbers else 0
    return min(places, key=lambda span: (span[0] < end, span), default=None)


def places_of_codes(text: str, numbers: Sequence[Candidate]) -> Iterator[tuple[int, int]]:
    """Yield where codes of the tables stand in a text, but for what is part of a number in it.

    A number of several pieces may have the code among them: there it stands as a word of its own.
    """
    plain = ascii_upper(text)
    for number in numbers:
        own = plain[number.start : number.end]
        if re.sub("[^A-Z0-9]", "", own) == number.number:
            plain = plain.replace(own, " " * len(own))
    for found in CODE.finditer(plain):
        if size_type_of(found[0]):
            yield found.span()
