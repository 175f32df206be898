"""Tests of a result file while it is reviewed: what stands in it after each answer."""

import json
import os
import threading
from pathlib import Path

import pytest
from conftest import NUMBER, OTHER, draw_photo, some_numbers, write_annotations

from containers.basis.errors import UserError
from containers.data.book import OutdatedError
from containers.data.comparison import describe_changes, join, read_labels
from containers.data.grouped_results import fuse_group
from containers.data.journal import Journal
from containers.data.result import Result
from containers.data.result_file import MADE_BY, Provenance
from containers.data.results import read_results, stream_results, write_results
from containers.data.review_book import ReviewBook
from containers.data.reviewed_labels import ReviewedLabels
from containers.data.runs import read_run
from containers.number.reading import Reading
from containers.number.reasons import parse_reasons

MADE = f"{MADE_BY}: model tiny"
BOX = ((8, 40), (100, 40), (100, 52), (8, 52))
WRONG = "CSQU 305438 8"
KINDS = [".txt", ".csv", ".jsonl", ".xlsx"]
LABELS = Path("annotations.json")


def row(name: str, number: str | None, status: str, reason: str = "") -> Result:
    """Return what a model has read of a photo."""
    return Result(
        f"image/{name}.jpg",
        Reading(number, parse_reasons(reason), 0.3, "some text", status=status, box=BOX),
    )


ROWS = [
    row("a", WRONG, "review", "check digit does not fit; because"),
    row("b", None, "none"),
    row("c", NUMBER, "ok"),
    row("d", None, "error", "no such file"),
]


def book_of(suffix: str = ".jsonl", labels: ReviewedLabels | None = None) -> ReviewBook:
    """Write the results and return their book."""
    write_results(Path(f"r{suffix}"), MADE, ROWS, "image")
    book = ReviewBook(Path(f"r{suffix}"), labels)
    book.read()
    return book


def answer(
    book: ReviewBook, place: int, number: str, unreadable: bool = False, size_type: str = ""
) -> bool:
    """Answer for the photo at a place as the page does that has just read it."""
    book.read()
    photo = book.photos[place]
    return book.answer(photo["key"], number, unreadable, photo["stamp"], size_type)


def labels() -> dict[str, object]:
    """Return what the labels say, by image."""
    entries = json.loads(LABELS.read_text(encoding="utf-8"))["images"]
    return {e["image_path"]: e["container_number"] for e in entries}


@pytest.mark.parametrize("suffix", KINDS)
def test_an_answer_is_in_the_file_whole_with_what_the_model_had_read(suffix, here):
    book, path = book_of(suffix), Path(f"r{suffix}")
    os.utime(path, ns=(10**18, 10**18))
    before = read_results(path)[1]
    assert answer(book, 0, "csqu3054383")
    says = Provenance()
    first, *others = [found for _, found in stream_results(path, says)]
    assert (first.reading.number, first.reading.status) == (NUMBER, "checked")
    assert first.reading.reason == f"was {WRONG}; check digit does not fit; because"
    assert first.read == (WRONG if suffix == ".jsonl" else "")
    assert others == before[1:]
    assert (says.made_by, says.count, says.problem) == (MADE, 4, "")
    beside = path if suffix in (".txt", ".jsonl") else path.with_name(f"{path.name}.run.json")
    assert "4 images: 1 ok, 0 review, 1 none, 1 error, 1 checked" in beside.read_text()
    assert path.stat().st_mtime_ns == 10**18, "by which --resume tells what has changed since"


