"""Train the small Florence-2 in small_model on rendered yards alone.

    python -m demo.train --start small_model --output new_model --work demo/work

Writes the model (native class, processor, fp16 safetensors) to --output; checkpoint and
train_log.jsonl to --work, from which `--resume` goes on. The renders are made on the fly: none is
seen twice. What is saved is the mean of the weights over the last five hundred steps or so.

The model answers two prompts. Asked with <OCR> it writes all that can be read, the container's
number first, one line of the photo a line; asked with <CAPTION> the number alone. lessons.py says
what is shown, objectives.py what counts, growth.py what the model is.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start("demo/requirements.txt")

import argparse
import copy
import json
import shutil
import time
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING

from commands.command_line import ArgumentParser, command
from commands.flags import positive
from container_ocr import ContainerOCR
from containers.basis.files import write_json
from containers.basis.talk import counted, log
from demo.teaching.growth import VISION, grown_model, new_model
from demo.teaching.lessons import CHARACTERS, Batches, draw_held_out, prompt_at
from demo.teaching.objectives import losses
from demo.teaching.samples import HEIGHT, WIDTH, Sample
from florence.devices import choose_device
from florence.model_folder import read_json
from florence.names import NO_FINDER

if TYPE_CHECKING:
    import torch

HELD_OUT_PHOTOS = 64
SMOOTHING = 0.998  # of the weights that are saved, a step
WARM_UP = 200  # steps
LEAST_RATE = 0.03  # of the highest learning rate


def exact_match(folder: Path, device: str, photos: list[Sample]) -> float:
    """Return on how many of the photos the saved model reads the number, every letter right."""
    from PIL import Image

    reader = ContainerOCR(str(folder), device=device, looks=1, finder=NO_FINDER)
    images = [Image.fromarray(photo.image) for photo in photos]
    batches = [images[start : start + 16] for start in range(0, len(images), 16)]
    readings = [reading for batch in batches for reading in reader.read_batch(batch)]
    right = [reading.number == photo.lines[0].text for reading, photo in zip(readings, photos)]
    return sum(right) / len(photos)


class Trainer:
    """One run: builds or resumes the model, goes through the curriculum, saves."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Build model, helper head, optimizer and schedule on the device."""
        import torch
        from accelerate import Accelerator
        from timm.optim import param_groups_weight_decay
        from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

        device = choose_device(args.device)
        self.args, self.work, self.output = args, Path(args.work), Path(args.output)
        self.accelerator = Accelerator(cpu=device == "cpu", mixed_precision=args.precision)
        torch.manual_seed(0)
        model, self.processor = grown_model(args.start) if args.start else new_model()
        model.set_attn_implementation("eager")  # it gives the weights; on a CPU it is faster too
        head = torch.nn.Linear(VISION["embed_dim"][-1], len(CHARACTERS))
        both = torch.nn.ModuleDict({"model": model, "head": head})
        groups = param_groups_weight_decay(both, weight_decay=0.05)
        optimizer = torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.98))
        self.both, self.optimizer = self.accelerator.prepare(both, optimizer)
        self.steps, self.first = args.photos // args.batch_size, args.done // args.batch_size
        self.step = self.first
        self.smooth = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(SMOOTHING))
        self.accelerator.register_for_checkpointing(self.smooth)
        if args.resume:
            self.load_checkpoint()
        millions = sum(weight.numel() for weight in model.parameters()) / 1e6
        steps = counted(self.steps, "step")
        log.info(f"model: {millions:.2f} million weights, {WIDTH}x{HEIGHT}; {steps}")

    def run(self) -> None:
        """Train to the end; log, save a checkpoint and the model on the way."""
        from torch.utils.data import DataLoader

        args = self.args
        held_out = draw_held_out(HELD_OUT_PHOTOS)
        batches = DataLoader(
            Batches(self.processor, self.steps, args.batch_size),
            batch_size=None,
            sampler=range(self.step, self.steps),
            num_workers=args.workers,
            prefetch_factor=4,
        )
        parts, start = defaultdict(list), time.monotonic()
        for batch in batches:
            for name, value in self.train_step(batch).items():
                parts[name].append(value)
            last = self.step == self.steps
            if self.step % args.log_every == 0 or last:
                record = {"photos": self.step * args.batch_size, "time": time.strftime("%H:%M:%S")}
                record |= {name: round(fmean(values), 4) for name, values in parts.items()}
                photos = len(parts["letters"]) * args.batch_size
                record["photos_per_second"] = round(photos / (time.monotonic() - start), 1)
                if self.step % args.save_every == 0 or last:
                    self.save()
                    if "text" in record:
                        record["exact_match"] = exact_match(self.output, args.device, held_out)
                self.log(record)
                parts, start = defaultdict(list), time.monotonic()

    @property
    def rate(self) -> float:
        """Return the learning rate of this step: it rises, stays, and falls over the last photos.

        So a run can be ended at any time, and gone on with from the checkpoint before it fell.
        """
        begun = (self.step + 1 - self.first) / WARM_UP
        left = (self.steps - self.step) * self.args.batch_size / self.args.anneal
        return self.args.lr * max(LEAST_RATE, min(1.0, begun, left))

    def train_step(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """Take one step; return the parts of the loss."""
        reads = prompt_at(self.step) is not None
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        self.both.train()
        batch = {name: value.to(self.accelerator.device) for name, value in batch.items()}
        with self.accelerator.autocast():
            parts = losses(self.both["model"], self.both["head"], batch, reads)
        loss = parts["letters"] * (0.5 if reads else 1.0)
        if reads:
            loss = loss + parts["text"] + parts["gaze"]
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.both.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.smooth.update_parameters(self.both["model"])
        self.step += 1
        return {name: value.item() for name, value in parts.items()}

    def log(self, record: dict) -> None:
        """Print a record and append it to train_log.jsonl."""
        log.info("  ".join(f"{name} {value}" for name, value in record.items()))
        with open(self.work / "train_log.jsonl", "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record) + "\n")

    def save(self) -> None:
        """Write the checkpoint, whole or not at all, and the model as it is now."""
        new, folder, old = (self.work / f"checkpoint{end}" for end in (".new", "", ".old"))
        shutil.rmtree(new, ignore_errors=True)
        self.accelerator.save_state(str(new))
        write_json(new / "progress.json", {"step": self.step, "first": self.first})
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
        copy.deepcopy(self.smooth.module).half().save_pretrained(self.output)
        self.processor.save_pretrained(self.output)

    def load_checkpoint(self) -> None:
        """Go on where the last checkpoint was written."""
        folders = [self.work / name for name in ("checkpoint", "checkpoint.old")]
        folder = next(filter(Path.is_dir, folders), None)
        if folder is None:
            log.info(f"nothing to resume in {self.work}: starting at the first photo")
            return
        self.accelerator.load_state(str(folder))
        progress = read_json(folder / "progress.json")
        self.step, self.first = progress["step"], progress["first"]
        log.info(
            f"resumed from {folder}: {counted(self.step * self.args.batch_size, 'photo')} done"
        )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--output", default="small_model", help="folder for the model")
    add("--work", default="demo/work", help="folder for checkpoint and train_log.jsonl")
    add("--start", help="folder of a model to start from; without it, random weights")
    add("--photos", type=positive, default=175_000, help="how many to have learnt from at the end")
    add("--done", type=positive, default=0, help="how many --start has learnt from: counted on")
    add("--anneal", type=positive, default=20_000, help="photos at the end, where the rate falls")
    add("--batch_size", type=positive, default=16, help="photos per step")
    add("--lr", type=float, default=1e-3, help="highest learning rate")
    add("--precision", choices=("no", "bf16"), default="bf16", help="autocast")
    add("--device", default="auto", help="cuda, mps or cpu")
    add("--workers", type=positive, default=1, help="processes that render")
    add("--log_every", type=positive, default=25, help="steps between lines of the log")
    add("--save_every", type=positive, default=250, help="steps between checkpoints")
    add("--resume", action="store_true", help="go on from the checkpoint in --work")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Train the model; return the exit code."""
    Path(args.work).mkdir(parents=True, exist_ok=True)
    Trainer(args).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
