"""Attack the four scripts for an hour, and print what broke: nothing should.

    python tests/endurance.py --output endurance.md

Kills by SIGKILL, SIGTERM, SIGINT and SIGHUP: see tests/kills.py. Broken inputs: see
tests/broken.py. Others' files, outputs that are one file, values of flags, and connections to the
label page: see tests/touches.py. Then a small full disk and a read-only one (tmpfs, for root),
a long run of reads with known answers and a long training, with memory, open files and threads
sampled. The models are tiny and real. --part runs one of these alone.
"""

import argparse
import contextlib
import inspect
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start("tests/requirements.txt")
os.environ["HF_HUB_OFFLINE"] = os.environ["OMP_NUM_THREADS"] = "1"

from broken import MAKERS
from conftest import NUMBER, OTHER, write_annotations
from kills import (
    DONE,
    PATIENCE,
    draw_data,
    kill_batch,
    kill_prepare,
    kill_reader,
    kill_template,
    kill_training,
    paint_all,
    wrong_answer,
)
from tiny_models import save_taught_model, save_tiny_model
from touches import cross_outputs, odd_values, press_sockets, touch_others

from commands.command_line import ArgumentParser, command
from commands.flags import positive, seed
from containers.basis.talk import log
from containers.data.results import read_results

BAD = ("lost", "torn", "traceback", "hang", "wrong")


class Table:
    """What was tried, how often, and what went wrong."""

    def __init__(self, output: Path):
        self.output = output
        self.tried, self.failed, self.notes = Counter(), Counter(), {}

    def count(self, what: str, problem: str | None) -> None:
        """Count a try; a problem begins with its kind, one of BAD."""
        self.tried[what] += 1
        if problem:
            log.info(f"{what}: {problem}")
            self.failed[what, problem.split(":")[0]] += 1
        self.write()

    def write(self) -> None:
        """Write the table so far: an hour is long."""
        self.output.write_text("\n".join(self.lines()) + "\n", encoding="utf-8")

    def lines(self) -> list[str]:
        """Return the table."""
        titles = ["what", "tried", *BAD, "measured"]
        rows = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
        for what, tried in self.tried.items():
            cells = [what, f"{tried:,}", *(str(self.failed[what, bad]) for bad in BAD)]
            rows.append(f"| {' | '.join([*cells, self.notes.get(what, '')])} |")
        return rows


