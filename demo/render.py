"""Render labelled photos of shipping containers: synthetic, seeded, as many as you like.

    python demo/render.py --count 500 --seed 7 --output DIR [--layout vertical] [--views 3]

Writes DIR/image/*.jpg and DIR/annotations.json, labelled by construction in the form that
prepare_dataset.py and batch_process.py take. The same count, seed and layout give the same
photos.

A photo is made as the real one is. A wall is painted and written on, rust and dirt come over it,
ribs, doors and light shade it, and a camera looks at it from a little aside: perspective, blur,
exposure, noise, JPEG. Every number is valid ISO 6346 with the prefix of a real owner. The place of
every letter is kept, because the training in train.py learns from it.

Fonts: Aileron (CC0, inside Pillow), Roboto (Apache 2.0), Source Sans Pro and Hanken Grotesk
(both SIL OFL 1.1).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import font_hanken_grotesk
import font_roboto
import font_source_sans_pro
import numpy as np
from einops import rearrange
from PIL import Image, ImageDraw, ImageFilter, ImageFont

sys.path.insert(0, str(Path(__file__).parents[1]))
from containers.command_line import ArgumentParser, command, say
from containers.files import relative_path, write_json, writing
from containers.flags import positive, seed
from containers.iso6346 import check_digit, format_number, split_number
from containers.labels import PARTS

SIDES = ("FRONT", "BACK", "LEFT", "RIGHT")
LAYOUTS = ("horizontal", "two-line", "vertical")
SHAPES = {  # width : height of the photo
    "horizontal": ((4, 3), (3, 2), (16, 9)),
    "two-line": ((4, 3), (3, 2), (1, 1)),
    "vertical": ((3, 4), (2, 3), (3, 4)),
    "none": ((4, 3), (3, 2), (3, 4)),
    "sheet": ((4, 3), (3, 2), (3, 4)),
}
FACES = (  # None: Pillow's own Aileron
    None,
    font_roboto.Roboto,
    font_roboto.RobotoMedium,
    font_roboto.RobotoBold,
    font_source_sans_pro.SourceSansProSemibold,
    font_source_sans_pro.SourceSansProBold,
    font_hanken_grotesk.HankenGroteskMedium,
    font_hanken_grotesk.HankenGroteskBold,
)
OWNERS = """
    APHU APLU APZU BEAU BMOU CAAU CAIU CAXU CBHU CCLU CMAU CRSU CSLU CSNU CSQU CXDU DFSU DRYU ECMU
    EGHU EGSU EISU EITU EMCU FBLU FCIU FFAU FSCU GATU GCXU GESU GLDU HAMU HASU HDMU HJCU HLBU HLXU
    HMMU IPXU JXLU KKFU KKTU KOCU MAEU MAGU MEDU MNBU MOAU MRKU MRSU MSCU MSDU MSKU MSMU NYKU OOCU
    OOLU PCIU PONU QNNU RFCU SEGU SEKU SKHU SUDU TCKU TCLU TCNU TEMU TGBU TGHU TIIU TLLU TRHU TRIU
    TRLU TTNU TXGU UACU UETU WHLU WHSU XINU YMLU YMMU ZCSU ZIMU
