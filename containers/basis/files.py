"""Write files whole or not at all, and name them as the user sees them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO, TypeVar

from containers.basis.errors import FlagError, UserError
from containers.basis.exchange import exchange
from containers.basis.stopping import held
from containers.basis.talk import log

# How text is written: a file name that is no Unicode becomes an escape, which JSON reads back.
TEXT: dict[str, Any] = {"encoding": "utf-8", "newline": "\n", "errors": "backslashreplace"}

CHANCES = 9  # for a file that is saved by hand again and again
Made = TypeVar("Made")


class ChangedError(UserError):
    """Say that a file is no longer the one that was read: somebody has saved it since."""


def while_edited(change: Callable[[], Made]) -> Made:
    """Return what `change` returns; it is called again where it raises `ChangedError`."""
    for _ in range(CHANCES - 1):
        with contextlib.suppress(ChangedError):
            return change()
    return change()


def digest(data: bytes) -> str:
    """Return a short name for what is in a file."""
    return hashlib.sha256(data).hexdigest()[:12]


def file_stamp(path: Path) -> tuple[int, ...]:
    """Return what is another as soon as another file has the name; a copy may keep the time."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns


def require_file(path: Path | str) -> None:
    """Raise OSError where something stands that is no file: a folder, a device without end."""
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError(errno.EINVAL, "a device or pipe, not a file", str(path))


def require_no_lock(path: Path) -> None:
    """Raise OSError for a file that is read-only: somebody wants it as it is."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if not path.stat().st_mode & stat.S_IWUSR:
            reason = "it is read-only; let it be written, or name another"
            raise PermissionError(errno.EACCES, reason, str(path))


def read_file(path: Path | str) -> bytes:
    """Return what is in a file; raises OSError, for what is no file too."""
    require_file(path)
    return Path(path).read_bytes()


@contextlib.contextmanager
def writing(path: Path, error: type[UserError] = FlagError) -> Iterator[None]:
    """Make the folder of `path`; turn what keeps it from being written into an `error`."""
    try:
        require_file(path)
        require_no_lock(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as problem:
        raise error(f"cannot write {relative_path(path)}: {problem.strerror or problem}") from None


@contextlib.contextmanager
def replacing(path: Path | str, *before: bytes | None) -> Iterator[TextIO]:
    """Write a text file beside `path` and rename it in place when all of it is on the disk.

    A crash leaves the old file. Where people edit it, `before` is what was read of it, None if it
    was not there: raises `ChangedError` if that has changed, since what they saved would be lost.
    Raises `FlagError` where nothing can be written, `UserError` where the disk is full.
    """
    path = Path(os.path.realpath(path))  # a link stays a link

    def put(new: Path, path: Path) -> None:
        if not before:
            os.replace(new, path)
        elif before[0] != (read_file(path) if path.exists() else None) or not put_in_place(
            new, path, before[0]
        ):
            raise ChangedError(f"{relative_path(path)} has changed meanwhile: run this again")

    with replacing_all(path, put=put) as (file,):
        yield file


def put_in_place(new: Path, path: Path, before: bytes | None) -> bool:
    """Put a new file in the place of one that held `before`; False: another was saved just then.

    That one is then back in its place. Where the system has no exchange, what is saved within some
    microseconds before the rename is lost.
    """
    if before is None:
        try:
            os.link(new, path)
        except FileExistsError:
            return False
        except OSError:  # no links there
            os.replace(new, path)
        return True
    if not exchange(new, path):
        os.replace(new, path)
        return True
    if read_file(new) == before:
        return True
    exchange(new, path)
    return False


@contextlib.contextmanager
def replacing_all(
    *paths: Path, put: Callable[[Path, Path], None] = os.replace
) -> Iterator[tuple[TextIO, ...]]:
    """Do what `replacing` does for files that belong together: all are replaced, or none is.

    `put` renames. A file keeps its mode: a private one stays private.
    """
    news = [path.with_name(f"{path.name}.{os.getpid()}.new") for path in paths]
    for path in paths:
        discard_leftovers(path)
    with contextlib.ExitStack() as stack:
        for new in news:
            stack.callback(discard, new)
        files = []
        for path, new in zip(paths, news):
            with writing(path):
                files.append(open(new, "w", **TEXT))
                keep_mode(path, new)
        with writing(paths[0], UserError):
            with contextlib.ExitStack() as opened:
                for file in files:
                    opened.enter_context(file)
                yield tuple(files)
                for file in files:
                    file.flush()
                    os.fsync(file.fileno())
            with held():  # no signal comes between them
                for path, new in zip(paths, news):
                    put(new, path)


def keep_mode(path: Path, new: Path) -> None:
    """Give a new file the mode and the owner of the one that it replaces, as far as may be."""
    with contextlib.suppress(FileNotFoundError):
        old = path.stat()
        with contextlib.suppress(OSError, AttributeError):  # Windows has no owners
            os.chown(new, old.st_uid, old.st_gid)
        new.chmod(stat.S_IMODE(old.st_mode))
        if old.st_nlink > 1:
            log.warning(f"{relative_path(path)} has other names, which keep what it was")


def discard_leftovers(path: Path) -> None:
    """Delete what killed processes have left beside a file: what they wrote, and never renamed."""
    name = re.compile(re.escape(path.name) + r"\.([0-9]{1,9})\.new")
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            if (found := name.fullmatch(entry.name)) and not is_running(int(found[1])):
                discard(Path(entry.path))


def is_running(process: int) -> bool:
    """Tell whether a process is there; Windows lets nobody delete what one has open anyway."""
    if os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def discard(path: Path) -> None:
    """Delete a file, if it is there and its drive has not gone."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def write_json(path: Path | str, value: object, *before: bytes | None) -> None:
    """Replace a JSON file that people may read; raises what `replacing` does."""
    with replacing(path, *before) as file:
        dump_json(value, file)


def dump_json(value: object, file: TextIO) -> None:
    """Write JSON that people may read."""
    json.dump(value, file, indent=2, ensure_ascii=False)
    file.write("\n")


def relative_path(path: Path) -> str:
    """Return `path` as seen from the working directory, with `/` on every system."""
    try:
        shown = Path(os.path.relpath(path)).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()
    return f"./{shown}" if shown.startswith("#") else shown  # no comment in a result file


def free_name(path: Path) -> str:
    """Return a name like this one's for what is not there yet: lora-2, results-2.txt."""
    real = Path(os.path.realpath(path))
    names = (f"{real.stem or 'new'}-{count}{real.suffix}" for count in itertools.count(2))
    return relative_path(next(new for name in names if not (new := real.parent / name).exists()))
