"""The commands `batch_process.py --compare` and `--report`: what changed, and what to look at."""

from __future__ import annotations

import argparse
from pathlib import Path

from containers.basis.talk import counted, show
from containers.data.comparison import Case, Run, describe_changes, join, read_labels, read_run
from containers.pages.report import write_report

ANNOTATIONS = "annotations.json"


def compare(args: argparse.Namespace) -> None:
    """Print the measures of two result files side by side, and which images changed."""
    labels = read_labels(Path(args.annotation_file))
    runs = [read_run(name, None if args.report else labels) for name in args.compare]
    cases = join(runs, labels)
    for line in describe_changes(runs, cases, args.annotation_file, len(labels)):
        show(line)
    if args.report is not None:
        report(args.report, runs, cases)


def report_on(args: argparse.Namespace, run: Run) -> None:
    """Write the page of one result file; labels are used where there are any."""
    labels = read_labels(Path(args.annotation_file)) if has_labels(args) else {}
    report(args.report, [run], join([run], labels))


def has_labels(args: argparse.Namespace) -> bool:
    """Tell whether there are labels to show, or shall be."""
    return args.annotation_file != ANNOTATIONS or Path(ANNOTATIONS).exists()


def report(name: str, runs: list[Run], cases: list[Case]) -> None:
    """Write a page, and say so."""
    shown = counted(write_report(Path(name), runs, cases), "photo")
    show(f"{name}: {shown} to look at, in a browser")
