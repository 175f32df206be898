"""Tests of what is written and how likely it is, against the plain model."""

import math

import pytest
import torch
from conftest import NUMBER, SPACE, TAUGHT, bpe_tokenizer, read
from PIL import Image
from transformers import Florence2Config, Florence2ForConditionalGeneration

from container_ocr import ContainerOCR
from containers.errors import ModelError
from containers.iso6346 import compact, format_number
from florence.checkpoint import load_model
from florence.decoding import look, probabilities, weigh_numbers
from florence.grammar import BEAMS
from florence.inputs import prepare_inputs


def probability_of(model, processor, image, text: str) -> float:
    """Return the probability that the plain model begins its text so; nothing cached or shared."""
    ids = processor.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        logits = model(**prepare_inputs(processor, [image]), labels=ids).logits
    log_probs = logits.log_softmax(-1).gather(-1, ids[..., None])[0, :-1]  # </s> is not counted
    return math.exp(log_probs.sum())


@pytest.fixture(scope="module")
def plain(taught_model) -> Florence2ForConditionalGeneration:
    """Return the taught model as transformers loads it, with its own attention."""
    return Florence2ForConditionalGeneration.from_pretrained(taught_model).eval()


def test_the_free_text_is_that_of_the_plain_model(taught_model, plain):
    model, processor = load_model(taught_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in (*TAUGHT, "gray", "orange")]
    for image, transcript in zip(images, read(model, processor, images), strict=True):
        ids = plain.generate(
            **prepare_inputs(processor, [image]),
            num_beams=BEAMS,
            max_new_tokens=63,
            do_sample=False,
            forced_bos_token_id=processor.tokenizer.bos_token_id,
            suppress_tokens=[processor.tokenizer.image_token_id],
        )
        assert transcript.text == processor.tokenizer.decode(ids[0], skip_special_tokens=True)


def test_an_alternatives_probability_is_that_of_the_plain_model(taught_model, plain):
    model, processor = load_model(taught_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in TAUGHT]
    for image, transcript in zip(images, read(model, processor, images), strict=True):
        for number, probability in transcript.alternatives:
            expected = probability_of(plain, processor, image, format_number(number))
            assert probability == pytest.approx(expected, rel=1e-3)


def test_token_paths_that_spell_one_number_add_up(tiny_model, processor):
    tokenizer = bpe_tokenizer(processor)
    config = Florence2Config.from_pretrained(tiny_model)
    config.text_config.vocab_size = len(tokenizer)
    torch.manual_seed(3)
    model = Florence2ForConditionalGeneration(config).eval()
    vocab, image = tokenizer.get_vocab(), Image.new("RGB", (64, 64), "teal")
    paths = [list(NUMBER.replace(" ", SPACE)), ["CSQU", "\u0120", "305", *"438", "\u0120", "3"]]
    first, last = [2, 0], [2]
    rows = [first + [vocab[token] for token in path] + last for path in paths]
    longest = max(map(len, rows))
    rows = torch.tensor([row + [1] * (longest - len(row)) for row in rows])
    inputs = prepare_inputs(processor, [image])
    expected = 0.0
    with torch.inference_mode():
        for row, path in zip(rows, paths, strict=True):
            ids = row[None, 1 : 2 + len(path)]
            logits = model(**inputs, decoder_input_ids=row[None, : 1 + len(path)]).logits
            expected += math.exp(logits.log_softmax(-1).gather(-1, ids[..., None]).sum())
        model.set_attn_implementation("sdpa")
        load_model(tiny_model, device="cpu")  # registers the attention that shares photos
        model.model.language_model.set_attn_implementation("share_photos")
        photos = look(model, 1, **inputs)
        [found] = weigh_numbers(model, tokenizer, photos, rows[None])
    assert [number for number, _ in found] == [compact(NUMBER)]
    assert found[0][1] == pytest.approx(expected, rel=1e-4)


def test_scores_that_are_no_numbers_are_an_error_that_names_precision_and_remedy(taught_model):
    reader = ContainerOCR(str(taught_model), device="cpu", dtype="bf16")
    decoder = reader.model.model.language_model.decoder
    decoder.layers[0].fc1.weight.data[0, 0] = math.nan
    with pytest.raises(ModelError, match="no numbers in bf16: use --dtype fp32"):
        reader.read(Image.new("RGB", (80, 60), "red"))


def test_a_numbers_probability_is_that_of_the_plain_model_to_begin_with_it(taught_model, plain):
    reader = ContainerOCR(str(taught_model), device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in ("red", "green")]
    with torch.inference_mode():
        photos = look(reader.model, 2, **prepare_inputs(reader.processor, images))
        found = probabilities(reader.model, reader.processor, photos, [NUMBER, "CSQU 305438 4"])
    for image, number, probability in zip(images, [NUMBER, "CSQU 305438 4"], found):
        expected = probability_of(plain, reader.processor, image, number)
        assert probability == pytest.approx(expected, rel=1e-3)
