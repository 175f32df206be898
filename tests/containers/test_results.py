"""Tests of result files that are cut, doubled or written by another system."""

from pathlib import Path

import pytest
from conftest import NUMBER, OTHER

from containers.basis.errors import UserError
from containers.data.comparison import Label
from containers.data.result import Result
from containers.data.result_file import MADE_BY
from containers.data.results import read_results, write_results
from containers.data.runs import nothing, read_run
from containers.number.reading import Reading

FORMATS = ["r.txt", "r.csv", "r.jsonl"]


def write(name: str, *readings: tuple[str, str]) -> Path:
    """Write a result file of (photo, number)."""
    results = [
        Result(image, Reading(n, (), 0.97, f"MAERSK {n}", status="ok")) for image, n in readings
    ]
    write_results(Path(name), MADE_BY, results, "image")
    return Path(name)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_cut_is_said_wherever_it_is(name, here, capsys):
    path = write(name, ("a.jpg", NUMBER), ("한글.jpg", OTHER))
    whole = path.read_bytes()
    assert len(read_run(name).results) == 2
    assert not capsys.readouterr().err
    for end in range(len(whole) - 1):
        path.write_bytes(whole[:end])
        try:
            read_run(name)
        except UserError:
            continue
        line = capsys.readouterr().err
        assert f"{name} is not whole" in line, whole[:end]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("ends", ["\r\n", "\r"], ids=["Windows", "an old Mac"])
def test_line_ends_of_any_system_are_read(name, ends, here):
    path = write(name, ("a.jpg", NUMBER), ("b.jpg", OTHER))
    expected = read_results(path)
    path.write_text(path.read_text(), newline=ends)
    assert read_results(path) == expected


@pytest.mark.parametrize("name", FORMATS)
def test_rows_that_stand_twice_are_said_and_those_that_contradict_are_an_error(name, here, capsys):
    write(name, ("a.jpg", NUMBER), ("a.jpg", NUMBER))
    assert len(read_run(name).results) == 1
    assert f"{name} lists 1 photo more than once" in capsys.readouterr().err
    write(name, ("a.jpg", NUMBER), ("b.jpg", OTHER), ("a.jpg", OTHER))
    with pytest.raises(UserError, match=r"line [456]: another line says otherwise of a\.jpg"):
        read_run(name)


def test_columns_in_another_order_are_an_error(here):
    path = write("r.txt", ("a.jpg", NUMBER))
    text = path.read_text()
    path.write_text(text.replace("number\tstatus", "status\tnumber"))
    with pytest.raises(UserError, match="line 2: other columns than"):
        read_run("r.txt")
    path.write_text(text.replace(f"{NUMBER}\tok", f"MAERSK {NUMBER}\tok"))
    with pytest.raises(UserError, match="line 3: not a line of a result file"):
        read_run("r.txt")


def test_only_labelled_photos_are_kept_by_whatever_name_they_have(here):
    Path("image").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg", r"d\t.jpg"):
        Path("image", name).touch()
    Path("link.jpg").symlink_to("image/b.jpg")
    odd = r"image/d\t.jpg"
    write(
        "r.txt", ("image/a.jpg", NUMBER), ("link.jpg", OTHER), ("image/c.jpg", OTHER), (odd, OTHER)
    )
    names = ["image/a.jpg", "image/b.jpg", odd]
    labels = {str(here.resolve() / name): Label(NUMBER) for name in names}
    run = read_run("r.txt", labels, nothing)
    assert set(run.results) == set(labels)
    assert run.count == 4
