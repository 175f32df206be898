"""Read a folder of container photos with Florence-2, and compare two such runs.

    python batch_process.py ./image --output results_base.txt
    python batch_process.py ./image --lora_path ./florence-container-lora
    python batch_process.py --compare results_base.txt results_finetuned.txt
    python batch_process.py ./image --group_by

The first two write one line per photo, sorted by path: image, number, status (`ok`,
`review: reason`, `none`, `error: reason`), confidence and raw text, separated by tabs. A name that
ends in .csv or .jsonl gives that format. Lines that begin with # are about the run. The file is
complete when it has its name: while photos are read the lines stand in NAME.partial, and `--resume`
goes on from there; with `--resume` on a complete file, only new and failed photos are read.

The third prints how often each run agrees with annotations.json and what changed. The last writes
NAME_grouped as well, a line for each container: photos like 000207_LEFT_1.jpg and 000207_BACK_1.jpg
show the same one, and what is read from them is fused.

Many GPUs or machines: accelerate launch batch_process.py ...
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import csv
import hashlib
import io
import json
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice, zip_longest
from pathlib import Path

from container_ocr import (
    TEXT,
    ArgumentParser,
    FlagError,
    UserError,
    add_model_flags,
    add_reading_flags,
    base_model,
    check_model_flags,
    command,
    compact,
    doubt_confidence,
    edit_distance,
    escape_controls,
    format_row,
    is_first_process,
    is_valid,
    list_images,
    photo_key,
    positive,
    process_count,
    read_images,
    read_owner_codes,
    reader_of,
    relative_path,
    replacing,
    say,
    score,
    writing,
)
from prepare_dataset import label_of, read_annotations

FIELDS = ("image", "number", "status", "reason", "confidence", "raw_text")
OUTPUTS = ("results_base.txt", "results_finetuned.txt")
MADE_BY = "# batch_process.py"
CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
MEASURES = {
    "exact_match": "exact match",
    "character_error_rate": "character error rate",
    "owner_code": "owner code",
    "serial_number": "serial number",
    "check_digit": "check digit",
    "check_digit_rate": "check-digit rate",
}
GROUP_BY = r"^(.+)_[A-Za-z]+_[0-9]+[.]"  # 000207_LEFT_1.jpg, 000207_RIGHT_2.jpg: 000207
UNSEEN = 0.01  # of the probability that a view leaves to other numbers, what each of them gets
TINY = 1e-9
STATUSES = ("ok", "review", "none", "error")
Row = dict[str, object]


# ---- the result file -------------------------------------------------------------------------


def describe_run(args: argparse.Namespace) -> str:
    """Return the first line of a result file: what made it, the same for the same model."""
    model = base_model(args.model, args.lora_path)
    adapter, owners = "no adapter", "any owner"
    if args.lora_path is not None:
        weights = Path(args.lora_path) / "adapter_model.safetensors"
        adapter = f"adapter {relative_path(Path(args.lora_path))} ({digest(weights.read_bytes())})"
    if args.owner_codes is not None:
        codes = " ".join(sorted(read_owner_codes(args.owner_codes)))
        owners = f"owner codes {args.owner_codes} ({digest(codes.encode())})"
    return ", ".join(
        (
            f"{MADE_BY}: model {relative_path(Path(model)) if Path(model).is_dir() else model}",
            adapter,
            f"dtype {args.dtype}",
            f"review below {args.review_below:g}",
            f"{'with' if args.second_look else 'no'} second look",
            owners,
        )
    )


def digest(data: bytes) -> str:
    """Return a short name for what is in a file."""
    return hashlib.sha256(data).hexdigest()[:12]


def format_result(row: Row, suffix: str) -> str:
    """Return a row as a line of a .csv, .jsonl or tab-separated file."""
    if suffix == ".jsonl":
        return json.dumps(row, ensure_ascii=False)
    if suffix == ".csv":
        line = io.StringIO()
        row = row | {"image": escape_controls(row["image"])}
        csv.writer(line, lineterminator="").writerow([row[field] for field in FIELDS])
        return line.getvalue()
    return format_row(row)


def parse_result(line: str, suffix: str) -> Row:
    """Return the row that `format_result` wrote; raises ValueError, KeyError or TypeError."""
    if suffix == ".jsonl":
        row = json.loads(line)
    elif suffix == ".csv":
        row = dict(zip(FIELDS, next(csv.reader([line])), strict=True))
    else:
        image, number, status, confidence, raw_text = line.split("\t")
        status, _, reason = status.partition(": ")
        row = dict(zip(FIELDS, (image, number, status, reason, confidence, raw_text)))
    if suffix != ".jsonl":
        row["image"] = re.sub(r"\\([tnr\\])", lambda m: CONTROLS[m[1]], row["image"])
    texts = [row["image"], row["number"] or "", row["reason"], row["raw_text"]]
    if row["status"] not in STATUSES or not all(isinstance(text, str) for text in texts):
        raise ValueError("not a result")
    return {**row, "number": row["number"] or None, "confidence": float(row["confidence"])}


def read_results(path: Path, suffix: str = "") -> tuple[str, list[Row]]:
    """Return the first line of a result file and its rows; raises `UserError`."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', 'not a text')}") from None
    rows, lines = [], [line.rstrip("\r") for line in text.split("\n")]
    for place, line in enumerate(lines, 1):
        if line.startswith("#") or line in ("", ",".join(FIELDS)):
            continue
        try:
            rows.append(parse_result(line, suffix or path.suffix.lower()))
        except (ValueError, KeyError, TypeError, RecursionError, csv.Error):
            raise UserError(f"{path}, line {place}: not a line of a result file") from None
    return lines[0], rows


