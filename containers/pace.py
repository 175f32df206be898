"""How far long work is, on stderr: one line that renews itself; in a log a plain one at times."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Iterable

from tqdm import tqdm

from containers.command_line import is_first_process, say

EVERY = 30  # seconds between the lines of a log, where stderr is no terminal
LINE = "{count}, {pace}, {remaining} left{postfix}"

tqdm.set_lock(threading.RLock())  # its own would also be a semaphore of the system's


class Pace(tqdm):
    """Count the items of long work, and show how many of how many, the rate and the time left.

    Iterate over it, or call `update`; `set_postfix_str` adds words to the line. The rate is that of
    all the work since `done`, so that slow parts of it count. Of many processes the first shows it.
    """

    monitor_interval = 0  # no thread that watches it

    def __init__(self, items: Iterable | None = None, *, title: str, total: int, done: int = 0):
        self.is_log = not sys.stderr.isatty()
        line = f"{{desc}}: {LINE}" if self.is_log else f"{{desc}} |{{bar}}| {LINE}"
        super().__init__(
            items,
            desc=title,
            total=total,
            initial=done,
            file=io.StringIO() if self.is_log else sys.stderr,
            mininterval=EVERY if self.is_log else 0.1,
            delay=EVERY if self.is_log else 0,
            miniters=1,
            smoothing=0,
            leave=False,
            dynamic_ncols=True,
            bar_format=line,
            disable=not is_first_process(),
        )

    @property
    def format_dict(self) -> dict[str, object]:
        """Return what the line shows; `count` and `pace`, the rate, are in words."""
        shown = super().format_dict
        done, seconds = shown["n"] - shown["initial"], shown["elapsed"]
        rate = done / seconds if seconds else 0
        pace = f"{rate:.1f} a second" if rate >= 1 else f"{rate * 60:.1f} a minute"
        return shown | {"pace": pace, "count": f"{self.n:,} of {self.total:,}"}

    def display(self, msg: str | None = None, pos: int | None = None) -> bool | None:
        """Show the line, and tell whether it can be taken back: not in a log."""
        if not self.is_log:
            return super().display(msg, pos)
        if msg is None:
            say(str(self))
        return None
