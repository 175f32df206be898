"""Yards: a container with its visible faces, others round it, vehicles, poles, and a camera."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import ends
import numpy as np
import walls
from boxes import FACES, Box, Face, contains, in_frame, largest_number, lines_of
from camera import Camera, aim
from canvas import Canvas, contrasting
from letters import FACES as FACES_OF_TYPE
from letters import Style, set_lines
from panels import ADDRESSES, END_SCALE, WIDTH, Coat, Panel, random_coat
from scenes import Scene

PHOTO_SIZES = (
    (1920, 1080), (1920, 1080), (1280, 720), (960, 540), (640, 480), (1024, 768), (1600, 1200),
    (1440, 1920), (1080, 1920), (768, 1024), (2560, 1440), (900, 900), (720, 1280),
)  # fmt: skip
KINDS = ("near", "side", "roof", "plain", "bumper")
PALETTE = 40  # panels of each kind that stand for neighbours
NEIGHBOURS = 2**32 + 7  # their seed


@lru_cache(maxsize=256)
def neighbour_panel(kind: str, index: int) -> Panel:
    """Return a face of some other container, in half the resolution."""
    rng = np.random.default_rng([NEIGHBOURS, KINDS.index(kind), index])
    number = f"{''.join(rng.choice(list('ABCDEFGHKLMNPRST'), 3))}U {rng.integers(10**6):06d} 0"
    coat = random_coat(rng, number)
    layout = str(rng.choice(("horizontal", "two-line", "vertical")))
    if kind == "near":
        panel = walls.door_end(rng, coat, "horizontal") if rng.random() < 0.6 else (
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
        style = Style(int(rng.integers(len(FACES_OF_TYPE))), tracking=0.3)
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


def vehicle(rng: np.random.Generator, main: Box) -> list[Box]:
    """Return a chassis under the container, wheels and a cab behind or before it."""
    plain = [neighbour_panel("plain", int(i)) for i in rng.integers(0, PALETTE, 3)]
    dark = Panel(np.full((4, 4, 3), 25, np.uint8), 0.01)
    floor, length = main.corner[1], main.sides[2]
    parts = [((0, floor - 250, 0), (WIDTH, 240, length), dark if rng.random() < 0.6 else plain[0])]
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


def paint_face(rng: np.random.Generator, coat: Coat, name: str, layout: str, on: str = "") -> Panel:
    """Return a face of the main container with the number in this layout; on: door or front."""
    if name == "roof":
        return walls.roof(rng, coat, numbered=True)
    if name in ("left", "right"):
        return walls.side(rng, coat, layout)
    if on == "door":
        return walls.door_end(rng, coat, layout)
    if layout != "vertical" and rng.random() < 0.35:
        return (ends.tank_end if rng.random() < 0.5 else ends.machine_end)(rng, coat, layout)
    return walls.front_end(rng, coat, layout)


def paint_others(rng: np.random.Generator, coat: Coat, main: Box, place: np.ndarray) -> None:
    """Paint the other faces that are seen from a place; most carry the number too."""
    bare = replace(coat, number="")
    for name in FACES:
        draw = np.random.default_rng(rng.integers(2**31))
        hidden = Box(main.corner, main.sides, {name: neighbour_panel("plain", 0)}).faces()[0]
        if name in main.panels or not hidden.faces(place):
            continue
        layout = str(draw.choice(("horizontal", "two-line", "three-line", "vertical", "vertical")))
        door = name in ("near", "far") and draw.random() < 0.6
        own = coat if draw.random() < (0.3 if name == "roof" else 0.75) else bare
        on = "door" if door else "front"
        main.panels[name] = paint_face(draw, own, name, "horizontal" if door else layout, on)


def choose_face(rng: np.random.Generator, layout: str) -> tuple[str, str]:
    """Return on which face a number of this layout stands, and whether that end is a door."""
    kind = rng.random()
    if layout == "horizontal":
        if kind < 0.68:
            return "near", "door"
        if kind < 0.75:
            return "roof", ""
        return ("near", "front") if kind < 0.83 else (str(rng.choice(("left", "right"))), "")
    if layout != "vertical" and kind < 0.12:
        return "near", "door"
    return ("near", "front") if kind < 0.45 else (str(rng.choice(("left", "right"))), "")


def new_camera(rng: np.random.Generator, face: Face, size: tuple[int, int], share: float) -> Camera:
    """Return a camera that sees the face's number about so large: a share of the photo's width."""
    width, height = size
    number = face.panel.number
    if number is not None:
        points = np.array([(c.x, c.y) for c in number.letters])
    else:
        tall, wide = face.panel.texture.shape[:2]
        points = np.array([(wide * 0.75, tall * 0.2), (wide * 0.95, tall * 0.25)])
    middle = (points.min(0) + points.max(0)) / 2
    spread = np.ptp(points, 0) / face.panel.scale
    span = max(spread[0], spread[1] * width / height, 300.0)
    at = face.at(middle[:1], middle[1:])[0]
    view = (
        np.deg2rad(rng.uniform(25, 95)) if rng.random() < 0.7 else np.deg2rad(rng.uniform(50, 75))
    )
    focal = width / 2 / np.tan(view / 2) * (1 if width > height else 1.5)
    kind = rng.random()
    lift = (
        rng.normal(0, 7)
        if kind < 0.35
        else rng.uniform(4, 45)
        if kind < 0.7
        else -rng.uniform(4, 38)
    )
    aside = np.clip(rng.normal(0, 26), -66, 66)
    if rng.random() < 0.2:
        aside = rng.uniform(40, 70) * rng.choice((-1, 1))
    if face.normal[1] > 0.5:  # a roof: from before it
        lift, normal, up = rng.uniform(18, 60), np.array((0.0, 0, -1)), np.array((0.0, 1, 0))
    else:
        normal, up = face.normal, np.array((0.0, 1, 0))
    right = face.right / np.linalg.norm(face.right)
    lift, aside = np.deg2rad((lift, aside))
    way = np.cos(lift) * (np.cos(aside) * normal + np.sin(aside) * right) + np.sin(lift) * up
    distance = max(focal * span / (share * width), 700.0)
    place = at + way * distance
    place[1] = max(place[1], 300.0)
    pixel = width * rng.uniform(0.15, 0.85), height * rng.uniform(0.12, 0.8)
    roll = np.deg2rad(rng.normal(0, 2.5) if rng.random() < 0.85 else rng.normal(0, 12))
    bend = 0.0
    if rng.random() < 0.45:
        bend = rng.uniform(0.01, 0.12) if rng.random() < 0.7 else rng.uniform(0.12, 0.4)
    return aim(place, at, pixel, size, focal, roll, bend)


def new_scene(rng: np.random.Generator, coat: Coat, layout: str, share: float) -> Scene:
    """Return a yard with this container; share: of the photo's width, the number's."""
    target, on = choose_face(rng, layout)
    floor = float(rng.choice((0, 0, 0, 1250, 1400, coat.height, coat.height, 2 * coat.height)))
    corner = np.array((-WIDTH / 2, floor, 0.0))
    main = Box(corner, np.array((WIDTH, coat.height, coat.length), float))
    main.panels[target] = paint_face(rng, coat, target, layout, on)
    face = main.faces()[0]
    for attempt in range(30):
        size = PHOTO_SIZES[rng.integers(len(PHOTO_SIZES))]
        camera = new_camera(rng, face, size, share * 0.97**attempt)
        seen = [line for line in lines_of(face, camera) if line.line.is_number]
        if not coat.number or (face.faces(camera.place) and seen and in_frame(seen[0], size)):
            break
    paint_others(rng, coat, main, camera.place)
    others = boxes_behind(rng, main, float(coat.height))
    if 1000 < main.corner[1] < 1500:
        others += vehicle(rng, main)
    targets = face.corners()
    if seen:
        c = face.panel.number
        targets = face.at(*np.array([(p.x, p.y) for p in c.letters]).T)
    others = [box for box in others if not box.hides(camera.place, targets)]
    others = [box for box in others if not contains(box, camera.place)]
    if seen:
        others = [box for box in others if largest_number(box, camera) < 0.6 * seen[0].pitch]
    grey = rng.uniform(60, 190)
    return Scene(
        camera,
        main,
        others,
        grey * (1 + rng.normal(0, 0.03, 3)),
        (
            np.array((215, 222, 230)) * rng.uniform(0.3, 1.15),
            np.array((120, 165, 220)) * rng.uniform(0.2, 1.2),
        ),
        int(rng.integers(6)),
        stray_lines(
            rng, size, seen[0].centres if seen else np.zeros((1, 2)), seen[0].pitch if seen else 9
        ),
        {name: float(rng.uniform(0.55, 1.1)) if rng.random() < 0.6 else 1.0 for name in FACES},
        target,
    )


def stray_lines(
    rng: np.random.Generator, size: tuple[int, int], letters: np.ndarray, pitch: float
) -> list[tuple[np.ndarray, np.ndarray, tuple, int]]:
    """Return poles and cables before the container, none of them over the number."""
    lines = []
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
