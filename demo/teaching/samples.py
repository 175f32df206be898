"""Windows of a photo as the model sees them, with what is to be written and where each letter is.

Reading goes by looks: first the whole photo, then closer and closer windows round the number, those
of a column turned so that it lies flat, its top at the left. These are the windows shown here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from demo.drawing import kinds, yards
from demo.drawing.boxes import Seen, in_frame, lengths
from demo.drawing.camera import Window
from demo.drawing.develop import develop
from demo.drawing.letters import Letter, Line
from demo.drawing.markings import LAYOUTS, draw_number
from demo.drawing.panels import random_coat
from demo.drawing.scenes import Scene

WIDTH, HEIGHT = 320, 128  # pixels of the model's input: long, as windows round numbers are
FINEST = 2  # a window is rendered with at most so many pixels for each of these
FAR, MID, NEAR = "far", "mid", "near"
SHARES = {MID: (0.28, 0.6), NEAR: (0.6, 0.97)}  # of the window's width that the number takes
FLAT = (1.3, 2.6)  # width to height of a window round a row or a stack
TURNED = (2.2, 3.6)  # the same round a column, after it is turned
SMALLEST = 6.5  # letters of other texts must be so high to be read, in pixels of the input
MOST_CHARACTERS = 64  # characters that are written of a window
READABLE = (3.6, 6.5)  # below the first nothing of a number can be read, above the second all


@dataclass(frozen=True)
class Sample:
    """A window: its image, the text, a place for every letter; lengths are shares of its sides."""

    image: np.ndarray  # uint8 [HEIGHT, WIDTH, 3]
    lines: tuple[Line, ...]  # the number first
    clear: float  # how much of the number can be read: 0 nothing, 1 all

    @property
    def text(self) -> str:
        """Return all text, one line of the photo a line."""
        return "\n".join(line.text for line in self.lines)


def in_window(seen: Seen, window: Window) -> tuple[Line, float]:
    """Return a line in shares of the window, and how large its letters are in the model's input."""
    size = np.array((WIDTH, HEIGHT))
    places = window.shares(seen.centres)
    rights = window.shares(seen.centres + seen.rights) - places
    downs = window.shares(seen.centres + seen.downs) - places
    reach = np.abs(rights) + np.abs(downs)
    placed = tuple(
        Letter(c.character, *map(float, (*place, *arm)))
        for c, place, arm in zip(seen.line.letters, places, reach, strict=True)
    )
    heights = lengths(downs * size)
    widths = lengths(rights * size)
    across = float(np.median(np.minimum(heights, 1.8 * widths)))
    return replace(seen.line, letters=placed), across


def is_inside(line: Line) -> bool:
    """Return whether no letter is cut by the window's edge."""
    return all(
        c.width / 2 <= c.x * 1.001 + 1e-3
        and c.x + c.width / 2 <= 1.001
        and c.height / 2 <= c.y * 1.001 + 1e-3
        and c.y + c.height / 2 <= 1.001
        for c in line.letters
    )


def is_column(seen: Seen) -> bool:
    """Return whether the serial number runs down the photo."""
    way = seen.centres[9] - seen.centres[4]
    return abs(way[1]) > abs(way[0])


def window_round(
    rng: np.random.Generator, seen: Seen, share: float, upright: bool = False
) -> Window:
    """Return a window of which the number takes this share; a column is turned unless upright."""
    way = seen.centres[9] - seen.centres[4]
    column = is_column(seen)
    along = float(np.arctan2(way[1], way[0]))
    angle = along if rng.random() < 0.5 else (np.pi / 2 if column else 0.0)
    if column and upright:
        angle -= np.pi / 2
    if rng.random() < 0.5:
        angle += np.deg2rad(rng.normal(0, 3.5))
    flat = Window(0, 0, 1, 1, angle)
    arms = [
        seen.centres + a * seen.rights / 2 + b * seen.downs / 2 for a in (-1, 1) for b in (-1, 1)
    ]
    corners = flat.shares(np.concatenate(arms)) - 0.5
    low, high = corners.min(0), corners.max(0)
    wide, tall = high - low
    if column and upright:
        high_share = min(0.97, 1.3 * share)
        height = tall / high_share
        width = max(height * rng.uniform(0.7, 2.0), wide / 0.9)
    else:
        least, most = TURNED if column else FLAT
        shape = np.exp(rng.uniform(np.log(least), np.log(most)))
        if rng.random() < 0.25:  # of a photo that was stretched to a square
            shape *= np.exp(rng.uniform(-0.5, 0.6))
        width = max(wide / share, tall / 0.93 * shape)
        height = width / shape
    slack = np.array((width - wide, height - tall))
    off = np.clip(rng.normal(0, 0.2, 2), -0.46, 0.46) * slack
    middle = (low + high) / 2 + off
    cos, sin = np.cos(angle), np.sin(angle)
    return Window(
        middle[0] * cos - middle[1] * sin, middle[0] * sin + middle[1] * cos, width, height, angle
    )


def whole(scene: Scene) -> Window:
    """Return the window that is the whole photo."""
    width, height = scene.camera.size
    return Window(width / 2, height / 2, width, height)


