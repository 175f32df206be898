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

if __name__ == "__main__":  # before the other imports: Ctrl-C while they run is one line, too
    from containers.stopping import end, on_signals

    on_signals(end)

import argparse
import re
import sys
from collections.abc import Iterator
from itertools import chain, islice, zip_longest
from pathlib import Path

from container_ocr import read_images, reader_of
from containers.command_line import (
    ArgumentParser,
    command,
    is_first_process,
    process_count,
    say,
    show,
)
from containers.errors import FlagError, UserError
from containers.escapes import visible
from containers.files import digest, relative_path
from containers.flags import add_model_flags, add_reading_flags, positive
from containers.groups import GROUP_BY, fuse_group, group_of
from containers.iso6346 import compact
from containers.labels import read_truth
from containers.locks import only_writer
from containers.owners import read_owner_codes
from containers.photos import list_images, photo_key
from containers.results import MADE_BY, STATUSES, Journal, Row, read_results, write_results
from containers.scores import edit_distance, score
from florence.adapter import describe_model
from florence.checkpoint import require_model

GATHER = 32  # photos of each process whose rows are sent to the first together
OUTPUTS = ("results_base.txt", "results_finetuned.txt")
MEASURES = {
    "exact_match": "exact match",
    "character_error_rate": "character error rate",
    "owner_code": "owner code",
    "serial_number": "serial number",
    "check_digit": "check digit",
    "check_digit_rate": "check-digit rate",
}


def describe_run(args: argparse.Namespace) -> str:
    """Return the first line of a result file: what made it, the same for the same model."""
    codes = " ".join(sorted(read_owner_codes(args.owner_codes)))
    owners = f"owner codes {args.owner_codes or 'common'} ({digest(codes.encode())})"
    made_by = ", ".join(
        (
            f"{MADE_BY}: {describe_model(args.model, args.lora_path)}",
            f"dtype {args.dtype}",
            f"review below {args.review_below:g}",
            f"at most {args.looks} looks",
            owners if codes else "any owner",
        )
    )
    return visible(made_by)


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
    made_by = f"{description}, grouped by {args.group_by}"
    summary = write_results(path, visible(made_by), fused, "containers")
    show(f"{path}: {summary}")


def read_folder(args: argparse.Namespace) -> int:
    """Read every image of the folder into the result file; return how many failed.

    Of many processes the first writes; all read.
    """
    images, description = list_images(args.image_folder), describe_run(args)
    with only_writer(args.output):
        return read_into(Journal(Path(args.output)), images, description, args)


def read_into(
    journal: Journal, images: list[str], description: str, args: argparse.Namespace
) -> int:
    """Read the images that the journal lacks, and finish it; return how many failed."""
    rows = {}
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
    show(f"{args.output}: {journal.finish(description, done)}")
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
    done, share = 0, 1 if world == 1 else GATHER
    for _ in range(0, len(images), world * share):
        shares = [[reading.row(image) for image, reading in islice(readings, share)]]
        for row in chain(*zip_longest(*(gather_object(shares) if world > 1 else shares))):
            if row is not None:  # the last shares may be shorter
                done += 1
                number = row["number"] or "-"
                say(f"[{done}/{len(images)}] {row['image']}: {number} {row['status']}")
                yield row


# ---- comparing -------------------------------------------------------------------------------


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
    show(f"{len(images)} of {len(truth)} labelled images are in both files")
    show()
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
        show(f"{name:21}{before:>{width}}{after:>{width}}{count:>9}")
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
        show()
        for line in (f"{title}: {len(lines)} images", *lines):
            show(line)


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
    add("--batch_size", type=positive, metavar="N", help="looks at once (default: by device)")
    grouped = "photos whose names share this part show one container: fuse their readings"
    add("--group_by", type=regex, nargs="?", const=GROUP_BY, metavar="REGEX", help=grouped)
    add("--resume", action="store_true", help="go on where a stopped run left off")
    compared = f"two result files (default: {' '.join(OUTPUTS)})"
    add("--compare", nargs="*", metavar="FILE", help=compared)
    add("--annotation_file", default="annotations.json", help="the truth, for --compare")
    return parser


@command(build_parser, go_on="what was read is kept; --resume goes on from there")
def main(args: argparse.Namespace) -> int:
    """Read a folder or compare two runs; exit code 1 if an image failed."""
    if args.compare is not None:
        args.compare = args.compare or list(OUTPUTS)
        if len(args.compare) != 2:
            count = len(args.compare)
            raise FlagError(
                f"--compare takes two result files, not {count}; see batch_process.py --help"
            )
        compare(args)
        return 0
    args.output = args.output or OUTPUTS[args.lora_path is not None]
    require_model(args.model, args.lora_path, args.device)
    return 1 if read_folder(args) else 0


if __name__ == "__main__":
    sys.exit(main())
