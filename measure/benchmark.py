"""Measure how fast the scripts are, against what a user would write; run by hand.

    python -m measure.benchmark --output benchmark.md

Makes a Florence-2 of the large model's shape with random weights, and photos of 12 million pixels,
in a temporary folder. Compared are, on the same photos in the same run:

- reading: batch_process.py's reader with its defaults, but one look, against the loop of the
  model card: fp32, one photo at a time, three beams; both write 13 tokens
- training: ten epochs of finetune_florence.py against a plain peft loop, at the same precision and
  against fp32; nothing is validated, and of the plain loop two epochs are run, times five
- a second training run's time to its first step, against the first run's
- with the small model: photos per second and memory for folders of 10 to 10,000 photos
- the share of the measured matrix-multiply peak that the vision tower and the encoder reach, and
  a training step from kept features

Every measurement runs in a process of its own, so that none profits from another. Prints and
writes a Markdown table. `--parts` chooses; the whole takes an hour on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from typing import Any

from commands.command_line import ArgumentParser, command
from commands.flags import positive
from containers.basis.talk import counted, log
from measure.plain_loops import (
    EPOCHS,
    TO_TRAIN,
    make_model,
    make_photos,
    read_like_the_card,
    train_like_peft,
)
from measure.timed_scripts import (
    measure_shares,
    read_folder,
    read_like_the_scripts,
    time_to_first_step,
    train_like_the_scripts,
)

ROOT = Path(__file__).parents[1]
PARTS = ("reading", "training", "start", "peak", "folders")
Row = tuple[str, str, str, str]  # of the table: what, measured, ratio, memory


# ---- what is measured with -------------------------------------------------------------------


def alone(function: Callable, *arguments: object) -> Any:
    """Return what a function that this file knows returns, called in a process of its own.

    Such a process counts the memory of the one that starts it as its own: keep this one small.
    """
    call = ["--call", function.__name__, json.dumps(arguments)]
    words = [sys.executable, "-m", "measure.benchmark", *call]
    run = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    return json.loads(run.stdout.splitlines()[-1])


# ---- reading ---------------------------------------------------------------------------------


def compare_reading(folder: Path, args: argparse.Namespace) -> list[Row]:
    """Return the rows that compare reading."""
    large, photos = str(folder / "large"), str(folder / "photos")
    ours = (large, photos, args.device, args.dtype, args.batch_size)
    rounds = [
        (alone(read_like_the_card, large, photos, args.device), alone(read_like_the_scripts, *ours))
        for _ in range(args.rounds)
    ]
    card, own = (median(run["seconds"] for run in runs) for runs in zip(*rounds))
    memory = [max(run["memory"] for run in runs) for runs in zip(*rounds)]
    ratios = sorted(a["seconds"] / b["seconds"] for a, b in rounds)
    note = f"{counted(args.rounds, 'round')}: {ratios[0]:.2f} to {ratios[-1]:.2f}"
    return [
        ("reading, model-card loop, fp32", f"{card:.2f} s a photo", "1", f"{memory[0]:.1f} GB"),
        (
            f"reading, batch_process.py, {args.dtype}, batch {args.batch_size}",
            f"{own:.2f} s a photo",
            f"**{median(ratios):.2f}** ({note})",
            f"{memory[1]:.1f} GB",
        ),
    ]


# ---- training --------------------------------------------------------------------------------


def compare_training(folder: Path, args: argparse.Namespace) -> list[Row]:
    """Return the rows that compare training; each of ours begins without kept features."""
    data, large = folder / "few.json", str(folder / "large")
    rows: list[Row] = []
    data.write_text(json.dumps(json.loads((folder / "train.json").read_text())[:TO_TRAIN]))
    for targets in ("language", "decoder"):
        slow = {}
        for dtype in ("fp32", "bf16"):
            job = (large, str(data), targets, args.device, dtype)
            plain = slow[dtype] = alone(train_like_peft, *job)
            shutil.rmtree(folder / "features", ignore_errors=True)
            ours = alone(train_like_the_scripts, *job)
            steps = EPOCHS * TO_TRAIN
            per_image = f"{plain['seconds'] / steps:.2f} s an image and step"
            memory = f"{plain['memory']:.1f} GB"
            rows.append((f"training `{targets}`, plain peft loop, {dtype}", per_image, "1", memory))
            ratio = f"**{plain['seconds'] / ours['seconds']:.1f}**"
            if dtype != "fp32":
                ratio += f", against fp32 **{slow['fp32']['seconds'] / ours['seconds']:.1f}**"
            per_image = (
                f"{ours['seconds'] / steps:.2f} s, of it steps {ours['epoch'] / TO_TRAIN:.2f}"
            )
            name, memory = f"finetune_florence.py, {dtype}", f"{ours['memory']:.1f} GB"
            rows.append((f"training `{targets}`, {name}", per_image, ratio, memory))
            log.info(" | ".join(rows[-1]))
    return rows


def compare_start(folder: Path, args: argparse.Namespace) -> list[Row]:
    """Return the row on the time to the first step, in a first and in a second run."""
    job = (str(folder / "large"), str(folder / "train.json"), "language", args.device, args.dtype)
    shutil.rmtree(folder / "features", ignore_errors=True)
    first, second = (alone(time_to_first_step, *job)["seconds"] for _ in range(2))
    name = f"first step of a second run, {counted(args.photos, 'photo')}"
    return [(name, f"{second:.0f} s, first run {first:.0f} s", f"**1/{first / second:.0f}**", "")]


# ---- folders and peaks -----------------------------------------------------------------------


def compare_folders(folder: Path, args: argparse.Namespace) -> list[Row]:
    """Return a row for each size of a folder of the sample photos."""
    samples, rows = sorted((ROOT / "image").glob("*.jpg")), []
    for count in args.folders:
        place = folder / f"folder{count}"
        place.mkdir()
        for i in range(count):
            shutil.copy(samples[i % len(samples)], place / f"{i:05}.jpg")
        run = alone(read_folder, str(place), args.device, args.dtype)
        speed = f"{count / run['seconds']:.1f} photos a second, loading included"
        rows.append((f"folder of {count:,}, small model", speed, "", f"{run['memory']:.2f} GB"))
        log.info(" | ".join(rows[-1]))
    return rows


def compare_peak(folder: Path, args: argparse.Namespace) -> list[Row]:
    """Return the rows on how much of the matrix-multiply peak is reached."""
    names = {"encode": "vision tower and encoder", "step": "training step from kept features"}
    rows = []
    for dtype in ("fp32", "bf16"):
        job = (str(folder / "large"), str(folder / "train.json"), args.device, dtype)
        run = alone(measure_shares, *job, args.batch_sizes)
        rows.append((f"matrix-multiply peak, {dtype}", f"{run['peak']:.2f} TFLOP/s", "", ""))
        for key, (seconds, share) in run["found"].items():
            name, batch = key.split()
            speed = f"{seconds:.3f} s an image"
            title = f"{names[name]}, {dtype}, batch {batch}"
            rows.append((title, speed, f"{100 * share:.0f} % of the peak", ""))
    return rows


# ---- the command -----------------------------------------------------------------------------


def describe_machine(device: str) -> str:
    """Return what this was measured on."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((x.split(": ")[1] for x in lines if x.startswith("model name")), name)
    gpu = f", {alone(name_gpu)}" if device == "cuda" else ""
    versions = f"torch {version('torch')}, {platform.system()}"
    return f"{name}, {os.cpu_count()} cores{gpu}, {versions}"


