"""Measure what each flag of finetune_florence.py is worth, on rendered photos.

    python demo/ablate.py --output demo/ablation --seeds 3 --jobs 2

Changes one flag at a time: LoRA targets, rank, learning rate, augmentation, number of labelled
photos. Each run goes through the scripts as a user would type them: prepare, fine-tune, read the
same fresh renders. Writes one line per run to DIR/ablation.jsonl; run again, it goes on where it
stopped. Prints the table of demo/README.md: mean, lowest and highest exact match over the seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from batch_process import read_results, read_truth
from container_ocr import (
    ArgumentParser,
    UserError,
    command,
    photo_key,
    positive,
    read_json,
    say,
    score,
    write_json,
)

ROOT = Path(__file__).parents[1]
LEARN, TEST = 101, 102  # seeds of the renders to learn from and to read


@dataclass(frozen=True)
class Setting:
    """One fine-tuning run: the flags of finetune_florence.py, and how many photos are labelled."""

    lora_targets: str = "language"
    lora_rank: int = 16
    lr: float = 3e-4
    augment: bool = False
    photos: int = 100
    seed: int = 0


VARIED = {
    "lora_targets": ("decoder", "language", "all"),
    "lora_rank": (4, 16, 64),
    "lr": (1e-5, 1e-4, 3e-4, 1e-3),
    "augment": (False, True),
    "photos": (25, 50, 100, 200),
}


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


def read_photos(folder: Path, output: Path, *flags: object) -> float:
    """Return the exact match on the test photos, read with these flags."""
    script = ROOT / "batch_process.py"
    type_command(script, folder / "test/image", *flags, "--batch_size", 16, "--output", output)
    truth = read_truth(folder / "test/annotations.json")
    rows = read_results(output)[1]
    pairs = [(row["number"], truth[photo_key(row["image"], Path())]) for row in rows]
    return score(pairs)["exact_match"]


def measure(folder: Path, args: argparse.Namespace, setting: Setting | None) -> float:
    """Return the exact match after tuning, or that of the base model for no setting."""
    if setting is None:
        return read_photos(folder, folder / "base.jsonl", "--model", args.model)
    given = asdict(setting)
    adapter = folder / "-".join(map(str, given.values()))
    dataset = folder / str(given.pop("photos"))
    augment = ["--augment"] * given.pop("augment")
    flags = [word for name, value in given.items() for word in (f"--{name}", value)]
    files = ("--train", dataset / "train.json", "--val", dataset / "val.json", "--output", adapter)
    base = ("--model", args.model, "--epochs", args.epochs)
    type_command(ROOT / "finetune_florence.py", *files, *base, *flags, *augment)
    rate = read_photos(folder, adapter.with_name(adapter.name + ".jsonl"), "--lora_path", adapter)
    shutil.rmtree(adapter)
    return rate


def read_log(path: Path) -> dict[Setting | None, float]:
    """Return the exact match of each setting that has been measured; None is the base model."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return {row["setting"] and Setting(**row["setting"]): row["exact_match"] for row in rows}


def print_table(measured: dict[Setting | None, float], usual: Setting) -> None:
    """Print one Markdown row for each value of each flag."""
    print("| flag | value | exact match | lowest | highest | seeds |\n|---|---|---|---|---|---|")
    print(f"| base model, not tuned | | {100 * measured[None]:.1f} % | | | |")
    for name, values in VARIED.items():
        for value in values:
            wanted = asdict(replace(usual, **{name: value}))
            rates = [
                rate
                for setting, rate in measured.items()
                if setting and asdict(setting) | {"seed": 0} == wanted
            ]
            shown = (sum(rates) / len(rates), min(rates), max(rates))
            cells = " | ".join(f"{100 * rate:.1f} %" for rate in shown)
            flag = "labelled photos" if name == "photos" else f"`--{name}`"
            print(f"| {flag} | {value} | {cells} | {len(rates)} |")


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


@command
def main(argv: list[str] | None = None) -> int:
    """Measure every setting and print the table; return the exit code."""
    args = build_parser().parse_args(argv)
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
    measured = read_log(log)
    missing = [setting for setting in dict.fromkeys(wanted) if setting not in measured]
    with ThreadPoolExecutor(args.jobs) as pool:
        rates = pool.map(lambda setting: measure(folder, args, setting), missing)
        for setting, rate in zip(missing, rates, strict=True):
            row = {"setting": setting and asdict(setting), "exact_match": round(rate, 4)}
            say(json.dumps(row))
            with open(log, "a", encoding="utf-8", newline="\n") as file:
                file.write(json.dumps(row) + "\n")
    print_table(read_log(log), usual)
    return 0


if __name__ == "__main__":
    sys.exit(main())
