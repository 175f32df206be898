"""One page to look at: the photos to see, the worst first, and then how much is right."""

from __future__ import annotations

import base64
import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from containers.basis.errors import FlagError
from containers.basis.escapes import visible
from containers.basis.files import replacing
from containers.basis.pace import Pace
from containers.basis.talk import counted
from containers.data.comparison import Case, measures, table
from containers.data.result import statuses_in
from containers.data.runs import Run
from containers.number.reasons import LANGUAGES
from containers.pages.charts import COLOURS, Drawing, bars, reliability
from containers.pages.photo_cards import Card, Name, box_of, card_of, names_of
from containers.pages.report_words import Words, attributes, plain, words
from containers.photo.thumbnails import thumbnails

PAGE, SCRIPT = (Path(__file__).with_name(f"report.{kind}") for kind in ("html", "js"))
FIRST_LINE = b"<!DOCTYPE html><!-- made by batch_process.py"
PAGES = (".html", ".htm")
PARTS = ("exact_match", "owner_code", "serial_number", "check_digit")
MOST_SHOWN = 5000  # photos of a page: it takes 30 MB, and opens within three seconds
ORDERS = ("worst", "name", "number", "confidence")  # as report.js knows them
FIXED = (  # words that stand in the page's own text
    *("nothing", "find", "any reason", "copy", "copied", "no photo", "not shown", "statistics"),
    "open",
)

Kind = tuple[str, str, Callable[[Case], bool]]
# What a page shows, the worst first: words of title and note, and which photos; each stands under
# its first. A comparison counts as better and worse what the terminal does.
CHANGES: Sequence[Kind] = (
    ("worse", "worse note", lambda case: case.is_worse),
    ("wrong ok", "still wrong ok note", lambda case: case.is_wrong and case.reading.is_ok),
    ("wrong", "wrong note", lambda case: case.is_wrong and not case.is_better),
    ("other", "other note", lambda case: case.is_changed and not case.label),
    ("better", "better note", lambda case: case.is_better),
)
REVIEWS: Sequence[Kind] = (
    ("wrong ok", "wrong ok note", lambda case: case.is_wrong and case.reading.is_ok),
    (
        "wrong checked",
        "wrong checked note",
        lambda case: case.is_wrong and case.results[-1].is_checked,
    ),
    ("error", "error note", lambda case: case.reading.status == "error"),
    ("none", "none note", lambda case: case.reading.status == "none"),
    ("doubtful", "doubtful note", lambda case: case.reading.status == "review"),
)


@dataclass(frozen=True)
class Section:
    """The photos of one kind: how many there are, and those that the page shows.

    `shown` says how many these are, where they are not all.
    """

    anchor: str
    title: Words
    note: Words
    count: int
    shown: Words | None
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Made:
    """What made a run, and how its photos came out."""

    name: Name
    file: str
    made_by: str


@dataclass(frozen=True)
class Chart:
    """A figure: a drawing, or a table's lines."""

    title: Words
    note: Words
    drawing: Drawing | None = None
    table: tuple[tuple[str, ...], ...] = ()


def require_page(path: Path) -> None:
    """Raise `FlagError` for a report that no browser would open by its name."""
    if path.suffix.lower() not in PAGES:
        page = path.with_suffix(PAGES[0])
        raise FlagError(f"§report {path}: is a page for a browser: type §report {page}")


def is_report(data: bytes) -> bool:
    """Tell whether a file begins as the pages do that are written here."""
    return data.startswith(FIRST_LINE)


def write_report(
    path: Path, runs: Sequence[Run], cases: Sequence[Case], most: int = MOST_SHOWN
) -> tuple[int, int]:
    """Write the page about one run or two, whole or not at all.

    Return how many photos it shows, the worst `most` at most, and how many there are to look at.
    `cases` are the photos that stand in all runs; what is painted may be known of some.
    """
    kinds = CHANGES if len(runs) > 1 else REVIEWS
    found: dict[str, list[Case]] = {title: [] for title, _, _ in kinds}
    for case in cases:
        kind = next((title for title, _, belongs in kinds if belongs(case)), None)
        if kind:
            found[kind].append(case)
    rooms = shares([len(group) for group in found.values()], most)
    chosen = {
        title: heapq.nsmallest(room, group, key=how_bad)
        for (title, group), room in zip(found.items(), rooms)
    }
    shown = [case for group in chosen.values() for case in group]
    count = sum(map(len, found.values()))
    addresses = thumbnails([(case.image, box_of(case)) for case in shown])
    with Pace(addresses, title="pictures", total=len(shown)) as pictures:
        cards = iter([card_of(case, runs, p, path) for case, p in zip(shown, pictures)])
    sections = [
        section(f"kind{i}", title, note, len(found[title]), own)
        for i, (title, note, _) in enumerate(kinds)
        if (own := (*islice(cards, len(chosen[title])),))
    ]
    head = words("changed" if len(runs) > 1 else "review")
    page = render(head, runs, cases, sections, reasons(shown))
    with replacing(path) as file:
        file.write(page)
    return len(shown), count


