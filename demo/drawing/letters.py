"""Letters as they are sprayed on steel: faces, rows and columns of text, the place of each letter.

All faces have free licences and come from packages: Barlow, Bebas Neue, Archivo Narrow, Oswald,
Saira, Fjalla One, Share Tech, Overpass, Rajdhani, PT Sans Narrow, Hanken Grotesk, Source Sans Pro
(SIL OFL 1.1), Roboto and Arimo (Apache 2.0), and Pillow's own Aileron (CC0). Most real lettering is
a condensed grotesque, widely spaced; so most of these are, and the others are drawn narrower.

Two more are held out of all that the small model has learnt from, Black Ops One and Orbitron (SIL
OFL 1.1): a stencil and a square face, which the depot of the samples in image/ paints with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

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
HELD_OUT = (  # likewise; no training shows them
    ("fontpkg_black_ops_one", "BlackOpsOne-Regular.ttf", 0, 0.75),
    ("fontpkg_orbitron", "Orbitron[wght].ttf", 600, 0.8),
)
ALL_FACES = FACES + HELD_OUT
TAUGHT_FACES, HELD_OUT_FACES = range(len(FACES)), range(len(FACES), len(ALL_FACES))
CAPITAL = 64  # height of the letters that are kept, in pixels

Sprite = tuple[np.ndarray, int, int]  # a mask of ink, uint8, and its left and top


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
    is_number: bool = False  # the number of the container, on however many rows it stands

    def box(self) -> tuple[float, float, float, float]:
        """Return left, top, right, bottom of the letters."""
        return (
            min(c.x - c.width / 2 for c in self.letters),
            min(c.y - c.height / 2 for c in self.letters),
            max(c.x + c.width / 2 for c in self.letters),
            max(c.y + c.height / 2 for c in self.letters),
        )


@dataclass(frozen=True)
class Style:
    """How a text is painted: the face, its width, the room between letters."""

    face: int
    stretch: float = 1.0  # of the face's width
    tracking: float = 0.24  # room between letters, in capitals
    pitch: float = 0.0  # of letters that stand in cells, in capitals; 0: each has its own width
    weight: int = 0  # pixels of CAPITAL that strokes are thicker, or thinner
    apart: float = 0.0  # more room before a number's check digit, in capitals


def draw_style(rng: np.random.Generator, faces: Sequence[int] = TAUGHT_FACES) -> Style:
    """Return a style as a number may have on a container, in one of the faces."""
    face = faces[int(rng.integers(len(faces)))]
    _, _, _, narrowest = ALL_FACES[face]
    stretch = rng.uniform(narrowest, 1.05)
    tracking = rng.uniform(0.18, 0.52)
    widest = stretch * max(glyph(face, c)[0].shape[1] for c in "MW0") / CAPITAL
    pitch = widest * 0.9 + tracking * 0.9 if rng.random() < 0.45 else 0.0
    weight = int(rng.choice((0, 0, 0, 2, 4, -2)))
    return Style(face, round(stretch, 2), tracking, pitch, weight)


@lru_cache(maxsize=64)
def font(face: int) -> ImageFont.FreeTypeFont:
    """Return the face in the size in which a capital H is about CAPITAL high."""
    package, name, weight, _ = ALL_FACES[face]
    if not package:
        height = ImageFont.load_default(100).getbbox("H", anchor="ls")[1]
        default = ImageFont.load_default(100 * CAPITAL / -height)
        assert isinstance(default, ImageFont.FreeTypeFont)  # as of any size that is asked for
        return default
    path = str(resources.files(package) / "files" / name)
    height = ImageFont.truetype(path, 100).getbbox("H", anchor="ls")[1]
    loaded = ImageFont.truetype(path, 100 * CAPITAL / -height)
    if weight:
        loaded.set_variation_by_axes([weight])
    return loaded


@lru_cache(maxsize=8192)
def glyph(face: int, character: str) -> tuple[np.ndarray, float]:
    """Return a character's mask, uint8, cut at its ink, and its top over the foot line."""
    loaded = font(face)
    left, top, right, bottom = loaded.getbbox(character, anchor="ls")
    image = Image.new("L", (max(1, int(right - left)), max(1, int(bottom - top))))
    ImageDraw.Draw(image).text((-left, -top), character, 255, loaded, anchor="ls")
    mask = np.asarray(image)
    columns = np.flatnonzero(mask.max(0) > 20)  # the box has the room beside the letter too
    return mask[:, columns[0] : columns[-1] + 1], -float(top)


