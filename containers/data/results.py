"""Result files: a line for each photo, as text, .csv or .jsonl; written as it is read."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.escapes import escape, json_line, unescape, visible
from containers.basis.files import replacing, require_file
from containers.basis.talk import counted
from containers.number.iso6346 import MAY_BE_PAINTED, compact

FIELDS = ("image", "number", "status", "reason", "confidence", "raw_text")
COLUMNS = "# " + "\t".join(field for field in FIELDS if field != "reason")
CLOSING = re.compile(r"# ([0-9,]+) (?:image|container)s?: .* [0-9]+ error")
STATUSES = ("ok", "review", "none", "error")
MADE_BY = "# batch_process.py"
FAR = 1e6  # pixels: no photo is so large
PARTIAL = ".partial"  # ends the name of a file that is not complete
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
    if number and not MAY_BE_PAINTED.fullmatch(compact(number)):
        raise ValueError("not a number, so perhaps another column")
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


@dataclass
class Lines:
    """What the lines of a result file that are not about photos say, and how many are."""

    made_by: str = ""
    closing: str = ""
    rows: int = 0

    @property
    def problem(self) -> str:
        """Return why a file is not whole, in words that follow its name; nothing where it is."""
        if not self.closing:
            return "is not whole: its last line, which counts the images, is missing"
        if int(self.closing.replace(",", "")) != self.rows:
            return f"is not whole: it counts {self.closing}, and holds {self.rows:,}"
        return ""


def read_results(path: Path, suffix: str = "", end: int | None = None) -> tuple[str, list[Row]]:
    """Return the first line of a result file and its rows; raises `UserError`.

    What stands beyond so many bytes, `end`, is left out.
    """
    lines = Lines()
    rows = [row for _, row in stream_results(path, lines, suffix, end)]
    return lines.made_by, rows


def stream_results(
    path: Path, lines: Lines, suffix: str = "", end: int | None = None
) -> Iterator[tuple[int, Row]]:
    """Yield (line, row) of a result file, and note in `lines` what else it says.

    A file of a million rows is never in memory whole. Line ends are those of any system. Raises
    `UserError` for what is none, with the line.
    """
    suffix = suffix or Path(path.name.removesuffix(PARTIAL)).suffix.lower()
    place, read = 0, 0
    try:
        require_file(path)
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            for place, whole in enumerate(file, 1):
                if end is not None:  # beyond it a line may end within a letter
                    read += len(whole.encode("utf-8", "surrogateescape"))
                    if read > end:
                        break
                if not whole.isascii():
                    whole.encode()
                line = whole.rstrip("\n")
                if place == 1:
                    lines.made_by = line
                if line.startswith("#"):
                    note_comment(line, lines, f"{path}, line {place}")
                elif line not in ("", ",".join(FIELDS)):
                    lines.rows += 1
                    yield place, parse_result(line, suffix)
    except (OSError, UnicodeError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', 'not a text')}") from None
    except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError, csv.Error):
        raise UserError(f"{path}, line {place}: not a line of a result file") from None


def note_comment(line: str, lines: Lines, where: str) -> None:
    """Take down what a comment says; raises `UserError` for columns in another order."""
    if found := CLOSING.fullmatch(line):
        lines.closing = found[1]
    elif line.startswith("# image\t") and line != COLUMNS:
        raise UserError(f"{where}: other columns than {COLUMNS!r}: make the file again")


def count_statuses(counts: Counter[str]) -> str:
    """Return how many photos came out how, in words."""
    return ", ".join(f"{counts[status]} {status}" for status in STATUSES)


def write_results(output: Path, description: str, rows: list[Row], noun: str) -> str:
    """Write a result file with a count at its end; return the count."""
    suffix, count = output.suffix.lower(), Counter(row["status"] for row in rows)
    summary = f"{counted(len(rows), noun)}: {count_statuses(count)}"
    with replacing(output) as file:
        print(
            description,
            ",".join(FIELDS) if suffix == ".csv" else COLUMNS,
            sep="\n",
            file=file,
        )
        for row in rows:
            print(format_result(row, suffix), file=file)
        print(f"# {summary}", file=file)
    return summary


def is_result(data: bytes) -> bool:
    """Tell whether a file begins as those do that we write, or as one that a power cut has cut."""
    head, mark = data.removeprefix(codecs.BOM_UTF8), MADE_BY.encode()
    return head.startswith(mark) or mark.startswith(head)
