"""Teach an adapter epoch by epoch: steps, validation, and the best epoch kept."""

from __future__ import annotations

import functools
import json
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import UserError
from containers.basis.files import replacing, write_json
from containers.basis.pace import LONG_SECONDS, Pace, duration
from containers.basis.talk import counted, log
from containers.data.labels import Example
from containers.number.owners import write_owner_codes
from containers.number.review import hypothesis_of
from containers.number.scores import score
from containers.photo.workers import worker_count
from florence.accelerating import make_accelerator
from florence.adapter import SAVING, Base, add_lora, base_model, save_adapter, train_mode
from florence.curve import draw_curve
from florence.decoding import transcribe
from florence.encoding import encode
from florence.features import Collator, make_features
from florence.hub import fetch_model
from florence.inputs import input_size, to_model
from florence.loading import load_checkpoint
from florence.memory import estimate, fit_memory, lower_memory
from florence.microsoft import is_microsoft
from florence.model_card import model_card
from florence.options import VIEWS, TrainingOptions
from florence.progress import Progress
from florence.resuming import CURVE, LOG, TRAIN_ARGS, Checkpoints, revision_of, saving
from florence.threads import choose_threads, computing_with
from florence.trackers import start_tracker, track

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from timm.scheduler import CosineLRScheduler
    from transformers import Florence2ForConditionalGeneration, Florence2Processor

WARMUP_SHARE = 0.1
MAX_GRADIENT_NORM = 1.0


