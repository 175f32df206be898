"""Write files whole or not at all, and name them as the user sees them."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from containers.errors import FlagError

# How text is written: a file name that is no Unicode becomes an escape, which JSON reads back.
TEXT = {"encoding": "utf-8", "newline": "\n", "errors": "backslashreplace"}


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of `path`; turn what keeps it from being written into a `FlagError`."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise FlagError(f"cannot write {relative_path(path)}: {error.strerror}") from None


@contextlib.contextmanager
def replacing(path: Path | str) -> Iterator[TextIO]:
    """Write a text file beside `path` and rename it in place when all of it is on the disk.

    A crash leaves the old file. Raises `FlagError` where nothing can be written there.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    new = path.with_name(path.name + ".new")
    with writing(path):
        file = open(new, "w", **TEXT)
    with file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def write_json(path: Path | str, value: object) -> None:
    """Replace a JSON file that people may read; raises `FlagError` like `replacing`."""
    with replacing(path) as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def relative_path(path: Path) -> str:
    """Return `path` as seen from the working directory, with `/` on every system."""
    try:
        shown = Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()
    return f"./{shown}" if shown.startswith("#") else shown  # no comment in a result file
