"""Owner codes that somebody knows: a number with another one is looked at again by a person."""

from __future__ import annotations

from pathlib import Path

from containers.errors import FlagError
from containers.files import read_file
from containers.iso6346 import OWNER_CODE, compact

COMMON = Path(__file__).with_name("owner_codes.txt")
ANY = "none"


def read_owner_codes(path: str | None = None) -> frozenset[str]:
    """Return the owner codes in a file, one per line, # for comments; raises `FlagError`.

    Without a file they are the common ones that ship; for `none` there are none: any will do.
    """
    if path == ANY:
        return frozenset()
    path = COMMON if path is None else path
    try:
        lines = read_file(path).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise FlagError(f"cannot read --owner_codes {path}: {reason}") from None
    codes = {compact(line.split("#")[0]): place for place, line in enumerate(lines, 1)}
    codes.pop("", None)
    for code, place in codes.items():
        if not OWNER_CODE.fullmatch(code):
            raise FlagError(
                f"--owner_codes {path}, line {place}: {code} is no owner code like CSQU"
            )
    if not codes:
        raise FlagError(f"--owner_codes {path} holds no owner code")
    return frozenset(codes)