class Trainer:
    """Train an adapter epoch by epoch; keep the best one, and a checkpoint to go on from.

    `loaded` is the base model with its processor, where it has been read from the disk before.
    """

    def __init__(
        self,
        options: TrainingOptions,
        train: list[Example],
        val: list[Example],
        loaded: tuple[Florence2ForConditionalGeneration, Florence2Processor] | None = None,
    ):
        import torch
        from accelerate.utils import set_seed

        self.options, self.output, self.progress = options, Path(options.output), Progress()
        network = loaded[0] if loaded else None
        self.accelerator, dtype = make_accelerator(options, network)
        base = base_model(options.model, None)
        self.source = source = fetch_model(base, revision_of(base, options))
        self.base = Base.at(base, source)
        network, self.processor = loaded or load_checkpoint(source, dtype)
        self.threads = choose_threads(network.num_parameters(), self.accelerator.device.type)
        set_seed(options.seed)
        self.model = add_lora(network, self.base, options)
        self.features = make_features(options, source, dtype)
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=options.lr)
        self.collate = Collator(self.processor, options.seed, self.features)
        count = 0 if self.features else worker_count(len(train), self.accelerator.device.type)
        loader = torch.utils.data.DataLoader(
            train,
            options.batch_size,
            shuffle=True,
            num_workers=count,  # new ones each epoch: they take its view along
            collate_fn=self.collate,
            multiprocessing_context="spawn" if count else None,
        )
        prepared = self.accelerator.prepare(self.model, optimizer, loader)
        self.wrapped, self.optimizer, self.loader = prepared
        self.plan_memory()
        self.checkpoints = Checkpoints(self.accelerator, self.model, self.base, options)
        self.train, self.val = train, val
        self.views = options.views or (VIEWS if options.augment else 1)
        steps = math.ceil(len(self.loader) / options.gradient_accumulation) * options.epochs
        self.steps = min(steps, options.max_steps or steps)
        self.schedule = make_schedule(optimizer, self.steps)

    def plan_memory(self) -> None:
        """Say how much memory the training takes, and save some where it is short."""
        weights = self.model.get_nb_trainable_parameters()
        size, width = input_size(self.processor), self.model.dtype.itemsize
        needed = estimate(self.model.config, self.options.lora_targets, size, weights, width)
        fit_memory(self.model, needed, self.options.batch_size, lower_memory(self.options))

    def fit(self) -> Iterator[tuple[dict[str, float], float]]:
        """Train until the epochs or steps are done, or the validation loss keeps rising.

        Yield each epoch's record and seconds, when all of it is on the disk.
        """
        with computing_with(self.threads):
            yield from self.epochs()

    def epochs(self) -> Iterator[tuple[dict[str, float], float]]:
        """Yield what `fit` does."""
        options = self.options
        if options.resume:
            self.progress = self.checkpoints.load()
        self.compute_features()
        start_tracker(self.accelerator, options.report_to, asdict(options))
        progress, begun = self.progress, self.progress.epoch
        with self.pace:
            while progress.epoch < options.epochs and progress.step < self.steps:
                if progress.rising() >= options.patience:
                    risen = counted(options.patience, "epoch")
                    log.info(f"validation loss has risen for {risen}: stopped early")
                    break
                start = time.monotonic()
                train_loss = self.train_epoch()
                record = {"epoch": progress.epoch + 1, **self.evaluate(), "train_loss": train_loss}
                progress.epoch += 1
                progress.history.append(record)
                seconds = time.monotonic() - start
                self.keep(record)
                track(self.accelerator, options.report_to, record)
                yield record, seconds
                if progress.epoch == begun + 1:
                    self.foretell(seconds)
        for tracker in self.accelerator.trackers:
            tracker.finish()

    def foretell(self, seconds: float) -> None:
        """Say how long the epochs take that are left, after one of so many seconds, if long."""
        left = seconds * min(
            self.options.epochs - self.progress.epoch,
            (self.steps - self.progress.step) * self.progress.epoch / max(1, self.progress.step),
        )
        if left >= LONG_SECONDS:
            log.info(f"training: about {duration(left)} more at most, {duration(seconds)} an epoch")

    @functools.cached_property
    def pace(self) -> Pace:
        """Return the line of progress, which begins with the first step."""
        return Pace(title="steps", total=self.steps, done=self.progress.step)

    def compute_features(self) -> None:
        """Have what the frozen layers make of each photo computed, if it is kept and not there."""
        if self.features is None:
            return
        views = range(min(self.views, self.options.epochs))
        wanted = [(example, view) for view in views for example in self.train]
        wanted += [(example, 0) for example in self.val]
        model = self.model.get_base_model()
        size = self.options.batch_size
        self.features.provide(wanted, self.accelerator, model, self.processor, size)

    def train_epoch(self) -> float:
        """Run one epoch; return its mean training loss."""
        from accelerate.utils import gather_object

        progress, losses = self.progress, []
        train_mode(self.model)
        self.collate.view = progress.epoch % self.views
        self.loader.set_epoch(progress.epoch)
        epoch = f"epoch {progress.epoch + 1} of {self.options.epochs}"
        for batch in self.loader:
            losses.append(self.train_batch(batch))
            self.pace.set_postfix_str(f"{epoch}, loss {losses[-1]:.3f}", refresh=False)
            self.pace.update(progress.step - self.pace.n)
            if progress.step >= self.steps:
                break
        self.pace.set_postfix_str(f"{epoch}, validating", refresh=not self.pace.is_log)
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
            results = losses_and_readings(self.model, self.collate, mine, self.options.batch_size)
        losses, counts, read, answers = zip(*gather_object(results))
        self.require_finite("validation", sum(losses))
        return {"eval_loss": sum(losses) / sum(counts), **score(list(zip(read, answers)))}

    def require_finite(self, kind: str, loss: float) -> None:
        """Raise `UserError` for a loss from which nothing can be learnt."""
        if not math.isfinite(loss):
            remedy = f"lower §lr (now {self.options.lr:g}) or use §dtype fp32"
            raise UserError(f"{kind} loss is {loss}: {remedy}")

    def keep(self, record: dict[str, float]) -> None:
        """Log an epoch, keep its adapter if it is the best, and write a checkpoint."""
        if self.accelerator.is_main_process:
            write_json(self.output / TRAIN_ARGS, asdict(self.options))  # first: it marks the folder
            with replacing(self.output / LOG) as log:
                log.writelines(json.dumps(record) + "\n" for record in self.progress.history)
            if record is self.progress.best:
                with saving(self.output, self.output / SAVING):
                    save_adapter(self.model, self.output, self.base)
                    self.processor.save_pretrained(self.output)
                labels = [example.number for example in (*self.train, *self.val)]
                write_owner_codes(self.output, labels)
            self.describe()
        self.checkpoints.save(self.progress)

    def describe(self) -> None:
        """Draw the curve of all epochs, and write the card of the adapter that is kept."""
        card = model_card(
            self.options,
            self.progress,
            (self.train, self.val),
            self.base,
            not is_microsoft(self.source),
            self.model.get_nb_trainable_parameters(),
        )
        draw_curve(self.output / CURVE, self.progress)
        with replacing(self.output / "README.md") as file:
            file.write(card)


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
            encoded = encode(model, len(batch), encoder_outputs=BaseModelOutput(state))
            transcripts = transcribe(model, collate.processor, encoded)
            counts = (inputs["labels"] != -100).sum(-1).tolist()
            for example, count, transcript in zip(batch, counts, transcripts):
                number = hypothesis_of(transcript).number
                results.append((outputs.loss.item() * count, count, number, example.number))
    return results


def make_schedule(optimizer: torch.optim.Optimizer, steps: int) -> CosineLRScheduler:
    """Return timm's warm-up and cosine over that many optimizer steps; none of them is at 0."""
    from timm.scheduler import CosineLRScheduler

    logging.getLogger("timm").setLevel(logging.ERROR)  # a schedule of one step is no news
    warmup = max(1, round(steps * WARMUP_SHARE))
    options = {"warmup_t": warmup, "warmup_prefix": True, "t_in_epochs": False}
    return CosineLRScheduler(optimizer, steps - warmup + 1, **options)
