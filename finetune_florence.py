"""Teach Florence-2 to read container numbers: LoRA fine-tuning on your labelled photos.

    python finetune_florence.py --train dataset/train.json --val dataset/val.json \\
        --output ./florence-container-lora --epochs 10 --batch_size 2 --lr 1e-4

All of these are the defaults. After every epoch the validation photos are read and one line tells
how it went: loss, whole numbers right, character error rate, check digits that fit. The output
folder holds the best epoch's adapter in peft's own format, the processor, the arguments
(train_args.json), the log (train_log.jsonl) and a checkpoint from which `--resume` goes on.

What no target adapts gives the same for a photo in every epoch, so it is computed once and kept in
the folder `features` beside train.json: the image features for `--lora_targets language`, the whole
encoder's output for `decoder`. The next run on the same photos takes it from there. `--no-cache`
computes all of it in every epoch, as `all` must.

Many GPUs or machines: accelerate launch finetune_florence.py ...
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import logging
import math
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from container_ocr import (
    PROMPT,
    ArgumentParser,
    FlagError,
    ImageError,
    UserError,
    add_model_flags,
    ahead,
    base_model,
    check_image,
    check_model_flags,
    choose_device,
    choose_dtype,
    command,
    drivers_present,
    encode_answers,
    encode_prompt,
    fetch_model,
    find_image,
    input_size,
    interpret,
    load_checkpoint,
    load_image,
    look,
    one_line,
    out_of_memory,
    positive,
    prepare_inputs,
    read_json,
    replacing,
    say,
    score,
    seed,
    transcribe,
    weight_files,
    worker_count,
    workers,
    write_json,
    writing,
)
from prepare_dataset import Example, read_json_file

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from peft import PeftModel
    from PIL import Image
    from timm.scheduler import CosineLRScheduler
    from transformers import (
        Florence2ForConditionalGeneration,
        Florence2Processor,
        PreTrainedModel,
    )

LANGUAGE_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
VISION_LAYERS = ("qkv", "proj", "fc1", "fc2")
LORA_TARGETS = {  # where in the model, and the linear layers there
    "decoder": {"language_model.decoder": LANGUAGE_LAYERS},
    "language": {"language_model": LANGUAGE_LAYERS},
    "all": {"language_model": LANGUAGE_LAYERS, "vision_tower": VISION_LAYERS},
}
FROZEN = {"decoder": "encoder_outputs", "language": "inputs_embeds"}  # what can be kept, by target
VIEWS = 4  # of each photo, with --augment
# Light and colour only: what turns, shifts or inverts can cut off or change a number.
READABLE_OPERATIONS = ["AutoContrast", "Equalize"] + [
    f"{name}Increasing" for name in ("Brightness", "Color", "Contrast", "Sharpness")
]
LONGEST_ANSWER = 40  # characters
WARMUP_SHARE = 0.1
MAX_GRADIENT_NORM = 1.0
FREE_ON_RESUME = {"resume", "device", "patience", "output", "cache"}


@dataclass
class Progress:
    """How far the training is: kept in the checkpoint as JSON."""

    epoch: int = 0  # epochs done
    step: int = 0  # optimizer steps done
    history: list[dict] = field(default_factory=list)

    @property
    def best(self) -> dict:
        """Return the record of the epoch with the lowest validation loss."""
        return min(self.history, key=lambda record: record["eval_loss"])

    def rising(self) -> int:
        """Return for how many epochs, up to the last, the validation loss has risen."""
        losses = [record["eval_loss"] for record in self.history]
        pairs = zip(reversed(losses), reversed(losses[:-1]))
        return next((i for i, (now, before) in enumerate(pairs) if now <= before), len(losses) - 1)


# ---- data ------------------------------------------------------------------------------------


def read_examples(flag: str, name: str) -> list[Example]:
    """Return the examples of train.json or val.json; every bad row and photo is reported.

    Raises `FlagError` where there is no such file, `UserError` where one cannot be trained on.
    """
    path = Path(name)
    rows = read_json_file(path, flag, "make it with prepare_dataset.py --mode prepare")
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path}: needs a list with at least one photo")
    examples, problems = [], []
    for place, row in enumerate(rows, 1):
        try:
            examples.append(read_example(row, path.parent))
        except UserError as error:
            problems.append(f"{path}, entry {place}: {error}")
    for problem in problems[:-1]:
        say(f"error: {problem}")
    if problems:
        raise UserError(problems[-1])
    return examples


def read_example(row: object, folder: Path) -> Example:
    """Return one row of a data-set file, its photo checked; raises `UserError`."""
    keys = ("image", "prefix", "suffix")
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in keys):
        raise UserError("needs image, prefix and suffix as text")
    if row["prefix"] != PROMPT or not 0 < len(row["suffix"].strip()) <= LONGEST_ANSWER:
        limit = f"the number, 1 to {LONGEST_ANSWER} characters"
        raise UserError(f"prefix must be {PROMPT!r}, and suffix {limit}")
    try:
        path = find_image(row["image"], folder)
        check_image(path)
    except ImageError as error:
        raise UserError(f"{row['image']}: {error}") from None
    return Example(path, row["suffix"])


class Collator:
    """Turn examples into a training batch: photos prepared as for reading, answers as labels.

    `view` says which version of the photos: 0 is as they are.
    """

    def __init__(self, processor: Florence2Processor, seed: int, features: Features | None):
        self.processor, self.seed, self.features, self.view = processor, seed, features, 0

    def __call__(self, examples: list[Example]) -> dict[str, torch.Tensor]:
        """Return the model's inputs with labels; raises `UserError` on a bad photo."""
        labels = encode_answers(self.processor, [example.number for example in examples])
        if self.features:
            return {self.features.part: self.features.load(examples, self.view), "labels": labels}
        size = input_size(self.processor)
        images = [open_view(example, size, self.view, self.seed) for example in examples]
        return {**prepare_inputs(self.processor, images), "labels": labels}


