"""How lines reach the terminal: progress and warnings on stderr, results on stdout."""

from __future__ import annotations

import contextlib
import sys

from containers.basis.escapes import visible
from containers.basis.processes import is_first_process


def say(message: str) -> None:
    """Print progress, a warning or an error on stderr; of many processes the first speaks."""
    if is_first_process():
        with contextlib.suppress(OSError), beside_bars():  # OSError: the terminal was closed
            print(visible(message), file=sys.stderr, flush=True)


def counted(count: int, noun: str, nouns: str = "") -> str:
    """Return how many there are of something in words: 1 photo, 2 photos."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def show(line: str = "") -> None:
    """Print a line of a result on stdout."""
    with beside_bars():
        print(visible(line), flush=True)


def beside_bars() -> contextlib.AbstractContextManager[None]:
    """Take away the bars that tqdm shows on stderr, if any, while something is printed."""
    if "tqdm" not in sys.modules:
        return contextlib.nullcontext()
    from tqdm import tqdm

    return tqdm.external_write_mode(sys.stderr)
