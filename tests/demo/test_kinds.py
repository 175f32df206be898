"""Kinds of photos: each is drawn as its name says, with a number that can be read."""

import kinds
import markings
import numpy as np
import panels
import pytest
import render
import viewpoints
import yards
from letters import Style
from stdnum import iso6346

NUMBER = "CSQU 305438 3"


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_a_photo_of_a_kind_carries_a_valid_number(kind):
    for _, photo in render.render_series(3, 4, kind=kind):
        if photo.number:  # what stands before it hides one now and then
            assert iso6346.is_valid(photo.number.replace(" ", ""))
    assert photo.number, "the last of them shows it"


def test_every_kind_has_its_share_of_what_training_shows():
    assert len(kinds.SHARES) == len(kinds.KINDS)
    assert sum(kinds.SHARES) == pytest.approx(1)
    rng = np.random.default_rng(0)
    drawn = [kinds.draw_kind(rng) for _ in range(300)]
    assert {*map(id, drawn)} == {*map(id, kinds.KINDS.values())}


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
