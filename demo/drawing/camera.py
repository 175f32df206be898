"""A camera: where it stands, how its lens bends, and what part of its photo is looked at.

The world is in millimetres: x to the right of somebody who looks at the near end of the container,
y up, z away from him. Pixels on the photo count from its upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

NEAREST = 100.0  # what is nearer to the camera than this is not seen, in millimetres


@dataclass(frozen=True)
class Camera:
    """A pinhole with a lens that bends: distorted = undistorted / (1 + bend * distorted ** 2)."""

    size: tuple[int, int]  # of the photo, in pixels
    focal: float  # pixels
    place: np.ndarray  # [3]
    axes: np.ndarray  # [3, 3]: right, down, forward
    bend: float  # 0 none; positive: a barrel
    stretch: tuple[float, float] = (1.0, 1.0)  # of the sides, after the photo was taken

    @property
    def half(self) -> float:
        """Return half the diagonal of the photo as taken, in pixels."""
        return float(np.hypot(*np.divide(self.size, self.stretch)) / 2)

    def stretched(self, size: tuple[int, int]) -> Camera:
        """Return the camera whose photos are stretched to this size."""
        return replace(self, size=size, stretch=tuple(np.divide(size, self.size)))

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixels of points [n, 3], [n, 2], and how far before the camera they are."""
        seen = (points - self.place) @ self.axes.T
        depth = np.maximum(seen[:, 2], NEAREST)
        flat = seen[:, :2] / depth[:, None] * self.focal
        return self.distort(flat) * self.stretch + np.array(self.size) / 2, seen[:, 2]

    def distort(self, flat: np.ndarray) -> np.ndarray:
        """Return where the lens puts points of the pinhole's image, both from its centre."""
        if not self.bend:
            return flat
        radius = np.maximum(np.hypot(flat[:, 0], flat[:, 1]) / self.half, 1e-6)
        bent = (np.sqrt(1 + 4 * self.bend * radius**2) - 1) / (2 * self.bend * radius)
        return flat * (bent / radius)[:, None]

    def straighten(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pinhole's image of pixels of the photo: x and y from the centre."""
        x = (x - self.size[0] / 2) * np.float32(1 / self.stretch[0])
        y = (y - self.size[1] / 2) * np.float32(1 / self.stretch[1])
        if not self.bend:
            return x, y
        radius = (x * x + y * y) * np.float32(1 / self.half**2)
        scale = 1 / np.maximum(1 - np.float32(self.bend) * radius, 0.05)
        return x * scale, y * scale

    def plane(self, corner: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Return the matrix from the pinhole's image to a plane, whose steps are right and down."""
        columns = np.stack([right, down, corner - self.place], 1)
        lens = np.diag((self.focal, self.focal, 1.0))
        return np.linalg.inv(lens @ self.axes @ columns)


def aim(
    place: np.ndarray, at: np.ndarray, pixel: tuple[float, float], size: tuple[int, int],
    focal: float, roll: float, bend: float,
) -> Camera:  # fmt: skip
    """Return the camera that sees a point of the world near this pixel."""
    forward = (at - place) / np.linalg.norm(at - place)
    for _ in range(2):
        right, down = sideways(forward, roll)
        off = np.array(pixel) - np.array(size) / 2
        if bend:
            radius = np.hypot(*off) / (np.hypot(*size) / 2)
            off = off / max(1 - bend * radius**2, 0.2)
        goal = (at - place) / np.linalg.norm(at - place)
        forward = goal - right * off[0] / focal - down * off[1] / focal
        forward /= np.linalg.norm(forward)
    right, down = sideways(forward, roll)
    return Camera(size, focal, place, np.stack([right, down, forward]), bend)


def sideways(forward: np.ndarray, roll: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the photo's right and down in the world for a camera that looks forward."""
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    down = -np.cross(forward, right)
    return rolled(right, down, roll)


def rolled(right: np.ndarray, down: np.ndarray, roll: float) -> tuple[np.ndarray, np.ndarray]:
    """Return right and down of a camera that is turned by so many radians."""
    cos, sin = np.cos(roll), np.sin(roll)
    return cos * right + sin * down, cos * down - sin * right


@dataclass(frozen=True)
class Window:
    """A turned rectangle of a photo, in its pixels, that is squashed to the model's input."""

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0  # direction of its upper edge, clockwise on the photo, in radians

    def grid(self, columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the photo's pixels under each pixel of the window, two of [rows, columns]."""
        u = ((np.arange(columns, dtype=np.float32) + 0.5) / columns - 0.5) * self.width
        v = (((np.arange(rows, dtype=np.float32) + 0.5) / rows - 0.5) * self.height)[:, None]
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        return self.x + cos * u - sin * v, self.y + sin * u + cos * v

    def shares(self, pixels: np.ndarray) -> np.ndarray:
        """Return where pixels of the photo [n, 2] lie in the window: 0..1 from left and top."""
        off = pixels - (self.x, self.y)
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        u, v = off[:, 0] * cos + off[:, 1] * sin, off[:, 1] * cos - off[:, 0] * sin
        return np.stack([u / self.width + 0.5, v / self.height + 0.5], 1)
