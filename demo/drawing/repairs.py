"""Numbers that were mended: letters on stickers, on patches of new paint, or painted once more.

Who buys a container pastes his owner code over the old one; a digit that was scraped off is painted
again, by another hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from demo.drawing import letters
from demo.drawing.canvas import LUMINANCE, Canvas, contrasting
from demo.drawing.letters import Block, Letter, Line, Sprite

LETTERS = 11  # of a number
PAPERS = (  # of stickers
    (0.93, 0.93, 0.91), (0.93, 0.93, 0.91), (0.93, 0.93, 0.91), (0.85, 0.72, 0.12),
    (0.07, 0.07, 0.07), (0.1, 0.2, 0.5),
)  # fmt: skip
NEXT = 1.9  # median steps: letters farther apart stand on stickers of their own


def write_repaired(
    rng: np.random.Generator, canvas: Canvas, block: Block, x: float, y: float,
    paint: np.ndarray, ink: np.ndarray, repair: str,
) -> list[Line]:  # fmt: skip
    """Paint a number some of whose letters were mended: "patch" or "repaint"; return its lines.

    The number is the first of the block's lines, and its letters are the first of the sprites.
    """
    patched = repair == "patch" or rng.random() < 0.3
    chosen = choose_patched(rng) if repair == "patch" else choose_repainted(rng)
    if repair == "repaint" or rng.random() < 0.5:
        block = in_another_hand(rng, block, chosen)
    new_ink = contrasting(rng, paint) if rng.random() < 0.3 else ink
    if patched:
        colour = patch_colour(rng, paint, sticker=repair == "patch" and rng.random() < 0.7)
        placed = block.moved(round(x), round(y))[0].letters
        lay_patches(rng, canvas, placed, chosen, colour)
        if abs((new_ink - colour) @ LUMINANCE) < 0.3:
            new_ink = contrasting(rng, colour)
        if repair == "patch" and rng.random() < 0.25:
            write_ghosts(rng, canvas, block, chosen, (x, y), ink)
    wear = rng.uniform(0, 0.5) if rng.random() < 0.4 else 0.0
    lines = list(block.lines)
    for sprites, colour in zip(split_sprites(block, chosen), (new_ink, ink), strict=True):
        if sprites:
            part = Block(sprites, block.lines)
            lines = canvas.write(rng, part, x, y, colour, rng.uniform(0.8, 1), wear)
    return lines


def choose_patched(rng: np.random.Generator) -> list[int]:
    """Return which letters stand on stickers: the owner code mostly, or digits, or all."""
    kind = rng.random()
    if kind < 0.5:
        return list(range(4))
    if kind < 0.75:
        return list(range(LETTERS))
    if kind < 0.85:
        return list(range(4, LETTERS))
    start = int(rng.integers(4, 10))
    return list(range(start, min(LETTERS, start + int(rng.integers(1, 4)))))


def choose_repainted(rng: np.random.Generator) -> list[int]:
    """Return which letters were painted again: one or two anywhere, or the owner code."""
    if rng.random() < 0.25:
        return list(range(4))
    return sorted(map(int, rng.choice(LETTERS, int(rng.integers(1, 4)), replace=False)))


def in_another_hand(rng: np.random.Generator, block: Block, chosen: Sequence[int]) -> Block:
    """Return the block with these letters of the number in another face and size.

    Each stands on its old foot line, and is no wider than its neighbours leave room.
    """
    style, size = letters.draw_style(rng), rng.uniform(0.8, 1.15)
    drop = rng.normal(0, 0.05)
    sprites, placed = list(block.sprites), list(block.lines[0].letters)
    capital = float(np.median([c.height for c in placed]))
    for i in chosen:
        old = placed[i]
        ink = letters.ink_in(style, old.character, size * capital)
        most = max(4, round(1.15 * max(old.width, 0.45 * capital)))
        if ink.shape[1] > most:
            narrow = replace(style, stretch=round(style.stretch * most / ink.shape[1], 2))
            ink = letters.ink_in(narrow, old.character, size * capital)
        high, wide = ink.shape
        left = round(old.x - wide / 2)
        top = round(old.y + old.height / 2 - high + drop * capital)
        sprites[i] = (ink, left, top)
        placed[i] = Letter(old.character, left + wide / 2, top + high / 2, wide, high)
    lines = (replace(block.lines[0], letters=tuple(placed)), *block.lines[1:])
    return from_zero(Block(tuple(sprites), lines))


def from_zero(block: Block) -> Block:
    """Return the block moved so that no ink lies left of it or above it."""
    x = max(0, -min(left for _, left, _ in block.sprites))
    y = max(0, -min(top for _, _, top in block.sprites))
    sprites = tuple((ink, left + x, top + y) for ink, left, top in block.sprites)
    return Block(sprites, tuple(block.moved(x, y)))


def patch_colour(rng: np.random.Generator, paint: np.ndarray, sticker: bool) -> np.ndarray:
    """Return the colour of a sticker, or of new paint on an old wall."""
    if sticker:
        return np.array(PAPERS[rng.integers(len(PAPERS))]) * rng.uniform(0.85, 1)
    if rng.random() < 0.25:
        return rng.uniform(0.05, 0.95, 3)
    return np.clip(paint * rng.uniform(0.6, 1.5) + rng.normal(0, 0.05, 3), 0.02, 0.95)


def runs(placed: Sequence[Letter], chosen: Sequence[int]) -> list[list[int]]:
    """Return the chosen letters in groups of such as stand next to each other."""
    places = np.array([(c.x, c.y) for c in placed])
    steps = np.hypot(*np.diff(places, axis=0).T)
    groups = [[chosen[0]]]
    for i in chosen[1:]:
        if i == groups[-1][-1] + 1 and steps[i - 1] < NEXT * np.median(steps):
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def lay_patches(
    rng: np.random.Generator, canvas: Canvas, placed: Sequence[Letter], chosen: Sequence[int],
    colour: np.ndarray,
) -> None:  # fmt: skip
    """Lay a patch under each group of letters, mostly a narrow one; it reaches under no other."""
    groups = runs(placed, chosen)
    if rng.random() < 0.12:  # each letter is a sticker of its own
        groups = [[i] for i in chosen]
    pads = rng.uniform(0.08, 0.35, 2) * np.median([c.height for c in placed])
    lean = 0.0 if canvas.lean is None else float(np.ptp(canvas.lean))
    lit = rng.random() < 0.8
    for group in groups:
        left, top, right, bottom = Line("", tuple(placed[i] for i in group)).box()
        x, y = pads[0] + lean, pads[1]
        for i in set(range(len(placed))) - set(group):
            beside = abs(placed[i].y - (top + bottom) / 2) < (bottom - top + placed[i].height) / 2
            if beside:
                away = max(left - placed[i].x, placed[i].x - right) - placed[i].width / 2
                x = min(x, max(1.0, 0.5 * away))
            else:
                away = max(top - placed[i].y, placed[i].y - bottom) - placed[i].height / 2
                y = min(y, max(1.0, 0.5 * away))
        sides = right - left + 2 * x, bottom - top + 2 * y
        canvas.rectangle(left - x, top - y, *sides, colour, lit=lit)


def write_ghosts(
    rng: np.random.Generator, canvas: Canvas, block: Block, chosen: Sequence[int],
    corner: tuple[float, float], ink: np.ndarray,
) -> None:  # fmt: skip
    """Let letters that were there before shine through the patch."""
    style, ghosts = letters.draw_style(rng), []
    for i in chosen:
        old = block.lines[0].letters[i]
        pool = "ABCDEFGHJKLMNPRSTUVWXYZ" if old.character.isalpha() else "0123456789"
        ink_mask = letters.ink_in(style, str(rng.choice(list(pool))), old.height)
        off = rng.uniform(-0.25, 0.25, 2) * old.height
        place = np.array((old.x, old.y)) + off - np.array(ink_mask.shape[::-1]) / 2
        ghosts.append((ink_mask, *map(round, np.maximum(place, 0))))
    canvas.write(rng, Block(tuple(ghosts), ()), *corner, ink, rng.uniform(0.06, 0.2))


def split_sprites(
    block: Block, chosen: Sequence[int]
) -> tuple[tuple[Sprite, ...], tuple[Sprite, ...]]:
    """Return the sprites of the chosen letters and all others; a frame goes with its digit."""
    new = set(chosen)
    digit = block.lines[0].letters[-1]
    if LETTERS - 1 in new:
        for i, (ink, left, top) in enumerate(block.sprites[LETTERS:], LETTERS):
            inside_x = left < digit.x < left + ink.shape[1]
            if inside_x and top < digit.y < top + ink.shape[0]:
                new.add(i)
    sprites = list(enumerate(block.sprites))
    return (
        tuple(sprite for i, sprite in sprites if i in new),
        tuple(sprite for i, sprite in sprites if i not in new),
    )