def open_view(example: Example, size: tuple[int, int], view: int, seed: int) -> Image.Image:
    """Return a view of an example's photo, squashed to (width, height), always the same.

    Raises `UserError` with the photo's path.
    """
    try:
        image = load_image(example.image_path, size)
    except ImageError as error:
        raise UserError(f"{example.image_path}: {error}") from None
    return augment(image, f"{photo_digest(example.image_path)} {view} {seed}") if view else image


def augment(image: Image.Image, chance: str) -> Image.Image:
    """Return a photo in another light: timm's RandAugment, drawn by the text `chance`.

    Only operations that leave a number readable take part.
    """
    state = random.getstate()
    random.seed(chance)
    try:
        for operation in random.choices(readable_operations(), k=2):
            image = operation(image)
    finally:
        random.setstate(state)
    return image


@functools.cache
def readable_operations() -> list[Callable[[Image.Image], Image.Image]]:
    """Return the operations of timm's RandAugment: factors of about 0.55 or 1.45."""
    from timm.data.auto_augment import rand_augment_ops

    options = {"prob": 1.0, "hparams": {"magnitude_std": 0.5}, "transforms": READABLE_OPERATIONS}
    return rand_augment_ops(magnitude=5, **options)


def photo_digest(path: Path) -> str:
    """Return a name for what is in a photo's file; raises `UserError`."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


# ---- what is frozen --------------------------------------------------------------------------


class Features:
    """What the frozen layers make of each view of each photo, computed once and kept in a folder.

    `part` is the model's input that holds it: "inputs_embeds", the encoder's input, or
    "encoder_outputs". Each is (tokens, width) in the model's precision, in a file of its own, named
    by all that it depends on. Files are mapped, not read: the system keeps in memory what fits.
    """

    def __init__(self, folder: Path, part: str, seed: int, identity: str):
        self.folder, self.part, self.seed, self.identity = folder, part, seed, identity
        self.digests: dict[Path, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, example: Example, view: int) -> Path:
        """Return the file of an example's view."""
        photo, drawn = example.image_path, (view, self.seed) if view else 0
        self.digests[photo] = self.digests.get(photo) or photo_digest(photo)
        name = repr((self.identity, self.part, self.digests[photo], drawn))
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.safetensors"

    def load(self, examples: Sequence[Example], view: int) -> torch.Tensor:
        """Return the features of a batch, (examples, tokens, width); raises `UserError`."""
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        features = []
        for path in (self.path(example, view) for example in examples):
            try:
                features.append(load_file(path)[self.part])
            except (OSError, SafetensorError) as error:
                raise UserError(f"{path} is damaged ({error}): delete it") from None
        return torch.stack(features)

    def missing(self, wanted: Iterable[tuple[Example, int]]) -> list[tuple[Example, int]]:
        """Return those (example, view) that are not in the folder, each file once."""
        paths = {self.path(example, view): (example, view) for example, view in wanted}
        return [pair for path, pair in paths.items() if not path.exists()]

    def require_space(
        self, model: PreTrainedModel | PeftModel, processor: Florence2Processor, count: int
    ) -> None:
        """Raise `UserError` unless the disk has room for so many features."""
        tokens = len(encode_prompt(processor, PROMPT))
        needed = count * tokens * model.config.text_config.d_model * model.dtype.itemsize / 1e6
        free = shutil.disk_usage(self.folder).free / 1e6
        if needed > free:
            raise UserError(
                f"the features take {needed:.0f} MB and {self.folder} has {free:.0f} MB left: make "
                "room, lower --views, or use --no-cache"
            )

    def compute(
        self,
        model: Florence2ForConditionalGeneration,
        processor: Florence2Processor,
        batch_size: int,
        wanted: Sequence[tuple[Example, int]],
    ) -> None:
        """Compute (example, view) pairs and write them, each whole or not at all."""
        import torch
        from accelerate.utils import tqdm
        from safetensors.torch import save_file

        size = input_size(processor)
        tasks = ((open_view, example, size, view, self.seed) for example, view in wanted)
        count = worker_count(len(wanted), model.device.type)
        with workers(count) as pool, torch.inference_mode():
            pairs = zip(wanted, ahead(tasks, pool, 2 * batch_size))
            bar = tqdm(pairs, total=len(wanted), desc="features", leave=False, dynamic_ncols=True)
            pairs = iter(bar)
            while batch := list(islice(pairs, batch_size)):
                images = [future.result() for _, future in batch]
                inputs = prepare_inputs(processor, images, device=model.device)
                inputs = to_model(inputs, model)
                for (pair, _), features in zip(batch, frozen_part(model, self.part, inputs)):
                    path = self.path(*pair)
                    new = path.with_suffix(f".{os.getpid()}")
                    save_file({self.part: features.cpu().contiguous()}, new)
                    new.replace(path)


