"""Deep ribs: they move letters, and the ground truth with them."""

import numpy as np

from demo.drawing.canvas import Canvas, ribs, seen_aslant
from demo.drawing.letters import Block, Letter, Line

NUMBER = "CSQU 305438 3"


def test_ribs_move_letters_up_and_down_and_their_boxes_with_them():
    jumps = []
    for seed in range(12):
        rng = np.random.default_rng([seed, 8])
        _, depth = ribs(rng, 700, 0.25)
        lean, rise = seen_aslant(rng, depth, 0.25)
        canvas = Canvas(700, 200, np.zeros(3), np.ones(700), np.ones(200), lean, rise)
        row = tuple(Letter(c, 10 + 28 * i, 15, 20, 30) for i, c in enumerate(NUMBER))
        sprites = tuple((np.full((30, 20), 255, np.uint8), 28 * i, 0) for i in range(len(row)))
        block = Block(sprites, (Line(NUMBER, row, is_number=True),))
        letters = canvas.write(rng, block, 60, 60, np.ones(3))[0].letters
        ink = canvas.texture[..., 0] > 60
        for c in letters:
            left, right = (round(c.x + side * (c.width / 2 + 1)) for side in (-1, 1))
            y, x = np.nonzero(ink[:, left:right])
            low, high = (c.x - c.width / 2, c.y - c.height / 2), (c.width, c.height)
            assert np.all(abs(np.array((left + x.min(), y.min())) - low) < 2.6), (seed, c)
            extent = x.max() + 1 - x.min(), y.max() + 1 - y.min()
            assert np.all(abs(np.array(extent) - high) < 4), (seed, c)
        jumps.append(np.ptp([c.y for c in letters]))
    assert np.median(jumps) > 3
