"""Tests of Microsoft's layout, against outputs of the original modelling code."""

import json
import re
import shutil

import pytest
import torch
from conftest import broken_copy
from safetensors.torch import load_file

from containers.basis.errors import ModelError
from florence.loading import load_model
from florence.microsoft import MICROSOFT_NAMES, rename_microsoft


@pytest.fixture(scope="module")
def loaded(microsoft):
    """Return (model, processor, expected tensors) of the checkpoint in Microsoft's layout."""
    return *load_model(microsoft, device="cpu", dtype="fp32"), load_file(
        microsoft / "expected.safetensors"
    )


def original_inputs(expected) -> dict[str, torch.Tensor]:
    """Return the native inputs for what the original code was given: image tokens come first."""
    images = torch.full((2, expected["image_features"].shape[1]), 51289)
    ids = torch.cat([images, expected["input_ids"]], dim=1)
    pixels = expected["pixel_values"]
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}


def test_microsoft_layout_gives_the_image_features_of_the_original(loaded):
    model, _, expected = loaded
    with torch.inference_mode():
        features = model.get_image_features(expected["pixel_values"]).pooler_output
    torch.testing.assert_close(features, expected["image_features"], atol=1e-4, rtol=0)


def test_microsoft_layout_gives_the_logits_and_loss_of_the_original(loaded):
    model, _, expected = loaded
    with torch.inference_mode():
        outputs = model(**original_inputs(expected), labels=expected["labels"])
    logits = outputs.logits[..., : expected["logits"].shape[-1]]
    torch.testing.assert_close(logits, expected["logits"], atol=1e-4, rtol=0)
    torch.testing.assert_close(outputs.loss, expected["loss"], atol=1e-4, rtol=0)


def test_microsoft_layout_gives_the_beams_of_the_original(loaded):
    model, _, expected = loaded
    settings = {"num_beams": 3, "no_repeat_ngram_size": 3, "forced_bos_token_id": 0}
    length = expected["generated"].shape[1]
    written = model.generate(
        **original_inputs(expected), **settings, early_stopping=True, max_length=length
    )
    assert written.tolist() == expected["generated"].tolist()


def test_microsoft_tokenizer_ends_with_the_image_token(loaded):
    _, processor, _ = loaded
    tokenizer = processor.tokenizer
    assert len(tokenizer) == 51290
    ids = tokenizer.convert_tokens_to_ids(
        ["<od>", "<loc_0>", "<loc_999>", "<cap>", "<and>", "<image>"]
    )
    assert ids == [50265, 50269, 51268, 51269, 51288, 51289]
    assert tokenizer.image_token_id == 51289


def test_a_converted_model_saved_natively_loads_the_same(loaded, tmp_path):
    model, processor, expected = loaded
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again, reloaded = load_model(tmp_path, device="cpu", dtype="fp32")
    with torch.inference_mode():
        outputs = again(**original_inputs(expected), labels=expected["labels"])
    torch.testing.assert_close(outputs.loss, expected["loss"], atol=1e-4, rtol=0)
    assert reloaded.tokenizer.image_token_id == 51289


def test_another_feature_source_is_refused(microsoft, tmp_path):
    shutil.copytree(microsoft, tmp_path / "other")
    path = tmp_path / "other" / "config.json"
    config = json.loads(path.read_text())
    config["vision_config"]["image_feature_source"] = ["last_frame"]
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="last_frame"):
        load_model(tmp_path / "other", device="cpu", dtype="fp32")


def test_a_tokenizer_that_does_not_fit_the_embeddings_is_refused(microsoft, tmp_path):
    def cut(tensors):
        name = "language_model.model.shared.weight"
        tensors[name] = tensors[name][:50_000].clone()

    with pytest.raises(ModelError, match="50000 embeddings, but <image> would be 51289"):
        load_model(broken_copy(microsoft, tmp_path, cut), device="cpu", dtype="fp32")


def test_every_rule_of_the_name_table_is_used_by_the_reference_checkpoint(microsoft):
    names = [*load_file(microsoft / "model.safetensors"), "language_model.lm_head.weight"]
    unused = list(MICROSOFT_NAMES)
    for pattern, replacement in MICROSOFT_NAMES:
        before, names = names, [re.sub(pattern, replacement, name) for name in names]
        if before != names:
            unused.remove((pattern, replacement))
    assert not unused
    assert names == [rename_microsoft(name) for name in names], "renaming twice changes nothing"
