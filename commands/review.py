"""The command `batch_process.py --review`: people look at what is doubtful in a result file."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

from commands.serving import serve
from containers.basis.errors import FlagError, ImageError, UserError
from containers.basis.locks import only_writer
from containers.basis.talk import counted, log
from containers.data.book import is_done
from containers.data.result_file import PARTIAL
from containers.data.results import require_results
from containers.data.review_book import ReviewBook
from containers.data.reviewed_labels import ReviewedLabels
from containers.pages.label_server import LabelServer

OF_CONTAINERS = ", grouped by "  # in the first line of a file that --group_by has written


def require_reviewable(args: argparse.Namespace, others: tuple[str, ...]) -> None:
    """Raise `FlagError` for flags that do not go with --review, or a file that cannot be."""
    if args.review is None:
        for name in ("to_labels", "port"):
            if getattr(args, name):
                raise FlagError(f"--{name} is for --review FILE")
        return
    path = Path(args.review)
    if given := [name for name in others if getattr(args, name) not in (None, False)]:
        typed = f"python batch_process.py --review {shlex.quote(args.review)}"
        raise FlagError(f"--review reads no photos: leave --{given[0]} out, type {typed}")
    output = shlex.quote(args.review.removesuffix(PARTIAL))
    typed = f"type python batch_process.py ./image --output {output}"
    if path.name.endswith(PARTIAL) or Path(args.review + PARTIAL).exists():
        raise FlagError(f"--review {path}: its run is not at its end: {typed} --resume")
    if not path.exists():
        raise FlagError(f"--review {path}: no such file: {typed}")
    require_results("--review", path)


def review(args: argparse.Namespace) -> None:
    """Serve the page for reviewing until a signal ends it; nobody else writes the file then."""
    path = Path(args.review)
    with only_writer(path):
        labels = ReviewedLabels(Path(args.annotation_file)) if args.to_labels else None
        book = ReviewBook(path, labels)
        book.read()
        require_photos(book)
        if labels:
            labels.take([(None, result) for result in book.checked])
        prepare = "python prepare_dataset.py --mode prepare --annotation_file"
        next_step = f"{prepare} {shlex.quote(args.annotation_file)}" if labels else ""
        with LabelServer(book, args.port, next_step=next_step) as server:
            serve(server)


def require_photos(book: ReviewBook) -> None:
    """Raise `UserError` for a file that holds no photos, or not all; say which are not here."""
    if book.problem:
        remedy = "read the photos again with --resume"
        raise UserError(f"{book.path} {book.problem}: {remedy}")
    if OF_CONTAINERS in book.made_by:
        other = "review the file of the photos, then read with --resume --group_by"
        raise UserError(f"{book.path} has a line for each container, not photo: {other}")
    if failed := len(book.entries) - len(book.photos):
        photos = counted(failed, "photo")
        log.warning(f"{photos} could not be opened: have them read again with --resume")
    missing = [
        photo["name"] for photo in book.photos if not is_done(photo) and is_gone(book, photo)
    ]
    if missing:
        where = f"not found ({missing[0]}): start this in the folder where photos were read"
        log.warning(f"{counted(len(missing), 'photo')} {where}")


def is_gone(book: ReviewBook, photo: dict[str, Any]) -> bool:
    """Tell whether a photo is not where the file says."""
    try:
        return book.find(photo["key"]) is None
    except ImageError:
        return True
