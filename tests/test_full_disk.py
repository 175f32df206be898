"""Tests of disks that are full or cannot be written, and of photos that go away."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import (
    NUMBER,
    OTHER,
    draw_photo,
    error_line,
    labelled,
    log_of,
    rows_of,
    run,
    train,
    write_annotations,
)

import batch_process
from container_ocr import ContainerOCR
from containers.photo.files import list_images

resource = pytest.importorskip("resource", reason="no such limits there")
# A file that is still open when its command has failed shall have nothing left to complain of.
NOTHING_AFTERWARDS = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")


@contextlib.contextmanager
def room(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_annotations_that_find_no_room_stay_as_they_are(here):
    path = write_annotations(here / "annotations.json", labelled(NUMBER, OTHER))
    before = path.read_bytes()
    for place in range(20):
        draw_photo(here / f"image/new{place}.jpg", "")
    with room(2000):  # which a process that is started takes over
        done = run("prepare_dataset.py")
    assert error_line(done.stderr) == "error: cannot write annotations.json: File too large"
    assert (done.returncode, path.read_bytes()) == (1, before)
    assert {file.name for file in here.iterdir()} == {"image", "annotations.json"}
    numbers = [NUMBER] * 4 + [OTHER] * 36  # one of the two files has room
    for place, number in enumerate(numbers):
        draw_photo(here / f"image/new{place}.jpg", number)
    write_annotations(path, {f"image/new{i}.jpg": number for i, number in enumerate(numbers)})
    with room(2000):
        done = run("prepare_dataset.py", "--mode", "prepare")
    assert "train.json: File too large" in error_line(done.stderr)
    assert not list((here / "dataset").iterdir())


@NOTHING_AFTERWARDS
def test_results_that_find_no_room_go_on_when_there_is_some(taught, capsys):
    assert batch_process.main([*taught, "--output", "whole.txt"]) == 0
    whole = Path("whole.txt").read_bytes()
    for size in (len(whole) // 3, len(whole) - 2):
        capsys.readouterr()
        with room(size):
            assert batch_process.main(taught) == 1
        assert "cannot write results_base.txt" in error_line(capsys.readouterr().err)
        assert not Path("results_base.txt").exists()
        assert batch_process.main([*taught, "--resume"]) == 0
        assert Path("results_base.txt").read_bytes() == whole
        Path("results_base.txt").unlink()


@NOTHING_AFTERWARDS
def test_a_training_that_finds_no_room_says_what_to_do(data, capsys):
    with room(1000):
        assert train(data, "--epochs", "1") == 1
    line = error_line(capsys.readouterr().err)
    assert "cannot write dataset/features/" in line
    assert "make room, lower --views, or use --no-cache" in line
    assert not list(Path("dataset/features").iterdir())
    with room(5000):
        assert train(data, "--no-cache", "--epochs", "1") == 1
    line = error_line(capsys.readouterr().err)
    assert "cannot write florence-container-lora (" in line
    assert "make room; --resume goes on from the last finished epoch" in line
    assert not list(Path("florence-container-lora").glob("adapter_*"))
    assert train(data, "--no-cache", "--epochs", "1", "--resume") == 0
    assert len(log_of("florence-container-lora")) == 1


def test_photos_that_vanish_or_change_after_they_were_listed_are_errors_and_the_rest_is_read(
    taught, here, monkeypatch
):
    def list_and_lose(folder):
        images = list_images(folder)
        Path(images[1]).unlink()
        Path(images[2]).write_bytes(Path(images[2]).read_bytes()[:60])
        return images

    monkeypatch.setattr(batch_process, "list_images", list_and_lose)
    assert batch_process.main(taught) == 1
    statuses = [row[2] for row in rows_of("results_base.txt")]
    assert len(statuses) == 5
    assert statuses[1] == "error: no such file"
    assert statuses[2].startswith("error: ")
    assert [status[:5] for status in statuses].count("error") == 2


def test_a_share_that_goes_away_is_one_line_and_the_run_goes_on_when_it_is_back(
    taught, here, monkeypatch, capsys
):
    flags = [*taught, "--batch_size", "1", "--output", "share/r.txt"]
    look_at, looks = ContainerOCR.look_at, []

    def look_and_lose(self, *given):
        looks.append(1)
        if len(looks) == 3:
            Path("share").rename("gone")
            Path("share").touch()
        return look_at(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(ContainerOCR, "look_at", look_and_lose)
        assert batch_process.main(flags) in (1, 2)
    line = error_line(capsys.readouterr().err)
    assert line.startswith("error: cannot write share/r.txt.partial: ")
    Path("share").unlink()
    Path("gone").rename("share")
    assert len(rows_of("share/r.txt.partial")) == 2
    assert batch_process.main([*flags, "--resume"]) == 0
    assert len(rows_of("share/r.txt")) == 5
