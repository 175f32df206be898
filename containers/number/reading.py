"""What the model wrote of a photo, and the reading that comes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from containers.number.iso6346 import is_valid, split_number
from containers.number.reasons import SEVERAL, Reason, in_words
from containers.number.size_type import SizeType


@dataclass(frozen=True)
class Transcript:
    """What the model wrote: the text, and each token's end in it and log-probability.

    `alternatives` are the valid numbers with which it could have begun instead, each with the
    model's probability of that, the likeliest first.
    """

    text: str
    ends: tuple[int, ...]
    log_probs: tuple[float, ...]
    alternatives: tuple[tuple[str, float], ...] = ()

    def probability(self, start: int, end: int) -> float:
        """Return the model's probability, 0 to 1, of the tokens that wrote text[start:end]."""
        starts = (0, *self.ends)
        tokens = zip(starts, self.ends, self.log_probs)
        return math.exp(sum(log_p for a, b, log_p in tokens if a < b and a < end and start < b))


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What one look at a photo, or several together, take for its number.

    `number` is as painted (`CSQU 305438 3`) or None; `confidence` is the model's own probability,
    0 to 1, of that number among all that it could have written; `reasons` say what speaks against
    it, and the property `reason` says so in words. `numbers` holds all that stand in the text,
    compact, best first; `alternatives` up to five valid numbers, as painted, each with its
    probability. `found` is the number that a finder beside the model has read, if any, with its
    probability. `size_type` is the size-type code that the model has written beside that number, if
    any, and `size_type_confidence` its probability of these characters.
    """

    number: str | None = None
    reasons: tuple[Reason, ...] = ()
    confidence: float = 0.0
    raw_text: str = ""
    numbers: tuple[str, ...] = ()
    alternatives: tuple[tuple[str, float], ...] = ()
    found: tuple[str, float] | None = None
    size_type: SizeType | None = None
    size_type_confidence: float = 0.0

    @property
    def reason(self) -> str:
        """Return why the number is doubtful, in words; empty: it is not."""
        return in_words(self.reasons)


@dataclass(frozen=True, slots=True)
class Reading(Hypothesis):
    """What was read from one photo: a hypothesis whose doubts have been weighed.

    `status` is ok, review, none or error. `box` is where the number stands: four corners, (x, y) in
    pixels of the upright photo, from its upper left as one reads, clockwise; empty: nowhere.
    """

    status: str = "none"
    box: tuple[tuple[int, int], ...] = ()

    @property
    def is_ok(self) -> bool:
        """Tell whether there is a number and no doubt."""
        return self.status == "ok"

    @property
    def is_settled(self) -> bool:
        """Tell whether a nearer look can change nothing: it is sure, or of several containers."""
        return self.is_ok or self.shows_several

    @property
    def shows_several(self) -> bool:
        """Tell whether the photo shows the numbers of several containers."""
        return any(reason.code == SEVERAL for reason in self.reasons)

    @property
    def is_valid(self) -> bool:
        """Tell whether the number is whole and its check digit fits."""
        return is_valid(self.number)

    @property
    def owner_code(self) -> str:
        """Return the four letters, or an empty string."""
        return split_number(self.number or "")[0]

    @property
    def serial_number(self) -> str:
        """Return the six digits, or an empty string."""
        return split_number(self.number or "")[1]

    @property
    def check_digit(self) -> str:
        """Return the last digit, or an empty string where it was not read."""
        return split_number(self.number or "")[2]

    @property
    def size_type_code(self) -> str:
        """Return the four characters of the size-type code, or an empty string."""
        return self.size_type.code if self.size_type else ""
