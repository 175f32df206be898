"""A camera: where it stands, how its lens bends, and what sensor, weather and file do to a photo.

The world is in millimetres: x to the right of somebody who looks at the near end of the container,
y up, z away from him. Pixels on the photo count from its upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from demo.drawing.kinds import PLAIN, Kind

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


@lru_cache(maxsize=1)
def noise_bank() -> np.ndarray:
    """Return a tile of noise round 128, uint8 [700, 1000, 3]."""
    rng = np.random.default_rng(1)
    grey = rng.standard_normal((700, 1000, 1), dtype=np.float32) * 26
    colour = rng.standard_normal((700, 1000, 3), dtype=np.float32) * 18
    return np.clip(128 + grey + colour, 0, 255).astype(np.uint8)


def expose(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image as exposed: brightness, contrast, colour of the light, night, haze."""
    level = np.arange(256, dtype=np.float32) / 255
    night = rng.random() < 0.12
    gain = rng.uniform(0.35, 0.75) if night else np.exp(rng.normal(0.08, 0.18))
    balance = 1 + rng.normal(0, 0.14 if night else 0.06, 3)
    curve = np.clip(gain * balance[:, None] * level, 0, 1.2)
    curve = np.clip(curve, 0, 1) ** np.exp(rng.normal(0, 0.22))
    if rng.random() < 0.3:  # contrast
        pivot = rng.uniform(0.1, 0.5) * gain
        curve = pivot + (curve - pivot) * rng.uniform(0.8, 1.6)
    if rng.random() < 0.25:  # haze, or light on the lens
        share = rng.uniform(0.05, 0.5)
        curve = curve * (1 - share) + share * rng.uniform(0.5, 1)
    table = np.clip(curve * 255, 0, 255).astype(np.uint8).T[None]
    image = cv2.LUT(image, np.ascontiguousarray(table))
    if rng.random() < 0.3:  # more or less colour
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        share = rng.uniform(0, 0.9) if rng.random() < 0.6 else rng.uniform(-0.4, 0)
        image = cv2.addWeighted(image, 1 - share, grey, share, 0)
    return image


