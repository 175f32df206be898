"""The results of a run that goes on and on: lines at once, and a list that is kept current."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from containers.basis.errors import UserError
from containers.basis.talk import say
from containers.data.journal import Journal
from containers.data.result import Result
from containers.photo.files import Stamp

LEAST = 10.0  # seconds between two times that the list is written
TIMES = 20  # so many times as long as that took: it takes a twentieth of the time, however long

Finish = Callable[[Journal, str, list[Result]], int]


class WatchedResults:
    """The results of photos that arrive: at once as lines, and soon in the list at its real name.

    `finish` writes that list for the last time, and what else is made of the results; it returns
    how many photos failed. `clock` tells seconds.
    """

    def __init__(
        self,
        journal: Journal,
        columns: Sequence[str],
        finish: Finish,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.journal, self.columns, self.finish, self.clock = journal, columns, finish, clock
        self.description, self.results = "", {}
        self.is_behind, self.due, self.problem = False, -math.inf, ""

    def begin(self, description: str, results: dict[str, Result]) -> None:
        """Go on from what was read before; a killed run may have lines that its list lacks."""
        self.description, self.results = description, results
        self.is_behind = bool(results) and self.journal.path.exists()

    @property
    def sorted(self) -> list[Result]:
        """Return the results by the paths of their photos."""
        return [self.results[image] for image in sorted(self.results)]

    def add(self, result: Result, stamp: Stamp | None) -> None:
        """Write the line of a photo, whose file was so when it was read."""
        self.journal.append(self.description, result, stamp)
        self.results[result.image] = result
        self.is_behind = True

    def look(self) -> None:
        """Write the list where it lacks a line, and where it is time."""
        if self.is_behind and self.clock() >= self.due:
            start = self.clock()
            self.is_behind = not self.has_written()
            self.due = self.clock() + max(LEAST, TIMES * (self.clock() - start))

    def has_written(self) -> bool:
        """Write the list; where that cannot be, as where a spreadsheet holds it, say so once."""
        try:
            self.journal.keep(self.description, self.sorted, self.columns)
        except UserError as problem:
            if str(problem) != self.problem:
                say(f"warning: {problem}: tried again; {self.journal.path} has every line")
            self.problem = str(problem)
            return False
        self.problem = ""
        return True

    def end(self) -> int:
        """Write the list for the last time; return how many photos failed."""
        self.results = self.journal.written() | self.results  # one may be on the disk alone
        if not self.results:
            say("no photo was read: nothing is written")
            return 0
        return self.finish(self.journal, self.description, self.sorted)
