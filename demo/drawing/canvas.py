"""Steel while it is painted: light on its profile, ink, patches, then dirt, shadow and rust.

Lengths are pixels of the texture. Light along each axis is part of every paint, so that the edges
of ribs run through letters as they do on real walls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike

from demo.drawing.letters import Block, Letter, Line

INKS = (
    (0.95, 0.95, 0.93), (0.95, 0.95, 0.93), (0.95, 0.95, 0.93), (0.95, 0.95, 0.93),
    (0.80, 0.80, 0.76), (0.06, 0.06, 0.07), (0.06, 0.06, 0.07), (0.12, 0.13, 0.18),
    (0.90, 0.75, 0.15), (0.65, 0.10, 0.10), (0.10, 0.20, 0.50),
)  # fmt: skip
RUSTS = ((0.33, 0.16, 0.07), (0.45, 0.22, 0.10), (0.22, 0.12, 0.08))
LUMINANCE = np.array((0.299, 0.587, 0.114))  # ITU-R BT.601
MOST_LEAN, MOST_RISE = 0.6, 1.6  # of a slope, to its width: how far it moves what is on it
MARGIN = 4  # round a block of text, in pixels


def contrasting(rng: np.random.Generator, paint: np.ndarray) -> np.ndarray:
    """Return an ink that can be told from the paint."""
    least = 0.2 if rng.random() < 0.2 else 0.36
    while True:
        ink = np.array(INKS[rng.integers(len(INKS))])
        if abs((ink - paint) @ LUMINANCE) > least:
            return np.clip(ink + rng.normal(0, 0.02, 3), 0, 1)
        least *= 0.97


@lru_cache(maxsize=1)
def clouds_bank() -> np.ndarray:
    """Return tiles of smooth noise of several grains, uint8 [tile, 256, 256]."""
    rng, tiles = np.random.default_rng(0), []
    for _ in range(6):
        total = np.zeros((256, 256), np.float32)
        for grain, share in ((4, 1.0), (10, 0.8), (28, 0.6), (80, 0.4)):
            coarse = rng.random((grain, grain), dtype=np.float32) - 0.5
            total += share * cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC)
        total = (total - total.min()) / (total.max() - total.min())
        tiles.append((total * 255).astype(np.uint8))
    return np.stack(tiles)


def clouds(rng: np.random.Generator, width: int, height: int, zoom: float = 1.0) -> np.ndarray:
    """Return smooth noise, uint8 [height, width]; at zoom 2 it is twice as fine."""
    tile = clouds_bank()[rng.integers(6)]
    size = max(4, int(rng.uniform(0.5, 1) * 255 / max(1.0, 1 / zoom)))
    x, y = rng.integers(0, 256 - size, 2) if size < 256 else (0, 0)
    part = tile[y : y + size, x : x + size]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)


def ribs(rng: np.random.Generator, length: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Return light on corrugated steel along [length], flat, slope, deep flat, slope; and depth."""
    period = rng.uniform(180, 330) * scale
    phase = (np.arange(length, dtype=np.float32) / period + rng.random()) % 1
    slope = rng.uniform(0.05, 0.24)
    rise, fall, deep = rng.uniform(-0.4, 0.25), rng.uniform(-0.4, 0.25), rng.uniform(-0.15, 0.08)
    if rng.random() < 0.4:
        rise, fall, deep = rise * 0.4, fall * 0.4, deep * 0.4
    flat = (1 - 2 * slope) * rng.uniform(0.35, 0.65)
    soft = 0.012
    at = np.cumsum([0, flat - soft, soft, slope - soft, soft, 1 - 2 * slope - flat - soft, soft,
                    slope - soft, soft])  # fmt: skip
    light = 1 + np.interp(phase, at, (0, 0, rise, rise, deep, deep, fall, fall, 0))
    depth = np.interp(phase, at, (0, 0, 0.1, 0.9, 1, 1, 0.9, 0.1, 0))
    return light, depth.astype(np.float32)


