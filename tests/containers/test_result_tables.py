"""Tests of the lists that other programs take, by the programs that take them."""

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import openpyxl
import pytest
from conftest import NUMBER, OTHER, draw_photo
from PIL import Image

from containers.basis.errors import FlagError, UserError
from containers.data.result import Result, read_now
from containers.data.result_file import MADE_BY
from containers.data.result_tables import USUAL_COLUMNS
from containers.data.results import read_results, require_results, write_results
from containers.data.runs import read_run
from containers.number.reading import Reading
from containers.number.reasons import parse_reasons
from containers.photo.taken import taken_at

STATUS = USUAL_COLUMNS.index("status") + 2  # behind the picture
BOX = ((10, 10), (150, 10), (150, 50), (10, 50))
HEAD = ["image", "container_number", "status", "reason", "confidence"]
SAVED = ["한글.jpg", "CSQU3054383", "ok", 'a, "b"', "0.97"]


def write(name: str, *results: Result, columns: tuple[str, ...] = USUAL_COLUMNS) -> Path:
    """Write a result file."""
    write_results(Path(name), f"{MADE_BY}: a test", results, "image", columns)
    return Path(name)


def read(image: str, number: str | None = NUMBER, status: str = "ok", **more) -> Result:
    """Return the result of a photo."""
    return Result(image, Reading(number, status=status, **({"confidence": 0.97} | more)))


def test_a_csv_is_what_a_plain_reader_of_csv_takes_for_a_table(here):
    reason = "check digit does not fit"
    odd = read('a, "b"\n.jpg', OTHER, "review", reasons=parse_reasons(reason))
    path = write("r.csv", read("한글.jpg"), odd, read("none.jpg", None, "none", confidence=0))
    assert path.read_bytes().startswith(b"\xef\xbb\xbfimage,container_number,owner_code,")
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, strict=True))
    assert [row["container_number"] for row in rows] == ["CSQU3054383", "HLXU2008419", ""]
    assert rows[1]["image"] == r'a, "b"\n.jpg'
    parts = [rows[1][name] for name in ("owner_code", "serial_number", "check_digit", "reason")]
    assert parts == ["HLXU", "200841", "9", reason]
    assert json.loads(Path("r.csv.run.json").read_text())["made_by"] == f"{MADE_BY}: a test"


def test_a_workbook_opens_with_filters_colours_and_pictures(here):
    draw_photo(here / "a.jpg", "a")
    path = write("r.xlsx", read("a.jpg", box=BOX), read("gone.jpg", OTHER, "review"))
    sheet = openpyxl.load_workbook(path).active
    assert [cell.value for cell in sheet[1]] == ["picture", *USUAL_COLUMNS]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:L3"
    colours = [sheet.cell(row, STATUS).fill.fgColor.rgb for row in (2, 3)]
    assert [sheet.cell(row, STATUS).value for row in (2, 3)] == ["ok", "review"]
    assert len({*colours}) == 2
    (picture,) = sheet._images
    assert picture.anchor._from.row == 1
    assert Image.open(io.BytesIO(picture._data())).width <= 240


@pytest.mark.parametrize("name", ["r.csv", "r.xlsx"])
def test_a_name_that_a_spreadsheet_would_run_is_a_text_and_the_same_photo(name, here):
    path = write(name, read("=HYPERLINK(1).jpg"), read("-x.jpg", OTHER))
    assert [result.image for result in read_results(path)[1]] == ["=HYPERLINK(1).jpg", "-x.jpg"]
    if name == "r.xlsx":
        cells = [openpyxl.load_workbook(path).active.cell(row, 2) for row in (2, 3)]
        assert [cell.data_type for cell in cells] == ["s", "s"]
    else:
        assert b"\n=" not in path.read_bytes()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_that_a_spreadsheet_has_saved_again_is_read(delimiter, here):
    with open("saved.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([HEAD, SAVED])
    (result,) = read_results(Path("saved.csv"))[1]
    assert (result.image, result.reading.number, result.reading.reason) == (
        *("한글.jpg", NUMBER),
        'a, "b"',
    )


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not here")
@pytest.mark.parametrize("name", ["r.csv", "r.xlsx"])
def test_libreoffice_opens_a_list_and_what_it_saves_is_read(name, here):
    results = [read("한글.jpg"), read("b.jpg", OTHER, "review", reasons=parse_reasons("a; b, c"))]
    path = write(name, *results)
    kind = {"r.csv": "xlsx", "r.xlsx": "csv"}[name]
    utf8 = "44,34,76"  # a comma, a quotation mark, and LibreOffice's number for UTF-8
    how = {"csv": f"csv:Text - txt - csv (StarCalc):{utf8}", "xlsx": "xlsx"}[kind]
    taken = [f"--infilter=CSV:{utf8}"] if name == "r.csv" else []
    command = ["soffice", "--headless", *taken, "--convert-to", how, "--outdir", "out", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    found = read_results(Path(f"out/r.{kind}"))[1]
    assert [(r.image, r.reading.number) for r in found] == [("한글.jpg", NUMBER), ("b.jpg", OTHER)]


def test_columns_are_those_that_were_asked_for_and_without_the_needed_ones_none_is_read(here):
    path = write("r.csv", read("a.jpg"), columns=("container_number", "image"))
    assert path.read_text(encoding="utf-8-sig").splitlines() == [
        "container_number,image",
        "CSQU3054383,a.jpg",
    ]
    with pytest.raises(UserError, match=r"r\.csv has no column status, which is needed"):
        read_run("r.csv")


def test_a_table_of_somebody_else_is_not_replaced(here):
    Path("r.csv").write_text("name,price\napples,3\n")
    Path("r.xlsx").write_bytes(b"PK\x03\x04 no workbook")
    for name in ("r.csv", "r.xlsx"):
        with pytest.raises(FlagError, match="is no result file"):
            require_results("--output", Path(name))
    book = openpyxl.Workbook()
    book.save("r.xlsx")
    with pytest.raises(FlagError, match="is no result file"):
        require_results("--output", Path("r.xlsx"))
    require_results("--output", write("r.xlsx", read("a.jpg")))


def test_times_stand_in_a_list_with_the_zone_where_it_is_known(here):
    photo = draw_photo(here / "a.jpg", "a")
    image, exif = Image.open(photo), Image.Exif()
    exif[0x0132] = "2026:11:25 06:07:08"
    image.save("a.jpg", exif=exif)
    assert taken_at("a.jpg") == "2026-11-25T06:07:08"
    exif.get_ifd(0x8769).update({0x9003: "2026:11:24 05:06:07", 0x9011: "+09:00"})
    image.save("a.jpg", exif=exif)
    result = read_now("a.jpg", Reading(NUMBER, status="ok"))
    assert result.taken_at == "2026-11-24T05:06:07+09:00"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", result.read_at)
    assert read_results(write("r.csv", result))[1][0].taken_at == result.taken_at
    assert taken_at("missing.jpg") == ""
