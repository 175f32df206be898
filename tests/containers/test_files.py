"""Tests of files that are replaced whole."""

import contextlib
import json
import os
import stat
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

from containers.basis import files
from containers.basis.errors import FlagError
from containers.basis.exchange import exchange
from containers.basis.files import write_json


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


@pytest.mark.parametrize("there", [True, False], ids=["a save", "a first file"])
def test_what_is_saved_between_the_last_look_and_the_rename_is_not_lost(there, here, monkeypatch):
    """Somebody's editor saves in the last microseconds."""
    path = here / "annotations.json"
    before = path.write_bytes(b"{}\n") and path.read_bytes() if there else None
    held = files.held

    @contextlib.contextmanager
    def save_just_then():
        (here / "edited").write_text("a label by hand")
        (here / "edited").replace(path)
        with held():
            yield

    monkeypatch.setattr(files, "held", save_just_then)
    with pytest.raises(files.ChangedError):
        write_json(path, {"ours": 1}, before)
    assert path.read_text() == "a label by hand"
    assert os.listdir() == ["annotations.json"]


def test_files_change_places_or_the_system_cannot(here):
    (here / "a").write_text("1")
    (here / "b").write_text("2")
    if exchange(here / "a", here / "b"):
        assert ((here / "a").read_text(), (here / "b").read_text()) == ("2", "1")
    else:
        assert ((here / "a").read_text(), (here / "b").read_text()) == ("1", "2")
    if sys.platform == "linux":
        with pytest.raises(FileNotFoundError):
            exchange(here / "a", here / "no")


def test_a_private_file_stays_private_and_a_read_only_one_is_refused(here, capsys):
    path = here / "annotations.json"
    path.write_text("{}")
    path.chmod(0o600)
    os.link(path, here / "other")
    write_json(path, {"new": 1})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "annotations.json has other names, which keep what it was" in capsys.readouterr().err
    assert (here / "other").read_text() == "{}"
    path.chmod(0o444)
    before = path.read_bytes()
    with pytest.raises(FlagError, match=r"annotations\.json: it is read-only"):
        write_json(path, {"newer": 1})
    assert path.read_bytes() == before
