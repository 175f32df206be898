"""Tests of annotations.json while its page is open."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import NUMBER, OTHER, ROOT, draw_photo, some_numbers, write_annotations
from hypothesis import given
from hypothesis import strategies as st

from containers.basis.errors import UserError
from containers.basis.locks import only_writer
from containers.data.book import OutdatedError
from containers.data.label_book import LabelBook, answered
from containers.data.labels import check_labels, label_of

TODO = dict.fromkeys(("container_number", "owner_code", "serial_number", "check_digit"), "TODO")
WHOLE = {"owner_code": "CSQU", "serial_number": "305438", "check_digit": "3"}


@pytest.fixture
def book(here):
    """Return the book of two photos that wait for a label."""
    write_annotations(here / "annotations.json", {"image/a.jpg": "TODO", "image/b.jpg": "TODO"})
    book = LabelBook(Path("annotations.json"))
    book.read()
    return book


def saved() -> list[dict]:
    """Return the entries of the file."""
    return json.loads(Path("annotations.json").read_text(encoding="utf-8"))["images"]


def answer(book, place: int, number: str, unreadable: bool = False) -> None:
    """Answer for the photo at a place as the page does that has just read it."""
    book.read()
    photo = book.photos[place]
    book.answer(photo["key"], number, unreadable, photo["stamp"])


@pytest.mark.parametrize(
    ("number", "filled"),
    [
        ("csqu305438-3", {"container_number": NUMBER, **WHOLE}),
        ("CSQU 305438", {**TODO, "container_number": "CSQU 305438"}),
        ("CSQU 30543 3", {**TODO, "container_number": "CSQU 30543 3"}),
        ("", TODO),
        ("todo", TODO),
    ],
)
def test_an_answer_fills_the_parts_that_it_has(number, filled):
    entry = {"note": 1, "image_path": "a.jpg", **WHOLE, "unreadable": True, "suggestion": {}}
    assert answered(entry, number, False) == {
        "note": 1, "image_path": "a.jpg", "suggestion": {}, **filled
    }  # fmt: skip
    assert list(answered(entry, number, False))[:2] == ["note", "image_path"]


@pytest.mark.parametrize("number", ["HELLO", "AB", "CSQU 30543", "CSQU 305438 34", "CSQ 305438 3"])
def test_what_cannot_be_a_number_is_no_answer(number):
    with pytest.raises(UserError, match="cannot be a number"):
        answered({"image_path": "a.jpg"}, number, False)


@given(st.text(max_size=50))
def test_whatever_is_answered_is_read_back_by_prepare_or_refused(number):
    try:
        entry = answered({"image_path": "a.jpg"}, number, False)
    except UserError:
        return
    assert label_of(entry) == label_of({"container_number": number})


def test_cannot_be_read_is_counted_apart_and_gives_way_to_a_label(book):
    answer(book, 0, "", unreadable=True)
    assert saved()[0] == {"image_path": "image/a.jpg", **TODO, "unreadable": True}
    labels = check_labels(saved(), Path(), strict=False)
    assert (labels.unreadable, labels.todo) == (1, 1)
    book.read()
    assert (book.done, book.photos[0]["unreadable"]) == (1, True)
    answer(book, 0, NUMBER)
    assert saved()[0] == {"image_path": "image/a.jpg", "container_number": NUMBER, **WHOLE}


def test_an_answer_to_what_has_changed_by_hand_is_refused_and_any_other_is_added(book):
    photo = book.photos[0]
    entries = saved()
    entries[0]["note"] = "by hand"
    Path("annotations.json").write_text(json.dumps({"images": entries, "x": 1}))
    book.answer(photo["key"], NUMBER, False, photo["stamp"])
    assert saved()[0]["note"] == "by hand"
    with pytest.raises(OutdatedError):
        book.answer(photo["key"], OTHER, False, photo["stamp"])
    assert saved()[0]["container_number"] == NUMBER
    assert json.loads(Path("annotations.json").read_text())["x"] == 1


def test_a_photo_keeps_its_key_when_entries_are_added_and_moved(book):
    keys = {photo["name"]: photo["key"] for photo in book.photos}
    entries = [{"image_path": "image/new.jpg"}, *reversed(saved()), saved()[0]]
    Path("annotations.json").write_text(json.dumps({"images": entries}))
    book.read()
    assert len({photo["key"] for photo in book.photos}) == 4, "listed twice: two answers"
    assert [p["name"] for p in book.photos if p["key"] in keys.values()] == [
        "image/b.jpg",
        "image/a.jpg",
    ]


def test_a_photo_that_was_taken_out_by_hand_is_not_put_back(book):
    Path("annotations.json").write_text(json.dumps({"images": saved()[1:]}))
    photo = book.photos[0]
    with pytest.raises(UserError, match="no longer stands in annotations"):
        book.answer(photo["key"], NUMBER, False, photo["stamp"])
    assert len(saved()) == 1


def test_suggestions_are_kept_beside_what_is_labelled_meanwhile(book):
    suggestion = {"container_number": OTHER, "status": "ok", "confidence": 0.9}
    keys = [photo["key"] for photo in book.photos]
    answer(book, 0, NUMBER)
    book.suggest({keys[0]: suggestion, keys[1]: suggestion, "gone": suggestion})
    assert [entry["container_number"] for entry in saved()] == [NUMBER, "TODO"]
    assert [entry["suggestion"] for entry in saved()] == [suggestion] * 2
    book.read()
    assert [photo["doubtful"] for photo in book.photos] == [True, False], "the label is another"


def test_who_writes_the_file_meanwhile_is_waited_for_and_then_named(book, monkeypatch):
    monkeypatch.setattr("containers.data.label_book.PATIENCE", 0.1)
    with only_writer("annotations.json"), pytest.raises(UserError, match="is being written by"):
        answer(book, 0, NUMBER)
    answer(book, 0, NUMBER)


PAGE = """
import sys
from pathlib import Path
from containers.data.label_book import LabelBook
share, *numbers = sys.argv[1:]
book = LabelBook(Path("annotations.json"))
for place in range(int(share), len(numbers), 2):
    book.read()
    photo = book.photos[place]
    book.answer(photo["key"], numbers[place], False, photo["stamp"])