@pytest.mark.parametrize("suffix", KINDS)
def test_an_answer_that_is_taken_back_leaves_the_file_as_the_model_had_written_it(suffix, here):
    book = book_of(suffix)
    before, was = Path(f"r{suffix}").read_bytes(), read_results(Path(f"r{suffix}"))
    for place, number in ((0, NUMBER), (1, OTHER), (2, OTHER), (0, OTHER)):
        answer(book, place, number)
    answer(book, 1, "", unreadable=True)
    assert [p["number"] for p in book.photos] == [OTHER, "", OTHER]
    for place in range(3):
        answer(book, place, "")
    assert read_results(Path(f"r{suffix}")) == was
    assert suffix == ".xlsx" or Path(f"r{suffix}").read_bytes() == before


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_table_keeps_its_columns_and_one_that_would_lose_some_is_refused(suffix, here):
    path, names = Path(f"r{suffix}"), ["status", "reason", "image", "confidence"]
    columns = [*names, "container_number", "check_digit"]
    write_results(path, MADE, ROWS, "image", columns)
    book = ReviewBook(path)
    book.read()
    answer(book, 0, NUMBER)
    assert book.columns == columns
    assert ReviewBook(path).parse().keys() == book.entries.keys()
    write_results(path, MADE, ROWS, "image", [n for n in columns if n != "reason"])
    with pytest.raises(UserError, match="no column reason"):
        ReviewBook(path).read()
    if suffix == ".csv":
        lines = Path("r.csv").read_text(encoding="utf-8-sig").splitlines()
        path.write_text("\n".join(f"{line},mine" for line in lines) + "\n")
        with pytest.raises(UserError, match="a column mine, which would be lost"):
            ReviewBook(path).read()


def test_what_cannot_be_read_is_checked_and_has_no_number(here):
    book = book_of(".txt")
    answer(book, 0, "", unreadable=True)
    fields = Path("r.txt").read_text().splitlines()[2].split("\t")
    assert fields[1] == ""
    assert fields[2] == f"checked: cannot be read; was {WRONG}; check digit does not fit; because"
    assert book.photos[0]["unreadable"]


def test_the_page_is_told_of_all_photos_that_could_be_opened_and_what_is_done(here):
    book = book_of()
    assert [p["name"] for p in book.photos] == ["image/a.jpg", "image/b.jpg", "image/c.jpg"]
    assert [p["number"] for p in book.photos] == ["", "", NUMBER]
    assert [p["doubtful"] for p in book.photos] == [True, True, False]
    assert book.photos[0]["suggestion"]["box"] == book.box(book.photos[0]["key"])
    assert book.box("x") == ()
    assert book.done == 1


def test_what_cannot_be_a_number_or_was_answered_meanwhile_changes_nothing(here):
    book = book_of()
    before = Path("r.jsonl").read_bytes()
    with pytest.raises(UserError, match="cannot be a number"):
        answer(book, 0, "HELLO")
    assert Path("r.jsonl").read_bytes() == before
    seen = book.photos[0]
    answer(book, 0, NUMBER)
    with pytest.raises(OutdatedError):
        book.answer(seen["key"], OTHER, False, seen["stamp"])
    assert read_results(Path("r.jsonl"))[1][0].reading.number == NUMBER


