"""How lines reach people: progress and warnings by the log, results on stdout."""

from __future__ import annotations

import contextlib
import logging
import sys

from containers.basis.errors import as_called, as_typed
from containers.basis.escapes import visible
from containers.basis.processes import is_first_process

log = logging.getLogger("containers")  # progress is INFO; a program that imports us sees none of it


class Terminal(logging.Handler):
    """Print what is logged on stderr, for who typed a command; of many processes the first does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record; the kind of a warning or an error stands before it."""
        kind = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        if is_first_process():
            with contextlib.suppress(OSError), beside_bars():  # OSError: the terminal was closed
                print(kind + vars(record)["typed"], file=sys.stderr, flush=True)


@log.addFilter
def name_options(record: logging.LogRecord) -> bool:
    """Give a record its text twice: as in Python, for any handler, and as typed, for ours.

    Names of files that are no text, or would command a terminal, are spelled out in both.
    """
    text = visible(record.getMessage())
    record.msg, record.args = as_called(text), ()
    vars(record)["typed"] = as_typed(text)
    return True


TERMINAL = Terminal()


def talk_on_terminal() -> None:
    """Print what is logged from now on, progress too."""
    log.addHandler(TERMINAL)
    log.setLevel(logging.INFO)


def counted(count: int, noun: str, nouns: str = "") -> str:
    """Return how many there are of something in words: 1 photo, 2 photos."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def show(line: str = "") -> None:
    """Print a line of a result on stdout."""
    with beside_bars():
        print(visible(as_typed(line)), flush=True)


def beside_bars() -> contextlib.AbstractContextManager[None]:
    """Take away the bars that tqdm shows on stderr, if any, while something is printed."""
    if "tqdm" not in sys.modules:
        return contextlib.nullcontext()
    from tqdm import tqdm

    return tqdm.external_write_mode(sys.stderr)