def choose_window(
    rng: np.random.Generator, scene: Scene, numbers: Sequence[Seen], kind: str
) -> Window:
    """Return a window of this kind round one of the numbers."""
    if kind == FAR or not numbers:
        return whole(scene)
    weights = np.array([max(seen.pitch, 0.1) ** 2 for seen in numbers])
    seen = numbers[rng.choice(len(numbers), p=weights / weights.sum())]
    upright = kind == MID and rng.random() < 0.4
    return window_round(rng, seen, rng.uniform(*SHARES[kind]), upright)


def look_through(
    rng: np.random.Generator, scene: Scene, window: Window, lines: Sequence[Seen],
    number_alone: bool = False, tight: bool = False,
) -> Sample:  # fmt: skip
    """Return what the model sees through the window and what it is to write."""
    known = [(*in_window(seen, window), seen) for seen in lines]
    known = [(line, size, seen) for line, size, seen in known if is_inside(line)]
    numbers = [(size, line, seen) for line, size, seen in known if line.is_number]
    written, clear = [], 1.0
    if numbers:
        size, number, seen = max(numbers, key=lambda known: known[0])
        size = min(size, 1.3 * seen.pitch)
        clear = float(np.clip((size - READABLE[0]) / (READABLE[1] - READABLE[0]), 0, 1))
        if clear == 0:  # reading looks there with a number in mind that it has made up
            number = replace(number, text=draw_number(rng))
        written = [number]
    if not number_alone and clear > 0.5:
        others = [
            line for line, size, seen in known
            if not line.is_number and min(size, seen.pitch) >= SMALLEST
        ]  # fmt: skip
        others.sort(key=lambda line: (round(line.letters[0].y * 8), line.letters[0].x))
        for line in others:
            if sum(len(some.text) + 1 for some in written) + len(line.text) <= MOST_CHARACTERS:
                written.append(line)
    columns = int(np.clip(window.width, 100, FINEST * WIDTH))
    rows = int(np.clip(window.height, 66, FINEST * HEIGHT))
    image = scene.render(window, columns, rows)
    if tight and numbers:
        image = continue_edges(rng, image, number)
        written = [number]
    if rng.random() < 0.05 and window == whole(scene):
        image = letterbox(rng, image, written)
    gentle = not numbers or size < 9
    image = develop(rng, image, min(columns / WIDTH, rows / HEIGHT), gentle, scene.kind)
    return Sample(fit(image), tuple(written), clear)


def letterbox(rng: np.random.Generator, image: np.ndarray, lines: Sequence[Line]) -> np.ndarray:
    """Return the image with black borders, as far as no line reaches into them."""
    top, left = rng.uniform(0, 0.15), rng.uniform(0, 0.2)
    places = [(c.x, c.y) for line in lines for c in line.letters]
    for x, y in places:
        top = min(top, y - 0.05, 0.95 - y)
        left = min(left, x - 0.05, 0.95 - x)
    rows, columns = image.shape[:2]
    y, x = round(max(top, 0) * rows), round(max(left, 0) * columns)
    image[:y], image[rows - y :] = 0, 0
    image[:, :x], image[:, columns - x :] = 0, 0
    return image


def fit(image: np.ndarray) -> np.ndarray:
    """Return an image in the size of the model's input."""
    larger = image.shape[0] > HEIGHT
    way = cv2.INTER_AREA if larger else cv2.INTER_CUBIC
    return cv2.resize(image, (WIDTH, HEIGHT), interpolation=way)


def continue_edges(rng: np.random.Generator, image: np.ndarray, number: Line) -> np.ndarray:
    """Return the image as of a photo that shows the number alone, its edges continued."""
    rows, columns = image.shape[:2]
    pad = rng.uniform(0.1, 0.8) * np.median([c.height for c in number.letters])
    left, right, top, bottom = (
        min(c.x - c.width / 2 for c in number.letters) - pad * 0.7,
        max(c.x + c.width / 2 for c in number.letters) + pad * 0.7,
        min(c.y - c.height / 2 for c in number.letters) - pad,
        max(c.y + c.height / 2 for c in number.letters) + pad,
    )
    x0, x1 = (int(np.clip(v * columns, 0, columns)) for v in (left, right))
    y0, y1 = (int(np.clip(v * rows, 0, rows)) for v in (top, bottom))
    part = image[y0:y1, x0:x1]
    return cv2.copyMakeBorder(part, y0, rows - y1, x0, columns - x1, cv2.BORDER_REPLICATE)


def draw_samples(rng: np.random.Generator, count: int, number_alone: bool) -> list[Sample]:
    """Return so many windows of one yard."""
    number = draw_number(rng) if rng.random() < 0.96 else ""
    layout = str(rng.choice(LAYOUTS, p=(0.42, 0.13, 0.04, 0.41)))
    kind = kinds.draw_kind(rng)
    share = float(np.exp(rng.uniform(np.log(0.07), np.log(0.85))))
    scene = yards.new_scene(rng, random_coat(rng, number), layout, share, kind)
    lines = scene.seen_lines()
    numbers = [seen for seen in lines if seen.line.is_number and in_frame(seen, scene.camera.size)]
    readable = [seen for seen in numbers if seen.pitch > 4] or numbers
    samples = []
    for _ in range(count):
        distance = str(rng.choice((FAR, MID, NEAR), p=(0.27, 0.22, 0.51)))
        window = choose_window(rng, scene, readable, distance)
        tight = distance == NEAR and rng.random() < 0.12
        samples.append(look_through(rng, scene, window, lines, number_alone, tight))
    return samples
