"""One writer at a time: who comes second is told who was first."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.files import writing
from containers.basis.processes import is_first_process

LONGEST_MARK = 20  # bytes: a process id has fewer


@contextlib.contextmanager
def only_writer(path: Path | str, patience: float = 0) -> Iterator[None]:
    """Hold `path` for this process; raises `UserError` while another one holds it.

    For `patience` seconds that one's end is waited for. The system lets go of it when a process
    ends in whatever way. Of the processes that `accelerate launch` started the first holds it for
    all.
    """
    if not is_first_process():
        yield
        return
    from filelock import FileLock, Timeout

    real = Path(os.path.realpath(path))
    mark = real.with_name(f".{real.name}.lock")
    lock = FileLock(mark)
    require_mark(mark)
    with writing(real):
        try:
            lock.acquire(timeout=patience)
        except Timeout:
            reason = f"is being written by {holder(mark)}: wait for its end"
            raise UserError(f"{path} {reason}") from None
    try:
        with contextlib.suppress(OSError):  # a full disk: held without a name
            mark.write_text(str(os.getpid()))
        yield
    finally:
        with contextlib.suppress(OSError):
            mark.unlink()  # while it is held: who waits for it sees that it has gone
        lock.release()


def require_mark(mark: Path) -> None:
    """Raise `UserError` where a file stands in a lock's place that is none: it would be emptied."""
    with contextlib.suppress(OSError):  # Windows shows nothing of a locked file
        with open(mark, "rb") as file:
            held = file.read(LONGEST_MARK)
        if held and not held.isdigit():
            raise UserError(
                f"{mark} is not of this project, which has to write there: move it away"
            )


def holder(mark: Path) -> str:
    """Return which process holds a lock, as far as can be seen."""
    with contextlib.suppress(OSError, ValueError):  # Windows shows nothing of a locked file
        return f"process {int(mark.read_text())}"
    return "another process"
