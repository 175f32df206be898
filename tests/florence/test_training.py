"""Tests of the training's loop."""

import pytest
import torch
from conftest import NUMBER, OTHER, assert_same_weights, error_line, log_of, train

from containers.photo.opening import open_photo
from florence.inputs import prepare_inputs
from florence.loading import load_model
from florence.progress import Progress


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(data):
    for output, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        flags = ("--epochs", "3", "--augment", "--seed", seed, "--output", output)
        assert train(data, *flags) == 0
    assert log_of("a") == log_of("b")
    assert_same_weights("a", "b")
    assert log_of("a") != log_of("c")


def test_the_first_step_starts_from_the_loss_of_the_untouched_model(data, tiny_model):
    """All photos are accumulated into the one step of the epoch, so its loss is theirs."""
    assert train(data, "--epochs", "1", "--gradient_accumulation", "3", "--lora_dropout", "0") == 0
    model, processor = load_model(tiny_model, device="cpu", dtype="fp32")
    images = [open_photo(f"image/train{view}.jpg")[0] for view in range(6)]
    with torch.inference_mode():
        loss = model(**prepare_inputs(processor, images, [NUMBER] * 6)).loss.item()
    assert log_of("florence-container-lora")[0]["train_loss"] == pytest.approx(loss, abs=1e-4)


def test_accumulated_small_batches_train_as_one_large_batch(data):
    flags = ("--epochs", "2", "--lora_dropout", "0")
    assert train(data, *flags, "--batch_size", "6", "--output", "large") == 0
    small = ("--batch_size", "2", "--gradient_accumulation", "3", "--output", "small")
    assert train(data, *flags, *small) == 0
    losses = [[r["eval_loss"] for r in log_of(name)] for name in ("large", "small")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_progress_knows_the_best_epoch_and_how_long_the_loss_has_risen():
    def progress(*losses: float) -> Progress:
        return Progress(history=[{"epoch": i, "eval_loss": x} for i, x in enumerate(losses, 1)])

    assert progress(3, 1, 2).best["epoch"] == 2
    assert [
        progress(*x).rising() for x in [(3,), (3, 2), (1, 2), (3, 1, 2, 3), (1, 2, 2), (1, 2, 3)]
    ] == [*(0, 0, 1, 2, 0, 2)]


def test_training_stops_when_the_loss_keeps_rising_and_keeps_the_best(data, tiny_model, capsys):
    """Taught one number and asked for another, the model gets worse and worse at it."""
    assert train(data, "--epochs", "40", "--patience", "2", "--lr", "5e-2") == 0
    out, err = capsys.readouterr()
    log = log_of("florence-container-lora")
    assert len(log) < 40
    assert "risen for 2 epochs" in err
    assert log[-1]["eval_loss"] > log[-2]["eval_loss"] > log[-3]["eval_loss"]
    best = min(log, key=lambda record: record["eval_loss"])
    assert f"Best: epoch {best['epoch']}" in out
    model, processor = load_model(tiny_model, "florence-container-lora", device="cpu", dtype="fp32")
    images = [open_photo(f"image/val{view}.jpg")[0] for view in range(2)]
    with torch.inference_mode():
        loss = model(**prepare_inputs(processor, images, [OTHER] * 2)).loss.item()
    assert loss == pytest.approx(best["eval_loss"], abs=1e-4)


def test_max_steps_ends_the_run(data, capsys):
    assert train(data, "--max_steps", "4") == 0
    assert len(log_of("florence-container-lora")) == 2  # three steps an epoch


def test_a_loss_that_is_not_finite_says_what_to_lower(data, capsys):
    assert train(data, "--lr", "1e30", "--epochs", "9") == 1
    assert "lower --lr (now 1e+30)" in error_line(capsys.readouterr().err)
