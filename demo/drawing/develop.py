"""What light, weather, lens, sensor and file do to a photo."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from demo.drawing.kinds import PLAIN, Kind


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
    return cv2.convertScaleAbs(cv2.subtract(image, np.full(3, black)), alpha=gain)


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
    mask: np.ndarray = np.zeros((height, width), np.uint8)
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
    image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    image = squeeze(image, int(rng.integers(40, 90)))
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
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    small = squeeze(small, int(rng.integers(30, 85)))
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
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None  # it has just been encoded
    return decoded
