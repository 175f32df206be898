"""Tests of configurations that do not fit their weights, on the small model: nothing is built."""

import json
from pathlib import Path

import pytest
from conftest import ROOT

from containers.basis.errors import ModelError
from florence.loading import require_model
from florence.sizes import require_fitting

SMALL = ROOT / "small_model"
ODD = [
    ("text_config", "decoder_layers", 1_000_000, "decoder_layers is 1000000, .* have 2;"),
    ("text_config", "encoder_layers", 2, "encoder_layers is 2, .* have 1;"),
    ("text_config", "d_model", 100_000, "d_model is 100000, .* have 192;"),
    ("text_config", "decoder_ffn_dim", 999_999, "decoder_ffn_dim is 999999, .* have 768;"),
    ("text_config", "max_position_embeddings", 999_999, "is 999999, .* have 704;"),
    ("text_config", "vocab_size", 10**9, "vocab_size is 1,000,000,000"),
    ("vision_config", "depths", [100_000] * 4, r"depths is \[100000, .* have \[1, 2, 5, 1\];"),
    ("vision_config", "depths", [1], r"depths is \[1\], .* have \[1, 2, 5, 1\];"),
    ("vision_config", "embed_dim", [10**5] * 4, r"embed_dim is .* have \[32, 64, 128, 192\];"),
    ("vision_config", "max_temporal_embeddings", 999_999, "is 999999, .* have 100;"),
    ("vision_config", "projection_dim", 9, "projection_dim is 9, .* have 192;"),
    ("vision_config", "window_size", 10**5, "window_size is 100,000"),
]


def copied(folder: Path, part: str, key: str, value: object) -> Path:
    """Return a folder with the small model's files, one value of its configuration changed."""
    folder.mkdir()
    for file in SMALL.iterdir():
        (folder / file.name).symlink_to(file)
    config = json.loads((SMALL / "config.json").read_text())
    config[part][key] = value
    (folder / "config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(("part", "key", "value", "said"), ODD)
def test_a_size_that_is_not_the_weights_is_named(part, key, value, said, here):
    folder = copied(here / "odd", part, key, value)
    with pytest.raises(ModelError, match=said):
        require_model(str(folder), None, "cpu")


def test_a_header_longer_than_its_file_is_not_asked_for(here):
    folder = copied(here / "odd", "text_config", "dropout", 0.0)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(b"\xff" * 99)
    with pytest.raises(ModelError, match="it is cut off"):
        require_model(str(folder), None, "cpu")


@pytest.mark.parametrize("folder", [SMALL, ROOT / "tests/data/ms_tiny"], ids=["native", "ms"])
def test_both_layouts_fit(folder):
    require_fitting(folder, json.loads((folder / "config.json").read_text()))
