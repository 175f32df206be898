"""Tests of the looks at one photo."""

import math
from itertools import chain, pairwise, repeat
from statistics import fmean

import pytest

from containers.number.reading import Hypothesis
from containers.number.reasons import Reason
from containers.photo.looks import ReadingOptions, Search
from containers.photo.windows import first_window, parts_of, turned

NUMBER = "CSQU 305438 3"
SIZE = (900, 600)
SMALL = [(0.4 + 0.01 * i, 0.5) for i in range(11)]  # a line seen from afar
LARGE = [(0.2 + 0.06 * i, 0.5) for i in range(11)]


def sure(confidence):
    """Return what a look reads that is so sure of the number."""
    return Hypothesis(NUMBER, confidence=confidence)


def rounds_of(search, confidence, size=SIZE):
    """Return the windows of each round of a search whose looks read with these confidences."""
    rounds, ahead = [], [None]
    while ahead:
        rounds.append(ahead)
        nearer = [search.take_in(window, sure(confidence(window)), LARGE, size) for window in ahead]
        assert not any(nearer[:-1]), "a round ends before the next begins"
        ahead = nearer[-1]
    assert search.is_over
    return rounds


def test_a_search_comes_nearer_until_it_is_sure():
    search = Search("photo.jpg")
    (window,) = search.take_in(None, Hypothesis(NUMBER, confidence=0.01), SMALL, SIZE)
    assert window.length < 0.3 * SIZE[0]
    assert window.x == 405.0
    assert not search.is_over
    assert search.take_in(window, Hypothesis(NUMBER, confidence=0.96), LARGE, SIZE) == []
    assert search.is_over
    assert search.best.is_ok
    assert search.lead[0].window == window
    (left, top), (right, _), (_, bottom), _ = search.best.box
    assert window.x - window.length / 2 < left < right < window.x + window.length / 2
    assert window.y - window.height / 2 < top < bottom < window.y + window.height / 2


def test_a_search_ends_after_so_many_looks_and_keeps_where_it_was_surest():
    search, windows = Search("photo.jpg", ReadingOptions(looks=3)), [None]
    for confidence in (0.01, 0.03, 0.02):
        letters = [(0.3 + 0.02 * i, 0.5) for i in range(11)]
        reading = Hypothesis(NUMBER, confidence=confidence)
        windows += search.take_in(windows[-1], reading, letters, SIZE)
    assert len(windows) == 3
    assert search.is_over
    assert search.lead[0].window == windows[1]
    assert search.best.status == "review"


def test_looks_that_agree_are_no_surer_than_the_surest_of_them():
    search, window = Search("photo.jpg", ReadingOptions(looks=4)), None
    for confidence in (0.3, 0.35, 0.3, 0.2):
        (window, *_) = search.take_in(window, sure(confidence), LARGE, SIZE) or [None]
    assert search.is_over
    assert search.best.confidence == 0.35
    assert search.best.status == "review"


def test_the_confidence_is_the_mean_over_shaken_windows_round_the_surest_place():
    chances = iter([0.1, 0.6, 0.85, 0.8])  # then of windows that are shaken
    shaken = [0.9, 0.6, 0.3, 0.5, 0.7, 0.9, 0.2, 0.4, 0.5]
    search = Search("photo.jpg")
    rounds = rounds_of(search, lambda window: next(chances, None) or shaken[len(search.done) - 4])
    assert list(map(len, rounds)) == [1, 1, 1, 1, 3, 6]
    assert search.best.confidence == pytest.approx(fmean(shaken))
    assert search.best.is_ok
    lead = search.lead[0]
    assert (lead.is_shaken, lead.hypothesis.confidence) == (True, 0.9)
    place = search.done[2].place  # the look at it was the surest
    assert {round(w.length / place.length, 2) for w in chain(*rounds[4:])} == {1.1, 1.25, 1.45}
    assert all(
        math.dist((w.x, w.y), (place.x, place.y)) < 0.05 * w.length for w in chain(*rounds[4:])
    )


