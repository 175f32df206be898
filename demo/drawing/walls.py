"""The walls of a container: front end, side and roof, each a painted panel; and what ends share.

On sides and front ends the number stands at the upper right in a row, a stack or a column; on a
roof at the front edge.
"""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Canvas, ribs, seen_aslant
from demo.drawing.letters import Line
from demo.drawing.markings import set_number
from demo.drawing.panels import (
    END_SCALE,
    SIDE_SCALE,
    WIDTH,
    Coat,
    Panel,
    stick,
    write_logo,
    write_number,
)


def spread(rng: np.random.Generator, length: int, least: float, most: float) -> np.ndarray:
    """Return light that changes evenly along [length]."""
    return np.linspace(rng.uniform(least, most), rng.uniform(least, most), length)


def end_frame(canvas: Canvas, coat: Coat, scale: float, rng: np.random.Generator) -> None:
    """Draw corner posts, header and sill of an end."""
    width, height = WIDTH * scale, coat.height * scale
    tone = rng.uniform(0.75, 1.15)
    post, head = 110 * scale, rng.uniform(90, 150) * scale
    for x in (0, width - post):
        canvas.rectangle(x, 0, post, height, coat.paint * tone, lit=False)
        canvas.shade(x + (post if x == 0 else -8 * scale), 0, 8 * scale, height, 0.55)
    for y in (0, height - 1.2 * head):
        canvas.rectangle(0, y, width, head, coat.paint * tone * rng.uniform(0.9, 1.1), lit=False)
    canvas.shade(post, head, width - 2 * post, 12 * scale, 0.6)
    casting = (
        np.array((0.25, 0.2, 0.18)) * rng.uniform(0.6, 2) if rng.random() < 0.7 else coat.paint
    )
    for x in (0, width - 170 * scale):
        for y in (0, height - 120 * scale):
            canvas.rectangle(x, y, 170 * scale, 120 * scale, casting, lit=False)
            canvas.rectangle(x + 45 * scale, y + 30 * scale, 80 * scale, 55 * scale, (0.04,) * 3)
    if rng.random() < 0.25:
        stripes(canvas, rng.uniform(0.5, 0.9) * width, 0.2 * head, 300 * scale, 0.6 * head)


def draw_capital(rng: np.random.Generator) -> float:
    """Return the height of a number's capitals, in millimetres."""
    return float(rng.choice((100, 100, 100, 110, 120, 150, 90)) * rng.uniform(0.93, 1.07))


def stripes(canvas: Canvas, x: float, y: float, width: float, height: float) -> None:
    """Draw black and yellow stripes, as on high cubes."""
    count = 8
    for i in range(count):
        colour = (0.9, 0.75, 0.1) if i % 2 else (0.08, 0.08, 0.08)
        canvas.rectangle(x + width * i / count, y, width / count, height, colour, lit=False)


def corrugated(
    rng: np.random.Generator, coat: Coat, length: int, scale: float, frame: bool
) -> tuple[Canvas, float]:
    """Return the canvas of a side or front wall, and how deep its rails are in pixels."""
    width, height = round(length * scale), round(coat.height * scale)
    down = spread(rng, height, 0.88, 1.06)
    light, depth = ribs(rng, width, scale)
    if rng.random() < 0.08 and not coat.deep:  # a smooth wall
        light, depth = np.ones(width), np.zeros(width, np.float32)
    lean = depth * np.float32(rng.normal(0, 9) * scale) if rng.random() < 0.7 else None
    rise = None
    if coat.deep:
        lean, rise = seen_aslant(rng, depth, scale)
    across = light * spread(rng, width, 0.9, 1.05)
    canvas = Canvas(width, height, coat.paint, across, down, lean, rise)
    rail = rng.uniform(60, 130) * scale
    tone = coat.paint * rng.uniform(0.8, 1.15)
    if frame:
        end_frame(canvas, coat, scale, rng)
    else:
        canvas.rectangle(0, 0, width, rail, tone, lit=False)
        canvas.rectangle(0, height - 1.3 * rail, width, 1.3 * rail, tone, lit=False)
        canvas.shade(0, rail, width, 12 * scale, rng.uniform(0.5, 0.95))
        post = 90 * scale
        for x in (0, width - post):
            canvas.rectangle(x, 0, post, height, tone * rng.uniform(0.85, 1.1), lit=False)
            casting = np.array((0.25, 0.2, 0.18)) if rng.random() < 0.6 else coat.paint * 0.9
            for y in (0, height - 120 * scale):
                canvas.rectangle(x, y, post, 120 * scale, casting, lit=False)
        if rng.random() < 0.7:
            vent = (0.5, 0.5, 0.45) if rng.random() < 0.5 else coat.paint * rng.uniform(0.7, 1.2)
            x = width - rng.uniform(150, 500) * scale
            canvas.rectangle(x, rail + rng.uniform(20, 80) * scale, 60 * scale, 130 * scale, vent)
    return canvas, rail


