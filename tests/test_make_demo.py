"""`make demo`, as its recipe is typed, and what the model reads that it has tuned."""

import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from container_ocr import FinetunedContainerOCR
from demo import render

CONTAINERS = ("000002", "000011", "000016", "000025")  # three samples each: all would take long


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    """Type the recipe of `make demo` over some of the samples; return its folder.

    What the last command printed stands in printed.txt.
    """
    folder = tmp_path_factory.mktemp("demo")
    rows = json.loads((ROOT / "demo/annotations.json").read_text())["images"]
    rows = [row for row in rows if Path(row["image_path"]).name.startswith(CONTAINERS)]
    for name in ("image", "demo"):
        (folder / name).mkdir()
    for row in rows:
        shutil.copy(ROOT / row["image_path"], folder / row["image_path"])
    (folder / "demo/annotations.json").write_text(json.dumps({"images": rows}))
    words = ["make", "--dry-run", "--always-make", "demo", "BIN=the"]
    recipe = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    steps = [
        line.replace("the/python ", f"{sys.executable} {ROOT}/", 1) for line in recipe.splitlines()
    ]
    steps = [step for step in steps if step.startswith((sys.executable, "cp ", "mkdir "))]
    assert len([step for step in steps if ".py " in step]) == 6
    for step in steps:
        words = shlex.split(step, comments=True)
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    (folder / "printed.txt").write_text(done.stdout)
    return folder


def test_make_demo_ends_with_a_table_in_which_the_tuned_model_is_surer_and_errs_no_more(demo_run):
    """Of nine labels it learns less than of the eighty that `make demo` has."""
    table = (demo_run / "printed.txt").read_text()
    (exact, _, count), (errors, fewer, _), (sure, surer, _) = (
        map(float, re.search(rf"^{name} +([\d.]+)[ %]+([\d.]+)[ %]+(\d+)$", table, re.M).groups())
        for name in ("exact match", "character error rate", "status ok")
    )
    assert count == 3 * len(CONTAINERS)
    assert exact < 80, "the letters are new to it: there is something to learn"
    assert fewer <= errors
    assert surer > sure


def test_a_photo_without_a_number_is_never_ok(demo_run):
    reader = FinetunedContainerOCR(demo_run / "demo/run/lora", device="cpu", dtype="fp32")
    photos = [photo.image for _, photo in render.render_series(2, 3, "none")]
    assert {reading.status for reading in reader.read_batch(photos)} <= {"none", "review"}


def test_nearer_looks_read_from_afar_what_the_first_cannot(demo_run):
    reader = FinetunedContainerOCR(demo_run / "demo/run/lora", device="cpu", dtype="fp32")
    photos = [photo for _, photo in render.render_series(8, 4, "two-line", distance=1.7)]
    images = [photo.image for photo in photos]
    right = []
    for looks in (1, 4):
        reader.options = dataclasses.replace(reader.options, looks=looks)
        pairs = zip(reader.read_batch(images), photos, strict=True)
        right.append(sum(reading.number == photo.number for reading, photo in pairs))
    assert right[1] >= right[0] + 2
