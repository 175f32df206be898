"""Painted faces of a container: doors, sides, front ends, roofs; what is written and stuck on them.

A panel is a flat texture with the place of every letter. Lengths are millimetres until they are
multiplied by the panel's scale, pixels per millimetre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import cv2
import letters
import numpy as np
from letters import Block, Letter, Line, Style

PAINTS = (  # red, green, blue
    (0.09, 0.16, 0.33), (0.10, 0.20, 0.50), (0.05, 0.30, 0.45), (0.36, 0.60, 0.74),
    (0.45, 0.13, 0.10), (0.50, 0.10, 0.12), (0.36, 0.14, 0.12), (0.62, 0.20, 0.12),
    (0.70, 0.10, 0.12), (0.78, 0.38, 0.10), (0.85, 0.45, 0.15), (0.08, 0.33, 0.22),
    (0.10, 0.50, 0.25), (0.25, 0.45, 0.30), (0.15, 0.55, 0.50), (0.50, 0.52, 0.53),
    (0.65, 0.67, 0.68), (0.86, 0.86, 0.83), (0.90, 0.90, 0.90), (0.72, 0.62, 0.18),
    (0.20, 0.20, 0.22), (0.30, 0.22, 0.18), (0.50, 0.10, 0.28), (0.62, 0.42, 0.40),
)  # fmt: skip
INKS = (
    (0.95, 0.95, 0.93), (0.95, 0.95, 0.93), (0.95, 0.95, 0.93), (0.95, 0.95, 0.93),
    (0.80, 0.80, 0.76), (0.06, 0.06, 0.07), (0.06, 0.06, 0.07), (0.12, 0.13, 0.18),
    (0.90, 0.75, 0.15), (0.65, 0.10, 0.10), (0.10, 0.20, 0.50),
)  # fmt: skip
RUSTS = ((0.33, 0.16, 0.07), (0.45, 0.22, 0.10), (0.22, 0.12, 0.08))
LUMINANCE = np.array((0.299, 0.587, 0.114))  # ITU-R BT.601
LOGOS = """
    NORDLINE SEAWAY ORCA BLUEPORT TRANSAL PACIFICA KORAL VELA HANSA POLARIS ASTRAL tex GOLD MSK
    EVERSEA CTC LINE STARFLEET meridian Oceanic KAPITAN UNIBOX BEACON CAPRICE ts.LINES ITALMAR
