"""Result files: a line for each photo, as text, .csv or .jsonl; written as it is read."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from containers.command_line import counted, say
from containers.errors import FlagError, UserError
from containers.escapes import escape, json_line, unescape, visible
from containers.files import TEXT, free_name, read_file, replacing, writing
from containers.outputs import require_ours

FIELDS = ("image", "number", "status", "reason", "confidence", "raw_text")
STATUSES = ("ok", "review", "none", "error")
MADE_BY = "# batch_process.py"
FAR = 1e6  # pixels: no photo is so large
FLAGS = {  # by the first word of what they put into a file's first line
    **{"model": "--model", "adapter": "--lora_path", "no": "--lora_path", "dtype": "--dtype"},
    **{"review": "--review_below", "at": "--looks"},
    **{"owner": "--owner_codes", "any": "--owner_codes"},
}
ENDINGS = (".txt", ".csv", ".jsonl", "")
INSTEAD = {".xlsx": ".csv", ".xls": ".csv", ".json": ".jsonl"}  # what is meant by another ending
PARTIAL = ".partial"  # ends the name of a file that is not complete
SYNCED_EVERY = 5.0  # seconds: what a power cut may cost; a sync of a slow disk takes 0.05
Row = dict[str, object]


def format_row(row: dict[str, object]) -> str:
    """Return a reading's record as a line: image, number, status, confidence, text by tabs."""
    status = f"{row['status']}: {row['reason']}" if row["reason"] else row["status"]
    texts = row["number"] or "", status, f"{row['confidence']:.3f}", row["raw_text"]
    return "\t".join((escape(row["image"]), *map(visible, texts)))


def format_result(row: Row, suffix: str) -> str:
    """Return a row as a line of a .csv, .jsonl or tab-separated file."""
    if suffix == ".jsonl":
        return json_line(row)
    if suffix == ".csv":
        line = io.StringIO()
        fields = [row[field] for field in FIELDS[1:]]
        texts = [visible(field) if isinstance(field, str) else field for field in fields]
        csv.writer(line, lineterminator="").writerow([escape(row["image"]), *texts])
        return line.getvalue()
    return format_row(row)


def parse_result(line: str, suffix: str) -> Row:
    """Return the row that `format_result` wrote; raises ValueError, KeyError or TypeError."""
    if suffix == ".jsonl":
        row = json.loads(line)
    elif suffix == ".csv":
        row = dict(zip(FIELDS, next(csv.reader([line])), strict=True))
    else:
        image, number, status, confidence, raw_text = line.split("\t")
        status, _, reason = status.partition(": ")
        row = dict(zip(FIELDS, (image, number, status, reason, confidence, raw_text)))
    if suffix != ".jsonl":
        row["image"] = unescape(row["image"])
    number = "" if row["number"] is None else row["number"]
    texts = [row["image"], number, row["reason"], row["raw_text"]]
    if row["status"] not in STATUSES or not all(isinstance(text, str) for text in texts):
        raise ValueError("not a result")
    confidence = float(row["confidence"])
    extras = is_alternatives(row.get("alternatives", [])) and is_box(row.get("box", []))
    if not 0 <= confidence <= 1 or not extras:
        raise ValueError("not a result")
    return {**row, "number": row["number"] or None, "confidence": confidence}


def is_alternatives(value: object) -> bool:
    """Tell whether a value is a list of numbers with their probabilities."""
    return isinstance(value, list) and all(
        isinstance(pair, list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and isinstance(pair[1], (int, float))
        and 0 <= pair[1] <= 1
        for pair in value
    )


def is_box(value: object) -> bool:
    """Tell whether a value is a list of four corners, pairs of pixels, or an empty one."""
    if not isinstance(value, list) or len(value) not in (0, 4):
        return False
    corners = all(isinstance(corner, list) and len(corner) == 2 for corner in value)
    return corners and all(
        isinstance(x, (int, float)) and abs(x) < FAR for corner in value for x in corner
    )


def read_results(path: Path, suffix: str = "", end: int | None = None) -> tuple[str, list[Row]]:
    """Return the first line of a result file and its rows; raises `UserError`.

    What stands beyond so many bytes, `end`, is left out.
    """
    try:
        text = read_file(path)[:end].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', 'not a text')}") from None
    rows, lines = [], [line.rstrip("\r") for line in text.split("\n")]
    suffix = suffix or Path(path.name.removesuffix(PARTIAL)).suffix.lower()
    for place, line in enumerate(lines, 1):
        if line.startswith("#") or line in ("", ",".join(FIELDS)):
            continue
        try:
            rows.append(parse_result(line, suffix))
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError, csv.Error):
            raise UserError(f"{path}, line {place}: not a line of a result file") from None
    return lines[0], rows


def count_statuses(counts: Counter[str]) -> str:
    """Return how many photos came out how, in words."""
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES)