class Journal:
    """The lines of a run that is not complete, in the order in which they were read."""

    def __init__(self, output: Path):
        self.output, self.path = output, output.with_name(output.name + ".partial")
        self.suffix = output.suffix.lower()

    def check(self) -> None:
        """Raise `FlagError` where the results cannot be written, or would replace another file."""
        with writing(self.output):
            with open(self.path, "ab") as file:
                empty = file.tell() == 0
            if empty:
                self.path.unlink()
            old = self.output.read_bytes()[:99] if self.output.exists() else b""
        if old and not old.removeprefix(codecs.BOM_UTF8).startswith(MADE_BY.encode()):
            raise FlagError(f"--output {self.output} is no result file; choose another name")

    def earlier(self, description: str) -> dict[str, Row]:
        """Return what `--resume` need not read again, by image, and drop a torn last line.

        That is what a complete file could read, and all of a stopped run. Raises `UserError` where
        another model made them.
        """
        if self.path.exists():
            data = self.path.read_bytes()
            os.truncate(self.path, data.rfind(b"\n") + 1)
        found: dict[str, Row] = {}
        for path in (self.path, self.output):
            made_by, rows = read_results(path, self.suffix) if path.exists() else ("", [])
            if rows and made_by != description:
                if found:
                    break  # the complete file is an older run's, which this one was to replace
                raise UserError(f"{path} was made by another run ({made_by[2:]}); omit --resume")
            done = [row for row in rows if path == self.path or row["status"] != "error"]
            found = {row["image"]: row for row in done} | found
        say(f"resume: {len(found)} photos were read before")
        return found

    def write(self, description: str, rows: Iterator[Row], resume: bool) -> Iterator[Row]:
        """Yield the rows, each one when it is on the disk; the first opens the file."""
        with contextlib.ExitStack() as stack:
            file = None
            for row in rows:
                if file is None:
                    file = stack.enter_context(open(self.path, "a" if resume else "w", **TEXT))
                    if file.tell() == 0:
                        print(description, file=file)
                print(format_result(row, self.suffix), file=file, flush=True)
                yield row

    def finish(self, description: str, rows: list[Row]) -> str:
        """Write the result file, and drop the lines of the run; return the count."""
        summary = write_results(self.output, description, rows, "images")
        self.path.unlink(missing_ok=True)
        return summary


