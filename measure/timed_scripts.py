"""What the scripts take: each function times one of them, and is called in a process of its own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from florence.names import DTYPES
from measure.plain_loops import BATCH, EPOCHS, TO_READ, TOKENS, peak_memory, stopwatch

if TYPE_CHECKING:
    from container_ocr import ContainerOCR
    from florence.training import Trainer

ROOT = Path(__file__).parents[1]


def read_like_the_scripts(model: str, photos: str, device: str, dtype: str, batch: int) -> dict:
    """Return the seconds per photo of batch_process.py's reader."""
    from container_ocr import read_images
    from containers.photo import workers as streaming

    streaming.FEW_PHOTOS = 0
    reader = short_reader(model, device, dtype)
    paths = sorted(map(str, Path(photos).iterdir()))[:TO_READ]
    readings = read_images(paths, batch, lambda: reader)
    batches = iter(lambda: list(islice(readings, batch)), [])
    seconds = stopwatch(batches, device)
    return {"seconds": median(seconds[: len(paths) // batch]) / batch, "memory": peak_memory()}


def short_reader(model: str, device: str, dtype: str) -> ContainerOCR:
    """Return batch_process.py's reader, of one look, that writes no longer text than a number."""
    from container_ocr import ContainerOCR

    reader = ContainerOCR(model, None, device, dtype, looks=1)
    reader.model.config.text_config.max_position_embeddings = 1 + TOKENS  # and what comes before
    return reader


def train_like_the_scripts(model: str, data: str, targets: str, device: str, dtype: str) -> dict:
    """Return the seconds of ten epochs of finetune_florence.py, the features' included."""
    start = time.perf_counter()
    trainer = make_trainer(model, data, targets, device, dtype)
    loaded = time.perf_counter()
    trainer.compute_features()
    ready = time.perf_counter()
    epochs = stopwatch((trainer.train_epoch() for _ in range(EPOCHS)), device)
    return {
        "seconds": time.perf_counter() - loaded,
        "epoch": median(epochs),
        "to_first_step": ready - start,
        "memory": peak_memory(),
    }


def make_trainer(model: str, data: str, targets: str, device: str, dtype: str) -> Trainer:
    """Return the trainer of finetune_florence.py with its defaults."""
    import finetune_florence as script
    from florence.examples import read_examples
    from florence.options import TrainingOptions
    from florence.training import Trainer

    os.chdir(Path(data).parent)
    flags = ["--model", model, "--device", device, "--dtype", dtype, "--lora_targets", targets]
    flags += ["--train", data, "--val", data, "--output", "adapter"]
    args = script.build_parser().parse_args(flags)
    examples = read_examples("--train", data)
    return Trainer(TrainingOptions(**vars(args)), examples, examples)


def time_to_first_step(model: str, data: str, targets: str, device: str, dtype: str) -> dict:
    """Return the seconds from an empty process to where the first step would begin."""
    start = time.perf_counter()
    trainer = make_trainer(model, data, targets, device, dtype)
    trainer.compute_features()
    next(iter(trainer.loader))
    return {"seconds": time.perf_counter() - start}


def read_folder(folder: str, device: str, dtype: str) -> dict:
    """Return the seconds and the memory of batch_process.py with the small model on a folder."""
    import batch_process

    flags = ["--model", str(ROOT / "small_model"), "--device", device, "--dtype", dtype]
    os.chdir(folder)
    start = time.perf_counter()
    batch_process.main([".", *flags, "--output", "../results.txt", "--batch_size", "8"])
    return {"seconds": time.perf_counter() - start, "memory": peak_memory()}


def measure_peak(device: str, dtype: str) -> float:
    """Return the operations per second of the best of many matrix products, in TFLOP/s."""
    import torch

    side = 4096 if device == "cpu" else 8192
    a, b = torch.randn(2, side, side, device=device).to(getattr(torch, DTYPES[dtype]))
    seconds = stopwatch((a @ b for _ in range(12)), device)
    return 2 * side**3 / min(seconds) / 1e12


def operations(function: Callable, *arguments: object) -> int:
    """Return how many floating-point operations a call's products and convolutions take."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        function(*arguments)
    return counter.get_total_flops()


def measure_shares(model: str, data: str, device: str, dtype: str, batches: list[int]) -> dict:
    """Return (seconds, share of the peak) per image: of encoding in each batch, and of a step."""
    import torch

    from florence.adapter import train_mode
    from florence.features import frozen_part

    trainer = make_trainer(model, data, "language", device, dtype)
    network = trainer.model.get_base_model()
    vocabulary = network.config.image_token_id

    def encode(batch: int) -> None:
        words = torch.full((batch, 577), vocabulary, device=device)
        pixels = torch.zeros(batch, 3, 768, 768, device=device, dtype=network.dtype)
        with torch.inference_mode():
            frozen_part(network, "encoder_outputs", {"input_ids": words, "pixel_values": pixels})

    def step(batch: int) -> None:
        embeds = torch.zeros(batch, 587, 1024, device=device, dtype=network.dtype)
        labels = torch.full((batch, TOKENS), 5, device=device)
        trainer.accelerator.backward(trainer.wrapped(inputs_embeds=embeds, labels=labels).loss)

    peak, found = measure_peak(device, dtype), {}
    train_mode(trainer.model)
    for name, function, sizes in (("encode", encode, batches), ("step", step, [BATCH])):
        work = operations(function, 1)
        for batch in sizes:
            runs = stopwatch((function(batch) for _ in range(4)), device)[1:]
            seconds = median(runs) / batch
            found[f"{name} {batch}"] = seconds, work / seconds / 1e12 / peak
    return {"peak": peak, "found": found}
