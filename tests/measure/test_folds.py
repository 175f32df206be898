"""Tests of cross-validation: who learns what, who reads what, and what is counted."""

import json
from pathlib import Path

import pytest
from conftest import TAUGHT, error_line, paint, run, some_numbers, write_annotations
from hypothesis import given
from hypothesis import strategies as st

from containers.basis.errors import UserError
from containers.data.labels import Example
from containers.number.reading import Reading
from measure import folds
from measure.evaluate import Case

MANY = some_numbers(12)


@given(st.lists(st.sampled_from(MANY), min_size=1), st.integers(1, 5))
def test_each_photo_is_in_one_fold_and_a_container_in_no_two(numbers, count):
    examples = [Example(Path(f"{i}.jpg"), number) for i, number in enumerate(numbers)]
    if len(set(numbers)) < count:
        with pytest.raises(UserError, match="folds"):
            folds.deal(examples, count)
        return
    dealt = folds.deal(examples, count)
    assert sorted(e.image_path for fold in dealt for e in fold) == sorted(
        e.image_path for e in examples
    )
    boxes = [{e.container for e in fold} for fold in dealt]
    assert sum(map(len, boxes)) == len(set().union(*boxes))
    assert max(map(len, boxes)) - min(map(len, boxes)) <= 1


def test_a_row_counts_what_is_mended_and_what_is_spoilt():
    number = "CSQU 305438 3"

    def case(read: str, status: str) -> Case:
        return Case("a.jpg", {}, number, Reading(read, status=status))

    right, unsure, wrong = case(number, "ok"), case(number, "review"), case("CSQU 305430 8", "ok")
    pairs = [(wrong, right), (wrong, unsure), (right, wrong), (right, right), (unsure, right)]
    cells = folds.row("1", "20", pairs).strip("| ").split(" | ")
    assert cells == [
        *("1", "20", "5", "60.0 % (3)", "80.0 % (4)", "2", "1"),
        *("80.0 % (4)", "50.0 % (2)", "80.0 % (4)", "75.0 % (3)"),
    ]


@pytest.mark.parametrize("script", ["folds", "evaluate"])
def test_a_folder_that_is_not_there_is_one_error(script, here):
    write_annotations(here / "labels.json", {"a.png": MANY[0]})
    done = run(f"measure.{script}", "nowhere", "labels.json")
    assert done.returncode == 1
    assert error_line(done.stderr).startswith("error: nowhere: no such folder")


def test_every_fold_is_read_by_a_model_that_has_not_seen_its_containers(here, taught_model, capfd):
    numbers = dict(zip(TAUGHT, ["CSQU 305438 3", *MANY]))  # the model reads the first one
    for colour in numbers:
        paint(here / f"photos/{colour}.png", colour)
    labels = {f"{colour}.png": number for colour, number in numbers.items()}
    write_annotations(here / "labels.json", labels)
    model = ["--model", str(taught_model), "--device", "cpu", "--dtype", "fp32"]
    tuning = ["--epochs", "1", "--looks", "1", "--lr", "1e-9"]
    capfd.readouterr()
    assert folds.main(["photos", "labels.json", *model, "--folds", "2", "--tune", *tuning]) == 0
    rows = [line.strip("| ").split(" | ") for line in capfd.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["1", "2", "all"]
    assert [int(row[2]) for row in rows[:2]] == [len(labels) - int(row[1]) for row in rows[:2]]
    assert rows[2][2:7] == ["5", "20.0 % (1)", "20.0 % (1)", "0", "0"]
    parts = [json.loads(Path(f"demo/folds/{name}.json").read_text()) for name in ("train", "val")]
    assert sum(map(len, parts)) == int(rows[1][1])
