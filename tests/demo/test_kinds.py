"""Kinds of photos: each is drawn as its name says, with a number that can be read."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from stdnum import iso6346

from demo import render
from demo.drawing import (
    boxes,
    captions,
    doors,
    kinds,
    letters,
    markings,
    panels,
    repairs,
    viewpoints,
    yards,
)
from demo.drawing.camera import Window, aim
from demo.drawing.canvas import Canvas
from demo.drawing.letters import Style
from demo.teaching import samples as windows

NUMBER = "CSQU 305438 3"


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_a_photo_of_a_kind_carries_a_valid_number(kind):
    for _, photo in render.render_series(3, 4, kind=kind):
        if photo.number:  # what stands before it hides one now and then
            assert iso6346.is_valid(photo.number.replace(" ", ""))
    assert photo.number, "the last of them shows it"


def test_every_kind_has_its_share_of_what_training_shows_but_the_depot():
    assert {*kinds.KINDS} - {*kinds.SHARES} == {"depot"}
    assert sum(kinds.SHARES.values()) == pytest.approx(1)
    rng = np.random.default_rng(0)
    drawn = [kinds.draw_kind(rng) for _ in range(500)]
    assert {*map(id, drawn)} == {id(kinds.KINDS[name]) for name in kinds.SHARES}


def test_the_depot_paints_with_faces_and_colours_that_no_training_shows():
    faces = {}
    for foreign in (False, True):
        coats = [
            panels.random_coat(np.random.default_rng([seed, 9]), NUMBER, foreign)
            for seed in range(200)
        ]
        faces[foreign] = {coat.style.face for coat in coats}
    assert faces[True] == {*letters.HELD_OUT_FACES}
    assert faces[False] == {*letters.TAUGHT_FACES}
    assert not {*panels.FOREIGN_PAINTS} & {*panels.PAINTS}


def test_the_depots_lens_bends_more_than_any_that_training_shows():
    taught = [drawn("plain", seed).camera.bend for seed in range(60)]
    assert 0 < max(taught) < min(drawn("depot", seed).camera.bend for seed in range(8))


def test_a_lying_row_runs_down_the_photo():
    for seed in range(4):
        rng = np.random.default_rng([7, seed])
        coat = panels.random_coat(rng, NUMBER)
        scene = yards.new_scene(rng, coat, "horizontal", 0.4, kinds.KINDS["lying"])
        seen = next(line for line in scene.seen_lines() if line.line.is_number)
        across, down = seen.centres[9] - seen.centres[4]
        assert down > abs(across)


def test_a_split_number_stands_on_both_sides_of_the_bar():
    block = markings.set_split(np.random.default_rng(2), NUMBER, Style(0), 30, 60)
    number = block.lines[0]
    assert [c.character for c in number.letters] == [*NUMBER.replace(" ", "")]
    left, right = number.letters[:8], number.letters[8:]
    gap = min(c.x - c.width / 2 for c in right) - max(c.x + c.width / 2 for c in left)
    assert gap >= 60
    assert {c.y > left[0].y + 20 for c in number.letters[4:]} == {True}, "two rows"


def test_a_deep_stack_has_a_row_for_each_part_of_the_number():
    block = markings.set_number(np.random.default_rng(1), NUMBER, "four-line", Style(0), 30)
    rows = [round(c.y / 20) for c in block.lines[0].letters]
    assert [rows.index(row) for row in sorted(set(rows))] == [0, 4, 7, 10]


def test_a_lane_and_a_roof_are_seen_from_above():
    rng = np.random.default_rng(3)
    coat = panels.random_coat(rng, NUMBER)
    for name in ("lane", "roof"):
        kind = kinds.KINDS[name]
        scene = yards.new_scene(rng, coat, "horizontal", 0.3, kind)
        way = viewpoints.draw_way(rng, scene.main.faces()[0], kind)
        assert way[1] > np.sin(np.deg2rad(kind.lift[0])) - 1e-6


def test_owners_that_are_rare_are_drawn_too():
    rng = np.random.default_rng(0)
    owners = {markings.draw_number(rng)[:4] for _ in range(2000)}
    assert len(owners & set(markings.registered())) > 300


def drawn(name: str, seed: int, share: float = 0.4, layout: str = "horizontal"):
    """Return a scene of a kind."""
    rng = np.random.default_rng([11, seed])
    return yards.new_scene(rng, panels.random_coat(rng, NUMBER), layout, share, kinds.KINDS[name])


def number_seen(scene):
    """Return the number as the camera sees it, or None where something hides it."""
    return next((line for line in scene.seen_lines() if line.line.is_number), None)


@pytest.mark.parametrize("repair", ["patch", "repaint"])
@pytest.mark.parametrize("layout", markings.LAYOUTS)
def test_all_ink_of_a_mended_number_lies_in_the_boxes_of_its_letters(repair, layout):
    for seed in range(3):
        rng = np.random.default_rng([seed, 5])
        style = Style(3, 0.9, 0.25)
        block = markings.set_number(rng, NUMBER, layout, style, 30, framed=0)
        chosen = repairs.choose_patched(rng) if repair == "patch" else [0, 5, 10]
        mended = repairs.in_another_hand(rng, block, chosen)
        text = "".join(c.character for c in mended.lines[0].letters)
        assert text == NUMBER.replace(" ", "")
        mask = mended.mask(2)
        for line in mended.lines:
            for c in line.letters:
                x0, x1 = (round(c.x + 2 + side * c.width / 2) for side in (-1, 1))
                y0, y1 = (round(c.y + 2 + side * c.height / 2) for side in (-1, 1))
                assert mask[y0:y1, x0:x1].max() > 100, c
                mask[y0:y1, x0:x1] = 0
        assert mask.max() == 0


def test_a_patch_lies_under_the_letters_that_it_was_laid_for_and_no_others():
    for seed in range(12):
        rng = np.random.default_rng([seed, 6])
        block = markings.set_number(rng, NUMBER, "horizontal", Style(0, 0.9, 0.25), 30, framed=0)
        canvas = Canvas(600, 200, np.zeros(3), np.ones(600), np.ones(200))
        placed = block.moved(40, 40)[0].letters
        chosen = repairs.choose_patched(rng)
        repairs.lay_patches(rng, canvas, placed, chosen, np.ones(3))
        lit = [canvas.texture[round(c.y), round(c.x)].max() > 0 for c in placed]
        assert [i for i, on in enumerate(lit) if on] == chosen
        for i in chosen:
            left = round(placed[i].x - placed[i].width / 2)
            assert canvas.texture[round(placed[i].y), left].max() > 0


def test_a_neighbours_number_is_smaller_or_cut_and_never_the_label():
    others_seen = 0
    for seed in range(8):
        scene = drawn("neighbours", seed, layout="two-line")
        seen = number_seen(scene)
        for box in scene.others:
            whole = boxes.largest_number(box, scene.camera, 10)
            if seen:
                assert whole < yards.LARGEST_IN_CROWD * seen.pitch
            others_seen += boxes.largest_number(box, scene.camera, 0) > 0
        assert {line.line.text for line in scene.seen_lines() if line.line.is_number} <= {NUMBER}
    assert others_seen >= 6


def test_a_caption_is_written_beside_the_number_and_is_no_line_of_the_scene():
    captions = 0
    for seed in range(8):
        scene = drawn("caption", seed)
        seen = number_seen(scene)
        if seen is None:
            continue
        low, high = seen.centres.min(0), seen.centres.max(0)
        for caption in scene.captions:
            right, bottom = caption.left + caption.width, caption.top + caption.height
            apart = (
                right < low[0], caption.left > high[0], bottom < low[1], caption.top > high[1]
            )  # fmt: skip
            assert any(apart)
            captions += 1
        bare = dataclasses.replace(scene, captions=[])
        window = windows.whole(scene)
        differs = (scene.render(window, 320, 240) != bare.render(window, 320, 240)).any(2)
        x, y = (seen.centres / scene.camera.size * (320, 240)).astype(int).T
        assert not differs[y, x].any()
        assert differs.any() == bool(scene.captions)
    assert captions >= 6


def test_a_caption_stands_at_its_place_in_every_window():
    image = np.full((20, 60, 4), 255, np.uint8)
    caption = captions.Caption(image, 100.0, 50.0, 30.0, 10.0)
    window = Window(115, 55, 60, 20, 0.0)
    canvas = np.zeros((40, 120, 3), np.uint8)
    caption.draw(canvas, window)
    rows, columns = np.nonzero(canvas[..., 0] > 128)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (30, 89, 10, 29)


@pytest.mark.parametrize("layout", ["horizontal", "two-line", "vertical"])
def test_a_check_digit_apart_stands_farther_off_than_any_other(layout):
    style = Style(2, apart=3.0)
    rng = np.random.default_rng(1)
    letters = markings.set_number(rng, NUMBER, layout, style, 30).lines[0].letters
    steps = [np.hypot(b.x - a.x, b.y - a.y) for a, b in pairwise(letters[4:])]
    assert steps[-1] > 1.8 * max(steps[:-1])


def test_a_locking_bar_stands_before_a_check_digit_beyond_it():
    for seed in range(4):
        rng = np.random.default_rng([8, seed])
        coat = panels.random_coat(rng, NUMBER)
        panel = doors.door_end(rng, coat, "beyond")
        *row, digit = panel.number.letters
        gap = digit.x - digit.width / 2 - (row[-1].x + row[-1].width / 2)
        assert gap > 2 * doors.HALF_BAR
        assert max(abs(c.y - digit.y) for c in row) < digit.height / 3


def test_a_cut_out_stands_alone_before_a_plain_ground():
    scene = drawn("cutout", 1, share=0.3)
    assert not scene.others
    image = scene.render(windows.whole(scene), 80, 60)
    corners = image[0, 0], image[0, -1]
    assert np.ptp(np.array(corners, int), axis=0).max() <= 3


def test_a_stretched_photo_shows_each_letter_where_its_camera_says():
    """One letter is painted over: the two renders differ at its place."""
    scene = drawn("square", 3)
    assert scene.camera.size[0] == scene.camera.size[1]
    assert scene.camera.stretch[0] != pytest.approx(scene.camera.stretch[1])
    points = np.random.default_rng(1).uniform(-500, 500, (20, 3)) + scene.main.sides / 2
    pixels, depth = scene.camera.project(points)
    pixels, points = pixels[depth > 500], points[depth > 500]
    flat = (points - scene.camera.place) @ scene.camera.axes.T
    expected = flat[:, :2] / flat[:, 2:] * scene.camera.focal
    assert np.allclose(np.stack(scene.camera.straighten(*pixels.T), 1), expected, rtol=1e-3, atol=1)


def test_a_line_scan_shows_what_is_farther_off_as_large_and_streaks_along_the_train():
    turned = set()
    for seed in range(8):
        scene = drawn("linescan", seed, share=0.3)
        size = scene.camera.size
        along_x, seen = size[0] >= size[1], number_seen(scene)
        face = scene.main.faces()[0]
        near, far = (scene.camera.project(face.corners() + d * face.normal)[0] for d in (0, -2000))
        assert abs(np.linalg.norm(near[2] - near[0]) / np.linalg.norm(far[2] - far[0]) - 1) < 0.01
        bare = dataclasses.replace(scene.main, panels={})
        streaked = dataclasses.replace(scene, main=bare, others=[], lines=[])
        image = streaked.render(windows.whole(scene), 60, 60).astype(int)
        assert np.ptp(image, axis=1 if along_x else 0).max() == 0
        assert np.ptp(image, axis=0 if along_x else 1).max() > 0
        across, down = seen.centres[9] - seen.centres[4]
        assert (down > abs(across)) == (along_x == (scene.target == "roof"))
        turned.add((along_x, scene.target))
    assert len(turned) >= 3


@pytest.mark.parametrize("kind", ["linescan", "ribs", "slant", "crop", "worn"])
def test_each_letter_stands_where_the_ground_truth_says(kind):
    """What is painted over one letter is seen at its place, and nowhere else."""
    for seed in range(3):
        scene = drawn(kind, seed)
        scene = dataclasses.replace(scene, lines=[], captions=[])
        seen, panel = number_seen(scene), scene.main.panels[scene.target]
        window = windows.whole(scene)
        before = scene.render(window, *scene.camera.size).astype(int)
        letter = panel.number.letters[6]
        x0, x1 = (round(letter.x + side * letter.width / 2) for side in (-1, 1))
        y0, y1 = (round(letter.y + side * letter.height / 2) for side in (-1, 1))
        panel.texture[y0:y1, x0:x1] = 255 - panel.texture[y0:y1, x0:x1]
        panel.__dict__.pop("levels")
        y, x = np.nonzero((scene.render(window, *scene.camera.size) - before != 0).any(2))
        middle = (x.min() + x.max() + 1) / 2, (y.min() + y.max() + 1) / 2
        assert np.hypot(*(middle - seen.centres[6])) < 0.25 * seen.pitch


def test_a_slanting_column_is_turned_to_either_side():
    turns = []
    for seed in range(8):
        camera = drawn("slant", seed, layout="vertical").camera
        level = np.cross((0.0, 1.0, 0.0), camera.axes[2])
        cos = camera.axes[0] @ level / np.linalg.norm(level)
        turns.append(np.rad2deg(np.arccos(cos)) * np.sign(camera.axes[0][1]))
    assert all(8 <= abs(turn) <= 60 for turn in turns)
    assert max(map(abs, turns)) > 30
    assert min(turns) < 0 < max(turns)


def test_a_crop_is_grey_and_the_number_takes_much_of_it():
    for seed in range(4):
        seen = number_seen(drawn("crop", seed))
        assert seen.pitch > 0.03 * drawn("crop", seed).camera.size[0]
    for _, photo in render.render_series(3, 6, kind="crop"):
        red, green, blue = np.asarray(photo.image).astype(int).transpose(2, 0, 1)
        assert max(np.abs(red - green).max(), np.abs(blue - green).max()) <= 2
        assert photo.image.width == photo.image.height


def test_paint_has_come_off_a_worn_number_but_not_off_what_stands_round_it():
    """Its letters differ from those of the same number when new; the rest is as it was."""
    block = markings.set_number(np.random.default_rng(1), NUMBER, "horizontal", Style(0), 60)
    coat = panels.random_coat(np.random.default_rng(2), NUMBER)
    inks = []
    for worn in (False, True):
        canvas = Canvas(900, 120, np.zeros(3), np.ones(900), np.ones(120))
        own = dataclasses.replace(coat, ink=np.ones(3), age=0.0, worn=worn)
        panels.write_number(np.random.default_rng(5), canvas, block, 20, 20, own, 0.1)
        inks.append(canvas.texture[..., 0].astype(int))
    new, worn = inks
    assert 0.3 < worn.sum() / new.sum() < 0.95
    assert (worn <= new + 1).all()


def test_small_photos_are_written_as_small_as_they_are():
    for _, photo in render.render_series(3, 6, kind="small"):
        assert photo.image.size in kinds.SMALL_SIZES


def test_a_face_of_few_pixels_is_drawn_no_larger_than_it_is():
    """It hid numbers beside it: an eighth of it was drawn beyond each edge."""
    box = boxes.Box(np.array((-500.0, 0, 0)), np.array((1000.0, 1000, 10)))
    box.panels = {"near": panels.Panel(np.full((8, 8, 3), (250, 0, 0), np.uint8), 0.01)}
    place, middle = np.array((0.0, 500, -3000)), np.array((0.0, 500, 0))
    camera = aim(place, middle, (200, 200), (400, 400), 400, 0, 0)
    scene = dataclasses.replace(drawn("cutout", 1), camera=camera, main=box, shades={"near": 1.0})
    image = scene.render(windows.whole(scene), 400, 400).astype(int)
    y, x = np.nonzero(image[..., 0] > image[..., 1] + 200)
    ends = camera.project(box.faces()[0].corners())[0][[0, 2]]
    seen = np.array([(x.min(), y.min()), (x.max() + 1, y.max() + 1)])
    assert abs(seen - ends).max() <= 1.5


def test_a_long_box_behind_is_drawn_before_the_one_that_it_cannot_hide():
    """Its nearest point is nearer to the camera, though it stands behind."""
    scene = drawn("cutout", 1)
    place = np.array((5000.0, 1000.0, -300.0))
    main = boxes.Box(np.array((0.0, 0, 0)), np.array((2000.0, 2000, 500)))
    behind = boxes.Box(np.array((0.0, 0, 600)), np.array((5000.0, 2000, 2000)))
    before = boxes.Box(np.array((0.0, 0, -250)), np.array((500.0, 2000, 200)))
    camera = dataclasses.replace(scene.camera, place=place)
    scene = dataclasses.replace(scene, camera=camera, main=main, others=[behind, before])
    order = [box.corner[2] for box in scene.from_far_to_near()]
    assert order == [600, 0, -250]
