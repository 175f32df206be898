"""Show how often a number of a stated confidence is right, to choose --review_below.

    python demo/render.py --count 500 --seed 11 --output renders
    python batch_process.py renders/image --lora_path LORA --review_below 0 --output results.txt
    python demo/calibrate.py results.txt --annotation_file renders/annotations.json

Prints two tables in Markdown over the labelled photos of a result file. The reliability table:
for each range of confidence how many numbers lie in it, their mean confidence and the share that
is right. And for each limit: how many photos would be `ok` with it, and the share of these that is
right. A result file made with --review_below 0 is needed: its `ok` numbers have no other doubt.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from containers.start import start

    start()

import argparse

from containers.command_line import ArgumentParser, command
from containers.errors import UserError
from containers.iso6346 import compact
from containers.labels import read_truth
from containers.photos import photo_key
from containers.results import read_results
from containers.scores import by_confidence

LIMITS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


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


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    parser.add_argument("results", help="result file of batch_process.py --review_below 0")
    parser.add_argument("--annotation_file", default="annotations.json", help="the truth")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Print both tables; return the exit code."""
    made_by, rows = read_results(Path(args.results))
    if "review below 0," not in made_by:
        raise UserError(f"{args.results} was not made with --review_below 0")
    truth = read_truth(Path(args.annotation_file))
    known = [(row, truth.get(photo_key(row["image"], Path()))) for row in rows]
    judged = [
        (row, compact(row["number"] or "") == compact(number))
        for row, number in known
        if number is not None
    ]
    if not judged:
        raise UserError(f"no labelled photo of {args.annotation_file} is in {args.results}")
    read = [(row["confidence"], right) for row, right in judged if row["number"]]
    free_of_doubt = [(row["confidence"], right) for row, right in judged if row["status"] == "ok"]
    print(*reliability(read), "", *limits(free_of_doubt, len(judged)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