def break_inputs(rng: random.Random, count: int, table: Table, models: dict) -> None:
    """Try so many broken inputs of all kinds."""

    def hang(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, hang)
    share = -(-count // len(MAKERS))
    for kind, maker in MAKERS.items():
        model = [models["tiny"]] if "model" in inspect.signature(maker).parameters else []
        for check in maker(rng, share, *model):
            signal.alarm(PATIENCE)
            try:
                with contextlib.redirect_stderr(io.StringIO()):
                    problem = check()
            except TimeoutError:
                problem = "hang: "
            except BaseException as error:
                problem = f"traceback: {error!r}"
            signal.alarm(0)
            table.count(f"broken inputs: {kind}", problem)


@contextlib.contextmanager
def disk(*options: str) -> Iterator[Path]:
    """Mount a disk in memory; needs root."""
    folder = Path("disk")
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill_disks(rng: random.Random, count: int, table: Table, models: dict) -> None:
    """Run each script on a disk with ever less room, and on one that is read-only."""
    paint_all(60)
    draw_data()
    reds = [str(path) for path in Path("image").glob("red*")]
    write_annotations(Path("good.json"), dict(zip(reds, [NUMBER, OTHER] * 30)))
    model = ["--device", "cpu", "--model"]
    lines = [
        ["prepare_dataset.py", "--annotation_file", "disk/a.json"],
        ["prepare_dataset.py", "--mode", "prepare", "--annotation_file", "good.json"],
        ["batch_process.py", "--output", "disk/r.txt", *model, models["taught"]],
        ["finetune_florence.py", "--no-cache", "--output", "disk/l", *model, models["tiny"]],
    ]
    lines[1] += ["--output_dir", "disk/d"]
    lines[3] += ["--epochs", "1", "--looks", "1"]
    for kind in ["ro", *(f"size={4 * rng.randrange(1, 20)}k" for _ in range(count - 1))]:
        with disk("-o", kind):
            for line in lines:
                done = subprocess.run(
                    [sys.executable, str(ROOT / line[0]), *map(str, line[1:])],
                    capture_output=True,
                    text=True,
                    timeout=10 * PATIENCE,
                )
                table.count("disks that are full or read-only", disk_problem(done))


def disk_problem(done: subprocess.CompletedProcess) -> str | None:
    """Return what is wrong after a run on a disk without room."""
    said = [x for x in done.stderr.splitlines() if x.startswith("error: cannot write")]
    if "Traceback" in done.stderr:
        return f"traceback: {done.stderr[-600:]}"
    if done.returncode not in (0, 1, 2) or len(said) > 1:
        return f"wrong: {done.returncode}: {done.stderr[-300:]}"
    for path in Path("disk").rglob("*.json"):
        try:
            json.loads(path.read_text())
        except ValueError:
            return f"torn: {path}"
    for path in Path("disk").glob("r.txt"):
        problem = wrong_answer(read_results(path)[1])
        if problem:
            return problem
    return None


def sample(process: subprocess.Popen) -> list[tuple[float, int, int]]:
    """Return (MB, open files, threads) of a process, and of what it starts, once a second."""
    import psutil

    samples, leader = [], psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            family = [leader, *leader.children(recursive=True)]
            sizes = sum(p.memory_info().rss for p in family) / 1e6
            samples.append((sizes, *(sum(f(p) for p in family) for f in COUNTS)))
        time.sleep(1)
    return samples


COUNTS = (lambda p: p.num_fds(), lambda p: p.num_threads())


def measured(samples: list[tuple], seconds: float) -> str:
    """Return what was sampled after a quarter of the time and at the end of it."""
    early, late = samples[len(samples) // 4], samples[-2]
    names = ("MB", "open files", "threads")
    pairs = [f"{a:.0f} to {b:.0f} {name}" for a, b, name in zip(early, late, names)]
    return f"{', '.join(pairs)}, in {seconds:.0f} s"


def long_run(table: Table, what: str, count: int, *argv: object) -> str:
    """Run a command to its end and sample it; return what it said on stderr."""
    start = time.monotonic()
    with open("stderr.txt", "w") as stderr:
        line = [sys.executable, str(ROOT / argv[0]), *map(str, argv[1:])]
        process = subprocess.Popen(line, stderr=stderr, stdout=subprocess.DEVNULL)
        samples = sample(process)
    said = Path("stderr.txt").read_text()
    table.notes[what] = measured(samples, time.monotonic() - start)
    table.tried[what] = count
    if "Traceback" in said or process.returncode not in DONE:
        table.failed[what, "traceback"] += 1
    early, late = samples[len(samples) // 4][0], samples[-2][0]
    if late > 1.2 * early:
        table.failed[what, "wrong"] += 1
        log.info(f"memory grows: {table.notes[what]}")
    return said


def read_long(rng: random.Random, count: int, table: Table, models: dict) -> None:
    """Read so many photos with known answers."""
    paint_all(count)
    flags = ["--model", models["taught"], "--device", "cpu", "--batch_size", 16, "--looks", 1]
    long_run(table, "photos read in one run", count, "batch_process.py", *flags)
    rows = read_results(Path("results_base.txt"))[1]
    wrong = sum(wrong_answer([row]) is not None for row in rows)
    table.failed["photos read in one run", "wrong"] += wrong
    table.failed["photos read in one run", "lost"] += count - len(rows)


def train_long(rng: random.Random, count: int, table: Table, models: dict) -> None:
    """Train so many steps."""
    draw_data()
    flags = ["--model", models["tiny"], "--device", "cpu", "--looks", 1, "--dtype", "fp32"]
    flags += ["--epochs", count // 3, "--patience", count, "--lr", 1e-5]
    long_run(table, "training steps in one run", count, "finetune_florence.py", *flags)
    log = Path("florence-container-lora/train_log.jsonl").read_text().splitlines()
    table.failed["training steps in one run", "lost"] += count // 3 - len(log)


def counting(part: Callable) -> Callable:
    """Return a part of tests/kills.py or tests/touches.py that counts in the table."""
    return lambda rng, count, table, models: part(rng, count, table.count, models)


PARTS: dict[str, tuple[int, Callable]] = {
    "template": (100, counting(kill_template)),
    "prepare": (80, counting(kill_prepare)),
    "batch": (60, counting(kill_batch)),
    "training": (40, counting(kill_training)),
    "reader": (40, counting(kill_reader)),
    "inputs": (3_200, break_inputs),
    "others": (300, counting(touch_others)),
    "outputs": (200, counting(cross_outputs)),
    "values": (4_000, counting(odd_values)),
    "sockets": (900, counting(press_sockets)),
    "disks": (10, fill_disks),
    "reads": (20_000, read_long),
    "steps": (2_001, train_long),
}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--output", default="endurance.md", help="where the table goes")
    add("--part", nargs="*", choices=PARTS, metavar="PART", help=f"some of {', '.join(PARTS)}")
    add("--count", type=positive, help="how often, in place of each part's own number")
    add("--seed", type=seed, default=0, help="of all that is random")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Run the parts and write the table; exit code 1 if anything broke."""
    table = Table(Path(args.output).resolve())
    with tempfile.TemporaryDirectory() as folder:
        tiny = save_tiny_model(Path(folder, "tiny"))
        models = {"tiny": tiny, "taught": save_taught_model(tiny, Path(folder, "taught"))}
        for name in args.part or PARTS:
            count, part = PARTS[name]
            place = Path(folder, name)
            (place / "image").mkdir(parents=True)
            os.chdir(place)
            part(random.Random(args.seed), args.count or count, table, models)
            table.write()
            os.chdir(folder)
    print(*table.lines(), sep="\n")
    return 1 if table.failed.total() else 0


if __name__ == "__main__":
    sys.exit(main())