def shares(counts: Sequence[int], most: int) -> list[int]:
    """Return how many of each count are taken, `most` in all: each as many, or all that it has."""
    taken, left = [0] * len(counts), most
    smallest_first = sorted(range(len(counts)), key=counts.__getitem__)
    for done, i in enumerate(smallest_first):
        taken[i] = min(counts[i], left // (len(counts) - done))
        left -= taken[i]
    return taken


def section(anchor: str, title: str, note: str, count: int, cards: tuple[Card, ...]) -> Section:
    """Return the photos of one kind, of so many that there are."""
    shown = words("shown", f"{len(cards):,}") if len(cards) < count else None
    return Section(anchor, words(title), words(note), count, shown, cards)


def render(
    title: Words,
    runs: Sequence[Run],
    cases: Sequence[Case],
    sections: Sequence[Section],
    why: Sequence[tuple[str, Words, int]],
) -> str:
    """Return the page's HTML; what stands in it is escaped."""
    import jinja2
    from markupsafe import Markup

    script = SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = jinja2.Environment(autoescape=True).from_string(PAGE.read_text(encoding="utf-8"))
    fixed = {key.replace(" ", "_"): words(key) for key in FIXED}
    fixed["open_photo"] = fixed.pop("open")
    count, shown = (sum(s.count for s in sections), sum(len(s.cards) for s in sections))
    return template.render(
        fixed,
        title=title,
        part=words("part", f"{shown:,}", f"{count:,}") if shown < count else None,
        colours=COLOURS,
        attributes=attributes,
        script=Markup(script),
        script_digest=f"sha256-{digest}",
        names=names_of(runs),
        runs=[*made(runs, cases)],
        sections=sections,
        charts=[*charts(runs, cases)],
        reasons=[
            (code, {tongue: f"{text} ({count:,})" for tongue, text in said.items()}, count)
            for code, said, count in why
        ],
        orders=[
            (order, words(f"{order} first" if order == "worst" else f"by {order}"))
            for order in ORDERS
        ],
    )


def how_bad(case: Case) -> tuple:
    """Return by what the photos of one kind are sorted, the worst first."""
    wrong = case.errors or (0,)
    return wrong[0] - wrong[-1], -wrong[-1], case.reading.confidence, case.image


def made(runs: Sequence[Run], cases: Sequence[Case]) -> Iterator[Made]:
    """Yield how the photos of each run came out, and what made it."""
    for i, (run, name) in enumerate(zip(runs, names_of(runs))):
        counts = Counter(case.readings[i].status for case in cases)
        found = ", ".join(f"{counts[status]:,} {status}" for status in statuses_in(counts))
        made_by = f"{counted(len(cases), 'photo')}: {found}. {run.made_by.removeprefix('# ')}"
        yield Made(name, visible(run.name), visible(made_by))


def charts(runs: Sequence[Run], cases: Sequence[Case]) -> Iterator[Chart]:
    """Yield the table and the charts over the labelled photos, and the reasons of one run."""
    known = [case for case in cases if case.label]
    if known:
        over = words("labelled", f"{len(known):,}")
        lines = tuple(tuple(map(visible, line)) for line in table(known))
        yield Chart(words("measures"), over, table=lines)
        scores = measures(known)
        groups = [(words(part), [s[part] for s in scores], plain("")) for part in PARTS]
        yield Chart(words("parts"), over, bars(groups))
        if layouts := sorted({case.layout for case in known} - {""}):
            groups = [by_layout(layout, known) for layout in layouts]
            yield Chart(words("layouts"), words("layouts note"), bars(groups))
        pairs = [
            [
                (case.readings[i].confidence, not case.errors[i])
                for case in known
                if case.readings[i].number  # without one there is nothing to be sure of
                if not case.results[i].is_checked
            ]
            for i in range(len(runs))
        ]
        yield Chart(words("confidence"), words("confidence note"), reliability(pairs))
    if len(runs) == 1 and (why := reasons(cases)):
        groups = [(said, [count / len(cases)], plain(f"{count:,}")) for _, said, count in why]
        yield Chart(words("reasons"), words("reasons note"), bars(groups))


def by_layout(layout: str, known: Sequence[Case]) -> tuple[Words, list[float], Words]:
    """Return the share of numbers in a layout that are right, for each run."""
    inside = [case for case in known if case.layout == layout]
    runs = zip(*(case.errors for case in inside))
    shares = [sum(not wrong for wrong in errors) / len(inside) for errors in runs]
    return plain(visible(layout)), shares, plain(f"of {len(inside):,}")


def reasons(cases: Sequence[Case]) -> list[tuple[str, Words, int]]:
    """Return why photos are for review, by frequency: (code, words, count)."""
    found = [r for case in cases if case.reading.status == "review" for r in case.reading.reasons]
    kinds = {reason.code: reason for reason in found}
    return [
        (code, {tongue: kinds[code].kind(tongue) for tongue in LANGUAGES}, count)
        for code, count in Counter(reason.code for reason in found).most_common()
    ]
