"""Container numbers as they are painted: in a row, in two or three rows, or from top to bottom.

With the number often stands the size and type code: under it, or in a column beside it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from containers.number.iso6346 import check_digit
from containers.number.owners import known_owner_codes
from demo.drawing.letters import Block, Letter, Line, Sprite, Style, set_column, set_row

LAYOUTS = ("horizontal", "two-line", "three-line", "vertical")
OWNERS = """
    APHU APLU APZU BEAU BMOU CAAU CAIU CAXU CBHU CCLU CMAU CRSU CSLU CSNU CSQU CXDU DFSU DRYU
    ECMU EGHU EGSU EISU EITU EMCU FBLU FCIU FFAU FSCU GATU GCXU GESU GLDU HAMU HASU HDMU HJCU
    HLBU HLXU HMMU IPXU JXLU KKFU KKTU KOCU MAEU MAGU MEDU MNBU MOAU MRKU MRSU MSCU MSDU MSKU
    MSMU NYKU OOCU OOLU PCIU PONU QNNU RFCU SEGU SEKU SKHU SUDU TCKU TCLU TCNU TEMU TGBU TGHU
    TIIU TLLU TRHU TRIU TRLU TTNU TXGU UACU UETU WHLU WHSU XINU YMLU YMMU ZCSU ZIMU
"""
TYPE_CODES = """
    22G1 22G1 42G1 45G1 45G1 L5G1 25G1 22R1 45R1 22U1 42U1 22P1 42P1 22T1 20G0 22K2
