"""Results as tables that other programs take: .csv by RFC 4180, and workbooks of a spreadsheet.

A table's first row names its columns, and nothing else stands in it; what made it stands in
NAME.run.json beside it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from containers.basis.errors import UserError
from containers.basis.escapes import escape, unescape, visible
from containers.basis.files import read_file, replacing, require_file
from containers.basis.outputs import HEAD_BYTES
from containers.data.result import Result, parse_record
from containers.data.result_file import MADE_BY, Provenance
from containers.number.iso6346 import compact, format_number
from containers.photo.files import stamp_of
from containers.photo.thumbnails import jpegs

if TYPE_CHECKING:
    from openpyxl.cell import WriteOnlyCell

FORMULA = tuple("=+-@")  # what a spreadsheet would run, at the head of a cell
DELIMITERS = ",;\t"  # of a .csv: ours, and what spreadsheets write in other countries
RUN_ENDING = ".run.json"
PICTURED_BY = "picture"  # the name of a workbook's first column
PICTURED = 1000  # rows of a workbook with a picture: 12 KB each
PICTURE_SIZE = (240, 60)  # pixels, at most
COLOURS = {
    "ok": "C6EFCE",
    "review": "FFEB9C",
    "none": "F2F2F2",
    "error": "FFC7CE",
    "checked": "BDD7EE",
}
WIDTHS = {"image": 36, "container_number": 18, "reason": 44, "raw_text": 44, "taken_at": 26}
USUAL_WIDTH = 15  # of other columns, in letters

Cell = str | float
COLUMNS: dict[str, Callable[[Result], Cell]] = {
    "image": lambda result: spelled(result.image),
    "container_number": lambda result: compact(result.reading.number or ""),
    "owner_code": lambda result: result.reading.owner_code,
    "serial_number": lambda result: result.reading.serial_number,
    "check_digit": lambda result: result.reading.check_digit,
    "size_type": lambda result: result.reading.size_type_code,
    "status": lambda result: result.reading.status,
    "reason": lambda result: visible(result.reading.reason),
    "confidence": lambda result: result.reading.confidence,
    "taken_at": lambda result: result.taken_at,
    "read_at": lambda result: result.read_at,
    "raw_text": lambda result: visible(result.reading.raw_text),
}
USUAL_COLUMNS = tuple(name for name in COLUMNS if name != "raw_text")
NEEDED_COLUMNS = ("image", "container_number", "status", "confidence")  # to read a table again


def spelled(image: str) -> str:
    """Return a path for a cell: `=a.jpg` is a formula, `./=a.jpg` the same photo."""
    return escape(f"./{image}" if image.startswith(FORMULA) else image)


def run_file(path: Path) -> Path:
    """Return the name of the file that says what made a table."""
    return path.with_name(path.name + RUN_ENDING)


def is_run_file(data: bytes) -> bool:
    """Tell whether a file begins as those do that say what made a table."""
    return data.lstrip(b"{ \r\n").startswith(f'"made_by": "{MADE_BY}'.encode())


def parse_row(row: dict[str, str]) -> Result:
    """Return the result that a table's row holds; raises ValueError, KeyError or TypeError."""
    texts = {name: row.get(name) or "" for name in COLUMNS}
    number = format_number(texts.pop("container_number"))
    image = unescape(texts["image"])
    own = image.removeprefix("./")
    texts["image"] = own if own.startswith(FORMULA) else image
    return parse_record(texts | {"number": number})


