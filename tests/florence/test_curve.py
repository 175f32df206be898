"""Tests of the picture of a training."""

import numpy as np
import pytest
from conftest import error_line, log_of, stop_in_epoch, train
from PIL import Image

from containers.basis.errors import UserError
from florence import curve
from florence.curve import draw_curve
from florence.progress import Progress


def progress(*losses: float) -> Progress:
    """Return a training with these validation losses."""
    names = ("exact_match", "check_digit_rate", "character_error_rate")
    records = [{"eval_loss": x, "train_loss": x / 2, **dict.fromkeys(names, 0.5)} for x in losses]
    return Progress(history=[{"epoch": i, **record} for i, record in enumerate(records, 1)])


def marked_column(path) -> float:
    """Return where along the left half of the picture the mark of the best epoch stands."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)[60:-50, :495]
    is_orange = pixels[..., 0] - pixels[..., 2] > 80
    return np.flatnonzero(is_orange.sum(0) > 100).mean() / 495


def test_the_epoch_that_is_kept_is_marked(here):
    draw_curve(here / "a.png", progress(1, 2, 3, 4, 5))
    draw_curve(here / "b.png", progress(3, 2, 1, 2, 3))
    draw_curve(here / "c.png", progress(5, 4, 3, 2, 1))
    first, middle, last = (marked_column(here / f"{name}.png") for name in "abc")
    assert first < 0.25 < middle < 0.7 < last


def test_one_epoch_can_be_drawn(here):
    draw_curve(here / "a.png", progress(1))
    assert Image.open(here / "a.png").size == (990, 396)


def test_a_drawing_that_fails_leaves_the_old_picture(here, monkeypatch):
    path = here / "a.png"
    draw_curve(path, progress(1))
    before = path.read_bytes()

    def full(self, file, **_):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full)
    with pytest.raises(UserError, match=r"cannot write a\.png: No space left"):
        draw_curve(path, progress(1, 2))
    assert path.read_bytes() == before
    assert [file.name for file in here.iterdir()] == ["a.png"]


def test_it_is_drawn_after_every_epoch_and_goes_on_with_a_resumed_run(data, monkeypatch, capsys):
    drawn = []

    def draw(path, progress):
        drawn.append((len(progress.history), path.name))
        return draw_curve(path, progress)

    monkeypatch.setattr("florence.training.draw_curve", draw)
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 2)
        assert train(data, "--epochs", "3", "--output", "out") == 130
    assert "interrupted" in error_line(capsys.readouterr().err)
    assert drawn == [(1, "training_curve.png"), (2, "training_curve.png")]
    assert train(data, "--epochs", "3", "--output", "out", "--resume") == 0
    assert drawn[2:] == [(3, "training_curve.png")]
    assert Image.open("out/training_curve.png").size == (990, 396)
    assert set(curve.LOSSES) | set(curve.RATES) < set(log_of("out")[0])
