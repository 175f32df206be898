"""Sheets full of letters: what teaches the vision tower to tell characters apart, before texts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from demo.drawing import letters
from demo.drawing.canvas import Canvas, contrasting, ribs
from demo.drawing.develop import develop
from demo.drawing.letters import Block, Letter, Line, Style
from demo.drawing.panels import random_coat
from demo.teaching.samples import HEIGHT, WIDTH, Sample, fit

POOLS = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
SCALE = 2  # pixels for each of the model's


def draw_sheet(rng: np.random.Generator) -> Sample:
    """Return a sheet full of random letters in several faces, some upside down the side."""
    coat = random_coat(rng, "")
    width, height = WIDTH * SCALE, HEIGHT * SCALE
    across = ribs(rng, width, 0.2)[0] if rng.random() < 0.6 else np.ones(width)
    canvas = Canvas(width, height, coat.paint, across, np.ones(height))
    turned = rng.random() < 0.6
    lines, y = [], rng.uniform(2, 12)
    while y < height - 20:
        capital = rng.uniform(7, 26) * SCALE
        style = letters.draw_style(rng)
        length = int(rng.integers(6, 26))
        text = "".join(rng.choice(list(POOLS[rng.integers(3)]), length))
        ink = coat.ink if rng.random() < 0.7 else contrasting(rng, coat.paint)
        x = rng.uniform(2, 40)
        if turned:
            row = set_lying(text, style, capital)
        else:
            row = letters.set_lines([text], style, capital)
        canvas.write(rng, row, x, y, ink, rng.uniform(0.6, 1))
        for line in row.moved(round(x), round(y)):
            lines.append(replace(line, letters=tuple(c for c in line.letters if c.x < width)))
        y += row.height * rng.uniform(1.15, 1.6)
    canvas.age(rng, coat.age)
    image = develop(rng, canvas.texture, SCALE)
    lines = [
        replace(line, letters=tuple(
            Letter(c.character, c.x / width, c.y / height, c.width / width, c.height / height)
            for c in line.letters))
        for line in lines
    ]  # fmt: skip
    return Sample(fit(image), tuple(lines), 1.0)


def set_lying(text: str, style: Style, capital: float) -> Block:
    """Return a row of letters that lie on their side: a column that was turned."""
    marks, placed, _ = letters.set_column(text, style, capital, capital, 0, 1.3, 0.7)
    wide = 2 * capital
    sprites = [(np.rot90(ink), top, round(wide - left - ink.shape[1])) for ink, left, top in marks]
    turned = tuple(Letter(c.character, c.y, wide - c.x, c.height, c.width) for c in placed)
    shift = min(top for _, _, top in sprites)
    sprites = [(ink, left, top - shift) for ink, left, top in sprites]
    turned = tuple(replace(c, y=c.y - shift) for c in turned)
    return Block(tuple(sprites), (Line(text, turned),))
