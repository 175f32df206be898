"""Tests of photos that are the same."""

import shutil
from pathlib import Path

from conftest import (
    NUMBER,
    OTHER,
    ROOT,
    draw_photo,
    prepare,
    read_split,
    some_numbers,
    write_annotations,
)
from PIL import Image

from containers.photo.twins import print_of, twins

SAMPLES = sorted((ROOT / "image").glob("*.jpg"))[:40]


def save_again(path: Path, copy: Path, **options) -> Path:
    """Save a photo again at two thirds of its size."""
    image = Image.open(path)
    image.resize((image.width * 2 // 3, image.height * 2 // 3)).save(copy, **options)
    return copy


def test_a_photo_is_found_again_whether_copied_or_saved_smaller_and_no_other_is(here):
    copy = Path(shutil.copy(SAMPLES[3], here / "copy.jpg"))
    again = save_again(SAMPLES[5], here / "again.jpg", quality=50)
    lossless = save_again(SAMPLES[7], here / "again.png")
    prints = [print_of(path) for path in (*SAMPLES, copy, again, lossless)]
    assert list(twins(prints)) == [(3, 40, True), (5, 41, False), (7, 42, False)]
    assert list(twins([])) == []


def test_flat_photos_that_differ_by_their_number_alone_are_no_twins(here):
    paths = [draw_photo(here / f"{n}.png", n) for n in some_numbers(40)]
    assert not list(twins([print_of(path) for path in paths]))


def test_the_same_photo_with_two_labels_is_an_error_and_nearly_the_same_a_warning(here, capsys):
    for place in range(4):
        shutil.copy(SAMPLES[9 * place], here / f"{place}.jpg")
    shutil.copy("0.jpg", "copy.jpg")
    save_again(Path("1.jpg"), here / "again.jpg", quality=50)
    numbers = dict(zip(("0.jpg", "1.jpg", "2.jpg", "3.jpg"), some_numbers(4)))
    write_annotations(here / "annotations.json", numbers | {"copy.jpg": NUMBER, "again.jpg": OTHER})
    assert prepare() == 1
    err = capsys.readouterr().err
    copied = f"copy.jpg: the same photo as 0.jpg: {numbers['0.jpg']} there, {NUMBER} here"
    near = f"again.jpg: nearly the same photo as 1.jpg: {numbers['1.jpg']} there, {OTHER} here"
    assert f"error: {copied}\n" in err
    assert f"warning: {near}\n" in err
    assert not Path("dataset").exists()


def test_nearly_the_same_photos_stay_on_one_side_of_the_split(here):
    numbers = some_numbers(8)
    labels = {}
    for place in range(4):
        shutil.copy(SAMPLES[9 * place], here / f"{place}.jpg")
        save_again(here / f"{place}.jpg", here / f"again{place}.jpg", quality=50)
        labels |= {f"{place}.jpg": numbers[place], f"again{place}.jpg": numbers[place + 4]}
    write_annotations(here / "annotations.json", labels)
    for seed in range(5):
        assert prepare("--seed", str(seed)) == 0
        for side in read_split():
            names = {row["image"].removeprefix("again") for row in side}
            assert len(side) == 2 * len(names), "both twins, or none"