"""
TYPE_CODES = "22G1 42G1 45G1 L5G1 25G1 22R1 45R1 22U1 42U1 22P1 42P1 22T1 20G0 22K2"
LOGOS = "NORDLINE SEAWAY ORCA BLUEPORT TRANSAL PACIFICA KORAL VELA HANSA POLARIS ASTRAL"
WARNINGS = ("HIGH CUBE", "CAUTION", "9'6\" HIGH", "SUPER HEAVY", "KEEP DRY", "NO HOOKS", "FRAGILE")
PAINTS = (  # red, green, blue
    (0.09, 0.16, 0.33),
    (0.05, 0.30, 0.45),
    (0.36, 0.60, 0.74),
    (0.45, 0.13, 0.10),
    (0.62, 0.20, 0.12),
    (0.78, 0.38, 0.10),
    (0.08, 0.33, 0.22),
    (0.25, 0.45, 0.30),
    (0.50, 0.52, 0.53),
    (0.86, 0.86, 0.83),
    (0.72, 0.62, 0.18),
    (0.20, 0.20, 0.22),
    (0.50, 0.10, 0.28),
)
LUMINANCE = np.array((0.299, 0.587, 0.114), np.float32)  # ITU-R BT.601
RUST = np.array((0.33, 0.16, 0.07), np.float32)
LONGEST_SIDE = 640  # of a photo, in pixels
MARGIN = 0.08  # of the wall, each side, lies outside the photo


@dataclass(frozen=True)
class Letter:
    """One painted character: its centre and size, on a photo as shares of the photo's sides.

    On the wall they are in pixels.
    """

    character: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """Characters that are read one after the other, from left to right or downwards."""

    text: str
    letters: tuple[Letter, ...]  # one for each character of the text that is not a space


@dataclass(frozen=True)
class Photo:
    """A rendered photo with all that is written on it."""

    image: Image.Image  # RGB
    jpeg: bytes
    lines: tuple[Line, ...]  # in reading order
    number: str = ""  # as painted: CSQU 305438 3

    @property
    def text(self) -> str:
        """Return all the text in reading order, one line of the photo a line."""
        return "\n".join(line.text for line in self.lines)

    @property
    def number_lines(self) -> tuple[Line, ...]:
        """Return the lines in which the number stands."""
        return tuple(line for line in self.lines if line.text in self.number)


@dataclass(frozen=True)
class Container:
    """What all photos of one container share."""

    number: str  # compact
    paint: np.ndarray  # red, green, blue


@dataclass(frozen=True)
class Wall:
    """The part of a container that is painted and lit before the camera looks at it."""

    shape: tuple[int, int]  # width, height in pixels: more than the camera sees
    unit: int  # pixels of the photo's shorter side
    hardness: float
    paint: np.ndarray
    blocks: list[Placed]


# ---- text ------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def load_font(face: str | None, size: int) -> ImageFont.FreeTypeFont:
    """Return a font; size is the em height in pixels."""
    return ImageFont.truetype(face, size) if face else ImageFont.load_default(size)


@lru_cache(maxsize=4096)
def advance(face: str | None, character: str) -> float:
    """Return how wide a character is, in heights of a capital H."""
    font = load_font(face, 200)
    return font.getlength(character) / capital_height(font)


def capital_height(font: ImageFont.FreeTypeFont) -> float:
    """Return how high a capital H is, in pixels."""
    top, bottom = font.getbbox("H", anchor="ls")[1::2]
    return bottom - top


@dataclass(frozen=True)
class Block:
    """Lines of text that stand together on the wall, not yet at a place.

    Lengths are shares of the photo's shorter side; `size` is the height of a capital.
    """

    lines: tuple[str, ...]
    face: str | None
    size: float
    spacing: float = 0.1  # between characters, as a share of the size
    vertical: bool = False
    boxed: bool = False  # a frame round the last character: the check digit

    def letters(self, unit: int) -> list[list[Letter]]:
        """Return each line's letters, in pixels from the block's upper left corner.

        `unit` is the length of the photo's shorter side in pixels.
        """
        return [list(self.row(i, self.size * unit)) for i in range(len(self.lines))]

    def row(self, index: int, capital: float) -> Iterator[Letter]:
        """Yield the letters of one line; a space only takes room."""
        at = 0.0  # how far along the line, in capitals
        for character in self.lines[index]:
            width = advance(self.face, character)
            if self.vertical:
                x, y, room, space = index * 1.6 + 0.6, at + 0.5, 1.12, 0.45
            else:
                x, y, room, space = at + width / 2, index * 1.45 + 0.5, width, width * 1.6
            if character == " ":
                room = space
            else:
                yield Letter(character, x * capital, y * capital, width * capital, capital)
            at += room + self.spacing

    def extent(self, unit: int) -> tuple[float, float]:
        """Return width and height in pixels."""
        letters = [letter for row in self.letters(unit) for letter in row]
        right = max(letter.x + letter.width / 2 for letter in letters)
        return right, max(letter.y + letter.height / 2 for letter in letters)

    def font(self, unit: int) -> ImageFont.FreeTypeFont:
        """Return the font in which a capital is as high as the block's size."""
        capital = capital_height(load_font(self.face, 100))
        return load_font(self.face, max(4, round(self.size * unit * 100 / capital)))

    def fit(self, width: float, height: float, shape: tuple[int, int]) -> Block:
        """Return the block as large as fits into these shares of the photo's sides."""
        wide, high = replace(self, size=1.0).extent(min(shape))
        return replace(self, size=min(width * shape[0] / wide, height * shape[1] / high))


