"""Boxes in the world: faces with their panels, and where a camera sees what is written on them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from demo.drawing.camera import NEAREST, Camera
from demo.drawing.letters import Line
from demo.drawing.panels import Panel

FACES = {  # corner, right and down in the box's own width, height and length; outward normal
    "near": ((0, 1, 0), (1, 0, 0), (0, -1, 0), (0, 0, -1)),
    "far": ((1, 1, 1), (-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "right": ((1, 1, 0), (0, 0, 1), (0, -1, 0), (1, 0, 0)),
    "left": ((0, 1, 1), (0, 0, -1), (0, -1, 0), (-1, 0, 0)),
    "roof": ((0, 1, 1), (1, 0, 0), (0, 0, -1), (0, 1, 0)),
}


@dataclass(frozen=True)
class Face:
    """A panel in the world: its upper left corner, one pixel right, one pixel down."""

    panel: Panel
    corner: np.ndarray
    right: np.ndarray
    down: np.ndarray
    normal: np.ndarray

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the points of the world under pixels of the panel, [n, 3]."""
        return self.corner + np.multiply.outer(x, self.right) + np.multiply.outer(y, self.down)

    def corners(self) -> np.ndarray:
        """Return the four corners in the world."""
        height, width = self.panel.texture.shape[:2]
        return self.at(np.array((0, width, width, 0.0)), np.array((0, 0, height, height * 1.0)))

    def edge(self) -> np.ndarray:
        """Return points along its edge in the world."""
        corners = self.corners()
        way = np.roll(corners, -1, 0) - corners
        return np.concatenate([corners + step * way for step in (0, 0.25, 0.5, 0.75)])

    def faces(self, place: np.ndarray) -> bool:
        """Return whether somebody who stands there sees this face."""
        return float((place - self.corner) @ self.normal) > 50


@dataclass
class Box:
    """A container, or another box, in the world: lower corner of its near end, and its sides."""

    corner: np.ndarray
    sides: np.ndarray  # width, height, length
    panels: dict[str, Panel] = field(default_factory=dict)

    def faces(self) -> list[Face]:
        """Return its painted faces."""
        result = []
        for name, panel in self.panels.items():
            corner, right, down, normal = (np.array(part, float) for part in FACES[name])
            height, width = panel.texture.shape[:2]
            result.append(
                Face(
                    panel,
                    self.corner + corner * self.sides,
                    right * (abs(right) @ self.sides) / width,
                    down * (abs(down) @ self.sides) / height,
                    normal,
                )
            )
        return result

    def is_before(self, other: Box, place: np.ndarray) -> bool:
        """Return whether the other box cannot hide this one from a place.

        That is so where a plane has this box and the place on one side, the other box on the other.
        """
        ends, other_ends = self.corner + self.sides, other.corner + other.sides
        after = (ends <= other.corner + 1) & (place <= other.corner + 1)
        return bool(np.any(after | ((self.corner >= other_ends - 1) & (place >= other_ends - 1))))

    def hides(self, place: np.ndarray, points: np.ndarray) -> bool:
        """Return whether the box stands between a place and any of the points (slab test)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            low = (self.corner - place) / (points - place)
            high = (self.corner + self.sides - place) / (points - place)
        enter = np.minimum(low, high).max(1)
        leave = np.maximum(low, high).min(1)
        return bool(np.any((enter < leave) & (enter < 0.999) & (leave > 0)))


@dataclass(frozen=True)
class Seen:
    """A line as the camera sees it: pixels of the photo, each letter's width and height arms."""

    line: Line
    centres: np.ndarray  # [letters, 2]
    rights: np.ndarray  # [letters, 2]: from the letter's left to its right
    downs: np.ndarray
    facing: float  # 1: the camera looks straight at it

    @property
    def pitch(self) -> float:
        """Return the median size of the letters, in pixels of the photo."""
        return float(np.median(np.minimum(lengths(self.downs), 1.6 * lengths(self.rights))))


def lengths(arms: np.ndarray) -> np.ndarray:
    """Return the length of each of the vectors [n, 2]."""
    return np.hypot(arms[:, 0], arms[:, 1])


def lines_of(face: Face, camera: Camera) -> list[Seen]:
    """Return the lines of a face as the camera sees them; none that is behind it."""
    result = []
    toward = camera.place - face.corners().mean(0)
    facing = float(toward @ face.normal / np.linalg.norm(toward))
    for line in face.panel.lines:
        x, y = (np.array([getattr(c, name) for c in line.letters]) for name in "xy")
        wide, high = (np.array([getattr(c, name) for c in line.letters]) / 2
                      for name in ("width", "height"))  # fmt: skip
        points = [(x, y), (x - wide, y), (x + wide, y), (x, y - high), (x, y + high)]
        pixels, depths = zip(*(camera.project(face.at(*point)) for point in points), strict=True)
        if min(map(np.min, depths)) > 2 * NEAREST:
            result.append(
                Seen(line, pixels[0], pixels[2] - pixels[1], pixels[4] - pixels[3], facing)
            )
    return result


def largest_number(box: Box, camera: Camera, least: int = 3) -> float:
    """Return how large a box's number looks, where more than `least` letters are on the photo."""
    sizes = [0.0]
    for face in box.faces():
        if face.panel.number is not None and face.faces(camera.place):
            for seen in lines_of(face, camera):
                on = np.all((seen.centres > 0) & (seen.centres < np.array(camera.size)), 1)
                if seen.line.is_number and on.sum() > least:
                    sizes.append(seen.pitch)
    return max(sizes)


def contains(box: Box, place: np.ndarray) -> bool:
    """Return whether a place is inside a box, or nearly."""
    return bool(np.all(place > box.corner - 300) and np.all(place < box.corner + box.sides + 300))


def in_frame(seen: Seen, size: tuple[int, int]) -> bool:
    """Return whether all of the letters are well on the photo."""
    margin = 0.7 * np.maximum(lengths(seen.downs), lengths(seen.rights)).max()
    low, high = seen.centres.min(0) - margin, seen.centres.max(0) + margin
    return bool(np.all(low > 0) and np.all(high < np.array(size)))
