"""Tests of the results of a run that watches: lines at once, and a list that is kept current."""

import os
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import NUMBER, paint

from containers.basis.errors import FlagError
from containers.basis.locks import only_writer
from containers.data.dated_names import DatedName
from containers.data.journal import Journal
from containers.data.result import Result
from containers.data.result_file import MADE_BY, Provenance
from containers.data.result_tables import USUAL_COLUMNS
from containers.data.results import read_results, require_results, stream_results, write_results
from containers.data.watched_results import WatchedResults
from containers.number.reading import Reading
from containers.photo.files import Stamp, stamp_of

HERE = f"{MADE_BY}: model here"
NAMES = ["r.txt", "r.csv", "r.jsonl", "r.xlsx"]


class Clock:
    """Seconds that pass when a test says so, and while a list is written."""

    def __init__(self):
        self.now, self.cost, self.written = 0.0, 0.0, []

    def __call__(self) -> float:
        """Return how many have passed."""
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


class Day:
    """The date and time, which pass when a test says so."""

    def __init__(self, text: str):
        self.set(text)

    def set(self, text: str) -> None:
        """Have it be another time."""
        self.time = datetime.fromisoformat(text)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.time

    def read(self, image: str, status: str = "ok") -> tuple[Result, Stamp | None]:
        """Return what is read of a photo now, and what its file is."""
        reading = Reading(NUMBER if status == "ok" else None, (), 0.97, status=status)
        return Result(image, reading, "", self.time.isoformat()), stamp_of(image)


NOON = Day("2026-11-26T12:00:00+09:00")


def finish(journal: Journal, description: str, results: list[Result]) -> int:
    """Write a list for the last time, as the command does."""
    journal.finish(description, results, USUAL_COLUMNS)
    return sum(result.reading.status == "error" for result in results)


@contextmanager
def watching(name: str, clock: Clock, now: Day = NOON, resume: bool = False):
    """Watch as the command does, but for its end."""
    with WatchedResults(DatedName(name), USUAL_COLUMNS, finish, now, clock) as watched:
        watched.begin(HERE, watched.journal.earlier(HERE) if resume else {})
        yield watched


def refuse(*args, **options):
    """Fail to write a list, which a spreadsheet holds."""
    raise FlagError("cannot write r.csv: Permission denied")


def listed(name: str) -> list[str]:
    """Return the photos of a list; fail if it is not whole."""
    provenance = Provenance()
    images = [result.image for _, result in stream_results(Path(name), provenance)]
    assert not provenance.problem
    return images


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_run_has_left_a_whole_list_at_its_name_and_goes_on_from_its_lines(name, clock):
    with watching(name, clock) as watched:
        for image in "ba":
            watched.add(*NOON.read(image))
        watched.look()
        watched.add(*NOON.read("c"))  # and it is killed before the list is written again
    assert listed(name) == ["a", "b"]
    require_results("--output", Path(name))
    assert read_results(Path(name))[0] == HERE
    with watching(name, clock, resume=True) as again:
        assert [*again.results] == ["b", "a", "c"]
        again.look()
        assert listed(name) == ["a", "b", "c"], "what the list lacked is in it before a photo comes"
        again.add(*NOON.read("d"))
        again.end()
    assert listed(name) == ["a", "b", "c", "d"]
    assert not Path(f"{name}.partial").exists()


@pytest.mark.parametrize(("cost", "least"), [(0.25, 10), (3, 60)])
def test_the_list_takes_a_twentieth_of_the_time_at_most_and_is_soon_current(cost, least, clock):
    clock.cost = cost
    with watching("r.txt", clock) as watched:
        for place in range(1000):
            if place % 10 == 0:
                watched.add(*NOON.read(f"{place:03}"))
            watched.look()
            clock.now += 1
        pauses = [b - a - cost for a, b in pairwise(clock.written)]
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
    with watching("r.csv", clock) as watched:
        with monkeypatch.context() as patch:
            patch.setattr("containers.data.journal.write_results", refuse)
            for image in "abc":
                watched.add(*NOON.read(image))
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
    write_results(Path("r.txt"), HERE, [NOON.read(image)[0] for image in "ab"], "image")
    os.utime("r.txt", (2, 2))
    with watching("r.txt", clock, resume=True) as watched:
        Path("a").write_text("today's, which waits for its turn")
        watched.add(*NOON.read("c"))
        watched.look()
    assert os.stat("a").st_mtime_ns <= os.stat("r.txt").st_mtime_ns
    with watching("r.txt", clock, resume=True) as again:
        assert [*again.results] == ["c", "b"]


# ---- by day ------------------------------------------------------------------------------------

