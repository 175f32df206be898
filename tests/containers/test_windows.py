"""Tests of windows on a photo."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageChops, ImageOps, ImageStat

from containers.photo.windows import (
    LENT,
    SHAPES,
    Point,
    Window,
    crop,
    direction_of,
    first_window,
    next_window,
    parts_of,
    place_of,
    see,
    turned,
)

SIZES = st.tuples(st.integers(1, 400), st.integers(1, 400))
LEVEL = [(0.1 + 0.07 * i, 0.5) for i in range(11)]  # a line of eleven characters
STACKED = [(0.3 + 0.1 * i, 0.4) for i in range(4)] + [(0.3 + 0.1 * i, 0.6) for i in range(7)]
COLUMN = [(0.5, 0.1 + 0.07 * i) for i in range(11)]


def gradient(width: int = 60, height: int = 40) -> Image.Image:
    """Return a photo whose red is four times the column and whose green is four times the row."""
    y, x = np.mgrid[0:height, 0:width].astype(np.uint8)
    return Image.fromarray(np.stack([4 * x, 4 * y, 0 * x], -1))


@pytest.mark.parametrize("angle", [0, 90, 180, 270, -90, 17, 75, 170, 255])
def test_what_is_cut_out_lies_as_the_window_says(angle):
    window = Window(30, 20, 16, 12, angle)
    cut = np.asarray(window.cut(gradient(), (16, 12)), float)
    for row, column in ((1, 1), (1, 14), (6, 8), (10, 1), (10, 14)):
        x, y = window.at((column + 0.5) / 16, (row + 0.5) / 12)
        expected = 4 * (x - 0.5), 4 * (y - 0.5)
        assert cut[row, column, :2] == pytest.approx(expected, abs=4)


def test_outside_a_photo_its_edges_are_continued():
    photo = np.asarray(gradient())
    wider = np.asarray(crop(gradient(), (-3, -2, 64, 45)))
    assert wider.shape == (47, 67, 3)
    assert (wider[2:42, 3:63] == photo).all()
    assert (wider[:2, 3:63] == photo[0]).all()
    assert (wider[2:42, 63:] == photo[:, -1:]).all()


def test_the_parts_of_a_photo_overlap_and_show_all_of_it():
    seen = np.zeros((400, 600), int)
    for part in parts_of((600, 400)):
        (left, top), _, (right, bottom), _ = part.corners
        assert min(left, top, 600 - right, 400 - bottom) > -1e-9
        seen[round(top) : round(bottom), round(left) : round(right)] += 1
    assert seen.min() == 1
    assert seen[200, 300] == 6
    assert parts_of((900, 100)) == parts_of((100, 900)) == [], "a number alone"


def test_a_photo_is_turned_so_that_what_stood_on_its_head_or_ran_up_lies_as_one_reads():
    photo = gradient()
    head, up = (
        np.asarray(w.cut(photo, (round(w.length), round(w.height)))) for w in turned((60, 40))
    )
    assert (head == np.asarray(photo.rotate(180))).all()
    assert (up == np.asarray(photo.rotate(-90, expand=True))).all(), "clockwise"
    for alone in ((900, 100), (100, 900)):
        (window,) = turned(alone)
        assert window.angle == first_window(alone).angle + 180


@pytest.mark.parametrize("size", [(600, 400), (400, 600), (900, 100), (100, 900), (1, 1)])
def test_the_first_window_shows_all_of_a_photo(size):
    corners = first_window(size).corners
    assert min(x for x, _ in corners) <= 1e-9
    assert min(y for _, y in corners) <= 1e-9
    assert max(x for x, _ in corners) >= size[0] - 1e-9
    assert max(y for _, y in corners) >= size[1] - 1e-9


@pytest.mark.parametrize(
    ("letters", "angle"), [(LEVEL, 0), (STACKED, 0), (COLUMN, 90)], ids=["line", "stack", "column"]
)
def test_the_place_of_a_number_holds_its_characters_and_knows_their_direction(letters, angle):
    window = first_window((900, 900))
    place = place_of(window, letters)
    assert place.angle == pytest.approx(angle)
    xs, ys = zip(*place.corners)
    for x, y in (window.at(*letter) for letter in letters):
        assert min(xs) < x < max(xs)
        assert min(ys) < y < max(ys)


@pytest.mark.parametrize("letters", [LEVEL, STACKED, COLUMN], ids=["line", "stack", "column"])
def test_a_photo_on_its_head_shows_the_same_place_as_one_that_stands(letters):
    size = (900, 600)
    window = first_window(size)
    place, turned = place_of(window, letters), place_of(replace(window, angle=180), letters)
    assert turned.angle == pytest.approx(place.angle + 180)
    near, head = (next_window(p, size, 1.3) for p in (place, turned))
    sides = np.array([size] * 4)
    assert np.array(head.corners) == pytest.approx(sides - np.array(near.corners))


@pytest.mark.parametrize(("letters", "side"), [(LEVEL, "below"), (COLUMN, "right")])
@pytest.mark.parametrize("margin", [1.1, 1.25, 1.4])
def test_the_next_window_has_more_room_where_the_size_type_code_stands(letters, side, margin):
    size = (9000, 6000)
    place = place_of(Window(4500, 3000, 900, 600), letters)  # far from the photo's edges
    (left, top), (right, bottom) = corners_of(place)
    (near_left, near_top), (near_right, near_bottom) = corners_of(
        next_window(place, size, margin, LENT)
    )
    before, behind = (top - near_top, near_bottom - bottom)
    if side == "right":
        before, behind = left - near_left, near_right - right
    assert behind > 2 * before > 0, "the number itself is still whole in it"


def corners_of(window: Window) -> tuple[Point, Point]:
    """Return the upper left and the lower right corner of the box round a window."""
    xs, ys = zip(*window.corners)
    return (min(xs), min(ys)), (max(xs), max(ys))


@pytest.mark.parametrize("angle", [-20, -5, 0, 12, 70, 90, 110])
def test_a_slanted_number_is_found_at_its_slant(angle):
    turn = math.radians(angle)
    points = [(50 + 9 * i * math.cos(turn), 50 + 9 * i * math.sin(turn)) for i in range(7)]
    found, pitch, doubt = direction_of(points)
    assert found == pytest.approx(angle)
    assert pitch == pytest.approx(9)
    assert doubt == pytest.approx(0, abs=1e-6)


def test_points_that_lie_off_a_line_tell_no_slant():
    points = [(50 + 9 * i, 50 + 2 * i + (-1) ** i * 6) for i in range(6)]
    angle, _, doubt = direction_of(points)
    assert angle == 0
    assert doubt > 5


@given(
    letters=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=10, max_size=11),
    size=SIZES,
)
def test_wherever_letters_are_seen_the_next_window_is_of_a_shape_that_training_shows(letters, size):
    window = next_window(place_of(first_window(size), letters), size, 1.3)
    if window is None:
        return
    shape = window.length / window.height
    least, most = SHAPES[90 if window.is_upright else 0]
    assert least - 1e-6 <= shape <= most + 1e-6
    image = window.cut(Image.new("RGB", size, "white"), (48, 32))
    assert image.size == (48, 32)
    assert image.getextrema() == ((255, 255),) * 3


def test_a_window_moves_into_the_photo_as_far_as_it_fits():
    assert Window(5, 95, 40, 20).within(100, 100) == Window(20, 90, 40, 20)
    assert Window(5, 95, 40, 20, 90).within(100, 100).y == 80
    assert Window(5, 50, 400, 20).within(100, 100).x == 50


def test_a_file_is_seen_as_the_image_in_it(here):
    gradient(600, 400).save("photo.png")
    for window in (None, Window(300, 200, 90, 60), Window(300, 200, 90, 60, 90)):
        image, size = see("photo.png", window, (48, 32))
        assert size == (600, 400)
        assert image.tobytes() == see(gradient(600, 400), window, (48, 32))[0].tobytes()


@pytest.mark.parametrize("angle", [0, 12, 90])
@pytest.mark.parametrize("turned", [1, 6])
def test_a_window_on_a_large_jpeg_is_seen_alike_though_it_is_decoded_small(angle, turned, here):
    whole = Image.effect_mandelbrot((1600, 1200), (-2, -1.5, 1, 1.5), 60).convert("RGB")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    whole.save("photo.jpg", quality=95, exif=exif)
    upright = ImageOps.exif_transpose(Image.open("photo.jpg"))
    window = Window(610, 700, 520, 300, angle)
    image, size = see("photo.jpg", window, (192, 128))
    assert size == upright.size
    apart = ImageChops.difference(image, window.cut(upright, (192, 128)))
    assert max(ImageStat.Stat(apart).mean) < 4