def seen_aslant(
    rng: np.random.Generator, depth: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return how far aside and up ribs of this depth move what is written on them: lean and rise.

    No slope is hidden, nor so steep that it tears a letter to pieces.
    """
    slope = np.gradient(depth)
    lean = depth * np.float32(rng.normal(0, 28) * scale)
    lean *= np.float32(min(1.0, MOST_LEAN / max(1e-6, np.abs(np.gradient(lean)).max())))
    rise = min(rng.uniform(14, 60) * scale, MOST_RISE / max(1e-6, np.abs(slope).max()))
    return lean, depth * np.float32(rise * rng.choice((-1, 1)))


class Canvas:
    """A texture while it is painted: light along each axis is part of every paint."""

    def __init__(
        self, width: int, height: int, paint: np.ndarray, across: np.ndarray, down: np.ndarray,
        lean: np.ndarray | None = None, rise: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Coat the wall; `across` [width] and `down` [height] are the light on its profile.

        `lean` [width] is how far a rib's depth moves what is written there to the left, seen from
        aside; `rise` [width] how far up. With a rise, the lean falls by less than 1 in 1.
        """
        self.lean, self.rise = lean, rise
        self.across, self.down = across.astype(np.float32), down.astype(np.float32)
        row = (255 * paint * self.across[:, None]).astype(np.float32)  # [width, 3]
        if np.ptp(self.down) == 0:
            line = np.clip(row * self.down[0], 0, 255).astype(np.uint8)
            self.texture = np.repeat(line[None], height, 0)
        else:
            rows = row[None] * self.down[:, None, None]
            self.texture = np.clip(rows, 0, 255).astype(np.uint8)

    def light(self, x: int, y: int, width: int, height: int) -> np.ndarray:
        """Return the light on a part of the wall, [height, width, 1]."""
        return (self.down[y : y + height, None] * self.across[None, x : x + width])[..., None]

    def rectangle(
        self, x: float, y: float, width: float, height: float, colour: ArrayLike, lit: bool = True
    ) -> None:
        """Fill a rectangle, in pixels."""
        x0, y0 = max(0, round(x)), max(0, round(y))
        x1 = min(self.texture.shape[1], max(x0 + 1, round(x + width)))
        y1 = min(self.texture.shape[0], max(y0 + 1, round(y + height)))
        if x1 <= x0 or y1 <= y0:
            return
        fill = 255 * np.asarray(colour)
        if lit:
            fill = fill * self.light(x0, y0, x1 - x0, y1 - y0)
        self.texture[y0:y1, x0:x1] = np.clip(fill, 0, 255).astype(np.uint8)

    def shade(self, x: float, y: float, width: float, height: float, factor: float) -> None:
        """Make a rectangle darker or brighter."""
        x0, y0 = max(0, round(x)), max(0, round(y))
        part = self.texture[y0 : max(y0 + 1, round(y + height)), x0 : max(x0 + 1, round(x + width))]
        if part.size:
            part[:] = np.clip(part * np.float32(factor), 0, 255).astype(np.uint8)

    def write(
        self, rng: np.random.Generator, block: Block, x: float, y: float, ink: np.ndarray,
        opacity: float = 1.0, wear: float = 0.0,
    ) -> list[Line]:  # fmt: skip
        """Paint a block with its corner at x, y; return its lines where they now stand."""
        x, y, margin = round(x), round(y), 4
        mask = block.mask(margin)
        left, top = x - margin, y - margin
        lines = block.moved(x, y)
        if self.rise is not None and self.lean is not None:
            mask, lines, rim = rise_over(self.lean, self.rise, mask, left, lines)
            left, top = left - rim, top - rim
        elif self.lean is not None:
            mask, lines = lean_over(self.lean, mask, left, lines)
        height, width = self.texture.shape[:2]
        cut_x, cut_y = max(0, -left), max(0, -top)
        mask = mask[cut_y : max(0, height - top), cut_x : max(0, width - left)]
        left, top = left + cut_x, top + cut_y
        if not mask.size:
            return []
        alpha = mask.astype(np.float32) * np.float32(opacity / 255)
        if wear > 0:
            noise = clouds(rng, mask.shape[1], mask.shape[0], 1.0).astype(np.float32)
            alpha *= 1 - np.clip((noise - (230 - 120 * wear)) / 30, 0, 1) * np.float32(0.75)
        part = self.texture[top : top + mask.shape[0], left : left + mask.shape[1]]
        lit = 255 * ink.astype(np.float32) * self.light(left, top, mask.shape[1], mask.shape[0])
        mixed = part + (lit - part) * alpha[..., None]
        part[:] = np.clip(mixed, 0, 255).astype(np.uint8)
        return [line for line in lines if all(inside(c, width, height) for c in line.letters)]

    def age(self, rng: np.random.Generator, age: float, number: Sequence[Line] = ()) -> None:
        """Let dirt, rust, streaks and shadow come over the wall; rust spares the number mostly."""
        height, width = self.texture.shape[:2]
        noise = clouds(rng, width // 4 + 1, height // 4 + 1, rng.uniform(0.3, 1))
        strength = np.float32(rng.uniform(0.05, 0.15 + 0.25 * age))
        grime: np.ndarray = 255 - noise.astype(np.float32) * strength
        if rng.random() < 0.5:
            streaks = clouds(rng, width // 4 + 1, 4).astype(np.float32).mean(0)
            grime -= streaks * np.float32(rng.uniform(0, 0.2) * (0.3 + age))
        if rng.random() < 0.3:
            self.cast_shadow(rng, grime)
        grime = cv2.resize(np.clip(grime, 0, 255).astype(np.uint8), (width, height))
        self.texture = cv2.multiply(self.texture, cv2.merge([grime] * 3), scale=1 / 255)
        if rng.random() < 0.25 + 0.5 * age:
            self.rust(rng, age, number)

    @staticmethod
    def cast_shadow(rng: np.random.Generator, light: np.ndarray) -> None:
        """Darken one side of a line, or a band, in place."""
        height, width = light.shape
        x = np.linspace(0, 1, width, dtype=np.float32)
        y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
        angle = rng.uniform(0, 2 * np.pi)
        along = np.float32(np.cos(angle)) * (x - 0.5) + np.float32(np.sin(angle)) * (y - 0.5)
        along -= np.float32(rng.uniform(-0.5, 0.5))
        sharp = np.float32(rng.uniform(10, 200))
        side = np.clip(along * sharp, 0, 1)
        if rng.random() < 0.4:
            side = np.minimum(
                side, np.clip((np.float32(rng.uniform(0.02, 0.2)) - along) * sharp, 0, 1)
            )
        light *= 1 - np.float32(rng.uniform(0.2, 0.65)) * side

    def rust(self, rng: np.random.Generator, age: float, number: Sequence[Line]) -> None:
        """Blend rust in where a noise is high; often in streaks that run down."""
        height, width = self.texture.shape[:2]
        small = width // 3 + 1, height // 3 + 1
        noise = clouds(rng, small[0], small[1], 1.0)
        if rng.random() < 0.6:
            fine = clouds(rng, small[0], max(4, small[1] // 12), 1.0)
            noise = cv2.addWeighted(noise, 0.5, cv2.resize(fine, small), 0.5, 0)
        edge = np.percentile(noise[::8, ::8], 99.5 - 12 * age * rng.random())
        rust = np.clip((noise.astype(np.float32) - edge) * rng.uniform(0.02, 0.12), 0, 0.85)
        if rng.random() < 0.5:  # more of it at the upper edge and the lower
            rust *= np.abs(np.linspace(-1.3, 1.3, small[1], dtype=np.float32))[:, None].clip(0.1, 1)
        for x0, y0, x1, y1 in (np.array(line.box()).astype(int) // 3 for line in number):
            rust[max(0, y0) : y1 + 2, max(0, x0) : x1 + 2] *= rng.uniform(0, 0.4)
        rust = cv2.resize(rust, (width, height))
        colour = np.array(RUSTS[rng.integers(len(RUSTS))]) * 255 * rng.uniform(0.7, 1.2)
        ys, xs = np.nonzero(rust > 0.03)
        share = rust[ys, xs][:, None]
        here = self.texture[ys, xs]
        self.texture[ys, xs] = (here + (colour - here) * share).astype(np.uint8)


def inside(letter: Letter, width: int, height: int) -> bool:
    """Return whether a letter stands on the panel."""
    return (
        letter.x - letter.width / 2 >= 0
        and letter.x + letter.width / 2 <= width
        and letter.y - letter.height / 2 >= 0
        and letter.y + letter.height / 2 <= height
    )


def lean_over(
    lean: np.ndarray, mask: np.ndarray, left: int, lines: Sequence[Line]
) -> tuple[np.ndarray, list[Line]]:
    """Return mask and letters of a block as ribs move them that lean so far."""
    columns = np.arange(mask.shape[1], dtype=np.float32)
    at = np.clip(np.arange(mask.shape[1]) + left, 0, len(lean) - 1)
    x = np.repeat((columns + lean[at])[None], mask.shape[0], 0)
    y = np.repeat(np.arange(mask.shape[0], dtype=np.float32)[:, None], mask.shape[1], 1)
    mask = cv2.remap(mask, x, y, cv2.INTER_LINEAR)

    def moved(letter: Letter) -> Letter:
        here = lean[int(np.clip(letter.x, 0, len(lean) - 1))]
        return replace(letter, x=letter.x - float(here))

    return mask, [replace(line, letters=tuple(map(moved, line.letters))) for line in lines]


def rise_over(
    lean: np.ndarray, rise: np.ndarray, mask: np.ndarray, left: int, lines: Sequence[Line]
) -> tuple[np.ndarray, list[Line], int]:
    """Return mask and letters that ribs move aside and up or down, and how wide its new rim is.

    A letter is torn at the slopes; its box is round all its parts.
    """
    wall = np.arange(len(rise), dtype=np.float32)
    source = wall + lean  # where on the block a column of the wall comes from
    rim = math.ceil(max(np.abs(rise).max(), np.abs(lean).max()))
    mask = cv2.copyMakeBorder(mask, rim, rim, rim, rim, cv2.BORDER_CONSTANT)
    y, x = np.indices(mask.shape, np.float32)
    at = np.clip(np.arange(mask.shape[1]) + left - rim, 0, len(wall) - 1)
    mask = cv2.remap(mask, x + lean[at], y + rise[at], cv2.INTER_LINEAR)

    def moved(letter: Letter) -> Letter:
        half = letter.width / 2
        x0, x1 = np.interp((letter.x - half, letter.x + half), source, wall)
        ups = np.interp(np.linspace(x0, x1, 40), wall, rise)
        y, tall = letter.y - (ups.min() + ups.max()) / 2, letter.height + np.ptp(ups)
        return Letter(letter.character, *map(float, ((x0 + x1) / 2, y, x1 - x0, tall)))

    return mask, [replace(line, letters=tuple(map(moved, line.letters))) for line in lines], rim