"""
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@lru_cache(maxsize=1)
def registered() -> list[str]:
    """Return the owner codes that ship, sorted: rare ones too, or the model reads common ones."""
    return sorted(known_owner_codes())


def draw_number(rng: np.random.Generator) -> str:
    """Return a valid number as painted (ABCU 123456 7), its owner mostly a real one."""
    kind = rng.random()
    if kind < 0.45:
        owner = str(rng.choice(OWNERS.split()))
    elif kind < 0.7:
        owner = str(rng.choice(registered()))
    else:
        owner = "".join(rng.choice(list(ALPHABET), 3))
        owner += "U" if rng.random() < 0.94 else str(rng.choice(("J", "Z")))
    serial = f"{rng.integers(1_000_000):06d}"
    return f"{owner} {serial} {check_digit(owner + serial)}"


def set_number(
    rng: np.random.Generator, number: str, layout: str, style: Style, capital: float,
    bar: tuple[float, float] | None = None, framed: float = 0.65,
) -> Block:  # fmt: skip
    """Return a number as it is painted in a layout, mostly with a type code.

    `bar`: where the serial number and the check digit start at the least, in pixels: on doors,
    where a locking bar stands in the gap. `framed`: how often the check digit has a frame.
    """
    is_framed = rng.random() < framed
    code = str(rng.choice(TYPE_CODES.split())) if rng.random() < 0.75 else ""
    if layout == "vertical":
        sprites, letters, more = number_in_column(rng, number, style, capital, is_framed, code)
    else:
        sprites, letters, more = number_in_rows(
            rng, number, layout, style, capital, bar, is_framed, code
        )
    if is_framed:
        thick = max(1, round(capital * rng.uniform(0.05, 0.1)))
        sprites.append(frame_round(letters[-1], capital, thick))
    return Block(tuple(sprites), (Line(number, tuple(letters), is_number=True), *more))


def number_in_column(
    rng: np.random.Generator, number: str, style: Style, capital: float, is_framed: bool, code: str
) -> tuple[list[Sprite], list[Letter], list[Line]]:
    """Return sprites and letters of a number from top to bottom, and the lines beside it."""
    owner, serial, digit = number.split()
    pitch, gap, x = rng.uniform(1.15, 1.5), rng.uniform(0.4, 1.1), capital * 0.7
    apart = rng.random() < 0.35
    text = f"{owner} {serial}{' ' if apart else ''}{digit}"
    sprites, letters, end = set_column(text, style, capital, x, 0, pitch, gap)
    if style.apart or (is_framed and not apart):  # the frame takes room
        ink, left, top = sprites[-1]
        down = round((style.apart or 0.25) * capital)
        sprites[-1] = (ink, left, top + down)
        letters[-1] = replace(letters[-1], y=letters[-1].y + down)
    if not code:
        return sprites, letters, []
    side = rng.uniform(1.6, 3.2) * capital
    start = rng.uniform(-1.5, 1) * capital if rng.random() < 0.6 else end - 4 * capital
    marks, others, _ = set_column(code, style, capital, x + side, max(0, start), pitch, gap)
    return sprites + marks, letters, [Line(code, tuple(others))]


def number_in_rows(
    rng: np.random.Generator, number: str, layout: str, style: Style, capital: float,
    bar: tuple[float, float] | None, is_framed: bool, code: str,
) -> tuple[list[Sprite], list[Letter], list[Line]]:  # fmt: skip
    """Return sprites and letters of a number in one to four rows, and the lines under it."""
    owner, serial, digit = number.split()
    if rng.random() < 0.15:
        serial = f"{serial[:3]} {serial[3:]}"
    leading, gap = rng.uniform(1.4, 1.8) * capital, rng.uniform(0.5, 1.1)
    apart = rng.uniform(0.3, 1.5) if rng.random() < 0.7 else rng.uniform(0.1, 0.3)
    sprites, letters, end = set_row(owner, style, capital, gap=gap)
    start, top = 0.0, leading
    if layout == "horizontal":
        start = end + apart * capital if bar is None else max(bar[0], end + 0.2 * capital)
        top = 0.0
    if layout == "four-line":
        marks, more, _ = set_row(serial[:3], style, capital, start, top)
        sprites, letters, serial, top = sprites + marks, letters + more, serial[3:], top + leading
    marks, more, end = set_row(serial.strip(), style, capital, start, top, gap * 0.8)
    sprites, letters = sprites + marks, letters + more
    digit_at = end + (rng.uniform(0.15, 1.2) + 0.2 * is_framed + style.apart) * capital
    if bar is not None:
        digit_at = max(digit_at, bar[1])
    if layout in ("three-line", "four-line"):
        digit_at, top = 0.0, top + leading
    marks, more, _ = set_row(digit, style, capital, digit_at, top)
    sprites, letters = sprites + marks, letters + more
    if not code:
        return sprites, letters, []
    x = start if rng.random() < 0.8 else 0.0
    marks, others, _ = set_row(code, style, capital, x, top + leading)
    return sprites + marks, letters, [Line(code, tuple(others))]


def set_split(
    rng: np.random.Generator, number: str, style: Style, capital: float, bar: float
) -> Block:
    """Return a number whose owner code and first four digits stand left of a bar `bar` pixels wide.

    The other three stand right of it, mostly with the size-type code under them.
    """
    owner, serial, digit = number.split()
    leading = rng.uniform(1.2, 1.5) * capital
    ends = []
    sprites: list[Sprite] = []
    letters: list[Letter] = []
    for text, top in ((owner, 0.0), (serial[:4], leading)):
        marks, placed, end = set_row(text, style, capital, 0.0, top)
        sprites, letters = sprites + marks, letters + placed
        ends.append(end)
    start, low = max(ends) + bar, leading * rng.uniform(0.95, 1.3)
    for text, apart in ((serial[4:], 0.0), (digit, rng.uniform(0.2, 0.6) * capital)):
        marks, placed, end = set_row(text, style, capital, start + apart, low)
        sprites, letters, start = sprites + marks, letters + placed, end
    if rng.random() < 0.75:
        sprites.append(frame_round(letters[-1], capital, max(1, round(0.08 * capital))))
    lines = [Line(number, tuple(letters), is_number=True)]
    if rng.random() < 0.8:
        code = str(rng.choice(TYPE_CODES.split()))
        left = max(ends) + bar
        marks, placed, _ = set_row(code, style, 0.9 * capital, left, low + leading)
        sprites += marks
        lines.append(Line(code, tuple(placed)))
    return Block(tuple(sprites), tuple(lines))


def frame_round(letter: Letter, capital: float, thick: int) -> Sprite:
    """Return the frame round a check digit."""
    half = letter.width / 2 + 0.2 * capital, 0.7 * capital
    box = np.full((round(2 * half[1]), round(2 * half[0])), 255, np.uint8)
    box[thick:-thick, thick:-thick] = 0
    return box, round(letter.x - half[0]), round(letter.y - half[1])
