"""Train the small Florence-2 in demo/model from random weights, on rendered photos alone.

    python demo/train.py --output demo/model --work demo/work

Takes about three hours on two CPU cores, minutes on a GPU. Writes the model (native class,
processor, fp16 safetensors) to --output; checkpoint and train_log.jsonl to --work, from which
`--resume` goes on. The renders are made on the fly from the photo's index: none is seen twice.

A small Florence-2 with transformers' own first weights stays blind for tens of thousands of
photos. Four things make it read:

- Weights are drawn with 1/sqrt(fan-in), not with 0.02, which is far too small at these widths.
- The image position embeddings start as sines and cosines of amplitude 1.
- Two helpers, in training only, use that the renderer knows where each letter stands. `letters`
  is a linear head that names the character in each cell of the vision tower's last feature map;
  `gaze` is the cross-entropy between where the decoder's last cross-attention looks, averaged
  over its heads, and the place of the character that it is to write next.
- A curriculum: the vision tower first learns letters alone, from sheets full of them; then the
  whole model reads short lines, then photos. Print on paper, black on white or white on black,
  grows into paint, rust and motion. In the end, every second step is a sheet of letters again:
  telling 6 from 8 is the hardest part, and a step without text costs half.

The model becomes a general reader: on the containers that it sees, random characters stand where
the number would be, so it never learns what a container number is. That is left to fine-tuning. For
this it learns a second task in the end, as the large model knows many: asked with <CAPTION>, it
writes that code alone. Fine-tuning then has to connect what is there, not to invent it.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import shutil
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from einops import rearrange

sys.path.insert(0, str(Path(__file__).parents[1]))
import sheets
import windows
from letters import Line
from windows import Sample

from container_ocr import (
    PROMPT,
    ArgumentParser,
    ContainerOCR,
    choose_device,
    command,
    positive,
    prepare_inputs,
    read_json,
    say,
    write_json,
)

if TYPE_CHECKING:
    import torch
    from transformers import Florence2ForConditionalGeneration, Florence2Processor

CODE = "<CAPTION>"  # the prompt to which the model answers with the number alone
HEIGHT, WIDTH, CELL = windows.ROWS, windows.COLUMNS, 8  # input and a cell of features, in pixels
ROWS, COLUMNS = HEIGHT // CELL, WIDTH // CELL
CHARACTERS = " ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.'\""  # a cell's classes; the space: nothing
VIEWS = 4  # windows of each yard that is rendered
HELD_OUT_PHOTOS = 64
UNKNOWN = -100  # the class of a cell that counts for nothing
STREAM, HELD_OUT = 2**32 + 1, 2**32 + 2  # seeds that no flag of render.py can have
PROMPTS = (PROMPT, CODE, PROMPT, None, PROMPT, CODE, PROMPT, PROMPT)  # in turn; None: a sheet
EARLY_PROMPTS = (PROMPT, None, CODE, PROMPT)
EARLY = 0.1  # share of all photos
UNCLEAR_TEXT = 0.05  # weight of a text that cannot be read
CLEAR_GAZE = 0.4  # weight of the gaze where the text can be read; where not, it is 1
SMOOTHING = 0.998  # of the weights that are saved, a step
VISION = {
    "embed_dim": [32, 64, 128, 192],
    "num_heads": [1, 2, 4, 6],
    "num_groups": [1, 2, 4, 6],
    "depths": [1, 2, 5, 1],
    "patch_stride": [4, 2, 1, 1],
    "patch_padding": [3, 1, 1, 1],
    "window_size": 8,
    "projection_dim": 192,
    "max_position_embeddings": 32,
    "drop_path_rate": 0.0,
}
TEXT = {
    "model_type": "bart",
    "d_model": 192,
    "max_position_embeddings": 512,
    "dropout": 0.0,
    "encoder_layers": 1,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 768,
    "decoder_layers": 2,
    "decoder_attention_heads": 6,
    "decoder_ffn_dim": 768,
}


def prompt_at(step: int, steps: int) -> str | None:
    """Return what the model is asked in this step; None: nothing, it names letters on sheets."""
    turns = EARLY_PROMPTS if step < EARLY * steps else PROMPTS
    return turns[step % len(turns)]


# ---- photos ----------------------------------------------------------------------------------


def draw_batch(step: int, size: int, prompt: str | None, seed: int = STREAM) -> list[Sample]:
    """Return the samples of a step: windows of yards, or sheets where nothing is asked."""
    if prompt is None:
        return [sheets.draw_sheet(np.random.default_rng([seed, step, i])) for i in range(size)]
    samples = []
    while len(samples) < size:
        rng = np.random.default_rng([seed, step, len(samples)])
        samples += windows.draw_samples(rng, min(VIEWS, size - len(samples)), prompt == CODE)
    return samples


def letters_in_cells(sample: Sample) -> np.ndarray:
    """Return the class of the character in each cell of the feature map, int64 [rows, columns]."""
    if sample.clear < 0.5:
        return np.full((ROWS, COLUMNS), UNKNOWN, np.int64)
    cells = np.zeros((ROWS, COLUMNS), np.int64)
    y, x = (np.arange(ROWS) + 0.5)[:, None], np.arange(COLUMNS) + 0.5
    nearest = np.full((ROWS, COLUMNS), np.inf)
    for letter in (letter for line in sample.lines for letter in line.letters):
        off_x, off_y = np.abs(x - letter.x * COLUMNS), np.abs(y - letter.y * ROWS)
        inside = (off_x <= max(0.5, letter.width * COLUMNS * 0.4)) & (
            off_y <= max(0.5, letter.height * ROWS * 0.4)
        )
        distance = np.hypot(off_x, off_y)
        closer = inside & (distance < nearest)
        cells[closer] = max(0, CHARACTERS.find(letter.character))
        nearest[closer] = distance[closer]
    return cells


def places_of_text(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """Return for each character of lines that are joined its centre in cells; nan for spaces."""
    places = []
    for line in lines:
        letters = iter(line.letters)
        for character in line.text + "\n":
            letter = next(letters) if character.strip() else None
            places.append((letter.x * COLUMNS, letter.y * ROWS) if letter else (math.nan,) * 2)
    return places[:-1]


class Batches:
    """The training data: step → a batch, rendered from the step's number."""

    def __init__(self, processor: Florence2Processor, steps: int, batch_size: int) -> None:
        """Keep what every batch needs."""
        self.processor, self.steps, self.batch_size = processor, steps, batch_size

    def __len__(self) -> int:
        """Return how many batches there are."""
        return self.steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        """Return model inputs, `cells`, `places` [batch, tokens, 2] and `clear` [batch]."""
        import torch
        from PIL import Image

        prompt = prompt_at(step, self.steps)
        samples = draw_batch(step, self.batch_size, prompt)
        texts = [sample.text if prompt else "" for sample in samples]
        images = [Image.fromarray(sample.image) for sample in samples]
        batch = dict(prepare_inputs(self.processor, images, texts, prompt or PROMPT))
        batch["cells"] = torch.from_numpy(np.stack(list(map(letters_in_cells, samples))))
        batch["clear"] = torch.tensor([sample.clear for sample in samples])
        places = torch.full((*batch["labels"].shape, 2), math.nan)
        if prompt:
            for row, sample in zip(places, samples, strict=True):
                known = places_of_text(sample.lines)
                row[1 : 1 + len(known)] = torch.tensor(known).reshape(-1, 2)  # after <s>
        return batch | {"places": places}


