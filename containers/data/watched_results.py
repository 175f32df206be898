"""The results of a run that goes on and on: lines at once, and a list that is kept current."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.locks import only_writer
from containers.basis.talk import log
from containers.data.dated_names import DatedName
from containers.data.journal import Journal
from containers.data.result import Result
from containers.data.result_file import PARTIAL
from containers.photo.files import Stamp, images_in, stamp_of

LEAST_SECONDS = 10.0  # between two times that the list is written
COST_TIMES = 20  # or so often what that took: a twentieth of the time, however long the list

Finish = Callable[[Journal, str, list[Result]], int]


class WatchedResults:
    """The results of photos that arrive: at once as lines, and soon in the list at its real name.

    A dated name is another list each day, by when a photo was read; nothing of a day that is over
    stays in memory. `finish` writes a list for the last time, and what else is made of the results;
    it returns how many photos failed. `now` tells the date, `clock` seconds.
    """

    def __init__(
        self,
        name: DatedName,
        columns: Sequence[str],
        finish: Finish,
        now: Callable[[], datetime] = datetime.now,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.name, self.columns, self.finish = name, columns, finish
        self.now, self.clock, self.due = now, clock, -math.inf
        self.journal, self.held = Journal(name.at(now())), ExitStack()
        self.description = ""
        self.results: dict[str, Result] = {}  # of today
        self.is_behind = self.is_late = False  # today's list; that of a day which is over
        self.failed = 0
        self.problems: dict[Path, str] = {}  # of lists that could not be written

    def __enter__(self) -> WatchedResults:
        """Hold today's list for this process."""
        self.held.enter_context(only_writer(self.journal.output))
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self.held.close()

    def begin(self, description: str, results: dict[str, Result]) -> None:
        """Go on from what was read before; a killed run may have lines that its list lacks."""
        self.description, self.results = description, results
        self.is_behind = bool(results) and self.journal.path.exists()

    def take_over(self, folder: Path) -> set[str]:
        """Return the photos that other days' files hold; write the lists that a kill has cut."""
        outputs = {*self.name.files(), *map(without_partial, self.name.files(PARTIAL))}
        journals = [Journal(output) for output in outputs - {self.journal.output}]
        images = images_in(folder) if journals else []
        read = read_before(journals, [image for image in images if image not in self.results])
        self.finish_others()
        return read

    def add(self, result: Result, stamp: Stamp | None) -> None:
        """Write the line of a photo, whose file was so when it was read."""
        self.turn(datetime.fromisoformat(result.read_at))
        self.journal.append(self.description, result, stamp)
        self.results[result.image] = result
        self.is_behind = True

    def look(self) -> None:
        """Begin another day's list when it is time, and write the list where it lacks a line."""
        self.turn(self.now())
        if (self.is_behind or self.is_late) and self.clock() >= self.due:
            start = self.clock()
            if self.is_behind:
                self.is_behind = not self.has_written(self.journal, self.keep)
            if self.is_late:
                self.finish_others()
            self.due = self.clock() + max(LEAST_SECONDS, COST_TIMES * (self.clock() - start))

    def turn(self, time: datetime) -> None:
        """Write the list of a day that is over for the last time, and begin that of `time`.

        Where a clock was set back that one is there already, and goes on.
        """
        output = self.name.at(time)
        if output == self.journal.output:
            return
        self.held.close()
        self.held.enter_context(only_writer(output))
        journal = Journal(output)
        journal.check()
        results = journal.earlier(self.description) if journal.parts() else {}
        self.is_late = True  # where Ctrl-C comes now, `end` writes the list of the day that is over
        self.journal, self.results, self.is_behind = journal, results, False
        self.finish_others()

    def finish_others(self) -> None:
        """Write the lists of all days but this one of which there are lines."""
        outputs = {*map(without_partial, self.name.files(PARTIAL))} - {self.journal.output}
        written = [self.has_written(Journal(output), self.finish_one) for output in outputs]
        self.is_late = not all(written)

    def finish_one(self, journal: Journal) -> None:
        """Write the list of one day for the last time, from what is on the disk.

        It is as old as its last line, so that photos which have changed since are told by that.
        """
        with only_writer(journal.output):
            last = written_at(journal.path)
            description, results = journal.merged()
            self.failed += self.finish(journal, description, by_photo(results))
            with suppress(OSError):  # where the drive takes no times, the list is as old as it is
                os.utime(journal.output, ns=(last, last))

    def keep(self, journal: Journal) -> None:
        """Write today's list."""
        journal.keep(self.description, by_photo(self.results), self.columns)

    def has_written(self, journal: Journal, write: Callable[[Journal], None]) -> bool:
        """Write a list; where that cannot be, as where a spreadsheet holds it, say so once."""
        try:
            write(journal)
        except UserError as problem:
            if self.problems.get(journal.output) != str(problem):
                again = f": tried again; {journal.path} has every line"
                log.warning(f"{problem}{again if journal.path.exists() else ''}")
            self.problems[journal.output] = str(problem)
            return False
        self.problems.pop(journal.output, None)
        return True

    def end(self) -> int:
        """Write the list for the last time; return how many photos failed."""
        self.results = self.journal.written() | self.results  # one may be on the disk alone
        if self.results:
            results = by_photo(self.results)
            self.failed += self.finish(self.journal, self.description, results)
        else:
            log.info(f"no photo was read: nothing is written to {self.journal.output}")
        if self.is_late:
            self.finish_others()
        return self.failed


def read_before(journals: list[Journal], images: list[str]) -> set[str]:
    """Return which of the images stand in result files or lines as they are now.

    The files are looked through from the last one on, until none can hold a photo of which nothing
    is known: it is older than the photo.
    """
    order = sorted(journals, key=lambda j: (j.path.exists(), written_at(j.output)))
    left = {image: stamp for image in images if (stamp := stamp_of(image))}
    waiting = sorted(left, key=lambda image: left[image][1], reverse=True)  # the oldest comes last
    found: set[str] = set()
    while order and left:
        while waiting[-1] not in left:
            waiting.pop()
        journal = order.pop()
        if not journal.path.exists() and written_at(journal.output) < left[waiting[-1]][1]:
            break
        try:
            done = journal.done(left)
        except UserError as problem:
            log.warning(f"{problem}: its photos that are still there are read again")
            continue
        for image, is_read in done.items():
            del left[image]
            if is_read:
                found.add(image)
    return found


def by_photo(results: dict[str, Result]) -> list[Result]:
    """Return results by the paths of their photos."""
    return [results[image] for image in sorted(results)]


def without_partial(path: Path) -> Path:
    """Return the name of the list whose lines a file holds."""
    return path.with_name(path.name.removesuffix(PARTIAL))


def written_at(path: Path) -> int:
    """Return when a file was last changed, in ns; 0 where there is none."""
    return (stamp_of(path) or (0, 0))[1]
