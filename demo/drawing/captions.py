"""What cameras and websites write on photos: date and time, a camera's name, a watermark.

None of it is the container's number, and none is written over it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demo.drawing import letters
from demo.drawing.camera import Window
from demo.drawing.letters import Style

NAMES = (
    "Camera Gate 2 IN", "CAM 03", "GATE 1 LANE 2", "IPC 01", "CH04", "Lane 3 OUT", "OCR-L2",
    "Camera 01", "REAR", "GATE-IN 05", "DOME 2", "Yard North", "TOP VIEW", "IP Camera", "PTZ-7",
)  # fmt: skip
DATES = (
    "{y}-{m:02}-{d:02}",
    "{d:02}/{m:02}/{y}",
    "{d:02}-{m:02}-{y}",
    "{m:02}.{d:02}.{y}",
    "{y}/{m:02}/{d:02}",
)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MARKS = (
    "boxmarket.example", "FOR SALE", "NORDLINE", "seaway.example", "PREMIER UNITS", "video.example",
    "Orca Containers", "SAMPLE", "vela.example",
)  # fmt: skip
TEXT = 40  # height of the capitals of a caption's image, in pixels


@dataclass(frozen=True)
class Caption:
    """A text on a photo: its image, and the rectangle that it takes, in pixels of the photo."""

    image: np.ndarray  # uint8 [height, width, 4]: red, green, blue, opacity
    left: float
    top: float
    width: float
    height: float

    def draw(self, canvas: np.ndarray, window: Window) -> None:
        """Draw it into what is seen through a window of the photo, uint8 [rows, columns, 3]."""
        rows, columns = canvas.shape[:2]
        x, y = (0, self.width, 0, self.width), (0, 0, self.height, self.height)
        corners = np.add((self.left, self.top), np.stack([x, y], 1))
        places = window.shares(corners) * (columns, rows)
        low = np.clip(np.floor(places.min(0)), 0, (columns, rows)).astype(int)
        high = np.clip(np.ceil(places.max(0)), 0, (columns, rows)).astype(int)
        if min(high - low) < 1:
            return
        sides = np.hypot(*(places[1] - places[0])), np.hypot(*(places[2] - places[0]))
        size = [max(1, min(have, round(seen))) for have, seen in
                zip(self.image.shape[1::-1], sides, strict=True)]  # fmt: skip
        image = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        ends = np.array([(0, 0), (size[0], 0), (0, size[1])], np.float32)
        matrix = cv2.getAffineTransform(ends, (places[:3] - low).astype(np.float32))
        over = cv2.warpAffine(image, matrix, tuple(map(int, high - low)))
        part = canvas[low[1] : high[1], low[0] : high[0]]
        share = over[..., 3:].astype(np.float32) / 255
        part[:] = (part + (over[..., :3] - part.astype(np.float32)) * share).astype(np.uint8)


def draw_captions(
    rng: np.random.Generator, size: tuple[int, int], points: np.ndarray, pitch: float
) -> list[Caption]:
    """Return what is written on a photo of this size, clear of points [n, 2] of the number."""
    low, high = points.min(0) - 1.2 * pitch, points.max(0) + 1.2 * pitch
    captions: list[Caption] = []
    style = draw_style(rng)
    look = rng.random(), rng.uniform(0.012, 0.035) * min(size)
    for _ in range(rng.integers(1, 4)):
        caption = place(rng, size, draw_text(rng), style, *look)
        boxes = [(c.left, c.top, c.left + c.width, c.top + c.height) for c in captions]
        for left, top, right, bottom in (*boxes, (*low, *high)):
            if (caption.left < right and left < caption.left + caption.width
                    and caption.top < bottom and top < caption.top + caption.height):  # fmt: skip
                break
        else:
            captions.append(caption)
    return captions


def draw_text(rng: np.random.Generator) -> str:
    """Return a caption's text: mostly date and time, or a name, or figures."""
    kind = rng.random()
    if kind < 0.45:
        form = str(rng.choice(DATES))
        date = form.format(y=rng.integers(2008, 2026), m=rng.integers(1, 13), d=rng.integers(1, 29))
        day = f"{rng.choice(DAYS)} " if rng.random() < 0.3 else ""
        hour, minute, second = rng.integers(24), rng.integers(60), rng.integers(60)
        return f"{date} {day}{hour:02}:{minute:02}:{second:02}"
    if kind < 0.75:
        return str(rng.choice(NAMES))
    if kind < 0.85:
        return f"FRAME {rng.integers(10**6):06d}"
    if kind < 0.93:
        return f"ID: {rng.integers(10**7)}"
    return f"Lane {rng.integers(1, 9)}  {rng.integers(10, 99)}C-{rng.integers(1000, 99999)}"