@dataclass(frozen=True)
class Placed:
    """A block at its place on the wall, in pixels."""

    block: Block
    left: float
    top: float
    right: float
    bottom: float

    def clear_of(self, other: Placed, distance: float) -> bool:
        """Return whether there is so much room between the two."""
        across = max(self.left, other.left) - min(self.right, other.right)
        down = max(self.top, other.top) - min(self.bottom, other.bottom)
        return max(across, down) >= distance


def label(number: str) -> dict[str, str]:
    """Return the keys of annotations.json for a number as painted; where none is, all are TODO."""
    if not number:
        return dict.fromkeys(("container_number", *PARTS), "TODO")
    return {"container_number": number} | dict(zip(PARTS, split_number(number), strict=True))


def number_block(rng: np.random.Generator, number: str, layout: str, shape: tuple) -> Block:
    """Return the number as it is painted in this layout, its size drawn."""
    lines = (format_number(number),)
    width, height = rng.uniform(0.58, 0.86), 0.3
    if layout == "two-line":
        lines = tuple(lines[0].split(" ", 1))
        width, height = rng.uniform(0.42, 0.74), 0.5
    elif layout == "vertical":
        width, height = 0.3, rng.uniform(0.82, 0.9)
    block = Block(
        lines,
        FACES[rng.integers(len(FACES))],
        0.1,
        spacing=rng.uniform(0.06, 0.3) * (0.4 if layout == "vertical" else 1),
        vertical=layout == "vertical",
        boxed=rng.random() < 0.6,
    )
    return block.fit(width, height, shape)


def other_text(rng: np.random.Generator) -> str:
    """Return what else stands on a container: weights, an owner's logo, a warning."""
    kind = rng.integers(5)
    if kind == 0:
        return f"MAX GROSS {rng.integers(240, 345) * 100} KG"
    if kind == 1:
        return f"TARE {rng.integers(200, 480) * 10} KG"
    if kind == 2:
        return f"CU.CAP. {rng.integers(300, 870) / 10} M3"
    return str(rng.choice(LOGOS.split() if kind == 3 else WARNINGS))


# ---- the wall ---------------------------------------------------------------------------------


def draw_paint(rng: np.random.Generator) -> np.ndarray:
    """Return a container's colour: red, green, blue in 0..1."""
    paint = np.array(PAINTS[rng.integers(len(PAINTS))]) + rng.normal(0, 0.04, 3)
    return np.clip(paint, 0.02, 0.95).astype(np.float32)


