"""Tests of prepare_dataset.py --mode prepare: which labels make a data set, and what is said."""

import json
import os
from pathlib import Path

import pytest
from conftest import (
    NUMBER,
    OTHER,
    create_template,
    draw_photo,
    error_line,
    labelled,
    prepare,
    read_split,
    write_annotations,
)

import prepare_dataset


def test_every_problem_is_reported_in_one_run_and_nothing_is_written(here, capsys):
    labels = labelled(NUMBER, OTHER, NUMBER)
    path = write_annotations(here / "annotations.json", labels)
    images = json.loads(path.read_text())["images"]
    images[0]["owner_code"] = "HLXU"
    images.append({"image_path": "image/missing.jpg", "container_number": NUMBER})
    images.append({"image_path": "image/001.jpg", "container_number": NUMBER})
    images.append({"image_path": "image/number.jpg", "container_number": 3054383})
    images.append({"image_path": "image/null.jpg", "container_number": None})
    (here / "image/empty.jpg").touch()
    images.append({"image_path": "image/empty.jpg", "container_number": NUMBER})
    path.write_text(json.dumps({"images": images}))
    assert prepare() == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    expected = [
        "image/000.jpg: container_number CSQU 305438 3 contradicts owner_code HLXU",
        "image/missing.jpg: no such file",
        "image/001.jpg: listed twice: HLXU 200841 9 there, CSQU 305438 3 here",
        "image/number.jpg: container_number is 3054383: write it as text, in double quotes",
        "image/null.jpg: container_number is null: write it as text, in double quotes",
        "image/empty.jpg: empty file",
        "6 problems in annotations.json; nothing written",
    ]
    assert errors == [f"error: {line}" for line in expected]
    assert not (here / "dataset").exists()


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("CSQU 305438 4", "check digit 4 does not fit (3 would)"),
        ("CSQU 30543 3", "not ISO 6346"),
        ("CSQA 305438 3", "not ISO 6346"),
        ("CSQU 305438", "not ISO 6346"),
    ],
)
def test_a_label_that_is_not_iso_6346_is_a_warning_and_with_strict_an_error(
    number, reason, here, capsys
):
    write_annotations(here / "annotations.json", labelled(number, OTHER))
    assert prepare("--strict") == 1
    assert not (here / "dataset").exists()
    assert f"error: image/000.jpg: {number}" in capsys.readouterr().err
    assert prepare() == 0
    out, err = capsys.readouterr()
    (warning,) = [line for line in err.splitlines() if "image/000.jpg" in line]
    assert warning.startswith("warning: ")
    assert reason in warning
    assert "1 warning" in out
    assert number in {row["suffix"] for split in read_split() for row in split}


def test_one_photo_under_two_names_is_one_photo(here, capsys):
    labels = labelled(NUMBER, OTHER)
    labels[str(here / "image/000.jpg")] = OTHER
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 1
    assert (
        "also as image/000.jpg: CSQU 305438 3 there, HLXU 200841 9 here" in capsys.readouterr().err
    )
    (here / "sub").mkdir()
    flags = ["--image_folder", str(here / "image"), "--annotation_file", "annotations.json"]
    assert prepare_dataset.main(flags) == 0
    assert "0 added, 3 kept" in capsys.readouterr().out


def test_a_name_that_no_system_allows_is_one_problem_among_others(here, capsys):
    labels = labelled(NUMBER, OTHER) | {"x" * 300 + ".jpg": NUMBER, "image\new.jpg": NUMBER}
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    assert "image\\new.jpg: no such file (write / between folders" in errors[1]


def test_todo_entries_are_skipped_with_a_count_and_few_images_are_said(here, capsys):
    labels = labelled(NUMBER, OTHER, "TODO", "TODO")
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 0
    out, err = capsys.readouterr()
    assert "2 labelled, 2 still TODO" in out
    assert "100-200 are recommended" in err
    assert sum(map(len, read_split())) == 2


def test_what_cannot_be_read_is_skipped_with_a_count_of_its_own(here, capsys):
    path = write_annotations(here / "annotations.json", labelled(NUMBER, OTHER, "TODO", "TODO"))
    data = json.loads(path.read_text())
    for entry in data["images"][1:3]:  # one of them was labelled after all
        entry["unreadable"] = True
    path.write_text(json.dumps(data))
    assert prepare() == 0
    assert "2 labelled, 1 still TODO, 1 that cannot be read, 0 warn" in capsys.readouterr().out
    assert sum(map(len, read_split())) == 2


@pytest.mark.parametrize("numbers", [["TODO"], [NUMBER], [NUMBER] * 5])
def test_too_few_containers_for_a_split_is_one_line(numbers, here, capsys):
    write_annotations(here / "annotations.json", labelled(*numbers))
    assert prepare() == 1
    reason = "nothing labelled" if numbers == ["TODO"] else "one container"
    assert reason in error_line(capsys.readouterr().err)
    assert not (here / "dataset").exists()