"""


def test_two_pages_on_one_file_lose_no_label(here):
    numbers = some_numbers(40)
    labels = {f"image/{place:03}.jpg": "TODO" for place in range(40)}
    write_annotations(here / "annotations.json", labels)
    there = {"env": os.environ | {"PYTHONPATH": str(ROOT)}}
    pages = [
        subprocess.Popen([sys.executable, "-c", PAGE, share, *numbers], **there) for share in "01"
    ]
    assert [page.wait(60) for page in pages] == [0, 0]
    assert [entry["container_number"] for entry in saved()] == numbers
    assert {path.name for path in here.iterdir()} == {"annotations.json", "annotations.json.bak"}


def test_a_photo_beside_the_file_is_found(here):
    draw_photo(here / "job/a.jpg", "")
    write_annotations(here / "job/annotations.json", {"a.jpg": "TODO"})
    book = LabelBook(Path("job/annotations.json"))
    book.read()
    assert book.find(book.photos[0]["key"]) == Path("job/a.jpg")
    assert book.find("a.jpg") is None


def test_answers_over_which_an_older_file_is_saved_are_known_and_given_again(book, capsys):
    older = Path("annotations.json").read_bytes()
    answer(book, 0, OTHER)
    answer(book, 0, NUMBER)
    answer(book, 1, "", True)
    book.read()
    assert not book.lost
    Path("annotations.json").write_bytes(older)
    book.read()
    assert len(book.lost) == 2
    assert book.give_again() == 2
    assert [entry["container_number"] for entry in saved()] == [NUMBER, "TODO"]
    assert saved()[1]["unreadable"] is True
    book.read()
    assert not book.lost
    assert book.give_again() == 0
    write_annotations(Path("annotations.json"), {"image/a.jpg": OTHER, "image/b.jpg": OTHER})
    book.read()
    assert not book.lost, "what somebody has written since is no answer lost"


def test_the_labels_of_the_morning_are_kept_once_a_day_and_no_file_of_others_is_replaced(
    book, capsys
):
    backup, morning = Path("annotations.json.bak"), Path("annotations.json").read_bytes()
    Path("annotations.json").chmod(0o600)
    answer(book, 0, NUMBER)
    answer(book, 1, OTHER)
    assert backup.read_bytes() == morning
    assert backup.stat().st_mode & 0o777 == 0o600
    evening = Path("annotations.json").read_bytes()
    os.utime(backup, (0, 0))  # a day long ago
    answer(book, 1, NUMBER)
    assert backup.read_bytes() == evening
    backup.write_text("my own notes")
    os.utime(backup, (0, 0))
    answer(book, 1, OTHER)
    assert backup.read_text() == "my own notes"
    assert "annotations.json.bak holds no labels and stays as it is" in capsys.readouterr().err
