"""Tests of the lines of a run that is not complete."""

import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import NUMBER

from containers.errors import UserError
from containers.reading import Reading
from containers.results import MADE_BY, Journal

HERE = f"{MADE_BY}: model here"


def rows(*names: str) -> list[dict]:
    """Return rows of photos that were read."""
    return [Reading(NUMBER, "ok", "", 0.97).row(name) for name in names]


def test_lines_that_resume_refuses_stay_as_they_are(here):
    journal = Journal(Path("r.txt"))
    assert len(list(journal.write(f"{MADE_BY}: another model", rows("a.jpg"), False))) == 1
    with open("r.txt.partial", "a") as file:
        file.write("b.jpg\ttorn li")
    before = Path("r.txt.partial").read_bytes()
    with pytest.raises(UserError, match="made by another run"):
        journal.earlier(HERE)
    assert Path("r.txt.partial").read_bytes() == before


def test_what_a_power_cut_leaves_as_zeros_is_read_again(here):
    journal = Journal(Path("r.txt"))
    list(journal.write(HERE, rows("a.jpg", "b.jpg"), False))
    whole = Path("r.txt.partial").read_bytes()
    with open("r.txt.partial", "ab") as file:
        file.write(b"c.jpg\t" + bytes(300) + b"\nd.jpg\tcut off\n")
    assert list(journal.earlier(HERE)) == ["a.jpg", "b.jpg"]
    assert Path("r.txt.partial").read_bytes() == whole


def test_lines_are_on_the_disk_in_bounded_intervals(here, monkeypatch):
    synced, now = [], [0.0]
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(now[0]))
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in Journal(Path("r.txt")).write(HERE, rows(*map(str, range(40))), False):
        now[0] += 1
    assert synced[0] == 0
    assert max(b - a for a, b in pairwise(synced)) == 5
