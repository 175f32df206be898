"""The model that ships: its card, its name from anywhere, and what it reads of the samples."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT, rows_of
from PIL import Image
from stdnum import iso6346

import batch_process
from container_ocr import ContainerOCR, find_numbers, main
from containers.photo.opening import open_photo
from florence.samples import SAMPLES

MODEL = ROOT / "small_model"


def test_the_cards_lines_read_a_window_as_they_stand(here):
    """In plain transformers."""
    sample = SAMPLES[0]
    left, top, right, bottom = sample.box
    aside, above = (right - left) // 8, (bottom - top) // 4
    place = left - aside, top - above, right + aside, bottom + above
    (here / "small_model").symlink_to(ROOT / "small_model")
    Image.open(sample.path).crop(place).save("window.jpg")
    (lines,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "small_model/README.md").read_text(), re.S
    )
    done = subprocess.run(
        [sys.executable, "-c", lines], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert find_numbers(done.stdout) == [sample.number.replace(" ", "")]


def test_small_is_a_model_in_any_folder(here, capsys):
    sample = SAMPLES[0]
    assert main([str(sample.path), "--model", "small", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.split("\t")[1] == sample.number


@pytest.fixture(scope="module")
def samples() -> dict[str, str]:
    """Return the sample photos' true numbers."""
    rows = json.loads((ROOT / "demo/annotations.json").read_text())["images"]
    return {row["image_path"]: row["container_number"] for row in rows}


def test_the_samples_are_labelled_each_and_small(samples):
    files = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "image").glob("*.jpg")}
    assert set(samples) <= set(files)
    assert 60 <= len(samples) <= 120
    assert sum(files[name].stat().st_size for name in samples) <= 10 * 2**20
    for number in samples.values():
        assert iso6346.is_valid(number.replace(" ", ""))


def test_the_shipped_model_is_small_and_in_safetensors():
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 16 * 2**20
    assert not [path for path in files if path.suffix in (".bin", ".pt", ".pkl", ".py")]


def test_a_batch_reads_as_one_by_one(samples):
    reader = ContainerOCR(MODEL, device="cpu", dtype="fp32", looks=1)
    images = [open_photo(ROOT / name)[0] for name in list(samples)[:6]]
    alone = [reader.read(image) for image in images]
    together = reader.read_batch(images)
    assert [r.raw_text for r in together] == [r.raw_text for r in alone]
    assert [r.confidence for r in together] == pytest.approx(
        [r.confidence for r in alone], abs=1e-4
    )


def test_the_views_of_a_sample_of_which_nothing_is_sure_are_grouped(here):
    photo = here / "image/000049_BACK_1.jpg"
    photo.parent.mkdir()
    shutil.copy(ROOT / "image" / photo.name, photo)
    assert batch_process.main(["--model", str(MODEL), "--group_by", "--device", "cpu"]) == 0
    (row,) = rows_of("results_base_grouped.txt")
    assert row[0] == "image/000049"
    assert float(row[3]) < 0.1
