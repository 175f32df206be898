"""Which number a photo shows, and what makes it a `review`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from typing import TypeVar

from containers.number.iso6346 import Candidate, compact, find_candidates, format_number, is_valid
from containers.number.reading import Hypothesis, Reading, Transcript
from containers.number.reasons import SEVERAL, Reason
from containers.number.size_type import locate_size_type, size_type_of

REVIEW_BELOW = 0.4  # confidence: well above what leaving out sources would choose, demo/README.md
H = TypeVar("H", bound=Hypothesis)
UNLIKELY = 0.005  # probability, of what is written or of all: less makes a number no option
MOST_ALTERNATIVES = 5
KNOWN_OWNER_SHARE = 0.1  # of the likeliest number's probability: enough for one of a known owner
RIVAL_SHARE = 0.5  # of the number's probability: another one that has so much is a doubt


def hypothesis_of(transcript: Transcript, owner_codes: Collection[str] = ()) -> Hypothesis:
    """Return which number a look has written, and what its text says against it.

    A number in the text that checks is the number. Where none does, it is the likeliest valid
    number, if the model finds it likely at all, with the doubt that the text has something else.
    """
    found, numbers = find_candidates(transcript.text), dict(transcript.alternatives)
    written = transcript.probability(found[0].start, found[0].end) if found else 1.0
    likely = {number: p for number, p in numbers.items() if p >= UNLIKELY * written}
    number, reasons = choose_number(found, likely)
    if found and number == found[0].number:
        numbers[number] = max(numbers.get(number, 0.0), written)
    if number and owner_codes and number[:4] not in owner_codes:
        known = prefer_known(number, numbers, owner_codes)
        owner = Reason("owner", (number[:4],))
        if known != number:
            owner = Reason("owner for another", (number[:4], known[:4]))
        number, reasons = known, (*reasons, owner)
    span = locate_size_type(transcript.text, found)
    return Hypothesis(
        number=format_number(number) or None,
        reasons=reasons,
        confidence=numbers.get(number, 0.0),
        raw_text=transcript.text.strip(),
        numbers=tuple(c.number for c in found),
        alternatives=tuple((format_number(n), p) for n, p in transcript.alternatives),
        size_type=size_type_of(transcript.text[slice(*span)]) if span else None,
        size_type_confidence=transcript.probability(*span) if span else 0.0,
    )


def reading_of(
    hypothesis: Hypothesis, review_below: float, box: tuple[tuple[int, int], ...] = ()
) -> Reading:
    """Return what is read: rivals and a confidence below `review_below`, 0 to 1, are doubts too."""
    reasons, least = hypothesis.reasons, RIVAL_SHARE * hypothesis.confidence
    rivals = [n for n, p in hypothesis.alternatives if n != hypothesis.number and p > least]
    if hypothesis.number and not reasons and rivals:
        reasons = (Reason("rivals", (", ".join(rivals),)),)
    if hypothesis.number and not reasons:
        reasons = doubt_confidence(hypothesis.confidence, review_below)
    status = ("review" if reasons else "ok") if hypothesis.number else "none"
    known = {field.name: getattr(hypothesis, field.name) for field in fields(Hypothesis)}
    return Reading(**known | {"reasons": reasons}, status=status, box=box)


def merge(
    places: Sequence[Sequence[Hypothesis]], owner_codes: Collection[str] = ()
) -> tuple[int, Hypothesis]:
    """Return which look at a photo leads, and one hypothesis of all looks together.

    The looks stand place by place. A number's probability is its mean over the looks at a place:
    looks at one photo err alike, so that two which agree say little more than one. The place
    counts that is surest of it. The likeliest is the number, if any look chose one; an UNLIKELY
    one must be valid and stand in a text. What speaks against it is what the look says that is
    surest of it.
    """
    single = [hypothesis for looks in places for hypothesis in looks]
    chances: dict[str, float] = {}
    for looks in places:
        for n, p in mean_chances(looks).items():
            chances[n] = max(p, chances.get(n, 0.0))
    valid = sorted(filter(is_valid, chances), key=chances.__getitem__, reverse=True)
    chosen = [one.number for one in single if one.number]
    number = max(chosen + valid, key=chances.__getitem__) if chosen else None
    if number and owner_codes:
        number = prefer_known(number, chances, owner_codes)
    written = {n for one in single for n in one.numbers if is_valid(n)}
    if number and chances[number] < UNLIKELY and compact(number) not in written:
        number = None
    own = [
        (h.number == number, not h.reasons, chances_of(h).get(number or "", 0.0)) for h in single
    ]
    lead = own.index(max(own))
    reasons = single[lead].reasons if number else ()
    if number and number != single[lead].number:
        reasons = (instead_of(single[lead].number),)
    return lead, replace(
        single[lead],
        number=number,
        reasons=reasons,
        confidence=chances[number] if number else 0.0,
        alternatives=tuple((n, chances[n]) for n in valid[:MOST_ALTERNATIVES]),
    )


def with_size_type(hypothesis: H, looks: Sequence[Hypothesis]) -> H:
    """Return a hypothesis with the likeliest size-type code that looks at its number have written.

    One look in which the code stands is enough: nearer ones may cut it off.
    """
    own = [look for look in looks if look.number and look.number == hypothesis.number]
    best = max(own, key=lambda look: look.size_type_confidence, default=Hypothesis())
    return replace(
        hypothesis, size_type=best.size_type, size_type_confidence=best.size_type_confidence
    )


def hear(hypothesis: Hypothesis, found: Reading) -> Hypothesis:
    """Return a hypothesis that has heard what a finder has read of the photo.

    That never becomes the number. Where the finder is sure of another number it is a doubt; of the
    same one both may be as sure as the surer of them, since what hides it hides it from both.
    """
    if not found.number:
        return hypothesis
    heard = replace(hypothesis, found=(found.number, found.confidence))
    if found.shows_several:
        return replace(heard, reasons=found.reasons if heard.number else heard.reasons)
    if found.number == heard.number:
        return replace(heard, confidence=max(heard.confidence, found.confidence))
    if found.is_ok and not heard.reasons:
        return replace(heard, reasons=(Reason("finder", (found.number,)),))
    return heard


def mean_chances(looks: Sequence[Hypothesis]) -> dict[str, float]:
    """Return the numbers that looks at one place may have seen, each with its mean probability."""
    chances: dict[str, float] = {}
    for look in looks:
        for number, p in chances_of(look).items():
            chances[number] = chances.get(number, 0.0) + p / len(looks)
    return chances


def prefer_known(number: str, chances: dict[str, float], owner_codes: Collection[str]) -> str:
    """Return the number, or a valid one that is likely enough and has an owner where it has none.

    `chances` are the probabilities of numbers, compact or as painted.
    """
    if number[:4] in owner_codes:
        return number
    least = KNOWN_OWNER_SHARE * chances[number]
    known = [n for n, p in chances.items() if n[:4] in owner_codes and is_valid(n) and p >= least]
    return max(known, key=chances.__getitem__, default=number)


def chances_of(look: Hypothesis) -> dict[str, float]:
    """Return the numbers that one look may have seen, as painted, each with its probability."""
    chances = dict(look.alternatives)
    if look.number:
        chances[look.number] = max(look.confidence, chances.get(look.number, 0.0))
    return chances


def choose_number(
    found: Sequence[Candidate], likely: dict[str, float]
) -> tuple[str, tuple[Reason, ...]]:
    """Return the number to report, or an empty string, and why it is doubtful, if it is.

    `found` stands in the free text, best first; `likely` are valid numbers with probabilities.
    """
    number, reasons = found[0].number if found else "", doubts(found)
    if likely and not is_valid(number):
        reasons = (instead_of(format_number(number)),)
        number = max(likely, key=likely.__getitem__)
    return number, reasons


def instead_of(written: str | None) -> Reason:
    """Return the doubt that the text has another number, or none."""
    return Reason("text", (written,)) if written else Reason("no text")


def doubts(found: Sequence[Candidate]) -> tuple[Reason, ...]:
    """Return why the best of the candidates is doubtful; none: it is not."""
    if not found:
        return ()
    best = found[0]
    if len(best.number) < 11:
        return (Reason("check digit missing"),)
    if not is_valid(best.number):
        return (Reason("check digit wrong"),)
    if best.gap:
        return (Reason("apart"),)
    boxes: dict[str, str] = {}
    for candidate in found:
        boxes.setdefault(candidate.number[:10], format_number(candidate.number))
    return (Reason(SEVERAL, (", ".join(boxes.values()),)),) if len(boxes) > 1 else ()


def doubt_confidence(confidence: float, review_below: float) -> tuple[Reason, ...]:
    """Return why a number of this confidence is doubtful; none: it is not."""
    return (Reason("unsure", (f"{review_below:g}",)),) if confidence < review_below else ()
