"""Windows on a photo: where to look next, nearer each time, and what is seen there cut out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, quantiles
from typing import TYPE_CHECKING

from containers.photo.opening import Photo, open_photo, squash

if TYPE_CHECKING:
    from PIL import Image

Point = tuple[float, float]

OWNER, SERIAL = 4, 10  # where a number's digits begin and end, whose direction is the number's
STRAIGHT = 0.5  # of a step: points that lie off a line by more tell no slant
SHAPES = {0: (1.6, 2.4), 90: (2.6, 3.2)}  # length to height of a window, by the number's direction
STEEPEST = 30  # degrees from level or from upright that a window turns
PART_SHARE = 0.62  # of a photo's width and height: a part of it
SHAKEN = tuple(  # windows round a place: how much larger, and which way they are moved and turned
    (margin, way)
    for ways in ((0, 1, -1), (-1, 0, 1), (1, -1, 0))
    for margin, way in zip((1.1, 1.25, 1.45), ways)
)
SHAKE_SHARE, SHAKE_DEGREES = 0.025, 2  # of a window's sides, and how far it is turned
FEW_PIXELS = 16  # a shorter window holds no number
# Of the room beside a number that a window has on one side, so much is given to the other, where
# the size-type code stands: under a row, right of a column.
LENT = 0.45


@dataclass(frozen=True)
class Window:
    """A rectangle on a photo, in pixels, lying in reading direction.

    `x` and `y` are its middle, `length` and `height` its sides along and across the reading
    direction; `angle` is that direction in degrees, 0 to the right, 90 downwards. What is outside
    the photo shows its edges continued.
    """

    x: float
    y: float
    length: float
    height: float
    angle: float = 0.0

    def at(self, along: float, across: float) -> Point:
        """Return the place on the photo at these shares of the window's length and height."""
        turn = math.radians(self.angle)
        a, b = (along - 0.5) * self.length, (across - 0.5) * self.height
        return (
            self.x + a * math.cos(turn) - b * math.sin(turn),
            self.y + a * math.sin(turn) + b * math.cos(turn),
        )

    @property
    def corners(self) -> tuple[Point, ...]:
        """Return its four corners on the photo, from the upper left as one reads, clockwise."""
        return tuple(self.at(*share) for share in ((0, 0), (1, 0), (1, 1), (0, 1)))

    @property
    def is_upright(self) -> bool:
        """Tell whether its reading direction runs up or down rather than to a side."""
        return abs(math.sin(math.radians(self.angle))) > math.sqrt(0.5)

    @property
    def is_on_head(self) -> bool:
        """Tell whether its reading direction runs to the left or up."""
        return 135 <= self.angle % 360 < 315

    def within(self, width: float, height: float) -> Window:
        """Return the window moved into a photo of this size, as far as it fits there."""
        xs, ys = zip(*self.corners)
        wide, high = max(xs) - min(xs), max(ys) - min(ys)
        x = min(max(self.x, wide / 2), width - wide / 2) if wide < width else width / 2
        y = min(max(self.y, high / 2), height - high / 2) if high < height else height / 2
        return Window(x, y, self.length, self.height, self.angle)

    def scaled(self, factor: float) -> Window:
        """Return the window on a photo that is so many times as large."""
        x, y, length, height = (factor * v for v in (self.x, self.y, self.length, self.height))
        return Window(x, y, length, height, self.angle)

    def cut(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        """Return what an RGB photo shows there, the right way up, squashed to (width, height)."""
        from PIL import Image

        xs, ys = zip(*self.corners)
        left, top = math.floor(min(xs) + 0.01), math.floor(min(ys) + 0.01)
        right, bottom = math.ceil(max(xs) - 0.01), math.ceil(max(ys) - 0.01)
        part = crop(image, (left, top, max(right, left + 1), max(bottom, top + 1)))
        if self.angle % 90:
            corners = [(x - left, y - top) for x, y in self.corners]
            quad = [value for i in (0, 3, 2, 1) for value in corners[i]]
            sides = zip((self.length, self.height), size)
            wide, high = (max(1, min(round(a), 4 * b)) for a, b in sides)
            part = part.transform(
                (wide, high), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR
            )
        elif self.angle % 360:
            part = part.transpose(Image.Transpose[f"ROTATE_{round(self.angle % 360)}"])
        return squash(part, size)


def crop(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """Return a part of an image, (left, top, right, bottom); outside, its edges are continued."""
    import numpy as np
    from PIL import Image

    left, top, right, bottom = box
    inside = max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height)
    part = image.crop(inside)
    if inside == box:
        return part
    beyond = (inside[1] - top, bottom - inside[3]), (inside[0] - left, right - inside[2]), (0, 0)
    return Image.fromarray(np.pad(np.asarray(part), beyond, mode="edge"))


def first_window(size: tuple[int, int]) -> Window:
    """Return where to look first on a photo of (width, height): at all of it.

    A photo far longer than a window is one of a number alone: it is set on a canvas of the longest
    shape, a far taller one turned, as columns are.
    """
    width, height = size
    if width > SHAPES[0][1] * height:
        return Window(width / 2, height / 2, width, width / SHAPES[0][1])
    if height > SHAPES[90][0] * width:
        return Window(width / 2, height / 2, height, max(width, height / SHAPES[90][1]), 90)
    return Window(width / 2, height / 2, width, height)


def parts_of(size: tuple[int, int]) -> list[Window]:
    """Return windows on the parts of a photo of (width, height): two by three, which overlap.

    A photo of a number alone has no parts.
    """
    width, height = size
    if first_window(size) != Window(width / 2, height / 2, width, height):
        return []
    half = PART_SHARE / 2
    return [
        Window(x * width, y * height, PART_SHARE * width, PART_SHARE * height)
        for y in (half, 0.5, 1 - half)
        for x in (half, 1 - half)
    ]


def turned(size: tuple[int, int]) -> list[Window]:
    """Return windows on all of a photo of (width, height) that does not lie as one reads.

    One is for a photo on its head, one for rows that run up. A photo of a number alone has no rows
    that run to a side of it.
    """
    width, height = size
    whole = first_window(size)
    head = replace(whole, angle=whole.angle + 180)
    is_alone = (whole.length, whole.height) != (width, height)
    return [head] if is_alone else [head, Window(whole.x, whole.y, height, width, 270)]


def place_of(window: Window, letters: Sequence[Point]) -> Window:
    """Return the rectangle round the characters of a number seen in a window.

    `letters` are the middles of all its characters in order, in shares of the window's sides.
    """
    points = [window.at(*letter) for letter in letters]
    head = 180 if window.is_on_head else 0  # then so does the number
    sign = -1 if head else 1
    angle, pitch, _ = direction_of([(sign * x, sign * y) for x, y in points[OWNER:SERIAL]])
    angle += head
    turn = math.radians(angle)
    along = spread([x * math.cos(turn) + y * math.sin(turn) for x, y in points])
    across = spread([y * math.cos(turn) - x * math.sin(turn) for x, y in points])
    x = along[0] * math.cos(turn) - across[0] * math.sin(turn)
    y = along[0] * math.sin(turn) + across[0] * math.cos(turn)
    place = Window(x, y, along[1] + pitch, across[1] + pitch, angle)
    thick = 0.9 if place.is_upright else 1.5  # of a line of characters, in their distances
    return replace(place, height=across[1] + thick * pitch)


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the middle and the extent of values in equal steps, little moved by a stray one.

    That is the range from the 5th to the 95th percentile, and a ninth more for what these leave.
    """
    cuts = quantiles(values, n=20, method="inclusive")
    return (cuts[0] + cuts[-1]) / 2, (cuts[-1] - cuts[0]) / 0.9


def direction_of(points: Sequence[Point]) -> tuple[float, float, float]:
    """Return in which direction points follow each other, in degrees, at which steps, how surely.

    The step is that of the line of equal steps that fits best by least squares; how far the points
    lie from it is the doubt. The direction is 0 or 90, turned as the line is where the doubt is
    small.
    """
    steps = [i - (len(points) - 1) / 2 for i in range(len(points))]
    squares = sum(step * step for step in steps)
    (x, dx), (y, dy) = (
        (fmean(values), sum(step * value for step, value in zip(steps, values)) / squares)
        for values in zip(*points)
    )
    off = fmean(
        (px - x - s * dx) ** 2 + (py - y - s * dy) ** 2 for s, (px, py) in zip(steps, points)
    )
    pitch, doubt = math.hypot(dx, dy), math.sqrt(off)
    upright = 90 if dy > abs(dx) else 0
    slant = math.degrees(math.atan2(dy, dx)) - upright
    is_line = doubt < STRAIGHT * pitch and abs(slant) <= STEEPEST
    return upright + (slant if is_line else 0), pitch, doubt


def next_window(
    place: Window, size: tuple[int, int], margin: float, lent: float = 0.0
) -> Window | None:
    """Return the window round a place on a photo of (width, height), so many times as large.

    With `lent` it shows more of the side where the size-type code stands, see LENT. None: it is too
    small for a number.
    """
    least, most = SHAPES[90 if place.is_upright else 0]
    length = margin * place.length
    height = min(max(margin * place.height, length / most), length / least)
    length = max(length, least * height)
    if length < FEW_PIXELS:
        return None
    near = Window(place.x, place.y, length, height, place.angle)
    moved = lent * max(0.0, 1 - place.height / height) / 2
    x, y = near.at(0.5, 0.5 - moved if near.is_upright else 0.5 + moved)
    return replace(near, x=x, y=y).within(*size)


def shaken(place: Window, size: tuple[int, int]) -> list[Window]:
    """Return windows round a place on a photo of (width, height) that differ a little.

    There are none where the place is too small for one of them.
    """
    near = [w for margin, _ in SHAKEN if (w := next_window(place, size, margin))]
    if len(near) < len(SHAKEN):
        return []
    shares = [0.5 + way * SHAKE_SHARE for _, way in SHAKEN]
    turns = [way * SHAKE_DEGREES for _, way in SHAKEN]
    return [
        Window(*window.at(share, share), window.length, window.height, window.angle + turn)
        for window, share, turn in zip(near, shares, turns)
    ]


def see(
    photo: Photo, window: Window | None, size: tuple[int, int]
) -> tuple[Image.Image, tuple[int, int]]:
    """Return what a window on a photo shows, squashed to (width, height), and the photo's own size.

    Without a window it is the first one. A large JPEG need not be decoded whole. Raises
    `ImageError`.
    """
    image, whole = open_photo(photo, size, (window.length, window.height) if window else None)
    near = window.scaled(image.width / whole[0]) if window else first_window(image.size)
    return near.cut(image, size), whole
