"""The words of a report page in each language; those of doubts stand with these."""

from __future__ import annotations

from markupsafe import Markup

from containers.number.reasons import ENGLISH, KOREAN, LANGUAGES, Reason, in_words
from containers.number.size_type import SizeType

Words = dict[str, str]  # by language

WORDS: dict[str, Words] = {
    "changed": {ENGLISH: "What changed", KOREAN: "달라진 것"},
    "review": {ENGLISH: "What to review", KOREAN: "확인할 것"},
    "nothing": {ENGLISH: "There is nothing to look at.", KOREAN: "확인할 사진이 없습니다."},
    "part": {
        ENGLISH: "This page shows {0} of {1} photos to look at: of each kind the most doubtful. "
        "Counts and charts are of all.",
        KOREAN: "확인할 사진 {1}장 가운데 종류마다 가장 의심스러운 것부터 {0}장을 보여 줍니다. "
        "개수와 차트는 모든 사진의 것입니다.",
    },
    "shown": {ENGLISH: "the worst {} are shown", KOREAN: "나쁜 것부터 {}장만 표시"},
    "find": {ENGLISH: "Owner, number or file", KOREAN: "소유자, 번호, 파일"},
    "any reason": {ENGLISH: "all reasons", KOREAN: "모든 이유"},
    "worst first": {ENGLISH: "the worst first", KOREAN: "나쁜 것부터"},
    "by name": {ENGLISH: "by file", KOREAN: "파일순"},
    "by number": {ENGLISH: "by number", KOREAN: "번호순"},
    "by confidence": {ENGLISH: "by confidence", KOREAN: "신뢰도순"},
    "copy": {ENGLISH: "copy", KOREAN: "복사"},
    "copied": {ENGLISH: "copied", KOREAN: "복사됨"},
    "open": {ENGLISH: "open the photo", KOREAN: "사진 열기"},
    "no photo": {ENGLISH: "no photo", KOREAN: "사진 없음"},
    "not shown": {ENGLISH: "cannot be shown", KOREAN: "보여 줄 수 없음"},
    "read": {ENGLISH: "read", KOREAN: "읽음"},
    "before": {ENGLISH: "before", KOREAN: "전"},
    "after": {ENGLISH: "after", KOREAN: "후"},
    "label": {ENGLISH: "label", KOREAN: "라벨"},
    "or": {ENGLISH: "or", KOREAN: "또는"},
    "text": {ENGLISH: "text: {}", KOREAN: "글: {}"},
    "worse": {ENGLISH: "Worse than before", KOREAN: "전보다 나빠짐"},
    "worse note": {
        ENGLISH: "right became wrong or none, or none wrong",
        KOREAN: "맞던 것이 틀리거나 없어짐, 또는 없던 것이 틀림",
    },
    "wrong ok": {ENGLISH: "Passed as ok, and wrong", KOREAN: "ok인데 틀림"},
    "wrong ok note": {
        ENGLISH: "nobody would look at these again",
        KOREAN: "아무도 다시 보지 않을 사진",
    },
    "still wrong ok note": {
        ENGLISH: "as before, or another number; nobody would look at these again",
        KOREAN: "전과 같거나 다른 번호; 아무도 다시 보지 않을 사진",
    },
    "wrong": {ENGLISH: "Wrong", KOREAN: "틀림"},
    "wrong note": {ENGLISH: "as before, or another number", KOREAN: "전과 같거나 다른 번호"},
    "other": {ENGLISH: "Changed, without a label", KOREAN: "달라졌고 라벨 없음"},
    "other note": {ENGLISH: "nobody knows which is right", KOREAN: "어느 쪽이 맞는지 모름"},
    "better": {ENGLISH: "Better", KOREAN: "나아짐"},
    "better note": {
        ENGLISH: "wrong or none became right, or wrong none",
        KOREAN: "틀리거나 없던 것이 맞음, 또는 틀리던 것이 없어짐",
    },
    "wrong checked": {
        ENGLISH: "Checked, and not what the label says",
        KOREAN: "사람이 확인했는데 라벨과 다름",
    },
    "wrong checked note": {
        ENGLISH: "a person typed one of them wrongly",
        KOREAN: "둘 가운데 하나는 잘못 입력한 번호",
    },
    "error": {ENGLISH: "Cannot be opened", KOREAN: "열 수 없음"},
    "error note": {
        ENGLISH: "take or copy the photo again",
        KOREAN: "사진을 다시 찍거나 복사하세요",
    },
    "none": {ENGLISH: "No number", KOREAN: "번호 없음"},
    "none note": {ENGLISH: "read it from the photo", KOREAN: "사진에서 직접 읽으세요"},
    "doubtful": {ENGLISH: "To review", KOREAN: "확인 필요"},
    "doubtful note": {
        ENGLISH: "compare with the photo; the least sure first",
        KOREAN: "사진과 비교하세요; 가장 불확실한 것부터",
    },
    "statistics": {ENGLISH: "Statistics", KOREAN: "통계"},
    "measures": {ENGLISH: "Measures", KOREAN: "지표"},
    "labelled": {ENGLISH: "over {} with a label", KOREAN: "라벨이 있는 사진 {}장"},
    "parts": {ENGLISH: "Right, by part", KOREAN: "부분별로 맞은 비율"},
    "exact_match": {ENGLISH: "whole number", KOREAN: "번호 전체"},
    "owner_code": {ENGLISH: "owner code", KOREAN: "소유자 코드"},
    "serial_number": {ENGLISH: "serial number", KOREAN: "일련번호"},
    "check_digit": {ENGLISH: "check digit", KOREAN: "체크 디지트"},
    "layouts": {ENGLISH: "Right, by layout", KOREAN: "배치별로 맞은 비율"},
    "layouts note": {
        ENGLISH: "whole numbers; the layout is the label's, or as the number was seen to stand",
        KOREAN: "번호 전체; 배치는 라벨의 것, 없으면 읽힌 모양",
    },
    "confidence": {ENGLISH: "Is the confidence right?", KOREAN: "신뢰도는 맞는가?"},
    "confidence note": {
        ENGLISH: "above the line: surer than it says; a dot's area is how many numbers",
        KOREAN: "선 위: 말하는 것보다 확실함; 점의 넓이는 번호의 수",
    },
    "reasons": {ENGLISH: "Why photos are for review", KOREAN: "확인이 필요한 이유"},
    "reasons note": {ENGLISH: "share of all", KOREAN: "전체에서 차지하는 비율"},
    "x": {ENGLISH: "confidence", KOREAN: "신뢰도"},
    "y": {ENGLISH: "right", KOREAN: "맞음"},
}


def words(key: str, *details: object) -> Words:
    """Return the words for a key of WORDS, with what they name."""
    return {language: text.format(*details) for language, text in WORDS[key].items()}


def doubts(reasons: tuple[Reason, ...]) -> Words:
    """Return the words for why a reading is doubtful."""
    return {language: in_words(reasons, language) for language in LANGUAGES}


def size_in_words(size_type: SizeType) -> Words:
    """Return a size-type code and what it says."""
    return {tongue: f"{size_type.code}: {size_type.words_in(tongue)}" for tongue in LANGUAGES}


def plain(text: str) -> Words:
    """Return what is the same in every language."""
    return {ENGLISH: text}


def attributes(said: Words) -> Markup:
    """Return the words of the other languages as attributes, from which the page takes its own."""
    others = ((language, text) for language, text in said.items() if language != ENGLISH)
    return Markup(" ").join(Markup('data-{}="{}"').format(*pair) for pair in others)
