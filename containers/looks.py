"""The looks at one photo: nearer each time, until one is sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from containers.places import Point, Window, first_window, next_window, place_of
from containers.reading import Reading
from containers.review import REVIEW_BELOW, judge, merge

if TYPE_CHECKING:
    from PIL import Image

LOOKS = 4  # at most, at each photo
MARGINS = (1.3, 1.2)  # of the second look, and of further ones: how much larger than the place


@dataclass
class Search:
    """The search for the number on a photo: what its looks have read, and where they looked."""

    photo: str | Path | Image.Image
    looks: int = LOOKS  # at most
    review_below: float = REVIEW_BELOW
    readings: list[Reading] = field(default_factory=list)  # considered, one for each look
    windows: list[Window] = field(default_factory=list)
    boxes: list[tuple[tuple[int, int], ...]] = field(default_factory=list)

    def take_in(
        self, reading: Reading, letters: Sequence[Point], size: tuple[int, int]
    ) -> Window | None:
        """Return where to look next on a photo of (width, height), after what a look has read.

        `letters` are where it saw the number's characters, in shares of what it looked at. None:
        it is sure, or has looked often enough.
        """
        self.windows = self.windows or [first_window(size)]
        place = place_of(self.windows[-1], letters)
        self.readings.append(reading)
        self.boxes.append(tuple((round(x), round(y)) for x, y in place.corners))
        if len(self.readings) >= self.looks or self.best.is_settled:
            return None
        window = next_window(place, size, MARGINS[min(len(self.readings), len(MARGINS)) - 1])
        if window:
            self.windows.append(window)
        return window

    @property
    def best(self) -> Reading:
        """Return what all looks together have read."""
        lead, reading = merge(self.readings)
        box = self.boxes[lead] if reading.number else ()
        return replace(judge(reading, self.review_below), box=box)

    @property
    def window(self) -> Window:
        """Return the window of the look that leads."""
        return self.windows[merge(self.readings)[0]]
