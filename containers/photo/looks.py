"""The looks at one photo: nearer each time, until one is sure; then shaken, at parts, turned."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby

from containers.number.reading import Hypothesis, Reading
from containers.number.review import REVIEW_BELOW, hear, merge, reading_of, with_size_type
from containers.photo.opening import Photo
from containers.photo.windows import (
    LENT,
    SHAKEN,
    Point,
    Window,
    first_window,
    next_window,
    parts_of,
    place_of,
    shaken,
    turned,
)

# The looks that follow: how much larger than the place, from how many of the last ones, those with
# the most confidence, and whether moved to show the size-type code; not all, for the number's sake.
NEARER = ((1.4, 6, LENT), (1.25, 3, 0.0), (1.25, 3, 0.0))
AT_FOUND = ((1.4, LENT), (1.25, 0.0), (1.1, 0.0))  # a reader's at a finder's place, which it trusts
AT_FINDERS = -1  # the start of these looks
LOST_BELOW = 0.1  # where the whole photo has brought less confidence, its parts are looked at
UNSURE_BELOW = 0.3  # the same for a mean over shaken windows; then all is looked at turned, too
FAINT_BELOW = 0.003  # of a place where the surest look has less, shaken windows would show no more
SURE_FROM = 0.9  # a look with so much confidence needs no shaken windows: they agree with it
FEW_SHAKEN, AGREED_FROM = 3, 0.8  # nor do so many windows with this mean need the other six
LOOKS = 57  # at most, at each photo: 4 from the whole of it, 18 from its parts, 8 with it turned,
# and each time 9 round the place that these have shown


@dataclass(frozen=True)
class Look:
    """One look at a photo: what it takes for the number, its window, and the number's place.

    `start` counts where it set out: the whole photo, its parts, and the photo turned. Shaken
    windows stand round the place that the looks before them have found.
    """

    hypothesis: Hypothesis
    window: Window
    place: Window
    start: int = 0
    is_shaken: bool = False


@dataclass(frozen=True)
class Found:
    """What a finder has made of a photo of (width, height): its reading, and the number's place."""

    reading: Reading
    place: Window
    size: tuple[int, int]

    def windows(self) -> list[Window]:
        """Return the windows round the place, in the order in which they are looked at."""
        near = [next_window(self.place, self.size, *way) for way in AT_FOUND]
        return [window for window in near if window]


@dataclass(frozen=True)
class ReadingOptions:
    """How photos are read."""

    looks: int = LOOKS  # at one photo, at most
    review_below: float = REVIEW_BELOW  # a number less sure, 0 to 1, is for review
    owner_codes: Collection[str] = ()  # known ones; empty: any will do