def test_the_data_set_has_the_common_florence_format(here):
    write_annotations(here / "annotations.json", labelled(NUMBER, OTHER, "TGHU 759933 0"))
    assert prepare("--output_dir", "a b/데이터") == 0
    rows = [
        row
        for name in ("train", "val")
        for row in json.loads((here / f"a b/데이터/{name}.json").read_text())
    ]
    assert all(list(row) == ["image", "prefix", "suffix"] for row in rows)
    assert {row["prefix"] for row in rows} == {"<OCR>"}
    assert {row["suffix"] for row in rows} == {NUMBER, OTHER, "TGHU 759933 0"}
    assert all(Path(row["image"]).is_file() for row in rows)


def test_images_beside_the_annotation_file_are_found_and_written_as_seen_from_here(here):
    labels = {"a.jpg": NUMBER, "b.jpg": OTHER}
    for name, number in labels.items():
        draw_photo(here / "job" / name, number)
    write_annotations(here / "job" / "annotations.json", labels)
    assert prepare("--annotation_file", "job/annotations.json") == 0
    assert sorted(row["image"] for split in read_split() for row in split) == [
        "job/a.jpg",
        "job/b.jpg",
    ]


@pytest.mark.parametrize("output", ["file/dataset", "file"])
def test_an_output_that_cannot_be_written_is_one_line(output, here, capsys):
    write_annotations(here / "annotations.json", labelled(NUMBER, OTHER))
    (here / "file").write_text("in the way")
    assert prepare("--output_dir", output) == 2
    assert f"cannot write {output}/train.json" in error_line(capsys.readouterr().err)


def test_labels_that_are_saved_while_photos_are_checked_are_asked_for_again(
    here, monkeypatch, capsys
):
    path = write_annotations(here / "annotations.json", labelled(NUMBER, OTHER))
    split = prepare_dataset.split_examples

    def save_and_split(*given):
        path.write_bytes(path.read_bytes() + b" ")
        return split(*given)

    monkeypatch.setattr(prepare_dataset, "split_examples", save_and_split)
    assert prepare() == 0
    assert "annotations.json was saved meanwhile; run this again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("HELLO", "container_number HELLO cannot be a number (4 letters and 6 or 7 digits)"),
        ("AB", "container_number AB cannot be a number"),
        ("---", "container_number --- cannot be a number"),
        ("CSQU 30543", "cannot be a number"),
        ("CSQ 305438 3", "cannot be a number"),
        ("CSQU 305438 3 45G1", "cannot be a number"),
        ("CSQU 305438 34", "cannot be a number"),
        ("A" * 100_000, "cannot be a number"),
        ("1.*" * 40_000, "cannot be a number"),
        ("CSQU \ud800", "cannot be a number"),
        ("CSQU\x1b[2J", "cannot be a number"),
        (f"CSQU{'_' * 99}305438", "has 109 characters, more than 40"),
    ],
)
def test_a_label_that_cannot_be_taught_is_an_error_at_once(label, reason, here, capsys):
    labels = labelled(NUMBER, OTHER) | {"image/000.jpg": label}
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 1
    error = next(x for x in capsys.readouterr().err.splitlines() if "image/000.jpg" in x)
    assert error.startswith("error: ")
    assert reason in error
    assert len(error) < 200
    assert not (here / "dataset").exists()


def test_names_that_look_alike_are_two_photos_and_one_photos_two_names_are_shown(here, capsys):
    composed, decomposed = "image/\ud55c.jpg", "image/\u1112\u1161\u11ab.jpg"
    write_annotations(here / "annotations.json", {composed: NUMBER, decomposed: OTHER})
    draw_photo(here / composed, NUMBER)
    assert prepare() == 1
    assert f"{decomposed}: listed twice, also as {composed} (written another way): CSQU" in (
        capsys.readouterr().err
    )
    draw_photo(here / decomposed, OTHER)
    assert prepare() == 0
    rows = [row for split in read_split() for row in split]
    assert {row["image"]: row["suffix"] for row in rows} == {composed: NUMBER, decomposed: OTHER}
    (here / "annotations.json").unlink()
    assert create_template() == 0
    assert "2 added" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="a backslash is no letter there")
def test_a_backslash_in_a_folder_name_makes_another_photo(here):
    labels = {"sub\\dir/x.jpg": NUMBER, "sub/dir/x.jpg": OTHER}
    for image, number in labels.items():
        draw_photo(here / image, number)
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 0
    rows = [row for split in read_split() for row in split]
    assert {row["image"]: row["suffix"] for row in rows} == labels


def test_a_name_that_steers_the_terminal_is_spelled_out(here, capsys):
    labels = {"image/\x1b[31mred\u202e.jpg": NUMBER}
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 1
    shown = capsys.readouterr().err
    assert "image/\\x1b[31mred\\u202e.jpg: no such file" in shown
    assert "\x1b" not in shown
