"""Tests of prepare_dataset.py --mode create_template: photos are added, labels are kept."""

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
    run,
    write_annotations,
)

import prepare_dataset
from containers.basis.locks import only_writer


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


@pytest.fixture
def editor(monkeypatch):
    """Return a function that has somebody save annotations.json while the photos are looked at."""

    def save_while_looking(times: int, data: dict) -> None:
        look = prepare_dataset.is_on_disk

        def look_and_save(*given):
            nonlocal times
            if times:
                times -= 1
                Path("annotations.json").write_text(json.dumps(data | {"saved": times}))
            return look(*given)

        monkeypatch.setattr(prepare_dataset, "is_on_disk", look_and_save)

    return save_while_looking


def test_a_label_that_is_saved_while_the_photos_are_looked_at_is_kept(here, editor, capsys):
    write_annotations(here / "annotations.json", labelled("TODO"))
    draw_photo(here / "image/new.jpg", "")
    entry = {"image_path": "image/000.jpg", "container_number": NUMBER}
    editor(1, {"images": [entry]})
    assert create_template() == 0
    saved = json.loads((here / "annotations.json").read_text())
    assert saved["images"][0] == entry
    assert [e["image_path"] for e in saved["images"]] == ["image/000.jpg", "image/new.jpg"]
    assert "1 added, 1 kept" in capsys.readouterr().out


def test_a_template_that_is_new_does_not_replace_one_saved_meanwhile(here, monkeypatch):
    draw_photo(here / "image/000.jpg", "")
    write_json = prepare_dataset.write_json
    entry = {"image_path": "image/000.jpg", "container_number": NUMBER}

    def save_first(path, *given):
        if not path.exists():
            path.write_text(json.dumps({"images": [entry]}))
        write_json(path, *given)

    monkeypatch.setattr(prepare_dataset, "write_json", save_first)
    assert create_template() == 0
    assert json.loads((here / "annotations.json").read_text())["images"] == [entry]


def test_a_file_that_is_saved_again_and_again_is_left_alone(here, monkeypatch, capsys):
    write_annotations(here / "annotations.json", labelled("TODO"))
    draw_photo(here / "image/new.jpg", "")
    write_json = prepare_dataset.write_json

    def save_first(path, *given):
        path.write_bytes(path.read_bytes() + b" ")
        write_json(path, *given)

    monkeypatch.setattr(prepare_dataset, "write_json", save_first)
    assert create_template() == 1
    assert "annotations.json has changed meanwhile" in error_line(capsys.readouterr().err)
    assert "image/new.jpg" not in (here / "annotations.json").read_text()
    assert [path.name for path in here.iterdir()] == ["image", "annotations.json"]


def test_the_annotations_of_a_running_template_are_its_own(here, capsys):
    draw_photo(here / "image/000.jpg", "")
    with only_writer("annotations.json"):
        done = run("prepare_dataset.py", cwd=here)
    assert done.returncode == 1
    assert f"is being written by process {os.getpid()}" in error_line(done.stderr)
    assert create_template() == 0
