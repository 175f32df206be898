"""Ends of other kinds of containers: tanks in their frame, and the machine end of reefers."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from demo.drawing.canvas import Canvas, contrasting
from demo.drawing.letters import Line
from demo.drawing.markings import set_number
from demo.drawing.panels import END_SCALE, WIDTH, Coat, Panel, stick, write_logo, write_number


def tank_end(rng: np.random.Generator, coat: Coat, layout: str) -> Panel:
    """Return the end of a tank container: a disc behind a frame, the number on the disc."""
    scale = END_SCALE
    width, height = round(WIDTH * scale), round(coat.height * scale)
    canvas = Canvas(
        width, height, np.full(3, rng.uniform(0.1, 0.7)), np.ones(width), np.ones(height)
    )
    pale = np.clip(rng.uniform(0.6, 0.92) + rng.normal(0, 0.04, 3), 0, 0.95)
    middle, radius = (width // 2, height // 2), round(0.47 * width)
    for step in range(8):  # towards the rim it is darker
        tone = 255 * pale * (0.7 + 0.3 * step / 7)
        cv2.circle(canvas.texture, middle, round(radius * (1 - 0.05 * step)), tuple(tone), -1)
    beam, frame = 110 * scale, tuple(255 * coat.paint)
    for x in (0, width - beam):
        canvas.rectangle(x, 0, beam, height, coat.paint)
    for y in (0, height - beam):
        canvas.rectangle(0, y, width, beam, coat.paint)
    reach = rng.uniform(0.12, 0.25) * width
    for x, y in ((0, 0), (width, 0), (0, height), (width, height)):
        inner = abs(x - reach), abs(y - reach)
        ends = (round(inner[0]), round(y)), (round(x), round(inner[1]))
        cv2.line(canvas.texture, *ends, frame, round(0.6 * beam), cv2.LINE_AA)
    coat = replace(coat, paint=pale, ink=contrasting(rng, pale))
    taken = place_number(rng, canvas, coat, layout, (0.25, 0.5), 0.66 * width)
    lines = write_logo(
        rng,
        canvas,
        coat,
        (0.2 * width, 0.55 * height, 0.6 * width, 0.2 * height),
        400 * scale,
        taken,
    )
    lines += stick(
        rng, canvas, (0.25 * width, 0.5 * height, 0.4 * width, 0.25 * height), scale, taken
    )
    canvas.age(rng, coat.age, taken)
    return Panel(canvas.texture, scale, taken + lines)


def machine_end(rng: np.random.Generator, coat: Coat, layout: str) -> Panel:
    """Return the end of a reefer: a machine below, the number on the smooth wall above."""
    scale = END_SCALE
    width, height = round(WIDTH * scale), round(coat.height * scale)
    canvas = Canvas(width, height, coat.paint, np.ones(width), np.linspace(1.0, 0.9, height))
    post, top = 110 * scale, rng.uniform(0.28, 0.4) * height
    dark = np.full(3, rng.uniform(0.05, 0.35))
    canvas.rectangle(post, top, width - 2 * post, 0.9 * height - top, dark)
    for _ in range(rng.integers(3, 9)):
        x, y = rng.uniform(0.08, 0.7) * width, rng.uniform(top, 0.8 * height)
        wide, high = rng.uniform(0.08, 0.4) * width, rng.uniform(0.04, 0.2) * height
        wide, high = min(wide, 0.92 * width - x), min(high, 0.9 * height - y)
        canvas.rectangle(x, y, wide, high, np.full(3, rng.uniform(0.1, 0.85)))
        if rng.random() < 0.5:
            for row in np.arange(y, y + high, 4):
                canvas.shade(x, row, wide, 1, 0.6)
    centre = round(rng.uniform(0.25, 0.75) * width), round(top + 0.25 * (height - top))
    cv2.circle(canvas.texture, centre, round(0.1 * width), (20, 20, 20), -1, cv2.LINE_AA)
    taken = place_number(rng, canvas, coat, layout, (0.06, 0.12), 0.8 * width)
    canvas.age(rng, coat.age, taken)
    return Panel(canvas.texture, scale, taken)


def place_number(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, layout: str, tops: tuple[float, float],
    most: float,
) -> list[Line]:  # fmt: skip
    """Paint the number between two heights, at most so wide; return its lines, itself first."""
    height, width = canvas.texture.shape[:2]
    if not coat.number:
        return []
    state, capital = rng.integers(2**31), rng.uniform(90, 140) * END_SCALE
    while True:
        again = np.random.default_rng(state)
        block = set_number(again, coat.number, layout, coat.style, capital)
        if block.width <= most:
            break
        capital *= 0.9
    x = (width - block.width) / 2 + rng.uniform(-1, 1) * (most - block.width) / 2
    return write_number(rng, canvas, block, x, rng.uniform(*tops) * height, coat, END_SCALE)