class Csv:
    """A table as text: UTF-8 with a byte-order mark, by which Excel knows it, and CR LF."""

    head = HEAD_BYTES

    def write_rows(
        self,
        path: Path,
        columns: Sequence[str],
        results: Sequence[Result],
        before: tuple[bytes, ...] = (),
    ) -> None:
        """Replace the file, which held `before`."""
        with replacing(path, *before) as file:
            file.write("\ufeff")
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows([COLUMNS[name](result) for name in columns] for result in results)

    def rows(self, path: Path) -> Iterator[list[str]]:
        """Yield the cells of each row, its head too, whatever spreadsheet has saved it again."""
        with open(path, encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            delimiter = max(DELIMITERS, key=head.count)
            yield from csv.reader(file, delimiter=delimiter, strict=True)

    def is_torn(self, path: Path) -> bool:
        """Tell whether the last row has no end."""
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
            return file.read() not in (b"", b"\n", b"\r")

    def is_ours(self, data: bytes) -> bool:
        """Tell whether a file begins with the names of our columns."""
        head = data.decode("utf-8-sig", "replace").partition("\n")[0].strip()
        names = head.split(max(DELIMITERS, key=head.count))
        return {*names} <= {*COLUMNS}


class Workbook:
    """A table as a spreadsheet's own file, with colours, filters and pictures of the numbers."""

    head = -1  # all of it: the mark stands deep in the file

    def __init__(self) -> None:
        self.pictures: dict[tuple, bytes] = {}  # by photo, place and what the file was

    def write_rows(
        self,
        path: Path,
        columns: Sequence[str],
        results: Sequence[Result],
        before: tuple[bytes, ...] = (),
    ) -> None:
        """Replace the file, which held `before`."""
        import openpyxl
        from openpyxl.utils import get_column_letter

        book = openpyxl.Workbook(write_only=True)
        book.properties.creator = MADE_BY.removeprefix("# ")
        sheet = book.create_sheet("containers")
        sheet.freeze_panes = "A2"
        for column, name in enumerate((PICTURED_BY, *columns), 1):
            width = PICTURE_SIZE[0] / 7 if name == PICTURED_BY else WIDTHS.get(name, USUAL_WIDTH)
            sheet.column_dimensions[get_column_letter(column)].width = width
        sheet.append([self.name_cell(sheet, name) for name in (PICTURED_BY, *columns)])
        for result in results:
            cells = [self.cell(sheet, name, COLUMNS[name](result)) for name in columns]
            sheet.append([None, *cells])
        for row, data in enumerate(self.pictures_of(results[:PICTURED]), 2):
            if data:
                self.add_picture(sheet, row, data)
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns) + 1)}{len(results) + 1}"
        whole = io.BytesIO()
        book.save(whole)
        with replacing(path, *before) as file:
            file.buffer.write(whole.getvalue())

    def pictures_of(self, results: Sequence[Result]) -> list[bytes]:
        """Return a picture of each number; those of the last file that was written are known."""
        photos = [(r.image, r.reading.box, stamp_of(r.image)) for r in results]
        new = [photo for photo in dict.fromkeys(photos) if photo not in self.pictures]
        known = self.pictures | dict(zip(new, jpegs([photo[:2] for photo in new], PICTURE_SIZE)))
        self.pictures = {photo: known[photo] for photo in photos}
        return [self.pictures[photo] for photo in photos]

    def name_cell(self, sheet: Any, name: str) -> WriteOnlyCell:
        """Return a cell of the first row."""
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Font

        cell = WriteOnlyCell(sheet, name)
        cell.font = Font(bold=True)
        return cell

    def cell(self, sheet: Any, name: str, value: Cell) -> WriteOnlyCell:
        """Return a cell: what looks like a formula is a text, and a status has its colour."""
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import PatternFill

        cell = WriteOnlyCell(sheet, value)
        if isinstance(value, str):
            cell.data_type = "s"
        if name == "status":
            cell.fill = PatternFill("solid", fgColor=COLOURS[str(value)])
        return cell

    def add_picture(self, sheet: Any, row: int, data: bytes) -> None:
        """Put a picture into a row, as high as it is."""
        from openpyxl.drawing.image import Image

        picture = Image(io.BytesIO(data))
        sheet.row_dimensions[row].height = picture.height * 0.75 + 3  # points of 1/72 inch
        sheet.add_image(picture, f"A{row}")

    def rows(self, path: Path) -> Iterator[list[str]]:
        """Yield the cells of each row, its head too, as text."""
        import openpyxl

        with open(path, "rb") as file:
            sheet = openpyxl.load_workbook(file, read_only=True, data_only=True).worksheets[0]
            for row in sheet.iter_rows(values_only=True):
                yield ["" if value is None else str(value) for value in row]

    def is_torn(self, path: Path) -> bool:
        """Return that it is not: a workbook that is cut does not open."""
        return False

    def is_ours(self, data: bytes) -> bool:
        """Tell whether a workbook names this project as what made it."""
        import openpyxl

        try:
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
        except (OSError, ValueError, KeyError, zipfile.BadZipFile):
            return False
        return book.properties.creator == MADE_BY.removeprefix("# ")


class Table:
    """A file of rows in one of the two forms, with NAME.run.json beside it."""

    def __init__(self, form: Csv | Workbook):
        self.form, self.head, self.is_ours = form, form.head, form.is_ours

    def write(
        self,
        path: Path,
        made_by: str,
        results: Sequence[Result],
        count: str,
        columns: Sequence[str] = USUAL_COLUMNS,
        before: tuple[bytes, ...] = (),
    ) -> None:
        """Replace the table, which held `before`; what made it, and the count, is beside it."""
        self.form.write_rows(path, columns, results, before)
        with replacing(run_file(path)) as file:
            json.dump({"made_by": made_by, "count": count}, file, ensure_ascii=False, indent=2)
            file.write("\n")

    def columns_in(self, path: Path) -> list[str]:
        """Return the columns of a table; raises `UserError` where to write it again loses some."""
        names = [name for name in next(self.form.rows(path), []) if name != PICTURED_BY]
        if others := [name for name in names if name not in COLUMNS]:
            raise UserError(f"{path} has a column {others[0]}, which would be lost: take it out")
        if "reason" not in names:
            raise UserError(f"{path} has no column reason, for what the model had read")
        return names

    def stream(
        self, path: Path, provenance: Provenance, end: int | None = None
    ) -> Iterator[tuple[int, Result]]:
        """Yield (row, result); raises `UserError`, with the row, for what is no result."""
        require_file(path)
        provenance.is_counted, provenance.is_torn = False, self.form.is_torn(path)
        if run_file(path).exists():
            note_run(run_file(path), provenance)
        rows = self.form.rows(path)
        head = next(rows, [])
        if missing := [name for name in NEEDED_COLUMNS if name not in head]:
            raise UserError(f"{path} has no column {missing[0]}, which is needed to read it again")
        for count, row in enumerate(rows, 2):
            if any(row):
                provenance.rows += 1
                try:
                    yield count, parse_row(dict(zip(head, row, strict=True)))
                except (ValueError, KeyError, TypeError, ArithmeticError):
                    raise UserError(f"{path}, row {count}: not a row of results") from None


def note_run(path: Path, provenance: Provenance) -> None:
    """Take down what the file beside a table says; raises `UserError` for what it cannot be."""
    try:
        said = json.loads(read_file(path))
        provenance.made_by = str(said["made_by"])
        provenance.count = int(str(said["count"]).split(" ")[0].replace(",", ""))
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} does not say what made the table: delete it") from None
