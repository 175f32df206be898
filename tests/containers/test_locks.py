"""Tests of the one writer."""

import os
import signal
import subprocess
import sys

import pytest
from conftest import ROOT

from containers.basis.errors import FlagError, UserError
from containers.basis.locks import only_writer

HOLD = """
from containers.basis.locks import only_writer
with only_writer("r.txt"):
    print("held", flush=True)
    input()
"""


def other_process(cwd) -> subprocess.Popen:
    """Return another process that holds r.txt."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", HOLD], cwd=cwd, env=environment, **pipes)
    assert process.stdout.readline()
    return process


def test_a_second_writer_is_told_which_process_was_first(here):
    process = other_process(here)
    with (
        pytest.raises(UserError, match=rf"r\.txt is being written by process {process.pid}"),
        only_writer("r.txt"),
    ):
        pass
    process.communicate(b"\n")
    with only_writer("r.txt"):
        pass
    assert not list(here.iterdir()), "nothing is left behind"


def test_a_killed_writer_does_not_stand_in_the_way(here):
    process = other_process(here)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (here / ".r.txt.lock").exists()
    with only_writer("r.txt"):
        pass


def test_two_names_of_one_file_have_one_writer(here):
    (here / "r.txt").touch()
    (here / "link.txt").symlink_to("r.txt")
    process = other_process(here)
    with pytest.raises(UserError, match=r"link\.txt is being written"), only_writer("link.txt"):
        pass
    process.communicate(b"\n")


def test_what_cannot_be_held_cannot_be_written(here):
    (here / "file").touch()
    with pytest.raises(FlagError, match="cannot write file/r"), only_writer("file/r.txt"):
        pass
