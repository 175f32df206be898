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
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from einops import rearrange

sys.path.insert(0, str(Path(__file__).parents[1]))
import render

from container_ocr import ContainerOCR
from containers.command_line import ArgumentParser, command, say
from containers.files import write_json
from containers.flags import positive
from florence.devices import choose_device
from florence.inputs import PROMPT, prepare_inputs
from florence.model_folder import read_json

if TYPE_CHECKING:
    import torch
    from transformers import Florence2ForConditionalGeneration, Florence2Processor

CODE = "<CAPTION>"  # the prompt to which the model answers with the code on the container alone
HEIGHT, WIDTH, CELL = 128, 192, 8  # the model's input and one cell of its features, in pixels
ROWS, COLUMNS = HEIGHT // CELL, WIDTH // CELL
CHARACTERS = " ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.'\""  # a cell's classes; the space: nothing
POOLS = (CHARACTERS[1:27], CHARACTERS[27:37], CHARACTERS[1:37])
LONGEST_SIDE = 256  # of the renders in training, in pixels
HELD_OUT_PHOTOS = 64
STREAM, HELD_OUT = 2**32 + 1, 2**32 + 2  # seeds that no flag of render.py can have
VISION = {
    "embed_dim": [32, 64, 128, 192],
    "num_heads": [1, 2, 4, 6],
    "num_groups": [1, 2, 4, 6],
    "depths": [1, 2, 3, 1],
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


@dataclass(frozen=True)
class Stage:
    """A part of the curriculum: what is on the photos, and how hard, from its start to its end."""

    name: str
    photos: float  # share of all
    hardness: tuple[float, float]
    longest: tuple[int, int]  # of random lines, in characters
    containers: float = 0.0  # share of photos of containers; the others show random lines
    prompts: tuple[str | None, ...] = (PROMPT,)  # in turn; None: the vision tower alone, letters

    def prompt_at(self, step: int) -> str | None:
        """Return what the model is asked in this step; None: nothing, it names letters."""
        return self.prompts[step % len(self.prompts)]

    def hardness_at(self, done: float) -> float:
        """Return how hard the photos are after this share of the stage."""
        return float(np.interp(done, (0, 1), self.hardness))


CURRICULUM = (
    Stage("letters", 0.17, (0.0, 0.8), (3, 12), prompts=(None,)),
    Stage("lines", 0.05, (0.2, 0.5), (2, 8)),
    Stage("photos", 0.09, (0.5, 0.7), (8, 10), containers=0.7),
    Stage("paint", 0.08, (0.7, 1.0), (10, 14), containers=0.7),
    Stage("yard", 0.12, (1.0, 1.0), (14, 14), containers=0.7),
    Stage("codes", 0.49, (1.0, 1.0), (14, 14), containers=0.8, prompts=(PROMPT, None, CODE, None)),
)


def stage_at(share: float) -> tuple[Stage, float]:
    """Return the stage after this share of all photos, and how much of the stage is done, 0..1."""
    start = 0.0
    for stage in CURRICULUM[:-1]:
        if share < start + stage.photos:
            return stage, (share - start) / stage.photos
        start += stage.photos
    return CURRICULUM[-1], (share - start) / CURRICULUM[-1].photos


# ---- photos ----------------------------------------------------------------------------------


def random_group(rng: np.random.Generator, size: int) -> str:
    """Return so many letters, digits or both: whoever reads them has really seen them."""
    pool = POOLS[rng.integers(len(POOLS))]
    return "".join(rng.choice(list(pool), size))


def random_text(rng: np.random.Generator, longest: int) -> str:
    """Return groups that mean nothing, in all one to so many characters."""
    groups, left = [], int(rng.integers(1, longest + 1))
    while left > 0:
        size = min(left, int(rng.integers(1, 7)))
        groups.append(random_group(rng, size))
        left -= size
    return " ".join(groups)


def random_block(rng: np.random.Generator, longest: int, shape: tuple[int, int]) -> render.Block:
    """Return one or two random lines that fit on a photo of this shape, from small to large."""
    vertical = rng.random() < 0.3
    rows = 1 if vertical or rng.random() < 0.8 else 2
    block = render.Block(
        tuple(random_text(rng, longest) for _ in range(rows)),
        render.FACES[rng.integers(len(render.FACES))],
        rng.uniform(0.055, 0.13),
        spacing=rng.uniform(0.06, 0.3),
        vertical=vertical,
        boxed=rng.random() < 0.2,
    )
    largest = block.fit(0.85, 0.85, shape)
    return largest if largest.size < block.size else block


def render_example(
    rng: np.random.Generator, stage: Stage, done: float, prompt: str | None = PROMPT
) -> render.Photo:
    """Return a photo of this stage of the curriculum on which this prompt has an answer."""
    hardness = stage.hardness_at(done) * rng.uniform(0.85, 1)
    containers = {CODE: 1.0, None: 0.0}.get(prompt, stage.containers)
    if rng.random() < containers:
        layout = render.LAYOUTS[rng.integers(len(render.LAYOUTS))]
        code = "".join(rng.choice(list(POOLS[2]), 11))
        container = render.Container(code, render.draw_paint(rng))
        return render.render_container(rng, container, layout, LONGEST_SIDE, hardness)
    longest = round(np.interp(done, (0, 1), stage.longest))
    count = int(rng.integers(1, 3)) if prompt else 14
    shape = render.frame(rng, "sheet", LONGEST_SIDE)
    blocks = [random_block(rng, longest, shape) for _ in range(count)]
    return render.photograph(rng, shape, blocks, hardness)


def letters_in_cells(photo: render.Photo) -> np.ndarray:
    """Return the class of the character in each cell of the feature map, int64 [rows, columns]."""
    cells = np.zeros((ROWS, COLUMNS), np.int64)
    y, x = (np.arange(ROWS) + 0.5)[:, None], np.arange(COLUMNS) + 0.5
    nearest = np.full((ROWS, COLUMNS), np.inf)
    for letter in (letter for line in photo.lines for letter in line.letters):
        off_x, off_y = np.abs(x - letter.x * COLUMNS), np.abs(y - letter.y * ROWS)
        inside = (off_x <= max(0.5, letter.width * COLUMNS * 0.4)) & (
            off_y <= max(0.5, letter.height * ROWS * 0.4)
        )
        distance = np.hypot(off_x, off_y)
        closer = inside & (distance < nearest)
        cells[closer] = max(0, CHARACTERS.find(letter.character))
        nearest[closer] = distance[closer]
    return cells


def places_of_text(lines: Sequence[render.Line]) -> list[tuple[float, float]]:
    """Return for each character of lines that are joined its centre in cells; nan for spaces."""
    places = []
    for line in lines:
        letters = iter(line.letters)
        for character in line.text + "\n":
            letter = next(letters) if character.strip() else None
            places.append((letter.x * COLUMNS, letter.y * ROWS) if letter else (math.nan,) * 2)
    return places[:-1]


class Batches:
    """The training data: step → a batch, rendered from the indices of its photos."""

    def __init__(self, processor: Florence2Processor, steps: int, batch_size: int) -> None:
        """Keep what every batch needs."""
        self.processor, self.steps, self.batch_size = processor, steps, batch_size

    def __len__(self) -> int:
        """Return how many batches there are."""
        return self.steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        """Return model inputs, `cells` [batch, rows, columns], `places` [batch, tokens, 2]."""
        import torch

        stage, done = stage_at(step / self.steps)
        indices = range(step * self.batch_size, (step + 1) * self.batch_size)
        prompt = stage.prompt_at(step)
        generators = (np.random.default_rng([STREAM, i]) for i in indices)
        photos = [render_example(rng, stage, done, prompt) for rng in generators]
        lines = [photo.number_lines if prompt == CODE else photo.lines for photo in photos]
        texts = [photo.number if prompt == CODE else photo.text for photo in photos]
        images = [photo.image for photo in photos]
        batch = dict(prepare_inputs(self.processor, images, texts, prompt or PROMPT))
        batch["cells"] = torch.from_numpy(np.stack([letters_in_cells(photo) for photo in photos]))
        places = torch.full((*batch["labels"].shape, 2), math.nan)
        for row, known in zip(places, map(places_of_text, lines), strict=True):
            row[1 : 1 + len(known)] = torch.tensor(known)  # after <s>; a character is a token
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


def text_loss_and_gaze(
    model: Florence2ForConditionalGeneration, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the loss of the text, that of the gaze, and the vision tower's last feature map."""
    import torch

    keep = {}
    tower = model.model.vision_tower
    hook = tower.register_forward_hook(lambda _, __, output: keep.update(output))
    outputs = model(
        **{name: batch[name] for name in ("input_ids", "attention_mask", "pixel_values", "labels")},
        output_attentions=True,
    )
    hook.remove()
    looks = outputs.cross_attentions[-1].float().mean(1)[..., 1 : 1 + ROWS * COLUMNS]
    seen = ~batch["places"].isnan().any(-1)
    grid = torch.stack(
        torch.meshgrid(torch.arange(COLUMNS) + 0.5, torch.arange(ROWS) + 0.5, indexing="xy"), -1
    ).to(looks.device)
    apart = batch["places"][seen][:, None] - rearrange(grid, "row column xy -> (row column) xy")
    target = (-apart.square().sum(-1)).softmax(-1)  # a Gaussian of 0.7 cells
    gaze = -(target * (looks[seen] + 1e-6).log()).sum(-1).mean()
    return outputs.loss, gaze, keep["last_hidden_state"]


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
    result["letters"] = torch.nn.functional.cross_entropy(logits, batch["cells"], weight)
    filled = batch["cells"] > 0
    result["letters_right"] = (logits.argmax(1) == batch["cells"])[filled].float().mean()
    return result


def exact_match(folder: Path, device: str, photos: list[render.Photo]) -> float:
    """Return on how many of the photos the saved model reads the number, every letter right."""
    reader = ContainerOCR(str(folder), device=device, looks=1)
    images = [photo.image for photo in photos]
    batches = [images[start : start + 16] for start in range(0, len(images), 16)]
    readings = [reading for batch in batches for reading in reader.read_batch(batch)]
    right = [reading.number == photo.number for reading, photo in zip(readings, photos)]
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

        device = choose_device(args.device)
        self.args, self.work, self.output = args, Path(args.work), Path(args.output)
        self.accelerator = Accelerator(cpu=device == "cpu", mixed_precision=args.precision)
        torch.manual_seed(0)
        model, self.processor = new_model()
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
        if args.resume:
            self.load_checkpoint()
        millions = sum(weight.numel() for weight in model.parameters()) / 1e6
        say(f"model: {millions:.2f} million weights, {WIDTH}x{HEIGHT}; {self.steps} steps")

    def run(self) -> None:
        """Train to the end; log, save a checkpoint and the model on the way."""
        from torch.utils.data import DataLoader

        args = self.args
        held_out = [photo for _, photo in render.render_series(HELD_OUT_PHOTOS, HELD_OUT)]
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
                record = {"photos": self.step * args.batch_size, **self.place()}
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
        stage, _ = stage_at(self.step / self.steps)
        reads = stage.prompt_at(self.step) is not None
        self.schedule.step_update(self.step)
        self.both.train()
        batch = {name: value.to(self.accelerator.device) for name, value in batch.items()}
        with self.accelerator.autocast():
            parts = losses(self.both["model"], self.both["head"], batch, reads)
        loss = parts["letters"] * (0.5 if reads else 1.0)
        if reads:
            loss = loss + parts["text"] + 0.3 * parts["gaze"]
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.both.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return {name: value.item() for name, value in parts.items()}

    def place(self) -> dict:
        """Return where in the curriculum the training is."""
        stage, done = stage_at((self.step - 1) / self.steps)
        return {"stage": stage.name, "hardness": round(stage.hardness_at(done), 2)}

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
        copy.deepcopy(self.both["model"]).half().save_pretrained(self.output)
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


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Train the model; return the exit code."""
    Path(args.work).mkdir(parents=True, exist_ok=True)
    Trainer(args).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
