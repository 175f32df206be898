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
    from containers.start import start

    start()

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from container_ocr import ContainerOCR
from containers.command_line import ArgumentParser, command, counted, is_first_process, say, show
from containers.flags import add_model_flags, fraction, positive, rate, seed
from containers.labels import Example
from containers.locks import only_writer
from containers.looks import Search
from containers.search import OnLooks
from containers.streaming import worker_count, workers
from florence.adapter import LORA_TARGETS, base_model
from florence.checkpoint import looks_for, require_model
from florence.checkpoints import TRAIN_ARGS, check_output, require_writable, revision_of
from florence.devices import (
    drivers_present,
    first_process_first,
    out_of_memory,
    require_trainable,
)
from florence.examples import read_examples, warn_of_overlap
from florence.features import features_folder, model_digest
from florence.hub import fetch_model
from florence.memory import lower_memory
from florence.trackers import TRACKERS, require_tracker
from florence.training import VIEWS, Trainer
from florence.windows import Windows


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--train", default="dataset/train.json", help="photos to learn")
    add("--val", default="dataset/val.json", help="photos to validate on")
    add("--output", default="./florence-container-lora", help="the adapter's folder")
    add("--epochs", type=positive, default=10, help="passes over the photos")
    add("--batch_size", type=positive, default=2, help="photos per step")
    add("--lr", type=rate, default=1e-4, help="highest learning rate")
    add_model_flags(parser, lora=False)
    add("--lora_targets", choices=LORA_TARGETS, default="language", help="where the model adapts")
    add("--lora_rank", type=positive, default=16, help="the adapter's size")
    add("--lora_alpha", type=positive, default=32, help="the adapter counts alpha / rank times")
    add("--lora_dropout", type=fraction, default=0.05, help="share of its inputs left out")
    add("--gradient_accumulation", type=positive, default=1, help="batches per step")
    varied = f"vary the training photos: --views {VIEWS}"
    add("--augment", action="store_true", help=varied)
    turns = "so many views of each photo, one an epoch in turn (default: 1, as it is)"
    add("--views", type=positive, metavar="N", help=turns)
    kept = "keep what frozen layers make of a photo (default: yes)"
    add("--cache", action=argparse.BooleanOptionalAction, default=True, help=kept)
    near = "learn what so many looks at a photo, nearer each time, show of its label; 1: all of it"
    add("--looks", type=positive, metavar="N", help=f"{near} (default: by model and device)")
    add("--patience", type=positive, default=3, help="epochs of rising loss before stopping")
    add("--max_steps", type=positive, help="stop after so many steps")
    add("--seed", type=seed, default=0, help="same seed, same curve")
    known = f"also report each epoch to one of: {', '.join(TRACKERS)}"
    add("--report_to", choices=TRACKERS, metavar="TRACKER", help=known)
    add("--resume", action="store_true", help="go on from the last checkpoint in --output")
    replaced = "replace the adapter of another run in --output"
    add("--overwrite", action="store_true", help=replaced)
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
    args: argparse.Namespace, train: list[Example], val: list[Example]
) -> tuple[list[Example], list[Example], ContainerOCR | None]:
    """Return the examples with the windows that the looks of the untuned model show, and it.

    The model is None where all windows were known. On training photos it is led by the labels: one
    photo is several examples, or none. On validation photos it looks as it will when reading. Of
    many processes the first looks, where what it finds is kept.
    """
    base = base_model(args.model, None)
    revision = revision_of(base, args)
    source = fetch_model(base, revision)
    path = features_folder(args) / "windows.json" if args.cache else None
    identity = repr((model_digest(source), args.dtype, args.looks))

    @functools.cache
    def reader() -> ContainerOCR:
        look = {"looks": args.looks, "revision": revision}
        return ContainerOCR(args.model, None, args.device, args.dtype, **look)

    def search(
        photos: Sequence[Path], numbers: Sequence[str] | None, on_looks: OnLooks
    ) -> Iterator[Search]:
        count = 0 if reader().is_slow else worker_count(len(photos), reader().model.device.type)
        with workers(count) as pool:
            yield from reader().search(photos, args.batch_size, pool, numbers, on_looks)

    with first_process_first(args.device):
        windows = Windows(path, identity)
        train, val = windows.find(train, True, search), windows.find(val, False, search)
    return train, val, reader() if reader.cache_info().currsize else None


def fit(args: argparse.Namespace, train: list[Example], val: list[Example]) -> None:
    """Train, print a line for each epoch, and say which was best."""
    require_writable(args)
    args.looks = args.looks or looks_for(args.model, None, args.device, args.revision)
    say(f"{len(train)} training and {counted(len(val), 'validation photo')}")
    loaded = None
    if args.looks > 1:
        train, val, reader = look_nearer(args, train, val)
        loaded = reader and (reader.model, reader.processor)
    with out_of_memory(lower_memory(args)):
        trainer = Trainer(args, train, val, loaded)
        for record, seconds in trainer.fit():
            if is_first_process():
                print_epoch(record, len(val), seconds)
    if is_first_process():
        best = trainer.progress.best
        show(f"Best: epoch {best['epoch']}, eval_loss: {best['eval_loss']:.4f}, in {args.output}")


@command(build_parser, go_on="--resume goes on from the last finished epoch")
def main(args: argparse.Namespace) -> int:
    """Train, and say which epoch was best; of two runs with one output the second is refused."""
    require_model(args.model, None, args.device, args.revision)
    require_trainable(args.dtype, drivers_present()[0] if args.device == "auto" else args.device)
    require_tracker(args.report_to)
    check_output(args)
    train, val = read_examples("--train", args.train), read_examples("--val", args.val)
    warn_of_overlap(train, val)
    with only_writer(Path(args.output) / TRAIN_ARGS):
        fit(args, train, val)
    return 0


if __name__ == "__main__":
    sys.exit(main())