# ---- the model -------------------------------------------------------------------------------


def new_processor(height: int, width: int, image_tokens: int) -> Florence2Processor:
    """Return a processor for images of this size, in pixels, whose every token is one byte."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import BartTokenizer, CLIPImageProcessor, Florence2Processor

    alphabet = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    tokenizer = BartTokenizer(
        vocab={token: i for i, token in enumerate(alphabet)},
        merges=[],
        extra_special_tokens={"image_token": "<image>"},
    )
    size = {"height": height, "width": width}
    images = CLIPImageProcessor(size=size, crop_size=size, do_center_crop=False)
    images.image_seq_length = image_tokens
    return Florence2Processor(images, tokenizer)


def new_model() -> tuple[Florence2ForConditionalGeneration, Florence2Processor]:
    """Return a small Florence-2 that knows nothing, and its processor."""
    from transformers import Florence2Config, Florence2ForConditionalGeneration

    processor = new_processor(HEIGHT, WIDTH, 1 + ROWS * COLUMNS)
    config = Florence2Config(
        vision_config=VISION,
        text_config=TEXT | {"vocab_size": len(processor.tokenizer)},
        image_token_id=processor.tokenizer.image_token_id,
    )
    model = Florence2ForConditionalGeneration(config)
    draw_weights(model)
    return model, processor


def draw_weights(model: Florence2ForConditionalGeneration) -> None:
    """Draw every matrix with standard deviation 1/sqrt(fan-in); image positions become waves."""
    import torch

    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    positions = model.model.multi_modal_projector.image_position_embed
    for embedding in (positions.row_embeddings, positions.column_embeddings):
        count, width = embedding.weight.shape
        frequency = torch.logspace(0, math.log10(0.05), width // 2)
        angle = torch.arange(count)[:, None] * frequency
        embedding.weight.data = rearrange([angle.sin(), angle.cos()], "wave n f -> n (f wave)")


def grown_model(folder: str) -> tuple[Florence2ForConditionalGeneration, Florence2Processor]:
    """Return a model with the weights of the one in the folder, in the shape that is set here.

    What the folder's lacks is drawn, its output projections zero, so that it changes nothing yet.
    """
    from transformers import Florence2ForConditionalGeneration

    model, processor = new_model()
    known = Florence2ForConditionalGeneration.from_pretrained(folder, dtype="float32").state_dict()
    missing = model.load_state_dict(known, strict=False).missing_keys
    for name, weight in model.named_parameters():
        ends = ("proj.weight", "fc2.weight", "conv1.weight", "conv2.weight")
        if name in missing and (name.endswith(ends) or (weight.dim() == 1 and "norm" not in name)):
            weight.data.zero_()
    say(f"weights from {folder}; new here: {len(missing)} tensors")
    return model, processor


def text_loss_and_gaze(
    model: Florence2ForConditionalGeneration, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the loss of the text, that of the gaze, and the vision tower's last feature map.

    What cannot be read hardly counts as text; there it counts where the model looks.
    """
    import torch

    keep = {}
    tower = model.model.vision_tower
    hook = tower.register_forward_hook(lambda _, __, output: keep.update(output))
    outputs = model(
        **{name: batch[name] for name in ("input_ids", "attention_mask", "pixel_values", "labels")},
        output_attentions=True,
    )
    hook.remove()
    clear, labels = batch["clear"], batch["labels"]
    each = torch.nn.functional.cross_entropy(
        outputs.logits.float().mT, labels, reduction="none", ignore_index=-100
    )
    weight = (labels != -100) * (UNCLEAR_TEXT + (1 - UNCLEAR_TEXT) * clear)[:, None]
    text = (each * weight).sum() / weight.sum()
    looks = outputs.cross_attentions[-1].float().mean(1)[..., 1 : 1 + ROWS * COLUMNS]
    seen = ~batch["places"].isnan().any(-1)
    grid = torch.stack(
        torch.meshgrid(torch.arange(COLUMNS) + 0.5, torch.arange(ROWS) + 0.5, indexing="xy"), -1
    ).to(looks.device)
    apart = batch["places"][seen][:, None] - rearrange(grid, "row column xy -> (row column) xy")
    target = (-apart.square().sum(-1)).softmax(-1)  # a Gaussian of 0.7 cells
    gaze = -(target * (looks[seen] + 1e-6).log()).sum(-1)
    weight = torch.lerp(torch.tensor(1.0), torch.tensor(CLEAR_GAZE), clear)[:, None].expand(
        seen.shape
    )[seen]
    return text, (gaze * weight).sum() / seen.sum().clamp(min=1), keep["last_hidden_state"]


