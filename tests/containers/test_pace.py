"""Tests of the line that tells how far long work is."""

import io
import re
import sys

import pytest
from conftest import train

import batch_process
from containers.basis import pace
from containers.basis.pace import Pace, duration
from containers.basis.talk import log
from containers.number.reading import Hypothesis
from containers.photo.look_pace import LookPace
from containers.photo.looks import Search


@pytest.fixture
def always(monkeypatch):
    """Have every step say a line, where stderr is no terminal."""
    monkeypatch.setattr(pace, "LOG_SECONDS", 0)


def test_a_log_gets_a_plain_line_at_times_and_nothing_at_the_end(monkeypatch, capsys):
    monkeypatch.setattr(pace, "LOG_SECONDS", 0.05)
    with Pace(title="reading", total=4000) as work:
        while work.format_dict["elapsed"] < 0.12:
            work.update()
    lines = capsys.readouterr().err.splitlines()
    assert 1 <= len(lines) <= 3
    assert all(line.startswith("reading: ") and " of 4,000, " in line for line in lines)


def test_short_work_says_nothing_in_a_log(capsys):
    assert list(Pace(range(3), title="x", total=3)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_the_rate_is_of_what_this_run_did(always, capsys, monkeypatch):
    with Pace(title="steps", total=100, done=40) as work:
        work.start_t -= 100
        work.update(10)
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("steps: 50 of 100, 6.0 a minute, 08:2")


def test_a_terminal_gets_one_line_and_warnings_stand_above_it(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with Pace(title="reading", total=2) as work:
        work.set_postfix_str("1 ok", refresh=False)
        work.update()
        log.warning("look")
        work.update()
    shown = sys.stderr.getvalue()
    assert "\rwarning: look\n" in shown, "the bar was cleared before"
    assert shown.count("\n") == 1
    assert shown.endswith("\r"), "and is gone at the end"


def test_a_folder_that_is_read_counts_ok_review_and_none(taught, always, capsys):
    assert batch_process.main(taught) == 0
    err = capsys.readouterr().err
    line = next(
        line for line in err.splitlines() if line.startswith("reading: 5 of 5 photos, 5 looks, ")
    )
    assert line.endswith(" left, 1 ok, 3 review, 1 none, 0 error")
    assert "\r" not in err


def test_a_training_says_steps_epoch_and_loss_and_no_line_is_glued_to_another(data, always, capfd):
    assert train(data, "--epochs", "2", "--looks", "2") == 0
    out, err = capfd.readouterr()
    assert "\r" not in err + out
    for line in (
        r"looking nearer: 2 of 2 photos, \d+ looks",
        r"features: (\d+) of \1",
        r"steps: (\d+) of \1",
    ):
        assert re.search(rf"^{line}, [0-9.]+ a (second|minute), ", err, re.MULTILINE), line
    assert "left, epoch 2 of 2, loss " in err
    assert [line[:8] for line in out.splitlines()] == ["Epoch 1:", "Epoch 2:", "Best: ep"]


def looked_at(count: int, sure: bool) -> list[Search]:
    """Return searches after one look each, over or not."""
    searches = [Search("photo.jpg") for _ in range(count)]
    for search in searches:
        reading = Hypothesis("CSQU 305438 3", confidence=0.99 if sure else 0.001)
        search.take_in(None, reading, [(0.2 + 0.06 * i, 0.5) for i in range(11)], (900, 600))
    return searches


def test_after_the_first_looks_the_time_of_all_is_said_once_and_that_of_fewer_looks(capsys):
    with LookPace(title="reading", total=100) as pace:
        pace.look(looked_at(1, True) + looked_at(3, False), 28.0)
        pace.look(looked_at(4, False), 28.0)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "reading: about 8 h 20 min for 100 photos, with up to 57 looks of 7.0 s (1 of the first 4 "
        "were sure at once); --looks 4: about 38 min"
    )  # 100 * 7 s * (1 + 3/4 * 56), and * (1 + 3/4 * 3)


def test_photos_that_have_ended_tell_the_time_better_than_the_first_looks(capsys):
    with LookPace(title="reading", total=400) as pace:
        pace.look(looked_at(10, True) + looked_at(10, False), 9.0)
        pace.update(10)
        pace.look(looked_at(10, False), 1.0)
    assert capsys.readouterr().err == "reading: about 7 min for 400 photos\n"  # 400 * 10 s / 10


def test_nothing_is_foretold_of_short_work_nor_by_looks_that_have_not_warmed_up(capsys):
    with LookPace(title="reading", total=20) as pace:
        pace.look(looked_at(4, False), 9.9)
        pace.look(looked_at(400, True), 0.2)
    assert capsys.readouterr().err == ""


def test_looks_move_the_line_before_any_photo_has_ended(always, capsys):
    with LookPace(title="reading", total=100) as pace:
        pace.look(looked_at(4, False), 8.0)
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("reading: 0 of 100 photos, 4 looks, 30.0 looks a minute, ")


def test_a_long_training_is_foretold_by_its_first_steps(capsys):
    with Pace(title="steps", total=400) as work:
        work.update()
        work.start_t -= 20
        work.update()
        work.update()
    assert capsys.readouterr().err == "steps: about 67 min for 400\n"


def test_a_time_is_said_as_exactly_as_an_estimate_is():
    seconds = 40.2, 89, 1500, 7700, 14400, 99_000
    assert [duration(s) for s in seconds] == [
        *("41 s", "89 s", "25 min", "2 h 10 min", "4 h", "27 h 30 min")
    ]
