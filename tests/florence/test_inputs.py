"""Tests of what the model is fed."""

import torch
from conftest import NUMBER
from PIL import Image

from container_ocr import ContainerOCR
from containers.number.reading import Reading
from containers.photo.opening import open_photo
from florence.examples import read_examples
from florence.features import Collator
from florence.inputs import prepare_inputs
from florence.loading import load_model


def test_training_and_reading_see_the_same_pixels(data, tiny_model, monkeypatch):
    """Of a photo so large that its JPEG is decoded at a quarter."""
    _, processor = load_model(tiny_model, device="cpu", dtype="fp32")
    photo = Image.effect_noise((400, 300), 80).convert("RGB")
    photo.save("image/train0.jpg")
    seen = []
    monkeypatch.setattr(
        ContainerOCR,
        "look_at",
        lambda self, images, known: seen.append(images) or [(Reading(), [(0.5, 0.5)] * 11)],
    )
    example = read_examples("--train", "dataset/train.json")[0]
    trained = Collator(processor, 0, None)([example])["pixel_values"]
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32")
    assert reader.read("image/train0.jpg").status == "none"
    read = prepare_inputs(processor, seen[0])["pixel_values"]
    torch.testing.assert_close(trained, read, rtol=0, atol=0)
    whole = prepare_inputs(processor, [open_photo("image/train0.jpg")[0]])
    assert 0 < (trained - whole["pixel_values"]).abs().max() < 1


def test_padding_in_labels_is_ignored_by_the_loss(processor):
    images = [Image.new("RGB", (64, 64))] * 2
    labels = prepare_inputs(processor, images, [NUMBER, "A"])["labels"]
    assert labels[0].tolist() == processor.tokenizer(NUMBER)["input_ids"]
    assert labels[1].tolist() == [*processor.tokenizer("A")["input_ids"], *[-100] * 12]


def test_the_prompt_is_the_question_that_florence_was_trained_on(processor):
    ids = prepare_inputs(processor, [Image.new("RGB", (64, 64))])["input_ids"][0]
    text = processor.tokenizer.decode(ids)
    assert text == "<image>" * 5 + "<s>What is the text in the image?</s>"
