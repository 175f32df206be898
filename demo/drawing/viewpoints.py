"""Where photographers and gates put their cameras."""

from __future__ import annotations

import numpy as np

from demo.drawing.boxes import Face
from demo.drawing.camera import Camera, aim
from demo.drawing.kinds import PLAIN, Kind

PHOTO_SIZES = (
    (1920, 1080), (1920, 1080), (1280, 720), (960, 540), (640, 480), (1024, 768), (1600, 1200),
    (1440, 1920), (1080, 1920), (768, 1024), (2560, 1440), (900, 900), (720, 1280),
)  # fmt: skip
UP = np.array((0.0, 1.0, 0.0))


SQUARES = (640, 640, 640, 416, 800)  # pixels of a side of photos that were stretched


def new_camera(
    rng: np.random.Generator, face: Face, size: tuple[int, int], share: float, kind: Kind = PLAIN,
    middle: np.ndarray | None = None,
) -> Camera:  # fmt: skip
    """Return a camera that sees the face's number about so large: a share of the photo's width.

    It looks at the number, or with a middle at that point of the world.
    """
    width, height = size
    at, spread = place_of_number(face)
    if kind.roll:
        spread = spread[::-1]
    span = max(spread[0], spread[1] * width / height, 300.0)
    view = rng.uniform(25, 95) if rng.random() < 0.7 else rng.uniform(50, 75)
    focal = width / 2 / np.tan(np.deg2rad(view) / 2) * (1 if width > height else 1.5)
    place = at + draw_way(rng, face, kind) * max(focal * span / (share * width), 700.0)
    place[1] = max(place[1], 300.0)
    pixel = width * rng.uniform(0.15, 0.85), height * rng.uniform(0.12, 0.8)
    roll = np.deg2rad(rng.normal(0, 2.5) if rng.random() < 0.85 else rng.normal(0, 12))
    roll += np.deg2rad(kind.roll)
    if kind.slant:
        roll = np.deg2rad(rng.uniform(*kind.slant) * rng.choice((-1, 1)))
    bend = 0.0
    if rng.random() < 0.45:
        bend = rng.uniform(0.01, 0.12) if rng.random() < 0.7 else rng.uniform(0.12, 0.4)
    if kind.bend:
        bend = rng.uniform(*kind.bend)
    if middle is not None:
        at, pixel, roll, bend = middle, (width / 2, height / 2), roll / 3, 0.0
    camera = aim(place, at, pixel, size, focal, roll, bend)
    if kind.squared:
        camera = camera.stretched((int(rng.choice(SQUARES)),) * 2)
    return camera


def place_of_number(face: Face) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of the face's number in the world, and its size in millimetres.

    Without a number it is the place where one would stand.
    """
    number = face.panel.number
    if number is not None:
        points = np.array([(c.x, c.y) for c in number.letters])
    else:
        tall, wide = face.panel.texture.shape[:2]
        points = np.array([(wide * 0.75, tall * 0.2), (wide * 0.95, tall * 0.25)])
    middle = (points.min(0) + points.max(0)) / 2
    return face.at(middle[:1], middle[1:])[0], np.ptp(points, 0) / face.panel.scale


def draw_way(rng: np.random.Generator, face: Face, kind: Kind = PLAIN) -> np.ndarray:
    """Return the direction from a face to a camera: level, from above or below, from aside."""
    height = rng.random()
    if height < 0.35:
        lift = rng.normal(0, 7)
    else:
        lift = rng.uniform(4, 45) if height < 0.7 else -rng.uniform(4, 38)
    aside = np.clip(rng.normal(0, 26), -66, 66)
    if rng.random() < 0.2:
        aside = rng.uniform(40, 70) * rng.choice((-1, 1))
    normal = face.normal
    if normal[1] > 0.5:  # a roof: from before it
        lift, normal = rng.uniform(18, 60), np.array((0.0, 0.0, -1.0))
    if kind.lift:
        lift = rng.uniform(*kind.lift)
    if kind.aside:
        aside = rng.uniform(*kind.aside) * rng.choice((-1, 1))
    right = face.right / np.linalg.norm(face.right)
    lift, aside = np.deg2rad((lift, aside))
    return np.cos(lift) * (np.cos(aside) * normal + np.sin(aside) * right) + np.sin(lift) * UP
