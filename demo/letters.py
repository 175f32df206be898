"""Letters as they are sprayed on steel: faces, rows of text, and the place of every letter.

All faces have free licences and come from packages: Barlow, Bebas Neue, Archivo Narrow, Oswald,
Saira, Fjalla One, Share Tech, Overpass, Rajdhani, PT Sans Narrow, Hanken Grotesk, Source Sans Pro
(SIL OFL 1.1), Roboto and Arimo (Apache 2.0), and Pillow's own Aileron (CC0). Most real lettering is
a condensed grotesque, widely spaced; so most of these are, and others are drawn narrower.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FACES = (  # package, file, weight of a variable face, the narrowest share of its width
    ("fontpkg_barlow_condensed", "BarlowCondensed-Medium.ttf", 0, 0.95),
    ("fontpkg_barlow_condensed", "BarlowCondensed-SemiBold.ttf", 0, 0.95),
    ("fontpkg_barlow_condensed", "BarlowCondensed-Bold.ttf", 0, 0.95),
    ("fontpkg_barlow_semi_condensed", "BarlowSemiCondensed-Medium.ttf", 0, 0.8),
    ("fontpkg_barlow_semi_condensed", "BarlowSemiCondensed-SemiBold.ttf", 0, 0.8),
    ("fontpkg_bebas_neue", "BebasNeue-Regular.ttf", 0, 0.9),
    ("fontpkg_archivo_narrow", "ArchivoNarrow[wght].ttf", 500, 0.85),
    ("fontpkg_archivo_narrow", "ArchivoNarrow[wght].ttf", 700, 0.85),
    ("fontpkg_oswald", "Oswald[wght].ttf", 400, 0.9),
    ("fontpkg_oswald", "Oswald[wght].ttf", 500, 0.9),
    ("fontpkg_roboto_condensed", "RobotoCondensed[wght].ttf", 400, 0.85),
    ("fontpkg_roboto_condensed", "RobotoCondensed[wght].ttf", 600, 0.85),
    ("fontpkg_saira_condensed", "SairaCondensed-Medium.ttf", 0, 0.9),
    ("fontpkg_saira_condensed", "SairaCondensed-SemiBold.ttf", 0, 0.9),
    ("fontpkg_pt_sans_narrow", "PT_Sans-Narrow-Web-Bold.ttf", 0, 0.9),
    ("fontpkg_fjalla_one", "FjallaOne-Regular.ttf", 0, 0.9),
    ("fontpkg_share_tech", "ShareTech-Regular.ttf", 0, 0.75),
    ("fontpkg_overpass", "Overpass[wght].ttf", 600, 0.65),
    ("fontpkg_overpass", "Overpass[wght].ttf", 800, 0.65),
    ("fontpkg_rajdhani", "Rajdhani-SemiBold.ttf", 0, 0.75),
    ("fontpkg_arimo", "Arimo[wght].ttf", 500, 0.65),
    ("fontpkg_arimo", "Arimo[wght].ttf", 700, 0.65),
    ("font_roboto", "Roboto-Medium.ttf", 0, 0.65),
    ("font_source_sans_pro", "SourceSansPro-Semibold.ttf", 0, 0.7),
    ("font_hanken_grotesk", "HankenGrotesk-Medium.otf", 0, 0.65),
    ("", "", 0, 0.65),  # Pillow's own Aileron
)
CAPITAL = 64  # height of the letters that are kept, in pixels


@dataclass(frozen=True)
class Letter:
    """One painted character: its centre and size, in pixels of what it is painted on."""

    character: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """Characters that are read one after the other."""

    text: str
    letters: tuple[Letter, ...]  # one for each character of the text that is not a space
    is_number: bool = False

    def points(self) -> np.ndarray:
        """Return the centres of the letters, [letters, 2]."""
        return np.array([(c.x, c.y) for c in self.letters]).reshape(-1, 2)


@dataclass(frozen=True)
class Style:
    """How a text is painted: the face, its width, the room between letters."""

    face: int
    stretch: float = 1.0  # of the face's width
    tracking: float = 0.12  # room between letters, in capitals
    pitch: float = 0.0  # of letters that stand in cells, in capitals; 0: each has its own width
    weight: int = 0  # pixels of CAPITAL that strokes are thicker, or thinner


def draw_style(rng: np.random.Generator) -> Style:
    """Return a style as it may stand on a container."""
    face = int(rng.integers(len(FACES)))
    stretch = rng.uniform(FACES[face][3], 1.05)
    tracking = rng.uniform(0.08, 0.4)
    widest = stretch * max(glyph(face, c)[0].shape[1] for c in "MW0") / CAPITAL
    pitch = widest * 0.85 + tracking if rng.random() < 0.45 else 0.0
    weight = int(rng.choice((0, 0, 0, 2, 4, -2)))
    return Style(face, round(stretch, 2), tracking, pitch, weight)


@lru_cache(maxsize=64)
def font(face: int) -> ImageFont.FreeTypeFont:
    """Return the face in the size in which a capital H is about CAPITAL high."""
    package, name, weight, _ = FACES[face]
    if not package:
        loaded = ImageFont.load_default(100)
        height = loaded.getbbox("H", anchor="ls")[1]
        return ImageFont.load_default(100 * CAPITAL / -height)
    folder = Path(importlib.import_module(package).__file__).parent / "files"
    path = str(folder / name)
    loaded = ImageFont.truetype(path, 100)
    loaded = ImageFont.truetype(path, 100 * CAPITAL / -loaded.getbbox("H", anchor="ls")[1])
    if weight:
        loaded.set_variation_by_axes([weight])
    return loaded


@lru_cache(maxsize=8192)
def glyph(face: int, character: str) -> tuple[np.ndarray, float, float]:
    """Return a character's mask, uint8, cut at its ink, its top over the foot line, its advance."""
    loaded = font(face)
    left, top, right, bottom = loaded.getbbox(character, anchor="ls")
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(image).text((-left, -top), character, 255, loaded, anchor="ls")
    return np.asarray(image), -float(top), loaded.getlength(character)


