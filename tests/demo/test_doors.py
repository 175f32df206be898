"""Tests of doors on which the number and its check digit stand apart."""

import numpy as np

from demo.drawing import doors, panels


def test_a_check_digit_stands_beyond_the_bar_however_large_the_letters_were_to_be():
    """Large letters are made smaller until they find room; once none was drawn for them at all."""
    rng, drawn = np.random.default_rng(0), 0
    width = doors.leaves(rng, panels.random_coat(rng, "CSQU 305438 3")).texture.shape[1]
    for seed in range(60):
        rng = np.random.default_rng(seed)
        coat = panels.random_coat(rng, "CSQU 305438 3")
        bars = [
            0.0,
            0.0,
            (0.5 + rng.uniform(0.045, 0.075)) * width,
            rng.uniform(0.82, 0.86) * width,
        ]
        capital = rng.uniform(60, 200) * doors.SCALE
        x, block = doors.before_a_bar(rng, coat, bars, doors.EDGE * width, capital)
        if block:
            digit = block.lines[0].letters[10]
            assert x + digit.x - digit.width / 2 > bars[3]
            drawn += 1
    assert drawn > 20
