"""Tests of the looks at one photo."""

from itertools import pairwise

from containers.looks import Search
from containers.places import first_window
from containers.reading import Reading

NUMBER = "CSQU 305438 3"
SIZE = (900, 600)
SMALL = [(0.4 + 0.01 * i, 0.5) for i in range(11)]  # a line seen from afar
LARGE = [(0.2 + 0.06 * i, 0.5) for i in range(11)]


def test_a_search_comes_nearer_until_it_is_sure():
    search = Search("photo.jpg")
    window = search.take_in(Reading(NUMBER, confidence=0.01), SMALL, SIZE)
    assert window.length < 0.3 * SIZE[0]
    assert window.x == 405.0
    assert search.take_in(Reading(NUMBER, confidence=0.9), LARGE, SIZE) is None
    assert search.best.is_ok
    assert search.window == window
    (left, top), (right, _), (_, bottom), _ = search.best.box
    assert window.x - window.length / 2 < left < right < window.x + window.length / 2
    assert window.y - window.height / 2 < top < bottom < window.y + window.height / 2


def test_a_search_ends_after_so_many_looks_and_keeps_where_it_was_surest():
    search, windows = Search("photo.jpg", looks=3), [first_window(SIZE)]
    for confidence in (0.01, 0.03, 0.02):
        letters = [(0.3 + 0.02 * i, 0.5) for i in range(11)]
        windows.append(search.take_in(Reading(NUMBER, confidence=confidence), letters, SIZE))
    assert windows[3] is None
    assert search.window == windows[1]
    assert search.best.status == "review"


def test_looks_that_agree_are_surer_together_than_each_alone():
    search = Search("photo.jpg", review_below=0.45)
    letters = [(0.3 + 0.02 * i, 0.5) for i in range(11)]
    assert search.take_in(Reading(NUMBER, confidence=0.3), letters, SIZE)
    assert search.take_in(Reading(NUMBER, confidence=0.3), letters, SIZE) is None
    assert search.best.is_ok
    assert round(search.best.confidence, 6) == round(1 - 0.7 * 0.7, 6)


def test_a_photo_of_several_containers_is_looked_at_once():
    several = Reading(NUMBER, reason="several containers: a, b", confidence=0.9)
    assert Search("photo.jpg").take_in(several, SMALL, SIZE) is None


def test_where_nearer_looks_see_nothing_the_search_begins_again_wider():
    search, windows = Search("photo.jpg"), []
    for _ in range(6):
        letters = [(0.3 + 0.04 * i, 0.5) for i in range(11)]
        windows.append(search.take_in(Reading(), letters, SIZE))
    assert windows[5] is None
    assert all(later.length < earlier.length for earlier, later in pairwise(windows[:3]))
    assert windows[3].length > windows[0].length
    search = Search("photo.jpg")
    for confidence in (0.0, 0.02, 0.0, 0.0):
        window = search.take_in(Reading(NUMBER, confidence=confidence), SMALL, SIZE)
    assert window is None, "something was seen"
