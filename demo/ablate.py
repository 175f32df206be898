"""Measure what each flag of finetune_florence.py is worth, on rendered photos.

    python demo/ablate.py --output demo/ablation --seeds 3 --jobs 2

Changes one flag at a time: LoRA targets, rank, learning rate, views, precision, number of labelled
photos; then targets, views and precision together, which decide how fast training is. Each run goes
through the scripts as a user would type them: prepare, fine-tune, read the same fresh renders.
Writes one line per run to DIR/ablation.jsonl; run again, it goes on where it stopped. Prints the
tables of demo/README.md: exact match of the numbers reported, and of those in the free text alone,
each the mean over the seeds with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).parents[1]))
from containers.command_line import ArgumentParser, command, say
from containers.errors import UserError
from containers.files import write_json
from containers.flags import positive
from containers.iso6346 import find_candidates
from containers.labels import read_truth
from containers.photos import photo_key
from containers.results import read_results
from containers.scores import score
from florence.model_folder import read_json

Rates = dict[str, float]
ROOT = Path(__file__).parents[1]
LEARN, TEST = 101, 102  # seeds of the renders to learn from and to read


@dataclass(frozen=True)
class Setting:
    """One fine-tuning run: the flags of finetune_florence.py, and how many photos are labelled."""

    lora_targets: str = "language"
    lora_rank: int = 16
    lr: float = 3e-4
    views: int = 1
    dtype: str = "fp32"
    photos: int = 100
    seed: int = 0


VARIED = {
    "lora_targets": ("decoder", "language", "all"),
    "lora_rank": (4, 16, 64),
    "lr": (1e-5, 1e-4, 3e-4, 1e-3),
    "views": (1, 4, 8),
    "dtype": ("fp32", "bf16"),
    "photos": (25, 50, 100, 200),
}
SPEED = ("lora_targets", "views", "dtype")  # what decides how fast training is


def type_command(*words: object) -> None:
    """Run one of the project's scripts; raises `UserError` if it fails."""
    command = [sys.executable, *map(str, words)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise UserError(f"{' '.join(command[1:])}: {run.stderr.strip()}")


def render_photos(folder: Path, count: int, seed: int, views: int) -> None:
    """Render labelled photos unless they are there."""
    if not (folder / "annotations.json").exists():
        flags = ("--count", count, "--seed", seed, "--views", views, "--output", folder)
        type_command(ROOT / "demo/render.py", *flags)


def prepare(folder: Path, photos: int) -> None:
    """Make a data set of the first so many labelled photos."""
    labels = read_json(folder / "learn/annotations.json")["images"][:photos]
    file = folder / f"annotations-{photos}.json"
    write_json(file, {"images": labels})
    flags = ("--mode", "prepare", "--annotation_file", file, "--output_dir", folder / str(photos))
    type_command(ROOT / "prepare_dataset.py", *flags)


def read_photos(folder: Path, output: Path, *flags: object) -> Rates:
    """Return the rates on the test photos, read with these flags."""
    script = ROOT / "batch_process.py"
    flags = (*flags, "--looks", 1, "--batch_size", 16, "--output", output)
    type_command(script, folder / "test/image", *flags)
    truth = read_truth(folder / "test/annotations.json")
    reported, free = [], []
    for row in read_results(output)[1]:
        number = truth[photo_key(row["image"], Path())]
        found = find_candidates(row["raw_text"])
        reported.append((row["number"], number))
        free.append((found[0].number if found else None, number))
    return {
        name: round(score(pairs)["exact_match"], 4)
        for name, pairs in (("exact_match", reported), ("free_exact_match", free))
    }


def measure(folder: Path, args: argparse.Namespace, setting: Setting | None) -> Rates:
    """Return the rates after tuning, or those of the base model for no setting."""
    if setting is None:
        reading = ("--model", args.model, "--dtype", Setting.dtype)
        return read_photos(folder, folder / "base.jsonl", *reading)
    given = asdict(setting)
    adapter = folder / "-".join(map(str, given.values()))
    dataset = folder / str(given.pop("photos"))
    flags = [word for name, value in given.items() for word in (f"--{name}", value)]
    files = ("--train", dataset / "train.json", "--val", dataset / "val.json", "--output", adapter)
    base = ("--model", args.model, "--epochs", args.epochs)
    type_command(ROOT / "finetune_florence.py", *files, *base, *flags)
    reading = ("--lora_path", adapter, "--dtype", setting.dtype)
    rates = read_photos(folder, adapter.with_name(adapter.name + ".jsonl"), *reading)
    shutil.rmtree(adapter)
    return rates


def read_log(path: Path) -> dict[Setting | None, Rates]:
    """Return the rates of each setting that has been measured; None is the base model."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    settings = [row.pop("setting") for row in rows]
    return {setting and Setting(**setting): row for setting, row in zip(settings, rows)}


def shown(rates: Sequence[float]) -> str:
    """Return the mean of some rates with the lowest and the highest."""
    mean, low, high = (100 * rate for rate in (fmean(rates), min(rates), max(rates)))
    return f"{mean:.1f} % ({low:.1f}-{high:.1f})" if len(rates) > 1 else f"{mean:.1f} %"


def rates_of(measured: dict[Setting | None, Rates], wanted: Setting) -> list[Rates]:
    """Return the rates of a setting, one for each seed that has been measured."""
    return [rates for x, rates in measured.items() if x and replace(x, seed=0) == wanted]


def print_speed(measured: dict[Setting | None, Rates], usual: Setting) -> None:
    """Print the exact match of what decides the speed: a Markdown row for targets and precision."""
    targets, views, dtypes = (VARIED[name] for name in SPEED)
    print(f"\n| targets | precision | {' | '.join(f'{n} views' for n in views)} | seeds |")
    print(f"|---|---|{'---|' * len(views)}---|")
    for target, dtype in product(targets, dtypes):
        row = replace(usual, lora_targets=target, dtype=dtype)
        runs = [rates_of(measured, replace(row, views=count)) for count in views]
        cells = [shown([rates["exact_match"] for rates in some]) if some else "" for some in runs]
        print(f"| {target} | {dtype} | {' | '.join(cells)} | {min(map(len, runs))} |")


def print_table(measured: dict[Setting | None, Rates], usual: Setting) -> None:
    """Print one Markdown row for each value of each flag."""
    print("| flag | value | exact match | free text alone | seeds |\n|---|---|---|---|---|")
    base = " | ".join(shown([rate]) for rate in measured[None].values())
    print(f"| base model, not tuned | | {base} | |")
    for name, values in VARIED.items():
        for value in values:
            runs = rates_of(measured, replace(usual, **{name: value}))
            cells = " | ".join(shown(rates) for rates in zip(*(run.values() for run in runs)))
            flag = "labelled photos" if name == "photos" else f"`--{name}`"
            print(f"| {flag} | {value} | {cells} | {len(runs)} |")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--model", default=str(ROOT / "demo/model"), help="folder of the base model")
    add("--output", default="demo/ablation", help="folder for renders, adapters and ablation.jsonl")
    add("--seeds", type=positive, default=3, help="runs of each setting")
    add("--test", type=positive, default=300, help="fresh renders that each run reads")
    add("--lr", type=float, default=Setting.lr, help="learning rate where it is not what changes")
    add("--epochs", type=positive, default=10, help="passes over the photos")
    add(
        "--jobs", type=positive, default=1, help="runs at the same time, each on its share of cores"
    )
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Measure every setting and print the table; return the exit code."""
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // args.jobs))
    folder, log = Path(args.output), Path(args.output) / "ablation.jsonl"
    render_photos(folder / "learn", max(VARIED["photos"]), LEARN, views=3)
    render_photos(folder / "test", args.test, TEST, views=1)
    for photos in VARIED["photos"]:
        prepare(folder, photos)
    usual = Setting(lr=args.lr)
    wanted = [None]
    for seed in range(args.seeds):
        for name, values in VARIED.items():
            wanted += [replace(usual, seed=seed, **{name: value}) for value in values]
        for values in product(*(VARIED[name] for name in SPEED)):
            wanted.append(replace(usual, seed=seed, **dict(zip(SPEED, values))))
    measured = read_log(log)
    missing = [setting for setting in dict.fromkeys(wanted) if setting not in measured]
    with ThreadPoolExecutor(args.jobs) as pool:
        results = pool.map(lambda setting: measure(folder, args, setting), missing)
        for setting, rates in zip(missing, results, strict=True):
            row = {"setting": setting and asdict(setting), **rates}
            say(json.dumps(row))
            with open(log, "a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(row) + "\n")
    print_table(read_log(log), usual)
    print_speed(read_log(log), usual)
    return 0


if __name__ == "__main__":
    sys.exit(main())
