"""Tests of the models as they are published, against transformers' plain loading."""

from pathlib import Path

import pytest
import torch
from conftest import NUMBER, draw_photo, log_of, read, train
from PIL import Image
from published_models import WORDS, save_published
from safetensors import safe_open
from test_model_card import block, card_of
from transformers import AutoProcessor, Florence2ForConditionalGeneration

from container_ocr import FinetunedContainerOCR
from florence.free_text import MAX_NEW_TOKENS
from florence.grammar import number_grammar
from florence.inputs import prepare_inputs
from florence.loading import load_model

LAYOUTS = ("native", "microsoft")


@pytest.fixture(scope="module")
def published(microsoft, tmp_path_factory):
    """Return the folders of one model as both layouts are published."""
    return save_published(microsoft, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """Return a photo with a number on it."""
    return Image.open(draw_photo(tmp_path_factory.mktemp("photo") / "a.jpg", NUMBER, (300, 200)))


@pytest.fixture(scope="module")
def plain(published):
    """Return the native folder's model and processor as transformers itself loads them."""
    folder = published["native"]
    model = Florence2ForConditionalGeneration.from_pretrained(folder, dtype="float32")
    return model.eval(), AutoProcessor.from_pretrained(folder)


def test_the_fixture_carries_what_the_published_models_carry(published):
    tensors = {}
    for layout, folder in published.items():
        with safe_open(folder / "model.safetensors", "pt") as file:
            tensors[layout] = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        assert {s.get_dtype() for s in tensors[layout].values()} == {"F16"}
    assert "language_model.final_logits_bias" in tensors["microsoft"]
    assert len(tensors["microsoft"]) == len(tensors["native"]) + 1
    assert tensors["native"]["model.language_model.shared.weight"].get_shape()[0] == WORDS
    assert tensors["microsoft"]["language_model.model.shared.weight"].get_shape()[0] == 51_289


@pytest.mark.parametrize("layout", LAYOUTS)
def test_inputs_are_those_of_transformers_own_processor(layout, published, plain, photo):
    _, processor = load_model(published[layout], device="cpu", dtype="fp32")
    ours = prepare_inputs(processor, [photo], [NUMBER])
    theirs = plain[1](text=["<OCR>"], images=[photo], return_tensors="pt")
    assert ours["input_ids"].tolist() == theirs["input_ids"].tolist()
    assert ours["labels"].tolist() == plain[1].tokenizer([NUMBER])["input_ids"]
    torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"], atol=0.04, rtol=0)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_features_and_logits_are_those_of_transformers_own_loading(layout, published, plain, photo):
    model, processor = load_model(published[layout], device="cpu", dtype="fp32")
    inputs = prepare_inputs(processor, [photo], [NUMBER])
    with torch.inference_mode():
        ours, theirs = (
            (m.get_image_features(inputs["pixel_values"]).pooler_output, m(**inputs).logits)
            for m in (model, plain[0])
        )
    torch.testing.assert_close(ours[0], theirs[0], atol=1e-5, rtol=1e-5)
    words = 51_289  # all but <image>, which Microsoft's lacks, and the padding
    torch.testing.assert_close(ours[1][..., :words], theirs[1][..., :words], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_written_is_that_of_transformers_own_loading(layout, published, plain, photo):
    model, processor = load_model(published[layout], device="cpu", dtype="fp32")
    tokens = plain[0].generate(
        **prepare_inputs(processor, [photo]),
        num_beams=1,
        max_new_tokens=MAX_NEW_TOKENS,
        no_repeat_ngram_size=0,
        suppress_tokens=[*range(51_289, WORDS)],  # <image>, and rows that no word has
    )
    expected = plain[1].batch_decode(tokens, skip_special_tokens=True)
    assert [t.text for t in read(model, processor, [photo])] == expected


def test_rows_that_no_word_has_are_never_written(published):
    model, processor = load_model(published["native"], device="cpu", dtype="fp32")
    grammar = number_grammar(processor.tokenizer, WORDS, model.device)
    assert (grammar.steps[:, 51_289:] == grammar.REFUSED).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_trained_saved_and_loaded_by_the_card_it_reads(layout, published, data, capsys):
    flags = [*data, "--model", str(published[layout]), "--epochs", "2", "--output", "out"]
    assert train(flags) == 0
    assert len(log_of("out")) == 2
    draw_photo(Path("photo.jpg"), NUMBER)
    capsys.readouterr()
    exec(block(card_of("out"), "python"), {})
    assert capsys.readouterr().out.endswith("\n")
    reading = FinetunedContainerOCR("out", device="cpu", looks=1).read("photo.jpg")
    assert reading.alternatives
