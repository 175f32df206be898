"""Result files: a line or row for each photo, in the format that the name's ending asks for."""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from containers.basis.errors import UserError
from containers.basis.outputs import require_ours
from containers.basis.talk import counted
from containers.data.result import Result, statuses_in
from containers.data.result_file import PARTIAL, Provenance
from containers.data.result_lines import JSON_LINES, TABBED, Lines
from containers.data.result_tables import USUAL_COLUMNS, Csv, Table, Workbook, is_run_file, run_file

FORMATS: dict[str, Lines | Table] = {
    ".txt": TABBED,
    ".csv": Table(Csv()),
    ".xlsx": Table(Workbook()),
    ".jsonl": JSON_LINES,
    "": TABBED,
}


def format_of(path: Path) -> Lines | Table:
    """Return the format of a result file; a run that is under way is kept as lines of JSON."""
    is_run = path.name.endswith(PARTIAL)
    return JSON_LINES if is_run else FORMATS.get(path.suffix.lower(), TABBED)


def require_results(flag: str, path: Path) -> None:
    """Raise `FlagError` where a file stands that is no result file of ours."""
    form = format_of(path)
    require_ours(flag, path, form.is_ours, "result file", form.head)
    if isinstance(form, Table):
        require_ours(flag, run_file(path), is_run_file, "record of a run")


def read_results(path: Path, end: int | None = None) -> tuple[str, list[Result]]:
    """Return what made a result file, and its results; raises `UserError`.

    What stands beyond so many bytes, `end`, is left out.
    """
    provenance = Provenance()
    results = [result for _, result in stream_results(path, provenance, end)]
    return provenance.made_by, results


def stream_results(
    path: Path, provenance: Provenance, end: int | None = None
) -> Iterator[tuple[int, Result]]:
    """Yield (line, result) of a result file, and note in `provenance` what it says of itself.

    A file of a million lines is never in memory whole. Raises `UserError` for what is none.
    """
    try:
        yield from format_of(path).stream(path, provenance, end)
    except (OSError, UnicodeError, csv.Error, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", "") or f"not a {kind_of(error)}"
        raise UserError(f"cannot read {path}: {reason}") from None


def kind_of(error: Exception) -> str:
    """Return what a file is not that could not be read."""
    return "text" if isinstance(error, UnicodeError) else "table"


def write_results(
    output: Path,
    made_by: str,
    results: Sequence[Result],
    noun: str,
    columns: Sequence[str] = USUAL_COLUMNS,
    before: tuple[bytes, ...] = (),
) -> str:
    """Write a result file with a count at its end; return the count. A table has `columns`.

    Raises `ChangedError` where it no longer holds what it held `before`.
    """
    counts = Counter(result.reading.status for result in results)
    summary = f"{counted(len(results), noun)}: {count_statuses(counts)}"
    form = format_of(output)
    more = {"columns": columns} if isinstance(form, Table) else {}
    form.write(output, made_by, results, summary, before=before, **more)
    return summary


def count_statuses(counts: Counter[str]) -> str:
    """Return how many photos came out how, in words; checked ones only where there are any."""
    return ", ".join(f"{counts[status]} {status}" for status in statuses_in(counts))
