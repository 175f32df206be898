"""Tests of ContainerOCR, of its command, and of many photos in a stream."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import NUMBER, TAUGHT, draw_photo, error_line, paint
from PIL import Image

import batch_process
import container_ocr
from container_ocr import ContainerOCR
from containers.data.results import read_results
from containers.number.reading import Hypothesis
from containers.photo import workers as streaming
from containers.photo.looks import ReadingOptions
from containers.photo.opening import open_photo
from containers.photo.workers import workers

MEETINGS = 50  # forward passes of the decoder before which two threads wait for each other


def test_a_large_folder_read_ahead_in_other_processes_gives_the_bytes_of_one_read_in_turn(
    taught, here, monkeypatch
):
    for place in range(20):
        paint(here / f"image/more{place:02}.png", list(TAUGHT)[place % 5])
    (here / "image/more07.png").write_text("no photo")
    (here / "image/more12.png").write_text("no photo")
    started = []

    def start(count: int):
        started.append(count)
        return workers(count)

    monkeypatch.setattr(container_ocr, "workers", start)
    assert batch_process.main([*taught, "--output", "ahead.jsonl"]) == 1
    monkeypatch.setattr(streaming, "FEW_PHOTOS", 99)
    assert batch_process.main([*taught, "--output", "turn.jsonl"]) == 1
    assert started == [1, 0]
    assert Path("ahead.jsonl").read_bytes() == Path("turn.jsonl").read_bytes()
    assert len(read_results(Path("turn.jsonl"))[1]) == 25


def test_where_memory_runs_out_half_as_many_photos_are_read_at_once(taught, monkeypatch, capsys):
    assert batch_process.main([*taught, "--output", "whole.txt", "--batch_size", "5"]) == 0
    look, sizes = ContainerOCR.look_at_once, []

    def look_at_once(self, images, known):
        if len(images) > (1 if sizes else 2):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        sizes.append(len(images))
        return look(self, images, known)

    monkeypatch.setattr(ContainerOCR, "look_at_once", look_at_once)
    assert batch_process.main([*taught, "--output", "halves.txt", "--batch_size", "5"]) == 0
    assert sizes[:4] == [2, 1, 1, 1], "what has been read is not read again"
    warnings = capsys.readouterr().err
    assert "out of memory with a batch of 5: going on with 2" in warnings
    assert "out of memory with a batch of 2: going on with 1" in warnings
    assert Path("halves.txt").read_bytes() == Path("whole.txt").read_bytes()


def test_out_of_memory_with_one_photo_says_what_to_do(taught, monkeypatch, capsys):
    def look_at_once(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(ContainerOCR, "look_at_once", look_at_once)
    assert batch_process.main(taught) == 1
    assert "out of memory: use --dtype bf16" in error_line(capsys.readouterr().err)


def test_the_one_photo_command_prints_a_line_or_json_for_each_photo(flags, capsys):
    assert container_ocr.main(["image/b.jpg", "image/c.jpg", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["image/b.jpg", "image/c.jpg"]
    assert container_ocr.main(["image/b.jpg", "--json", *flags]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["image"] == "image/b.jpg"
    fields = "image number status reason confidence raw_text alternatives box"
    assert " ".join(row) == fields


def test_a_photo_that_cannot_be_read_does_not_stop_the_others(flags, capsys):
    assert container_ocr.main(["missing.jpg", "image/b.jpg", *flags]) == 1
    out, err = capsys.readouterr()
    assert [line.split("\t")[2][:6] for line in out.splitlines()] == ["error:", "none"]
    assert "missing.jpg: no such file" in error_line(err)


def test_a_batch_reads_as_one_by_one(taught_model):
    reader = ContainerOCR(str(taught_model), device="cpu", dtype="fp32", looks=3)
    images = [Image.new("RGB", (90, 70), colour) for colour in (*TAUGHT, "gray")]
    together = reader.read_batch(images)
    for image, reading in zip(images, together, strict=True):
        alone = reader.read(image)
        assert (alone.number, alone.raw_text) == (reading.number, reading.raw_text)
        assert alone.confidence == pytest.approx(reading.confidence, abs=1e-5)
        expected = [probability for _, probability in alone.alternatives]
        assert [p for _, p in reading.alternatives] == pytest.approx(expected, rel=1e-3)


def test_a_file_its_image_and_its_array_read_the_same(tiny_model, here):
    path = draw_photo(here / "photo.png", NUMBER)
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32", looks=2)
    assert reader.read(path) == reader.read(str(path)) == reader.read(open_photo(path)[0])
    array = np.asarray(open_photo(path)[0])
    assert (array.shape, array.dtype) == ((120, 160, 3), np.uint8)
    assert reader.read(array) == reader.read(path)
    assert reader.read(array[..., ::-1].copy()[..., ::-1]) == reader.read(path), "as OpenCV has it"


def test_a_photo_of_a_few_pixels_is_read_without_a_closer_look(tiny_model):
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32")
    for size in ((1, 1), (3, 40), (20, 20)):
        assert reader.read(Image.new("RGB", size)).status in ("ok", "review", "none")


class Reader(ContainerOCR):
    """A reader without a model: it is sure of a colour once it has looked often enough."""

    size, options, finder = (48, 32), ReadingOptions(4, 0.5), None

    def __init__(self):
        self.seen, self.batches = Counter(), []

    def look_at(self, images, known=None):
        """Return readings that grow surer with each look at a colour."""
        colours = [image.getpixel((24, 16))[0] for image in images]
        self.batches.append(colours)
        letters, seen = [(0.3 + 0.02 * i, 0.5) for i in range(11)], []
        for colour in colours:
            self.seen[colour] += 1
            sure = self.seen[colour] > colour % 4
            reading = Hypothesis(NUMBER, raw_text=str(colour), confidence=0.9 if sure else 0.01)
            seen.append((reading, letters))
        return seen


def test_looks_at_different_photos_share_full_batches_and_readings_keep_their_order():
    photos = [Image.new("RGB", (900, 600), (colour, 0, 0)) for colour in range(20)]
    reader, pool = Reader(), ThreadPoolExecutor(2)
    readings = list(reader.read_stream(photos, 4, pool))
    assert [reading.raw_text for reading in readings] == [str(colour) for colour in range(20)]
    assert all(reading.is_ok for reading in readings)
    assert reader.seen == {colour: colour % 4 + 1 for colour in range(20)}, "looked till sure"
    assert [len(batch) for batch in reader.batches[:-3]] == [4] * (len(reader.batches) - 3)
    alone = Reader()
    assert [next(alone.read_stream([photo], 1)) for photo in photos] == readings


def test_a_photo_that_vanishes_between_two_looks_keeps_what_was_read(here):
    for name in ("0.png", "1.png"):
        Image.new("RGB", (900, 600), (int(name[0]) * 3, 0, 0)).save(name)
    reader, look_at = Reader(), Reader.look_at

    def look_then_lose(images, known):
        Path("1.png").unlink(missing_ok=True)
        return look_at(reader, images)

    reader.look_at = look_then_lose
    first, second = reader.read_stream(["0.png", "1.png"], 2)
    assert first.is_ok
    assert (second.status, second.number) == ("review", NUMBER)


def test_the_old_flag_for_one_look_still_asks_for_one_look(capsys):
    args = container_ocr.build_parser().parse_args(["a.jpg", "--no-second_look"])
    assert args.looks == 1
    assert "now --looks 1" in capsys.readouterr().err
    assert container_ocr.build_parser().parse_args(["a.jpg"]).looks is None, "by model and device"


def test_two_threads_that_use_one_reader_read_what_one_thread_does(taught_model):
    """Both are in the decoder at once, from the first batch on: each waits there for the other."""
    reader = ContainerOCR(str(taught_model), device="cpu", dtype="fp32", looks=3)
    photos = [Image.new("RGB", (300 + 20 * i, 200), name) for i, name in enumerate(TAUGHT)]
    expected = [reader.read(photo) for photo in photos]
    assert len({reading.raw_text for reading in expected}) == len(TAUGHT)
    together, inside = threading.Barrier(2, timeout=60), Counter()

    def meet(*_: object) -> None:
        inside[threading.get_ident()] += 1
        if inside[threading.get_ident()] <= MEETINGS:
            together.wait()

    reader.model.model.language_model.decoder.register_forward_pre_hook(meet)
    with ThreadPoolExecutor(2) as pool:
        shares = list(pool.map(lambda _: [reader.read(photo) for photo in photos], range(2)))
    assert len(inside) == 2
    assert min(inside.values()) > MEETINGS
    assert shares == [expected, expected]