def write_results(output: Path, description: str, rows: list[Row], noun: str) -> str:
    """Write a result file with a count at its end; return the count."""
    suffix, count = output.suffix.lower(), Counter(row["status"] for row in rows)
    summary = f"{counted(len(rows), noun)}: {count_statuses(count)}"
    columns = "\t".join(field for field in FIELDS if field != "reason")
    with replacing(output) as file:
        print(
            description,
            ",".join(FIELDS) if suffix == ".csv" else f"# {columns}",
            sep="\n",
            file=file,
        )
        for row in rows:
            print(format_result(row, suffix), file=file)
        print(f"# {summary}", file=file)
    return summary


def difference(before: str, now: str) -> str:
    """Return which flags have changed between two first lines of result files; else the first."""
    lines = (line.removeprefix(f"{MADE_BY}: ").split(", ") for line in (before, now))
    pairs = [pair for pair in zip_longest(*lines, fillvalue="") if len({*pair}) > 1]
    flags = [FLAGS.get(here.split(" ")[0]) for _, here in pairs]
    if not pairs or None in flags:
        return before.removeprefix("# ")
    return "; ".join(f"{flag}: {was}, now {here}" for flag, (was, here) in zip(flags, pairs))


def is_result(data: bytes) -> bool:
    """Tell whether a file begins as those do that we write, or as one that a power cut has cut."""
    head, mark = data.removeprefix(codecs.BOM_UTF8), MADE_BY.encode()
    return head.startswith(mark) or mark.startswith(head)


class Journal:
    """The lines of a run that is not complete, in the order in which they were read."""

    def __init__(self, output: Path):
        self.output, self.path = output, output.with_name(output.name + PARTIAL)
        self.suffix = output.suffix.lower()

    def check(self) -> None:
        """Raise `FlagError` where the results cannot be written, or would replace another file."""
        if self.suffix not in ENDINGS:
            other = INSTEAD.get(self.suffix, ".txt")
            known = ", ".join(filter(None, ENDINGS))
            raise FlagError(
                f"--output {self.output}: the ending is none of {known}: type --output "
                f"{self.output.with_suffix(other)}"
            )
        for path in (self.path, self.output):
            require_ours("--output", path, is_result, "result file")
        with writing(self.output):
            with open(self.path, "ab") as file:
                empty = file.tell() == 0
            if empty:
                self.path.unlink()

    def earlier(self, description: str) -> dict[str, Row]:
        """Return what `--resume` need not read again, by image, and drop a torn last line.

        That is what a complete file could read, and all of a stopped run. Raises `UserError` where
        another model made them, and then leaves all as it is.
        """
        found: dict[str, Row] = {}
        for path, end in ((self.path, self.whole()), (self.output, None)):
            made_by, rows = read_results(path, self.suffix, end) if path.exists() else ("", [])
            if rows and made_by != description:
                if found:
                    break  # the complete file is an older run's, which this one was to replace
                changed = difference(made_by, description)
                raise UserError(
                    f"{path} was made by another run ({changed}): give the same flags, or begin "
                    f"another file with --output {free_name(self.output)}"
                )
            done = [row for row in rows if path == self.path or row["status"] != "error"]
            found = {row["image"]: row for row in done} | found
        if self.path.exists():
            os.truncate(self.path, self.whole())
        say(f"resume: {counted(len(found), 'photo')} read before")
        return found

    def whole(self) -> int:
        """Return how many bytes of the lines are whole: a kill or a power cut tears the last ones.

        Where the power went away the system may have left zeros.
        """
        data = self.path.read_bytes() if self.path.exists() else b""
        zeros = data.find(b"\0")
        return data.rfind(b"\n", 0, zeros if zeros >= 0 else len(data)) + 1

    def written(self) -> dict[str, Row]:
        """Return the rows of the run that are on the disk, by image."""
        rows = read_results(self.path, self.suffix)[1] if self.path.exists() else []
        return {row["image"]: row for row in rows}

    def write(self, description: str, rows: Iterator[Row], resume: bool) -> Iterator[Row]:
        """Yield the rows, each one when it is in the file; the first opens it.

        A kill loses none of them. A power cut may lose what was written since the last sync: the
        first row is synced, and then one after so many seconds.
        """
        mode, synced = "a" if resume else "w", -math.inf
        for row in rows:
            with writing(self.path, UserError), open(self.path, mode, **TEXT) as file:
                if file.tell() == 0:
                    file.write(f"{description}\n")
                file.write(f"{format_result(row, self.suffix)}\n")
                if time.monotonic() >= synced + SYNCED_EVERY:
                    file.flush()
                    os.fsync(file.fileno())
                    synced = time.monotonic()
            mode = "a"
            yield row

    def finish(self, description: str, rows: list[Row]) -> str:
        """Write the result file, and drop the lines of the run; return the count."""
        summary = write_results(self.output, description, rows, "image")
        self.path.unlink(missing_ok=True)
        return summary
