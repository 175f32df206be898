"""What the scripts are measured against: plain loops, on a random model as large as the real."""

from __future__ import annotations

import json
import platform
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from florence.names import DTYPES

NUMBER = "CSQU 305438 3"
TOKENS = len(NUMBER) + 1  # a number in the byte-level alphabet, and </s>
EPOCHS, PLAIN_EPOCHS, BATCH, TO_TRAIN = 10, 2, 2, 4
TO_READ, CARD_READS = 20, 6  # photos: one by one each is like the next, a batch warms up the next
FLORENCE_LARGE = {
    "vision": {
        "embed_dim": [256, 512, 1024, 2048],
        "num_heads": [8, 16, 32, 64],
        "num_groups": [8, 16, 32, 64],
        "depths": [1, 1, 9, 1],
        "projection_dim": 1024,
    },
    "text": {
        "model_type": "bart",
        "vocab_size": 51_290,
        "d_model": 1024,
        "encoder_layers": 12,
        "decoder_layers": 12,
        "encoder_attention_heads": 16,
        "decoder_attention_heads": 16,
        "encoder_ffn_dim": 4096,
        "decoder_ffn_dim": 4096,
        "max_position_embeddings": 4096,
    },
}


def make_model(folder: str) -> None:
    """Save a Florence-2 of the large shape with random weights, 776 million, in bf16."""
    import torch
    from transformers import Florence2Config, Florence2ForConditionalGeneration

    from demo.teaching.growth import new_processor

    processor = new_processor(768, 768, image_tokens=577)
    config = Florence2Config(
        vision_config=FLORENCE_LARGE["vision"],
        text_config=FLORENCE_LARGE["text"],
        image_token_id=processor.tokenizer.image_token_id,
    )
    torch.manual_seed(0)
    Florence2ForConditionalGeneration(config).bfloat16().save_pretrained(folder)
    processor.save_pretrained(folder)


def make_photos(folder: Path, count: int) -> None:
    """Write so many JPEGs of 4032 x 3024, half of each noise, and the data set that lists them."""
    from PIL import Image

    (folder / "photos").mkdir()
    rows = []
    for place in range(count):
        image = Image.effect_noise((504, 378), 60).resize((4032, 3024)).convert("RGB")
        image.paste((40 + place, 60, 120), (0, 0, 2016, 3024))
        image.save(folder / f"photos/{place:03}.jpg", quality=90)
        rows.append({"image": f"photos/{place:03}.jpg", "prefix": "<OCR>", "suffix": NUMBER})
    (folder / "train.json").write_text(json.dumps(rows))


def waiting(device: str) -> None:
    """Wait for what has been sent to a GPU."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def stopwatch(calls: Iterator[object], device: str) -> list[float]:
    """Return the seconds that each next() of an iterator takes."""
    seconds, start = [], time.perf_counter()
    for _ in calls:
        waiting(device)
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
    return seconds


def read_like_the_card(model: str, photos: str, device: str) -> dict:
    """Return the seconds per photo of the loop that the model card shows."""
    import torch
    from PIL import Image
    from transformers import AutoProcessor, Florence2ForConditionalGeneration

    network = Florence2ForConditionalGeneration.from_pretrained(model, dtype=torch.float32)
    network, processor = network.to(device).eval(), AutoProcessor.from_pretrained(model)

    def read() -> Iterator[str]:
        for path in sorted(Path(photos).iterdir())[:CARD_READS]:
            image = Image.open(path).convert("RGB")
            inputs = processor(text="<OCR>", images=image, return_tensors="pt").to(device)
            with torch.inference_mode():
                ids = network.generate(
                    **inputs, max_new_tokens=TOKENS, num_beams=3, do_sample=False
                )
            yield processor.batch_decode(ids, skip_special_tokens=True)[0]

    return {"seconds": median(stopwatch(read(), device)), "memory": peak_memory()}


def peak_memory() -> float:
    """Return the most memory, in GB, that this process has held, and the largest it started."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    unit = 1 if platform.system() == "Darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(resource.getrusage(one).ru_maxrss for one in who) * unit / 1e9


def train_like_peft(model: str, data: str, targets: str, device: str, dtype: str) -> dict:
    """Return the seconds of ten epochs of a plain peft loop, from two: each is like the next."""
    import torch
    from peft import LoraConfig, get_peft_model
    from PIL import Image
    from transformers import AutoProcessor, Florence2ForConditionalGeneration

    precision = getattr(torch, DTYPES[dtype])
    network = Florence2ForConditionalGeneration.from_pretrained(model, dtype=precision)
    processor = AutoProcessor.from_pretrained(model)
    where = r".*language_model\." + (r"decoder\." if targets == "decoder" else "")
    layers = rf"{where}.*\b(q_proj|k_proj|v_proj|out_proj|fc1|fc2)"
    config = LoraConfig(r=16, lora_alpha=32, lora_dropout=0.05, target_modules=layers)
    network = get_peft_model(network, config).to(device).train()
    trained = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4)
    rows = json.loads(Path(data).read_text())
    start = time.perf_counter()
    for _ in range(PLAIN_EPOCHS):
        for first in range(0, len(rows), BATCH):
            batch = rows[first : first + BATCH]
            images = [Image.open(Path(data).parent / row["image"]).convert("RGB") for row in batch]
            inputs = processor(text=["<OCR>"] * len(batch), images=images, return_tensors="pt")
            answers = [row["suffix"] for row in batch]
            labels = processor.tokenizer(answers, padding=True, return_tensors="pt")["input_ids"]
            with torch.autocast(device, precision, enabled=dtype != "fp32"):
                loss = network(**inputs.to(device), labels=labels.to(device)).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    waiting(device)
    seconds = (time.perf_counter() - start) * EPOCHS / PLAIN_EPOCHS
    return {"seconds": seconds, "memory": peak_memory()}
