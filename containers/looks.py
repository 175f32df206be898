"""The looks at one photo: nearer each time, until one is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from containers.places import Point, Window, first_window, next_window, place_of
from containers.reading import Reading

if TYPE_CHECKING:
    from PIL import Image

LOOKS = 4  # at most, at each photo
MARGINS = (1.3, 1.2)  # of the second look, and of further ones: how much larger than the place


@dataclass
class Search:
    """The search for the number on a photo: its best reading so far, and where that stands."""

    photo: str | Path | Image.Image
    looks: int = LOOKS  # at most
    done: int = 0
    window: Window | None = None  # of the last look; none: not looked at yet
    best: Reading | None = None
    seen: Window | None = None  # in which the best was read

    def take_in(
        self, reading: Reading, letters: Sequence[Point], size: tuple[int, int]
    ) -> Window | None:
        """Return where to look next on a photo of (width, height), after what a look has read.

        `letters` are where it saw the number's characters, in shares of what it looked at. None:
        it is sure, has looked often enough, or sees nothing there.
        """
        self.done += 1
        self.window = self.window or first_window(size)
        place = place_of(self.window, letters) if letters else None
        if self.best is None or rank(reading) > rank(self.best):
            corners = place.corners if place and reading.number else ()
            box = tuple((round(x), round(y)) for x, y in corners)
            self.best, self.seen = replace(reading, box=box), self.window
        if self.done >= self.looks or self.best.is_settled or place is None:
            return None
        margin = MARGINS[min(self.done, len(MARGINS)) - 1]
        self.window = next_window(place, size, margin)
        return self.window


def rank(reading: Reading) -> tuple[bool, float]:
    """Return the sort key of readings of one photo: the surest is the highest."""
    return reading.is_ok, reading.confidence
