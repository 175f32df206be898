"""Read a folder of container photos with Florence-2, and compare two such runs.

    python batch_process.py ./image --output results_base.txt
    python batch_process.py ./image --lora_path ./florence-container-lora
    python batch_process.py --compare results_base.txt results_finetuned.txt

The first two write one line per photo, sorted by path, as it is read: image, number, status (`ok`,
`review: reason`, `none`, `error: reason`), confidence and raw text, separated by tabs. A name that
ends in .csv or .jsonl gives that format. Lines that begin with # are about the run. The file is
complete when it has its name: while photos are read it is NAME.partial, and `--resume` goes on from
there; with `--resume` on a complete file, only new and failed photos are read.

The third prints how often each run agrees with annotations.json and what changed.
"""

from __future__ import annotations

import argparse
import csv
import functools
import hashlib
import io
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from container_ocr import (
    ArgumentParser,
    ContainerOCR,
    FlagError,
    UserError,
    add_model_flags,
    base_model,
    check_model_flags,
    command,
    compact,
    edit_distance,
    format_row,
    image_key,
    list_images,
    positive,
    read_images,
    replacing,
    say,
    score,
)
from prepare_dataset import label_of, read_annotations

FIELDS = ("image", "number", "status", "reason", "confidence", "raw_text")
OUTPUTS = ("results_base.txt", "results_finetuned.txt")
MEASURES = {
    "exact_match": "exact match",
    "character_error_rate": "character error rate",
    "owner_code": "owner code",
    "serial_number": "serial number",
    "check_digit": "check digit",
    "check_digit_rate": "check-digit rate",
}
STATUSES = ("ok", "review", "none", "error")
Row = dict[str, object]


# ---- the result file -------------------------------------------------------------------------


def describe_run(args: argparse.Namespace) -> str:
    """Return the first line of a result file: what made it, the same for the same model."""
    made_by = f"# batch_process.py: model {base_model(args.model, args.lora_path)}"
    if args.lora_path is None:
        return f"{made_by}, no adapter"
    weights = (Path(args.lora_path) / "adapter_model.safetensors").read_bytes()
    return f"{made_by}, adapter {args.lora_path} ({hashlib.sha256(weights).hexdigest()[:12]})"


def format_result(row: Row, suffix: str) -> str:
    """Return a row as a line of a .csv, .jsonl or tab-separated file."""
    if suffix == ".jsonl":
        return json.dumps(row, ensure_ascii=False)
    if suffix == ".csv":
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow([row[field] for field in FIELDS])
        return line.getvalue()
    return format_row(row)


def parse_result(line: str, suffix: str) -> Row:
    """Return the row that `format_result` wrote; raises ValueError."""
    if suffix == ".jsonl":
        row = json.loads(line)
        if not isinstance(row, dict):
            raise ValueError("not an object")
    elif suffix == ".csv":
        row = dict(zip(FIELDS, next(csv.reader([line])), strict=True))
    else:
        image, number, status, confidence, raw_text = line.split("\t")
        status, _, reason = status.partition(": ")
        row = dict(zip(FIELDS, (image, number, status, reason, confidence, raw_text)))
    if set(row) != set(FIELDS) or row["status"] not in STATUSES:
        raise ValueError("not a result")
    return {**row, "number": row["number"] or None, "confidence": float(row["confidence"])}


