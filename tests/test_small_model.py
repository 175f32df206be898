"""Tests of the model that ships: its card, and its name from anywhere."""

import re
import subprocess
import sys

from conftest import ROOT
from PIL import Image

from container_ocr import find_numbers, main
from florence.samples import SAMPLES


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
