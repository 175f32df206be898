"""Tests of batch_process.py --watch: as at a gate, with Ctrl-C, restarts and a kill."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TextIO

import pytest
from conftest import NUMBER, ROOT, error_line, paint, rows_of, type_until, wait_until

import batch_process
from containers.data.results import read_results

PARTIAL = Path("results_base.txt.partial")


@contextlib.contextmanager
def log() -> Iterator[TextIO]:
    """Have what is said go to the file log, line by line."""
    with (
        open("log", "w", buffering=1) as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
    ):
        yield file


def watch(flags: list[str], is_so: Callable[[], bool], *more: str, number=signal.SIGINT) -> int:
    """Watch the folder image until something is so, which a signal ends; return the exit code."""
    argv = ["./image", "--watch", *flags, *more]
    with log():
        return type_until(is_so, batch_process.main, argv, number)


def begins() -> bool:
    """Tell whether the folder is being watched."""
    return "Ctrl-C ends it" in Path("log").read_text()


def lines() -> list[str]:
    """Return the names of the photos whose lines are on the disk."""
    return [result.image for result in read_results(PARTIAL)[1]] if PARTIAL.exists() else []


@pytest.fixture
def gate(taught, here):
    """Put the photos that the model knows aside; return the flags to watch an empty folder."""
    (here / "image").rename(here / "camera")
    (here / "image").mkdir()
    return taught


def test_photos_are_read_as_they_come_and_restarts_lose_and_repeat_nothing(gate, here):
    command = [sys.executable, str(ROOT / "batch_process.py"), "./image", "--watch", *gate]
    with log() as file:
        process = subprocess.Popen(command, stderr=file, stdout=file)
    wait_until(lambda: begins() or process.poll() is not None)
    shutil.copy("camera/0.png", "image/0.png")
    wait_until(lambda: "image/0.png: " in Path("log").read_text())
    said = time.monotonic()
    wait_until(lambda: lines() == ["image/0.png"])
    assert time.monotonic() - said < 1
    wait_until(Path("results_base.txt").exists)
    whole = Path("results_base.txt").read_text()
    assert "image/0.png" in whole
    assert whole.endswith(" 0 error\n"), "a list at its real name is whole"
    data = Path("camera/2.png").read_bytes()
    Path("image/2.png").write_bytes(data[: len(data) // 2])
    time.sleep(3)
    assert lines() == ["image/0.png"], "half a photo is not read"
    with open("image/2.png", "ab") as file:
        file.write(data[len(data) // 2 :])
    wait_until(lambda: lines() == ["image/0.png", "image/2.png"])
    process.kill()
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert Path("results_base.txt").read_text().startswith(whole.splitlines()[0])

    shutil.copy("camera/1.png", "image/1.png")
    all_three = ["image/0.png", "image/2.png", "image/1.png"]
    assert watch(gate, lambda: lines() == all_three, "--resume") == 0
    said = Path("log").read_text()
    assert "resume: 2 photos read before" in said
    assert "stopped (SIGINT)" in said
    assert "results_base.txt: 3 images: 1 ok, 2 review, 0 none, 0 error" in said
    assert "\r" not in said
    assert not PARTIAL.exists()
    assert batch_process.main([*gate, "--output", "one.txt"]) == 0
    assert Path("results_base.txt").read_bytes() == Path("one.txt").read_bytes()

    Path("image/0.png").unlink()  # the gate keeps its photos for a week
    shutil.copy("camera/3.png", "image/3.png")
    more, number = ("--resume", "--report", "report.html"), signal.SIGTERM
    assert watch(gate, lambda: lines() == ["image/3.png"], *more, number=number) == 0
    rows = rows_of("results_base.txt")
    assert [row[0] for row in rows] == [f"image/{place}.png" for place in range(4)]
    assert rows[0][1:3] == [NUMBER, "ok"]
    assert Path("report.html").read_text().count("<article") == 3


def test_a_dated_list_takes_what_no_other_day_has_read(gate, here):
    for name in ("0.png", "1.png"):
        shutil.copy(f"camera/{name}", "image")
    assert batch_process.main([*gate, "--output", "r_2020-01-01.csv"]) == 0
    shutil.copy("camera/3.png", "image/3.png")
    dated = ("--resume", "--output", "r_%Y-%m-%d.csv")
    assert watch(gate, lambda: len([*Path().glob("r_*.csv")]) == 2, *dated) == 0
    _, today = sorted(Path().glob("r_*.csv"))
    assert today.stem == f"r_{date.today()}"  # but at midnight
    assert [result.image for result in read_results(today)[1]] == ["image/3.png"]
    assert len(read_results(Path("r_2020-01-01.csv"))[1]) == 2


def test_the_date_is_filled_in_once_where_nothing_is_watched(taught):
    assert batch_process.main([*taught, "--output", "%Y/r%%.txt"]) == 0
    assert len(rows_of(f"{date.today().year}/r%.txt")) == 5


def test_what_cannot_be_read_is_a_line_and_an_end_without_photos_leaves_the_old_file(gate, here):
    old = "# batch_process.py: an older run\n"
    Path("results_base.txt").write_text(old)
    assert watch(gate, begins) == 0
    assert "no photo was read" in Path("log").read_text()
    assert Path("results_base.txt").read_text() == old
    paint(here / "image/a.png", "red").write_text("no photo")
    assert watch(gate, lambda: lines() == ["image/a.png"], "--batch_size", "4") == 1
    assert rows_of("results_base.txt")[0][2] == "error: not an image that Pillow can read"


@pytest.mark.parametrize(
    ("flags", "world", "reason"),
    [
        (["no", "--watch"], "1", "no: no such folder; name the folder where photos arrive"),
        (["--watch"], "2", "--watch reads in one process: run it without accelerate launch"),
    ],
)
def test_what_cannot_be_watched_is_said_at_once(flags, world, reason, taught, monkeypatch, capsys):
    monkeypatch.setitem(os.environ, "WORLD_SIZE", world)
    assert batch_process.main([*flags, *taught]) == 2
    assert reason in error_line(capsys.readouterr().err)
