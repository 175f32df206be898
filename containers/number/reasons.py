"""Why a reading is doubtful: a code, what it is about, and the words for it in each language."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ENGLISH, KOREAN = "en", "ko"
SEVERAL = "several"  # the one that no nearer look takes away
WAS, WAS_NONE = "was", "was none"  # what the model had read, before a person has checked it
UNREAD = "unread"  # the person could not read it either
OTHER = "other"  # what no code stands for, as why a file does not open: the detail says it all
WORDS = {
    ENGLISH: {
        SEVERAL: "several containers: {}",
        "check digit missing": "check digit not read",
        "check digit wrong": "check digit does not fit",
        "apart": "its parts stand apart or out of order",
        "no text": "the text has no number",
        "text": "the text has {}",
        "owner": "owner code {} is not in the list",
        "owner for another": "owner code {} is not in the list, {} is",
        "rivals": "nearly as likely: {}",
        "unsure": "confidence below {}",
        "finder": "the small model reads {}",
        "views": "other views of {} show {}",
        WAS: "was {}",
        WAS_NONE: "was no number",
        UNREAD: "cannot be read",
        OTHER: "{}",
    },
    KOREAN: {
        SEVERAL: "컨테이너가 여럿: {}",
        "check digit missing": "체크 디지트를 읽지 못함",
        "check digit wrong": "체크 디지트가 맞지 않음",
        "apart": "번호의 부분들이 떨어져 있거나 순서가 다름",
        "no text": "글에 번호가 없음",
        "text": "글에는 {}",
        "owner": "소유자 코드 {}: 목록에 없음",
        "owner for another": "소유자 코드 {}: 목록에 없음, {}: 있음",
        "rivals": "비슷하게 가능한 번호: {}",
        "unsure": "신뢰도 {} 미만",
        "finder": "작은 모델이 읽은 번호: {}",
        "views": "{}의 다른 사진에는 {}",
        WAS: "모델이 읽은 번호: {}",
        WAS_NONE: "모델은 번호를 찾지 못함",
        UNREAD: "사람도 읽을 수 없음",
        OTHER: "{}",
    },
}
LANGUAGES = tuple(WORDS)
SEPARATOR = "; "


@dataclass(frozen=True, slots=True)
class Reason:
    """One doubt: its code, a key of WORDS, and the details that its words name, in their order."""

    code: str
    details: tuple[str, ...] = ()

    def words(self, language: str = ENGLISH) -> str:
        """Return the doubt in words."""
        return WORDS[language][self.code].format(*self.details)

    def kind(self, language: str = ENGLISH) -> str:
        """Return the words for all doubts of this code, with `...` where they differ."""
        return WORDS[language][self.code].format(*["..."] * len(self.details))


def in_words(reasons: Iterable[Reason], language: str = ENGLISH) -> str:
    """Return doubts in words, one after another; empty: there is none."""
    return SEPARATOR.join(reason.words(language) for reason in reasons)


def parse_reasons(text: str) -> tuple[Reason, ...]:
    """Return the doubts that a text by `in_words`, in English, holds."""
    return tuple(map(parse_reason, filter(None, text.split(SEPARATOR))))


def parse_reason(text: str) -> Reason:
    """Return the doubt that stands in words; what nobody here has written is OTHER."""
    for code, pattern in PATTERNS.items():
        if found := pattern.fullmatch(text):
            return Reason(code, found.groups())
    return Reason(OTHER, (text,))


def pattern_of(words: str) -> re.Pattern[str]:
    """Return the pattern of a doubt's words, with a group for each detail."""
    return re.compile("(.+)".join(map(re.escape, words.split("{}"))))


PATTERNS = {  # the longer words first: they begin like the shorter
    code: pattern_of(words)
    for code, words in sorted(WORDS[ENGLISH].items(), key=lambda item: -len(item[1]))
    if code != OTHER
}