def frozen_part(
    model: Florence2ForConditionalGeneration, part: str, inputs: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Return what the frozen layers make of the inputs, (photos, tokens, width)."""
    ids = inputs["input_ids"]
    words = model.get_input_embeddings()(ids)
    seen = model.get_image_features(inputs["pixel_values"]).pooler_output
    embeds = words.masked_scatter((ids == model.config.image_token_id)[..., None], seen)
    if part == "inputs_embeds":
        return embeds
    return model.get_encoder()(inputs_embeds=embeds).last_hidden_state


def model_digest(folder: Path) -> str:
    """Return a name for a model's files: its weights, sizes and words."""
    digest = hashlib.sha256()
    for path in sorted([*weight_files(folder), *folder.glob("*.json"), *folder.glob("*.txt")]):
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


# ---- the adapter -----------------------------------------------------------------------------


def add_lora(
    model: Florence2ForConditionalGeneration, base: str, args: argparse.Namespace
) -> PeftModel:
    """Return the model with a fresh adapter, all else frozen; print how many modules it hits.

    Raises `UserError` where a target hits none.
    """
    from peft import LoraConfig, get_peft_model

    places, names = LORA_TARGETS[args.lora_targets], [name for name, _ in model.named_modules()]
    patterns = {where: re.escape(f"model.{where}.") + r".*\b(?:%s)" for where in places}
    for where, layers in places.items():
        hits = {x: sum(bool(re.fullmatch(patterns[where] % x, n)) for n in names) for x in layers}
        say(f"LoRA on {where}: " + ", ".join(f"{count} {layer}" for layer, count in hits.items()))
        if missed := [layer for layer, count in hits.items() if not count]:
            raise UserError(f"LoRA target {missed[0]} matches no module of {where}")
    config = LoraConfig(
        r=args.lora_rank,
        lora_alpha=args.lora_alpha,
        lora_dropout=args.lora_dropout,
        target_modules="|".join(patterns[where] % "|".join(places[where]) for where in places),
    )
    model.name_or_path = str(Path(base).resolve()) if Path(base).is_dir() else base  # is recorded
    adapted = get_peft_model(model, config)
    trainable, total = adapted.get_nb_trainable_parameters()
    say(f"trainable parameters: {trainable:,} of {total:,} ({100 * trainable / total:.2f} %)")
    return adapted


def train_mode(model: PeftModel) -> None:
    """Put LoRA's own dropout in training mode, and all that is frozen in eval mode."""
    from peft.tuners.lora import LoraLayer

    model.eval()
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.lora_dropout.train()


def save_adapter(model: PeftModel, folder: Path) -> None:
    """Write the adapter beside its place, then rename file by file."""
    saving = folder / ".saving"
    model.save_pretrained(saving, save_embedding_layers=False)  # else it asks the hub
    (saving / "README.md").unlink(missing_ok=True)  # peft's empty model card
    for file in sorted(saving.iterdir(), key=lambda file: file.suffix == ".json"):
        file.replace(folder / file.name)
    saving.rmdir()


# ---- training --------------------------------------------------------------------------------


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


def losses_and_readings(
    model: PeftModel, collate: Collator, examples: list[Example], size: int
) -> list[tuple]:
    """Return (loss, answer tokens, number read, answer) of each example.

    One pass through the encoder serves both the loss and the reading. The loss is the batch's mean
    per token times the photo's share of tokens, so that sums over photos give the mean per token.
    """
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    results = []
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(examples), size):
            batch = examples[start : start + size]
            inputs = to_model(collate(batch), model)
            outputs = model(**inputs)
            state = outputs.encoder_last_hidden_state.to(model.dtype)  # autocast has made it fp32
            photos = look(model, len(batch), encoder_outputs=BaseModelOutput(state))
            transcripts = transcribe(model, collate.processor, photos)
            counts = (inputs["labels"] != -100).sum(-1).tolist()
            for example, count, transcript in zip(batch, counts, transcripts):
                number = interpret(transcript).number
                results.append((outputs.loss.item() * count, count, number, example.number))
    return results