""".split()
NOTES = (
    "CAUTION", "HIGH CUBE", "9'6\" HIGH", "SUPER HEAVY", "KEEP DRY", "NO HOOKS", "2.9M", "9'6\"",
    "CSC SAFETY APPROVAL", "TIMBER TREATED", "CAUTION 9'6\" HIGH CONTAINER", "IC 70", "ACEP",
)  # fmt: skip
WIDTH, HEIGHTS, LENGTHS = 2438, (2591, 2591, 2896, 2896), (6058, 6058, 12192, 12192)
END_SCALE, SIDE_SCALE = 0.28, 0.25


@dataclass
class Panel:
    """A painted face and what is written on it, in pixels of its texture."""

    texture: np.ndarray  # uint8 [height, width, 3], red, green, blue
    scale: float
    lines: list[Line] = field(default_factory=list)

    @property
    def number(self) -> Line | None:
        """Return the line that is the container's number."""
        return next((line for line in self.lines if line.is_number), None)

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """Return the texture and its halves, down to a few pixels."""
        levels = [self.texture]
        while min(levels[-1].shape[:2]) >= 8 and len(levels) < 6:
            height, width = levels[-1].shape[:2]
            half = cv2.resize(
                levels[-1], (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA
            )
            levels.append(half)
        return levels


@dataclass(frozen=True)
class Coat:
    """What all faces of one container share."""

    number: str  # as painted, or empty
    paint: np.ndarray
    ink: np.ndarray
    style: Style
    height: int
    length: int
    age: float  # 0 new, 1 worn out
    logo: str


def random_coat(rng: np.random.Generator, number: str) -> Coat:
    """Return a container's paint, ink, face and size."""
    paint = np.array(PAINTS[rng.integers(len(PAINTS))]) + rng.normal(0, 0.04, 3)
    if rng.random() < 0.1:
        paint = rng.random(3)
    paint = np.clip(paint, 0.03, 0.95)
    kind = rng.integers(len(HEIGHTS))
    return Coat(
        number,
        paint,
        contrasting(rng, paint),
        letters.draw_style(rng),
        HEIGHTS[rng.integers(len(HEIGHTS))],
        LENGTHS[kind],
        float(rng.random() ** 1.5),
        str(rng.choice(LOGOS)),
    )


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


class Canvas:
    """A texture while it is painted: light along each axis is part of every paint."""

    def __init__(
        self, width: int, height: int, paint: np.ndarray, across: np.ndarray, down: np.ndarray,
        lean: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Coat the wall; `across` [width] and `down` [height] are the light on its profile.

        `lean` [width] is how far a rib's depth moves what is written there, seen from aside.
        """
        self.lean = lean
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
        self, x: float, y: float, width: float, height: float, colour: np.ndarray, lit: bool = True
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
        if self.lean is not None:
            mask, lines = self.lean_over(mask, left, lines)
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

    def lean_over(
        self, mask: np.ndarray, left: int, lines: Sequence[Line]
    ) -> tuple[np.ndarray, list[Line]]:
        """Return mask and letters of a block as its ribs move them."""
        columns = np.arange(mask.shape[1], dtype=np.float32)
        at = np.clip(np.arange(mask.shape[1]) + left, 0, len(self.lean) - 1)
        x = np.repeat((columns + self.lean[at])[None], mask.shape[0], 0)
        y = np.repeat(np.arange(mask.shape[0], dtype=np.float32)[:, None], mask.shape[1], 1)
        mask = cv2.remap(mask, x, y, cv2.INTER_LINEAR)

        def moved(letter: Letter) -> Letter:
            here = self.lean[int(np.clip(letter.x, 0, len(self.lean) - 1))]
            return replace(letter, x=letter.x - float(here))

        return mask, [replace(line, letters=tuple(map(moved, line.letters))) for line in lines]

    def age(self, rng: np.random.Generator, age: float, number: Sequence[Line] = ()) -> None:
        """Let dirt, rust, streaks and shadow come over the wall; rust spares the number mostly."""
        height, width = self.texture.shape[:2]
        grime = clouds(rng, width // 4 + 1, height // 4 + 1, rng.uniform(0.3, 1)).astype(np.float32)
        grime = 255 - grime * np.float32(rng.uniform(0.05, 0.15 + 0.25 * age))
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
            side = np.minimum(side, np.clip((np.float32(rng.uniform(0.02, 0.2)) - along) * sharp, 0, 1))
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
        for x0, y0, x1, y1 in (np.array(box_of(line)).astype(int) // 3 for line in number):
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
        0 <= letter.x - letter.width / 2
        and letter.x + letter.width / 2 <= width
        and 0 <= letter.y - letter.height / 2
        and letter.y + letter.height / 2 <= height
    )


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


def shorter(rng: np.random.Generator) -> float:
    """Return the height of a number's capitals, in millimetres."""
    return float(rng.choice((100, 100, 100, 110, 120, 150, 90)) * rng.uniform(0.93, 1.07))


def write_number(
    rng: np.random.Generator, canvas: Canvas, block: Block, x: float, y: float, coat: Coat,
    scale: float,
) -> list[Line]:  # fmt: skip
    """Paint the number, sometimes on a patch of other paint, sometimes worn."""
    ink, pad = coat.ink, 40 * scale
    if rng.random() < 0.1:
        patch = np.clip(coat.paint * rng.uniform(0.6, 1.3) + rng.normal(0, 0.04, 3), 0.02, 0.95)
        if rng.random() < 0.3:
            patch = rng.random(3)
        number = next(line for line in block.lines if line.is_number)
        some = number.letters[:4] if rng.random() < 0.6 else number.letters
        left = x + min(c.x - c.width / 2 for c in some) - pad * rng.uniform(0.3, 1)
        right = x + max(c.x + c.width / 2 for c in some) + pad * rng.uniform(0.3, 1)
        top = y + min(c.y - c.height / 2 for c in some) - pad * rng.uniform(0.3, 1)
        bottom = y + max(c.y + c.height / 2 for c in some) + pad * rng.uniform(0.3, 1)
        canvas.rectangle(left, top, right - left, bottom - top, patch)
        if abs((ink - patch) @ LUMINANCE) < 0.25 or len(some) > 4:
            ink = contrasting(rng, patch)
    wear = coat.age * rng.uniform(0, 1) if rng.random() < 0.5 else 0.0
    return canvas.write(rng, block, x, y, ink, rng.uniform(0.75, 1), wear)


def other_lines(rng: np.random.Generator, kilos: bool = True) -> list[str]:
    """Return the weights block, label and values."""
    gross, tare = int(rng.integers(240, 350)) * 100, int(rng.integers(200, 480)) * 10
    dot = "." if rng.random() < 0.7 else ","
    unit = ("KGS", "LBS") if rng.random() < 0.6 else ("KG", "LB")

    def value(weight: float, name: str) -> str:
        text = f"{round(weight):d}"
        return f"{text[:-3]}{dot}{text[-3:]} {name}"

    names = (
        ("MAX.GROSS", "TARE", "NET", "CU.CAP.")
        if rng.random() < 0.5
        else ("M.G.W.", "TARE", "PAYLOAD", "CUBE")
        if rng.random() < 0.6
        else ("MAX.GR.", "TARE", "NET", "CU.CAP.")
    )
    rows = []
    for name, weight in zip(names, (gross, tare, gross - tare)):
        rows += [f"{name}|{value(weight, unit[0])}", f"|{value(weight * 2.2046, unit[1])}"]
    cubic = rng.integers(300, 870) / 10
    return [*rows, f"{names[3]}|{cubic:.1f} CU.M", f"|{cubic * 35.31:.0f} CU.FT"]


def write_weights(
    rng: np.random.Generator, canvas: Canvas, x: float, x2: float, y: float, coat: Coat,
    capital: float,
) -> list[Line]:  # fmt: skip
    """Paint the weights: names from x, values from x2, a row of each a line."""
    style = Style(coat.style.face, coat.style.stretch, rng.uniform(0.08, 0.2))
    leading = rng.uniform(1.3, 1.7) * capital
    sprites, lines = [], []
    for i, row in enumerate(other_lines(rng)):
        name, amount = row.split("|")
        first, letters1, end = letters.set_row(name, style, capital, 0, i * leading)
        start = max(x2 - x, end + 0.5 * capital if name else 0)
        second, letters2, _ = letters.set_row(amount, style, capital, start, i * leading, 0.5)
        sprites += first + second
        lines.append(Line(f"{name} {amount}".strip(), tuple(letters1 + letters2)))
    block = letters.block_of(sprites, lines)
    return canvas.write(rng, block, x, y, coat.ink, rng.uniform(0.7, 1), 0.5 * coat.age)


def stick(
    rng: np.random.Generator, canvas: Canvas, box: tuple, scale: float, taken: list[Line]
) -> list[Line]:
    """Put a sticker, a triangle or a note somewhere in the box (x, y, width, height)."""
    x = box[0] + rng.random() * box[2]
    y = box[1] + rng.random() * box[3]
    size = rng.uniform(120, 320) * scale
    if is_taken((x - size * 0.5, y - size * 0.4, x + 2 * size, y + 1.5 * size), taken):
        return []
    yellow = np.array((0.92, 0.78, 0.12)) * rng.uniform(0.8, 1)
    kind = rng.random()
    if kind < 0.25:
        corners = np.array([(x + size / 2, y), (x + size, y + size * 0.87), (x, y + size * 0.87)])
        cv2.fillPoly(canvas.texture, [corners.astype(np.int32)], tuple(255 * yellow))
        cv2.polylines(canvas.texture, [corners.astype(np.int32)], True, (20, 20, 20), 2)
        return []
    if kind < 0.4:
        colour = tuple(float(c) for c in rng.integers(0, 255, 3))
        cv2.circle(canvas.texture, (int(x), int(y)), int(size * 0.4), colour, -1, cv2.LINE_AA)
        return []
    note = str(rng.choice(NOTES)).split()
    capital = rng.uniform(35, 80) * scale
    block = letters.set_lines(note, Style(int(rng.integers(len(letters.FACES)))), capital, 1.4)
    ink = np.full(3, 0.07)
    if kind < 0.8:
        paper = yellow if rng.random() < 0.6 else np.full(3, 0.9)
        pad = capital * 0.6
        canvas.rectangle(x - pad, y - pad, block.width + 2 * pad, block.height + 2 * pad, paper)
    else:
        here = canvas.texture[min(int(y), canvas.texture.shape[0] - 1), min(int(x), canvas.texture.shape[1] - 1)]
        ink = contrasting(rng, here / 255)
    return canvas.write(rng, block, x, y, ink)


def overlaps(line: Line, number: Line) -> bool:
    """Return whether two lines stand where the other does."""
    a, b = box_of(line), box_of(number)
    return not (a[0] > b[2] or b[0] > a[2] or a[1] > b[3] or b[1] > a[3])


def box_of(line: Line) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of a line's letters."""
    return (
        min(c.x - c.width / 2 for c in line.letters),
        min(c.y - c.height / 2 for c in line.letters),
        max(c.x + c.width / 2 for c in line.letters),
        max(c.y + c.height / 2 for c in line.letters),
    )


def write_logo(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, box: tuple, most: float,
    taken: list[Line],
) -> list[Line]:  # fmt: skip
    """Paint the owner's name into the box (x, y, width, height), at most so high."""
    face = int(rng.integers(len(letters.FACES)))
    style = Style(face, rng.uniform(0.8, 1.3), rng.uniform(0, 0.2), 0.0, int(rng.choice((0, 4, 8))))
    unit = letters.set_lines([coat.logo], style, 40)
    capital = min(most, 40 * box[2] / unit.width, box[3]) * rng.uniform(0.5, 1)
    if capital < 5:
        return []
    block = letters.set_lines([coat.logo], style, capital)
    x = box[0] + rng.random() * max(0, box[2] - block.width)
    y = box[1] + rng.random() * max(0, box[3] - block.height)
    if is_taken((x, y, x + block.width, y + block.height), taken):
        return []
    ink = coat.ink if rng.random() < 0.7 else contrasting(rng, coat.paint)
    return canvas.write(rng, block, x, y, ink)


def is_taken(box: tuple[float, float, float, float], lines: list[Line]) -> bool:
    """Return whether one of the lines stands in the box."""
    boxes = map(box_of, lines)
    return any(b[0] < box[2] and box[0] < b[2] and b[1] < box[3] and box[1] < b[3] for b in boxes)