def read_results(path: Path) -> tuple[str, list[Row]]:
    """Return the first line of a result file and its rows; a torn last line is left out."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise FlagError(f"cannot read {path}: {getattr(error, 'strerror', 'not a text')}") from None
    rows = []
    for place, line in enumerate(lines, 1):
        if line.startswith("#") or line.rstrip("\r") == ",".join(FIELDS):
            continue
        try:
            rows.append(parse_result(line.rstrip("\r"), path.suffix.lower()))
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}, line {place}: not a line of a result file") from None
    return (lines[0] if lines else ""), rows


def earlier_rows(output: Path, description: str) -> dict[str, Row]:
    """Return what `--resume` need not read again, by image.

    That is all of a stopped run, or what a complete one could read. Raises `UserError` where
    another model made the file.
    """
    partial = output.with_name(output.name + ".partial")
    source = partial if partial.exists() else output
    if not source.exists():
        say(f"nothing to resume: no {partial}")
        return {}
    made_by, rows = read_results(source)
    if rows and made_by != description:
        raise UserError(f"{source} was made by another run ({made_by[2:]}); leave out --resume")
    rows = [row for row in rows if source == partial or row["status"] != "error"]
    say(f"resume: {len(rows)} photos are in {source} already")
    return {row["image"]: row for row in rows}


def read_folder(args: argparse.Namespace) -> int:
    """Read every image of the folder into the result file; return how many failed."""
    images, output = list_images(args.image_folder), Path(args.output)
    suffix, description = output.suffix.lower(), describe_run(args)
    earlier = earlier_rows(output, description) if args.resume else {}
    todo = [image for image in images if image not in earlier]
    fresh = read_rows(todo, args)
    count: Counter[str] = Counter()
    with replacing(output) as file:
        columns = "\t".join(f for f in FIELDS if f != "reason")
        header = ",".join(FIELDS) if suffix == ".csv" else f"# {columns}"
        print(description, header, sep="\n", file=file)
        for image in images:
            row = earlier[image] if image in earlier else next(fresh)
            print(format_result(row, suffix), file=file, flush=True)
            count[row["status"]] += 1
        summary = ", ".join(f"{count[status]} {status}" for status in STATUSES)
        print(f"# {len(images)} images: {summary}", file=file)
    print(f"{output}: {len(images)} images: {summary}")
    return count["error"]


def read_rows(images: list[str], args: argparse.Namespace) -> Iterator[Row]:
    """Yield the row of each image, in order, and show the progress."""
    options = args.model, args.lora_path, args.device, args.dtype
    reader = functools.cache(lambda: ContainerOCR(*options))
    for done, (image, reading) in enumerate(read_images(images, args.batch_size, reader), 1):
        say(f"[{done}/{len(images)}] {image}: {reading.number or '-'} {reading.status}")
        yield reading.row(image)


# ---- comparing -------------------------------------------------------------------------------


def read_truth(path: Path) -> dict[str, str]:
    """Return the labelled numbers of annotations.json by `image_key`."""
    truth = {}
    for entry in read_annotations(path)["images"]:
        try:
            number = label_of(entry)
        except UserError as error:
            say(f"warning: {entry['image_path']}: {error}; not compared")
            continue
        if number is not None:
            truth[image_key(entry["image_path"])] = number
    return truth


def compare(args: argparse.Namespace) -> None:
    """Print the measures of two result files side by side, and which images changed.

    Counted are the labelled images that stand in both. Raises `UserError` if there are none.
    """
    truth = read_truth(Path(args.annotation_file))
    runs = []
    for name in args.compare:
        rows = read_results(Path(name))[1]
        runs.append({image_key(row["image"]): row for row in rows})
    images = [image for image in truth if all(image in run for run in runs)]
    if not images:
        read = " and ".join(f"{len(run)} in {name}" for name, run in zip(args.compare, runs))
        raise UserError(
            f"nothing to compare: of {len(truth)} labelled images in {args.annotation_file}, none "
            f"stands in both files ({read})"
        )
    print(f"{len(images)} of {len(truth)} labelled images are in both files\n")
    numbers = [[run[image]["number"] for image in images] for run in runs]
    labels = [truth[image] for image in images]
    scores = [score(list(zip(read, labels))) for read in numbers]
    table = [
        (name, *(f"{100 * rates[key]:.1f} %" for rates in scores), len(images))
        for key, name in MEASURES.items()
    ]
    for status in STATUSES:
        counts = [sum(run[image]["status"] == status for image in images) for run in runs]
        table.append((f"status {status}", *counts, len(images)))
    width = max(map(len, args.compare)) + 2
    for name, before, after, count in (("", *args.compare, "images"), *table):
        print(f"{name:21}{before:>{width}}{after:>{width}}{count:>9}")
    print_changes(images, labels, *numbers)


def print_changes(
    images: list[str], labels: list[str], before: list[str | None], after: list[str | None]
) -> None:
    """Print the images that came nearer to their label by edit distance, and those that left it."""
    better, worse = [], []
    for image, label, *readings in zip(images, labels, before, after):
        errors = [edit_distance(compact(read or ""), compact(label)) for read in readings]
        line = f"  {image}  {label}: {readings[0] or '-'} -> {readings[1] or '-'}"
        if errors[0] != errors[1]:
            (better if errors[1] < errors[0] else worse).append(line)
    for title, lines in (("better", better), ("worse", worse)):
        print(f"\n{title}: {len(lines)} images", *lines, sep="\n")


# ---- the command -----------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("image_folder", nargs="?", default="./image", help="folder of photos")
    add("--output", help=f"result file (default: {OUTPUTS[0]}, with --lora_path {OUTPUTS[1]})")
    add_model_flags(parser)
    add("--batch_size", type=positive, default=4, help="photos read at once")
    add("--resume", action="store_true", help="go on where a stopped run left off")
    compared = f"two result files (default: {' '.join(OUTPUTS)})"
    add("--compare", nargs="*", metavar="FILE", help=compared)
    add("--annotation_file", default="annotations.json", help="the truth, for --compare")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Read a folder or compare two runs; exit code 1 if an image failed."""
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.compare is not None:
        args.compare = args.compare or list(OUTPUTS)
        if len(args.compare) != 2:
            parser.error(f"--compare takes two result files, not {len(args.compare)}")
        compare(args)
        return 0
    args.output = args.output or OUTPUTS[args.lora_path is not None]
    check_model_flags(args)
    return 1 if read_folder(args) else 0


if __name__ == "__main__":
    sys.exit(main())
