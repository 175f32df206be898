"""Measure what each flag of finetune_florence.py is worth, on rendered photos.

    python demo/ablate.py --output demo/ablation --seeds 3

Changes one flag at a time: LoRA targets, rank, learning rate, augmentation, number of labelled
photos. Each run goes through the scripts as a user would type them: prepare, fine-tune, read the
same fresh renders. Writes one line per run to DIR/ablation.jsonl; run again, it goes on where it
stopped. Prints the table of demo/README.md: mean, lowest and highest exact match over the seeds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from container_ocr import ArgumentParser, UserError, command, positive, read_json, say, write_json

ROOT = Path(__file__).parents[1]
LABELLED = 100  # photos, where their number is not what changes
LEARN, TEST = 101, 102  # seeds of the renders to learn from and to read
VARIED = {  # flag: its values; LABELLED stands for the number of photos
    "--lora_targets": ("decoder", "language", "all"),
    "--lora_rank": (4, 16, 64),
    "--lr": (1e-5, 1e-4, 3e-4, 1e-3),
    "--augment": (False, True),
    "photos": (25, 50, 100, 200),
}


def type_command(*words: object) -> str:
    """Run one of the project's scripts; return what it printed. Raises `UserError`."""
    run = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise UserError(f"{' '.join(map(str, words))}: {run.stderr.strip()}")
    return run.stdout


def render_photos(folder: Path, count: int, seed: int, views: int) -> Path:
    """Render photos unless they are there; return their annotation file."""
    annotations = folder / "annotations.json"
    if not annotations.exists():
        script = ROOT / "demo/render.py"
        flags = ("--count", count, "--seed", seed, "--views", views, "--output", folder)
        type_command(script, *flags)
    return annotations


def prepare(folder: Path, photos: int) -> Path:
    """Return a data-set folder made of the first so many labelled photos."""
    dataset = folder / f"dataset-{photos}"
    if not (dataset / "val.json").exists():
        labels = read_json(folder / "learn/annotations.json")
        file = folder / f"annotations-{photos}.json"
        write_json(file, {"images": labels["images"][:photos]})
        flags = ("--mode", "prepare", "--annotation_file", file, "--output_dir", dataset)
        type_command(ROOT / "prepare_dataset.py", *flags)
    return dataset


def read_photos(folder: Path, *flags: object) -> float:
    """Return the exact match on the test photos, read with these flags."""
    output = folder / "results.jsonl"
    script = ROOT / "batch_process.py"
    type_command(script, folder / "test/image", *flags, "--batch_size", 16, "--output", output)
    labels = read_json(folder / "test/annotations.json")["images"]
    truth = {Path(row["image_path"]).name: row["container_number"] for row in labels}
    lines = output.read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if not line.startswith("#")]
    return sum(row["number"] == truth[Path(row["image"]).name] for row in rows) / len(truth)


def measure(folder: Path, args: argparse.Namespace, changed: dict) -> float:
    """Return the exact match after tuning with the usual flags and these."""
    settings = {"--lr": args.lr, "--epochs": args.epochs} | changed
    dataset = prepare(folder, settings.pop("photos", LABELLED))
    augment = ["--augment"] if settings.pop("--augment", False) else []
    flags = [word for flag, value in settings.items() for word in (flag, value)]
    adapter = folder / "adapter"
    files = ("--train", dataset / "train.json", "--val", dataset / "val.json")
    model = ("--model", args.model)
    script = ROOT / "finetune_florence.py"
    type_command(script, *files, *model, "--output", adapter, *flags, *augment)
    return read_photos(folder, "--lora_path", adapter)


def read_log(path: Path) -> dict[tuple, float]:
    """Return what has been measured: (flag, value, seed) → exact match."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = map(json.loads, lines)
    return {(row["flag"], str(row["value"]), row["seed"]): row["exact_match"] for row in rows}


def print_table(measured: dict[tuple, float]) -> None:
    """Print one Markdown row for each value of each flag."""
    print("| flag | value | exact match | lowest | highest | seeds |\n|---|---|---|---|---|---|")
    for flag, value in dict.fromkeys(key[:2] for key in measured):
        found = [rate for key, rate in measured.items() if key[:2] == (flag, value)]
        mean, low, high = (
            f"{100 * x:.1f} %" for x in (sum(found) / len(found), min(found), max(found))
        )
        print(f"| {flag} | {value} | {mean} | {low} | {high} | {len(found)} |")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--model", default=str(ROOT / "demo/model"), help="folder of the base model")
    add("--output", default="demo/ablation", help="folder for renders, adapters and ablation.jsonl")
    add("--seeds", type=positive, default=3, help="runs of each setting")
    add("--test", type=positive, default=300, help="fresh renders that each run reads")
    add("--lr", type=float, default=1e-3, help="learning rate where it is not what changes")
    add("--epochs", type=positive, default=10, help="passes over the photos")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Measure every setting and print the table; return the exit code."""
    args = build_parser().parse_args(argv)
    folder, log = Path(args.output), Path(args.output) / "ablation.jsonl"
    render_photos(folder / "learn", max(VARIED["photos"]), LEARN, views=3)
    render_photos(folder / "test", args.test, TEST, views=1)
    wanted = [("base", "", 0)]
    for seed in range(args.seeds):
        wanted += [(flag, value, seed) for flag, values in VARIED.items() for value in values]
    for flag, value, seed in wanted:
        measured = read_log(log)
        if (flag, str(value), seed) in measured:
            continue
        if flag == "base":
            rate = read_photos(folder, "--model", args.model)
        else:
            rate = measure(folder, args, {flag: value, "--seed": seed})
        row = {"flag": flag, "value": value, "seed": seed, "exact_match": round(rate, 4)}
        say(f"{flag} {value} seed {seed}: {100 * rate:.1f} %")
        with open(log, "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(row) + "\n")
    print_table(read_log(log))
    return 0


if __name__ == "__main__":
    sys.exit(main())
