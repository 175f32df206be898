"""One page to look at: what is right, what changed, and every photo to see, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from string import Template

from containers.basis.errors import FlagError
from containers.basis.escapes import visible
from containers.basis.files import replacing
from containers.basis.pace import Pace
from containers.basis.talk import counted
from containers.data.comparison import Case, Run, measures, table
from containers.data.result import STATUSES
from containers.number.reading import Reading
from containers.pages.charts import COLOURS, bars, reliability
from containers.pages.photo_cards import box_of, card, names_of, text
from containers.photo.thumbnails import thumbnails

PAGE = Path(__file__).with_name("report.html")
FIRST_LINE = b"<!DOCTYPE html><!-- made by batch_process.py"
PAGES = (".html", ".htm")
PARTS = ("exact_match", "owner_code", "serial_number", "check_digit")

MADE = Template('<p class="made">$name: <b>$file</b> $made_by</p>')
JUMP = Template('<a href="#$anchor">$title <b>$count</b></a>')
FIGURE = Template("<figure><figcaption>$title<small>$note</small></figcaption>$body</figure>")
SECTION = Template(
    '<section id="$anchor"><h2>$title: $count <small>$note</small></h2>'
    '<div class="cards">$cards</div></section>'
)

Kind = tuple[str, str, Callable[[Case], bool]]
# What a page shows, the worst first: title, note, and which photos; each stands under its first.
# A comparison counts as better and worse what the terminal does.
CHANGES: Sequence[Kind] = (
    ("Worse than before", "right became wrong or none, or none wrong", lambda c: c.is_worse),
    (
        "Passed as ok, and wrong",
        "as before, or another number; nobody would look at these again",
        lambda case: case.is_wrong and case.reading.status == "ok",
    ),
    (
        "Wrong",
        "as before, or another number",
        lambda case: case.is_wrong and not case.is_better,
    ),
    (
        "Changed, without a label",
        "nobody knows which is right",
        lambda case: case.is_changed and not case.label,
    ),
    ("Better", "wrong or none became right, or wrong none", lambda case: case.is_better),
)
REVIEWS: Sequence[Kind] = (
    (
        "Passed as ok, and wrong",
        "nobody would look at these again",
        lambda case: case.is_wrong and case.reading.status == "ok",
    ),
    ("Cannot be opened", "take or copy the photo again", lambda c: c.reading.status == "error"),
    ("No number", "read it from the photo", lambda case: case.reading.status == "none"),
    (
        "To review",
        "compare with the photo; the least sure first",
        lambda case: case.reading.status == "review",
    ),
)


def require_page(path: Path) -> None:
    """Raise `FlagError` for a report that no browser would open by its name."""
    if path.suffix.lower() not in PAGES:
        page = path.with_suffix(PAGES[0])
        raise FlagError(f"--report {path}: is a page for a browser: type --report {page}")


def is_report(data: bytes) -> bool:
    """Tell whether a file begins as the pages do that are written here."""
    return data.startswith(FIRST_LINE)


def write_report(path: Path, runs: Sequence[Run], cases: Sequence[Case]) -> int:
    """Write the page about one run or two, whole or not at all; return how many photos it shows.

    `cases` are the photos that stand in all runs; what is painted may be known of some.
    """
    kinds = CHANGES if len(runs) > 1 else REVIEWS
    chosen: dict[str, list[Case]] = {title: [] for title, _, _ in kinds}
    for case in sorted(cases, key=how_bad):
        title = next((title for title, _, belongs in kinds if belongs(case)), None)
        if title:
            chosen[title].append(case)
    shown = [case for group in chosen.values() for case in group]
    addresses = thumbnails([(case.image, box_of(case)) for case in shown])
    with Pace(addresses, title="pictures", total=len(shown)) as pictures:
        cards = [card(case, runs, picture, path) for case, picture in zip(shown, pictures)]
    sections, contents, waiting = [], [], iter(cards)
    for place, (title, note, _) in enumerate(kinds):
        if chosen[title]:
            count, anchor = len(chosen[title]), f"kind{place}"
            own = "\n".join(islice(waiting, count))
            named = {"title": title, "count": f"{count:,}", "anchor": anchor, "note": note}
            sections.append(SECTION.substitute(named, cards=own))
            contents.append(JUMP.substitute(named))
    page = Template(PAGE.read_text(encoding="utf-8")).substitute(
        title="What changed" if len(runs) > 1 else "What to review",
        before=COLOURS[0],
        after=COLOURS[1],
        made="\n".join(made(runs, cases)),
        contents="".join(contents),
        figures=f'<div class="figures">{"".join(figures(runs, cases))}</div>',
        sections="\n".join(sections) or "<p>There is nothing to look at.</p>",
    )
    with replacing(path) as file:
        file.write(page)
    return len(shown)


def how_bad(case: Case) -> tuple:
    """Return by what the photos of one kind are sorted, the worst first."""
    wrong = case.errors or (0,)
    return wrong[0] - wrong[-1], -wrong[-1], case.reading.confidence, case.image


# ---- the top of the page -----------------------------------------------------------------------


def made(runs: Sequence[Run], cases: Sequence[Case]) -> Iterator[str]:
    """Yield how the photos of each run came out, and what made it."""
    for place, (run, name) in enumerate(zip(runs, names_of(runs))):
        counts = Counter(case.readings[place].status for case in cases)
        found = ", ".join(f"{counts[status]:,} {status}" for status in STATUSES)
        made_by = f"{counted(len(cases), 'photo')}: {found}. {run.made_by.removeprefix('# ')}"
        yield MADE.substitute(name=name, file=text(run.name), made_by=text(made_by))


def figures(runs: Sequence[Run], cases: Sequence[Case]) -> Iterator[str]:
    """Yield the table and the charts over the labelled photos, and the reasons of one run."""
    known = [case for case in cases if case.label]
    if known:
        count = f"over {counted(len(known), 'labelled photo')}"
        yield FIGURE.substitute(title="Measures", note=count, body=measure_table(runs, known))
        scores = measures(known)
        groups = [(PARTS_NAMES[key], [s[key] for s in scores], "") for key in PARTS]
        body = bars("share of photos on which each part is right", groups)
        yield FIGURE.substitute(title="Right, by part", note=count, body=body)
        if layouts := sorted({case.layout for case in known} - {""}):
            yield layout_chart(known, layouts)
        pairs = [
            [
                (case.readings[place].confidence, not case.errors[place])
                for case in known
                if case.readings[place].number  # without one there is nothing to be sure of
            ]
            for place in range(len(runs))
        ]
        body = reliability("share that is right, by confidence", pairs)
        note = "above the line: surer than it says; a dot's area is how many numbers"
        yield FIGURE.substitute(title="Is the confidence right?", note=note, body=body)
    if len(runs) == 1 and (why := reasons([case.reading for case in cases])):
        groups = [(name, [count / len(cases)], f"{count:,}") for name, count in why]
        body = bars("share of photos for each reason", groups)
        yield FIGURE.substitute(title="Why photos are for review", note="share of all", body=body)


PARTS_NAMES = {
    "exact_match": "whole number",
    "owner_code": "owner code",
    "serial_number": "serial number",
    "check_digit": "check digit",
}


def measure_table(runs: Sequence[Run], known: Sequence[Case]) -> str:
    """Return the measures of each run as a table."""
    head = "".join(f"<th>{name}</th>" for name in names_of(runs))
    lines = (
        f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in line)}</tr>" for line in table(known)
    )
    return f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def layout_chart(known: Sequence[Case], layouts: Sequence[str]) -> str:
    """Return how many numbers are right in each layout, for each run."""
    groups = []
    for layout in layouts:
        inside = [case for case in known if case.layout == layout]
        runs = zip(*(case.errors for case in inside))
        shares = [sum(not wrong for wrong in errors) / len(inside) for errors in runs]
        groups.append((visible(layout), shares, f"of {len(inside):,}"))
    body = bars("share of whole numbers that are right, by layout", groups)
    note = "whole numbers; the layout is the label's, or as the number was seen to stand"
    return FIGURE.substitute(title="Right, by layout", note=note, body=body)


def reasons(readings: Sequence[Reading]) -> list[tuple[str, int]]:
    """Return the reasons for which readings are for review, without numbers, by frequency."""
    found = Counter(
        reason.kind
        for reading in readings
        for reason in reading.reasons
        if reading.status == "review"
    )
    return found.most_common()
