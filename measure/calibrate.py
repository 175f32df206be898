"""Show how often a number of a stated confidence is right, to choose --review_below.

    python -m demo.render --count 500 --seed 11 --output renders
    python batch_process.py renders/image --lora_path LORA --review_below 0 --output results.txt
    python -m measure.calibrate results.txt --annotation_file renders/annotations.json
    python -m measure.calibrate gate.txt yard.txt --annotation_file gate.json yard.json --by source

Prints two tables in Markdown over the labelled photos of a result file. The reliability table:
for each range of confidence how many numbers lie in it, their mean confidence and the share that
is right. And for each limit: how many photos would be `ok` with it, and the share of these that is
right. A result file made with --review_below 0 is needed: its `ok` numbers have no other doubt.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse

from commands.command_line import ArgumentParser, command
from containers.basis.errors import UserError
from containers.basis.talk import counted
from containers.data.labels import labelled
from containers.data.results import read_results
from containers.number.iso6346 import compact
from containers.number.scores import by_confidence
from containers.photo.files import photo_key

LIMITS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
TRUSTED = 0.995  # of the `ok` photos are right where a limit is good enough


@dataclass(frozen=True)
class Judged:
    """A labelled photo that was read: is the number right, is there no doubt but its confidence."""

    number: str | None
    confidence: float
    is_right: bool
    is_clear: bool
    group: str  # what its entry says under --by


def percent(part: int, whole: int) -> str:
    """Return a share for a table; nothing of nothing is a dash."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def reliability(sure: Sequence[tuple[float, bool]]) -> list[str]:
    """Return the lines of the table over (confidence, right) pairs."""
    lines = ["| confidence | numbers | mean confidence | right |", "|---|---|---|---|"]
    for low, high, inside in by_confidence(sure):
        mean = f"{sum(c for c, _ in inside) / len(inside):.3f}" if inside else "-"
        right = percent(sum(right for _, right in inside), len(inside))
        lines.append(f"| {low:.1f}-{high:.1f} | {len(inside)} | {mean} | {right} |")
    return lines


def limits(free_of_doubt: Sequence[tuple[float, bool]], photos: int) -> list[str]:
    """Return the lines of the table of what each --review_below leaves as `ok`."""
    lines = ["| `--review_below` | `ok` | of these right |", "|---|---|---|"]
    for limit in LIMITS:
        above = [right for confidence, right in free_of_doubt if confidence >= limit]
        lines.append(
            f"| {limit} | {percent(len(above), photos)} | {percent(sum(above), len(above))} |"
        )
    return lines


def least_limit(photos: Sequence[Judged]) -> float:
    """Return the least limit with which enough of these photos that are `ok` are right."""
    for limit in LIMITS:
        right = [p.is_right for p in photos if p.is_clear and p.confidence >= limit]
        if sum(right) >= TRUSTED * len(right):
            return limit
    return 1.0


def by_group(photos: Sequence[Judged]) -> list[str]:
    """Return the lines of the table on each group, whose limit the others have chosen."""
    lines = [
        "| left out | photos | exact | limit | `ok` | of these right |",
        "|---|---|---|---|---|---|",
    ]
    total: list[bool] = []
    for name in sorted({photo.group for photo in photos}):
        own = [photo for photo in photos if photo.group == name]
        limit = least_limit([photo for photo in photos if photo.group != name])
        right = [p.is_right for p in own if p.is_clear and p.confidence >= limit]
        total += right
        lines.append(group_line(name, own, f"{limit:g}", right))
    return [*lines, group_line("all", photos, "", total)]


def group_line(name: str, photos: Sequence[Judged], limit: str, right: Sequence[bool]) -> str:
    """Return the line of some photos, of which those that are `ok` are right or not."""
    exact = percent(sum(photo.is_right for photo in photos), len(photos))
    ok = percent(len(right), len(photos)), percent(sum(right), len(right))
    return f"| {name} | {len(photos)} | {exact} | {limit} | {ok[0]} ({len(right)}) | {ok[1]} |"


def judge(results: Path, annotations: Path, by: str | None) -> list[Judged]:
    """Return the labelled photos of a result file; raises `UserError`."""
    made_by, read = read_results(results)
    if "review below 0," not in made_by:
        raise UserError(f"{results} was not made with --review_below 0")
    entries = {
        photo_key(entry["image_path"], annotations.parent): (entry, compact(number))
        for entry, number in labelled(annotations, "left out")
    }
    judged = []
    for result in read:
        entry, number = entries.get(photo_key(result.image, Path()), (None, ""))
        if entry is not None:
            reading = result.reading
            is_right = compact(reading.number or "") == number
            group = str(entry.get(by, "")) if by else ""
            chance, is_clear = reading.confidence, reading.is_ok
            judged.append(Judged(reading.number, chance, is_right, is_clear, group))
    if not judged:
        raise UserError(f"no labelled photo of {annotations} is in {results}")
    return judged


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("results", nargs="+", help="result files of batch_process.py --review_below 0")
    truth = "the truth, one file or one for each result file"
    add("--annotation_file", nargs="+", default=["annotations.json"], metavar="FILE", help=truth)
    add("--by", metavar="KEY", help="of the labels' entries: leave each of its values out in turn")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Print the tables; return the exit code."""
    truths = args.annotation_file
    if len(truths) not in (1, len(args.results)):
        raise UserError(
            f"{counted(len(truths), 'label file')} for "
            f"{counted(len(args.results), 'result file')}: name one, or one for each"
        )
    truths = truths * len(args.results) if len(truths) == 1 else truths
    pairs = zip(args.results, truths)
    photos = [p for result, truth in pairs for p in judge(Path(result), Path(truth), args.by)]
    read = [(photo.confidence, photo.is_right) for photo in photos if photo.number]
    clear = [(photo.confidence, photo.is_right) for photo in photos if photo.is_clear]
    print(*reliability(read), "", *limits(clear, len(photos)), sep="\n")
    if args.by:
        print("", *by_group(photos), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
