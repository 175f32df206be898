"""List the photos for labelling, then turn the labels into a training set.

    python prepare_dataset.py --mode create_template --image_folder ./image
    # edit annotations.json by hand: "container_number": "CSQU 305438 3" is enough
    python prepare_dataset.py --mode prepare --output_dir ./dataset

or, in place of the second line, label on a page in the browser, with readings to start from:

    python prepare_dataset.py --mode label
    python prepare_dataset.py --mode label --suggest --lora_path ./florence-container-lora

`create_template` writes annotations.json with `TODO` for every photo; run again, it adds new photos
and keeps all that is there. `label` prints the address of a page of this machine alone that shows
photo by photo and saves each answer into annotations.json; `--suggest` first reads what has no
label yet, and the page begins where the model is least sure. `prepare` checks every label and
photo, reports each problem with its image, and writes train.json (80 %) and val.json (20 %); photos
of one container stay together.
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports: Ctrl-C while they run is one line, too
    from containers.stopping import end, on_signals

    on_signals(end)

import argparse
import contextlib
import functools
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from container_ocr import ContainerOCR, read_images
from containers.command_line import ArgumentParser, command, say, show
from containers.errors import FlagError, ImageError, UserError
from containers.files import (
    dump_json,
    read_file,
    relative_path,
    replacing_all,
    while_edited,
    write_json,
)
from containers.flags import add_model_flags, port, seed
from containers.label_book import LabelBook, is_done
from containers.label_server import LabelServer
from containers.labels import (
    PARTS,
    TODO,
    Example,
    check_labels,
    parse_annotations,
    read_annotation_file,
    split_examples,
)
from containers.locks import only_writer
from containers.pace import LookPace
from containers.photos import find_image, list_images, photo_key
from containers.results import count_statuses
from containers.suggestions import suggestion_of
from florence.adapter import describe_model
from florence.checkpoint import require_model
from florence.inputs import PROMPT

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
    labels = {"container_number": TODO} | dict.fromkeys(PARTS, TODO)
    data["images"] += [{"image_path": image, **labels} for image in added]
    if added or before is None:
        write_json(path, data, before)
    for image in gone:
        say(f"warning: {image}: no longer found on disk; its entry is kept")
    show(f"{path}: {len(added)} added, {len(listed)} kept, {len(gone)} no longer found on disk")


def is_on_disk(image_path: str, folder: Path) -> bool:
    """Tell whether an annotated image can be found."""
    try:
        return bool(find_image(image_path, folder))
    except ImageError:
        return False


def write_split(folder: Path, train: list[Example], validation: list[Example]) -> None:
    """Write train.json and val.json in the common Florence-2 format, both or none.

    Of two splits mixed, photos of one container would stand on both sides.
    """
    with replacing_all(folder / "train.json", folder / "val.json") as files:
        for file, examples in zip(files, (train, validation)):
            dump_json(list(map(row_of, examples)), file)


def row_of(example: Example) -> dict[str, str]:
    """Return an example as image, prefix and suffix."""
    return {
        "image": relative_path(example.image_path),
        "prefix": PROMPT,
        "suffix": example.number,
    }


def prepare(args: argparse.Namespace) -> None:
    """Check all labels and write train.json and val.json; any error writes nothing."""
    path = Path(args.annotation_file)
    saved = read_annotation_file(path)
    entries = parse_annotations(saved, path)["images"]
    labels = check_labels(entries, path.parent, args.strict)
    for warning in labels.warnings:
        say(f"warning: {warning}")
    for error in labels.errors:
        say(f"error: {error}")
    if labels.errors:
        raise UserError(f"{len(labels.errors)} problems in {path}; nothing written")
    count = len(labels.examples)
    if not count:
        raise UserError(f'{path}: nothing labelled yet; put numbers in place of "{TODO}"')
    unread = f", {labels.unreadable} that cannot be read" if labels.unreadable else ""
    warned = f"{len(labels.warnings)} warnings"
    show(f"{path}: {count} labelled, {labels.todo} still {TODO}{unread}, {warned}")
    if count < FEW_IMAGES:
        say(f"warning: {count} labelled images are few; 100-200 are recommended")
    train, validation = split_examples(labels.examples, args.seed)
    folder = Path(args.output_dir)
    with only_writer(folder / "train.json"):
        write_split(folder, train, validation)
    for name, examples in (("train.json", train), ("val.json", validation)):
        boxes = len({example.box for example in examples})
        show(f"{folder / name}: {len(examples)} photos of {boxes} containers")
    if not path.is_file() or read_file(path) != saved:
        say(f"warning: {path} was saved meanwhile; run this again for what is new in it")


def label(args: argparse.Namespace) -> None:
    """Serve the page for labelling until a signal ends it; annotations.json is made if it lacks."""
    path = Path(args.annotation_file)
    if args.suggest:
        require_model(args.model, args.lora_path, args.device)
    if not path.exists():
        create_template(args)
    book = LabelBook(path)
    book.read()
    with LabelServer(book, args.port) as server:
        if args.suggest:
            suggest(book, args)
        show(f"{path}: {book.done} of {len(book.photos)} done")
        show(f"label at {server.address}")
        say("every answer is saved at once; Ctrl-C ends this")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
        with book.lock:  # an answer that is being saved
            show(f"{path}: {book.done} of {len(book.photos)} done")


def suggest(book: LabelBook, args: argparse.Namespace) -> None:
    """Read the photos that have no answer, and save what is read beside their labels.

    What the same model has read before is not read again.
    """
    made_by = describe_model(args.model, args.lora_path)
    waiting = {}
    for photo in book.photos:
        if is_done(photo) or (photo["suggestion"] or {}).get("made_by") == made_by:
            continue
        try:
            waiting[photo["key"]] = str(book.find(photo["key"]))
        except ImageError as error:
            say(f"warning: {photo['name']}: {error}")
    pace, counts = LookPace(title="reading", total=len(waiting)), Counter()
    readings = read_images(
        waiting.values(),
        None,
        functools.cache(lambda: ContainerOCR(args.model, args.lora_path, args.device, args.dtype)),
        pace.look,
    )
    found, saved = {}, time.monotonic()
    try:
        for key, (_, reading) in zip(waiting, readings):
            counts[reading.status] += 1
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


MODES = {"create_template": create_template, "label": label, "prepare": prepare}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--mode", choices=list(MODES), default="create_template", help="step")
    add("--image_folder", default="./image", help="photos to label")
    add("--annotation_file", default="annotations.json", help="the file you edit")
    add("--output_dir", default="./dataset", help="where train.json and val.json go")
    add("--strict", action="store_true", help="a label that is not ISO 6346 is an error")
    add("--seed", type=seed, default=0, help="of the 80/20 split")
    add("--port", type=port, default=0, help="of the page for labelling; 0 takes one that is free")
    add("--suggest", action="store_true", help="have a model read first what is to be labelled")
    add_model_flags(parser)
    return parser


@command(build_parser, go_on="what was there is as it was; run it again")
def main(args: argparse.Namespace) -> int:
    """Run the mode asked for."""
    if args.suggest and args.mode != "label":
        raise FlagError(f"--suggest is for --mode label, not {args.mode}")
    if (args.model or args.lora_path) and not args.suggest:
        raise FlagError("--model and --lora_path read suggestions: add --suggest")
    MODES[args.mode](args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