def write_results(output: Path, description: str, rows: list[Row], noun: str) -> str:
    """Write a result file with a count at its end; return the count."""
    suffix, count = output.suffix.lower(), Counter(row["status"] for row in rows)
    summary = ", ".join(f"{count[status]} {status}" for status in STATUSES)
    summary = f"{len(rows)} {noun}: {summary}"
    columns = "\t".join(field for field in FIELDS if field != "reason")
    with replacing(output) as file:
        print(
            description,
            ",".join(FIELDS) if suffix == ".csv" else f"# {columns}",
            sep="\n",
            file=file,
        )
        for row in rows:
            print(format_result(row, suffix), file=file)
        print(f"# {summary}", file=file)
    return summary


# ---- several views of one container ------------------------------------------------------------


def group_of(image: str, pattern: re.Pattern[str]) -> str:
    """Return the name that the views of one container share; a photo without one stands alone."""
    folder, _, name = image.rpartition("/")
    found = pattern.search(name)
    if found is None:
        return image
    key = found[1] if pattern.groups else found[0]
    return f"{folder}/{key}" if folder else key


def probabilities(row: Row) -> dict[str, float]:
    """Return the valid numbers that a view may show, each with the model's probability of it."""
    numbers = dict(row.get("alternatives", ()))
    if is_valid(row["number"]):
        numbers[row["number"]] = max(row["confidence"], numbers.get(row["number"], 0.0))
    return numbers


def fuse(name: str, views: list[Row], review_below: float) -> Row:
    """Return one row for the views of one container: their log-probabilities are added.

    Of what a view leaves to numbers that it does not name, each gets the share UNSEEN. The
    confidence is the number's share of the sum over all numbers, the unseen ones too.
    """
    known = [probabilities(row) for row in views]
    rests = [UNSEEN * max(TINY, 1 - sum(view.values())) for view in known]
    fused = {
        number: math.exp(sum(math.log(v.get(number, rest)) for v, rest in zip(known, rests)))
        for number in sorted({number for view in known for number in view})
    }
    if fused:
        number = max(fused, key=fused.get)
        confidence = fused[number] / (sum(fused.values()) + math.prod(rests) / UNSEEN)
        reason = doubt_confidence(confidence, review_below)
        doubts = [row["reason"] for row in views if row["number"] == number]
        if not reason and any(doubts) and all(doubts):
            reason = doubts[0]
    else:  # no view has a number that checks
        best = max(views, key=lambda row: (row["number"] is not None, row["confidence"]))
        number, confidence, reason = best["number"], best["confidence"], best["reason"]
    return {
        "image": name,
        "number": number,
        "status": ("review" if reason else "ok") if number else "none",
        "reason": reason,
        "confidence": round(confidence, 3),
        "raw_text": "; ".join(
            f"{Path(row['image']).name} {row['number'] or '-'} {row['confidence']:.3f}"
            for row in views
        ),
    }


def fuse_group(name: str, views: list[Row], review_below: float) -> list[Row]:
    """Return a row for each container that a group of views is sure of; mostly it is one.

    Views that are each `ok` with another number are not forced into one: all are for review.
    """
    read = [row for row in views if row["status"] != "error"]
    sure = sorted({row["number"] for row in read if row["status"] == "ok"})
    if not read:
        return [views[0] | {"image": name}]
    if len(sure) < 2:
        return [fuse(name, read, review_below)]
    rows = []
    for number in sure:
        own = [row for row in read if row["status"] != "ok" or row["number"] == number]
        others = ", ".join(other for other in sure if other != number)
        reason = f"other views of {name} show {others}"
        rows.append(fuse(name, own, review_below) | {"status": "review", "reason": reason})
    return rows


def write_groups(output: Path, description: str, rows: list[Row], args: argparse.Namespace) -> None:
    """Write NAME_grouped beside the result file: a line for each container, from all its views."""
    pattern = re.compile(args.group_by)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(group_of(row["image"], pattern), []).append(row)
    fused = [
        row for name in sorted(groups) for row in fuse_group(name, groups[name], args.review_below)
    ]
    path = output.with_name(f"{output.stem}_grouped{output.suffix}")
    summary = write_results(path, f"{description}, grouped by {args.group_by}", fused, "containers")
    print(f"{path}: {summary}")


