"""The painted faces of containers: what they are made of, and the texts and stickers on them.

A panel is a flat texture with the place of every letter. Lengths are millimetres until they are
multiplied by the panel's scale, pixels per millimetre.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from demo.drawing import letters
from demo.drawing.canvas import LUMINANCE, Canvas, contrasting
from demo.drawing.letters import Block, Line, Style
from demo.drawing.repairs import write_repaired

PAINTS = (  # red, green, blue
    (0.09, 0.16, 0.33), (0.10, 0.20, 0.50), (0.05, 0.30, 0.45), (0.36, 0.60, 0.74),
    (0.45, 0.13, 0.10), (0.50, 0.10, 0.12), (0.36, 0.14, 0.12), (0.62, 0.20, 0.12),
    (0.70, 0.10, 0.12), (0.78, 0.38, 0.10), (0.85, 0.45, 0.15), (0.08, 0.33, 0.22),
    (0.10, 0.50, 0.25), (0.25, 0.45, 0.30), (0.15, 0.55, 0.50), (0.50, 0.52, 0.53),
    (0.65, 0.67, 0.68), (0.86, 0.86, 0.83), (0.90, 0.90, 0.90), (0.72, 0.62, 0.18),
    (0.20, 0.20, 0.22), (0.30, 0.22, 0.18), (0.50, 0.10, 0.28), (0.62, 0.42, 0.40),
)  # fmt: skip
FOREIGN_PAINTS = (  # of containers that no training shows
    (0.95, 0.75, 0.05), (0.45, 0.75, 0.15), (0.92, 0.45, 0.62), (0.35, 0.20, 0.55),
)  # fmt: skip
LOGOS = """
    NORDLINE SEAWAY ORCA BLUEPORT TRANSAL PACIFICA KORAL VELA HANSA POLARIS ASTRAL tex GOLD
    MSK EVERSEA CTC LINE STARFLEET meridian Oceanic KAPITAN UNIBOX BEACON CAPRICE ts.LINES
    ITALMAR
"""
NOTES = (
    "CAUTION", "HIGH CUBE", "9'6\" HIGH", "SUPER HEAVY", "KEEP DRY", "NO HOOKS", "2.9M", "9'6\"",
    "CSC SAFETY APPROVAL", "TIMBER TREATED", "CAUTION 9'6\" HIGH CONTAINER", "IC 70", "ACEP",
)  # fmt: skip
ADDRESSES = (
    "Orca Leasing Ltd.|Port Louis|Mauritius", "Blueport SRL.|Bridgetown", "www.seaway.example",
    "Kapitan Logistics", "NORDWAY Transport", "Owner: Vela Marine|Hamilton, Bermuda",
    "Type: AS/NT-20 A88-3|MANUFACTURED 04/2016", "call +00 555 0142", "Pacifica Trucking Co.",
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


WORN = 0.6, 1.1  # of a number's ink, where paint has come off: at 1 from half of it


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
    repair: str = ""  # how the number was mended: repairs.py
    worn: bool = False  # the number's paint has come off in places
    deep: bool = False  # its ribs are seen aslant: letters on them jump up and down


def random_coat(rng: np.random.Generator, number: str, foreign: bool = False) -> Coat:
    """Return a container's paint, ink, face and size; a foreign one's no training shows."""
    paints = FOREIGN_PAINTS if foreign else PAINTS
    paint = np.array(paints[rng.integers(len(paints))]) + rng.normal(0, 0.04, 3)
    if rng.random() < 0.1:
        paint = rng.random(3)
    paint = np.clip(paint, 0.03, 0.95)
    kind = rng.integers(len(HEIGHTS))
    return Coat(
        number,
        paint,
        contrasting(rng, paint),
        letters.draw_style(rng, letters.HELD_OUT_FACES if foreign else letters.TAUGHT_FACES),
        HEIGHTS[rng.integers(len(HEIGHTS))],
        LENGTHS[kind],
        float(rng.random() ** 1.5),
        str(rng.choice(LOGOS.split())),
    )


def write_number(
    rng: np.random.Generator, canvas: Canvas, block: Block, x: float, y: float, coat: Coat,
    scale: float,
) -> list[Line]:  # fmt: skip
    """Paint the number, sometimes on a patch of other paint, sometimes worn or mended."""
    if coat.repair:
        return write_repaired(rng, canvas, block, x, y, coat.paint, coat.ink, coat.repair)
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
    if coat.worn:
        wear = rng.uniform(*WORN)
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
    style = Style(coat.style.face, coat.style.stretch, rng.uniform(0.18, 0.32))
    leading = rng.uniform(1.3, 1.7) * capital
    sprites, lines = [], []
    for i, row in enumerate(other_lines(rng)):
        name, amount = row.split("|")
        first, letters1, end = letters.set_row(name, style, capital, 0, i * leading)
        start = max(x2 - x, end + 0.5 * capital if name else 0)
        second, letters2, _ = letters.set_row(amount, style, capital, start, i * leading, 0.5)
        sprites += first + second
        lines.append(Line(f"{name} {amount}".strip(), tuple(letters1 + letters2)))
    block = Block(tuple(sprites), tuple(lines))
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
    note, capital = str(rng.choice(NOTES)).split(), rng.uniform(35, 80) * scale
    if rng.random() < 0.3:
        note, capital = str(rng.choice(ADDRESSES)).split("|"), rng.uniform(30, 110) * scale
    block = letters.set_lines(note, Style(int(rng.integers(len(letters.FACES)))), capital, 1.4)
    if is_taken((x, y, x + block.width, y + block.height), taken):
        return []
    ink = np.full(3, 0.07)
    if kind < 0.8:
        paper = yellow if rng.random() < 0.6 else np.full(3, 0.9)
        pad = capital * 0.6
        canvas.rectangle(x - pad, y - pad, block.width + 2 * pad, block.height + 2 * pad, paper)
    else:
        here = canvas.texture[
            min(int(y), canvas.texture.shape[0] - 1), min(int(x), canvas.texture.shape[1] - 1)
        ]
        ink = contrasting(rng, here / 255)
    return canvas.write(rng, block, x, y, ink)


def write_logo(
    rng: np.random.Generator, canvas: Canvas, coat: Coat, box: tuple, most: float,
    taken: list[Line],
) -> list[Line]:  # fmt: skip
    """Paint the owner's name into the box (x, y, width, height), at most so high."""
    face = int(rng.integers(len(letters.FACES)))
    style = Style(
        face, rng.uniform(0.8, 1.3), rng.uniform(0.08, 0.3), 0.0, int(rng.choice((0, 4, 8)))
    )
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
    boxes = [line.box() for line in lines]
    return any(b[0] < box[2] and box[0] < b[2] and b[1] < box[3] and box[1] < b[3] for b in boxes)
