"""Tests of files that are replaced whole."""

import json
import os
import subprocess
import sys

import pytest
from conftest import (
    NUMBER,
    OTHER,
    create_template,
    draw_photo,
    labelled,
    prepare,
    write_annotations,
)

from containers.files import write_json


def test_a_linked_annotation_file_stays_a_link(here):
    (here / "shared").mkdir()
    write_annotations(here / "shared/annotations.json", {})
    (here / "annotations.json").symlink_to(here / "shared/annotations.json")
    draw_photo(here / "image/a.jpg", "")
    assert create_template() == 0
    assert (here / "annotations.json").is_symlink()
    assert "image/a.jpg" in (here / "shared/annotations.json").read_text()


def test_a_crash_while_writing_leaves_the_old_file(here, monkeypatch):
    write_annotations(here / "annotations.json", labelled(NUMBER, OTHER))
    assert prepare() == 0
    before = (here / "dataset/train.json").read_bytes()

    def crash(*_, **__):
        raise RuntimeError("power cut")

    monkeypatch.setattr(json, "dump", crash)
    with pytest.raises(RuntimeError):
        prepare()
    assert (here / "dataset/train.json").read_bytes() == before


def test_what_killed_processes_have_left_is_cleaned_up_and_nothing_else(here):
    killed = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=-1)
    gone, running = int(killed.stdout), os.getppid()
    others = [f"annotations.json.{running}.new", "annotations.json.new", "a.json.1x.new"]
    for name in (f"annotations.json.{gone}.new", *others):
        (here / name).write_text("half a li")
    write_json("annotations.json", {})
    assert sorted(os.listdir()) == sorted(["annotations.json", *others])
