"""Tests of the results of a run that watches: lines at once, and a list that is kept current."""

import os
from pathlib import Path

import pytest
from conftest import NUMBER

from containers.basis.errors import FlagError
from containers.data.journal import Journal
from containers.data.result import Result
from containers.data.result_file import MADE_BY, Provenance
from containers.data.result_tables import USUAL
from containers.data.results import read_results, require_results, stream_results, write_results
from containers.data.watched_results import WatchedResults
from containers.number.reading import Reading

HERE = f"{MADE_BY}: model here"
NAMES = ["r.txt", "r.csv", "r.jsonl", "r.xlsx"]


def read(image: str) -> Result:
    """Return the result of a photo that was read."""
    return Result(image, Reading(NUMBER, "ok", (), 0.97), "", "2026-11-26T12:00:00+00:00")


class Clock:
    """Seconds that pass when a test says so, and while a list is written."""

    def __init__(self):
        self.now, self.cost, self.written = 0.0, 0.0, []

    def __call__(self) -> float:
        return self.now

    def write(self, *args, **options) -> str:
        """Write a list as ever, at a cost."""
        self.written.append(self.now)
        self.now += self.cost
        return write_results(*args, **options)


@pytest.fixture
def clock(here, monkeypatch) -> Clock:
    """Return a clock by which lists are written."""
    clock = Clock()
    monkeypatch.setattr("containers.data.journal.write_results", clock.write)
    return clock


def watch(name: str, clock: Clock, resume: bool = False) -> WatchedResults:
    """Begin to watch, as the command does."""

    def finish(journal: Journal, description: str, results: list[Result]) -> int:
        journal.finish(description, results, USUAL)
        return 0

    journal = Journal(Path(name))
    watched = WatchedResults(journal, USUAL, finish, clock)
    watched.begin(HERE, journal.earlier(HERE) if resume else {})
    return watched


def listed(name: str) -> list[str]:
    """Return the photos of a list; fail if it is not whole."""
    provenance = Provenance()
    images = [result.image for _, result in stream_results(Path(name), provenance)]
    assert not provenance.problem
    return images


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_run_has_left_a_whole_list_at_its_name_and_goes_on_from_its_lines(name, clock):
    watched = watch(name, clock)
    for image in "ba":
        watched.add(read(image), None)
    watched.look()
    watched.add(read("c"), None)  # and it is killed before the list is written again
    assert listed(name) == ["a", "b"]
    require_results("--output", Path(name))
    assert read_results(Path(name))[0] == HERE
    again = watch(name, clock, resume=True)
    assert [*again.results] == ["b", "a", "c"]
    again.look()
    assert listed(name) == ["a", "b", "c"], "what the list lacked is in it before a photo comes"
    again.add(read("d"), None)
    again.end()
    assert listed(name) == ["a", "b", "c", "d"]
    assert not Path(f"{name}.partial").exists()


@pytest.mark.parametrize(("cost", "least"), [(0.25, 10), (3, 60)])
def test_the_list_takes_a_twentieth_of_the_time_at_most_and_is_soon_current(cost, least, clock):
    watched, clock.cost = watch("r.txt", clock), cost
    for place in range(1000):
        if place % 10 == 0:
            watched.add(read(f"{place:03}"), None)
        watched.look()
        clock.now += 1
    pauses = [b - a - cost for a, b in zip(clock.written, clock.written[1:])]
    assert least <= min(pauses)
    assert max(pauses) <= least + 10
    for _ in range(2 * least):  # nothing comes any more
        watched.look()
        clock.now += 1
    assert len(listed("r.txt")) == 100
    last = len(clock.written)
    for _ in range(1000):
        watched.look()
        clock.now += 1
    assert len(clock.written) == last, "a list that lacks nothing is not written"


def test_a_list_that_a_spreadsheet_holds_is_said_once_and_written_later(clock, monkeypatch, capsys):
    watched = watch("r.csv", clock)

    def refuse(*args, **options):
        raise FlagError("cannot write r.csv: Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("containers.data.journal.write_results", refuse)
        for image in "abc":
            watched.add(read(image), None)
            watched.look()
            clock.now += 60
    said = capsys.readouterr().err
    assert said.count("warning: cannot write r.csv: Permission denied") == 1
    assert "r.csv.partial has every line" in said
    watched.look()
    assert listed("r.csv") == ["a", "b", "c"]


def test_a_photo_that_changes_while_the_list_is_written_anew_is_read_again(clock):
    """The time of a complete list told which photos had changed since; now it is a newer one."""
    for image in "ab":
        Path(image).write_text("yesterday's")
        os.utime(image, (1, 1))
    write_results(Path("r.txt"), HERE, [read("a"), read("b")], "image")
    os.utime("r.txt", (2, 2))
    watched = watch("r.txt", clock, resume=True)
    Path("a").write_text("today's, which waits for its turn")
    watched.add(read("c"), None)
    watched.look()
    assert os.stat("a").st_mtime_ns <= os.stat("r.txt").st_mtime_ns
    assert [*watch("r.txt", clock, resume=True).results] == ["c", "b"]
