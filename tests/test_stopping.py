"""Tests of runs that a signal ends, each in a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, create_template, draw_photo, error_line, rows_of, wait_until

import batch_process
from containers.data.result_lines import tabbed
from containers.data.results import read_results

if not hasattr(signal, "SIGHUP"):
    pytest.skip("no such signals there", allow_module_level=True)
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def begin(*argv, **options) -> subprocess.Popen:
    """Type a command; its process leads a group of its own, as in a terminal."""
    command = [sys.executable, str(ROOT / argv[0]), *map(str, argv[1:])]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, start_new_session=True, **pipes, **options)


def members(group: int) -> list[int]:
    """Return the processes of a group that have not ended."""
    shown = subprocess.run(["ps", "-eo", "pgid=,stat=,pid="], capture_output=True, text=True).stdout
    rows = [line.split() for line in shown.splitlines()]
    return [int(pid) for pgid, stat, pid in rows if int(pgid) == group and stat[0] != "Z"]


@pytest.fixture
def many(flags, here):
    """Draw enough photos for a worker to open them; return the flags to read them one by one."""
    for place in range(20):
        draw_photo(here / f"image/d{place:02}.jpg", "")
    return [*flags, "--batch_size", "1", "--looks", "1"]


@pytest.mark.parametrize(
    ("number", "to"),
    [(signal.SIGINT, "group"), (signal.SIGHUP, "group"), (signal.SIGTERM, "leader")],
)
def test_a_signal_ends_a_batch_in_one_line_and_loses_nothing(number, to, many, here):
    process, partial = begin("batch_process.py", *many), Path("results_base.txt.partial")
    wait_until(lambda: partial.exists() and partial.read_text().count("\n") > 8)
    (os.killpg if to == "group" else os.kill)(process.pid, number)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    line = next(x for x in stderr.splitlines() if "interrupted" in x)
    assert line == (
        f"error: interrupted ({number.name}): what was read is kept; --resume goes on from there"
    )
    assert "Traceback" not in stderr
    assert "leak" not in stderr
    wait_until(lambda: not members(process.pid))
    assert {path.name for path in here.iterdir()} == {"image", partial.name}
    assert partial.read_bytes().endswith(b"\n")
    done = [tabbed(result).split("\t") for result in read_results(partial)[1]]
    assert len(done) >= 3
    assert batch_process.main([*many, "--batch_size", "8", "--resume"]) == 1  # bad.jpg
    assert len(rows_of("results_base.txt")) == 24
    assert [row for row in rows_of("results_base.txt") if row in done] == done


HOOK = """
import os, signal, sys
class Press:
    def find_spec(self, name, *_):
        if name == os.environ["WHEN"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), int(os.environ["NUMBER"]))
sys.meta_path.insert(0, Press())
"""


@pytest.mark.parametrize(
    ("number", "module"),
    [
        (signal.SIGINT, "argparse"),
        (signal.SIGTERM, "containers.basis.errors"),
        (signal.SIGHUP, "csv"),
        (signal.SIGINT, "florence.adapter"),
        (signal.SIGINT, "torch"),
        (signal.SIGTERM, "transformers"),
    ],
)
def test_a_signal_during_the_imports_is_one_line(number, module, flags, here):
    (here / "hook").mkdir()
    (here / "hook/sitecustomize.py").write_text(HOOK)
    when = {"PYTHONPATH": str(here / "hook"), "WHEN": module, "NUMBER": str(int(number))}
    process = begin("batch_process.py", *flags, env=os.environ | when)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number
    if "error: image" not in stderr:  # bad.jpg comes before torch
        assert error_line(stderr) == f"error: interrupted ({number.name})"
    assert stderr.splitlines()[-1] == f"error: interrupted ({number.name})"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_annotations_are_written_leaves_the_old_ones(
    number, here, monkeypatch, capsys
):
    draw_photo(here / "image/a.jpg", "")
    assert create_template() == 0
    before = Path("annotations.json").read_bytes()
    draw_photo(here / "image/b.jpg", "")

    def press(file: int) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr(os, "fsync", press)
    capsys.readouterr()
    assert create_template() == 128 + number
    expected = f"error: interrupted ({number.name}): what was there is as it was; run it again"
    assert error_line(capsys.readouterr().err) == expected
    assert Path("annotations.json").read_bytes() == before
    assert {path.name for path in here.iterdir()} == {"image", "annotations.json"}


def test_a_signal_that_is_ignored_stays_ignored(many, here):
    ignore = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}  # as nohup does
    process, partial = begin("batch_process.py", *many, **ignore), Path("results_base.txt.partial")
    wait_until(lambda: partial.exists() and partial.read_text().count("\n") > 8)
    os.killpg(process.pid, signal.SIGHUP)
    process.communicate(timeout=120)
    assert process.returncode == 1  # bad.jpg
    assert len(rows_of("results_base.txt")) == 24


def test_a_signal_that_comes_in_a_finalizer_comes_again_outside_it():
    """Python prints what is raised there, and goes on: the run would not end."""
    program = """
import os, signal, sys, time, weakref
from commands.command_line import ArgumentParser, command

class Thing: pass

@command(lambda: ArgumentParser(""))
def main(args):
    thing = Thing()
    ref = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del thing
    time.sleep(9)
    print("went on")

sys.exit(main([]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "")
    assert done.stderr == "error: interrupted (SIGTERM): run it again\n"


def test_what_a_signal_leaves_half_made_adds_no_traceback_to_the_one_line():
    """The loader of torch that starts processes is like this: its end needs what was to come."""
    program = """
import os, signal, sys
from commands.command_line import ArgumentParser, command

class Loader:
    def __init__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        self.processes = []

    def __del__(self):
        self.processes.clear()

@command(lambda: ArgumentParser(""))
def main(args):
    Loader()

sys.exit(main([]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == "error: interrupted (SIGTERM): run it again\n"
