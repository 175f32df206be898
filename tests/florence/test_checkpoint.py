"""Tests of model folders, against transformers' own loading."""

import shutil

import pytest
import torch
from conftest import broken_copy
from transformers import Florence2ForConditionalGeneration

from containers.errors import FlagError, ModelError
from florence.checkpoint import load_model


def test_a_native_folder_loads_as_transformers_loads_it(tiny_model):
    model, _ = load_model(tiny_model, device="cpu", dtype="fp32")
    reference = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    for name, weight in reference.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, rtol=0, atol=0)
    assert not model.training


NORM = "vision_tower.convs.0.norm.bias"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop(NORM), "convs.0.norm.bias"),
        (lambda t: t.update(stray=torch.zeros(2)), "stray"),
        (lambda t: t.update({NORM: torch.zeros(3)}), "convs.0.norm.bias"),
    ],
    ids=["missing", "left over", "another shape"],
)
def test_a_tensor_that_does_not_fit_is_named(microsoft, tmp_path, change, named):
    with pytest.raises(ModelError, match=named):
        load_model(broken_copy(microsoft, tmp_path, change), device="cpu", dtype="fp32")


def test_a_damaged_weight_file_is_an_error_not_a_traceback(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot load"):
        load_model(tmp_path / "cut", device="cpu", dtype="fp32")


def test_pickled_weights_are_refused(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(FlagError, match="pickle is not read"):
        load_model(tmp_path / "pickled", device="cpu", dtype="fp32")