def require_trainable(dtype: str, device: str) -> None:
    """Raise `FlagError` for a precision in which a device cannot train."""
    if (dtype, device) == ("fp16", "cpu"):
        raise FlagError("--dtype fp16 cannot train on cpu; use fp32 or bf16")


def make_accelerator(args: argparse.Namespace) -> tuple[Accelerator, str]:
    """Return accelerate's hold on devices and processes, and the name of the precision."""
    from accelerate import Accelerator, DataLoaderConfiguration

    device = choose_device(args.device)
    dtype = choose_dtype(args.dtype, device)
    require_trainable(dtype, device)
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision="no" if dtype == "fp32" else dtype,
        gradient_accumulation_steps=args.gradient_accumulation,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True),
    )
    if accelerator.num_processes > 1:
        say(f"{accelerator.num_processes} processes share the photos")
    return accelerator, dtype


def make_schedule(optimizer: torch.optim.Optimizer, steps: int) -> CosineLRScheduler:
    """Return timm's warm-up and cosine over that many optimizer steps; none of them is at 0."""
    from timm.scheduler import CosineLRScheduler

    logging.getLogger("timm").setLevel(logging.ERROR)  # a schedule of one step is no news
    warmup = max(1, round(steps * WARMUP_SHARE))
    options = {"warmup_t": warmup, "warmup_prefix": True, "t_in_epochs": False}
    return CosineLRScheduler(optimizer, steps - warmup + 1, **options)


def make_features(args: argparse.Namespace, source: Path, dtype: str) -> Features | None:
    """Return the features that these flags can keep, if any, of the model in a folder."""
    if not is_cached(args):
        return None
    versions = [version(name) for name in ("torch", "transformers", "pillow", "timm")]
    identity = repr((model_digest(source), dtype, PROMPT, versions))
    return Features(features_folder(args), FROZEN[args.lora_targets], args.seed, identity)


