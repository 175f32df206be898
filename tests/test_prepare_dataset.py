"""Tests of prepare_dataset.py."""

import json
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
    write_annotations,
)

import prepare_dataset


def read_split() -> tuple[list[dict], list[dict]]:
    """Return train.json and val.json."""
    return tuple(json.loads(open(f"dataset/{name}.json").read()) for name in ("train", "val"))


def test_a_new_template_lists_every_image_as_todo(here):
    for name in ("b.jpg", "a.jpg", "gate 2/한글.jpg"):
        draw_photo(here / "image" / name, "")
    assert create_template() == 0
    images = json.loads((here / "annotations.json").read_text(encoding="utf-8"))["images"]
    assert [e["image_path"] for e in images] == [
        "image/a.jpg",
        "image/b.jpg",
        "image/gate 2/한글.jpg",
    ]
    fields = ["container_number", "owner_code", "serial_number", "check_digit"]
    assert all(list(entry) == ["image_path", *fields] for entry in images)
    assert {entry[name] for entry in images for name in fields} == {"TODO"}


def test_a_second_template_adds_images_and_keeps_everything_else(here, capsys):
    entry = {
        "note": "북쪽 게이트",
        "image_path": ".\\image\\z.jpg",
        "container_number": NUMBER,
        "n": 1.5,
    }
    gone = {"image_path": "image/gone.jpg", "container_number": OTHER}
    before = {"made by": "hand", "images": [entry, gone], "last": None}
    (here / "annotations.json").write_text(json.dumps(before), encoding="utf-8")
    for name in ("z.jpg", "a.jpg"):
        draw_photo(here / "image" / name, "")
    assert create_template() == 0
    after = json.loads((here / "annotations.json").read_text(encoding="utf-8"))
    assert list(after) == ["made by", "images", "last"]
    assert after["images"][:2] == [entry, gone]
    assert list(after["images"][0]) == list(entry)
    assert [e["image_path"] for e in after["images"][2:]] == ["image/a.jpg"]
    out, err = capsys.readouterr()
    assert "1 added, 2 kept, 1 no longer found" in out
    assert "image/gone.jpg" in err


def test_a_template_with_nothing_to_add_leaves_the_file_as_it_is(here):
    draw_photo(here / "image" / "a.jpg", "")
    text = '{"images": [ {"image_path": "image/a.jpg", "container_number": "csqu3054383"}, ]}\r\n'
    (here / "annotations.json").write_bytes(text.encode())
    assert create_template() == 0
    assert (here / "annotations.json").read_bytes() == text.encode()


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
        "image/001.jpg: listed twice, as HLXU 200841 9 and as CSQU 305438 3",
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
    assert "1 warnings" in out
    assert number in {row["suffix"] for split in read_split() for row in split}


def test_one_photo_under_two_names_is_one_photo(here, capsys):
    labels = labelled(NUMBER, OTHER)
    labels[str(here / "image/000.jpg")] = OTHER
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 1
    assert "listed twice, as CSQU 305438 3 and as HLXU 200841 9" in capsys.readouterr().err
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
    for name in ("a.jpg", "b.jpg"):
        draw_photo(here / "job" / name, "")
    labels = {"a.jpg": NUMBER, "b.jpg": OTHER}
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
