"""Tiny real models: a Florence-2 of random weights, and one that knows what each colour says."""

from pathlib import Path

import torch
from PIL import Image
from transformers import Florence2Config, Florence2ForConditionalGeneration

from demo.teaching.growth import new_processor
from florence.inputs import prepare_inputs
from florence.loading import load_model

TAUGHT = {  # what the taught model writes for a photo of each colour
    "red": "MAERSK\nCSQU 305438 3\t22G1",
    "green": "CSQU 305438 4",
    "blue": "CSQU 305438",
    "white": "22G1",
    "black": "CSQU 305438 3 HLXU 200841 9",
}


def save_tiny_model(folder: Path) -> Path:
    """Save a Florence-2 of 60,000 random weights: native class, byte-level tokenizer, 64x64."""
    processor = new_processor(64, 64, image_tokens=5)
    vision = {"embed_dim": [16] * 4, "num_heads": [2] * 4, "num_groups": [2] * 4, "depths": [1] * 4}
    text = {"model_type": "bart", "vocab_size": len(processor.tokenizer), "d_model": 16}
    for side in ("encoder", "decoder"):
        text |= {f"{side}_layers": 1, f"{side}_attention_heads": 2, f"{side}_ffn_dim": 32}
    config = Florence2Config(
        vision_config={**vision, "window_size": 4, "projection_dim": 16},
        text_config={**text, "max_position_embeddings": 64},
        image_token_id=processor.tokenizer.image_token_id,
    )
    torch.manual_seed(0)
    model = Florence2ForConditionalGeneration(config)
    for name, weight in model.named_parameters():  # 0.02 is far too small at this width
        if weight.dim() > 1:
            std = 0.5 if "embed" in name or "shared" in name else weight[0].numel() ** -0.5
            torch.nn.init.normal_(weight, std=std)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_taught_model(tiny_model: Path, folder: Path, taught: dict[str, str] = TAUGHT) -> Path:
    """Teach all weights of the tiny model to write a text for each colour, in seconds."""
    model, processor = load_model(tiny_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in taught]
    inputs = prepare_inputs(processor, images, list(taught.values()))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(400):
        optimizer.zero_grad()
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        if loss < 0.005:
            break
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
