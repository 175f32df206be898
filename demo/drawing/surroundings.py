"""What stands round the container: others with other numbers, a chassis, a cab, poles, cables."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from demo.drawing import doors, walls
from demo.drawing.boxes import FACES, Box
from demo.drawing.canvas import Canvas, contrasting
from demo.drawing.letters import FACES as TYPEFACES
from demo.drawing.letters import Style, set_lines
from demo.drawing.markings import draw_number
from demo.drawing.panels import ADDRESSES, END_SCALE, WIDTH, Coat, Panel, random_coat

KINDS = ("near", "side", "roof", "plain", "bumper")
PALETTE = 40  # panels of each kind that stand for neighbours
NEIGHBOURS = 2**32 + 7  # their seed
Lengths = tuple[float, float, float]  # along x, y and z, in millimetres


@lru_cache(maxsize=256)
def neighbour_panel(kind: str, index: int) -> Panel:
    """Return a face of some other container, in half the resolution."""
    rng = np.random.default_rng([NEIGHBOURS, KINDS.index(kind), index])
    number = f"{''.join(rng.choice(list('ABCDEFGHKLMNPRST'), 3))}U {rng.integers(10**6):06d} 0"
    coat = random_coat(rng, number)
    layout = str(rng.choice(("horizontal", "two-line", "vertical")))
    if kind == "near":
        panel = doors.door_end(rng, coat, "horizontal") if rng.random() < 0.6 else (
            walls.front_end(rng, coat, layout))  # fmt: skip
    elif kind == "roof":
        panel = walls.roof(rng, coat, numbered=False)
    elif kind == "bumper":
        return bumper(rng)
    elif kind == "side":
        panel = walls.side(rng, replace(coat, length=6058), layout)
    else:
        texture = np.full((8, 8, 3), 255 * rng.random(3) * rng.uniform(0.2, 1), np.uint8)
        return Panel(texture, 0.01)
    return Panel(panel.levels[1], panel.scale / 2)


def bumper(rng: np.random.Generator) -> Panel:
    """Return the rear of a chassis: dark or striped, mostly with a name on it."""
    height = round(240 * END_SCALE)
    paint = rng.random(3) * 0.6
    width = round(WIDTH * END_SCALE)
    canvas = Canvas(width, height, paint, np.ones(width), np.ones(height))
    if rng.random() < 0.4:
        walls.stripes(canvas, 0, 0, width, height)
    else:
        style = Style(int(rng.integers(len(TYPEFACES))), tracking=0.3)
        name = str(rng.choice(ADDRESSES)).split("|")[0]
        block = set_lines([name], style, rng.uniform(0.3, 0.6) * height)
        canvas.write(
            rng, block, rng.uniform(0.02, 0.3) * width, 0.2 * height, contrasting(rng, paint)
        )
    return Panel(canvas.texture, END_SCALE)


def boxes_behind(rng: np.random.Generator, main: Box, height: float) -> list[Box]:
    """Return containers round the main one: beside, above, below, behind, and rows far away."""
    boxes, gap = [], rng.uniform(60, 700)
    wide, tall = WIDTH + gap, height + 10
    length = main.sides[2]
    places = []
    if rng.random() < 0.5 or main.corner[1] > 2000:  # a stack
        for column in range(-2, 3):
            for row in range(-2, 3):
                if (column or row) and rng.random() < (0.6 if column or row > 0 else 1.0):
                    places.append((column * wide, row * tall, rng.normal(0, 40)))
    if rng.random() < 0.5:
        places.append((rng.uniform(-1, 1) * 300, 0, length + rng.uniform(200, 2000)))
    for _ in range(rng.integers(0, 7)):  # far away
        places.append(
            (rng.uniform(-3, 3) * 1e4, rng.choice((0, 0, 1, 2)) * 2600, rng.uniform(-2, 4) * 1e4)
        )
    for off in places:
        corner = main.corner + np.array(off)
        if off[2] > length or abs(off[0]) > 3 * wide:
            corner[1] = off[1]
        if corner[1] < 0:
            continue
        index = int(rng.integers(PALETTE))
        end, side = neighbour_panel("near", index), neighbour_panel("side", index)
        box = Box(corner, np.array((WIDTH, height, rng.choice((6058, 12192)))))
        roof = neighbour_panel("roof", index)
        box.panels = {"near": end, "far": end, "left": side, "right": side, "roof": roof}
        boxes.append(box)
    return boxes


def boxes_beside(rng: np.random.Generator, main: Box, target: str) -> list[Box]:
    """Return containers close by that turn the same face to the camera, numbers of their own."""
    wide, tall = WIDTH + rng.uniform(40, 300), main.sides[1] + 10
    back = rng.choice((0.0, 1.0)) * rng.uniform(100, 5000)
    places: list[Lengths]
    if target in ("left", "right"):
        long = main.sides[2] + rng.uniform(60, 500)
        places = [(0, tall, 0), (0, -tall, 0), (0, 0, long), (0, 0, -long)]
    else:
        way = 1 if target in ("near", "roof") else -1
        places = [(side * wide, 0, way * back) for side in (-1, 1)]
        places += [(0, tall, 0), (rng.choice((-1, 1)) * wide, tall, way * back), (0, -tall, 0)]
    boxes = []
    for i in rng.permutation(len(places))[: int(rng.integers(3, 6))]:
        corner = main.corner + np.array(places[i], float)
        if corner[1] < 0:
            continue
        coat = replace(random_coat(rng, draw_number(rng)), height=int(main.sides[1]))
        palette = int(rng.integers(PALETTE))
        names = {"near": "near", "far": "near", "left": "side", "right": "side", "roof": "roof"}
        panels = {face: neighbour_panel(name, palette) for face, name in names.items()}
        panels[target] = own_panel(rng, coat, target)
        boxes.append(Box(corner, np.array((WIDTH, *main.sides[1:])), panels))
    return boxes


def own_panel(rng: np.random.Generator, coat: Coat, target: str) -> Panel:
    """Return a face with a number that no other container has."""
    layout = str(rng.choice(("horizontal", "two-line", "vertical")))
    if target in ("left", "right"):
        return walls.side(rng, coat, layout)
    if target == "roof":
        return walls.roof(rng, coat, numbered=True)
    if rng.random() < 0.7:
        return doors.door_end(rng, coat, "horizontal")
    return walls.front_end(rng, coat, layout)


def vehicle(rng: np.random.Generator, main: Box) -> list[Box]:
    """Return a chassis under the container, wheels and a cab behind or before it."""
    plain = [neighbour_panel("plain", int(i)) for i in rng.integers(0, PALETTE, 3)]
    dark = Panel(np.full((4, 4, 3), 25, np.uint8), 0.01)
    floor, length = main.corner[1], main.sides[2]
    under = dark if rng.random() < 0.6 else plain[0]
    parts: list[tuple[Lengths, Lengths, Panel]]
    parts = [((0, floor - 250, 0), (WIDTH, 240, length), under)]
    for z in rng.uniform(0, length, 3):
        parts += [((x, 0, z), (350, 1000, 1000), dark) for x in (0, WIDTH - 350)]
    z = length + rng.uniform(400, 900) if rng.random() < 0.7 else -3000.0
    parts.append(((0, 700, z), (WIDTH, rng.uniform(2000, 2900), 2100), plain[1]))
    boxes = []
    for corner, sides, panel in parts:
        box = Box(main.corner * (1, 0, 1) + np.array(corner, float), np.array(sides, float))
        box.panels = dict.fromkeys(FACES, panel)
        boxes.append(box)
    rear = neighbour_panel("bumper", int(rng.integers(PALETTE)))
    boxes[0].panels |= {"near": rear, "far": rear}
    return boxes


def stray_lines(
    rng: np.random.Generator, size: tuple[int, int], letters: np.ndarray, pitch: float
) -> list[tuple[np.ndarray, np.ndarray, tuple, int]]:
    """Return poles and cables before the container, none of them over the number."""
    lines: list[tuple[np.ndarray, np.ndarray, tuple, int]] = []
    if rng.random() < 0.6:
        return lines
    for _ in range(rng.integers(1, 4)):
        start = rng.random(2) * size
        angle = np.pi / 2 + rng.normal(0, 0.1) if rng.random() < 0.6 else rng.uniform(0, np.pi)
        way = np.array((np.cos(angle), np.sin(angle)))
        thick = max(1, int(rng.uniform(0.002, 0.04) * size[0]))
        off = letters - start
        distance = np.abs(off[:, 0] * way[1] - off[:, 1] * way[0])
        if distance.min() < thick / 2 + 1.5 * pitch:
            continue
        reach = way * 2 * max(size)
        colour = tuple(
            int(c) for c in rng.uniform(10, 240) * np.clip(1 + rng.normal(0, 0.2, 3), 0, 1.4)
        )
        lines.append((start - reach, start + reach, tuple(min(255, c) for c in colour), thick))
    return lines
