"""Owner codes that somebody knows: a number with another one is looked at again by a person."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from containers.basis.errors import FlagError
from containers.basis.files import digest, read_file, replacing
from containers.number.iso6346 import OWNER_CODE, compact, is_valid

COMMON_CODES = Path(__file__).with_name("owner_codes.txt")
LEARNT_CODES = "owner_codes.txt"  # in an adapter's folder
ANY_OWNER = "none"
HEAD = "# The owner codes of the labels that this adapter has learnt from: they count as known.\n"


def known_owner_codes(
    path: str | None = None, only: bool = False, adapter: Path | str | None = None
) -> frozenset[str]:
    """Return the owner codes that are known; an empty set: any will do. Raises `FlagError`.

    They are the common ones that ship, those in the labels that an adapter has learnt from, and
    those in a file; with `only`, the file's alone. For the path `none`, any will do.
    """
    if only and path in (None, ANY_OWNER):
        raise FlagError("§only_owner_codes needs the file: add §owner_codes FILE")
    if path == ANY_OWNER:
        return frozenset()
    own = read_owner_codes(path, f"§owner_codes {path}") if path else frozenset()
    if only:
        return own
    learnt = Path(adapter, LEARNT_CODES) if adapter else None
    if learnt and learnt.is_file():
        own |= read_owner_codes(learnt, f"§lora_path: {learnt}")
    return own | read_owner_codes(COMMON_CODES, str(COMMON_CODES))


def read_owner_codes(path: Path | str, name: str) -> frozenset[str]:
    """Return the owner codes in a file, called `name` in a `FlagError`.

    One stands on each line, alone or in a table with commas, semicolons or tabs, whose first line
    may be a heading. What follows # is a comment.
    """
    try:
        lines = read_file(path).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        raise FlagError(f"cannot read {name}: {reason}") from None
    rows = [(row, cells_of(line)) for row, line in enumerate(lines, 1)]
    rows = [(row, cells) for row, cells in rows if any(cells)]
    column, heading = find_codes([cells for _, cells in rows])
    codes = set()
    for row, cells in rows[heading:]:
        code = cells[column] if column < len(cells) else ""
        if not OWNER_CODE.fullmatch(code):
            raise FlagError(f"{name}, line {row}: {code or 'nothing'} is no owner code like CSQU")
        codes.add(code)
    if not codes:
        raise FlagError(f"{name} holds no owner code")
    return frozenset(codes)


def cells_of(line: str) -> list[str]:
    """Return the cells of a line of a table, compact, without its comment."""
    line = line.split("#")[0]
    mark = next((character for character in line if character in "\t;,"), ",")
    return [compact(cell) for cell in next(csv.reader([line], delimiter=mark), [])]


def find_codes(rows: list[list[str]]) -> tuple[int, bool]:
    """Return in which column of a table the codes stand, and whether its first line is a heading.

    What has four letters in the first line is no heading but a mistyped code, unless it is "code".
    """
    for heading, cells in enumerate(rows[:2]):
        columns = [i for i, cell in enumerate(cells) if OWNER_CODE.fullmatch(cell)]
        if columns:
            above = rows[0][columns[0]] if columns[0] < len(rows[0]) else ""
            return columns[0], bool(heading) and (len(above) != 4 or above == "CODE")
    return 0, False


def owners_of(numbers: Iterable[str]) -> set[str]:
    """Return the owner codes of the numbers that check: a mistyped code rarely does."""
    return {compact(number)[:4] for number in numbers if is_valid(number)}


def write_owner_codes(folder: Path, numbers: Iterable[str]) -> None:
    """Write the owner codes of labels into an adapter's folder, from where they are read."""
    codes = sorted(owners_of(numbers))
    with replacing(folder / LEARNT_CODES) as file:
        file.write(HEAD + "".join(f"{code}\n" for code in codes))


def describe_owners(path: str | None, only: bool, adapter: str | None) -> str:
    """Return in words, with their digest, which owner codes `known_owner_codes` gives."""
    codes = " ".join(sorted(known_owner_codes(path, only, adapter)))
    named = " and ".join(["common"] * (not only) + [str(path)] * (path is not None))
    return f"owner codes {named} ({digest(codes.encode())})" if codes else "any owner"
