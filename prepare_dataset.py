"""List the photos for labelling, then turn the labels into a training set.

    python prepare_dataset.py --mode create_template --image_folder ./image
    # edit annotations.json by hand: "container_number": "CSQU 305438 3" is enough
    python prepare_dataset.py --mode prepare --output_dir ./dataset

or, in place of the second line, label on a page in the browser, with readings to start from:

    python prepare_dataset.py --mode label --suggest --lora_path ./florence-container-lora

`create_template` writes annotations.json with `TODO` for every photo; run again, it adds new photos
and keeps what is there. `label` serves a page, to this machine alone, that saves each answer there;
`--suggest` first reads what has no label yet. `check` shows what is wrong or doubtful about labels,
with a model also what this surely reads otherwise; `--prune` drops photos that are gone. `prepare`
checks all and writes train.json (80 %) and val.json, photos of one container together.
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import functools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from commands.command_line import ArgumentParser, changed_flags, command
from commands.flags import add_model_flags, file_name, port, seed
from commands.serving import serve
from container_ocr import ContainerOCR, read_images
from containers.basis.errors import FlagError, ImageError, UserError
from containers.basis.files import read_file, while_edited, write_json
from containers.basis.locks import only_writer
from containers.basis.talk import counted, log, show
from containers.data.book import is_done
from containers.data.data_set import SIDES, require_replaceable, write_split
from containers.data.label_book import LabelBook
from containers.data.label_check import (
    contradicted,
    contradiction,
    examine,
    is_on_disk,
    prune,
    split_by_photo,
)
from containers.data.labels import (
    TODO,
    Example,
    check_labels,
    empty_entry,
    parse_annotations,
    read_annotation_file,
    read_annotations,
    split_examples,
)
from containers.data.results import count_statuses
from containers.data.suggestions import suggestion_of
from containers.pages.label_server import LabelServer
from containers.photo.files import images_in, list_images, photo_key
from containers.photo.look_pace import LookPace
from florence.adapter import describe_model
from florence.inputs import PROMPT
from florence.loading import require_model

FEW_IMAGES = 50
SAVED_EVERY = 2.0  # seconds, while suggestions are read


def create_template(args: argparse.Namespace) -> None:
    """Add the images of the folder that annotations.json lacks; change nothing else in it.

    What somebody saves there while the photos are looked at is read again and added to.
    """
    images = list_images(args.image_folder)
    path = Path(args.annotation_file)
    key_of = functools.cache(lambda image: photo_key(image, path.parent))
    on_disk = functools.cache(lambda image: is_on_disk(image, path.parent))
    new = {photo_key(image, Path()): image for image in images}
    with only_writer(path):
        while_edited(lambda: add_images(path, new, key_of, on_disk))


def add_images(
    path: Path, new: dict[str, str], key_of: Callable[[str], str], on_disk: Callable[[str], bool]
) -> None:
    """Add images, by `photo_key`, to annotations.json; raises `ChangedError` if it changes."""
    before = read_annotation_file(path) if path.exists() else None
    data = {"images": []} if before is None else parse_annotations(before, path)
    listed = [entry["image_path"] for entry in data["images"]]
    known = set(map(key_of, listed))
    added = [image for key, image in new.items() if key not in known]
    gone = [image for image in listed if not on_disk(image)]
    data["images"] += map(empty_entry, added)
    if added or before is None:
        write_json(path, data, before)
    for image in gone:
        log.warning(f"{image}: no longer found on disk; its entry is kept")
    show(f"{path}: {len(added)} added, {len(listed)} kept, {len(gone)} no longer found on disk")


def prepare(args: argparse.Namespace) -> None:
    """Check all labels and write train.json and val.json; any error writes nothing."""
    path, folder = Path(args.annotation_file), Path(args.output_dir)
    require_replaceable(folder, path)
    saved = read_annotation_file(path)
    entries = parse_annotations(saved, path)["images"]
    labels = check_labels(entries, path.parent, args.strict)
    for warning in labels.warnings:
        log.warning(f"{warning}")
    for error in labels.errors:
        log.error(f"{error}")
    if labels.errors:
        raise UserError(f"{counted(len(labels.errors), 'problem')} in {path}; nothing written")
    count = len(labels.examples)
    if not count:
        raise UserError(f'{path}: nothing labelled yet; put numbers in place of "{TODO}"')
    unread = f", {labels.unreadable} that cannot be read" if labels.unreadable else ""
    warned = counted(len(labels.warnings), "warning")
    show(f"{path}: {count} labelled, {labels.todo} still {TODO}{unread}, {warned}")
    if count < FEW_IMAGES:
        log.warning(f"{counted(count, 'labelled image')}: few; 100-200 are recommended")
    train, validation = split_examples(labels.examples, args.seed, labels.together)
    sides = train, validation
    with only_writer(folder / SIDES[0]):
        write_split(folder, sides, PROMPT)
    for name, examples in zip(SIDES, sides):
        count = len({example.container for example in examples})
        show(f"{folder / name}: {counted(len(examples), 'photo')} of {counted(count, 'container')}")
    if not path.is_file() or read_file(path) != saved:
        log.warning(f"{path} was saved meanwhile; run this again for what is new in it")


def check(args: argparse.Namespace) -> None:
    """Show all that is wrong or doubtful about the labels; change nothing but by --prune."""
    path, is_asked = Path(args.annotation_file), args.model or args.lora_path
    if is_asked:
        require_model(args.model, args.lora_path, args.device, args.revision)
    here, gone = split_by_photo(read_annotations(path)["images"], path.parent)
    if args.prune:
        with only_writer(path):
            while_edited(lambda: prune(path))
    found = examine(here, gone, path, args.strict, args.prune)
    for line in found.lines():
        show(line)
    count = 0
    for line in ask_model(found.labels.examples, args) if is_asked else contradicted(here):
        show(f"contradicted: {line}")
        count += 1
    errors, doubts = counted(len(found.errors), "error"), counted(len(found.doubts), "warning")
    said = f"{path}: {len(found.labels.examples)} labelled, {found.labels.todo} still {TODO}"
    show(f"{said}, {errors}, {doubts}, {count} contradicted")
    if found.errors:
        raise UserError(f"{path} has {errors}: prepare would write nothing")


def ask_model(examples: list[Example], args: argparse.Namespace) -> Iterator[str]:
    """Yield the lines for the labels that contradict what a model surely reads."""
    made_by = describe_model(args.model, args.lora_path, args.revision)
    log.info(f"{counted(len(examples), 'label')} to compare with what is read by {made_by}")
    photos = [str(example.image_path) for example in examples]
    with LookPace(title="reading", total=len(photos)) as pace:
        readings = read_images(photos, None, reader_of(args), pace.look)
        for example, (photo, seen) in zip(examples, readings):
            if seen.is_ok and seen.number:
                yield from contradiction(photo, example.number, seen.number, "the model")
            pace.update()


def reader_of(args: argparse.Namespace) -> Callable[[], ContainerOCR]:
    """Return a function that loads, once, the reader that the flags ask for."""
    names = "model", "lora_path", "device", "dtype", "revision", "finder"
    return functools.cache(lambda: ContainerOCR(**{name: getattr(args, name) for name in names}))


def label(args: argparse.Namespace) -> None:
    """Serve the page for labelling until a signal ends it; annotations.json is made if it lacks."""
    path = Path(args.annotation_file)
    if args.suggest:
        require_model(args.model, args.lora_path, args.device, args.revision)
    if not path.exists():
        create_template(args)
    book = LabelBook(path)
    book.read()
    folder = Path(args.image_folder) if book.is_of(Path(args.image_folder)) else None
    book.add(images_in(folder) if folder else [])
    book.read()
    with LabelServer(book, args.port, folder, prepare_command(args)) as server:
        if args.suggest:
            suggest(book, args)
        serve(server)
        if book.done == len(book.photos):
            log.info(f"next: {prepare_command(args)}")


def prepare_command(args: argparse.Namespace) -> str:
    """Return what to type when all is labelled."""
    flags = changed_flags(build_parser(), args, "annotation_file", "output_dir")
    return f"python prepare_dataset.py --mode prepare{flags}"


def suggest(book: LabelBook, args: argparse.Namespace) -> None:
    """Read the photos that have no answer, and save what is read beside their labels.

    What the same model has read before is not read again.
    """
    made_by = describe_model(args.model, args.lora_path, args.revision)
    waiting = {}
    for photo in book.photos:
        if is_done(photo) or (photo["suggestion"] or {}).get("made_by") == made_by:
            continue
        try:
            waiting[photo["key"]] = str(book.find(photo["key"]))
        except ImageError as error:
            log.warning(f"{photo['name']}: {error}")
    pace = LookPace(title="reading", total=len(waiting))
    counts: Counter[str] = Counter()
    readings = read_images(waiting.values(), None, reader_of(args), pace.look)
    found, saved = {}, time.monotonic()
    try:
        for key, (_, reading) in zip(waiting, readings):
            counts.update([reading.status])
            pace.set_postfix_str(count_statuses(counts), refresh=False)
            pace.update()
            if reading.status != "error":
                found[key] = suggestion_of(reading, made_by)
            if found and time.monotonic() > saved + SAVED_EVERY:
                book.suggest(found)
                found, saved = {}, time.monotonic()
    finally:
        pace.close()
        if found:
            book.suggest(found)
    book.read()


MODES = {"create_template": create_template, "label": label, "check": check, "prepare": prepare}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--mode", choices=list(MODES), default="create_template", help="step")
    add("--image_folder", default="./image", help="photos to label")
    edited = "the file you edit"
    add("--annotation_file", type=file_name, default="annotations.json", help=edited)
    add("--output_dir", default="./dataset", help="where train.json and val.json go")
    add("--strict", action="store_true", help="a label that is not ISO 6346 is an error")
    add("--seed", type=seed, default=0, help="of the 80/20 split")
    add("--port", type=port, default=0, help="of the page for labelling; 0 takes one that is free")
    add("--prune", action="store_true", help="with --mode check: drop the photos that are gone")
    add("--suggest", action="store_true", help="have a model read first what is to be labelled")
    add_model_flags(parser)
    return parser


@command(build_parser, go_on="what was there is as it was; run it again")
def main(args: argparse.Namespace) -> int:
    """Run the mode asked for."""
    for flag, mode in (("suggest", "label"), ("prune", "check")):
        if getattr(args, flag) and args.mode != mode:
            raise FlagError(f"--{flag} is for --mode {mode}, not {args.mode}")
    chosen = args.model or args.lora_path or args.revision
    if chosen and not args.suggest and args.mode != "check":
        raise FlagError("--model, --lora_path and --revision read suggestions: add --suggest")
    MODES[args.mode](args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
