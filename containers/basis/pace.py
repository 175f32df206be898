"""How far long work is, on stderr: one line that renews itself; in a log a plain one at times."""

from __future__ import annotations

import io
import math
import sys
import threading
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from containers.basis.processes import is_first_process
from containers.basis.talk import log

LOG_SECONDS = 30  # between the lines of a log, where stderr is no terminal
LINE = "{count}, {pace}, {remaining} left{postfix}"
LONG_SECONDS = 120  # of shorter work nothing is foretold
WARMED_UP = 10  # seconds of looking, after which the first looks' preparations count little

tqdm.set_lock(threading.RLock())  # its own would also be a semaphore of the system's


class Pace(tqdm):
    """Count the items of long work, and show how many of how many, the rate and the time left.

    Iterate over it, or call `update`; `set_postfix_str` adds words to the line. The rate is that of
    all the work since `done`, so that slow parts of it count. Of many processes the first shows it.
    """

    monitor_interval = 0  # no thread that watches it
    foretells = True  # by the items that are done

    def __init__(self, items: Iterable | None = None, *, title: str, total: int, done: int = 0):
        self.is_log, self.is_foretold = not sys.stderr.isatty(), False
        line = f"{{desc}}: {LINE}" if self.is_log else f"{{desc}} |{{bar}}| {LINE}"
        super().__init__(
            items,
            desc=title,
            total=total,
            initial=done,
            file=io.StringIO() if self.is_log else sys.stderr,
            mininterval=LOG_SECONDS if self.is_log else 0.1,
            delay=LOG_SECONDS if self.is_log else 0,
            miniters=0,  # looks, too, show the line
            smoothing=0,
            leave=False,
            dynamic_ncols=True,
            bar_format=line,
            disable=not is_first_process(),
        )

    @property
    def format_dict(self) -> dict[str, Any]:
        """Return what the line shows; `count` and `pace`, the rate, are in words."""
        shown = super().format_dict
        done, seconds = shown["n"] - shown["initial"], shown["elapsed"]
        rate = done / seconds if seconds else 0
        pace = f"{rate:.1f} a second" if rate >= 1 else f"{rate * 60:.1f} a minute"
        return shown | {"pace": pace, "count": f"{self.n:,} of {self.total:,}"}

    def update(self, n: float = 1) -> bool | None:
        """Count items; say once how long all of them will take, if that is long."""
        if self.disable:  # another process shows it
            return super().update(n)
        seconds, done = self.format_dict["elapsed"], self.n + n - self.initial
        if self.foretells and not self.is_foretold and done and seconds >= WARMED_UP:
            self.is_foretold = True
            left = self.total - self.initial
            if (total := seconds * left / done) >= LONG_SECONDS:
                log.info(f"{self.desc}: about {duration(total)} for {left:,}")
        return super().update(n)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool | None:
        """Show the line, and tell whether it can be taken back: not in a log."""
        if not self.is_log:
            return super().display(msg, pos)
        if msg is None:
            log.info(str(self))
        return None


def duration(seconds: float) -> str:
    """Return a time in words, as exact as an estimate is."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    minutes = 5 * round(minutes / 5)
    return f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
