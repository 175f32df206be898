"""What a command may write: no file twice, none that it reads, and none that is not ours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from containers.errors import FlagError

Named = tuple[str, Path | str]  # whose file it is, as a flag or in words, and the file


def require_apart(written: Sequence[Named], read: Sequence[Named] = ()) -> None:
    """Raise `FlagError` where a file that a command writes is also another one of its files.

    Links are followed, so that two names of one file are found before anything is lost.
    """
    whose = {identity(path): (flag, path) for flag, path in read}
    for flag, path in written:
        if other := whose.get(key := identity(path)):
            name = "" if str(other[1]) == str(path) else f" {other[1]}"
            raise FlagError(f"{flag} {path} is the file of {other[0]}{name}, too: name another one")
        whose[key] = flag, path


def identity(path: Path | str) -> str:
    """Return what is the same for all names of a file, whether it is there or not."""
    try:
        status = os.stat(path)
    except OSError:
        return os.path.normcase(os.path.realpath(path))
    return f"{status.st_dev} {status.st_ino}"