@lru_cache(maxsize=32768)
def sprite(face: int, character: str, stretch: float, weight: int, capital: float) -> np.ndarray:
    """Return a character's mask in the size in which a capital is so many pixels high."""
    mask, _, _ = glyph(face, character)
    if weight:
        kernel = np.ones((abs(weight) + 1,) * 2, np.uint8)
        mask = np.pad(mask, abs(weight))
        mask = cv2.dilate(mask, kernel) if weight > 0 else cv2.erode(mask, kernel)
        mask = mask[abs(weight) : -abs(weight), abs(weight) : -abs(weight)]
    scale = capital / CAPITAL
    size = (max(1, round(mask.shape[1] * scale * stretch)), max(1, round(mask.shape[0] * scale)))
    return cv2.resize(mask, size, interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class Block:
    """Text that is set: masks at their places, lines, in pixels from the upper left corner."""

    sprites: tuple[tuple[np.ndarray, int, int], ...]  # mask, left, top
    lines: tuple[Line, ...]
    width: float
    height: float

    def mask(self, margin: int) -> np.ndarray:
        """Return the opacity of the ink, uint8, with a margin on each side."""
        shape = (int(self.height) + 2 * margin + 1, int(self.width) + 2 * margin + 1)
        canvas = np.zeros(shape, np.uint8)
        for ink, left, top in self.sprites:
            x, y = left + margin, top + margin
            if x < 0 or y < 0:
                ink, x, y = ink[max(0, -y) :, max(0, -x) :], max(0, x), max(0, y)
            part = canvas[y : y + ink.shape[0], x : x + ink.shape[1]]
            np.maximum(part, ink[: part.shape[0], : part.shape[1]], out=part)
        return canvas

    def moved(self, x: float, y: float) -> tuple[Line, ...]:
        """Return the lines as they stand where the block's corner is at x, y."""
        return tuple(
            replace(line, letters=tuple(replace(c, x=c.x + x, y=c.y + y) for c in line.letters))
            for line in self.lines
        )


def set_row(
    text: str, style: Style, capital: float, x: float = 0.0, y: float = 0.0, gap: float = 0.7
) -> tuple[list[tuple[np.ndarray, int, int]], list[Letter], float]:
    """Return sprites and letters of a text from left to right, and where it ends.

    y is the top of the capitals; a space is `gap` capitals wide.
    """
    sprites, letters, at = [], [], x
    for character in text:
        if character == " ":
            at += gap * capital
            continue
        _, rise, _ = glyph(style.face, character)
        ink = sprite(style.face, character, style.stretch, style.weight, round(capital, 1))
        width = ink.shape[1]
        room = style.pitch * capital if style.pitch else width + style.tracking * capital
        left = round(at + (room - width) / 2)
        top = round(y + capital - rise * capital / CAPITAL)
        sprites.append((ink, left, top))
        letters.append(
            Letter(character, left + width / 2, top + ink.shape[0] / 2, width, ink.shape[0])
        )
        at += room
    return sprites, letters, at


def set_column(
    text: str, style: Style, capital: float, x: float, y: float, pitch: float, gap: float
) -> tuple[list[tuple[np.ndarray, int, int]], list[Letter], float]:
    """Return sprites and letters of upright letters under each other, and where they end."""
    sprites, letters, at = [], [], y
    for character in text:
        if character == " ":
            at += gap * capital
            continue
        ink = sprite(style.face, character, style.stretch, style.weight, round(capital, 1))
        left, top = round(x - ink.shape[1] / 2), round(at)
        sprites.append((ink, left, top))
        letters.append(
            Letter(character, left + ink.shape[1] / 2, top + ink.shape[0] / 2, *ink.shape[::-1])
        )
        at += pitch * capital
    return sprites, letters, at


def frame_round(letter: Letter, capital: float, thick: int) -> tuple[np.ndarray, int, int]:
    """Return the frame round a check digit as a sprite."""
    half = letter.width / 2 + 0.2 * capital, 0.5 * capital + 0.2 * capital
    left, top = round(letter.x - half[0]), round(letter.y - half[1])
    size = round(2 * half[1]), round(2 * half[0])
    box = np.full(size, 255, np.uint8)
    box[thick:-thick, thick:-thick] = 0
    return box, left, top


def block_of(sprites: Sequence[tuple[np.ndarray, int, int]], lines: Sequence[Line]) -> Block:
    """Return the block of these sprites."""
    right = max(left + ink.shape[1] for ink, left, _ in sprites)
    bottom = max(top + ink.shape[0] for ink, _, top in sprites)
    return Block(tuple(sprites), tuple(lines), right, bottom)


def set_lines(
    rows: Sequence[str], style: Style, capital: float, leading: float = 1.5, gap: float = 0.7
) -> Block:
    """Return rows of text under each other, each a line of its own."""
    sprites, lines = [], []
    for i, row in enumerate(rows):
        marks, letters, _ = set_row(row, style, capital, 0, i * leading * capital, gap)
        sprites += marks
        lines.append(Line(row, tuple(letters)))
    return block_of(sprites, lines)


def set_number(
    rng: np.random.Generator, number: str, layout: str, style: Style, capital: float,
    wide: tuple[float, float] | None = None, frame: float = 0.65,
) -> Block:  # fmt: skip
    """Return a number (ABCU 123456 7) and perhaps its type code as they are painted.

    `wide` are the places of a bar's gap and of the check digit along the row, in pixels: on doors.
    """
    owner, serial, digit = number.split()
    thick = max(1, round(capital * rng.uniform(0.05, 0.1)))
    boxed = rng.random() < frame
    type_code = rng.random() < 0.75
    sprites, letters, lines = [], [], []
    apart = rng.uniform(0.3, 1.5) if rng.random() < 0.7 else rng.uniform(0.1, 0.3)
    split = serial[:3] + " " + serial[3:] if rng.random() < 0.15 else serial
    if layout == "vertical":
        pitch, gap = rng.uniform(1.15, 1.5), rng.uniform(0.4, 1.1)
        x = capital * 0.7
        tail = " " if rng.random() < 0.35 else ""
        marks, letters, end = set_column(
            f"{owner} {serial}{tail}{digit}", style, capital, x, 0, pitch, gap
        )
        if boxed and not tail:  # the frame takes room
            letter = replace(letters[-1], y=letters[-1].y + 0.25 * capital)
            marks[-1] = (marks[-1][0], marks[-1][1], round(marks[-1][2] + 0.25 * capital))
            letters[-1] = letter
        sprites += marks
        if type_code:
            side = rng.uniform(1.6, 3.2) * (1 if rng.random() < 0.85 else -1) * capital
            code = str(rng.choice(TYPE_CODES))
            start = rng.uniform(-1.5, 1) * capital if rng.random() < 0.6 else end - 4 * capital
            start = max(start, 0)
            marks, others, _ = set_column(code, style, capital, x + side, start, pitch, gap)
            if side > 0:
                sprites += marks
                lines.append(Line(code, tuple(others)))
    else:
        leading = rng.uniform(1.4, 1.8)
        gap = rng.uniform(0.5, 1.1)
        marks, letters, end = set_row(owner, style, capital, gap=gap)
        sprites += marks
        if layout == "horizontal":
            start = end + apart * capital if wide is None else max(wide[0], end + 0.2 * capital)
            top, row = 0.0, 0
        else:
            start, top, row = 0.0, leading * capital, 1
        marks, more, end = set_row(split, style, capital, start, top, gap * 0.8)
        sprites += marks
        letters = letters + more
        if layout == "three-line":
            digit_at, top, row = 0.0, top + leading * capital, row + 1
        else:
            room = rng.uniform(0.15, 1.2) + (0.2 if boxed else 0)
            digit_at = end + room * capital
            if wide is not None and wide[1] > digit_at:
                digit_at = wide[1]
        marks, more, _ = set_row(digit, style, capital, digit_at, top)
        sprites += marks
        letters = letters + more
        if type_code:
            below = top + leading * capital
            at = start if rng.random() < 0.8 else 0.0
            code = str(rng.choice(TYPE_CODES))
            marks, others, _ = set_row(code, style, capital, at, below)
            sprites += marks
            lines.append(Line(code, tuple(others)))
    if boxed:
        sprites.append(frame_round(letters[-1], capital, thick))
    lines.insert(0, Line(number, tuple(letters), is_number=True))
    return block_of(sprites, lines)


TYPE_CODES = "22G1 22G1 42G1 45G1 45G1 L5G1 25G1 22R1 45R1 22U1 42U1 22P1 42P1 22T1 20G0 22K2".split()


def legible(line: Line) -> Iterator[Letter]:
    """Yield the letters of a line that are more than a dot."""
    return (c for c in line.letters if c.character.isalnum())
