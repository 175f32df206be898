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

LOOKS = 6  # at most, at each photo
NEARER = 4  # so many looks, each nearer than the one before; where they see nothing,
LOST = 0.01  # which is less confidence than this, the next one begins again from the first,
WIDER = 2.2  # so many times as large as the place that it saw
MARGINS = (1.4, 1.25)  # of the second look, and of further ones: how much larger than the place


@dataclass
class Search:
    """The search for the number on a photo: what its looks have read, and where they looked."""

    photo: str | Path | Image.Image
    looks: int = LOOKS  # at most
    review_below: float = REVIEW_BELOW
    readings: list[Reading] = field(default_factory=list)  # considered, one for each look
    windows: list[Window] = field(default_factory=list)
    places: list[Window] = field(default_factory=list)  # round the number

    def take_in(
        self, reading: Reading, letters: Sequence[Point], size: tuple[int, int]
    ) -> Window | None:
        """Return where to look next on a photo of (width, height), after what a look has read.

        `letters` are where it saw the number's characters, in shares of what it looked at. None:
        it is sure, or has looked often enough.
        """
        self.windows = self.windows or [first_window(size)]
        self.readings.append(reading)
        self.places.append(place_of(self.windows[-1], letters))
        done, best = len(self.readings), self.best
        if done >= self.looks or best.is_settled or (done == NEARER and best.confidence >= LOST):
            return None
        margin = MARGINS[min(done, len(MARGINS)) - 1]
        nearer = None if done == NEARER else next_window(self.places[-1], size, margin)
        window = nearer or next_window(self.places[0], size, WIDER)
        if window:
            self.windows.append(window)
        return window

    @property
    def best(self) -> Reading:
        """Return what all looks together have read."""
        lead, reading = merge(self.readings)
        corners = self.places[lead].corners if reading.number else ()
        box = tuple((round(x), round(y)) for x, y in corners)
        return replace(judge(reading, self.review_below), box=box)

    @property
    def window(self) -> Window:
        """Return the window of the look that leads."""
        return self.windows[merge(self.readings)[0]]
