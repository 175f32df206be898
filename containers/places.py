"""A place on a photo, and that place cut out at full resolution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from containers.errors import ImageError
from containers.photos import load_image, squash

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class Box:
    """A part of a photo, in shares of its width and height."""

    left: float
    top: float
    right: float
    bottom: float

    def window(
        self, size: tuple[int, int], shape: tuple[int, int]
    ) -> tuple[int, int, int, int] | None:
        """Return the part of a photo round the box, in pixels, in this shape.

        A fifth more each side makes up for the outer characters, of which the box holds the middle.
        None: it would be hardly smaller than the photo, or a few pixels.
        """
        width, height = size
        wide, high = (self.right - self.left) * width, (self.bottom - self.top) * height
        scale = 1.4 * max(wide / shape[0], high / shape[1])
        wide, high = scale * shape[0], scale * shape[1]
        if wide > 0.85 * width or high > 0.85 * height or min(wide, high) < 16:
            return None
        left = min(max(0, (self.left + self.right) / 2 * width - wide / 2), width - wide)
        top = min(max(0, (self.top + self.bottom) / 2 * height - high / 2), height - high)
        return round(left), round(top), round(left + wide), round(top + high)

    def closer(self, image: Image.Image) -> list[Image.Image]:
        """Return the place at full resolution, in the photo's shape; a tall one also turned."""
        from PIL import Image

        width, height = image.size
        tall = (self.bottom - self.top) * height > 2 * (self.right - self.left) * width
        upright, turned = (self.window(image.size, s) for s in ((width, height), (height, width)))
        looks = [image.crop(upright)] if upright else []
        if tall and turned:
            crop = image.crop(turned)
            looks += [crop.transpose(turn) for turn in (Image.ROTATE_90, Image.ROTATE_270)]
        return looks


def cut_out(path: Path | str, place: Box, size: tuple[int, int]) -> list[Image.Image]:
    """Return the crops of `Box.closer` from a photo's file, squashed to (width, height)."""
    try:
        return [squash(crop, size) for crop in place.closer(load_image(path))]
    except ImageError:  # it was there for the first look, which stands
        return []