def test_shaken_windows_that_agree_surely_need_no_more_of_them():
    for confidence, count in ((0.96, 1), (0.85, 4 + 3), (0.7, 4 + 9)):
        search, always = Search("photo.jpg"), repeat(confidence)
        rounds = rounds_of(search, lambda window, same=always: next(same))
        assert len(list(chain(*rounds))) == count
        assert search.best.is_ok
        assert search.best.confidence == pytest.approx(confidence)


def test_a_look_that_shaken_windows_contradict_is_for_review():
    search = Search("photo.jpg")
    rounds_of(search, lambda window: 0.85 if len(search.done) < 4 else 0.2)
    assert search.best.status == "review"
    assert search.best.confidence == pytest.approx(0.2)


def test_where_looks_are_few_or_the_label_leads_nothing_is_shaken_or_turned():
    for few in ({"options": ReadingOptions(looks=12)}, {"label": NUMBER}):
        search = Search("photo.jpg", **few)
        rounds_of(search, lambda window: 0.02)
        assert not any(look.is_shaken or look.window.is_on_head for look in search.done)
        search = Search("photo.jpg", **few)
        assert len(rounds_of(search, lambda window: 0.6)) == 1, "sure enough"


def test_a_photo_of_several_containers_is_looked_at_once():
    several = Hypothesis(NUMBER, reasons=(Reason("several", ("a, b",)),), confidence=0.9)
    search = Search("photo.jpg")
    assert search.take_in(None, several, SMALL, SIZE) == []
    assert search.is_over


def test_where_the_whole_photo_shows_nothing_its_parts_are_looked_at_and_then_it_is_turned():
    search = Search("photo.jpg")
    rounds = rounds_of(search, lambda window: 0.001)
    assert list(map(len, rounds)) == [1, 1, 1, 1, 6, 6, 3, 3, 2, 2, 2, 2]
    assert rounds[4] == parts_of(SIZE)
    assert rounds[8] == turned(SIZE)
    for first, *nearer in (rounds[:4], rounds[4:8], rounds[8:]):
        lengths = [windows[0].length if windows[0] else SIZE[0] for windows in (first, *nearer)]
        assert all(later < earlier for earlier, later in pairwise(lengths)), lengths
    assert all(window.is_on_head for window in chain(*rounds[8:]))
    rounds = rounds_of(Search("photo.jpg"), lambda window: 0.05)
    assert list(map(len, rounds)) == [1, 1, 1, 1, 3, 6, 6, 3, 3, 3, 2, 2, 2, 2, 3]
    assert len(rounds_of(Search("photo.jpg"), lambda window: 0.4)) == 6, "something was seen"
    alone = (900, 200)
    assert len(rounds_of(Search("photo.jpg"), lambda window: 0.001, alone)) == 8, "no parts"


def test_of_the_parts_those_are_followed_where_most_is_seen():
    right = SIZE[0] * 0.6
    rounds = rounds_of(Search("photo.jpg"), lambda window: 0.001 * (not window or window.x > right))
    assert [sum(window.x > right for window in windows) for windows in rounds[6:8]] == [3, 3]


def test_parts_and_nearer_looks_stop_at_the_most_that_are_asked_for():
    for looks in (1, 2, 4, 5, 9, 13, 22):
        search = Search("photo.jpg", ReadingOptions(looks))
        assert sum(map(len, rounds_of(search, lambda window: 0.05))) == looks


def test_a_photo_that_cannot_be_opened_any_more_keeps_what_was_seen():
    search = Search("photo.jpg")
    assert search.take_in(None, Hypothesis(NUMBER, confidence=0.01), SMALL, SIZE)
    search.give_up()
    assert search.is_over
    assert search.best.number == NUMBER
    assert first_window(SIZE) == search.lead[0].window