def read_folder(args: argparse.Namespace) -> int:
    """Read every image of the folder into the result file; return how many failed.

    Of many processes the first writes; all read.
    """
    images, description = list_images(args.image_folder), describe_run(args)
    journal, rows = Journal(Path(args.output)), {}
    if is_first_process():
        journal.check()
        if journal.path.exists() and not args.resume:
            say(f"warning: {journal.path} of a stopped run will be replaced; --resume continues it")
        rows = journal.earlier(description) if args.resume else {}
    new = read_rows([image for image in images if image not in rows], args)
    if not is_first_process():
        return sum(row["status"] == "error" for row in new)
    for row in journal.write(description, new, args.resume):
        rows[row["image"]] = row
    done = [rows[image] for image in images]
    print(f"{args.output}: {journal.finish(description, done)}")
    if args.group_by is not None:
        write_groups(journal.output, description, done, args)
    return sum(rows[image]["status"] == "error" for image in images)


def read_rows(images: list[str], args: argparse.Namespace) -> Iterator[Row]:
    """Yield the row of each image, in order, and show the progress.

    Of many processes each reads its share of the first one's images, and all yield all rows.
    """
    rank, world = 0, process_count()
    if world > 1:
        from accelerate import PartialState
        from accelerate.utils import broadcast_object_list, gather_object

        rank = PartialState(cpu=args.device == "cpu").process_index  # and from now on its device
        images = broadcast_object_list([images])[0]
        say(f"{world} processes share {len(images)} photos")
    readings = read_images(images[rank::world], args.batch_size, reader_of(args))
    done = 0
    for _ in range(0, len(images), world * args.batch_size):
        shares = [[reading.row(image) for image, reading in islice(readings, args.batch_size)]]
        for row in chain(*zip_longest(*(gather_object(shares) if world > 1 else shares))):
            if row is not None:  # the last shares may be shorter
                done += 1
                number = row["number"] or "-"
                say(f"[{done}/{len(images)}] {row['image']}: {number} {row['status']}")
                yield row


# ---- comparing -------------------------------------------------------------------------------


def read_truth(path: Path) -> dict[str, str]:
    """Return the labelled numbers of annotations.json by `photo_key`."""
    truth = {}
    for entry in read_annotations(path)["images"]:
        try:
            number = label_of(entry)
        except UserError as error:
            say(f"warning: {entry['image_path']}: {error}; not compared")
            continue
        if number is not None:
            truth[photo_key(entry["image_path"], path.parent)] = number
    return truth


def compare(args: argparse.Namespace) -> None:
    """Print the measures of two result files side by side, and which images changed.

    Counted are the labelled images that stand in both. Raises `UserError` if there are none.
    """
    truth = read_truth(Path(args.annotation_file))
    runs = []
    for name in args.compare:
        rows = read_results(Path(name))[1]
        runs.append({photo_key(row["image"], Path()): row for row in rows})
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
        line = (
            f"  {relative_path(Path(image))}  {label}: {readings[0] or '-'} -> {readings[1] or '-'}"
        )
        if errors[0] != errors[1]:
            (better if errors[1] < errors[0] else worse).append(line)
    for title, lines in (("better", better), ("worse", worse)):
        print(f"\n{title}: {len(lines)} images", *lines, sep="\n")


# ---- the command -----------------------------------------------------------------------------


def regex(text: str) -> str:
    """Parse a flag's value that must be a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None
    return text


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("image_folder", nargs="?", default="./image", help="folder of photos")
    add("--output", help=f"result file (default: {OUTPUTS[0]}, with --lora_path {OUTPUTS[1]})")
    add_model_flags(parser)
    add_reading_flags(parser)
    add("--batch_size", type=positive, default=4, help="photos read at once")
    grouped = "photos whose names share this part show one container: fuse their readings"
    add("--group_by", type=regex, nargs="?", const=GROUP_BY, metavar="REGEX", help=grouped)
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
