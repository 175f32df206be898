"""Tests of work ahead of the model."""

import os

import pytest

from containers.basis.errors import UserError
from containers.photo import workers as streaming
from containers.photo.workers import ahead, usable_cores, workers


def test_no_more_photos_are_opened_ahead_than_asked_for():
    begun = []
    tasks = ((str, begun.append(place) or place) for place in range(50))
    with workers(1) as pool:
        for done, future in enumerate(ahead(tasks, pool, 4), 1):
            assert future.result() == str(done - 1)
            assert len(begun) <= done + 4
    assert len(begun) == 50


def test_a_process_that_dies_while_it_opens_photos_is_an_error_in_words():
    with (
        pytest.raises(UserError, match="a process that opens photos was ended"),
        workers(1) as pool,
    ):
        next(ahead([(os._exit, 1)], pool, 0)).result()


def test_cores_are_those_that_the_process_may_use(here, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(streaming, "CONTAINER_LIMIT", here / "cpu.max")
    assert usable_cores() == 8
    for text, cores in (("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1)):
        (here / "cpu.max").write_text(text)
        assert usable_cores() == cores
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    (here / "cpu.max").write_text("max 100000")
    assert usable_cores() == 1