def losses(
    model: Florence2ForConditionalGeneration,
    head: torch.nn.Linear,
    batch: dict[str, torch.Tensor],
    reads: bool,
) -> dict[str, torch.Tensor]:
    """Return the loss of the letters in the cells and, where the model reads, text and gaze."""
    import torch

    result = {}
    if reads:
        result["text"], result["gaze"], features = text_loss_and_gaze(model, batch)
    else:
        features = model.model.vision_tower(batch["pixel_values"]).last_hidden_state
    logits = head(rearrange(features, "batch width row column -> batch row column width"))
    weight = torch.ones(len(CHARACTERS), device=logits.device)
    weight[0] = 0.1  # most cells are empty
    logits = rearrange(logits.float(), "batch row column letter -> batch letter row column")
    result["letters"] = torch.nn.functional.cross_entropy(
        logits, batch["cells"], weight, ignore_index=UNKNOWN
    )
    filled = batch["cells"] > 0
    result["letters_right"] = (logits.argmax(1) == batch["cells"])[filled].float().mean()
    return result


def draw_held_out(count: int) -> list[Sample]:
    """Return near windows of yards that no training sees, one of each."""
    photos, i = [], 0
    while len(photos) < count:
        (sample,) = windows.draw_samples(np.random.default_rng([HELD_OUT, i]), 1, True)
        i += 1
        if sample.clear == 1 and sample.lines:
            photos.append(sample)
    return photos


