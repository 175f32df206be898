"""Measure what fine-tuning brings on photos that it has not learnt from: cross-validation.

    python -m measure.folds PHOTOS LABELS.json --model small --tune --views 4 --lr 1e-4

Deals the labelled photos to folds, those of one container to one fold. For each fold a model is
tuned on the labels of the others, by finetune_florence.py with the flags after --tune, and reads
the fold, as the untuned model does. `--labels` tunes on so many of them alone: what labelling more
is worth. Prints how many numbers are exact and how many photos `ok` before and after, which are
mended and which spoilt. The folder of --output keeps what the model sees of the photos for the next
run.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import hashlib
import subprocess
from collections.abc import Sequence

from commands.command_line import ArgumentParser, command
from commands.flags import add_model_flags, positive
from container_ocr import ContainerOCR
from containers.basis.errors import UserError
from containers.basis.talk import counted, show
from containers.data.data_set import write_split
from containers.data.labels import Example, split_examples
from florence.inputs import PROMPT
from florence.names import SMALL
from measure.evaluate import Case, percent, read, read_cases, sure_cells

ROOT = Path(__file__).parents[1]
COLUMNS = (
    *("fold", "labels", "photos", "exact", "tuned", "mended", "spoilt"),
    *("`ok`", "right", "`ok` tuned", "right"),
)


def deal(examples: Sequence[Example], count: int) -> list[list[Example]]:
    """Return so many folds of about as many containers each, dealt by their numbers alone.

    Raises `UserError` where there are fewer containers than folds.
    """
    containers = sorted({example.container for example in examples}, key=lot)
    if len(containers) < count:
        raise UserError(
            f"{counted(len(containers), 'container')} for {count} folds: too few, lower --folds"
        )
    fold_of = {container: i % count for i, container in enumerate(containers)}
    return [[e for e in examples if fold_of[e.container] == fold] for fold in range(count)]


def lot(container: str) -> bytes:
    """Return a key that puts containers into an order that means nothing."""
    return hashlib.sha256(container.encode()).digest()


def tune(examples: Sequence[Example], output: Path, args: argparse.Namespace) -> None:
    """Tune on labelled photos; raises `UserError` where finetune_florence.py fails."""
    folder = output.parent
    write_split(folder, split_examples(list(examples), 0), PROMPT)
    given = {name: getattr(args, name) for name in ("model", "finder", "device", "dtype")}
    model = [word for name, value in given.items() if value for word in (f"--{name}", value)]
    files = ("--train", folder / "train.json", "--val", folder / "val.json", "--output", output)
    words = [
        sys.executable,
        ROOT / "finetune_florence.py",
        *files,
        "--overwrite",
        *model,
        *args.tune,
    ]
    run = subprocess.run(list(map(str, words)), stdout=sys.stderr, check=False)
    if run.returncode:
        raise UserError(f"finetune_florence.py ended with {run.returncode}")


def row(name: str, labels: str, pairs: Sequence[tuple[Case, Case]]) -> str:
    """Return the line of the table on some photos, each read before and after."""
    changes = [(before.is_exact, after.is_exact) for before, after in pairs]
    cells = [name, labels, str(len(pairs))]
    cells += [percent(sum(exact), len(pairs)) for exact in zip(*changes)]
    cells += [str(changes.count(change)) for change in ((False, True), (True, False))]
    for cases in zip(*pairs):
        cells += sure_cells(cases)
    return f"| {' | '.join(cells)} |"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("photos", help="folder of the photos")
    add("annotations", metavar="labels", help="their labels, as in annotations.json")
    add_model_flags(parser, lora=False)
    add("--folds", type=int, choices=range(2, 21), default=5, metavar="N", help="parts, 2 to 20")
    add("--labels", type=positive, help="tune on so many labelled photos (default: all others)")
    add("--output", default="demo/folds", help="folder for data sets, features and adapters")
    add("--batch_size", type=positive, default=8, help="photos read at once")
    flags = "all that follows: flags of finetune_florence.py"
    add("--tune", nargs=argparse.REMAINDER, default=[], metavar="FLAG", help=flags)
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Tune and read fold by fold; print the table."""
    args.model = args.model or SMALL
    known = read_cases(Path(args.photos), Path(args.annotations))
    examples = [Example(Path(path), number) for path, (_, number) in known.items()]
    examples.sort(key=lambda example: lot(example.container))
    folds = deal(examples, args.folds)
    output = Path(args.output)
    output.mkdir(parents=True, exist_ok=True)
    base = ContainerOCR(args.model, None, args.device, args.dtype, finder=args.finder)
    untuned = read(known, base, args.batch_size)
    done = []
    show(f"| {' | '.join(COLUMNS)} |")
    show("|" + "---|" * len(COLUMNS))
    for i, fold in enumerate(folds, 1):
        learnt = [example for example in examples if example not in fold][: args.labels]
        adapter = output / f"adapter-{i}"
        tune(learnt, adapter, args)
        paths = [str(example.image_path) for example in fold]
        here = {path: known[path] for path in paths}
        reader = ContainerOCR(args.model, str(adapter), args.device, args.dtype, finder=args.finder)
        tuned = read(here, reader, args.batch_size)
        done += [(untuned[path], tuned[path]) for path in paths]
        show(row(str(i), str(len(learnt)), done[-len(paths) :]))
    show(row("all", "", done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
