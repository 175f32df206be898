"""What training shows, what it begins with, and that it goes on as if it had not stopped."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from conftest import ROOT

from demo import train
from demo.teaching import growth, lessons, sheets
from florence.loading import load_model

MODEL = ROOT / "small_model"


def test_a_sheet_names_a_letter_in_many_cells():
    sample = sheets.draw_sheet(np.random.default_rng(4))
    cells = lessons.letters_in_cells(sample)
    assert cells.shape == (lessons.ROWS, lessons.COLUMNS)
    assert (cells > 0).mean() > 0.1
    unreadable = dataclasses.replace(sample, clear=0.0)
    assert set(lessons.letters_in_cells(unreadable).ravel()) == {lessons.UNKNOWN}


def test_a_grown_model_computes_what_the_smaller_did(monkeypatch):
    deeper = growth.VISION | {"depths": [d + 1 for d in growth.VISION["depths"]]}
    monkeypatch.setattr(growth, "VISION", deeper)
    grown, _ = growth.grown_model(str(MODEL))
    small, _ = load_model(MODEL, device="cpu", dtype="fp32")
    pixels = torch.randn(1, 3, lessons.HEIGHT, lessons.WIDTH)
    with torch.inference_mode():
        a, b = (m.model.vision_tower(pixels).last_hidden_state for m in (grown, small))
    assert torch.allclose(a, b, atol=1e-4)


def test_training_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(here, monkeypatch):
    flags = "--photos 12 --batch_size 1 --device cpu --precision no --log_every 1"
    full = [*flags.split(), "--save_every", "6"]
    monkeypatch.setattr(train, "HELD_OUT_PHOTOS", 1)
    assert train.main([*full, "--output", "whole", "--work", "w1"]) == 0

    class Stopped(Exception):
        pass

    def stop(trainer, record):
        if trainer.step == 8:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(train.Trainer, "log", stop)
        with pytest.raises(Stopped):
            train.main([*full, "--output", "parts", "--work", "w2"])
    assert train.main([*full, "--output", "parts", "--work", "w2", "--resume"]) == 0
    whole, parts = (
        load_model(here / name, device="cpu", dtype="fp32")[0] for name in ("whole", "parts")
    )
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, parts.state_dict()[name]), name
    log = (here / "w1/train_log.jsonl").read_text().splitlines()
    assert [json.loads(line)["photos"] for line in log] == list(range(1, 13))
