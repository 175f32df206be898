"""Teach Florence-2 to read container numbers: LoRA fine-tuning on your labelled photos.

    python finetune_florence.py --train dataset/train.json --val dataset/val.json \\
        --output ./florence-container-lora --epochs 10 --batch_size 2 --lr 1e-4

All of these are the defaults. After every epoch the validation photos are read and one line tells
how it went: loss, whole numbers right, character error rate, check digits that fit. The output
folder holds the best epoch's adapter in peft's own format, the processor, the arguments
(train_args.json), the log (train_log.jsonl), its curve (training_curve.png), a model card
(README.md) and a checkpoint from which `--resume` goes on.

What no target adapts gives the same for a photo in every epoch, so it is computed once and kept in
the folder `features` beside train.json: the image features for `--lora_targets language`, the whole
encoder's output for `decoder`. The next run on the same photos takes it from there. `--no-cache`
computes all of it in every epoch, as `all` must.

Many GPUs or machines: accelerate launch finetune_florence.py ...
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from commands.command_line import ArgumentParser, command
from commands.flags import add_model_flags, fraction, positive, rate, seed
from container_ocr import ContainerOCR
from containers.basis.errors import ImageError
from containers.basis.files import relative_path
from containers.basis.locks import only_writer
from containers.basis.processes import is_first_process
from containers.basis.talk import counted, log, show
from containers.data.labels import Example
from containers.photo.looks import Search
from containers.photo.search import OnLooks
from containers.photo.workers import worker_count, workers
from florence.adapter import LORA_TARGETS, base_model
from florence.devices import (
    drivers_present,
    first_process_first,
    out_of_memory,
    require_trainable,
)
from florence.examples import read_examples, warn_of_overlap
from florence.features import features_folder, model_digest
from florence.finder import finder_folder
from florence.hub import fetch_model
from florence.label_windows import Windows
from florence.loading import looks_for, require_model
from florence.memory import lower_memory
from florence.names import NO_FINDER
from florence.options import OPTIONS, TrainingOptions
from florence.resuming import (
    TRAIN_ARGS,
    check_output,
    earlier_looks,
    require_writable,
    revision_of,
)
from florence.trackers import TRACKERS, require_tracker
from florence.training import Trainer


def add_option(parser: argparse.ArgumentParser, name: str, **how: Any) -> None:
    """Add a flag for one of the training's options: its default, and what it means."""
    option = OPTIONS[name]
    parser.add_argument(f"--{name}", default=option.default, help=option.metadata["doc"], **how)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = functools.partial(add_option, parser)
    add("train")
    add("val")
    add("output")
    add("epochs", type=positive)
    add("batch_size", type=positive)
    add("lr", type=rate)
    add_model_flags(parser, lora=False)
    add("lora_targets", choices=LORA_TARGETS)
    add("lora_rank", type=positive)
    add("lora_alpha", type=positive)
    add("lora_dropout", type=fraction)
    add("gradient_accumulation", type=positive)
    add("augment", action="store_true")
    add("views", type=positive, metavar="N")
    add("cache", action=argparse.BooleanOptionalAction)
    add("looks", type=positive, metavar="N")
    add("patience", type=positive)
    add("max_steps", type=positive)
    add("seed", type=seed)
    add("report_to", choices=TRACKERS, metavar="TRACKER")
    add("resume", action="store_true")
    add("overwrite", action="store_true")
    return parser


def print_epoch(record: dict[str, float], photos: int, seconds: float) -> None:
    """Print the line of an epoch, with the scores on so many validation photos."""
    exact = record["exact_match"]
    show(
        f"Epoch {record['epoch']}: eval_loss: {record['eval_loss']:.4f}"
        f" exact_match: {exact:.3f} ({round(exact * photos)}/{photos})"
        f" character_error_rate: {record['character_error_rate']:.3f}"
        f" check_digit_rate: {record['check_digit_rate']:.3f}"
        f" train_loss: {record['train_loss']:.4f} ({seconds:.0f} s)"
    )


def look_nearer(
    options: TrainingOptions, folder: Path, train: list[Example], val: list[Example]
) -> tuple[list[Example], list[Example], ContainerOCR | None]:
    """Return the examples with the windows that the looks of a model in a folder show, and it.

    The model is None where all windows were known. On training photos it is led by the labels: one
    photo is several examples, or none. On validation photos it looks as it will when reading. Of
    many processes the first looks, where what it finds is kept.
    """
    path = features_folder(options) / "windows.json" if options.cache else None
    identity = repr((model_digest(folder), options.dtype, options.looks))

    @functools.cache
    def reader() -> ContainerOCR:
        where = options.device, options.dtype
        return ContainerOCR(str(folder), None, *where, looks=options.looks, finder=NO_FINDER)

    def search(
        photos: Sequence[Path], numbers: Sequence[str] | None, on_looks: OnLooks
    ) -> Iterator[Search | ImageError]:
        count = 0 if reader().is_slow else worker_count(len(photos), reader().model.device.type)
        with workers(count) as pool:
            yield from reader().search(photos, options.batch_size, pool, numbers, on_looks)

    with first_process_first(options.device):
        windows = Windows(path, identity)
        train, val = windows.find(train, True, search), windows.find(val, False, search)
    return train, val, reader() if reader.cache_info().currsize else None


def fit(options: TrainingOptions, train: list[Example], val: list[Example]) -> None:
    """Train, print a line for each epoch, and say which was best."""
    require_writable(options)
    base = base_model(options.model, None)
    source = fetch_model(base, revision_of(base, options))
    finder = finder_folder(options.finder, source) or source
    looks = options.looks or earlier_looks(options) or looks_for(finder, options.device)
    options = replace(options, looks=looks)
    log.info(f"{counted(len(train), 'training photo')} and {counted(len(val), 'validation photo')}")
    loaded = None
    if looks > 1:
        if finder != source:
            log.info(
                f"finder: {relative_path(finder)} finds the numbers, the model learns them there"
            )
        train, val, reader = look_nearer(options, finder, train, val)
        loaded = (reader.model, reader.processor) if reader and finder == source else None
    with out_of_memory(lower_memory(options)):
        trainer = Trainer(options, train, val, loaded)
        for record, seconds in trainer.fit():
            if is_first_process():
                print_epoch(record, len(val), seconds)
    if is_first_process():
        best = trainer.progress.best
        show(
            f"Best: epoch {best['epoch']}, eval_loss: {best['eval_loss']:.4f}, in {options.output}"
        )


@command(build_parser, go_on="--resume goes on from the last finished epoch")
def main(args: argparse.Namespace) -> int:
    """Train, and say which epoch was best; of two runs with one output the second is refused."""
    options = TrainingOptions(**vars(args))
    require_model(options.model, None, options.device, options.revision)
    device = drivers_present()[0] if options.device == "auto" else options.device
    require_trainable(options.dtype, device)
    require_tracker(options.report_to)
    check_output(options)
    train, val = read_examples("--train", options.train), read_examples("--val", options.val)
    warn_of_overlap(train, val)
    with only_writer(Path(options.output) / TRAIN_ARGS):
        fit(options, train, val)
    return 0


if __name__ == "__main__":
    sys.exit(main())
