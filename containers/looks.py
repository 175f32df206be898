"""The looks at one photo: nearer each time, until one is sure; then at its parts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from containers.places import Point, Window, first_window, next_window, parts_of, place_of
from containers.reading import Reading
from containers.review import REVIEW_BELOW, judge, merge

if TYPE_CHECKING:
    from PIL import Image

LOOKS = 22  # at most, at each photo: 4 from the whole of it, and 18 from its parts
NEARER = ((1.4, 6), (1.25, 3), (1.25, 3))  # the looks that follow: how much larger than the place,
# and from how many of the last ones, those with the most confidence
LOST = 0.1  # where the whole photo has brought less confidence, its parts are looked at


@dataclass(frozen=True)
class Look:
    """One look at a photo: what it read, not judged yet; its window, and the number's place."""

    reading: Reading
    window: Window
    place: Window


@dataclass
class Search:
    """The search for the number on a photo: the looks that are done, and how many are ahead."""

    photo: str | Path | Image.Image
    looks: int = LOOKS  # at most
    review_below: float = REVIEW_BELOW
    owner_codes: Collection[str] = ()  # known ones; empty: any will do
    label: str | None = None  # the number, where it is known: it leads the search
    done: list[Look] = field(default_factory=list)
    ahead: int = 1  # looks that this round still has
    rounds: Iterator[list[Window]] = field(default_factory=lambda: iter(()))

    def take_in(
        self,
        window: Window | None,
        reading: Reading,
        letters: Sequence[Point],
        size: tuple[int, int],
    ) -> list[Window]:
        """Return where to look next on a photo of (width, height), after what a look has read.

        `letters` are where it saw the number's characters, in shares of its window; None is the
        first one. Nothing is next while looks are ahead, and once the search is over.
        """
        if window is None:
            window, self.rounds = first_window(size), self.plan(size)
            next(self.rounds)
        self.done.append(Look(reading, window, place_of(window, letters)))
        self.ahead -= 1
        left = self.looks - len(self.done)
        if self.ahead or left <= 0 or self.best.is_settled:
            return []
        windows = next(self.rounds, [])[:left]
        self.ahead = len(windows)
        return windows

    def give_up(self) -> None:
        """Take in that a look failed: the photo cannot be opened any more."""
        self.ahead, self.looks = self.ahead - 1, 0

    def plan(self, size: tuple[int, int]) -> Iterator[list[Window]]:
        """Yield the windows of one round after the other, by what the looks before have shown."""
        yield from self.come_nearer([first_window(size)], size)
        if self.best.confidence < LOST:
            yield from self.come_nearer(parts_of(size), size)

    def come_nearer(self, windows: list[Window], size: tuple[int, int]) -> Iterator[list[Window]]:
        """Yield these windows, and then nearer ones round the places that they show."""
        yield windows
        for margin, most in NEARER:
            last = sorted(self.done[-len(windows) :], key=lambda look: -look.reading.confidence)
            nearer = [next_window(look.place, size, margin) for look in last[:most]]
            windows = [window for window in nearer if window]
            if not windows:
                return
            yield windows

    @property
    def is_over(self) -> bool:
        """Tell whether no look is ahead."""
        return not self.ahead

    @property
    def lead(self) -> tuple[Look, Reading]:
        """Return the look that is surest of the number, and what all together have read."""
        i, reading = merge([look.reading for look in self.done], self.owner_codes)
        return self.done[i], reading

    @property
    def best(self) -> Reading:
        """Return what all looks together have read, judged."""
        look, reading = self.lead
        corners = look.place.corners if reading.number else ()
        box = tuple((round(x), round(y)) for x, y in corners)
        return replace(judge(reading, self.review_below), box=box)
