"""Tests of the looks at one photo."""

from itertools import pairwise

from containers.looks import Search
from containers.places import first_window, parts_of
from containers.reading import Reading

NUMBER = "CSQU 305438 3"
SIZE = (900, 600)
SMALL = [(0.4 + 0.01 * i, 0.5) for i in range(11)]  # a line seen from afar
LARGE = [(0.2 + 0.06 * i, 0.5) for i in range(11)]


def test_a_search_comes_nearer_until_it_is_sure():
    search = Search("photo.jpg")
    (window,) = search.take_in(None, Reading(NUMBER, confidence=0.01), SMALL, SIZE)
    assert window.length < 0.3 * SIZE[0]
    assert window.x == 405.0
    assert not search.is_over
    assert search.take_in(window, Reading(NUMBER, confidence=0.9), LARGE, SIZE) == []
    assert search.is_over
    assert search.best.is_ok
    assert search.lead[0].window == window
    (left, top), (right, _), (_, bottom), _ = search.best.box
    assert window.x - window.length / 2 < left < right < window.x + window.length / 2
    assert window.y - window.height / 2 < top < bottom < window.y + window.height / 2


def test_a_search_ends_after_so_many_looks_and_keeps_where_it_was_surest():
    search, windows = Search("photo.jpg", looks=3), [None]
    for confidence in (0.01, 0.03, 0.02):
        letters = [(0.3 + 0.02 * i, 0.5) for i in range(11)]
        reading = Reading(NUMBER, confidence=confidence)
        windows += search.take_in(windows[-1], reading, letters, SIZE)
    assert len(windows) == 3
    assert search.is_over
    assert search.lead[0].window == windows[1]
    assert search.best.status == "review"


def test_looks_that_agree_are_surer_together_than_each_alone():
    search = Search("photo.jpg", review_below=0.45)
    letters = [(0.3 + 0.02 * i, 0.5) for i in range(11)]
    (window,) = search.take_in(None, Reading(NUMBER, confidence=0.3), letters, SIZE)
    assert search.take_in(window, Reading(NUMBER, confidence=0.3), letters, SIZE) == []
    assert search.best.is_ok
    assert round(search.best.confidence, 6) == round(1 - 0.7 * 0.7, 6)


def test_a_photo_of_several_containers_is_looked_at_once():
    several = Reading(NUMBER, reason="several containers: a, b", confidence=0.9)
    search = Search("photo.jpg")
    assert search.take_in(None, several, SMALL, SIZE) == []
    assert search.is_over


def rounds_of(search, confidence, size=SIZE):
    """Return the windows of each round of a search whose looks read with these confidences."""
    rounds, ahead = [], [None]
    while ahead:
        rounds.append(ahead)
        nearer = [
            search.take_in(window, Reading(NUMBER, confidence=confidence(window)), LARGE, size)
            for window in ahead
        ]
        assert not any(nearer[:-1]), "a round ends before the next begins"
        ahead = nearer[-1]
    assert search.is_over
    return rounds


def test_where_the_whole_photo_shows_nothing_its_parts_are_looked_at():
    search = Search("photo.jpg")
    rounds = rounds_of(search, lambda window: 0.001)
    assert list(map(len, rounds)) == [1, 1, 1, 1, 6, 6, 3, 3]
    assert rounds[4] == parts_of(SIZE)
    for first, *nearer in (rounds[:4], rounds[4:]):
        lengths = [windows[0].length if windows[0] else SIZE[0] for windows in (first, *nearer)]
        assert all(later < earlier for earlier, later in pairwise(lengths)), lengths
    assert len(rounds_of(Search("photo.jpg"), lambda window: 0.2)) == 4, "something was seen"
    alone = (900, 200)
    assert len(rounds_of(Search("photo.jpg"), lambda window: 0.001, alone)) == 4, "no parts"


def test_of_the_parts_those_are_followed_where_most_is_seen():
    right = SIZE[0] * 0.6
    rounds = rounds_of(Search("photo.jpg"), lambda window: 0.01 * (not window or window.x > right))
    assert [sum(window.x > right for window in windows) for windows in rounds[6:]] == [3, 3]


def test_parts_and_nearer_looks_stop_at_the_most_that_are_asked_for():
    for looks in (1, 2, 4, 5, 9, 12, 22):
        search = Search("photo.jpg", looks=looks)
        assert sum(map(len, rounds_of(search, lambda window: 0.001))) == looks


def test_a_photo_that_cannot_be_opened_any_more_keeps_what_was_seen():
    search = Search("photo.jpg")
    assert search.take_in(None, Reading(NUMBER, confidence=0.01), SMALL, SIZE)
    search.give_up()
    assert search.is_over
    assert search.best.number == NUMBER
    assert first_window(SIZE) == search.lead[0].window
