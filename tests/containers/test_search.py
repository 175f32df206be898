"""Tests of the queue of looks at many photos, without a model."""

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pytest
from PIL import Image

from containers.basis.errors import ImageError
from containers.number.reading import Hypothesis
from containers.photo.looks import ReadingOptions, Search
from containers.photo.search import search_all

NUMBER = "CSQU 305438 3"
SIZE = (48, 32)
LETTERS = [(0.3 + 0.02 * i, 0.5) for i in range(11)]


class Eyes:
    """What looks: it reads its photo's number surely once it has looked so often."""

    def __init__(self, needed: int):
        self.needed, self.batches = needed, []

    def look_at(self, images, searches):
        """Return one reading for each image."""
        self.batches.append([search.label for search in searches])
        return [
            (
                Hypothesis(NUMBER, confidence=0.9 if len(s.done) + 1 >= self.needed else 0.01),
                LETTERS,
            )
            for s in searches
        ]


def searches_of(count: int, looks: int = 4):
    """Yield searches on photos drawn in memory; their label is their place."""
    for place in range(count):
        yield Search(Image.new("RGB", (900, 600)), ReadingOptions(looks), label=str(place))


def test_the_first_photos_end_first_whatever_the_looks_of_the_others():
    eyes = Eyes(needed=99)
    results = search_all(searches_of(40), eyes.look_at, SIZE, 4)
    first = next(results)
    assert (first.label, len(first.done)) == ("0", 4)
    assert len(eyes.batches) == 4, "the looks at the first four, and none at the others"
    assert {label for batch in eyes.batches for label in batch} == {"0", "1", "2", "3"}
    assert [search.label for search in results] == [str(place) for place in range(1, 40)]
    assert all(len(batch) == 4 for batch in eyes.batches)


def test_with_a_pool_one_full_batch_is_looked_at_while_the_next_looks_are_cut_out():
    eyes = Eyes(needed=99)
    with ThreadPoolExecutor(2) as pool:
        results = search_all(searches_of(40), eyes.look_at, SIZE, 4, pool)
        assert [search.label for search in islice(results, 8)] == [str(place) for place in range(8)]
        early, late = [*"0123"] * 4, [*"4567"] * 4
        looked = [label for batch in eyes.batches[:8] for label in batch]
        assert sorted(looked) == sorted(early + late)
        assert [search.label for search in results] == [str(place) for place in range(8, 40)]


def test_each_photo_gets_the_looks_that_it_gets_alone():
    for batch_size in (1, 3, 8, 99):
        results = list(search_all(searches_of(9), Eyes(3).look_at, SIZE, batch_size))
        assert [len(search.done) for search in results] == [3] * 9
        assert all(search.best.is_ok for search in results)


def test_a_photo_that_is_not_there_is_an_error_in_its_place_and_holds_up_nothing():
    photos = [Search("missing.jpg", label="x"), *searches_of(2)]
    told = []
    look_at = Eyes(1).look_at
    results = list(search_all(photos, look_at, SIZE, 2, None, lambda s, t: told.append(len(s))))
    assert isinstance(results[0], ImageError)
    assert [search.label for search in results[1:]] == ["0", "1"]
    assert told == [1, 1]


def test_what_has_ended_is_there_when_a_later_look_is_stopped():
    eyes, ended = Eyes(2), []

    def look_at(images, searches):
        if len(eyes.batches) == 4:
            raise KeyboardInterrupt
        return eyes.look_at(images, searches)

    results = search_all(searches_of(12), look_at, SIZE, 4)
    ended += [next(results).label for _ in range(8)]
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert ended == [*"01234567"], "two looks at each of four: two batches"
