"""Measure how well numbers are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from containers.number.iso6346 import compact, is_valid, split_number

TENTHS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of confidence


def by_confidence(
    pairs: Sequence[tuple[float, bool]],
) -> Iterator[tuple[float, float, list[tuple[float, bool]]]]:
    """Yield each tenth of confidence, low and high, with its (confidence, right) pairs.

    A tenth holds its high end; the first one 0 as well, as which a small confidence is written.
    """
    for low, high in pairwise(TENTHS):
        yield low, high, [(c, right) for c, right in pairs if low < c <= high or c == low == 0]


def edit_distance(a: str, b: str) -> int:
    """Return the Levenshtein distance: insertions, deletions and substitutions from `a` to `b`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def score(pairs: Sequence[tuple[str | None, str]]) -> dict[str, float]:
    """Return the rates of (number read or None, true number) pairs; spaces and case do not count.

    `character_error_rate` is edit distance over true characters (0 is perfect, it may pass 1);
    the others are shares of the pairs: whole number right, each part right, check digit fits.
    """
    codes = [(compact(read or ""), compact(truth)) for read, truth in pairs]
    parts = [(split_number(read), split_number(truth)) for read, truth in codes]
    count = max(1, len(codes))
    edits = sum(edit_distance(read, truth) for read, truth in codes)
    rates = {
        "exact_match": sum(read == truth for read, truth in codes) / count,
        "character_error_rate": edits / max(1, sum(len(truth) for _, truth in codes)),
    }
    for i, name in enumerate(("owner_code", "serial_number", "check_digit")):
        rates[name] = sum(read[i] == truth[i] for read, truth in parts) / count
    return rates | {"check_digit_rate": sum(is_valid(read) for read, _ in codes) / count}
