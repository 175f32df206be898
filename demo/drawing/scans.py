"""Line scans: what one row of pixels sees of a train that passes under it or beside it.

The photo grows along the way of the train: nothing looks smaller farther off, what stands still is
a streak along the photo, and the speed stretches one side. Roofs and sides are lit by lamps.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from demo.drawing.boxes import FACES, Box, Face
from demo.drawing.camera import Camera, rolled
from demo.drawing.panels import Coat, Panel
from demo.drawing.surroundings import PALETTE, neighbour_panel
from demo.drawing.viewpoints import place_of_number

FAR_OFF = 3e5  # millimetres from the camera: from there a box's near and far sides look as large
LONGEST_STRETCH = 2.0  # of a side by the train's speed: letters are up to twice as wide, or high
STREAKS = 96  # across a photo
CASTING = 178  # millimetres: a corner casting's longer side
BURNT = 0.45  # of the containers are so bright that little but dark ink and rust shows
SCRAPED = 0.4  # of the numbers on roofs and sides that trains show: stacking wears them off


def is_along_x(size: tuple[int, int]) -> bool:
    """Return whether the train moved along the photo's rows: along the longer side."""
    return size[0] >= size[1]


def scan_camera(
    rng: np.random.Generator, face: Face, size: tuple[int, int], share: float
) -> Camera:
    """Return a camera that sees the face's number straight and from far off, one side stretched.

    Containers lie along the train. Rows across a roof run down the photo where the train moves
    along x; on sides where it moves along y.
    """
    at, spread = place_of_number(face)
    along_x, is_roof = is_along_x(size), face.normal[1] > 0.5
    turned = along_x == is_roof
    stretch = np.exp(rng.uniform(-1, 1) * np.log(LONGEST_STRETCH))
    taken = np.array(size) / ((stretch, 1.0) if along_x else (1.0, stretch))
    width, height = taken
    if turned:
        spread = spread[::-1]
    span = max(spread[0], spread[1] * width / height, 300.0)
    focal = FAR_OFF * share * width / span
    off = taken * (rng.uniform(0.15, 0.85, 2) - 0.5)
    roll = np.deg2rad(rng.normal(0, 0.7) - 90.0 * turned)
    right, down = (arm / np.linalg.norm(arm) for arm in (face.right, face.down))
    right, down = rolled(right, down, roll)
    place = at + FAR_OFF * (face.normal - (right * off[0] + down * off[1]) / focal)
    camera = Camera(tuple(taken), focal, place, np.stack([right, down, -face.normal]), 0.0)
    return camera.stretched(size)


def dress_for_scan(rng: np.random.Generator, coat: Coat) -> Coat:
    """Return the coat under the lamps: often burnt white with dark ink; worn, as roofs are."""
    age = max(coat.age, rng.uniform(0.1, 1))
    coat = replace(coat, worn=rng.random() < SCRAPED)
    if rng.random() > BURNT:
        return replace(coat, age=age)
    paint = rng.uniform(0.82, 1.0) * np.array((1.0, rng.uniform(0.9, 1), rng.uniform(0.7, 1)))
    return replace(coat, age=age, paint=paint, ink=rng.uniform(0.04, 0.3) * np.ones(3))


def finish_panel(rng: np.random.Generator, coat: Coat, panel: Panel) -> None:
    """Draw castings at the corners, scratches and rust spots, none over the number."""
    height, width = panel.texture.shape[:2]
    long, wide = CASTING * panel.scale, 0.9 * CASTING * panel.scale
    colour = np.array((70, 52, 40)) * rng.uniform(0.5, 1.8)
    for x in (0, width - wide):
        for y in (0, height - long):
            rectangle(panel.texture, x, y, wide, long, colour)
            rectangle(panel.texture, x + 0.3 * wide, y + 0.25 * long, 0.4 * wide, 0.5 * long, 12)
    kept = panel.texture.copy()
    for _ in range(rng.integers(0, int(12 + 60 * coat.age))):
        at = tuple(int(v) for v in rng.random(2) * (width, height))
        rust = tuple(np.array((95, 58, 30)) * rng.uniform(0.5, 1.5))
        if rng.random() < 0.8:
            radius = max(1, int(rng.exponential(22) * panel.scale))
            cv2.circle(panel.texture, at, radius, rust, -1, cv2.LINE_AA)
        else:
            end = tuple(int(v) for v in np.array(at) + rng.normal(0, 400, 2) * panel.scale)
            cv2.line(panel.texture, at, end, rust, 1, cv2.LINE_AA)
    for line in panel.lines:
        x0, y0, x1, y1 = (int(v) for v in line.box())
        part = slice(max(0, y0 - 2), y1 + 2), slice(max(0, x0 - 2), x1 + 2)
        panel.texture[part] = kept[part]