def test_two_who_answer_at_once_lose_nothing(here):
    numbers = some_numbers(40)
    rows = [row(f"{place:02}", None, "none") for place in range(40)]
    write_results(Path("r.jsonl"), MADE, rows, "image")
    book = ReviewBook(Path("r.jsonl"))
    book.read()
    seen = list(book.photos)

    def work(places: range) -> None:
        for place in places:
            book.answer(seen[place]["key"], numbers[place], False, seen[place]["stamp"])

    people = [threading.Thread(target=work, args=(range(n, 40, 2),)) for n in (0, 1)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert [found.reading.number for found in read_results(Path("r.jsonl"))[1]] == numbers


def test_an_older_file_saved_over_answers_is_seen_and_undone(here):
    book = book_of()
    older = Path("r.jsonl").read_bytes()
    answer(book, 0, NUMBER)
    answer(book, 1, OTHER)
    Path("older").write_bytes(older)
    Path("older").replace("r.jsonl")
    book.read()
    assert len(book.lost) == 2
    assert book.give_again() == 2
    assert [p["number"] for p in book.photos] == [NUMBER, OTHER, NUMBER]


def test_answers_become_labels_and_another_label_stays_and_is_said(here, capsys):
    for name in "abc":
        draw_photo(Path(f"image/{name}.jpg"), NUMBER)
    write_annotations(LABELS, {"image/a.jpg": "TODO", "./image/c.jpg": OTHER})
    book = book_of(labels=ReviewedLabels(LABELS))
    answer(book, 0, WRONG)
    answer(book, 0, NUMBER)  # a second thought
    answer(book, 1, OTHER)
    answer(book, 2, NUMBER)
    assert labels() == {"image/a.jpg": NUMBER, "./image/c.jpg": OTHER, "image/b.jpg": OTHER}
    said = "image/c.jpg: the label HLXU 200841 9 stays in annotations.json, not CSQU 305438 3"
    assert capsys.readouterr().err == f"warning: {said}\n"
    answer(book, 1, "", unreadable=True)
    assert json.loads(LABELS.read_text())["images"][2]["unreadable"] is True
    answer(book, 1, "")
    assert labels()["image/b.jpg"] == "TODO"
    assert "unreadable" not in json.loads(LABELS.read_text())["images"][2]


def test_a_size_type_code_becomes_part_of_the_label_once_a_person_has_typed_it(here):
    draw_photo(Path("image/a.jpg"), NUMBER)
    write_annotations(LABELS, {"image/a.jpg": "TODO"})
    book = book_of(labels=ReviewedLabels(LABELS))
    answer(book, 0, NUMBER)
    assert "size_type" not in json.loads(LABELS.read_text())["images"][0], "the model's alone"
    answer(book, 0, NUMBER, size_type="45G1")
    assert json.loads(LABELS.read_text())["images"][0]["size_type"] == "45G1"
    assert labels()["image/a.jpg"] == NUMBER


def test_what_was_reviewed_before_becomes_labels_as_well_once(here):
    book = book_of()
    answer(book, 0, NUMBER)
    answer(book, 1, "", unreadable=True)
    taken = ReviewedLabels(LABELS)  # makes the file
    taken.take([(None, found) for found in book.checked])
    assert labels() == {"image/a.jpg": NUMBER, "image/b.jpg": "TODO"}
    before = LABELS.stat().st_mtime_ns
    taken.take([(None, found) for found in book.checked])
    assert LABELS.stat().st_mtime_ns == before, "nothing new: not written"


def test_an_answer_that_cannot_be_a_label_yet_is_not_in_the_results_either(here):
    book = book_of(labels=ReviewedLabels(LABELS))
    before = Path("r.jsonl").read_bytes()
    LABELS.write_text("{")
    with pytest.raises(UserError, match=r"annotations.json, line 1"):
        answer(book, 0, NUMBER)
    assert Path("r.jsonl").read_bytes() == before


def test_resume_keeps_what_people_have_checked_and_a_run_without_it_is_refused(here):
    book = book_of(".txt")
    answer(book, 0, NUMBER)
    journal = Journal(Path("r.txt"))
    assert journal.earlier(MADE)["image/a.jpg"].is_checked
    with pytest.raises(UserError, match=r"1 answer of people, .* resume, .* output r-2.txt"):
        journal.require_unchecked()
    answer(book, 0, "")
    journal.require_unchecked()


def test_compare_counts_what_is_checked_and_says_that_people_have_read_it(here, capsys):
    write_annotations(LABELS, {"image/a.jpg": NUMBER})
    answer(book_of(".txt"), 0, NUMBER)
    write_results(Path("before.txt"), MADE, ROWS, "image")
    runs, truth = [read_run("before.txt"), read_run("r.txt")], read_labels(LABELS)
    lines = list(describe_changes(runs, join(runs, truth), "annotations.json", 1))
    assert any(line.split() == ["status", "checked", "0", "1", "1"] for line in lines)
    assert f"  image/a.jpg  {NUMBER}: {WRONG} -> {NUMBER}" in lines
    assert "r.txt holds 1 answer of people" in capsys.readouterr().err


def view(number: str | None, status: str, reason: str, *alternatives: tuple) -> Result:
    """Return one view of a container."""
    return Result(
        f"image/1_LEFT_{status}.jpg",
        Reading(number, parse_reasons(reason), 0.3, "", (), alternatives, status=status),
    )


def test_a_group_has_the_number_that_a_person_has_read_and_not_what_nobody_can():
    unsure = view(OTHER, "review", "confidence below 0.4", (OTHER, 0.3))
    checked = view(WRONG, "checked", "was no number")
    unread = view(None, "checked", f"cannot be read; was {NUMBER}", (NUMBER, 0.9))
    (fused,) = fuse_group("1", [unsure, checked, unread], 0.1)
    assert (fused.reading.number, fused.reading.status) == (WRONG, "checked")
    (fused,) = fuse_group("1", [unsure, unread], 0.1)
    assert fused.reading.number == OTHER
    both = fuse_group("1", [checked, view(NUMBER, "ok", "")], 0.1)
    assert [found.reading.status for found in both] == ["review", "review"]
