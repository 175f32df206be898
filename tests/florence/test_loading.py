"""Tests of model folders, against transformers' own loading."""

import json
import math
import re
import shutil

import pytest
import torch
from conftest import broken_copy
from PIL import Image
from transformers import Florence2ForConditionalGeneration

from container_ocr import ContainerOCR
from containers.basis.errors import FlagError, ModelError
from florence.loading import load_model, require_model


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


def copy_of(folder, tmp_path):
    """Return a copy of a model's folder that can be broken."""
    shutil.copytree(folder, tmp_path / "broken")
    return tmp_path / "broken"


def change_config(folder, file: str, **values) -> None:
    """Change values of a JSON file."""
    config = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(config | values))


@pytest.mark.parametrize("file", ["tokenizer.json", "processor_config.json"])
def test_an_incomplete_copy_is_refused_before_anything_is_read(file, tiny_model, tmp_path):
    folder = copy_of(tiny_model, tmp_path)
    (folder / file).unlink()
    named = file.replace("processor", "preprocessor")  # where it stands in the published models
    with pytest.raises(FlagError, match=f"no {named} in it; copy the whole folder again"):
        require_model(str(folder), None, "cpu")


@pytest.mark.parametrize(
    "file",
    ["config.json", "tokenizer.json", "tokenizer_config.json", "processor_config.json"],
)
@pytest.mark.parametrize("text", ["[]", "5", "", "{", '{"a": 1e'])
def test_a_damaged_json_file_is_named(file, text, tiny_model, tmp_path):
    folder = copy_of(tiny_model, tmp_path)
    (folder / file).write_text(text)
    with pytest.raises(ModelError, match=re.escape(str(folder / file))):
        require_model(str(folder), None, "cpu")


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("config.json", {"text_config": []}),
        ("config.json", {"text_config": {"model_type": "bart", "d_model": "x"}}),
        ("config.json", {"text_config": {"model_type": "bart", "d_model": 0}}),
        ("config.json", {"text_config": {"model_type": "nothing"}}),
        ("config.json", {"vision_config": {"depths": 5}}),
        ("config.json", {"image_token_id": 7}),
        ("config.json", {"image_token_id": "x"}),
        ("tokenizer_config.json", {"image_token": 5}),
        ("processor_config.json", {"image_processor": []}),
        ("tokenizer.json", {"model": []}),
    ],
    ids=str,
)
def test_a_value_that_makes_no_model_is_one_error(file, values, tiny_model, tmp_path):
    folder = copy_of(tiny_model, tmp_path)
    change_config(folder, file, **values)
    with pytest.raises(ModelError, match=str(folder)):
        load_model(folder, device="cpu", dtype="fp32")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_weight_that_is_no_number_is_named(value, tiny_model, tmp_path):
    def damage(tensors):
        tensors["model.vision_tower.convs.0.norm.bias"][1] = value

    folder = broken_copy(tiny_model, tmp_path, damage)
    with pytest.raises(ModelError, match=r"convs\.0\.norm\.bias holds NaN or infinity in float32"):
        load_model(folder, device="cpu", dtype="fp32")


def test_a_weight_that_does_not_fit_half_precision_is_named(tiny_model, tmp_path):
    def grow(tensors):
        tensors["model.vision_tower.convs.0.norm.bias"][1] = 1e6

    folder = broken_copy(tiny_model, tmp_path, grow)
    load_model(folder, device="cpu", dtype="fp32")
    with pytest.raises(ModelError, match="infinity in float16; copy it again, or pass dtype"):
        load_model(folder, device="cpu", dtype="fp16")


def test_numbers_that_overflow_while_reading_are_an_error_and_not_an_empty_photo(
    tiny_model, tmp_path
):
    def grow(tensors):
        for name, tensor in tensors.items():
            if "decoder" in name:
                tensor.fill_(1e30)

    folder = broken_copy(tiny_model, tmp_path, grow)
    ocr = ContainerOCR(str(folder), device="cpu", dtype="fp32", looks=1)
    with pytest.raises(ModelError, match="scores are no numbers in fp32"):
        ocr.read(Image.new("RGB", (80, 60), "grey"))


def test_pickled_weights_are_refused(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(FlagError, match="pickle is not read"):
        load_model(tmp_path / "pickled", device="cpu", dtype="fp32")
