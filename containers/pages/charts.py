"""Charts for a page: bars in groups, and how often a stated confidence is right, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from string import Template

from containers.number.scores import by_confidence

COLOURS = ("#9db0c3", "#0b5cad")  # of the first run and the second; one run takes the second
BAR, GAP, NAMES, LENGTH = 15, 10, 195, 230  # pixels
SIDE, LEFT, TOP = 260, 46, 12  # of the reliability plot, pixels

CHART = Template(
    '<svg viewBox="0 0 $width $height" width="$width" height="$height" role="img"'
    ' aria-label="$title">$body</svg>'
)
NAME = Template('<text x="$x" y="$y" text-anchor="end">$name</text>')
RECTANGLE = Template('<rect x="$x" y="$y" width="$width" height="$height" fill="$colour"/>')
VALUE = Template('<text x="$x" y="$y" class="value">$value</text>')
FRAME = Template(
    '<rect x="$left" y="$top" width="$side" height="$side" class="frame"/>'
    '<line x1="$left" y1="$bottom" x2="$right" y2="$top" class="ideal"/>'
)
TICK = Template(
    '<text x="$x" y="$below" text-anchor="middle">$share</text>'
    '<text x="$left" y="$y" text-anchor="end">$share</text>'
)
DOT = Template(
    '<circle cx="$x" cy="$y" r="$r" fill="$colour" fill-opacity="0.75">'
    "<title>$title</title></circle>"
)
AXES = Template(
    '<text x="$middle" y="$below" text-anchor="middle">confidence</text>'
    '<text transform="translate(12 $centre) rotate(-90)" text-anchor="middle">right</text>'
)


def colours(runs: int) -> Sequence[str]:
    """Return the colour of each run."""
    return COLOURS[-runs:]


def bars(title: str, groups: Sequence[tuple[str, Sequence[float], str]]) -> str:
    """Return horizontal bars: groups of (name, the share of each run from 0 to 1, what of)."""
    body, y = [], 0
    for name, shares, count in groups:
        middle = y + len(shares) * BAR / 2 + 4
        body.append(NAME.substitute(x=NAMES - 8, y=middle, name=escape(name)))
        for share, colour in zip(shares, colours(len(shares))):
            body.append(
                RECTANGLE.substitute(
                    x=NAMES, y=y, width=f"{share * LENGTH:.1f}", height=BAR - 2, colour=colour
                )
            )
            value = f"{100 * share:.1f} %"
            x = NAMES + share * LENGTH + 5
            body.append(VALUE.substitute(x=f"{x:.1f}", y=y + BAR - 4, value=value))
            y += BAR
        body.append(VALUE.substitute(x=NAMES + LENGTH + 58, y=middle, value=escape(count)))
        y += GAP
    size = {"width": NAMES + LENGTH + 130, "height": max(1, y - GAP)}
    return CHART.substitute(size, title=escape(title), body="".join(body))


def reliability(title: str, runs: Sequence[Sequence[tuple[float, bool]]]) -> str:
    """Return a plot of the share that is right over the confidence, in tenths of it.

    Each run is its (confidence, right) pairs. A dot's area is how many numbers it stands for; dots
    on the diagonal are worth what they say.
    """
    bottom, right = TOP + SIDE, LEFT + SIDE
    body = [FRAME.substitute(left=LEFT, top=TOP, side=SIDE, bottom=bottom, right=right)]
    for share in (0, 0.5, 1):
        x, y = LEFT + share * SIDE, bottom - share * SIDE + 4
        tick = {"x": x, "y": y, "below": bottom + 16, "left": LEFT - 6, "share": f"{share:g}"}
        body.append(TICK.substitute(tick))
    most = max((len(pairs) for pairs in runs), default=1)
    for pairs, colour in zip(runs, colours(len(runs))):
        for low, high, inside in by_confidence(pairs):
            if inside:
                mean = sum(c for c, _ in inside) / len(inside)
                good = sum(good for _, good in inside)
                dot = {
                    "x": f"{LEFT + mean * SIDE:.1f}",
                    "y": f"{bottom - good / len(inside) * SIDE:.1f}",
                    "r": f"{3 + 17 * (len(inside) / most) ** 0.5:.1f}",
                    "title": f"{good} of {len(inside)} right, confidence {low:g} to {high:g}",
                }
                body.append(DOT.substitute(dot, colour=colour))
    middle, centre = LEFT + SIDE / 2, TOP + SIDE / 2
    body.append(AXES.substitute(middle=middle, centre=centre, below=bottom + 34))
    size = {"width": right + 24, "height": bottom + 40}
    return CHART.substitute(size, title=escape(title), body="".join(body))
