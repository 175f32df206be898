"""Tests of a tree of folders that is looked through again and again."""

import os
import time
from pathlib import Path

import pytest

from containers.photo import folder_tree
from containers.photo.files import PassedOver, files_below
from containers.photo.folder_tree import REREAD_SECONDS, FolderTree

OLD = time.time_ns() - 10**10


def age(*folders: Path) -> None:
    """Have folders be as if nothing had come for a while."""
    for folder in folders:
        os.utime(folder, ns=(OLD, OLD))


def draw_tree() -> list[Path]:
    """Make folders by day with two files each; return the folders."""
    days = [Path(f"image/2026/11/{day:02}") for day in range(1, 6)]
    for day in days:
        day.mkdir(parents=True)
        for name in ("a.jpg", "b.jpg"):
            (day / name).touch()
    (days[0] / ".hidden").touch()
    folders = [Path("image"), Path("image/2026"), Path("image/2026/11"), *days]
    age(*folders)
    return folders


def test_the_first_look_finds_what_a_plain_walk_finds(here):
    draw_tree()
    tree = FolderTree(Path("image"), PassedOver())
    assert {*tree.changed(0)} == {*files_below(Path("image"))}


def test_only_folders_in_which_something_has_come_are_read_again(here, monkeypatch):
    folders, read = draw_tree(), []
    tree = FolderTree(Path("image"), PassedOver())
    list(tree.changed(0))
    scandir = os.scandir
    monkeypatch.setattr(folder_tree.os, "scandir", lambda path: read.append(path) or scandir(path))
    assert not list(tree.changed(1))
    assert not read
    (folders[-1] / "c.jpg").touch()
    assert {path.name for path in tree.changed(2)} == {"a.jpg", "b.jpg", "c.jpg"}
    assert read == [str(folders[-1])]


def test_what_comes_within_a_tick_of_the_file_systems_clock_is_not_lost(here):
    folder = Path("image")
    folder.mkdir()
    tree, now = FolderTree(folder, PassedOver()), time.time_ns()
    for name in "abc":
        (folder / f"{name}.jpg").touch()
        os.utime(folder, ns=(now, now))  # as a clock shows it that stands still
        assert folder / f"{name}.jpg" in {*tree.changed(1)}


def test_all_is_looked_at_again_in_time_a_few_folders_at_once(here, monkeypatch):
    draw_tree()
    monkeypatch.setattr(folder_tree, "REREAD_FILES", 4)
    tree = FolderTree(Path("image"), PassedOver())
    everything = list(tree.changed(0))
    assert not list(tree.changed(REREAD_SECONDS - 1))
    looks = [list(tree.changed(REREAD_SECONDS + look)) for look in range(6)]
    assert max(map(len, looks)) == 4, "two folders"
    assert sorted(path for look in looks for path in look) == sorted(everything)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="may enter any folder")
def test_a_folder_that_cannot_be_entered_is_said(here, capsys):
    folders = draw_tree()
    folders[-1].chmod(0)
    list(FolderTree(Path("image"), PassedOver()).changed(0))
    folders[-1].chmod(0o755)
    assert "image/2026/11/05 is passed over" in capsys.readouterr().err


def test_a_folder_that_is_moved_away_is_none(here):
    folders = draw_tree()
    tree = FolderTree(Path("image"), PassedOver())
    list(tree.changed(0))
    folders[-1].rename("elsewhere")
    assert not [path for path in tree.changed(1) if "05" in path.parts]
    Path("image").rename("gone")
    assert not list(tree.changed(2))