def burn(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image with what is dark black, and what is bright often white."""
    black, gain = rng.uniform(0, 20), np.exp(rng.uniform(-0.05, 0.5))
    return cv2.convertScaleAbs(cv2.subtract(image, (black,) * 3), alpha=gain)


def shine(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image with a lamp or the sun beside it, or a dark corner."""
    height, width = image.shape[:2]
    x = np.linspace(0, 1, width // 4, dtype=np.float32)
    y = np.linspace(0, 1, height // 4, dtype=np.float32)[:, None]
    at = rng.uniform(-0.3, 1.3, 2).astype(np.float32)
    reach = np.float32(rng.uniform(0.1, 0.7))
    glow = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * reach**2))
    glow = cv2.resize(glow, (width, height))
    if rng.random() < 0.6:
        amount = rng.uniform(40, 160)
        light = cv2.merge([np.clip(glow * amount * c, 0, 255).astype(np.uint8)
                           for c in rng.uniform(0.7, 1, 3)])  # fmt: skip
        return cv2.add(image, light)
    dark = (255 * (1 - rng.uniform(0.2, 0.55) * glow)).astype(np.uint8)
    return cv2.multiply(image, cv2.merge([dark] * 3), scale=1 / 255)


def dirty_lens(rng: np.random.Generator, image: np.ndarray, unit: float) -> np.ndarray:
    """Return the image through drops or dust: parts of it are blurred and pale."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(3, 25)):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = [max(1, int(a)) for a in rng.uniform(2, 14, 2) * unit]
        cv2.ellipse(
            mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, int(rng.integers(60, 200)), -1
        )
    mask = cv2.GaussianBlur(mask, (0, 0), 2 * unit)
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(1.5, 4) * unit)
    soft = cv2.addWeighted(soft, 0.85, soft, 0, rng.uniform(0, 40))
    share = cv2.merge([mask] * 3).astype(np.float32) / 255
    return (image + (soft.astype(np.float32) - image) * share).astype(np.uint8)


def light_up(rng: np.random.Generator, image: np.ndarray, unit: float) -> np.ndarray:
    """Return the image in the light and through the lens of some day or night."""
    if rng.random() < 0.35:
        image = shine(rng, image)
    if rng.random() < 0.06:
        image = dirty_lens(rng, image, unit)
    return expose(rng, image)


def develop(
    rng: np.random.Generator, image: np.ndarray, unit: float, gentle: bool = False,
    kind: Kind = PLAIN,
) -> np.ndarray:  # fmt: skip
    """Return what the camera's file holds of the light; unit: its pixels to one of the model's.

    gentle: letters are small here and would not survive much blur.
    """
    if not kind.studio:
        image = light_up(rng, image, unit)
    if kind.scanned:
        image = burn(rng, image)
    most = 0.5 if gentle else 0.95
    if rng.random() < 0.7:
        sigma = most * rng.random() ** 1.5 * unit
        if sigma > 0.25:
            image = cv2.GaussianBlur(image, (0, 0), sigma)
    if rng.random() < 0.12:
        image = shake(rng, image, unit * (0.5 if gentle else 1.0))
    if rng.random() < 0.3:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 1.2) * unit)
        amount = rng.uniform(0.3, 1.2)
        image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0)
    if rng.random() < 0.7:
        amount = 0.45 * rng.random() ** 2.5
        bank = noise_bank()
        more = [-(-side // have) for side, have in zip(image.shape[:2], bank.shape[:2])]
        bank = cv2.repeat(bank, *more) if max(more) > 1 else bank
        y = rng.integers(0, bank.shape[0] - image.shape[0] + 1)
        x = rng.integers(0, bank.shape[1] - image.shape[1] + 1)
        tile = bank[y : y + image.shape[0], x : x + image.shape[1]]
        image = cv2.addWeighted(image, 1, tile, amount, -128 * amount)
    if kind.grey:
        image = fade(rng, image)
    if kind.soft:
        image = send_small(rng, image, *((0.5, 0.9) if gentle else (0.25, 0.7)))
    elif not gentle and rng.random() < 0.12:
        image = send_small(rng, image)
    if rng.random() < 0.8:
        image = squeeze(image, int(rng.integers(25, 95)))
    if kind.resaved:
        image = save_again(rng, image)
    return image


def save_again(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image after it was saved, resized a little, and saved once more."""
    height, width = image.shape[:2]
    share = rng.uniform(0.75, 1.2)
    size = max(32, round(share * width)), max(32, round(share * height))
    image = squeeze(image, int(rng.integers(40, 90)))
    image = squeeze(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), rng.integers(40, 90))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)


def fade(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image without colour, its contrast a third to all of what it was."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    contrast, middle = rng.uniform(0.35, 1.0), float(grey.mean())
    towards = np.clip(middle + rng.normal(0, 30), 60, 200)
    grey = cv2.convertScaleAbs(grey, alpha=contrast, beta=towards - contrast * middle)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def send_small(
    rng: np.random.Generator, image: np.ndarray, least: float = 0.4, most: float = 0.9
) -> np.ndarray:
    """Return the image after it was made smaller and saved, as when it is passed on, twice."""
    height, width = image.shape[:2]
    share = rng.uniform(least, most)
    size = max(32, round(share * width)), max(32, round(share * height))
    small = squeeze(cv2.resize(image, size, interpolation=cv2.INTER_AREA), rng.integers(30, 85))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def shake(rng: np.random.Generator, image: np.ndarray, unit: float) -> np.ndarray:
    """Return the image blurred by motion in one direction."""
    size = max(3, int(rng.uniform(1.2, 3.2) * unit) | 1)
    kernel = np.zeros((size, size), np.float32)
    angle, half = rng.uniform(0, np.pi), size // 2
    off = np.rint(np.array((np.cos(angle), np.sin(angle))) * half).astype(int)
    cv2.line(kernel, (half - off[0], half - off[1]), (half + off[0], half + off[1]), 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def squeeze(image: np.ndarray, quality: int) -> np.ndarray:
    """Return the image after JPEG; red and blue are swapped, which the compression hardly sees."""
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return cv2.imdecode(data, cv2.IMREAD_COLOR)
