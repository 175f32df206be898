"""Read a folder of container photos with Florence-2, and compare two such runs.

    python batch_process.py ./image --output results_base.txt
    python batch_process.py ./image --lora_path ./florence-container-lora
    python batch_process.py --compare results_base.txt results_finetuned.txt
    python batch_process.py --compare results_finetuned.txt --report report.html
    python batch_process.py ./image --group_by
    python batch_process.py ./image --watch
    python batch_process.py --review results_finetuned.txt

The first two write one line per photo, sorted by path: image, number, status (`ok`,
`review: reason`, `none`, `error: reason`), confidence and raw text, separated by tabs. A name that
ends in .csv, .xlsx or .jsonl gives that format. # begins lines about the run. The file is
complete when it has its name: while photos are read the lines stand in NAME.partial, and `--resume`
goes on from there; with `--resume` on a complete file, only new and failed photos are read.

The third prints how often each run agrees with annotations.json and what changed. `--report` makes
a page of pictures to look at in a browser: what changed between two files, or what is for review
in one; it also goes with a run that reads. `--group_by` writes NAME_grouped as well, a line for
each container: photos like 000207_LEFT_1.jpg and 000207_BACK_1.jpg show the same one, and what is
read from them is fused. `--watch` reads photos as they arrive, until Ctrl-C, and the file is a
whole list meanwhile; results_%Y-%m-%d.csv is another file each day. `--review` serves a page, to
this machine alone, on which people confirm or correct what is doubtful: its status is then
`checked`. With `--to_labels` their answers go into annotations.json as well.

Many GPUs or machines: accelerate launch batch_process.py ...
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from itertools import chain, islice, zip_longest
from pathlib import Path

from commands.batch_request import OUTPUTS, require_own_files, require_possible
from commands.command_line import ArgumentParser, command
from commands.compare import ANNOTATIONS, compare, has_labels, report_file, report_on
from commands.flags import (
    add_model_flags,
    add_reading_flags,
    columns,
    dated_name,
    file_name,
    port,
    positive,
    regex,
)
from commands.review import review
from container_ocr import read_images, reader_of
from containers.basis.escapes import visible
from containers.basis.locks import only_writer
from containers.basis.processes import is_first_process, process_count
from containers.basis.talk import counted, log, show
from containers.data.arrivals import Arrivals, require_watchable
from containers.data.dated_names import DatedName
from containers.data.grouped_results import GROUP_BY, write_groups
from containers.data.journal import Journal
from containers.data.labels import read_annotations
from containers.data.result import Result, read_now
from containers.data.result_file import MADE_BY
from containers.data.result_tables import USUAL_COLUMNS
from containers.data.results import count_statuses
from containers.data.runs import Run
from containers.data.watched_results import WatchedResults
from containers.number.owners import describe_owners
from containers.photo.files import list_images, photo_key, stamp_of
from containers.photo.look_pace import LookPace
from florence.adapter import base_folder, describe_model
from florence.devices import LESS_MEMORY, out_of_memory
from florence.finder import describe_finder
from florence.loading import looks_for, require_model

GATHER = 32  # photos of each process whose results are sent to the first together


def describe_run(args: argparse.Namespace) -> str:
    """Return the first line of a result file: what made it, the same for the same model.

    How often to look is chosen here, where the flag has not said it.
    """
    owners = describe_owners(args.owner_codes, args.only_owner_codes, args.lora_path)
    folder = base_folder(args.model, args.lora_path, args.revision)
    args.looks = args.looks or looks_for(folder, args.device)
    made_by = ", ".join(
        (
            f"{MADE_BY}: {describe_model(args.model, args.lora_path, args.revision)}",
            *describe_finder(args.finder, folder),
            f"dtype {args.dtype}",
            f"review below {args.review_below:g}",
            f"at most {counted(args.looks, 'look')}",
            owners,
        )
    )
    return visible(made_by)


def read_folder(args: argparse.Namespace) -> int:
    """Read every image of the folder into the result file; return how many failed.

    Of many processes the first writes; all read.
    """
    images = list_images(args.image_folder)
    with only_writer(args.output):
        return read_into(Journal(Path(args.output)), images, args)


def read_into(journal: Journal, images: list[str], args: argparse.Namespace) -> int:
    """Read the images that the journal lacks, and finish it; return how many failed."""
    description, results = begin(journal, args)
    waiting = [image for image in images if image not in results]
    stamps = {image: stamp_of(image) for image in waiting}  # before they are read
    new = read_all(waiting, args)
    if not is_first_process():
        return failures(new)
    for result in journal.write(description, new, stamps.get):
        results[result.image] = result
    return finish(journal, description, [results[image] for image in images], args)


def failures(results: Iterable[Result]) -> int:
    """Return how many photos could not be read."""
    return sum(result.reading.status == "error" for result in results)


def begin(journal: Journal, args: argparse.Namespace) -> tuple[str, dict[str, Result]]:
    """Return what makes the results, fetched where it is not here, and those not to read again.

    Raises `UserError`: before that, where the results cannot be written.
    """
    if not is_first_process():
        return describe_run(args), {}
    journal.check()
    if journal.path.exists() and not args.resume:
        log.warning(f"{journal.path} of a stopped run will be replaced; --resume continues it")
    if not args.resume:
        journal.require_unchecked()
    description = describe_run(args)
    return description, journal.earlier(description) if args.resume else {}


def finish(
    journal: Journal, description: str, results: list[Result], args: argparse.Namespace
) -> int:
    """Write the result file and what is made of it; return how many images failed."""
    columns = args.columns or USUAL_COLUMNS
    show(f"{journal.output}: {journal.finish(description, results, columns)}")
    if args.group_by is not None:
        grouping = args.group_by, args.review_below, columns
        show(write_groups(journal.output, description, results, *grouping))
    if args.report is not None:
        by_photo = {photo_key(result.image, Path()): result for result in results}
        report_on(args, Run(str(journal.output), description, by_photo))
    return failures(results)


def watch(args: argparse.Namespace) -> int:
    """Read images as they arrive in the folder, until Ctrl-C; return how many failed."""
    folder, whole = Path(args.image_folder), partial(finish, args=args)
    with WatchedResults(args.dated_output, args.columns or USUAL_COLUMNS, whole) as watched:
        watched.begin(*begin(watched.journal, args))
        try:
            others = watched.take_over(folder) if args.resume else ()
            arrivals = Arrivals(folder, watched.results.values(), others)
            for result in read_arrivals(arrivals, watched.look, args):
                watched.add(result, arrivals.stamp(result.image))
        except KeyboardInterrupt as stopped:
            log.info(f"stopped ({str(stopped) or 'SIGINT'})")
        return watched.end()


def read_arrivals(
    arrivals: Arrivals, on_look: Callable[[], None], args: argparse.Namespace
) -> Iterator[Result]:
    """Yield the result of each image that arrives; without a batch size each is read by itself.

    Else one in doubt, which is looked at again, would hold up those that came with it. `on_look` is
    called before each look into the folder.
    """
    reader, size = reader_of(args), args.batch_size or 1
    with out_of_memory(LESS_MEMORY):
        reader()  # before the first photo is here
    log.info(f"watching {args.image_folder}: Ctrl-C ends it")
    for images in arrivals.batches(size, on_look):
        for image, reading in read_images(images, size, reader):
            log.info(f"{image}: {reading.number or '-'} {reading.status}")
            yield read_now(image, reading)
            arrivals.note(image)


def read_all(images: list[str], args: argparse.Namespace) -> Iterator[Result]:
    """Yield the result of each image, in order, and show the progress.

    Of many processes each reads its share of the first one's images, and all yield all results.
    """
    rank, world = 0, process_count()
    if world > 1:
        from accelerate import PartialState
        from accelerate.utils import broadcast_object_list, gather_object

        rank = PartialState(cpu=args.device == "cpu").process_index  # and from now on its device
        images = broadcast_object_list([images])[0]
        log.info(f"{world} processes share {counted(len(images), 'photo')}")
    share = 1 if world == 1 else GATHER
    counts: Counter[str] = Counter()
    mine = images[rank::world]
    with LookPace(title="reading", total=len(images)) as pace:
        readings = read_images(mine, args.batch_size, reader_of(args), pace.look)
        for _ in range(0, len(images), world * share):
            shares = [[read_now(*read) for read in islice(readings, share)]]
            for result in chain(*zip_longest(*(gather_object(shares) if world > 1 else shares))):
                if result is not None:  # the last shares may be shorter
                    yield result
                    counts[result.reading.status] += 1
                    pace.set_postfix_str(count_statuses(counts), refresh=False)
                    pace.update()


# ---- the command -----------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("image_folder", nargs="?", default="./image", help="folder of photos")
    add(
        "--output",
        type=dated_name,
        help=f"result file (default: {OUTPUTS[0]}, with --lora_path {OUTPUTS[1]}); %%Y-%%m-%%d in "
        "its name: the date",
    )
    listed = "columns of a .csv or .xlsx, by commas (default: all but raw_text)"
    add("--columns", type=columns, metavar="NAME,...", help=listed)
    add_model_flags(parser)
    add_reading_flags(parser)
    add("--batch_size", type=positive, metavar="N", help="looks at once (default: by device)")
    grouped = "photos whose names share this part show one container: fuse their readings"
    add("--group_by", type=regex, nargs="?", const=GROUP_BY, metavar="REGEX", help=grouped)
    add("--resume", action="store_true", help="go on where a stopped run left off")
    add("--watch", action="store_true", help="read photos as they arrive, until Ctrl-C")
    compared = f"two result files (default: {' '.join(OUTPUTS)}), or one with --report"
    add("--compare", nargs="*", metavar="FILE", help=compared)
    page = "page to look at: what to review, with --compare what changed"
    add("--report", type=file_name, metavar="FILE.html", help=page)
    looked_at = "result file whose doubtful photos people look at, on a page"
    add("--review", type=file_name, metavar="FILE", help=looked_at)
    add("--to_labels", action="store_true", help="with --review: answers are labels as well")
    add("--port", type=port, default=0, help="of the page for --review; 0 takes one that is free")
    truth = "the truth, for --compare and --report; the labels, for --to_labels"
    add("--annotation_file", type=file_name, default=ANNOTATIONS, help=truth)
    return parser


@command(build_parser, go_on="what was read is kept; --resume goes on from there")
def main(args: argparse.Namespace) -> int:
    """Read a folder or compare two runs; exit code 1 if an image failed."""
    require_possible(args)
    if args.review is not None:
        review(args)
        return 0
    if args.compare is None:
        args.dated_output = DatedName(args.output or OUTPUTS[args.lora_path is not None])
        args.output = args.dated_output.fill(datetime.now())
    require_own_files(args)
    if args.report is not None and has_labels(args):
        read_annotations(Path(args.annotation_file))  # what is wrong there is said now
    if args.compare is not None:
        args.compare = args.compare or list(OUTPUTS)
        if len(args.compare) == 1 and args.report is not None:
            report_file(args)
            return 0
        compare(args)
        return 0
    require_model(args.model, args.lora_path, args.device, args.revision)
    if args.watch:
        require_watchable(Path(args.image_folder))
    return 1 if (watch if args.watch else read_folder)(args) else 0


if __name__ == "__main__":
    sys.exit(main())
