"""The commands `batch_process.py --compare` and `--report`: what changed, and what to look at."""

from __future__ import annotations

import argparse
from pathlib import Path

from containers.basis.talk import counted, show
from containers.data.comparison import Case, Label, describe_changes, join, read_labels
from containers.data.runs import Run, nothing, of_first, of_one, of_second, read_run
from containers.pages.report import write_report

ANNOTATIONS = "annotations.json"


def compare(args: argparse.Namespace) -> None:
    """Print the measures of two result files side by side, and which images changed."""
    labels = read_labels(Path(args.annotation_file))
    name, other = args.compare
    first = read_run(name, labels, of_first if args.report else nothing)
    runs = [first, read_run(other, labels, of_second(first) if args.report else nothing)]
    cases = join(runs, labels)
    for line in describe_changes(runs, cases, args.annotation_file, len(labels)):
        show(line)
    if args.report is not None:
        report(args.report, runs, cases)


def report_file(args: argparse.Namespace) -> None:
    """Write the page of one result file; labels are used where there are any."""
    labels = known_labels(args)
    run = read_run(args.compare[0], labels, of_one)
    report(args.report, [run], join([run], labels))


def report_on(args: argparse.Namespace, run: Run) -> None:
    """Write the page of a run that has just ended."""
    report(args.report, [run], join([run], known_labels(args)))


def known_labels(args: argparse.Namespace) -> dict[str, Label]:
    """Return the labels by `photo_key`; none where there is no file of them."""
    return read_labels(Path(args.annotation_file)) if has_labels(args) else {}


def has_labels(args: argparse.Namespace) -> bool:
    """Tell whether there are labels to show, or shall be."""
    return args.annotation_file != ANNOTATIONS or Path(ANNOTATIONS).exists()


def report(name: str, runs: list[Run], cases: list[Case]) -> None:
    """Write a page, and say so."""
    shown, found = write_report(Path(name), runs, cases)
    of = f"{shown:,} of " if shown < found else ""
    show(f"{name}: {of}{counted(found, 'photo')} to look at, in a browser")
