"""Tests of the small model that finds the number for another one to read."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import error_line, rows_of, train
from safetensors.torch import save_file

import batch_process
from container_ocr import ContainerOCR
from containers.number.reading import Hypothesis, Reading
from containers.number.reasons import Reason
from containers.number.review import hear, reading_of
from containers.photo.looks import Found, ReadingOptions, Search
from containers.photo.windows import Window
from florence.finder import finder_folder
from florence.hub import SMALL_FOLDER
from florence.samples import SAMPLES

PLACE = Window(500, 300, 200, 30)
SIZE = (1000, 600)


@pytest.fixture(scope="module")
def reader(tiny_model):
    """Return a reader of random weights with the finder that ships beside it."""
    return ContainerOCR(str(tiny_model), device="cpu", dtype="fp32", looks=4, finder="small")


def holds(window: Window, box: tuple[int, int, int, int]) -> bool:
    """Tell whether the middle of a box lies in a window, and the window is not all of the photo."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    near = abs(window.x - x) < window.length / 4 and abs(window.y - y) < window.height / 2
    return near and window.length < 3 * (box[2] - box[0])


def test_a_reader_that_knows_nothing_looks_once_where_the_finder_has_found_the_number(reader):
    for sample, search in zip(SAMPLES, reader.search([s.path for s in SAMPLES], 4)):
        assert len(search.done) == 1, "it saw nothing there, so it looks no nearer"
        assert holds(search.done[0].window, sample.box), sample
        assert search.best.number is None, "what the finder reads never becomes the number"
        assert search.best.found[0] == sample.number


def test_the_model_that_ships_finds_for_itself_and_so_does_an_adapter_on_it(tmp_path):
    copy = shutil.copytree(SMALL_FOLDER, tmp_path / "copy")
    assert finder_folder("small", copy) is None
    assert finder_folder(None, SMALL_FOLDER) is None
    assert ContainerOCR("small", device="cpu").finder is None


def test_a_larger_model_has_the_finder_unless_it_is_asked_to_find_for_itself(tmp_path, tiny_model):
    save_file({"w": torch.zeros(6_000_000, dtype=torch.float16)}, tmp_path / "model.safetensors")
    assert finder_folder(None, tmp_path) == SMALL_FOLDER
    assert finder_folder("none", tmp_path) is None
    assert finder_folder(None, tiny_model) is None


@pytest.mark.parametrize(
    ("read", "found", "status", "reason", "confidence"),
    [
        (("CSQU 305438 3", 0.9), ("CSQU 305438 3", 0.97, "ok"), "ok", "", 0.97),
        (("CSQU 305438 3", 0.4), ("CSQU 305438 3", 0.8, "ok"), "ok", "", 0.8),
        (("CSQU 305438 3", 0.9), ("MSKU 123456 5", 0.8, "ok"), "review", "the small model", 0.9),
        (("CSQU 305438 3", 0.9), ("MSKU 123456 5", 0.8, "review"), "ok", "", 0.9),
        ((None, 0.0), ("MSKU 123456 5", 0.8, "ok"), "none", "the small model reads MSKU", 0.0),
        (("CSQU 305438 3", 0.9), (None, 0.0, "none"), "ok", "", 0.9),
    ],
)
def test_a_sure_finder_that_reads_another_number_is_a_doubt(
    read, found, status, reason, confidence
):
    number, p, its_status = found
    found = Reading(number, confidence=p, status=its_status)
    reading = reading_of(hear(Hypothesis(read[0], confidence=read[1]), found), 0.5)
    assert (reading.number, reading.status, reading.confidence) == (read[0], status, confidence)
    assert reason in reading.reason
    assert bool(reading.reason) == bool(reason)


def test_looks_at_a_finders_place_end_when_one_is_sure_and_the_box_is_the_finders():
    found = Found(Reading("CSQU 305438 3", confidence=0.9, status="ok"), PLACE, SIZE)
    search = Search("photo", ReadingOptions(looks=4), found=found)
    first, letters = search.first, [(0.1 * i, 0.5) for i in range(11)]
    assert first.x == PLACE.x
    unsure = Hypothesis("CSQU 305438 3", confidence=0.3, reasons=(Reason("text", ("nothing",)),))
    (second,) = search.take_in(first, unsure, letters, SIZE)
    assert second.length < first.length
    assert search.take_in(second, Hypothesis("CSQU 305438 3", confidence=0.99), letters, SIZE) == []
    assert search.is_over
    assert search.best.box == tuple((round(x), round(y)) for x, y in PLACE.corners)


def test_results_name_the_finder_and_what_it_has_read(here, tiny_model):
    flags = ["--model", str(tiny_model), "--finder", "small", "--device", "cpu", "--dtype", "fp32"]
    shutil.copy(SAMPLES[0].path, here)
    assert batch_process.main([".", *flags, "--output", "results.jsonl"]) == 0
    first, *_, row, _ = Path("results.jsonl").read_text(encoding="utf-8").splitlines()
    assert "finder " in first
    assert "small_model" in first
    assert json.loads(row)["found"][0] == SAMPLES[0].number
    assert batch_process.main([".", *flags[:2], *flags[4:], "--output", "alone.txt"]) == 0
    assert len(rows_of("alone.txt")) == 1
    assert "finder" not in Path("alone.txt").read_text(encoding="utf-8")


def test_a_finder_that_is_not_there_is_said_before_anything_is_loaded(here, capsys):
    with pytest.raises(SystemExit, match="2"):
        batch_process.main([".", "--finder", "nowhere"])
    assert "nowhere" in error_line(capsys.readouterr().err)


def test_what_the_finder_shows_is_learnt_and_found_once_for_all_readers(
    here, tiny_model, taught_model, capsys
):
    for name, samples in (("train", SAMPLES[:3]), ("val", SAMPLES[3:])):
        rows = [{"image": str(s.path), "prefix": "<OCR>", "suffix": s.number} for s in samples]
        Path(f"{name}.json").write_text(json.dumps(rows))
    files = ["--train", "train.json", "--val", "val.json", "--finder", "small", "--device", "cpu"]
    more = ["--dtype", "fp32", "--looks", "4", "--epochs", "1", "--lora_rank", "2"]
    assert train([*files, *more], "--model", str(tiny_model), "--output", "one") == 0
    assert "that show the labels of 3 photos" in capsys.readouterr().err
    found = Path("features/windows.json").read_bytes()
    windows = [Window(*row[:5]) for rows in json.loads(found).values() for row in rows]
    boxes = [sample.box for sample in SAMPLES]
    assert all(any(holds(window, box) for window in windows) for box in boxes)
    assert train([*files, *more], "--model", str(taught_model), "--output", "two") == 0
    assert Path("features/windows.json").read_bytes() == found
