"""Small pictures of photos for a page, cut round the number that was read there."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from containers.basis.errors import ImageError
from containers.photo.files import find_image
from containers.photo.opening import open_photo
from containers.photo.windows import Window
from containers.photo.workers import ahead, worker_count, workers

if TYPE_CHECKING:
    from PIL import Image

PAGE_BYTES = 21_000_000  # for all pictures of a page, as text: four for three
PICTURE_BYTES = 16_000  # of one picture
# The forms of a picture, (largest width, largest height, quality), the best first.
FORMS = ((480, 400, 75), (360, 320, 70), (300, 280, 55), (240, 220, 40), (160, 160, 30))
ROOM_ROUND = 0.6  # of its height, round a number that lies flat
ROOM_BESIDE = 0.12  # of its length, at its ends as well: a check digit may stand apart
MARGIN = 0.2  # of the number's longer side, round it
PICTURES_AHEAD = 8  # pictures under way
Box = Sequence[Sequence[int]]


def thumbnails(photos: Sequence[tuple[str, Box]]) -> Iterator[str]:
    """Yield a picture of each (image path, box), in order, as a data address; empty: no photo."""
    most = min(PICTURE_BYTES, PAGE_BYTES * 3 // 4 // max(1, len(photos)))
    return made([(thumbnail, path, box, most) for path, box in photos])


def jpegs(photos: Sequence[tuple[str, Box]], size: tuple[int, int]) -> Iterator[bytes]:
    """Yield a JPEG of each (image path, box), in order, that fits into a size; empty: no photo."""
    return made([(jpeg, path, box, size) for path, box in photos])


def made(tasks: Sequence[tuple]) -> Iterator:
    """Yield what (function, its arguments) return, in order, made side by side."""
    with workers(worker_count(len(tasks))) as pool:
        for future in ahead(tasks, pool, PICTURES_AHEAD):
            yield future.result()


def thumbnail(image_path: str, box: Box, most: int) -> str:
    """Return a WebP of at most so many bytes as a data address, or nothing for a photo that fails.

    `box` is where the number stands, four corners in pixels of the upright photo; empty: it shows
    all of the photo.
    """
    try:
        image = cut(find_image(image_path, Path()), box)
    except ImageError:
        return ""
    return f"data:image/webp;base64,{base64.b64encode(encode(image, most)).decode()}"


def jpeg(image_path: str, box: Box, size: tuple[int, int]) -> bytes:
    """Return a JPEG, as programs take it that know no WebP, or nothing for a photo that fails."""
    from PIL import Image

    try:
        image = cut(find_image(image_path, Path()), box)
    except ImageError:
        return b""
    image.thumbnail(size, Image.Resampling.LANCZOS)
    data = io.BytesIO()
    image.convert("RGB").save(data, "JPEG", quality=FORMS[0][2])
    return data.getvalue()


def cut(path: Path, box: Box) -> Image.Image:
    """Return the part of a photo round a box, or all of it, no smaller than the largest form."""
    if not box:
        return open_photo(path, FORMS[0][:2])[0]
    xs, ys = zip(*box)
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    margin = MARGIN * max(width, height)
    part = max(1.0, width + 2 * margin), max(1.0, height + 2 * margin)
    image, size = open_photo(path, (FORMS[0][0], 1), part)
    scale = image.width / size[0]
    left, top = (scale * (min(side) - margin) for side in (xs, ys))
    right, bottom = (scale * (max(side) + margin) for side in (xs, ys))
    left, top = max(0, math.floor(left)), max(0, math.floor(top))
    right, bottom = min(image.width, math.ceil(right)), min(image.height, math.ceil(bottom))
    return image.crop((left, top, right, bottom)) if left < right and top < bottom else image


def lay_flat(path: Path, box: Box, longest: int) -> tuple[bytes, tuple[int, int]]:
    """Return the number in a box as the bytes of a JPEG, turned to lie flat, and its size.

    A column, whose letters stand one below the other, stands. The longer side has at most so many
    pixels. Raises `ImageError`.
    """
    (a, b, c, d), (x, y) = box, (fmean(side) for side in zip(*box))
    dx, dy = ((b[i] + c[i] - a[i] - d[i]) / 2 for i in (0, 1))
    length = max(1.0, math.hypot(dx, dy))
    height = max(1.0, fmean((math.dist(a, d), math.dist(b, c))))
    high = (1 + 2 * ROOM_ROUND) * height
    long = (1 + 2 * ROOM_BESIDE) * length + high - height
    window = Window(x, y, long, high, math.degrees(math.atan2(dy, dx)))
    if window.is_upright:
        window = Window(x, y, high, long, window.angle - 90)
    image, own = open_photo(path, (longest, 1), (long, long))
    window = window.scaled(image.width / own[0]).within(*image.size)
    scale = min(1.0, longest / max(window.length, window.height))
    size = max(1, round(scale * window.length)), max(1, round(scale * window.height))
    data = io.BytesIO()
    window.cut(image, size).save(data, "JPEG", quality=85)
    return data.getvalue(), size


def encode(image: Image.Image, most: int) -> bytes:
    """Return an image as WebP, in the largest form that takes at most so many bytes."""
    from PIL import Image

    for width, height, quality in FORMS:
        small, data = image.copy(), io.BytesIO()
        small.thumbnail((width, height), Image.Resampling.LANCZOS)
        small.save(data, "WEBP", quality=quality)
        if len(data.getvalue()) <= most:
            break
    return data.getvalue()