def name_gpu() -> str:
    """Return the name of the GPU."""
    import torch

    return torch.cuda.get_device_name()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--output", default="benchmark.md", help="the table")
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what is measured")
    add("--device", default="cpu", choices=("cpu", "cuda"), help="where")
    add("--dtype", default="bf16", choices=("fp32", "bf16"), help="of what is compared with fp32")
    add("--batch_size", type=positive, default=4, help="photos read at once")
    add("--batch_sizes", type=positive, nargs="+", default=[1, 4], help="for the share of the peak")
    add("--photos", type=positive, default=40, help="photos of the first and second run")
    add("--rounds", type=positive, default=3, help="how often reading is compared")
    sizes = [10, 100, 1_000, 10_000]
    add("--folders", type=positive, nargs="+", default=sizes, help="photos in each folder")
    add("--call", nargs=2, help=argparse.SUPPRESS)
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Measure, print the table and write it."""
    if args.call:
        name, arguments = args.call
        print(json.dumps(globals()[name](*json.loads(arguments))))
        return 0
    table = [describe_machine(args.device), "", "| what | measured | ratio | memory |"]
    table.append("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        alone(make_model, str(Path(name, "large")))
        make_photos(Path(name), args.photos)
        for part in args.parts:
            log.info(f"measuring: {part}")
            rows = globals()[f"compare_{part}"](Path(name), args)
            table += [f"| {' | '.join(row)} |" for row in rows]
            print(*table[-len(rows) :], sep="\n", flush=True)
            Path(args.output).write_text("\n".join(table) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
