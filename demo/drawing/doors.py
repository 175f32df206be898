"""Door ends: two leaves, four locking bars, the number at the right leaf's top, the weights below.

Mostly a locking bar stands in the gap between owner code and serial number, and the check digit
stands apart at the leaf's edge; some numbers stand in a stack, some on the header over the door.
"""

from __future__ import annotations

import numpy as np

from demo.drawing.canvas import Canvas
from demo.drawing.letters import Block, Line, set_lines
from demo.drawing.markings import set_number, set_split
from demo.drawing.panels import (
    END_SCALE,
    WIDTH,
    Coat,
    Panel,
    is_taken,
    stick,
    write_logo,
    write_number,
    write_weights,
)
from demo.drawing.walls import draw_capital, end_frame, spread

SCALE = END_SCALE
HALF_BAR = 30 * SCALE  # and the room beside it, in pixels
EDGE = 0.935  # of the width, where the right leaf ends
HEADER = 0.07  # of the height


def door_end(rng: np.random.Generator, coat: Coat, layout: str) -> Panel:
    """Return a door end with the number in rows, as the layout says."""
    canvas = leaves(rng, coat)
    height, width = canvas.texture.shape[:2]
    inner, outer = rng.uniform(0.07, 0.1), rng.uniform(0.235, 0.275)
    if layout == "beyond":
        inner, outer = inner - 0.025, outer + 0.085
    bars = [width * (0.5 + at) for at in (-outer, -inner, inner, outer)]
    rubber = rng.uniform(0.03, 0.15)
    for x in (0.048, 0.492, 0.942):
        canvas.rectangle(x * width, 0, 0.012 * width, height, (rubber,) * 3)
    end_frame(canvas, coat, SCALE, rng)
    number: list[Line] = []
    while coat.number and not number:
        number = paint_number(rng, canvas, coat, bars, layout)
    lines = paint_texts(rng, canvas, coat, bars, number)
    canvas.age(rng, coat.age, number)
    low = line_bottom(number[:1]) + 10 * SCALE
    draw_bars(rng, canvas, coat, bars, round(low) if low < HEADER * height else 0)
    others = [
        line
        for line in number[1:] + lines
        if clear_of_bars(line, bars) and not is_taken(line.box(), number[:1])
    ]
    return Panel(canvas.texture, SCALE, number[:1] + others)


def leaves(rng: np.random.Generator, coat: Coat) -> Canvas:
    """Return the coated door, mostly with hollows across it."""
    width, height = round(WIDTH * SCALE), round(coat.height * SCALE)
    down = spread(rng, height, 0.9, 1.05)
    if rng.random() < 0.75:
        for y in np.linspace(0.14, 0.86, int(rng.integers(2, 6))) + rng.uniform(-0.03, 0.03):
            band = slice(int(y * height), int((y + rng.uniform(0.02, 0.09)) * height))
            down[band] *= rng.uniform(0.75, 1.1)
            down[band.start : band.start + 3] *= rng.uniform(0.7, 1.3)
    return Canvas(width, height, coat.paint, np.ones(width), down)


def paint_texts(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, bars: list[float], number: list[Line]
) -> list[Line]:
    """Paint logo, weights and stickers; return their lines."""
    height, width = canvas.texture.shape[:2]
    lines: list[Line] = []
    upper_left = (0.08 * width, 0.1 * height, 0.35 * width, 0.35 * height)
    if rng.random() < 0.6:
        lines += write_logo(rng, canvas, coat, upper_left, 400 * SCALE, number)
    if rng.random() < 0.92:
        start = max(line_bottom(number), 0.12 * height + 250 * SCALE)
        start += rng.uniform(80, 500) * SCALE
        values = bars[3] + 0.02 * width
        names = values - rng.uniform(250, 380) * SCALE
        if rng.random() < 0.15:
            names, values = 0.1 * width, 0.1 * width + 380 * SCALE
        capital = rng.uniform(38, 62) * SCALE
        lines += write_weights(rng, canvas, names, values, start, coat, capital)
    lower = (0.07 * width, 0.5 * height, 0.8 * width, 0.35 * height)
    for _ in range(rng.integers(0, 6)):
        lines += stick(rng, canvas, lower, SCALE, number + lines)
    if rng.random() < 0.3:
        lines += stick(rng, canvas, upper_left, SCALE, number + lines)
    return lines


def line_bottom(lines: list[Line]) -> float:
    """Return where the lowest of the letters ends; 0 where there are none."""
    return max((c.y + c.height / 2 for line in lines for c in line.letters), default=0.0)


def clear_of_bars(line: Line, bars: list[float]) -> bool:
    """Return whether no bar runs through a letter of this line."""
    half = 26 * SCALE
    return all(abs(c.x - bar) > half + c.width / 2 for c in line.letters for bar in bars)


def paint_number(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, bars: list[float], layout: str
) -> list[Line]:
    """Paint the number; return its lines, the number first, or none where it found no room."""
    height, width = canvas.texture.shape[:2]
    capital = draw_capital(rng) * SCALE
    block: Block | None
    if layout == "horizontal" and rng.random() < 0.1:  # on the header, in small letters
        block = set_number(rng, coat.number, "horizontal", coat.style, 70 * SCALE, framed=0.3)
        x = rng.uniform(0.1, 0.9 - block.width / width) * width
        return write_number(rng, canvas, block, x, 20 * SCALE, coat, SCALE)[:1]
    y = height * rng.uniform(0.07, 0.2)
    state = int(rng.integers(2**31))
    if layout == "horizontal":
        x, block = across_a_bar(rng, coat, bars, EDGE * width, capital, state)
    elif layout == "split":
        x, block = round_a_bar(rng, coat, bars, EDGE * width, capital)
    elif layout == "beyond":
        x, block = before_a_bar(rng, coat, bars, EDGE * width, capital)
    else:
        x, block = beside_a_bar(coat, bars, EDGE * width, layout, capital, state)
    return write_number(rng, canvas, block, x, y, coat, SCALE) if block is not None else []


