"""With how many threads a model computes on the CPU; a program around it keeps its own number."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

from containers.basis.talk import log

SMALL_MODEL = 50e6  # weights: its steps are too short to be shared out


@functools.cache  # what was said of a model once is not said again
def choose_threads(weights: int, device: str) -> int | None:
    """Return with how many threads a model of so many weights computes, and print it if few.

    One on the CPU where it gains nothing from more: then two programs side by side do not wait for
    each other's threads. None: as many as there are.
    """
    if device != "cpu" or weights >= SMALL_MODEL:
        return None
    log.info("threads: 1 (the model is small)")
    return 1


@contextlib.contextmanager
def computing_with(threads: int | None) -> Iterator[None]:
    """Compute with so many threads; the program around this gets its own number back."""
    import torch

    before = torch.get_num_threads()
    if threads is None or threads == before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
