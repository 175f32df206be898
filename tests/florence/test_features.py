"""Tests of kept features, against training without them."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from conftest import assert_same_weights, draw_photo, error_line, log_of, train
from cuda_autocast import CudaAutocast

from containers.photo import workers as streaming
from florence import features


@pytest.mark.parametrize(
    ("targets", "views"), [("decoder", "1"), ("decoder", "2"), ("language", "2")]
)
def test_cached_training_follows_the_curve_of_training_without_a_cache(targets, views, data):
    epochs = int(views) + 1  # all views, and the first again
    flags = (
        "--lora_targets",
        targets,
        "--views",
        views,
        "--epochs",
        str(epochs),
        "--patience",
        "9",
    )
    assert train(data, *flags, "--no-cache", "--output", "plain") == 0
    assert not Path("dataset/features").exists()
    assert train(data, *flags, "--output", "cached") == 0
    assert len(list(Path("dataset/features").iterdir())) == 6 * int(views) + 2
    for name in ("train_loss", "eval_loss", "exact_match"):
        curves = [[record[name] for record in log_of(folder)] for folder in ("plain", "cached")]
        assert curves[0] == pytest.approx(curves[1], abs=1e-4), name
    assert len({record["train_loss"] for record in log_of("plain")}) == epochs


def test_with_all_targets_nothing_is_frozen_and_nothing_kept(data):
    assert train(data, "--lora_targets", "all", "--epochs", "1", "--views", "2") == 0
    assert not Path("dataset/features").exists()


def test_a_second_run_computes_nothing_again_and_has_the_same_curve(data, monkeypatch, capsys):
    flags = ("--augment", "--epochs", "2")
    assert train(data, *flags, "--output", "first") == 0
    assert "features: 14 computed in" in capsys.readouterr().err  # two epochs, two views

    def never(*_):
        raise AssertionError("the frozen layers were asked again")

    monkeypatch.setattr(features, "frozen_part", never)
    assert train(data, *flags, "--output", "second") == 0
    assert re.search("features: 0 computed in .*, 14 found", capsys.readouterr().err)
    assert log_of("first") == log_of("second")


def test_features_are_computed_again_for_another_photo_model_precision_target_or_seed(
    data, taught_model, capsys
):
    def computed(*more: str) -> str:
        AcceleratorState._reset_state(reset_partial_state=True)
        assert train(data, "--epochs", "1", "--overwrite", *more) == 0
        return re.search(r"features: (\d+) computed", capsys.readouterr().err)[1]

    assert computed() == "8"
    assert computed("--seed", "3") == "0", "a photo as it is knows no chance"
    assert computed("--dtype", "bf16") == "8"
    assert computed("--lora_targets", "decoder") == "8"
    assert computed("--model", str(taught_model)) == "8"
    draw_photo(Path("image/train0.jpg"), "another photo under the old name")
    assert computed() == "1"
    assert computed("--epochs", "2", "--views", "2") == "6"
    assert computed("--epochs", "2", "--views", "2", "--seed", "3") == "6"


def test_a_damaged_feature_file_is_made_again_with_a_warning(data, capsys):
    assert train(data, "--epochs", "1") == 0
    assert all(path.suffix == ".safetensors" for path in Path("dataset/features").iterdir())
    path = min(Path("dataset/features").iterdir())
    path.write_bytes(path.read_bytes()[:100])
    capsys.readouterr()
    assert train(data, "--epochs", "1", "--overwrite") == 0
    said = capsys.readouterr().err
    assert f"warning: {path} is damaged: it is deleted and made again" in said
    assert "features: 1 computed" in said


def test_a_full_disk_is_said_before_anything_is_computed(data, monkeypatch, capsys):
    usage = shutil.disk_usage(".")._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert train(data, "--epochs", "1") == 1
    line = error_line(capsys.readouterr().err)
    assert "lower --views, or use --no-cache" in line
    assert not list(Path("dataset/features").iterdir())


def test_features_are_computed_by_the_precision_rule_of_training(data, monkeypatch):
    seen, compute = [], features.frozen_part

    def watch(*inputs):
        seen.append(torch.is_autocast_enabled("cpu"))
        return compute(*inputs)

    monkeypatch.setattr(features, "frozen_part", watch)
    assert train(data, "--epochs", "1", "--dtype", "bf16") == 0
    assert set(seen) == {True}


@pytest.mark.parametrize("targets", ["decoder", "language", "all"])
def test_training_goes_by_one_curve_where_autocast_answers_in_fp32_as_on_a_gpu(targets, data):
    losses = []
    for folder, flags in (("plain", ["--no-cache"]), ("cached", [])):
        flags += ["--epochs", "1", "--dtype", "bf16", "--lora_targets", targets, "--output", folder]
        with CudaAutocast() as mode:
            assert train(data, *flags) == 0
        assert mode.widened > 100
        losses.append([record["eval_loss"] for record in log_of(folder)])
    assert losses[0] == pytest.approx(losses[1], abs=2e-2)  # of bf16


def test_photos_that_are_opened_ahead_by_other_processes_give_the_same_curve(data, monkeypatch):
    flags = [*data, "--no-cache", "--epochs", "2", "--views", "2"]
    assert train(flags, "--output", "in_turn") == 0
    monkeypatch.setattr(streaming, "FEW_PHOTOS", 4)  # of six
    assert train(flags, "--output", "ahead") == 0
    assert log_of("ahead") == log_of("in_turn")
    assert_same_weights("ahead", "in_turn")
