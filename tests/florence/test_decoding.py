"""Tests of what is written and how likely it is, against the plain model."""

import math
from pathlib import Path

import pytest
import torch
from conftest import NUMBER, SPACE, TAUGHT, bpe_tokenizer, read
from PIL import Image
from tiny_models import save_taught_model
from transformers import Florence2Config, Florence2ForConditionalGeneration

from container_ocr import ContainerOCR
from containers.basis.errors import ModelError
from containers.number.iso6346 import compact, format_number
from florence.encoding import encode
from florence.free_text import CHECK_TOKENS, ENOUGH_CHARACTERS, IsEnough, write_freely
from florence.inputs import prepare_inputs
from florence.likely_numbers import BEFORE_TOKENS, likely_starts, probabilities, weigh_numbers
from florence.loading import load_model


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
            max_new_tokens=63,
            do_sample=False,
            forced_bos_token_id=processor.tokenizer.bos_token_id,
            suppress_tokens=[processor.tokenizer.image_token_id],
        )
        text = processor.tokenizer.decode(ids[0], skip_special_tokens=True)
        assert text.startswith(transcript.text)
        number = text.find(NUMBER)
        if len(transcript.text) < len(text):
            enough = number + len(NUMBER) + ENOUGH_CHARACTERS
            assert 0 <= len(transcript.text) - enough < CHECK_TOKENS


def test_an_alternatives_probability_is_that_of_the_plain_model(taught_model, plain):
    model, processor = load_model(taught_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in TAUGHT]
    for image, transcript in zip(images, read(model, processor, images), strict=True):
        before = transcript.text[: max(0, transcript.text.find("CSQU"))]
        given = probability_of(plain, processor, image, before) if before else 1.0
        for number, probability in transcript.alternatives:
            text = before + format_number(number)
            expected = probability_of(plain, processor, image, text) / given
            # other spellings and the text's beginning may add a little
            assert probability == pytest.approx(expected, rel=0.02, abs=1e-3)


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
        encoded = encode(model, 1, **inputs)
        [found] = weigh_numbers(model, tokenizer, encoded, rows, [1])
    assert list(found) == [compact(NUMBER)]
    assert found[compact(NUMBER)] == pytest.approx(expected, rel=1e-4)


ODD = {  # what the odd model writes for a photo of each colour
    "red": "<s>CSQU 305438 3",
    "yellow": "<s><s>CSQU 305438 3",
    "green": "MAERSK\nCSQU 305438 3\n45G1",
    "cyan": "45G1 CSQU 305438 3",
    "blue": "CSQU3054383",
    "magenta": "MSK CSQU\n305438 3",
    "black": "OOOU 466991 8",
    "white": "22G1",
}


@pytest.fixture(scope="module")
def odd_model(tiny_model, tmp_path_factory) -> Path:
    """Teach the tiny model numbers behind other text, or without spaces, all at once."""
    return save_taught_model(tiny_model, tmp_path_factory.mktemp("odd") / "tiny", ODD)


@pytest.mark.parametrize(("colour", "text"), [*ODD.items()][:-1])
def test_a_number_behind_other_text_or_without_spaces_keeps_its_probability(
    colour, text, odd_model
):
    """The plain model says how likely the number is after what it writes before it."""
    plain = Florence2ForConditionalGeneration.from_pretrained(odd_model).eval()
    model, processor = load_model(odd_model, device="cpu", dtype="fp32")
    image = Image.new("RGB", (80, 60), colour)
    painted = NUMBER if "CSQU" in text else text
    before, end = text.index(painted[:4]), text.rindex(painted[-1]) + 1
    expected = probability_of(plain, processor, image, text[:end])
    expected /= probability_of(plain, processor, image, text[:before])
    assert expected > 0.9
    [transcript] = read(model, processor, [image])
    number, probability = transcript.alternatives[0]
    assert (number, probability) == (compact(painted), pytest.approx(expected, abs=0.02))
    with torch.inference_mode():
        encoded = encode(model, 1, **prepare_inputs(processor, [image]))
        [alone] = probabilities(model, processor, encoded, [painted])
        [other] = probabilities(model, processor, encoded, ["HLXU 200841 9"])
        written = write_freely(model, processor, encoded, BEFORE_TOKENS)
        [places] = likely_starts(model, processor.tokenizer, encoded, written, [painted])
    begun = processor.tokenizer.decode(written[0, : places[0]], skip_special_tokens=True)
    assert begun.strip() == text[:before].replace("<s>", "").strip(), "where it begins, first"
    assert expected - 0.02 < alone <= 1, "other starts and spellings may add a little"
    assert other < 0.01


def test_photos_whose_number_begins_elsewhere_are_read_together_as_alone(taught_model):
    model, processor = load_model(taught_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in TAUGHT]
    together = read(model, processor, images)
    for image, transcript in zip(images, together, strict=True):
        [alone] = read(model, processor, [image])
        assert alone.text == transcript.text
        assert dict(alone.alternatives) == pytest.approx(dict(transcript.alternatives), rel=1e-4)


def test_a_text_ends_behind_a_valid_number_and_only_there(processor):
    for text, enough in ((NUMBER, False), (NUMBER + " x" * 10, True), ("x " * 20, False)):
        tokens = processor.tokenizer(text)["input_ids"]
        row = torch.tensor([tokens[: len(tokens) // CHECK_TOKENS * CHECK_TOKENS]])
        assert IsEnough(processor.tokenizer)(row).tolist() == [enough]
        assert not IsEnough(processor.tokenizer)(row[:, :-1]).any(), "looked at now and then"


def test_scores_that_are_no_numbers_are_an_error_that_names_precision_and_remedy(taught_model):
    reader = ContainerOCR(str(taught_model), device="cpu", dtype="bf16")
    decoder = reader.model.model.language_model.decoder
    decoder.layers[0].fc1.weight.data[0, 0] = math.nan
    with pytest.raises(ModelError, match="no numbers in bf16: use dtype fp32"):
        reader.read(Image.new("RGB", (80, 60), "red"))


def test_a_numbers_probability_is_that_of_the_plain_model_to_go_on_with_it(taught_model, plain):
    reader = ContainerOCR(str(taught_model), device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in ("red", "green")]
    with torch.inference_mode():
        encoded = encode(reader.model, 2, **prepare_inputs(reader.processor, images))
        found = probabilities(reader.model, reader.processor, encoded, [NUMBER, "CSQU 305438 4"])
    for image, text, probability in zip(images, ["MAERSK\n", ""], found):
        number = NUMBER if text else "CSQU 305438 4"
        expected = probability_of(plain, reader.processor, image, text + number)
        expected /= probability_of(plain, reader.processor, image, text) if text else 1
        assert probability == pytest.approx(expected, rel=0.02)