def is_cached(args: argparse.Namespace) -> bool:
    """Tell whether there is frozen work to keep, and it shall be kept."""
    return args.cache and args.lora_targets in FROZEN


def features_folder(args: argparse.Namespace) -> Path:
    """Return where the features of a data set are kept."""
    return Path(args.train).parent / "features"


def count_views(args: argparse.Namespace) -> int:
    """Return how many views of each photo take turns."""
    return args.views or (VIEWS if args.augment else 1)


class Trainer:
    """Train an adapter epoch by epoch; keep the best one, and a checkpoint to go on from."""

    def __init__(self, args: argparse.Namespace, train: list[Example], val: list[Example]):
        import torch
        from accelerate.utils import set_seed

        self.args, self.output, self.progress = args, Path(args.output), Progress()
        self.accelerator, dtype = make_accelerator(args)
        set_seed(args.seed)
        base = base_model(args.model, None)
        source = fetch_model(base)
        network, self.processor = load_checkpoint(source, dtype)
        self.model = add_lora(network, base, args)
        self.features = make_features(args, source, dtype)
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=args.lr)
        self.collate = Collator(self.processor, args.seed, self.features)
        loader = torch.utils.data.DataLoader(
            train, args.batch_size, shuffle=True, collate_fn=self.collate
        )
        prepared = self.accelerator.prepare(self.model, optimizer, loader)
        self.wrapped, self.optimizer, self.loader = prepared
        self.checkpoints = find_checkpoints(self.output)
        self.train, self.val, self.views = train, val, count_views(args)
        steps = math.ceil(len(self.loader) / args.gradient_accumulation) * args.epochs
        self.steps = min(steps, args.max_steps or steps)
        self.schedule = make_schedule(optimizer, self.steps)

    def fit(self) -> None:
        """Train until the epochs or steps are done, or the validation loss keeps rising."""
        args = self.args
        self.skip_base_weights()
        if args.resume:
            self.load_checkpoint()
        if self.features:
            self.compute_features()
        progress = self.progress
        while progress.epoch < args.epochs and progress.step < self.steps:
            if progress.rising() >= args.patience:
                say(f"validation loss has risen for {args.patience} epochs: stopped early")
                break
            start = time.monotonic()
            train_loss = self.train_epoch()
            record = {"epoch": progress.epoch + 1, **self.evaluate(), "train_loss": train_loss}
            progress.epoch += 1
            progress.history.append(record)
            self.end_epoch(record, time.monotonic() - start)

    def compute_features(self) -> None:
        """Compute what the frozen layers make of each photo, where it is not there yet.

        The processes share the work; each then does what it cannot see on its own machine's disk.
        """
        views = range(min(self.views, self.args.epochs))
        wanted = [(example, view) for view in views for example in self.train]
        wanted += [(example, 0) for example in self.val]
        missing, start = self.features.missing(wanted), time.monotonic()
        self.features.require_space(self.model, self.processor, len(missing))
        compute = functools.partial(
            self.features.compute, self.model.get_base_model(), self.processor, self.args.batch_size
        )
        self.accelerator.wait_for_everyone()
        if missing:
            with self.accelerator.split_between_processes(missing) as mine:
                compute(mine)
            self.accelerator.wait_for_everyone()
            compute(self.features.missing(missing))
        say(
            f"features: {len(missing)} computed in {time.monotonic() - start:.0f} s, "
            f"{len(wanted) - len(missing)} found, in {self.features.folder}"
        )

    def train_epoch(self) -> float:
        """Run one epoch; return its mean training loss."""
        from accelerate.utils import gather_object, tqdm

        progress, losses = self.progress, []
        train_mode(self.model)
        self.collate.view = progress.epoch % self.views
        self.loader.set_epoch(progress.epoch)
        title = f"epoch {progress.epoch + 1}/{self.args.epochs}"
        for batch in tqdm(self.loader, desc=title, leave=False, dynamic_ncols=True):
            losses.append(self.train_batch(batch))
            if progress.step >= self.steps:
                break
        losses = gather_object(losses)
        return sum(losses) / len(losses)

    def train_batch(self, batch: dict[str, torch.Tensor]) -> float:
        """Learn from a batch; return its loss. Raises `UserError` if it is not finite."""
        with self.accelerator.accumulate(self.wrapped):
            self.schedule.step_update(self.progress.step + 1)
            loss = self.wrapped(**to_model(batch, self.model)).loss
            self.require_finite("training", loss.item())
            self.accelerator.backward(loss)
            if self.accelerator.sync_gradients:
                self.accelerator.clip_grad_norm_(self.wrapped.parameters(), MAX_GRADIENT_NORM)
                self.progress.step += 1
            self.optimizer.step()
            self.optimizer.zero_grad()
        return loss.item()

    def evaluate(self) -> dict[str, float]:
        """Return loss per answer token and reading scores on the validation photos."""
        from accelerate.utils import gather_object

        self.collate.view = 0
        with self.accelerator.split_between_processes(self.val) as mine:
            results = losses_and_readings(self.model, self.collate, mine, self.args.batch_size)
        losses, counts, read, answers = zip(*gather_object(results))
        self.require_finite("validation", sum(losses))
        return {"eval_loss": sum(losses) / sum(counts), **score(list(zip(read, answers)))}

    def require_finite(self, kind: str, loss: float) -> None:
        """Raise `UserError` for a loss from which nothing can be learnt."""
        if not math.isfinite(loss):
            remedy = f"lower --lr (now {self.args.lr:g}) or use --dtype fp32"
            raise UserError(f"{kind} loss is {loss}: {remedy}")

    def end_epoch(self, record: dict[str, float], seconds: float) -> None:
        """Print and log the epoch, keep its adapter if it is the best, write a checkpoint."""
        if self.accelerator.is_main_process:
            exact, count = record["exact_match"], len(self.val)
            print(
                f"Epoch {record['epoch']}: eval_loss: {record['eval_loss']:.4f}"
                f" exact_match: {exact:.3f} ({round(exact * count)}/{count})"
                f" character_error_rate: {record['character_error_rate']:.3f}"
                f" check_digit_rate: {record['check_digit_rate']:.3f}"
                f" train_loss: {record['train_loss']:.4f} ({seconds:.0f} s)",
                flush=True,
            )
            with replacing(self.output / "train_log.jsonl") as log:
                log.writelines(json.dumps(record) + "\n" for record in self.progress.history)
            write_json(self.output / "train_args.json", vars(self.args))
            if record is self.progress.best:
                save_adapter(self.model, self.output)
                self.processor.save_pretrained(self.output)
        self.save_checkpoint()

    def skip_base_weights(self) -> None:
        """Keep the frozen model out of checkpoints: the adapter is saved by `save_adapter`."""
        self.accelerator.register_save_state_pre_hook(
            lambda models, weights, folder: weights.clear()
        )
        self.accelerator.register_load_state_pre_hook(lambda models, folder: models.clear())

    def save_checkpoint(self) -> None:
        """Write adapter, optimizer, random states and progress, then drop what they replace."""
        older = self.checkpoints
        number = max(map(checkpoint_number, older), default=0) + 1
        folder = self.output / f"checkpoint-{number}"
        new = folder.with_suffix(".new")
        self.accelerator.save_state(str(new))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            save_adapter(self.model, new)
            write_json(new / "train_args.json", vars(self.args))
            write_json(new / "progress.json", asdict(self.progress))
            new.rename(folder)
            for old in older:
                shutil.rmtree(old)
        self.checkpoints = [folder]

    def load_checkpoint(self) -> None:
        """Go on from the last checkpoint, if there is one."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        if not self.checkpoints:
            say(f"nothing to resume in {self.output}: starting at epoch 1")
            return
        folder = self.checkpoints[-1]
        try:
            weights = load_file(folder / "adapter_model.safetensors")
            set_peft_model_state_dict(self.model, weights)
            self.accelerator.load_state(str(folder))
            self.progress = Progress(**read_json(folder / "progress.json"))
        except Exception as error:  # whatever a damaged file makes the libraries raise
            reason = one_line(error)[:200]
            raise UserError(f"{folder} is damaged ({reason}): delete it or omit --resume") from None
        say(f"resumed from {folder}: {self.progress.epoch} epochs are done")


def find_checkpoints(output: Path) -> list[Path]:
    """Return the complete checkpoints in an output folder, oldest first."""
    folders = output.glob("checkpoint-*")
    return sorted((f for f in folders if f.name[11:].isdigit()), key=checkpoint_number)


def checkpoint_number(folder: Path) -> int:
    """Return the number in a checkpoint's name."""
    return int(folder.name.removeprefix("checkpoint-"))