def beside_a_bar(
    coat: Coat, bars: list[float], edge: float, layout: str, capital: float, state: int
) -> tuple[float, Block | None]:
    """Return a stack that fits between the last bar and the leaf's edge, and its left."""
    for _ in range(8):
        rng = np.random.default_rng(state)
        block = set_number(rng, coat.number, layout, coat.style, capital)
        if block.width < edge - bars[3] - 2 * HALF_BAR:
            return bars[3] + HALF_BAR, block
        capital *= 0.85
    return 0.0, None


def round_a_bar(
    rng: np.random.Generator, coat: Coat, bars: list[float], edge: float, capital: float
) -> tuple[float, Block | None]:
    """Return two rows with the last bar through the serial number, and their left."""
    state, room = rng.integers(2**31), HALF_BAR * rng.uniform(2.2, 3.5)
    for _ in range(12):
        block = set_split(np.random.default_rng(state), coat.number, coat.style, capital, room)
        split = block.lines[0].letters[8]  # the first one right of the bar
        x = bars[3] + room / 2 - (split.x - split.width / 2)
        if x > bars[2] + HALF_BAR and x + block.width < edge:
            return x, block
        capital *= 0.9
    return 0.0, None


def across_a_bar(
    rng: np.random.Generator, coat: Coat, bars: list[float], edge: float, capital: float, state: int
) -> tuple[float, Block | None]:
    """Return a row with the last bar in its gap, and its left; the digit mostly at the edge."""
    start, bar = bars[2] + HALF_BAR, bars[3]
    digit_apart = rng.random() < 0.75
    for _ in range(10):
        again = np.random.default_rng(state)
        owner = set_lines([coat.number[:4]], coat.style, capital).width
        gap = again.uniform(0.5, 1.0) if digit_apart else 0.3
        x = max(start, bar - HALF_BAR - owner - capital * gap)
        places = bar + HALF_BAR - x, edge - capital * 0.85 - x if digit_apart else 0.0
        block = set_number(again, coat.number, "horizontal", coat.style, capital, places, 0.75)
        if owner < bar - HALF_BAR - start and x + block.width < edge + 0.3 * capital:
            return x, block
        capital *= 0.9
    return 0.0, None


def before_a_bar(
    rng: np.random.Generator, coat: Coat, bars: list[float], edge: float, capital: float
) -> tuple[float, Block | None]:
    """Return a row that ends before the last bar but for the check digit, and its left."""
    state, x = rng.integers(2**31), bars[2] + HALF_BAR
    bar = bars[3] - x
    least = bar + HALF_BAR  # large letters find no room beyond it, and are made smaller
    beyond = rng.uniform(least, max(least, edge - x - capital))
    for _ in range(16):
        again = np.random.default_rng(state)
        owner = set_lines([coat.number[:4]], coat.style, capital).width
        places = owner + again.uniform(0.3, 0.8) * capital, beyond + 0.2 * capital
        block = set_number(again, coat.number, "horizontal", coat.style, capital, places, 0.75)
        last = block.lines[0].letters[9]
        if last.x + last.width / 2 < bar - HALF_BAR and x + block.width < edge + 0.2 * capital:
            return x, block
        capital *= 0.93
    return 0.0, None


def draw_bars(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, bars: list[float], top: int
) -> None:
    """Draw locking bars from a row of pixels on, with brackets, handles and shadows."""
    height = len(canvas.texture)
    zinc = np.array((0.72, 0.72, 0.7)) * rng.uniform(0.6, 1.2)
    colour = zinc if rng.random() < 0.55 else coat.paint * rng.uniform(0.8, 1.25)
    size = max(3, round(rng.uniform(32, 48) * SCALE))
    profile = np.sin(np.linspace(0.35, 2.9, size)) * rng.uniform(0.9, 1.25)
    shadow = int(rng.integers(-1, 2)) * size
    brackets = np.linspace(0.05 if not top else 0.09, 0.93, int(rng.integers(4, 7)))
    for bar in bars:
        left = round(bar - size / 2)
        if shadow:
            canvas.shade(left + shadow, top, size, height, rng.uniform(0.55, 0.9))
        part = canvas.texture[top:, left : left + size]
        part[:] = np.clip(255 * colour * profile[None, :, None], 0, 255).astype(np.uint8)
        for y in brackets:
            canvas.rectangle(left - size * 0.7, y * height, size * 2.4, 45 * SCALE, colour * 0.8)
            canvas.shade(left - size * 0.7, y * height + 45 * SCALE, size * 2.4, 10 * SCALE, 0.6)
    if rng.random() < 0.9:
        for i, at in enumerate(bars):
            y = (0.62 + 0.05 * (i % 2) + rng.uniform(-0.02, 0.02)) * height
            reach = rng.uniform(350, 500) * SCALE
            start = at - (reach if i in (1, 3) else 0)
            canvas.rectangle(start, y, reach, 30 * SCALE, colour * rng.uniform(0.7, 1.1), lit=False)
