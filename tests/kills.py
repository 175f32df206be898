"""Kill each script at a random moment, and look at what it leaves.

Somebody saves labels meanwhile, and runs go on with --resume; at the end all is as if nothing had
happened.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from conftest import (
    NUMBER,
    OTHER,
    ROOT,
    TAUGHT,
    draw_photo,
    paint,
    some_numbers,
    write_annotations,
)
from safetensors.torch import load_file

from containers.data.result import Result, parse_record

SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
PATIENCE = 120  # seconds; what takes longer hangs
DONE = 0, 1  # 1: a photo is no photo
ANSWERS = {"red": "ok", "white": "none", "broken": "error"}  # the others are for review
Count = Callable[[str, str | None], None]


def begin(*argv: object) -> subprocess.Popen:
    """Start a command in a group of its own, and wait until it listens to signals."""
    line = [sys.executable, str(ROOT / argv[0]), *map(str, argv[1:])]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(line, start_new_session=True, **pipes)
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        with contextlib.suppress(OSError):
            caught = next(x for x in status.read_text().splitlines() if x.startswith("SigCgt"))
            if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
                break
        time.sleep(0.001)
    return process


def kill(rng: random.Random, process: subprocess.Popen, seconds: float) -> tuple[int, str, str]:
    """Send a random signal within so many seconds; return exit code, stdout and what is wrong."""
    number, whole = rng.choice(SIGNALS), rng.random() < 0.5
    try:
        stdout, stderr = process.communicate(timeout=rng.uniform(0, seconds))
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if whole else os.kill)(process.pid, number)
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return -9, "", f"hang: after {number.name}"
    code = process.returncode
    if "Traceback" in stderr:
        return code, stdout, f"traceback: {number.name}: {stderr[-600:]}"
    if code not in (*DONE, -number, 128 + number):
        return code, stdout, f"wrong: exit code {code} after {number.name}: {stderr[-300:]}"
    if (
        code == 128 + number
        and sum("error: interrupted (" in line for line in stderr.splitlines()) != 1
    ):
        return code, stdout, f"wrong: not one line: {stderr[-300:]}"
    return code, stdout, workers_left(process.pid)


def workers_left(group: int) -> str:
    """Return what is wrong if processes of a group are still there after a moment."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return ""
        time.sleep(0.05)
    return "hang: a worker stayed behind"


def seconds_of(*argv: object) -> float:
    """Return how long a command takes; it must end well."""
    start = time.monotonic()
    process = begin(*argv)
    _, stderr = process.communicate(timeout=10 * PATIENCE)
    assert process.returncode in DONE, stderr
    return time.monotonic() - start