def rectangle(
    image: np.ndarray, x: float, y: float, width: float, height: float, colour: np.ndarray | float
) -> None:  # fmt: skip
    """Fill a rectangle of an image."""
    image[round(y) : round(y + height), round(x) : round(x + width)] = np.clip(colour, 0, 255)


def draw_streaks(rng: np.random.Generator) -> np.ndarray:
    """Return the colours of what stands still, across the photo: float [STREAKS, 3], mostly black.

    A lamp or a rail is a bright line; now and then the ground is as bright as the container.
    """
    coarse = cv2.resize(rng.random((int(rng.integers(3, 9)), 1)), (1, STREAKS))
    fine = np.repeat(rng.random(STREAKS // 3), 3)[:, None]
    dark = rng.uniform(8, 70) * (0.15 + coarse * (0.5 + fine))
    streaks = dark * (1 + rng.normal(0, 0.08, 3)) + rng.uniform(0, 14, 3)
    for _ in range(int(rng.integers(0, 5))):
        streaks[int(rng.integers(STREAKS))] = rng.uniform(120, 255) * np.array((1.0, 0.95, 0.8))
    if rng.random() < 0.2:
        start = int(rng.integers(STREAKS * 2 // 3))
        streaks[start : start + int(rng.integers(8, STREAKS // 3))] = rng.uniform(140, 255)
    return streaks


def draw_faults(
    rng: np.random.Generator, size: tuple[int, int]
) -> list[tuple[np.ndarray, np.ndarray, tuple, int]]:
    """Return hair lines along the photo: pixels of the row that are dirty or dead."""
    along = np.array((1.0, 0.0) if is_along_x(size) else (0.0, 1.0)) * size
    lines = []
    for _ in range(int(rng.integers(0, 4)) * (rng.random() < 0.5)):
        start = rng.random() * (np.array(size) - along)
        lines.append((start, start + along, (int(rng.integers(20, 255)),) * 3, 1))
    return lines


def wagons(rng: np.random.Generator, main: Box) -> list[Box]:
    """Return couplings, tanks and frames beyond both ends, and sometimes the next container."""
    boxes, middle = [], main.sides[0] / 2
    for end in (-1, 1):
        edge = 0.0 if end < 0 else main.sides[2]
        for _ in range(rng.integers(2, 7)):
            size = rng.uniform((150, 100, 200), (1300, 900, 3000))
            off = (
                middle + rng.normal(0, 250) - size[0] / 2, rng.uniform(-1000, -900),
                edge + end * rng.uniform(0, 3500) - (size[2] if end < 0 else 0),
            )  # fmt: skip
            shade = (rng.uniform(8, 60) if rng.random() < 0.8 else rng.uniform(80, 200)) * (
                1 + rng.normal(0, 0.05, 3)
            )
            panel = Panel(np.full((4, 4, 3), np.clip(shade, 0, 255), np.uint8), 0.01)
            boxes.append(Box(main.corner + off, size, dict.fromkeys(FACES, panel)))
        if rng.random() < 0.35:
            length = float(rng.choice((6058, 12192)))
            z = edge + end * rng.uniform(300, 2500) - (length if end < 0 else 0)
            index = int(rng.integers(PALETTE))
            panels = {name: neighbour_panel("side", index) for name in ("left", "right")}
            panels["roof"] = neighbour_panel("roof", index)
            sides = np.array((main.sides[0], main.sides[1], length))
            boxes.append(Box(main.corner + np.array((0.0, 0.0, z)), sides, panels))
    return boxes
