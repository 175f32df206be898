"""Tests of stopped runs of batch_process.py: nothing is lost, nothing read twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import (
    NUMBER,
    ROOT,
    draw_photo,
    error_line,
    paint,
    rows_of,
    stop_before,
    write_annotations,
)

import batch_process
from containers.basis.locks import only_writer
from containers.data.results import read_results


def test_a_stopped_run_leaves_its_lines_and_resumes_without_reading_them_again(taught, monkeypatch):
    assert batch_process.main([*taught, "--output", "whole.txt"]) == 0
    flags = [*taught, "--output", "results.txt", "--batch_size", "1"]
    with monkeypatch.context() as patch:
        stop_before(2, patch)
        assert batch_process.main(flags) == 130
    assert not Path("results.txt").exists()
    assert len(rows_of("results.txt.partial")) == 2
    with open("results.txt.partial", "a") as file:
        file.write("image/2.png\ttorn li")  # killed in the middle of a line
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([*flags, "--resume"]) == 0
    assert sizes == [1, 1, 1]
    assert Path("results.txt").read_bytes() == Path("whole.txt").read_bytes()
    assert not Path("results.txt.partial").exists()


def test_resume_on_a_complete_file_reads_new_and_failed_photos_only(taught, here, monkeypatch):
    (here / "image/bad.png").write_text("no photo")
    assert batch_process.main(taught) == 1
    paint(here / "image/bad.png", "red")
    paint(here / "image/00 new.png", "red")
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([*taught, "--resume"]) == 0
    assert sizes == [2]
    rows = rows_of("results_base.txt")
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert [row[2] for row in rows].count("ok") == 3


def test_a_second_kill_before_the_first_new_line_loses_nothing(taught, here, monkeypatch, capsys):
    flags = [*taught, "--batch_size", "1", "--output", "r.csv"]
    with monkeypatch.context() as patch:
        stop_before(3, patch)
        assert batch_process.main(flags) == 130
    before = Path("r.csv.partial").read_bytes()
    paint(here / "image/00 sorts first.png", "red")
    with monkeypatch.context() as patch:
        stop_before(0, patch)
        assert batch_process.main([*flags, "--resume"]) == 130
        assert Path("r.csv.partial").read_bytes() == before
        assert batch_process.main(flags) == 130  # --resume forgotten, and nothing read
    assert "--resume continues it" in capsys.readouterr().err
    assert Path("r.csv.partial").read_bytes() == before
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([*flags, "--resume"]) == 0
    assert len(sizes) == 3
    assert len(read_results(Path("r.csv"))[1]) == 6


def test_a_stopped_run_goes_on_where_an_older_runs_file_was_to_be_replaced(
    taught, tiny_model, monkeypatch
):
    older = ["--model", str(tiny_model), "--device", "cpu", "--dtype", "fp32", "--looks", "1"]
    assert batch_process.main(older) == 0
    flags = [*taught, "--batch_size", "1"]
    with monkeypatch.context() as patch:
        stop_before(2, patch)
        assert batch_process.main(flags) == 130
    assert batch_process.main([*flags, "--resume"]) == 0
    assert [row[2][:6] for row in rows_of("results_base.txt")].count("review") == 3


def test_a_line_torn_inside_a_letter_is_dropped(taught, here):
    paint(here / "image/한글.png", "red")
    taught += ["--output", "r.jsonl"]
    assert batch_process.main(taught) == 0
    whole = (here / "r.jsonl").read_bytes()
    torn = whole[: whole.index("한글".encode()) + 1]
    (here / "r.jsonl.partial").write_bytes(torn)
    assert batch_process.main([*taught, "--resume"]) == 0
    assert (here / "r.jsonl").read_bytes() == whole


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are UTF-8 there")
@pytest.mark.parametrize("output", ["r.txt", "r.csv", "r.jsonl"])
def test_names_that_are_no_utf8_are_read_back_as_they_are(output, taught, here, monkeypatch):
    names = [b"x\xff.png", rb"x\udcff.png", b"x\x1b[2J.png", "x\u2028.png".encode()]
    for name in names:
        paint(here / os.fsdecode(name), "red")
    assert batch_process.main([".", *taught, "--output", output]) == 0
    before = Path(output).read_bytes()
    assert b"\x1b" not in before
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([".", *taught, "--output", output, "--resume"]) == 0
    assert not sizes
    assert Path(output).read_bytes() == before
    found = [result.image for result in read_results(Path(output))[1]]
    assert {os.fsdecode(name) for name in names} <= set(found)
    assert len(found) == 9


@pytest.mark.parametrize("output", ["r.txt", "r.csv", "r.jsonl"])
def test_odd_file_names_are_read_back_as_they_are(output, taught, here, monkeypatch, capsys):
    names = ["#1.png", "tab\there.png", "line\nend.png", 'a,"b.png', "two  s.png", r"b\t.png"]
    for name in names:
        paint(here / name, "red")
    assert batch_process.main([".", *taught, "--output", output]) == 0
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([".", *taught, "--output", output, "--resume"]) == 0
    assert not sizes
    write_annotations(here / "annotations.json", dict.fromkeys(names, NUMBER))
    assert batch_process.main(["--compare", output, output]) == 0
    assert "6 of 6 labelled images" in capsys.readouterr().out


def test_a_file_that_is_no_result_file_is_not_overwritten(taught, here, capsys):
    write_annotations(here / "annotations.json", {"image/0.png": NUMBER})
    (here / "annotations.json").rename(here / "annotations.txt")
    before = (here / "annotations.txt").read_bytes()
    assert batch_process.main([*taught, "--output", "annotations.txt"]) == 2
    assert "annotations.txt is no result file" in error_line(capsys.readouterr().err)
    assert (here / "annotations.txt").read_bytes() == before


def test_resume_refuses_the_lines_of_another_model(taught, tiny_model, capsys):
    assert batch_process.main(taught) == 0
    before = Path("results_base.txt").read_bytes()
    assert batch_process.main(["--model", str(tiny_model), "--device", "cpu", "--resume"]) == 1
    assert "made by another run" in error_line(capsys.readouterr().err)
    assert Path("results_base.txt").read_bytes() == before


def test_resume_names_the_flag_that_has_changed_and_another_output(taught, capsys):
    assert batch_process.main(taught) == 0
    assert batch_process.main([*taught, "--review_below", "0.7", "--resume"]) == 1
    assert error_line(capsys.readouterr().err).endswith(
        "(--review_below: review below 0.4, now review below 0.7): give the same flags, or begin "
        "another file with --output results_base-2.txt"
    )


def test_a_run_killed_for_real_keeps_the_old_file_and_can_go_on(flags, here):
    (here / "results_base.txt").write_text("# batch_process.py: the old file\n")
    for place in range(20):
        draw_photo(here / f"image/d{place:02}.jpg", "")
    flags += ["--looks", "1"]
    command = [sys.executable, str(ROOT / "batch_process.py"), *flags, "--batch_size", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    partial = here / "results_base.txt.partial"
    until = time.monotonic() + 120
    while time.monotonic() < until and not (
        partial.exists() and partial.read_text().count("\n") > 8
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (here / "results_base.txt").read_text() == "# batch_process.py: the old file\n"
    done = len(rows_of("results_base.txt.partial"))
    assert done >= 3
    assert batch_process.main([*flags, "--resume"]) == 1  # bad.jpg
    assert len(rows_of("results_base.txt")) == 24


def test_a_second_run_on_the_same_results_is_refused_and_harms_nothing(taught, capsys):
    with only_writer("results_base.txt"):
        assert batch_process.main(taught) == 1
        assert batch_process.main([*taught, "--output", "other.txt"]) == 0
    line = error_line(capsys.readouterr().err)
    assert f"results_base.txt is being written by process {os.getpid()}" in line
    assert not Path("results_base.txt").exists()
    assert batch_process.main(taught) == 0
