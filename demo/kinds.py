"""Kinds of photos that gates and yards send now and then: what sets each apart, and how often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Kind:
    """What sets a kind of photo apart; what is not set is drawn as for any other."""

    layouts: tuple[str, ...] = ()  # of the number, one of them
    on: str = ""  # the face that it stands on: door, roof
    lift: tuple[float, float] | None = None  # degrees above level from which the camera looks
    roll: float = 0.0  # degrees that the camera is turned: at -90 rows run down the photo


PLAIN = Kind()
KINDS = {
    "plain": PLAIN,
    "split": Kind(("split",), on="door"),  # the serial on both sides of a locking bar
    "stack": Kind(("three-line", "four-line")),
    "lying": Kind(("horizontal", "horizontal", "two-line"), roll=-90.0),
    "roof": Kind(("horizontal", "horizontal", "two-line"), on="roof", lift=(35.0, 82.0)),
    "lane": Kind(lift=(35.0, 68.0)),  # a camera high over a gate's lane
}
SHARES = (0.62, 0.08, 0.05, 0.1, 0.07, 0.08)  # of the yards that training shows, in that order


def draw_kind(rng: np.random.Generator) -> Kind:
    """Return a kind, each as often as training shows it."""
    return list(KINDS.values())[rng.choice(len(KINDS), p=SHARES)]
