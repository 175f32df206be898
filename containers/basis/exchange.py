"""Two files change places in one step of the system's, so that what came out can be looked at."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

AT_FDCWD = -100  # paths are seen from the working directory
EXCHANGE = 2  # RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS
# What a system or a file system answers that knows no exchange, as NFS.
UNKNOWN = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM)


@functools.cache
def system_call() -> Callable[[bytes, bytes], int] | None:
    """Return the system's own exchange of two paths, or None where it has none."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            swap = library.renamex_np
            return lambda one, other: swap(one, other, EXCHANGE)
        swap = library.renameat2
        return lambda one, other: swap(AT_FDCWD, one, AT_FDCWD, other, EXCHANGE)
    except (AttributeError, OSError, TypeError):  # an old one, or Windows
        return None


def exchange(one: Path, other: Path) -> bool:
    """Have two files change places; False: this system cannot. Raises OSError."""
    swap = system_call()
    if swap is None:
        return False
    if swap(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in UNKNOWN:
        return False
    raise OSError(number, os.strerror(number), str(other))
