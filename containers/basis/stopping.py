"""The signals that end a run: Ctrl-C, SIGTERM of docker or systemd, SIGHUP of a closed terminal."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn

SIGNALS = [getattr(signal, n) for n in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, n)]
AGAIN_SECONDS = 0.01  # by then a finalizer is over; else the signal comes once more
Handler = Callable[[int, FrameType | None], object]


class Stopped(KeyboardInterrupt):
    """A signal has asked this process to end."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


def on_signals(handler: Handler) -> dict[int, Handler | int | None]:
    """Have the signals call `handler`, but for those that are ignored, as nohup does.

    Return what they did before, for `signal.signal`; nothing outside the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    sys.unraisablehook = raise_again
    before: dict[int, Handler | int | None] = {n: signal.getsignal(n) for n in SIGNALS}
    for number, was in before.items():
        if was is not signal.SIG_IGN:
            signal.signal(number, handler)
    return before


def stop(number: int, frame: FrameType | None) -> None:
    """Raise `Stopped`; an import, which may swallow it and writes nothing of ours, ends at once."""
    if is_importing(frame):
        end(number)
    sys.unraisablehook = functools.partial(raise_again, others=say_nothing)
    raise Stopped(number)


def raise_again(
    unraisable: sys.UnraisableHookArgs,
    others: Callable[[sys.UnraisableHookArgs], object] = sys.__unraisablehook__,
) -> None:
    """Have a signal come once more that came in a finalizer, where nothing can be raised.

    Failures of finalizers that are no signal go to `others`.
    """
    if isinstance(unraisable.exc_value, Stopped):
        number = unraisable.exc_value.number  # not at once: it would come here
        threading.Timer(AGAIN_SECONDS, signal.raise_signal, (number,)).start()
    else:
        others(unraisable)


def say_nothing(_: sys.UnraisableHookArgs) -> None:
    """Pass over a finalizer that fails on what a signal left half made, as that of a loader."""


def end(number: int, frame: FrameType | None = None) -> NoReturn:
    """End this process at once, in one line: for signals while a script is still being imported."""
    if os.environ.get("RANK", "0") == "0":
        os.write(2, f"error: interrupted ({signal.Signals(number).name})\n".encode())
    os._exit(128 + number)


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Hold the signals back for a moment; a process that is started meanwhile never gets them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def is_importing(frame: FrameType | None) -> bool:
    """Tell whether an import statement is under way in this frame or one that called it."""
    while frame is not None:
        if "importlib._bootstrap" in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False
