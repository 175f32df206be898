"""Tests of batch_process.py --watch, in a process of its own, as at a gate."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from conftest import NUMBER, ROOT, error_line, paint, rows_of, wait_until

import batch_process
from containers.data.results import read_results

PARTIAL = Path("results_base.txt.partial")


def watch(flags: list[str], *more: str) -> subprocess.Popen:
    """Start watching the folder image; what is said goes to the file log."""
    command = [sys.executable, str(ROOT / "batch_process.py"), "./image", "--watch", *flags, *more]
    with open("log", "w") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, start_new_session=True)
    wait_until(lambda: "Ctrl-C ends it" in Path("log").read_text() or process.poll() is not None)
    return process


def lines() -> list[str]:
    """Return the names of the photos whose lines are on the disk."""
    return [result.image for result in read_results(PARTIAL)[1]] if PARTIAL.exists() else []


def end(process: subprocess.Popen, number: int) -> int:
    """Send a signal; return the exit code."""
    process.send_signal(number)
    return process.wait(timeout=60)


@pytest.fixture
def gate(taught, here):
    """Put the photos that the model knows aside; return the flags to watch an empty folder."""
    (here / "image").rename(here / "camera")
    (here / "image").mkdir()
    return taught


def test_photos_are_read_as_they_come_and_restarts_lose_and_repeat_nothing(gate, here):
    process = watch(gate)
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
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    assert Path("results_base.txt").read_text().startswith(whole.splitlines()[0])

    shutil.copy("camera/1.png", "image/1.png")
    process = watch(gate, "--resume")
    assert "resume: 2 photos read before" in Path("log").read_text()
    wait_until(lambda: lines() == ["image/0.png", "image/2.png", "image/1.png"])
    assert end(process, signal.SIGINT) == 0
    log = Path("log").read_text()
    assert "stopped (SIGINT)" in log
    assert "results_base.txt: 3 images: 1 ok, 2 review, 0 none, 0 error" in log
    assert "\r" not in log
    assert not PARTIAL.exists()
    assert batch_process.main([*gate, "--output", "one.txt"]) == 0
    assert Path("results_base.txt").read_bytes() == Path("one.txt").read_bytes()

    Path("image/0.png").unlink()  # the gate keeps its photos for a week
    shutil.copy("camera/3.png", "image/3.png")
    process = watch(gate, "--resume", "--report", "report.html")
    wait_until(lambda: lines() == ["image/3.png"])
    assert end(process, signal.SIGTERM) == 0
    rows = rows_of("results_base.txt")
    assert [row[0] for row in rows] == [f"image/{place}.png" for place in range(4)]
    assert rows[0][1:3] == [NUMBER, "ok"]
    assert Path("report.html").read_text().count("<article") == 3


def test_a_dated_list_takes_what_no_other_day_has_read(gate, here):
    for name in ("0.png", "1.png"):
        shutil.copy(f"camera/{name}", "image")
    assert batch_process.main([*gate, "--output", "r_2020-01-01.csv"]) == 0
    shutil.copy("camera/3.png", "image/3.png")
    process = watch(gate, "--resume", "--output", "r_%Y-%m-%d.csv")
    wait_until(lambda: len([*Path().glob("r_*.csv")]) == 2)
    assert end(process, signal.SIGINT) == 0
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
    process = watch(gate)
    assert end(process, signal.SIGINT) == 0
    assert "no photo was read" in Path("log").read_text()
    assert Path("results_base.txt").read_text() == old
    paint(here / "image/a.png", "red").write_text("no photo")
    process = watch(gate, "--batch_size", "4")
    wait_until(lambda: lines() == ["image/a.png"])
    assert end(process, signal.SIGINT) == 1
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
