"""Tests of size-type codes: which are in the tables, and how they are found in text."""

import json
import re
from pathlib import Path

import pytest
from conftest import NUMBER, OTHER, draw_photo, read_in, some_numbers, transcript

from containers.data.comparison import Case, Label, read_labels, size_type_line
from containers.data.labels import check_labels
from containers.data.result import Result, kept, parse_record, record_of
from containers.number.review import hypothesis_of, with_size_type
from containers.number.size_type import (
    HEIGHTS,
    LENGTHS,
    TYPES,
    find_size_type,
    in_languages,
    size_type_of,
)

SAID = {  # from the brochures of carriers, which list the containers that they own
    "22G1": "20 ft, 8 ft 6 in high, general purpose",
    "45G1": "40 ft, high cube, general purpose",
    "45R1": "40 ft, high cube, refrigerated and heated",
    "L5G1": "45 ft, high cube, general purpose",
    "LEG1": "45 ft, high cube, pallet wide, general purpose",
    "42U1": "40 ft, 8 ft 6 in high, open top",
    "22P3": "20 ft, 8 ft 6 in high, flat rack, folding",
    "22T6": "20 ft, 8 ft 6 in high, tank for dangerous liquids",
    "25V0": "20 ft, high cube, ventilated",
}
FOUND = {
    "MAERSK MSKU 123456 5 45G1": "45G1",
    "CSQU 305438 3\n22 G1\nMAX GROSS 30.480 KGS": "22G1",
    "CSQU 305438 3 2 2 G 1": "22G1",
    "CSQU305438345G1": "45G1",  # glued to the number
    "CSQU\n22G1\n305438 3": "22G1",
    "CSQU\n305438\n22G1\nTARE 2.200KGS\n3": "22G1",
    "45R1 CSQU 305438 3 l5g1": "L5G1",  # behind the number rather than before it
    "22T1\nCSQU 305438 3": "22T1",
    "CSQU3054383 CSQU305438345G1": "45G1",
    "22G1": "22G1",
    "HLXU 200841 9": None,
    "CSQU 305422 G1": None,  # digits of the number
    "CSQU 305 422 G1": None,
    "CSQU 305438 3 22GI": None,  # nothing is repaired
    "CSQU 305438 3 2210": None,  # of 1984: it may be a weight
    "CSQU 305438 3 47G1 42G7 52G1 22X1": None,  # free places in the tables
    "NET 28.250KG 62.280LB CU.CAP 33.2CU.M": None,
    "": None,
}


@pytest.fixture
def labelled(here):
    """Return a function that labels a photo for each size-type code, and returns the entries."""

    def label(*codes: object) -> list[dict]:
        numbers = [NUMBER, OTHER, *some_numbers(3)]
        entries = [
            {"image_path": f"image/{place}.jpg", "container_number": number, "size_type": code}
            for place, (number, code) in enumerate(zip(numbers, codes))
        ]
        for entry in entries:
            draw_photo(Path(entry["image_path"]), entry["container_number"])
        Path("annotations.json").write_text(json.dumps({"images": entries}))
        return entries

    return label


def test_the_codes_of_carriers_say_in_words_what_they_list():
    assert {code: size_type_of(code).words for code in SAID} == SAID
    assert size_type_of("45g 1").code == "45G1"


@pytest.mark.parametrize(("text", "code"), FOUND.items())
def test_a_code_is_found_in_text_and_never_made_of_the_number(text, code):
    found = find_size_type(text)
    assert (found and found.code) == code


def test_a_reading_has_the_code_with_the_probability_of_its_own_characters_and_no_doubt():
    reading = read_in(transcript(f"{NUMBER} 45G1", 0.98))
    assert (reading.status, reading.size_type.code) == ("ok", "45G1")
    assert reading.size_type_confidence == pytest.approx(0.98**4)
    record = record_of(Result("a.jpg", kept(reading)))
    assert list(record)[-3:] == ["size_type", "size_type_words", "size_type_confidence"]
    assert (record["size_type"], record["size_type_words"]) == ("45G1", SAID["45G1"])
    assert parse_record(record).reading.size_type == reading.size_type
    assert "size_type" not in record_of(Result("a.jpg", read_in(transcript(NUMBER))))


def test_the_likeliest_code_of_the_looks_at_this_number_counts():
    looks = [
        hypothesis_of(transcript(f"{NUMBER} 45G1", 0.9)),
        hypothesis_of(transcript(f"{NUMBER} 22G1", 0.8)),
        hypothesis_of(transcript(f"{OTHER} 42G1", 0.99)),
        hypothesis_of(transcript(NUMBER)),
    ]
    seen = with_size_type(looks[-1], looks)
    assert (seen.size_type.code, seen.number) == ("45G1", NUMBER)
    assert seen.confidence == looks[-1].confidence
    nothing = hypothesis_of(transcript("22G1"))
    assert with_size_type(nothing, [nothing]).size_type is None, "no number, nothing beside it"


def test_a_label_holds_a_code_and_one_that_is_not_in_the_tables_is_a_warning(labelled):
    labels = check_labels(labelled("45 g1", "47G1", "TODO", 45, None), Path(), strict=True)
    assert not labels.errors
    assert labels.warnings == [
        f"image/{place}.jpg: size_type {code} is no code of ISO 6346 like 45G1; look again"
        for place, code in ((1, '"47G1"'), (3, "45"), (4, "null"))
    ]


def test_codes_are_compared_where_the_label_has_one(labelled):
    labelled("45g1", "22G1", "TODO")
    labels = read_labels(Path("annotations.json"))
    assert [label.size_type for label in labels.values()] == ["45G1", "22G1", ""]
    texts = f"{NUMBER} 45G1", NUMBER
    results = tuple(Result("a.jpg", read_in(transcript(text))) for text in texts)
    cases = [Case(key, results, label) for key, label in labels.items()]
    assert size_type_line(cases) == ("size type", "50.0 %", "0.0 %", "2")
    assert size_type_line([Case("a", results, Label(NUMBER))]) == ()


def test_what_the_tables_say_is_said_in_korean_too():
    assert size_type_of("45G1").words_in("ko") == "40피트, 하이 큐브, 일반 화물용"
    wide = "20피트, 높이 8피트 6인치, 팔레트 폭, 플랫 랙, 접이식"
    assert size_type_of("2CP3").words_in("ko") == wide
    for table in (LENGTHS, HEIGHTS, TYPES):
        for code, words in in_languages(table).items():
            assert words["en"] == table[code]
            assert not re.search("[a-z]{2}", words["ko"]), words
