"""What a command may write: no file twice, none that it reads, and none that is not ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from containers.basis.errors import FlagError
from containers.basis.files import relative_path, require_file

HEAD_BYTES = 4096  # in which a mark stands
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


def require_ours(
    flag: str, path: Path, is_ours: Callable[[bytes], bool], kind: str, most: int = HEAD_BYTES
) -> None:
    """Raise `FlagError` where a file stands that is none, or is not what we write there.

    `is_ours` is given so many bytes of it, -1: all. An empty one is nobody's loss.
    """
    try:
        require_file(path)
        with open(path, "rb") as file:
            old = file.read(most)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as problem:
        raise FlagError(f"cannot write {relative_path(path)}: {problem.strerror}") from None
    if old and not is_ours(old):
        shown = relative_path(path)
        raise FlagError(f"{flag} {shown} is no {kind}; choose another name, or move it away")
