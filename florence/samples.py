"""Photos that ship whose numbers and places are known, and what one look at each sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from containers.number.reading import Hypothesis
from containers.photo.looks import ReadingOptions
from containers.photo.windows import Point, Window, first_window, next_window, see

if TYPE_CHECKING:
    from PIL import Image
    from transformers import Florence2ForConditionalGeneration, Florence2Processor


@dataclass(frozen=True)
class Sample:
    """A photo that ships, the number on it, and its box: left, top, right, bottom, in pixels."""

    name: str
    number: str
    box: tuple[int, int, int, int]

    @property
    def path(self) -> Path:
        """Return the photo's file."""
        return Path(__file__).parent.parent / "image" / self.name

    @property
    def place(self) -> Window:
        """Return the number's box as a window."""
        left, top, right, bottom = self.box
        return Window((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)


SAMPLES = (  # rows, two lines, level and slanted; boxes drawn by hand
    Sample("000006_BACK_2.jpg", "SEKU 707255 7", (230, 128, 530, 190)),
    Sample("000006_LEFT_1.jpg", "SEKU 707255 7", (298, 240, 640, 448)),
    Sample("000050_BACK_2.jpg", "MBTU 775271 3", (240, 240, 745, 320)),
    Sample("000025_BACK_2.jpg", "CXDU 859681 2", (362, 170, 940, 305)),
)


class Reader(Protocol):
    """What reads photos: a `ContainerOCR`."""

    model: Florence2ForConditionalGeneration
    processor: Florence2Processor
    size: tuple[int, int]
    options: ReadingOptions

    def look_at(
        self, images: Sequence[Image.Image], known: Sequence[str] | None = None
    ) -> list[tuple[Hypothesis, list[Point]]]:
        """Return what one look at each image reads, and where it sees the number's characters."""


@dataclass(frozen=True)
class Shown:
    """A sample as the model was shown it: the window, and what a look saw of the true number."""

    sample: Sample
    window: Window
    probability: float
    letters: Sequence[Point]

    @property
    def inside(self) -> float:
        """Return the share of the number's characters that were seen in its box."""
        left, top, right, bottom = self.sample.box
        points = [self.window.at(*letter) for letter in self.letters]
        return sum(left <= x <= right and top <= y <= bottom for x, y in points) / len(points)

    @property
    def chance(self) -> float:
        """Return what that share would be if the model looked anywhere."""
        place = self.sample.place
        return place.length * place.height / (self.window.length * self.window.height)


def show_samples(ocr: Reader, margin: float | None) -> tuple[list[Shown], list[Image.Image]]:
    """Return the samples as one look each sees them, and the images: whole, or from near."""
    windows, images = [], []
    for sample in SAMPLES:
        _, size = see(sample.path, None, ocr.size)
        near = next_window(sample.place, size, margin) if margin else None
        windows.append(near or first_window(size))
        images.append(see(sample.path, near, ocr.size)[0])
    seen = ocr.look_at(images, [sample.number for sample in SAMPLES])
    shown = zip(SAMPLES, windows, seen)
    return [Shown(s, w, read.confidence, letters) for s, w, (read, letters) in shown], images
