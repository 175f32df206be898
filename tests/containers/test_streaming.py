"""Tests of work ahead of the model."""

import os

import pytest

from containers.errors import UserError
from containers.streaming import ahead, workers


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
