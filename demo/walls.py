"""The walls of a container: door end, front end, side and roof, each a painted panel.

Layouts are those of real ones: on a door the number stands at the right leaf's top, a locking bar
in the gap between owner and serial; on sides and front ends in one row, in a stack or in a column.
"""

from __future__ import annotations

import letters
import numpy as np
from canvas import Canvas, ribs
from letters import Line
from markings import set_number
from panels import (
    END_SCALE,
    SIDE_SCALE,
    WIDTH,
    Coat,
    Panel,
    is_taken,
    stick,
    write_logo,
    write_number,
    write_weights,
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


def keep_clear(lines: list[Line], number: Line | None) -> list[Line]:
    """Return the lines that nothing was painted over: those that do not overlap the number."""
    return [line for line in lines if number is None or not is_taken(line.box(), [number])]


def door_end(rng: np.random.Generator, coat: Coat, layout: str) -> Panel:
    """Return a door end: two leaves, four locking bars, the number at the upper right."""
    scale = END_SCALE
    width, height = round(WIDTH * scale), round(coat.height * scale)
    down = spread(rng, height, 0.9, 1.05)
    if rng.random() < 0.75:
        for y in np.linspace(0.14, 0.86, int(rng.integers(2, 6))) + rng.uniform(-0.03, 0.03):
            band = slice(int(y * height), int((y + rng.uniform(0.02, 0.09)) * height))
            down[band] *= rng.uniform(0.75, 1.1)
            down[band.start : band.start + 3] *= rng.uniform(0.7, 1.3)
    canvas = Canvas(width, height, coat.paint, np.ones(width), down)
    inner, outer = rng.uniform(0.07, 0.1), rng.uniform(0.235, 0.275)
    bars = [0.5 - outer, 0.5 - inner, 0.5 + inner, 0.5 + outer]
    rubber = rng.uniform(0.03, 0.15)
    for x in (0.048, 0.492, 0.942):
        canvas.rectangle(x * width, 0, 0.012 * width, height, (rubber,) * 3)
    end_frame(canvas, coat, scale, rng)
    lines: list[Line] = []
    number = []
    while coat.number and not number:
        number = door_number(rng, canvas, coat, bars, scale, layout)
    top = 0.12 * height
    left_box = (0.08 * width, 0.1 * height, 0.35 * width, 0.35 * height)
    if rng.random() < 0.6:
        lines += write_logo(rng, canvas, coat, left_box, 400 * scale, number)
    if rng.random() < 0.92:
        start = max([line_bottom(number), top + 250 * scale]) + rng.uniform(80, 500) * scale
        x2 = (bars[3] + 0.02) * width
        x = x2 - rng.uniform(250, 380) * scale
        if rng.random() < 0.15:
            x = 0.1 * width
            x2 = x + 380 * scale
        capital = rng.uniform(38, 62) * scale
        lines += write_weights(rng, canvas, x, x2, start, coat, capital)
    for _ in range(rng.integers(0, 6)):
        low = (0.07 * width, 0.5 * height, 0.8 * width, 0.35 * height)
        lines += stick(rng, canvas, low, scale, number + lines)
    if rng.random() < 0.3:
        lines += stick(rng, canvas, left_box, scale, number + lines)
    canvas.age(rng, coat.age, number)
    start = line_bottom(number[:1]) + 10 * scale
    draw_bars(rng, canvas, coat, bars, scale, round(start) if start < 0.07 * height else 0)
    known = number[:1]
    others = keep_clear(number[1:] + lines, known[0] if known else None)
    others = [line for line in others if clear_of_bars(line, bars, width, scale)]
    return Panel(canvas.texture, scale, known + others)


def line_bottom(lines: list[Line]) -> float:
    """Return where the lowest of the letters ends; 0 where there are none."""
    return max((c.y + c.height / 2 for line in lines for c in line.letters), default=0.0)


def clear_of_bars(line: Line, bars: list[float], width: int, scale: float) -> bool:
    """Return whether no bar runs through a letter of this line."""
    half = 26 * scale
    return all(abs(c.x - bar * width) > half + c.width / 2 for c in line.letters for bar in bars)


def door_number(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, bars: list[float], scale: float,
    layout: str,
) -> list[Line]:  # fmt: skip
    """Paint the number on the right leaf; return its lines, the number first."""
    width, height = canvas.texture.shape[1], canvas.texture.shape[0]
    capital = draw_capital(rng) * scale
    bar, last = bars[3] * width, 0.935 * width
    half = 30 * scale
    if (
        layout == "horizontal" and rng.random() < 0.1
    ):  # on the header above the door, in small letters
        block = set_number(rng, coat.number, "horizontal", coat.style, 70 * scale, None, 0.3)
        x = rng.uniform(0.1, 0.9 - block.width / width) * width
        return write_number(rng, canvas, block, x, 20 * scale, coat, scale)[:1]
    y = height * rng.uniform(0.07, 0.2)
    if layout != "horizontal":  # a stack right of the bar
        state = rng.integers(2**31)
        for _ in range(8):
            again = np.random.default_rng(state)
            block = set_number(again, coat.number, layout, coat.style, capital)
            if block.width < last - bar - 2 * half:
                return write_number(rng, canvas, block, bar + half, y, coat, scale)
            capital *= 0.85
        return []
    state, digit = rng.integers(2**31), rng.random() < 0.75
    room = last - bar - half
    owner_room = bar - half - (bars[2] * width + half)
    for _ in range(10):
        again = np.random.default_rng(state)
        owner = letters.set_lines([coat.number[:4]], coat.style, capital).width
        gap = again.uniform(0.5, 1.0) if digit else 0.3
        x = max(bars[2] * width + half, bar - half - owner - capital * gap)
        boxed_at = last - capital * 0.85 - x
        block = set_number(
            again, coat.number, "horizontal", coat.style, capital,
            (bar + half - x, boxed_at if digit else 0.0), 0.75,
        )  # fmt: skip
        if owner < owner_room and x + block.width < last + 0.3 * capital and room > 0:
            return write_number(rng, canvas, block, x, y, coat, scale)
        capital *= 0.9
    return []


def draw_bars(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, bars: list[float], scale: float, top: int
) -> None:
    """Draw locking bars from a row of pixels on, with brackets, handles and shadows."""
    height, width = canvas.texture.shape[:2]
    zinc = np.array((0.72, 0.72, 0.7)) * rng.uniform(0.6, 1.2)
    colour = zinc if rng.random() < 0.55 else coat.paint * rng.uniform(0.8, 1.25)
    size = max(3, round(rng.uniform(32, 48) * scale))
    profile = np.sin(np.linspace(0.35, 2.9, size)) * rng.uniform(0.9, 1.25)
    shadow = int(rng.integers(-1, 2)) * size
    brackets = np.linspace(0.05 if not top else 0.09, 0.93, int(rng.integers(4, 7)))
    for bar in bars:
        left = round(bar * width - size / 2)
        if shadow:
            canvas.shade(left + shadow, top, size, height, rng.uniform(0.55, 0.9))
        part = canvas.texture[top:, left : left + size]
        part[:] = np.clip(255 * colour * profile[None, :, None], 0, 255).astype(np.uint8)
        for y in brackets:
            canvas.rectangle(left - size * 0.7, y * height, size * 2.4, 45 * scale, colour * 0.8)
            canvas.shade(left - size * 0.7, y * height + 45 * scale, size * 2.4, 10 * scale, 0.6)
    if rng.random() < 0.9:
        for i, at in enumerate(bars):
            y = (0.62 + 0.05 * (i % 2) + rng.uniform(-0.02, 0.02)) * height
            reach = rng.uniform(350, 500) * scale
            left = at * width - (reach if i in (1, 3) else 0)
            canvas.rectangle(left, y, reach, 30 * scale, colour * rng.uniform(0.7, 1.1), lit=False)


def corrugated(
    rng: np.random.Generator, coat: Coat, length: int, scale: float, frame: bool
) -> tuple[Canvas, float]:
    """Return the canvas of a side or front wall, and how deep its rails are in pixels."""
    width, height = round(length * scale), round(coat.height * scale)
    down = spread(rng, height, 0.88, 1.06)
    light, depth = ribs(rng, width, scale)
    if rng.random() < 0.08:  # a smooth wall
        light, depth = np.ones(width), np.zeros(width, np.float32)
    lean = depth * np.float32(rng.normal(0, 9) * scale) if rng.random() < 0.7 else None
    across = light * spread(rng, width, 0.9, 1.05)
    canvas = Canvas(width, height, coat.paint, across, down, lean)
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
