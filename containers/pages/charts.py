"""Charts as rectangles, dots and texts: bars in groups, and what a confidence is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from containers.number.scores import by_confidence
from containers.pages.report_words import Words, plain, words

COLOURS = ("#9db0c3", "#0b5cad")  # of the first run and the second; one run takes the second
BAR, GAP, NAMES, LENGTH = 15, 10, 195, 230  # pixels
COUNT, MARGIN = 58, 130  # pixels behind the longest bar: where its count stands, and the edge
SIDE, LEFT, TOP = 260, 46, 12  # of the reliability plot, pixels


@dataclass(frozen=True)
class Bar:
    """A rectangle, in pixels."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True)
class Dot:
    """A circle, in pixels, and what it says when it is pointed at."""

    x: float
    y: float
    r: float
    colour: str
    title: str


@dataclass(frozen=True)
class Text:
    """Words at a place, in pixels; `is_value`: a figure, of less weight than a name."""

    x: float
    y: float
    words: Words
    anchor: str = "start"
    is_value: bool = False
    is_turned: bool = False


@dataclass(frozen=True)
class Frame:
    """The square of a plot and its diagonal, in pixels."""

    left: float
    top: float
    side: float


@dataclass(frozen=True)
class Drawing:
    """A chart of so many pixels."""

    width: float
    height: float
    texts: tuple[Text, ...]
    bars: tuple[Bar, ...] = ()
    dots: tuple[Dot, ...] = ()
    frame: Frame | None = None


def colours(runs: int) -> Sequence[str]:
    """Return the colour of each run."""
    return COLOURS[-runs:]


def bars(groups: Sequence[tuple[Words, Sequence[float], Words]]) -> Drawing:
    """Return horizontal bars: groups of (name, the share of each run from 0 to 1, what of)."""
    drawn, texts, y = [], [], 0
    for name, shares, count in groups:
        middle = y + len(shares) * BAR / 2 + 4
        texts.append(Text(NAMES - 8, middle, name, "end"))
        for share, colour in zip(shares, colours(len(shares))):
            length = round(share * LENGTH, 1)
            drawn.append(Bar(NAMES, y, length, BAR - 2, colour))
            value = plain(f"{100 * share:.1f} %")
            texts.append(Text(NAMES + length + 5, y + BAR - 4, value, is_value=True))
            y += BAR
        texts.append(Text(NAMES + LENGTH + COUNT, middle, count, is_value=True))
        y += GAP
    size = NAMES + LENGTH + MARGIN, max(1, y - GAP)
    return Drawing(*size, tuple(texts), bars=tuple(drawn))


def reliability(runs: Sequence[Sequence[tuple[float, bool]]]) -> Drawing:
    """Return a plot of the share that is right over the confidence, in tenths of it.

    Each run is its (confidence, right) pairs. A dot's area is how many numbers it stands for; dots
    on the diagonal are worth what they say.
    """
    bottom, texts, dots = TOP + SIDE, [], []
    for share in (0, 0.5, 1):
        x, y = LEFT + share * SIDE, bottom - share * SIDE + 4
        texts.append(Text(x, bottom + 16, plain(f"{share:g}"), "middle"))
        texts.append(Text(LEFT - 6, y, plain(f"{share:g}"), "end"))
    most = max((len(pairs) for pairs in runs), default=1)
    for pairs, colour in zip(runs, colours(len(runs))):
        for low, high, inside in by_confidence(pairs):
            if inside:
                count, good = len(inside), sum(good for _, good in inside)
                mean = sum(confidence for confidence, _ in inside) / count
                x, y = LEFT + mean * SIDE, bottom - good / count * SIDE
                title = f"{good} of {count} right, confidence {low:g} to {high:g}"
                radius = 3 + 17 * (count / most) ** 0.5
                dots.append(Dot(round(x, 1), round(y, 1), round(radius, 1), colour, title))
    texts.append(Text(LEFT + SIDE / 2, bottom + 34, words("x"), "middle"))
    texts.append(Text(12, TOP + SIDE / 2, words("y"), "middle", is_turned=True))
    size, frame = (LEFT + SIDE + 24, bottom + 40), Frame(LEFT, TOP, SIDE)
    return Drawing(*size, tuple(texts), dots=tuple(dots), frame=frame)