def exact_match(folder: Path, device: str, photos: list[Sample]) -> float:
    """Return on how many of the photos the saved model reads the number, every letter right."""
    from PIL import Image

    reader = ContainerOCR(str(folder), device=device, second_look=False)
    images = [Image.fromarray(photo.image) for photo in photos]
    batches = [images[start : start + 16] for start in range(0, len(images), 16)]
    readings = [reading for batch in batches for reading in reader.read_batch(batch)]
    right = [reading.number == photo.lines[0].text for reading, photo in zip(readings, photos)]
    return sum(right) / len(photos)


# ---- training --------------------------------------------------------------------------------


class Trainer:
    """One run: builds or resumes the model, goes through the curriculum, saves."""

    def __init__(self, args: argparse.Namespace) -> None:
        """Build model, helper head, optimizer and schedule on the device."""
        import torch
        from accelerate import Accelerator
        from timm.optim import param_groups_weight_decay
        from timm.scheduler import CosineLRScheduler
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
        self.steps = args.photos // args.batch_size
        warmup = min(200, self.steps // 10)
        self.schedule = CosineLRScheduler(
            optimizer, self.steps, lr_min=1e-5, warmup_t=warmup, warmup_prefix=True,
            t_in_epochs=False,
        )  # fmt: skip
        self.step = 0
        self.smooth = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(SMOOTHING))
        self.accelerator.register_for_checkpointing(self.smooth)
        if args.resume:
            self.load_checkpoint()
        millions = sum(weight.numel() for weight in model.parameters()) / 1e6
        say(f"model: {millions:.2f} million weights, {WIDTH}x{HEIGHT}; {self.steps} steps")

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

    def train_step(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """Take one step; return the parts of the loss."""
        reads = prompt_at(self.step, self.steps) is not None
        self.schedule.step_update(self.step)
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
        say("  ".join(f"{name} {value}" for name, value in record.items()))
        with open(self.work / "train_log.jsonl", "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record) + "\n")

    def save(self) -> None:
        """Write the checkpoint, whole or not at all, and the model as it is now."""
        new, folder, old = (self.work / f"checkpoint{end}" for end in (".new", "", ".old"))
        shutil.rmtree(new, ignore_errors=True)
        self.accelerator.save_state(str(new))
        write_json(new / "progress.json", {"step": self.step})
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
            say(f"nothing to resume in {self.work}: starting at the first photo")
            return
        self.accelerator.load_state(str(folder))
        self.step = read_json(folder / "progress.json")["step"]
        say(f"resumed from {folder}: {self.step * self.args.batch_size} photos are done")


# ---- command line ----------------------------------------------------------------------------


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--output", default="demo/model", help="folder for the model")
    add("--work", default="demo/work", help="folder for checkpoint and train_log.jsonl")
    add("--start", help="folder of a model to start from; without it, random weights")
    add("--photos", type=positive, default=175_000, help="how many are rendered and learnt from")
    add("--batch_size", type=positive, default=32, help="photos per step")
    add("--lr", type=float, default=1e-3, help="highest learning rate")
    add("--precision", choices=("no", "bf16"), default="bf16", help="autocast")
    add("--device", default="auto", help="cuda, mps or cpu")
    add("--workers", type=positive, default=1, help="processes that render")
    add("--log_every", type=positive, default=25, help="steps between lines of the log")
    add("--save_every", type=positive, default=250, help="steps between checkpoints")
    add("--resume", action="store_true", help="go on from the checkpoint in --work")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Train the model; return the exit code."""
    args = build_parser().parse_args(argv)
    Path(args.work).mkdir(parents=True, exist_ok=True)
    Trainer(args).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