def check_output(args: argparse.Namespace) -> None:
    """Raise `FlagError` for an output folder that cannot be written, or a run not to be resumed.

    `--resume` takes only arguments that give the same curve as those of the run that it continues.
    """
    path = Path(args.output) / "train_args.json"
    for file in (path, features_folder(args) / "any")[: 1 + is_cached(args)]:
        with writing(file), tempfile.TemporaryFile(dir=file.parent):
            pass
    for folder in find_checkpoints(Path(args.output))[-1:] if args.resume else []:
        before = read_json(folder / path.name)
        for name in sorted(vars(args).keys() - FREE_ON_RESUME):
            value = vars(args)[name]
            was = before.get(name, value)
            if was != value:
                raise FlagError(f"--{name} {value} was {was} in the run to resume; give the same")


# ---- the command -----------------------------------------------------------------------------


def fraction(text: str) -> float:
    """Parse a flag's value that must be at least 0 and below 1."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 0 and below 1")
    return value


def rate(text: str) -> float:
    """Parse a flag's value that must be a number above zero."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return value


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--train", default="dataset/train.json", help="photos to learn")
    add("--val", default="dataset/val.json", help="photos to validate on")
    add("--output", default="./florence-container-lora", help="the adapter's folder")
    add("--epochs", type=positive, default=10, help="passes over the photos")
    add("--batch_size", type=positive, default=2, help="photos per step")
    add("--lr", type=rate, default=1e-4, help="highest learning rate")
    add_model_flags(parser, lora=False)
    add("--lora_targets", choices=LORA_TARGETS, default="language", help="where the model adapts")
    add("--lora_rank", type=positive, default=16, help="the adapter's size")
    add("--lora_alpha", type=positive, default=32, help="the adapter counts alpha / rank times")
    add("--lora_dropout", type=fraction, default=0.05, help="share of its inputs left out")
    add("--gradient_accumulation", type=positive, default=1, help="batches per step")
    varied = f"vary light and colour of the training photos: --views {VIEWS}"
    add("--augment", action="store_true", help=varied)
    turns = "each photo in so many lights, one an epoch in turn (default: 1, as it is)"
    add("--views", type=positive, metavar="N", help=turns)
    kept = "keep what frozen layers make of a photo (default: yes)"
    add("--cache", action=argparse.BooleanOptionalAction, default=True, help=kept)
    add("--patience", type=positive, default=3, help="epochs of rising loss before stopping")
    add("--max_steps", type=positive, help="stop after so many steps")
    add("--seed", type=seed, default=0, help="same seed, same curve")
    add("--resume", action="store_true", help="go on from the last checkpoint in --output")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Train, and say which epoch was best."""
    args = build_parser().parse_args(argv)
    check_model_flags(args)
    require_trainable(args.dtype, drivers_present()[0] if args.device == "auto" else args.device)
    train, val = read_examples("--train", args.train), read_examples("--val", args.val)
    check_output(args)
    say(f"{len(train)} training and {len(val)} validation photos")
    remedy = (
        f"lower --batch_size (now {args.batch_size}), raising --gradient_accumulation (now "
        f"{args.gradient_accumulation}) in its place, or use --dtype bf16 or --lora_targets decoder"
    )
    with out_of_memory(remedy):
        trainer = Trainer(args, train, val)
        trainer.fit()
    if trainer.accelerator.is_main_process:
        best = trainer.progress.best
        print(f"Best: epoch {best['epoch']}, eval_loss: {best['eval_loss']:.4f}, in {args.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