def draw_style(rng: np.random.Generator) -> Style:
    """Return letters as devices write them: mostly each as wide as the others."""
    face = int(rng.integers(len(letters.FACES)))
    pitch = rng.uniform(0.75, 0.95) if rng.random() < 0.6 else 0.0
    return Style(face, rng.uniform(0.85, 1.1), rng.uniform(0.1, 0.25), pitch)


def place(
    rng: np.random.Generator, size: tuple[int, int], text: str, style: Style, look: float,
    capital: float,
) -> Caption:  # fmt: skip
    """Return a text at an edge of the photo: plain, outlined, or on a strip; or a watermark."""
    if rng.random() < 0.12:
        mark, big = str(rng.choice(MARKS)), capital * rng.uniform(1.5, 4)
        image = paint(mark, style, (235, 235, 235), None, int(rng.integers(60, 190)))
    else:
        big = capital
        colour = (250, 250, 250) if rng.random() < 0.75 else (250, 230, 60)
        if look < 0.35:
            image = paint(text, style, colour, (0, 0, 0), 255)
        elif look < 0.6:
            image = paint(text, style, colour, None, 255)
        elif look < 0.8:
            image = paint(text, style, (15, 15, 15), None, 255)
        else:
            image = on_strip(paint(text, style, colour, None, 255), rng)
    height = big * image.shape[0] / TEXT
    width = height * image.shape[1] / image.shape[0]
    if width > 0.9 * size[0]:
        height, width = height * 0.9 * size[0] / width, 0.9 * size[0]
    pad = rng.uniform(0.01, 0.04) * size[1]
    left = float(rng.choice((pad, size[0] - width - pad, (size[0] - width) / 2)))
    top = float(rng.choice((pad, size[1] - height - pad)))
    return Caption(image, left, top, width, height)


def paint(
    text: str, style: Style, colour: tuple[int, int, int], outline: tuple[int, int, int] | None,
    opacity: int,
) -> np.ndarray:  # fmt: skip
    """Return a text as an image, uint8 [height, width, 4]."""
    ink = letters.set_lines([text], style, TEXT).mask(6)
    image = np.empty((*ink.shape, 4), np.uint8)
    image[..., :3] = colour
    image[..., 3] = ink
    if outline is not None:
        rim = cv2.dilate(ink, np.ones((7, 7), np.uint8))
        share = ink[..., None].astype(np.float32) / 255
        image[..., :3] = np.array(outline) * (1 - share) + np.array(colour) * share
        image[..., 3] = rim
    if opacity < 255:
        image[..., 3] = cv2.convertScaleAbs(image[..., 3], alpha=opacity / 255)
    return image


def on_strip(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a text on a dark strip."""
    pad = int(rng.integers(8, 30))
    image = np.pad(image, ((pad, pad), (2 * pad, 2 * pad), (0, 0)))
    share = image[..., 3:].astype(np.float32) / 255
    ground = np.array((*rng.integers(0, 60, 3),))
    image[..., :3] = (ground + (image[..., :3] - ground) * share).astype(np.uint8)
    image[..., 3] = max(int(rng.integers(120, 256)), 120)
    return image
