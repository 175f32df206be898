"""Results as lines of text: by tabs for people, as JSON for programs and for runs under way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from containers.basis.errors import UserError
from containers.basis.escapes import escape, json_line, unescape, visible
from containers.basis.files import replacing, require_file
from containers.basis.outputs import HEAD_BYTES
from containers.data.result import Result, parse_record, record_of
from containers.data.result_file import Provenance, is_mark

COLUMNS = "# image\tnumber\tstatus\tconfidence\traw_text"
CLOSING = re.compile(r"# ([0-9,]+) (?:image|container)s?: .* [0-9]+ (?:error|checked)")


class Lines:
    """A line for each result, between one that says what made them and one that counts them."""

    head = HEAD_BYTES
    is_ours = staticmethod(is_mark)

    def __init__(self, render: Callable[[Result], str], parse: Callable[[str], Result]):
        self.render, self.parse = render, parse

    def write(
        self,
        path: Path,
        made_by: str,
        results: Iterable[Result],
        count: str,
        before: tuple[bytes, ...] = (),
    ) -> None:
        """Replace the file, which held `before`; `count` says in words how many there are."""
        with replacing(path, *before) as file:
            print(made_by, COLUMNS, sep="\n", file=file)
            for result in results:
                print(self.render(result), file=file)
            print(f"# {count}", file=file)

    def stream(
        self, path: Path, provenance: Provenance, end: int | None = None
    ) -> Iterator[tuple[int, Result]]:
        """Yield (line, result), and note what the other lines say.

        What stands beyond so many bytes, `end`, is left out. Line ends are those of any system.
        Raises `UserError`, with the line, for what is no result.
        """
        require_file(path)
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            for row, line in enumerate(lines_before(file, end), 1):
                where = f"{path}, line {row}"
                if row == 1:
                    provenance.made_by = line
                if line.startswith("#"):
                    note_comment(line, provenance, where)
                elif line:
                    provenance.rows += 1
                    try:
                        yield row, self.parse(line)
                    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
                        raise UserError(f"{where}: not a line of a result file") from None


def lines_before(file: TextIO, end: int | None) -> Iterator[str]:
    """Yield the lines of a file that end within so many bytes; raises UnicodeError for no text."""
    read = 0
    for line in file:
        if end is not None:  # beyond it a line may end within a letter
            read += len(line.encode("utf-8", "surrogateescape"))
            if read > end:
                return
        if not line.isascii():
            line.encode()
        yield line.rstrip("\n")


def note_comment(line: str, provenance: Provenance, where: str) -> None:
    """Take down what a comment says; raises `UserError` for columns in another order."""
    if found := CLOSING.fullmatch(line):
        provenance.count = int(found[1].replace(",", ""))
    elif line.startswith("# image\t") and line != COLUMNS:
        raise UserError(f"{where}: other columns than {COLUMNS!r}: make the file again")


def tabbed(result: Result) -> str:
    """Return a result as a line: image, number, status with its reason, confidence, text."""
    reading = result.reading
    status = f"{reading.status}: {reading.reason}" if reading.reason else reading.status
    texts = reading.number or "", status, f"{reading.confidence:.3f}", reading.raw_text
    return "\t".join((escape(result.image), *map(visible, texts)))


def parse_tabbed(line: str) -> Result:
    """Return the result of a line by `tabbed`; raises ValueError or TypeError."""
    image, number, status, confidence, raw_text = line.split("\t")
    status, _, reason = status.partition(": ")
    record = {"image": unescape(image), "number": number, "status": status, "reason": reason}
    return parse_record(record | {"confidence": confidence, "raw_text": raw_text})


def as_json(result: Result) -> str:
    """Return a result as JSON on one line."""
    return json_line(record_of(result))


def as_listed(result: Result) -> str:
    """Return a result as JSON but for the time of reading, so that equal runs make equal files."""
    return as_json(replace(result, read_at=""))


def parse_json(line: str) -> Result:
    """Return the result of a line of JSON; raises ValueError, KeyError or TypeError."""
    return parse_record(json.loads(line))


TABBED = Lines(tabbed, parse_tabbed)
JSON_LINES = Lines(as_listed, parse_json)
