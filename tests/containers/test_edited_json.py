"""Tests of JSON that people edit by hand."""

import json
import time
from pathlib import Path

import pytest
from conftest import NUMBER, draw_photo, error_line, prepare
from hypothesis import given
from hypothesis import strategies as st

import prepare_dataset
from containers.basis.errors import UserError
from containers.data.edited_json import parse_json
from containers.data.labels import read_annotations

GOOD = json.dumps(
    {"images": [{"image_path": "image/000.jpg", "container_number": NUMBER}]}, indent=1
)


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode("utf-8-sig"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.encode("utf-16"),
        GOOD.replace('3"\n', '3",\n').replace("}\n ]", "},\n ],").encode(),
    ],
    ids=["byte-order mark", "Windows line ends", "UTF-16", "trailing commas"],
)
def test_what_editors_do_is_read(data, here):
    path = here / "annotations.json"
    path.write_bytes(data)
    assert read_annotations(path) == json.loads(GOOD)


def test_a_comma_inside_a_label_is_not_a_trailing_comma(here):
    text = '{"images": [{"image_path": "a,]b,}.jpg", "note": "x\\",}"}]}'
    (here / "annotations.json").write_text(text)
    (entry,) = read_annotations(here / "annotations.json")["images"]
    assert entry == {"image_path": "a,]b,}.jpg", "note": 'x",}'}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "line 1, column 1: the file is empty"),
        ("{", "line 1, column 2: the file ends too early"),
        (
            '{"images": [\n  {"image_path": "a.jpg"\n  "container_number": "x"}\n]}',
            "line 3, column 3",
        ),
        ('{"images": [\n  {"image_path": "a.jpg}\n]}', "line 2, column 25"),
        ("{'images': []}", "line 1, column 2"),
        ('{"images": [\n {image_path: "a.jpg"}]}', "line 2, column 3"),
        ('{"images": [] \n x', "line 2, column 2"),
        ('{"images": [{"image_path": “a.jpg”}]}', "line 1, column 28"),
        ('{"images": [{"image_path": "a\\q.jpg"}]}', "line 1, column 30"),
        ('{"images": [{"a": 1,, "b": 2}]}', "line 1, column 21"),
        ('{"images": [\n\n{"a" 1}]}', "line 3, column 6"),
        ("[" * 100_000, "annotations.json"),
        ("[]", '{"images": [...]}'),
        ('{"images": {}}', '{"images": [...]}'),
        ('{"images": ["a.jpg"]}', "entry 1"),
        ('{"images": [{"image_path": 7}]}', "entry 1"),
        (
            '{"images": [{"image_path": "a.jpg", "note": 1, "note": 2}]}',
            "a.jpg: 'note' stands twice",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["prepare", "create_template"])
def test_broken_json_says_where(text, where, mode, here, capsys):
    draw_photo(here / "image" / "a.jpg", "")
    (here / "annotations.json").write_text(text, encoding="utf-8")
    assert prepare_dataset.main(["--mode", mode]) == 1
    line = error_line(capsys.readouterr().err)
    assert "annotations.json" in line
    assert where in line
    assert (here / "annotations.json").read_text(encoding="utf-8") == text, "the file was changed"
    assert not (here / "dataset").exists()


def test_the_offending_line_is_shown(here, capsys):
    text = '{"images": [\n  {"image_path": "a.jpg" "container_number": "x"}\n]}'
    (here / "annotations.json").write_text(text)
    assert prepare() == 1
    line = error_line(capsys.readouterr().err)
    assert "a comma is missing before this place" in line
    assert 'in: {"image_path": "a.jpg" "container_number": "x"}' in line


def test_korean_in_another_encoding_says_so(here, capsys):
    (here / "annotations.json").write_bytes('{"images": [\n"한글"]}'.encode("cp949"))
    assert prepare() == 1
    assert "line 2: not UTF-8" in error_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "' + r"\"" * 300_000,
        '{"a": "' + r"\"" * 300_000 + "\n",
        "[" + '"' * 300_001,
        "[1" + ", " * 300_000,
        "[1," + " " * 300_000 + "x",
        json.dumps({"images": [{str(i): i for i in range(100_000)}]})[:-1],
        '{"a": 1' + "1" * 5000 + "}",
    ],
    ids=["no end", "no end of line", "quotes", "commas", "spaces", "keys", "digits"],
)
def test_broken_json_is_refused_in_no_time(text):
    start = time.process_time()
    with pytest.raises(UserError):
        parse_json(text, Path("x"))
    assert time.process_time() - start < 2


def test_many_keys_are_read_in_no_time():
    start, value = time.process_time(), {str(i): i for i in range(100_000)}
    assert parse_json(json.dumps(value), Path("x")) == value
    assert time.process_time() - start < 2


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_all_json_is_read_as_the_standard_library_reads_it(value):
    text = json.dumps(value, ensure_ascii=False, indent=1)
    assert parse_json(text, Path("x")) == value


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity"])
def test_a_number_that_would_come_back_as_another_is_an_error_and_nothing_is_written(
    number, here, capsys
):
    draw_photo(here / "image/new.jpg", "")
    path = here / "annotations.json"
    path.write_text(GOOD.replace('"images"', f'"note": {number}, "images"'))
    before = path.read_bytes()
    assert prepare_dataset.main([]) == 1
    assert f"{number} is too large or no number" in error_line(capsys.readouterr().err)
    assert path.read_bytes() == before
