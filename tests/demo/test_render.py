"""Renders are what they say: their numbers, layouts, names and labels."""

import numpy as np
import pytest
from conftest import run
from stdnum import iso6346

from demo import render


def read_files(folder) -> dict[str, bytes]:
    """Return every file of a folder by its name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_seed_gives_the_same_photos_and_another_seed_others(here):
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        done = run("demo.render", "--count", 3, "--seed", seed, "--output", folder, cwd=here)
        assert done.returncode == 0, done.stderr
    a, b, c = (read_files(here / name / "image") for name in "abc")
    assert a == b
    assert len(a) == 3
    assert not set(a.values()) & set(c.values())


@pytest.mark.parametrize("layout", render.LAYOUTS)
def test_a_render_carries_a_valid_number_in_its_layout(layout):
    for name, photo in render.render_series(6, 1, layout):
        assert iso6346.is_valid(photo.number.replace(" ", "")), name
        (number,) = photo.lines
        assert "".join(c.character for c in number.letters) == photo.number.replace(" ", "")
        x, y = (np.array([getattr(c, axis) for c in number.letters]) for axis in "xy")
        x, y = x * photo.image.width, y * photo.image.height
        owner_to_serial = np.array((x[4:10].mean() - x[:4].mean(), y[4:10].mean() - y[:4].mean()))
        steps = np.array((x[9] - x[4], y[9] - y[4]))
        assert (abs(steps[1]) > abs(steps[0])) == (layout == "vertical"), name
        length = np.hypot(*steps)
        below = (steps[0] * owner_to_serial[1] - steps[1] * owner_to_serial[0]) / length
        assert (below > 0.5 * length / 5) == (layout == "two-line"), name


def test_the_number_stands_on_the_photo():
    for name, photo in render.render_series(12, 4):
        for letter in photo.lines[0].letters:
            assert 0 < letter.x - letter.width / 2 < letter.x + letter.width / 2 < 1, name
            assert 0 < letter.y - letter.height / 2 < letter.y + letter.height / 2 < 1, name


def test_views_of_one_container_share_its_number_and_the_head_of_the_name():
    numbers = {}
    for name, photo in render.render_series(12, 2, views=3):
        numbers.setdefault(name.split("_")[0], []).append(photo.number)
    assert max(map(len, numbers.values())) > 1
    assert all(len(set(seen)) == 1 for seen in numbers.values())
    assert len({seen[0] for seen in numbers.values()}) == len(numbers)


def test_a_render_without_a_number_has_none_in_its_text_or_label():
    for _, photo in render.render_series(8, 1, "none"):
        assert photo.number == ""
        assert photo.lines == ()
        assert set(render.label(photo.number).values()) == {"TODO"}


def test_from_afar_numbers_are_as_much_smaller():
    near, far = (
        [
            np.ptp([c.x for c in photo.lines[0].letters])
            for _, photo in render.render_series(5, 8, "horizontal", distance=distance)
        ]
        for distance in (1, 2)
    )
    assert np.median(near) / np.median(far) == pytest.approx(2, rel=0.35)


def test_annotations_of_renders_are_labels_that_prepare_takes(here):
    done = run("demo.render", "--count", 4, "--output", "renders", "--views", 2, cwd=here)
    assert done.returncode == 0, done.stderr
    flags = ("--mode", "prepare", "--annotation_file", "renders/annotations.json")
    done = run("prepare_dataset.py", *flags, cwd=here)
    assert done.returncode == 0, done.stderr
    assert "4 labelled, 0 still TODO, 0 warnings" in done.stdout + done.stderr
