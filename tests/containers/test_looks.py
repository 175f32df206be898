"""Tests of the looks at one photo."""

from containers.looks import Search
from containers.reading import Reading

SIZE = (900, 600)
SMALL = [(0.4 + 0.01 * i, 0.5) for i in range(11)]  # a line seen from afar
LARGE = [(0.2 + 0.06 * i, 0.5) for i in range(11)]


def reading(status: str, confidence: float) -> Reading:
    """Return a reading of a number, for its status and confidence."""
    return Reading("CSQU 305438 3", status, "" if status == "ok" else "unsure", confidence)


def test_a_search_comes_nearer_until_it_is_sure():
    search = Search("photo.jpg")
    window = search.take_in(reading("review", 0.01), SMALL, SIZE)
    assert window.length < 0.3 * SIZE[0]
    assert window.x == 405.0
    assert search.take_in(reading("ok", 0.9), LARGE, SIZE) is None
    assert search.best.is_ok
    (left, top), (right, _), (_, bottom), _ = search.best.box
    assert window.x - window.length / 2 < left < right < window.x + window.length / 2
    assert window.y - window.height / 2 < top < bottom < window.y + window.height / 2


def test_a_search_ends_after_so_many_looks_and_keeps_the_surest():
    search, count = Search("photo.jpg", looks=3), 0
    for confidence in (0.1, 0.3, 0.2, 0.0):
        letters = [(0.3 + 0.02 * i, 0.5) for i in range(11)]
        count += 1
        if not search.take_in(reading("review", confidence), letters, SIZE):
            break
    assert count == 3
    assert search.best.confidence == 0.3


def test_a_photo_without_a_place_or_of_several_containers_is_looked_at_once():
    assert Search("photo.jpg").take_in(Reading(), [], SIZE) is None
    several = Reading("CSQU 305438 3", "review", "several containers: a, b", 0.9)
    assert Search("photo.jpg").take_in(several, SMALL, SIZE) is None