@dataclass
class Search:
    """The search for the number on a photo: the looks that are done, and how many are ahead."""

    photo: Photo
    options: ReadingOptions = ReadingOptions()
    label: str | None = None  # the number, where it is known: it leads the search
    found: Found | None = None  # by a finder: it is looked at there first
    size: tuple[int, int] = (0, 0)  # of the photo, once it has been opened
    done: list[Look] = field(default_factory=list)
    ahead: int = 1  # looks that this round still has
    rounds: Iterator[list[Window]] = field(default_factory=lambda: iter(()))
    start: int = 0  # of this round
    is_shaken: bool = False  # this round

    def take_in(
        self,
        window: Window | None,
        hypothesis: Hypothesis,
        letters: Sequence[Point],
        size: tuple[int, int],
    ) -> list[Window]:
        """Return where to look next on a photo of (width, height), after what a look has shown.

        `letters` are where it saw the number's characters, in shares of its window; None is the
        first one. Nothing is next while looks are ahead, and once the search is over.
        """
        if not self.done:
            self.size, self.rounds = size, self.plan(size)
            next(self.rounds)
        window = window or first_window(size)
        found = self.found if self.start == AT_FINDERS else None
        place = found.place if found else place_of(window, letters)
        self.done.append(Look(hypothesis, window, place, self.start, self.is_shaken))
        self.ahead -= 1
        left = self.options.looks - len(self.done)
        if self.ahead or left <= 0 or self.is_settled:
            return []
        windows = next(self.rounds, [])[:left]
        self.ahead = len(windows)
        return windows

    def give_up(self) -> None:
        """Take in that a look failed: the photo cannot be opened any more."""
        self.ahead, self.options = self.ahead - 1, replace(self.options, looks=0)

    @property
    def first(self) -> Window | None:
        """Return where to look first: None is all of the photo."""
        return next(iter(self.found.windows()), None) if self.found else None

    def plan(self, size: tuple[int, int]) -> Iterator[list[Window]]:
        """Yield the windows of one round after the other, by what the looks before have shown."""
        near = self.found.windows() if self.found else []
        if near:
            self.start, self.is_shaken = AT_FINDERS, True
            for window in near:
                yield [window]
                if self.best.confidence < FAINT_BELOW:  # it sees nothing where a number stands
                    return
            return
        turns = turned(size) if self.is_thorough else []
        for self.start, windows in enumerate(([first_window(size)], parts_of(size), turns)):
            enough = UNSURE_BELOW if self.is_thorough else LOST_BELOW
            if self.done and self.best.confidence >= enough:
                return
            if windows:
                yield from self.come_nearer(windows, size)
                yield from self.shake(size)

    def come_nearer(self, windows: list[Window], size: tuple[int, int]) -> Iterator[list[Window]]:
        """Yield these windows, and then nearer ones round the places that they show."""
        yield windows
        for margin, most, lent in NEARER:
            last = sorted(self.done[-len(windows) :], key=lambda look: -look.hypothesis.confidence)
            nearer = [next_window(look.place, size, margin, lent) for look in last[:most]]
            windows = [window for window in nearer if window]
            if not windows:
                return
            yield windows

    def shake(self, size: tuple[int, int]) -> Iterator[list[Window]]:
        """Yield windows round the place that the looks since the start have found."""
        looks = [look for look in self.done if look.start == self.start]
        hypotheses = [[look.hypothesis] for look in looks]
        i, hypothesis = merge(hypotheses, self.options.owner_codes)
        windows = shaken(looks[i].place, size)
        if self.is_thorough and windows and hypothesis.confidence >= FAINT_BELOW:
            self.is_shaken = True
            yield windows[:FEW_SHAKEN]
            if UNSURE_BELOW <= self.best.confidence < AGREED_FROM:
                yield windows[FEW_SHAKEN:]
            self.is_shaken = False

    @property
    def is_thorough(self) -> bool:
        """Tell whether shaken windows are looked at: there are looks for them, and no label."""
        return self.label is None and self.options.looks > len(NEARER) + len(SHAKEN)

    @property
    def is_settled(self) -> bool:
        """Tell whether more looks would change nothing: it is sure, or of several containers."""
        best = self.best
        if best.is_ok and self.is_thorough and not self.found:
            return best.confidence >= SURE_FROM
        return best.is_settled

    @property
    def places(self) -> list[list[Look]]:
        """Return the looks that count, those at one place together.

        Since each start these are the shaken ones, or else each look, alone.
        """
        places: list[list[Look]] = []
        for _, group in groupby(self.done, key=lambda look: look.start):
            looks = list(group)
            together = [look for look in looks if look.is_shaken]
            places += [together] if together else [[look] for look in looks]
        return places

    @property
    def found_something(self) -> bool:
        """Tell whether the looks show so much of a number that it is worth a nearer one."""
        return self.best.confidence >= LOST_BELOW

    @property
    def is_over(self) -> bool:
        """Tell whether no look is ahead."""
        return not self.ahead

    @property
    def lead(self) -> tuple[Look, Hypothesis]:
        """Return the look that is surest of the number, and what all together take for it."""
        places = self.places
        hypotheses = [[look.hypothesis for look in looks] for looks in places]
        i, hypothesis = merge(hypotheses, self.options.owner_codes)
        return list(chain(*places))[i], hypothesis

    @property
    def best(self) -> Reading:
        """Return what all looks together have read."""
        look, hypothesis = self.lead
        corners = look.place.corners if hypothesis.number else ()
        box = tuple((round(x), round(y)) for x, y in corners)
        looks = [look.hypothesis for look in self.done]
        if self.found:
            hypothesis = hear(hypothesis, self.found.reading)
            looks.append(self.found.reading)
        hypothesis = with_size_type(hypothesis, looks)
        return reading_of(hypothesis, self.options.review_below, box)