BY_DAY = "days/r_%Y-%m-%d"


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".jsonl", ".xlsx"])
def test_at_midnight_a_days_list_is_whole_and_let_go_and_another_begins(suffix, clock):
    day = Day("2026-11-26T23:59:58+09:00")
    today, tomorrow = (Path(f"days/r_2026-11-{n}{suffix}") for n in (26, 27))
    with watching(BY_DAY + suffix, clock, day) as watched:
        watched.add(*day.read("a"))
        watched.look()
        watched.add(*day.read("b"))
        day.set("2026-11-27T00:00:00+09:00")
        watched.look()  # nothing has come yet
        assert listed(str(today)) == ["a", "b"]
        assert not watched.results
        assert not today.with_name(f"{today.name}.partial").exists()
        with only_writer(today):
            pass  # people may review it
        watched.add(*day.read("c"))
        assert watched.end() == 0
    assert listed(str(tomorrow)) == ["c"]
    assert {path.name for path in Path("days").glob("[!.]*") if "run" not in path.name} == {
        today.name,
        tomorrow.name,
    }


def test_a_clock_that_is_set_back_loses_no_row(clock):
    day = Day("2026-11-26T23:59:00+09:00")
    with watching(BY_DAY, clock, day) as watched:
        for time, image in (("26T23:59", "a"), ("27T00:00", "b"), ("26T23:01", "c"), ("27", "d")):
            day.set(f"2026-11-{time}")
            watched.add(*day.read(image))
        watched.end()
    assert listed("days/r_2026-11-26") == ["a", "c"]
    assert listed("days/r_2026-11-27") == ["b", "d"]


def test_resume_reads_nothing_again_that_another_day_has_read_and_ends_what_was_cut(clock, here):
    photos = [paint(here / f"image/{name}.png", "red") for name in "abcdef"]
    for photo in photos:
        os.utime(photo, (1, 1))
    photos = [f"image/{name}.png" for name in "abcdef"]
    day = Day("2026-11-24T12:00:00+09:00")
    with watching(f"{BY_DAY}.csv", clock, day) as watched:
        watched.add(*day.read(photos[0]))
        watched.add(*day.read(photos[1], "error"))
        assert watched.end() == 1
    Path("days/r_2026-11-23.csv").write_text("not ours\n")
    day.set("2026-11-25T12:00:00+09:00")
    with watching(f"{BY_DAY}.csv", clock, day) as watched:
        for photo in photos[2:4]:
            watched.add(*day.read(photo))  # and it is killed, its list never written
    Path(photos[3]).write_text("another of the same name")
    Path(photos[0]).rename("moved")
    day.set("2026-11-26T12:00:00+09:00")
    with watching(f"{BY_DAY}.csv", clock, day, resume=True) as watched:
        assert watched.take_over(Path("image")) == {photos[2]}
        assert listed("days/r_2026-11-25.csv") == photos[2:4]
        Path("moved").rename(photos[0])
        assert watched.take_over(Path("image")) == {photos[0], photos[2]}
        watched.add(*day.read(photos[4]))
    with watching(f"{BY_DAY}.csv", clock, day, resume=True) as watched:
        assert [*watched.results] == [photos[4]]
    assert listed("days/r_2026-11-24.csv") == photos[:2], "rows of photos that were moved stay"


def test_of_a_year_of_lists_only_those_are_read_that_may_hold_a_photo_which_is_there(
    clock, here, monkeypatch
):
    for place in range(1, 6):
        path = Path(f"r_2026-11-{place:02}.txt")
        write_results(path, HERE, [NOON.read(f"image/{place}.png")[0]], "image")
        os.utime(path, (1000 * place, 1000 * place))
    for place in (3, 4):
        os.utime(paint(here / f"image/{place}.png", "red"), (1000 * place - 1, 1000 * place - 1))
    paint(here / "image/new.png", "red")
    opened, done = [], Journal.done
    monkeypatch.setattr(Journal, "done", lambda j, p: opened.append(j.output.name) or done(j, p))
    with watching("r_%Y-%m-%d.txt", clock, resume=True) as watched:
        assert watched.take_over(Path("image")) == {"image/3.png", "image/4.png"}
    assert opened == [f"r_2026-11-{place:02}.txt" for place in (5, 4, 3)]


def test_a_finished_list_that_cannot_be_written_at_midnight_is_written_later(
    clock, monkeypatch, capsys
):
    day = Day("2026-11-26T23:59:58+09:00")
    with watching(f"{BY_DAY}.csv", clock, day) as watched:
        watched.add(*day.read("a"))
        day.set("2026-11-27T00:00:00+09:00")
        with monkeypatch.context() as patch:
            patch.setattr("containers.data.journal.write_results", refuse)
            watched.look()
            watched.look()
        assert capsys.readouterr().err.count("warning: cannot write r.csv") == 1
        assert watched.results == {}
        clock.now += 10
        watched.look()
    assert listed("days/r_2026-11-26.csv") == ["a"]


def test_ctrl_c_at_midnight_loses_no_list(clock):
    day, calls = Day("2026-11-26T23:59:58+09:00"), []

    def interrupted(*given) -> int:
        calls.append(given[0].output.name)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return finish(*given)

    with watching(BY_DAY, clock, day) as watched:
        watched.finish = interrupted
        watched.add(*day.read("a"))
        day.set("2026-11-27T00:00:00+09:00")
        with pytest.raises(KeyboardInterrupt):
            watched.add(*day.read("b"))
        watched.end()
    assert calls == ["r_2026-11-26", "r_2026-11-26"]
    assert listed("days/r_2026-11-26") == ["a"]