def wall_number(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, layout: str, rail: float, scale: float
) -> list[Line]:
    """Paint the number at the upper right of a corrugated wall; return its lines, itself first."""
    height, width = canvas.texture.shape[:2]
    capital = draw_capital(rng) * scale
    state = rng.integers(2**31)
    for _ in range(12):
        again = np.random.default_rng(state)
        block = set_number(again, coat.number, layout, coat.style, capital, None, 0.6)
        right = again.uniform(110, 900 if layout != "vertical" else 750) * scale
        top = rail + again.uniform(60, 500) * scale
        x = width - right - block.width
        if again.random() < 0.04:
            x = again.uniform(0.1, 0.6) * width
        if x > 100 * scale and top + block.height < 0.93 * height:
            return write_number(rng, canvas, block, x, top, coat, scale)
        capital *= 0.9
    return []


def wall(rng: np.random.Generator, coat: Coat, layout: str, length: int, scale: float) -> Panel:
    """Return a corrugated wall with the number in this layout, a logo, notes."""
    canvas, rail = corrugated(rng, coat, length, scale, frame=length == WIDTH)
    height, width = canvas.texture.shape[:2]
    lines: list[Line] = []
    number = wall_number(rng, canvas, coat, layout, rail, scale) if coat.number else []
    if rng.random() < 0.5:
        box = (0.05 * width, 0.3 * height, 0.8 * width, 0.5 * height)
        lines += write_logo(rng, canvas, coat, box, 1300 * scale, number)
    for _ in range(rng.integers(0, 5)):
        box = (width - 1200 * scale, 0.4 * height, 1000 * scale, 0.5 * height)
        if length == WIDTH:
            box = (0.08 * width, 0.3 * height, 0.75 * width, 0.6 * height)
        lines += stick(rng, canvas, box, scale, number + lines)
    canvas.age(rng, coat.age, number)
    return Panel(canvas.texture, scale, number + lines)


def front_end(rng: np.random.Generator, coat: Coat, layout: str) -> Panel:
    """Return the end without a door."""
    return wall(rng, coat, layout, WIDTH, END_SCALE)


def side(rng: np.random.Generator, coat: Coat, layout: str) -> Panel:
    """Return a long side."""
    return wall(rng, coat, layout, coat.length, SIDE_SCALE)


def roof(rng: np.random.Generator, coat: Coat, numbered: bool) -> Panel:
    """Return the roof; the number may stand at its front edge, read from the front."""
    scale = SIDE_SCALE
    width, height = round(WIDTH * scale), round(coat.length * scale)
    light = rng.uniform(0.9, 1.5)
    across = np.full(width, light)
    pale = coat.paint if rng.random() < 0.6 else np.clip(coat.paint + 0.25, 0, 0.95)
    canvas = Canvas(width, height, pale, across, ribs(rng, height, scale)[0])
    rail = 90 * scale
    for x, y, wide, high in (
        (0, 0, rail, height),
        (width - rail, 0, rail, height),
        (0, height - 2.2 * rail, width, 2.2 * rail),
    ):
        canvas.rectangle(x, y, wide, high, pale * light * rng.uniform(0.8, 1.1), lit=False)
    lines: list[Line] = []
    if numbered and coat.number:
        capital = rng.uniform(90, 160) * scale
        layout = "horizontal" if rng.random() < 0.9 else "two-line"
        block = set_number(rng, coat.number, layout, coat.style, capital, None, 0.3)
        x = rng.uniform(0.08, max(0.1, 0.92 - block.width / width)) * width
        y = height - block.height - rng.uniform(20, 500) * scale
        lines = write_number(rng, canvas, block, x, y, coat, scale)
    canvas.age(rng, min(1.0, coat.age + 0.2), lines)
    return Panel(canvas.texture, scale, lines)