def clouds(rng: np.random.Generator, shape: tuple[int, int], grain: int) -> np.ndarray:
    """Return smooth noise in 0..1, [height, width]; grain: how many blobs fit across."""
    width, height = shape
    coarse = rng.random((max(2, grain * height // width), grain), dtype=np.float32)
    picture = Image.fromarray((coarse * 255).astype(np.uint8)).resize(
        shape, Image.Resampling.BICUBIC
    )
    return np.asarray(picture, np.float32) / 255


def ribs(rng: np.random.Generator, length: int, depth: float) -> np.ndarray:
    """Return the light on corrugated steel along [length]: flat, slope, flat, slope."""
    period = length * rng.uniform(0.05, 0.14)
    phase = (np.arange(length, dtype=np.float32) / period + rng.random()) % 1
    edges = np.interp(phase, (0, 0.35, 0.4, 0.5, 0.55, 0.85, 0.9, 1), (0, 0, -1, -1, 0, 0, 1, 0))
    return 1 + depth * edges.astype(np.float32)


def bars(rng: np.random.Generator, wall: Wall, depth: float) -> np.ndarray:
    """Return the light on a door with locking bars along [width]: 1 where there is no bar."""
    width = wall.shape[0]
    light = np.ones(width, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        size = max(3, round(width * rng.uniform(0.015, 0.035)))
        left = int(rng.integers(0, width - size))
        if all(left >= b.right or b.left >= left + size for b in wall.blocks):
            light[left : left + size] = 1 + depth * np.sin(np.linspace(0.3, 4.2, size))
    return light


def draw_text(wall: Wall) -> tuple[Image.Image, list[Line]]:
    """Return the mask of the text (mode L), and the lines with their letters in pixels."""
    mask = Image.new("L", wall.shape)
    draw = ImageDraw.Draw(mask)
    lines = []
    for placed in wall.blocks:
        block, font = placed.block, placed.block.font(wall.unit)
        for text, row in zip(block.lines, block.letters(wall.unit), strict=True):
            letters = [replace(c, x=c.x + placed.left, y=c.y + placed.top) for c in row]
            for letter in letters:
                foot = (letter.x, letter.y + letter.height / 2)
                draw.text(foot, letter.character, 255, font, anchor="ms")
            lines.append(Line(text, tuple(letters)))
        if block.boxed:
            last = letters[-1]
            side = max(last.width, last.height) / 2 + last.height * 0.2
            frame = (last.x - side, last.y - side, last.x + side, last.y + side)
            draw.rectangle(frame, outline=255, width=max(1, round(last.height * 0.08)))
    return mask, lines


def place_blocks(
    rng: np.random.Generator, shape: tuple[int, int], unit: int, wanted: list[Block]
) -> list[Placed]:
    """Return the blocks at places where they do not touch, from top to bottom.

    The first stands anywhere, another of its face right below it, if there is room; one that finds
    none is left out.
    """
    width, height = shape
    border = MARGIN + 0.04
    placed: list[Placed] = []
    for block in wanted:
        wide, high = block.extent(unit)
        room = width * (1 - 2 * border) - wide, height * (1 - 2 * border) - high
        if min(room) < 0:
            continue
        distance = 0.7 * max(b.size for b in (block, *(other.block for other in placed))) * unit
        for attempt in range(8):
            left = width * border + rng.random() * room[0]
            top = height * border + rng.random() * room[1]
            if attempt < 2 and placed and block.face == placed[0].block.face:
                left = min(placed[0].left, left)
                top = placed[0].bottom + distance * rng.uniform(1, 1.5)
            here = Placed(block, left, top, left + wide, top + high)
            inside = here.bottom <= height * (1 - border)
            if inside and all(here.clear_of(other, distance) for other in placed):
                placed.append(here)
                break
    return sorted(placed, key=lambda here: (here.top, here.left))


def paint_wall(rng: np.random.Generator, wall: Wall) -> tuple[np.ndarray, list[Line]]:
    """Return the lit wall, float32 [height, width, 3] in about 0..1, and the text on it."""
    hardness, shape = wall.hardness, wall.shape
    mask, lines = draw_text(wall)
    opacity = np.asarray(mask, np.float32) / 255
    paper = float(rng.random() < 0.5)  # white or black; from there to coloured steel
    paint = wall.paint * hardness + paper * (1 - hardness)
    bright = float(paint @ LUMINANCE) > rng.uniform(0.42, 0.5)
    ink = np.full(3, rng.uniform(0.02, 0.1) if bright else rng.uniform(0.85, 0.97), np.float32)
    opacity *= np.float32(rng.uniform(1 - 0.2 * hardness, 1))
    if rng.random() < 0.6:  # the text has worn off in places
        opacity *= 1 - np.float32(hardness * rng.uniform(0, 0.4)) * (clouds(rng, shape, 60) > 0.62)
    colour = paint + (ink - paint) * opacity[..., None]
    if rng.random() < 0.4:
        rust = np.clip((clouds(rng, shape, int(rng.integers(14, 40))) - 0.84) * 8, 0, 1)
        rust *= np.float32(hardness * rng.uniform(0.3, 0.65))
        colour += (RUST - colour) * rust[..., None]
    colour *= light(rng, wall)[..., None]
    return colour, lines


def light(rng: np.random.Generator, wall: Wall) -> np.ndarray:
    """Return how bright the wall is, [height, width]: ribs or a door, a slope, a shadow, dirt."""
    hardness, (width, height) = wall.hardness, wall.shape
    depth = hardness * rng.uniform(0.04, 0.22)
    kind = rng.random()
    shade = np.ones((height, width), np.float32)
    if kind < 0.5:
        shade *= ribs(rng, width, depth)
    elif kind < 0.85:
        shade *= bars(rng, wall, hardness * rng.uniform(0.2, 0.5))
        shade *= ribs(rng, height, depth * 0.4)[:, None]
    x, y = np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32)
    slope = (hardness * rng.uniform(-0.2, 0.2, 2)).astype(np.float32)
    shade *= 1 + slope[0] * x + slope[1] * y[:, None]
    if rng.random() < 0.4:
        edge, tilt = rng.uniform(-0.8, 0.8), rng.uniform(-1, 1)
        side = np.clip((x + tilt * y[:, None] - edge) * rng.uniform(3, 40), 0, 1)
        shade *= 1 - np.float32(hardness * rng.uniform(0.15, 0.4)) * side
    if rng.random() < 0.7:
        grain = int(rng.integers(3, 12))
        shade *= 1 - np.float32(hardness * rng.uniform(0, 0.4)) * clouds(rng, wall.shape, grain)
    return shade


# ---- the camera -------------------------------------------------------------------------------


def homography(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the 3x3 matrix that maps four points [4, 2] to four others (direct linear transform).

    Hartley and Zisserman, Multiple View Geometry, 2nd ed., section 4.1.
    """
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    solution = np.linalg.solve(np.array(rows), rearrange(target, "corner xy -> (corner xy)"))
    return np.append(solution, 1).reshape(3, 3)


def take_photo(
    rng: np.random.Generator, colour: np.ndarray, shape: tuple[int, int], hardness: float
) -> tuple[Image.Image, np.ndarray]:
    """Return the photo and the homography from wall to photo, both in pixels."""
    width, height = shape
    tall, wide, _ = colour.shape
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], float)
    shift = rng.uniform(-1, 1, (4, 2)) * 0.04 * hardness
    seen = (MARGIN + corners * (1 - 2 * MARGIN) + shift) * (wide, tall)
    to_wall = homography(corners * (width, height), seen)
    picture = Image.fromarray((np.clip(colour, 0, 1) * 255).astype(np.uint8)).transform(
        shape, Image.Transform.PERSPECTIVE, to_wall.ravel()[:8], Image.Resampling.BILINEAR
    )
    reach = hardness * rng.uniform(-0.002, 0.003) * max(shape)
    if reach > 0.2:  # less cannot be seen
        picture = picture.filter(ImageFilter.GaussianBlur(reach))
    if rng.random() < 0.15 * hardness:
        shake = np.zeros((3, 3))
        shake[[1, 1, 1] if rng.random() < 0.5 else [0, 1, 2], [0, 1, 2]] = 1 / 3
        picture = picture.filter(ImageFilter.Kernel((3, 3), shake.ravel(), 1))
    balance = 1 + hardness * rng.uniform(-0.12, 0.12, (3, 1))
    exposed = (
        np.clip(np.arange(256) / 255 * balance, 0, 1) ** 2 ** (hardness * rng.uniform(-0.6, 0.5))
    )
    picture = picture.point(
        rearrange(np.rint(exposed * 255).astype(int), "rgb value -> (rgb value)")
    )
    grain = rng.standard_normal((height, width, 1), dtype=np.float32)
    grain *= np.float32(255 * hardness * rng.uniform(0, 0.045))
    noisy = np.clip(np.asarray(picture, np.float32) + grain, 0, 255).astype(np.uint8)
    return Image.fromarray(noisy), np.linalg.inv(to_wall)


def through(matrix: np.ndarray, line: Line, shape: tuple[int, int]) -> Line:
    """Return a line of the wall as the camera sees it: in shares of the photo's sides."""
    letters = []
    for c in line.letters:
        centre = [(c.x, c.y, 1)]
        across = [(c.x - c.width / 2, c.y, 1), (c.x + c.width / 2, c.y, 1)]
        down = [(c.x, c.y - c.height / 2, 1), (c.x, c.y + c.height / 2, 1)]
        points = np.array(centre + across + down) @ matrix.T
        points = points[:, :2] / points[:, 2:] / shape
        size = abs(points[2, 0] - points[1, 0]), abs(points[4, 1] - points[3, 1])
        letters.append(Letter(c.character, *map(float, (*points[0], *size))))
    return Line(line.text, tuple(letters))


def photograph(
    rng: np.random.Generator,
    shape: tuple[int, int],
    blocks: list[Block],
    hardness: float,
    container: Container | None = None,
) -> Photo:
    """Return the photo of a wall with these blocks; shape: width, height in pixels.

    hardness: 0 is black print on white paper or white on black, 1 is a container yard.
    """
    size = tuple(round(side / (1 - 2 * MARGIN)) for side in shape)
    paint = container.paint if container else draw_paint(rng)
    placed = place_blocks(rng, size, min(shape), blocks)
    colour, lines = paint_wall(rng, Wall(size, min(shape), hardness, paint, placed))
    image, matrix = take_photo(rng, colour, shape, hardness)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=int(rng.integers(60, 94)))
    lines = tuple(through(matrix, line, shape) for line in lines)
    number = format_number(container.number) if container else ""
    return Photo(Image.open(jpeg).convert("RGB"), jpeg.getvalue(), lines, number)


# ---- what is photographed ---------------------------------------------------------------------


def frame(rng: np.random.Generator, layout: str, longest: int) -> tuple[int, int]:
    """Return width and height of a photo in pixels, its longer side given."""
    width, height = SHAPES[layout][rng.integers(len(SHAPES[layout]))]
    return tuple(round(longest * side / max(width, height)) for side in (width, height))


def new_container(rng: np.random.Generator) -> Container:
    """Return a container with a valid number, a real owner's prefix and a coat of paint."""
    code = str(rng.choice(OWNERS.split())) + f"{rng.integers(1_000_000):06d}"
    return Container(code + check_digit(code), draw_paint(rng))


def render_container(
    rng: np.random.Generator,
    container: Container,
    layout: str,
    longest: int = LONGEST_SIDE,
    hardness: float = 1.0,
    distance: float = 1.0,
) -> Photo:
    """Return the photo of a container whose number is painted in this layout; none: nowhere.

    longest: pixels of the photo's longer side. From twice the distance all text is half as large.
    """
    shape = frame(rng, layout, longest)
    main = number_block(rng, container.number, layout, shape)
    blocks = [main]
    if layout == "none":
        blocks, container = [], replace(container, number="")
    if rng.random() < 0.7:
        code = (str(rng.choice(TYPE_CODES.split())),)
        blocks.append(Block(code, main.face, main.size * rng.uniform(0.85, 1)))
    for _ in range(int(rng.choice(3, p=(0.45, 0.35, 0.2)))):
        text = Block((other_text(rng),), FACES[rng.integers(len(FACES))], 0.1)
        width = len(text.lines[0]) * rng.uniform(0.038, 0.06)
        blocks.append(text.fit(min(0.9, width), 0.12, shape))
    blocks = [replace(block, size=block.size / distance) for block in blocks]
    return photograph(rng, shape, blocks, hardness, container)


def render_series(
    count: int, seed: int, layout: str = "mixed", views: int = 1, distance: float = 1.0
) -> Iterator[tuple[str, Photo]]:
    """Yield `count` photos with their file names: CONTAINER_SIDE_VIEW.jpg, as 000207_LEFT_1.jpg.

    Each container is seen in one to `views` photos that follow each other, each painted in the
    layout, or for mixed in one that is drawn. A photo from afar has as many pixels more.
    """
    name, left = 0, 0
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        if left == 0:
            name, view, left = name + 1, 0, int(rng.integers(1, views + 1))
            container, side = new_container(rng), str(rng.choice(SIDES))
        chosen = LAYOUTS[rng.integers(len(LAYOUTS))] if layout == "mixed" else layout
        left, view = left - 1, view + 1
        photo = render_container(
            rng, container, chosen, round(LONGEST_SIDE * distance), distance=distance
        )
        yield f"{name:06d}_{side}_{view}.jpg", photo


# ---- command line -----------------------------------------------------------------------------


def distance(text: str) -> float:
    """Parse a flag's value from 1 to 10."""
    with contextlib.suppress(ValueError):
        if 1 <= float(text) <= 10:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--count", type=positive, default=100, help="how many photos")
    add("--seed", type=seed, default=0, help="the same seed gives the same photos")
    add("--output", required=True, help="folder for image/*.jpg and annotations.json")
    layouts = (*LAYOUTS, "mixed", "none")
    add("--layout", choices=layouts, default="mixed", help="how numbers are painted; none: nowhere")
    add("--distance", type=distance, default=1.0, help="at 2, numbers look half as big")
    add("--views", type=positive, default=1, help="at most so many photos of one container")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Render the photos and write them with their labels; return the exit code."""
    folder = Path(args.output)
    images = []
    flags = args.count, args.seed, args.layout, args.views, args.distance
    for name, photo in render_series(*flags):
        path = folder / "image" / name
        with writing(path):
            path.write_bytes(photo.jpeg)
        images.append({"image_path": relative_path(path), **label(photo.number)})
    write_json(folder / "annotations.json", {"images": images})
    say(f"rendered {args.count} photos: {folder / 'image'}, {folder / 'annotations.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
