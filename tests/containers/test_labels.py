"""Tests of labels and of their split."""

from collections import Counter
from pathlib import Path

import pytest
from conftest import NUMBER, OTHER

from containers.basis.errors import UserError
from containers.data.labels import Example, label_of, split_examples
from containers.number.iso6346 import check_digit


@pytest.mark.parametrize("typed", [NUMBER, "csqu3054383", "CSQU-305438-3", " CSQU  3054383 "])
def test_a_number_is_accepted_as_people_type_it(typed):
    assert label_of({"container_number": typed}) == NUMBER


def test_parts_left_at_todo_are_derived_and_filled_parts_must_agree():
    todo = dict.fromkeys(("owner_code", "serial_number", "check_digit"), "TODO")
    assert label_of({"container_number": NUMBER, **todo}) == NUMBER
    assert label_of({"container_number": NUMBER, **todo, "owner_code": "csqu"}) == NUMBER
    parts = {"owner_code": "CSQU", "serial_number": "305438", "check_digit": "3"}
    assert label_of({"container_number": NUMBER, **parts}) == NUMBER
    assert label_of({"container_number": "TODO", **parts}) == NUMBER
    for name, wrong in (("owner_code", "HLXU"), ("serial_number", "305439"), ("check_digit", "4")):
        with pytest.raises(UserError, match=f"contradicts {name} {wrong}"):
            label_of({"container_number": NUMBER, **parts, name: wrong})


@pytest.mark.parametrize("empty", ["TODO", "todo", "", " "])
def test_todo_is_no_label(empty):
    assert label_of({"container_number": empty}) is None


def test_what_is_painted_is_kept():
    assert label_of({"container_number": "CSQU 305438 4"}) == "CSQU 305438 4"
    assert label_of({"container_number": "csqu 30543--3"}) == "CSQU 30543 3"
    assert label_of({"container_number": "csqu305438", "check_digit": "3"}) == NUMBER
    parts = {"owner_code": "CSQU", "serial_number": "30543", "check_digit": "3"}
    assert label_of({"container_number": "CSQU 30543 3", **parts}) == "CSQU 30543 3"


def examples_of(boxes: int, views: int) -> list[Example]:
    """Return `views` photos of each of `boxes` containers."""
    codes = [f"CSQU{box:06}" for box in range(boxes)]
    return [
        Example(Path(f"{code}_{view}.jpg"), code + check_digit(code))
        for code in codes
        for view in range(views)
    ]


@pytest.mark.parametrize(("boxes", "views"), [(2, 1), (3, 1), (10, 1), (50, 3), (100, 2), (7, 5)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_split_is_as_near_to_80_20_as_whole_containers_allow(boxes, views, seed):
    examples = examples_of(boxes, views)
    train, val = split_examples(examples, seed)
    assert Counter(train + val) == Counter(examples)
    assert not {e.container for e in train} & {e.container for e in val}
    assert train
    nearest = min(range(views, len(examples), views), key=lambda n: abs(n - len(examples) / 5))
    assert len(val) == nearest


@pytest.mark.parametrize("seed", range(5))
def test_one_container_with_most_of_the_photos_stays_in_training(seed):
    examples = [*examples_of(1, 9), Example(Path("other.jpg"), OTHER)]
    train, val = split_examples(examples, seed)
    assert (len(train), [e.number for e in val]) == (9, [OTHER])


def test_a_container_with_and_without_its_check_digit_is_one_container():
    numbers = [NUMBER, "CSQU 305438", "CSQU 305438 4", OTHER, OTHER]
    examples = [Example(Path(f"{i}.jpg"), n) for i, n in enumerate(numbers)]
    sides = split_examples(examples, 0)
    assert sorted(len({e.container for e in side}) for side in sides) == [1, 1]


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    examples = examples_of(50, 2)
    assert split_examples(examples, 1) == split_examples(examples[::-1], 1)
    assert split_examples(examples, 1) != split_examples(examples, 2)


def test_more_labels_move_few_photos_across_the_split():
    _, before = split_examples(examples_of(100, 1), 0)
    _, after = split_examples(examples_of(110, 1), 0)
    assert len(set(before) & set(after)) >= 15
