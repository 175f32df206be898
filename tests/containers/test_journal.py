"""Tests of the lines of a run that is not complete."""

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import NUMBER

from containers.basis.errors import UserError
from containers.data.journal import Journal
from containers.data.result import Result
from containers.data.result_file import MADE_BY
from containers.data.result_tables import USUAL_COLUMNS
from containers.number.reading import Reading

HERE = f"{MADE_BY}: model here"


def results(*names: str) -> list[Result]:
    """Return results of photos that were read."""
    return [Result(name, Reading(NUMBER, confidence=0.97, status="ok")) for name in names]


def test_lines_that_resume_refuses_stay_as_they_are(here):
    journal = Journal(Path("r.txt"))
    assert len(list(journal.write(f"{MADE_BY}: another model", results("a.jpg")))) == 1
    with open("r.txt.partial", "a") as file:
        file.write("b.jpg\ttorn li")
    before = Path("r.txt.partial").read_bytes()
    with pytest.raises(UserError, match="made by another run"):
        journal.earlier(HERE)
    assert Path("r.txt.partial").read_bytes() == before


def test_what_a_power_cut_leaves_as_zeros_is_read_again(here):
    journal = Journal(Path("r.txt"))
    list(journal.write(HERE, results("a.jpg", "b.jpg")))
    whole = Path("r.txt.partial").read_bytes()
    with open("r.txt.partial", "ab") as file:
        file.write(b"c.jpg\t" + bytes(300) + b"\nd.jpg\tcut off\n")
    assert list(journal.earlier(HERE)) == ["a.jpg", "b.jpg"]
    assert Path("r.txt.partial").read_bytes() == whole


def test_lines_are_on_the_disk_in_bounded_intervals(here, monkeypatch):
    synced, now = [], [0.0]
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(now[0]))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in Journal(Path("r.txt")).write(HERE, results(*map(str, range(40)))):
        now[0] += 1
    assert synced[0] == 0
    assert max(b - a for a, b in pairwise(synced)) == 5


@pytest.mark.parametrize("name", ["r.txt", "r.csv", "r.jsonl", "r.xlsx"])
def test_a_photo_that_is_another_by_now_is_read_again_and_said(name, here, capsys):
    """A camera uses its names again: yesterday's number would stand beside today's photo."""
    names = ["a.jpg", "b\t.jpg", "gone.jpg"]
    for photo in names[:2]:
        Path(photo).write_text("yesterday's")
    journal = Journal(Path(name))
    list(journal.write(HERE, results(*names)))
    assert list(journal.earlier(HERE)) == names
    Path("b\t.jpg").write_text("today's")
    assert list(journal.earlier(HERE)) == ["a.jpg", "gone.jpg"]
    assert r"resume: 1 photo changed since (b\t.jpg): read again" in capsys.readouterr().err
    journal.finish(HERE, results(*names), USUAL_COLUMNS)
    assert list(journal.earlier(HERE)) == names
    later = time.time() + 9
    os.utime("a.jpg", (later, later))
    assert list(journal.earlier(HERE)) == ["b\t.jpg", "gone.jpg"]
