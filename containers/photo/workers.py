"""Work ahead of the model: other processes open the photos that it will ask for next."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.stopping import SIGNALS, held

MOST_WORKERS = 16  # processes that open photos ahead of the model
CONTAINER_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # microseconds of cores, and of time
FEW_PHOTOS = 16  # up to so many, starting processes costs more than they save


@contextlib.contextmanager
def workers(count: int) -> Iterator[Executor | None]:
    """Give processes that open photos ahead of the model; none where `count` is 0.

    They import no torch. One that dies, as where memory is short, is a `UserError`.
    What they return is pickled: an image of 768x768 costs this process 3 ms, one of 192x128 0.2 ms.
    Shared memory would cost less, but in docker it ends at 64 MB.
    """
    if not count:
        yield None
        return
    with held():
        resource_tracker.ensure_running()
    spawned = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang
    pool = ProcessPoolExecutor(count, spawned, begin_worker)
    try:
        yield pool
    except BrokenProcessPool:
        raise UserError(
            "a process that opens photos was ended by the system: close other programs"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def begin_worker() -> None:
    """Have a worker leave signals to the process that started it, and end when that has ended."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent  # which every worker has

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def worker_count(photos: int, device: str | None = None) -> int:
    """Return how many processes shall open so many photos: a model on the CPU needs the cores.

    `device` is where a model runs meanwhile; none: nowhere.
    """
    if photos <= FEW_PHOTOS:
        return 0
    cores = usable_cores() // processes_here()
    return 1 if device == "cpu" else max(1, min(MOST_WORKERS, cores - 1))


def usable_cores() -> int:
    """Return how many cores this process may use: those it is bound to, within its container."""
    bound = getattr(os, "sched_getaffinity", None)
    cores = len(bound(0)) if bound else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # no limit is written as max
        quota, period = map(int, CONTAINER_LIMIT.read_text().split())
        cores = min(cores, max(1, quota // period))
    return cores


def processes_here() -> int:
    """Return how many processes `accelerate launch` has started on this machine; else 1."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def submit(pool: Executor | None, function: Callable, *args: object) -> Future:
    """Return the result to come of a call in one of the `workers`; without any, call it here."""
    if pool is not None:
        with held():  # it may start a process, which leaves signals to this one
            return pool.submit(function, *args)
    future: Future = Future()
    try:
        future.set_result(function(*args))
    except UserError as error:
        future.set_exception(error)
    return future


def ahead(tasks: Iterable[tuple], pool: Executor | None, count: int) -> Iterator[Future]:
    """Yield the results to come of (function, *arguments), in order, so many of them under way."""
    futures: deque[Future] = deque()
    for task in tasks:
        futures.append(submit(pool, *task))
        if len(futures) > (count if pool else 0):
            yield futures.popleft()
    yield from futures
