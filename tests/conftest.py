"""Fixtures: a tiny real Florence-2, photos that are drawn, and a way to type a command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
sys.path[:0] = [str(ROOT), str(ROOT / "demo")]
os.environ["HF_HUB_OFFLINE"] = "1"  # a test that needs the network shall fail
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tests run side by side, one on each core


def run(*argv, cwd=None, **options):
    """Type `python script.py flags` as a user would; return the finished process."""
    command = [sys.executable, str(ROOT / argv[0]), *map(str, argv[1:])]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, **options)


def error_line(stderr: str) -> str:
    """Return the one `error:` line; fail if there is another, or a traceback."""
    assert "Traceback" not in stderr, stderr
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, f"expected one error line, got:\n{stderr}"
    return errors[0]


def draw_photo(path: Path, text: str, size=(160, 120)) -> Path:
    """Write a picture with a number on it."""
    image = Image.new("RGB", size, (30, 60, 120))
    ImageDraw.Draw(image).text((8, 40), text, fill="white")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def write_annotations(path: Path, labels: dict[str, str]) -> Path:
    """Write annotations.json as a user would leave it."""
    images = [{"image_path": image, "container_number": number} for image, number in labels.items()]
    path.write_text(json.dumps({"images": images}), encoding="utf-8")
    return path


TAUGHT = {  # what the taught model writes for a photo of each colour
    "red": "MAERSK\nCSQU 305438 3\t22G1",
    "green": "CSQU 305438 4",
    "blue": "CSQU 305438",
    "white": "22G1",
    "black": "CSQU 305438 3 HLXU 200841 9",
}


def paint(path: Path, colour: str) -> Path:
    """Write a photo of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (80, 60), colour).save(path)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """Save a Florence-2 of 60,000 random weights: native class, byte-level tokenizer, 64x64."""
    import torch
    from train import new_processor
    from transformers import Florence2Config, Florence2ForConditionalGeneration

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
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def taught_model(tiny_model, tmp_path_factory) -> Path:
    """Teach all weights of the tiny model to write `TAUGHT` for each colour, in seconds."""
    import torch

    from container_ocr import load_model, prepare_inputs

    model, processor = load_model(tiny_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in TAUGHT]
    inputs = prepare_inputs(processor, images, list(TAUGHT.values()))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(400):
        optimizer.zero_grad()
        loss = model(**inputs).loss
        loss.backward()
        optimizer.step()
        if loss < 0.005:
            break
    folder = tmp_path_factory.mktemp("taught") / "tiny"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