def kill_template(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Kill create_template while somebody saves labels."""
    for place in range(300):
        draw_photo(Path(f"image/{place:03}.jpg"), "")
    path, saved, seconds = Path("annotations.json"), {}, seconds_of("prepare_dataset.py")
    for turn in range(count):
        draw_photo(Path(f"image/new{turn:03}.jpg"), "")
        process = begin("prepare_dataset.py")
        time.sleep(rng.uniform(0, seconds))
        saved |= save_a_label(path, rng.randrange(300), f"LABEL {turn}")
        _, _, problem = kill(rng, process, seconds)
        tell("kills: create_template, labels saved meanwhile", problem or lost_label(path, saved))


def save_a_label(path: Path, place: int, label: str) -> dict[str, str]:
    """Save a label as an editor does that asks when a file has changed; return it by its image."""
    before, new = path.read_bytes(), Path("edited.json")
    data = json.loads(before)
    entry = data["images"][place]
    entry["container_number"] = label
    new.write_text(json.dumps(data, indent=1))
    if path.read_bytes() != before:
        return {}
    new.replace(path)
    return {entry["image_path"]: label}


def lost_label(path: Path, saved: dict[str, str]) -> str | None:
    """Return what is wrong with the annotations: every label that was saved stands there."""
    try:
        entries = json.loads(path.read_bytes())["images"]
    except ValueError:
        return "torn: annotations.json"
    found = {entry["image_path"]: entry["container_number"] for entry in entries}
    lost = [image for image, label in saved.items() if found.get(image) != label]
    return f"lost: {lost}" if lost else None


def kill_prepare(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Kill prepare: both files are whole, and of one split."""
    numbers = {f"image/{i:03}.jpg": number for i, number in enumerate(some_numbers(80))}
    for image in numbers:
        draw_photo(Path(image), image)  # no two alike: labels of one photo must agree
    write_annotations(Path("annotations.json"), numbers)
    seconds = seconds_of("prepare_dataset.py", "--mode", "prepare")
    for turn in range(count):
        process = begin("prepare_dataset.py", "--mode", "prepare", "--seed", turn)
        _, _, problem = kill(rng, process, 1.2 * seconds)
        try:
            sides = [json.loads(Path(f"dataset/{n}.json").read_text()) for n in ("train", "val")]
        except ValueError:
            problem = problem or "torn: train.json or val.json"
        else:
            images = sorted(row["image"] for side in sides for row in side)
            problem = problem or (None if images == sorted(numbers) else "wrong: two splits mixed")
        tell("kills: prepare", problem)


def kill_batch(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Kill batch_process.py --resume again and again; the end is as if it had run once."""
    paint_all(60)
    flags = ["batch_process.py", "--model", models["taught"], "--device", "cpu", "--batch_size", 1]
    what = "kills: batch_process.py --resume"
    seconds = seconds_of(*flags, "--output", "whole.jsonl")
    whole, before = Path("whole.jsonl").read_bytes(), set()
    for _ in range(count):
        code, _, problem = kill(rng, begin(*flags, "--output", "r.jsonl", "--resume"), seconds)
        if code in DONE or Path("r.jsonl").exists():  # it was at its end when it was killed
            same = Path("r.jsonl").read_bytes() == whole
            tell(what, problem or (None if same else "wrong: not the lines of one run"))
            Path("r.jsonl").unlink()
            before = set()
            continue
        partial = Path("r.jsonl.partial")
        lines = partial.read_bytes().split(b"\n")[:-1] if partial.exists() else []
        tell(what, problem or (None if before <= set(lines) else "lost: a line"))
        before = set(lines)


def kill_training(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Kill finetune_florence.py --resume again and again; the end is as if it had run once."""
    draw_data()
    flags = ["finetune_florence.py", "--model", models["tiny"], "--device", "cpu", "--looks", 1]
    flags += ["--dtype", "fp32", "--epochs", 8, "--patience", 8, "--lora_dropout", 0.1]
    seconds = seconds_of(*flags, "--output", "whole")
    curve, weights = (
        Path("whole/train_log.jsonl").read_text(),
        load_file("whole/adapter_model.safetensors"),
    )
    for _ in range(count):
        code, _, problem = kill(rng, begin(*flags, "--output", "lora", "--resume"), seconds)
        log = Path("lora/train_log.jsonl")
        done = log.read_text() if log.exists() else ""
        if not problem and not curve.startswith(done):
            problem = "wrong: another curve"
        with contextlib.suppress(FileNotFoundError):
            try:
                tensors = load_file("lora/adapter_model.safetensors")
                json.loads(Path("lora/adapter_config.json").read_text())
            except Exception as error:
                if not isinstance(error, FileNotFoundError):
                    problem = problem or f"torn: {error}"
        if code in DONE:
            same = done == curve and all(tensors[n].equal(w) for n, w in weights.items())
            problem = problem or (None if same else "wrong: not the adapter of one run")
            shutil.rmtree("lora")
        tell("kills: finetune_florence.py --resume", problem)


def kill_reader(rng: random.Random, count: int, tell: Count, models: dict) -> None:
    """Kill container_ocr.py: every line that it has printed is whole and right."""
    paths = paint_all(30)
    flags = ["container_ocr.py", *paths, "--model", models["taught"], "--device", "cpu", "--json"]
    seconds = seconds_of(*flags)
    for _ in range(count):
        _, stdout, problem = kill(rng, begin(*flags), seconds)
        rows = stdout.split("\n")[:-1]
        try:
            rows = [parse_record(json.loads(row)) for row in rows]
        except ValueError:
            problem = problem or "torn: a line"
        else:
            problem = problem or wrong_answer(rows)
        tell("kills: container_ocr.py", problem)


def paint_all(count: int) -> list[str]:
    """Paint photos whose text the taught model knows, and some that are none; return their names.

    The colour is the first word of the name.
    """
    colours = [*TAUGHT, "broken"]
    names = [f"image/{colours[i % len(colours)]} {i:05}.png" for i in range(count)]
    for name in names:
        if "broken" in name:
            Path(name).write_bytes(b"no photo")
        else:
            paint(Path(name), name.split("/")[1].split()[0])
    return names


def wrong_answer(results: list[Result]) -> str | None:
    """Return which result has not the status that its colour has."""
    for result in results:
        colour, reading = result.image.split("/")[1].split()[0], result.reading
        if reading.status != ANSWERS.get(colour, "review"):
            return f"wrong: {result}"
        if colour == "red" and reading.number != NUMBER:
            return f"wrong: {result}"
    return None


def draw_data() -> None:
    """Draw six training photos of one container and two of another."""
    Path("dataset").mkdir(exist_ok=True)
    for name, number, count in (("train", NUMBER, 6), ("val", OTHER, 2)):
        rows = []
        for i in range(count):
            image = draw_photo(Path(f"learn/{name}{i}.jpg"), f"{number} {i}")
            rows.append({"image": str(image), "prefix": "<OCR>", "suffix": number})
        Path(f"dataset/{name}.json").write_text(json.dumps(rows))
