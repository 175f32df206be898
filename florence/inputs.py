"""What the model is fed: photos, prompt and answers, the same for training and reading."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from containers.photo.opening import squash

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from PIL import Image
    from transformers import Florence2Processor, PreTrainedModel

PROMPT = "<OCR>"  # must stand alone: the processor turns it into "What is the text in the image?"


def prepare_inputs(
    processor: Florence2Processor,
    images: Sequence[Image.Image],
    labels: Sequence[str] | None = None,
    prompt: str = PROMPT,
    device: torch.device | str = "cpu",
) -> dict[str, torch.Tensor]:
    """Return the model's inputs for RGB images of any size: the one way for training and reading.

    `pixel_values` is (photos, 3, height, width), in fp32, squashed to the model's size and
    normalized on the device; with `labels` the answers' tokens come too, see `encode_answers`.
    """
    import torch
    from einops import rearrange

    size, recipe = input_size(processor), processor.image_processor
    photos = b"".join(squash(image, size).tobytes() for image in images)
    levels = torch.frombuffer(bytearray(photos), dtype=torch.uint8).to(device)
    pixels = rearrange(levels, "(photo y x c) -> photo c y x", photo=len(images), x=size[0], c=3)
    mean, std = torch.tensor([recipe.image_mean, recipe.image_std], device=device)[..., None, None]
    words = torch.tensor([encode_prompt(processor, prompt)] * len(images), device=device)
    inputs = {
        "pixel_values": (pixels * recipe.rescale_factor - mean) / std,
        "input_ids": words,
        "attention_mask": torch.ones_like(words),
    }
    return inputs if labels is None else inputs | {"labels": encode_answers(processor, labels)}


def input_size(processor: Florence2Processor) -> tuple[int, int]:
    """Return the (width, height) of the images that the model sees."""
    size = processor.image_processor.size
    return size["width"], size["height"]


@functools.lru_cache(maxsize=8)
def encode_prompt(processor: Florence2Processor, prompt: str) -> tuple[int, ...]:
    """Return the tokens of a prompt, those of the image before it: alike for all photos."""
    from PIL import Image

    blank = Image.new("RGB", (1, 1))
    return tuple(processor(text=[prompt], images=[blank])["input_ids"][0])


def encode_answers(processor: Florence2Processor, answers: Sequence[str]) -> torch.Tensor:
    """Return the labels, (answers, longest), padded with -100 so that no loss counts it."""
    tokens = processor.tokenizer(list(answers), padding=True, return_tensors="pt")
    return tokens["input_ids"].masked_fill(tokens["attention_mask"] == 0, -100)


def to_model(inputs: dict[str, torch.Tensor], model: PreTrainedModel | PeftModel) -> dict:
    """Return the inputs on the model's device and in its precision, in the form it takes."""
    from transformers.modeling_outputs import BaseModelOutput

    moved = {
        name: tensor.to(model.device, model.dtype if tensor.is_floating_point() else None)
        for name, tensor in inputs.items()
    }
    if "encoder_outputs" in moved:
        moved["encoder_outputs"] = BaseModelOutput(moved["encoder_outputs"])
    return moved
