"""Which number a photo shows, and what makes it a `review`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from containers.iso6346 import Candidate, find_candidates, format_number, is_valid
from containers.reading import SEVERAL, Reading, Transcript

REVIEW_BELOW = 0.5  # confidence; the calibration behind it is in demo/README.md
UNLIKELY = 0.005  # of the probability of what is written: less makes a valid number no option
CLOSE = 0.5  # a rival that is so likely, as a share of the number's probability, is a doubt


def interpret(
    transcript: Transcript,
    review_below: float = REVIEW_BELOW,
    owner_codes: Collection[str] = (),
) -> Reading:
    """Return the reading of what the model wrote; doubts make it a `review`.

    A number in the text that checks is the number. Where none does, it is the likeliest valid
    number, if the model finds it likely at all: as a `review` that says what the text has instead.
    """
    found, numbers = find_candidates(transcript.text), dict(transcript.alternatives)
    written = transcript.probability(found[0].start, found[0].end) if found else 1.0
    likely = {number: p for number, p in numbers.items() if p >= UNLIKELY * written}
    number, reason = choose_number(found, likely, owner_codes)
    confidence = numbers.get(number, 0.0)
    if found and number == found[0].number:
        confidence = max(confidence, written)
    rivals = [n for n, p in numbers.items() if n != number and p > CLOSE * confidence]
    if number and not reason and rivals:
        reason = f"nearly as likely: {', '.join(map(format_number, rivals))}"
    if number and not reason:
        reason = doubt_confidence(confidence, review_below)
    return Reading(
        number=format_number(number) or None,
        status=("review" if reason else "ok") if number else "none",
        reason=reason,
        confidence=confidence,
        raw_text=transcript.text.strip(),
        numbers=tuple(c.number for c in found),
        alternatives=tuple((format_number(n), p) for n, p in numbers.items()),
    )


def choose_number(
    found: Sequence[Candidate], likely: dict[str, float], owner_codes: Collection[str]
) -> tuple[str, str]:
    """Return the number to report, or an empty string, and why it is doubtful, if it is.

    `found` stands in the free text, best first; `likely` are valid numbers with probabilities. An
    owner code that is not among `owner_codes`, where there are any, gives way to one that is.
    """
    number, reason = found[0].number if found else "", doubt(found)
    if likely and not is_valid(number):
        reason = f"the text has {format_number(number) or 'no number'}"
        number = max(likely, key=likely.get)
    if number and owner_codes and number[:4] not in owner_codes:
        reason += f"{'; ' if reason else ''}owner code {number[:4]} is not in the list"
        known = {n: p for n, p in likely.items() if n[:4] in owner_codes}
        if known:
            number = max(known, key=known.get)
            reason += f", {number[:4]} is"
    return number, reason


def doubt(found: Sequence[Candidate]) -> str:
    """Return why the best of the candidates is doubtful; empty: it is not."""
    if not found:
        return ""
    best = found[0]
    if len(best.number) < 11:
        return "check digit not read"
    if not is_valid(best.number):
        return "check digit does not fit"
    if best.gap:
        return "its parts stand apart or out of order"
    boxes: dict[str, str] = {}
    for candidate in found:
        boxes.setdefault(candidate.number[:10], format_number(candidate.number))
    return f"{SEVERAL}: {', '.join(boxes.values())}" if len(boxes) > 1 else ""


def doubt_confidence(confidence: float, review_below: float) -> str:
    """Return why a number of this confidence is doubtful; empty: it is not."""
    return f"confidence below {review_below:g}" if confidence < review_below else ""
