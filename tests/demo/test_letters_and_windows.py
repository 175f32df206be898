"""Letters stand on walls where they are said to, and in windows, and lessons show both."""

import dataclasses

import numpy as np
import pytest
from stdnum import iso6346

from containers.number.iso6346 import find_numbers
from demo.drawing import boxes, doors, ends, letters, markings, panels, walls, yards
from demo.drawing.camera import Window, aim
from demo.teaching import lessons
from demo.teaching import samples as windows
from florence.inputs import PROMPT


@pytest.mark.parametrize("layout", markings.LAYOUTS)
@pytest.mark.parametrize("face", range(0, len(letters.FACES), 5))
def test_all_ink_of_a_number_lies_in_the_boxes_of_its_letters(layout, face):
    rng = np.random.default_rng([face, 1])
    style, margin = letters.Style(face, 0.9, 0.2), 2
    block = markings.set_number(rng, "CSQU 305438 3", layout, style, 30, framed=0)
    mask = block.mask(margin)
    whole = mask.copy()
    for letter in (letter for line in block.lines for letter in line.letters):
        half_x, half_y = letter.width / 2, letter.height / 2
        x0, x1 = (round(letter.x + margin + side * half_x) for side in (-1, 1))
        y0, y1 = (round(letter.y + margin + side * half_y) for side in (-1, 1))
        part = whole[y0:y1, x0:x1]
        edges = part[:3], part[-3:], part[:, :3], part[:, -3:]
        assert min(int(edge.max()) for edge in edges) > 20, letter
        mask[y0:y1, x0:x1] = 0
    assert mask.max() == 0


ROWS = markings.LAYOUTS[:3]
PAINTERS = [
    *((doors.door_end, layout) for layout in ROWS),
    *((ends.tank_end, layout) for layout in ROWS),
    *((ends.machine_end, layout) for layout in ROWS),
    *((walls.front_end, layout) for layout in markings.LAYOUTS),
    *((walls.side, layout) for layout in markings.LAYOUTS),
]


@pytest.mark.parametrize(("paint", "layout"), PAINTERS)
def test_every_wall_carries_its_number_whole_and_nothing_is_painted_over_it(paint, layout):
    for seed in range(4):
        rng = np.random.default_rng([9, seed])
        panel = paint(rng, panels.random_coat(rng, "CSQU 305438 3"), layout)
        height, width = panel.texture.shape[:2]
        left, top, right, bottom = panel.number.box()
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for line in panel.lines:
            assert line is panel.number or not panels.is_taken(line.box(), [panel.number]), line


@pytest.mark.parametrize("layout", markings.LAYOUTS)
@pytest.mark.parametrize("kind", [windows.FAR, windows.MID, windows.NEAR])
def test_each_letter_is_seen_where_the_window_says(layout, kind):
    """Two renders of one window, in which one letter alone differs, differ there."""
    rng = np.random.default_rng([len(layout), len(kind)])
    scene = yards.new_scene(rng, panels.random_coat(rng, "CSQU 305438 3"), layout, 0.5)
    face = next(
        face for face in scene.main.faces() if face.panel is scene.main.panels[scene.target]
    )
    seen = next(line for line in boxes.lines_of(face, scene.camera) if line.line.is_number)
    window = windows.choose_window(rng, scene, [seen], kind)
    line, _ = windows.in_window(seen, window)
    before = scene.render(window, 384, 256).astype(int)
    for i in (0, 5, 10):
        painted, place = face.panel.number.letters[i], line.letters[i]
        texture = face.panel.texture.copy()
        x0, x1 = (round(painted.x + side * painted.width / 2) for side in (-1, 1))
        y0, y1 = (round(painted.y + side * painted.height / 2) for side in (-1, 1))
        texture[y0:y1, x0:x1] ^= 128
        other = dict(scene.main.panels)
        other[scene.target] = panels.Panel(texture, face.panel.scale, face.panel.lines)
        changed = dataclasses.replace(scene, main=dataclasses.replace(scene.main, panels=other))
        apart = np.abs(changed.render(window, 384, 256) - before).sum(2)
        y, x = np.nonzero(apart > 40)
        reach = 2 + 0.25 * max(place.width * 384, place.height * 256)
        assert abs((x.mean() + 0.5) - place.x * 384) < reach, (i, place)
        assert abs((y.mean() + 0.5) - place.y * 256) < reach, (i, place)


@pytest.mark.parametrize("bend", [0.0, 0.05, 0.35])
def test_a_lens_bends_and_straightens_alike(bend):
    camera = aim(np.array((0.0, 2e3, -8e3)), np.zeros(3), (300, 200), (640, 480), 500, 0.1, bend)
    points = np.random.default_rng(1).uniform(-1500, 1500, (50, 3))
    pixels, depth = camera.project(points)
    assert depth.min() > 0
    flat = (points - camera.place) @ camera.axes.T
    expected = flat[:, :2] / flat[:, 2:] * camera.focal
    assert np.allclose(np.stack(camera.straighten(*pixels.T), 1), expected, atol=1e-6)


def test_a_window_is_what_its_shares_say():
    window = Window(100, 80, 60, 30, 0.4)
    x, y = window.grid(6, 3)
    shares = window.shares(np.stack([x.ravel(), y.ravel()], 1))
    assert np.allclose(shares[:6, 0], (np.arange(6) + 0.5) / 6, atol=1e-5)
    assert np.allclose(shares[::6, 1], (np.arange(3) + 0.5) / 3, atol=1e-5)


def test_a_column_is_turned_so_that_its_top_lies_left():
    rng = np.random.default_rng(5)
    scene = yards.new_scene(rng, panels.random_coat(rng, "CSQU 305438 3"), "vertical", 0.4)
    seen = next(line for line in scene.seen_lines() if windows.is_column(line))
    for _ in range(10):
        line, _ = windows.in_window(seen, windows.window_round(rng, seen, 0.8))
        x = [letter.x for letter in line.letters]
        assert x == sorted(x)
        assert windows.is_inside(line)


def test_what_is_written_of_a_window_begins_with_the_number():
    kinds = set()
    for seed in range(6):
        for sample in windows.draw_samples(np.random.default_rng([2, seed]), 3, False):
            places = lessons.places_of_text(sample.lines)
            assert len(places) == len(sample.text)
            known = [c for c, (x, _) in zip(sample.text, places, strict=True) if x == x]
            assert "".join(known) == "".join(sample.text.split())
            assert sample.image.shape == (windows.HEIGHT, windows.WIDTH, 3)
            numbers = find_numbers(sample.text)
            if numbers:
                assert iso6346.is_valid(numbers[0])
                assert sample.lines[0].is_number
                assert sample.text.startswith(sample.lines[0].text)
            kinds.add(sample.clear > 0.9)
    assert kinds == {True, False}


def test_the_same_step_gives_the_same_batch():
    for prompt in (None, lessons.CODE, PROMPT):
        a, b = (lessons.draw_batch(3, 2, prompt) for _ in range(2))
        assert [sample.text for sample in a] == [sample.text for sample in b]
        assert all(np.array_equal(x.image, y.image) for x, y in zip(a, b, strict=True))