@lru_cache(maxsize=32768)
def ink_of(face: int, character: str, stretch: float, weight: int, capital: float) -> np.ndarray:
    """Return a character's mask in the size in which a capital is so many pixels high."""
    mask, _ = glyph(face, character)
    if weight:
        kernel, rim = np.ones((abs(weight) + 1,) * 2, np.uint8), abs(weight)
        mask = np.pad(mask, rim)
        mask = cv2.dilate(mask, kernel) if weight > 0 else cv2.erode(mask, kernel)
        mask = mask[rim:-rim, rim:-rim]
    scale = capital / CAPITAL
    size = (max(1, round(mask.shape[1] * scale * stretch)), max(1, round(mask.shape[0] * scale)))
    return cv2.resize(mask, size, interpolation=cv2.INTER_AREA)


def ink_in(style: Style, character: str, capital: float) -> np.ndarray:
    """Return a character's mask in a style."""
    return ink_of(style.face, character, style.stretch, style.weight, round(capital, 1))


@dataclass(frozen=True)
class Block:
    """Text that is set: masks at their places and lines, in pixels from the upper left corner."""

    sprites: tuple[Sprite, ...]
    lines: tuple[Line, ...]

    @property
    def width(self) -> int:
        """Return where the last ink ends."""
        return max(left + ink.shape[1] for ink, left, _ in self.sprites)

    @property
    def height(self) -> int:
        """Return where the lowest ink ends."""
        return max(top + ink.shape[0] for ink, _, top in self.sprites)

    def mask(self, margin: int) -> np.ndarray:
        """Return the opacity of the ink, uint8, with a margin on each side."""
        canvas = np.zeros((self.height + 2 * margin + 1, self.width + 2 * margin + 1), np.uint8)
        for ink, left, top in self.sprites:
            x, y = left + margin, top + margin
            ink, x, y = ink[max(0, -y) :, max(0, -x) :], max(0, x), max(0, y)
            part = canvas[y : y + ink.shape[0], x : x + ink.shape[1]]
            np.maximum(part, ink[: part.shape[0], : part.shape[1]], out=part)
        return canvas

    def moved(self, x: float, y: float) -> list[Line]:
        """Return the lines as they stand where the block's corner is at x, y."""
        return [
            replace(line, letters=tuple(replace(c, x=c.x + x, y=c.y + y) for c in line.letters))
            for line in self.lines
        ]


def set_row(
    text: str, style: Style, capital: float, x: float = 0.0, y: float = 0.0, gap: float = 0.7
) -> tuple[list[Sprite], list[Letter], float]:
    """Return sprites and letters of a text from left to right, and where it ends.

    y is the top of the capitals; a space is `gap` capitals wide.
    """
    sprites, letters, at = [], [], x
    for character in text:
        if character == " ":
            at += gap * capital
            continue
        _, rise = glyph(style.face, character)
        ink = ink_in(style, character, capital)
        high, wide = ink.shape
        room = style.pitch * capital if style.pitch else wide + style.tracking * capital
        left = round(at + (room - wide) / 2)
        top = round(y + capital - rise * capital / CAPITAL)
        sprites.append((ink, left, top))
        letters.append(Letter(character, left + wide / 2, top + high / 2, wide, high))
        at += room
    return sprites, letters, at


def set_column(
    text: str, style: Style, capital: float, x: float, y: float, pitch: float, gap: float
) -> tuple[list[Sprite], list[Letter], float]:
    """Return sprites and letters of upright letters under each other, and where they end.

    x is the middle of the column; from one letter to the next there are `pitch` capitals.
    """
    sprites, letters, at = [], [], y
    for character in text:
        if character == " ":
            at += gap * capital
            continue
        ink = ink_in(style, character, capital)
        high, wide = ink.shape
        left, top = round(x - wide / 2), round(at)
        sprites.append((ink, left, top))
        letters.append(Letter(character, left + wide / 2, top + high / 2, wide, high))
        at += pitch * capital
    return sprites, letters, at


def set_lines(
    rows: Sequence[str], style: Style, capital: float, leading: float = 1.5, gap: float = 0.7
) -> Block:
    """Return rows of text under each other, each a line of its own."""
    sprites, lines = [], []
    for i, row in enumerate(rows):
        marks, placed, _ = set_row(row, style, capital, 0, i * leading * capital, gap)
        sprites += marks
        lines.append(Line(row, tuple(placed)))
    return Block(tuple(sprites), tuple(lines))
