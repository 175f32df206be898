"""What a stopped training goes on from: adapter, optimizer, random states and progress."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import FlagError, UserError, one_line
from containers.basis.files import free_name, write_json, writing
from containers.basis.outputs import require_apart
from containers.basis.talk import counted, log
from containers.number.owners import LEARNT_CODES
from florence.adapter import BASE_FILE, Base, base_revision, save_adapter
from florence.features import features_folder, is_cached
from florence.model_folder import OBJECTS, read_json
from florence.options import FREE_ON_RESUME, TrainingOptions
from florence.progress import Progress

if TYPE_CHECKING:
    from accelerate import Accelerator
    from peft import PeftModel

MPS_RANDOM = "mps_random.safetensors"
TRAIN_ARGS = "train_args.json"  # the mark of a folder that is ours
LOG, CURVE = "train_log.jsonl", "training_curve.png"
ADAPTER = "adapter_model.safetensors"
# What a training writes beside the two files of the adapter, which --overwrite is there to replace.
WRITTEN = sorted({*OBJECTS, "merges.txt", "added_tokens.json", LEARNT_CODES, BASE_FILE, TRAIN_ARGS})
WRITTEN += [LOG, "README.md", CURVE, "checkpoint-*"]


class Checkpoints:
    """The checkpoints in an output folder; the newest takes the place of those before it."""

    def __init__(
        self, accelerator: Accelerator, model: PeftModel, base: Base, options: TrainingOptions
    ):
        self.accelerator, self.model, self.base, self.options = accelerator, model, base, options
        self.device = accelerator.device.type
        self.output = Path(options.output)
        self.folders = find_checkpoints(self.output)
        # The frozen model stays out of them: the adapter is saved by `save_adapter`.
        accelerator.register_save_state_pre_hook(lambda models, weights, folder: weights.clear())
        accelerator.register_load_state_pre_hook(lambda models, folder: models.clear())

    def save(self, progress: Progress) -> None:
        """Write all that is needed to go on, then drop what it replaces."""
        import torch
        from safetensors.torch import save_file

        older = self.folders
        number = max(map(checkpoint_number, older), default=0) + 1
        folder = self.output / f"checkpoint-{number}"
        new = folder.with_suffix(".new")
        with saving(folder, new):
            self.accelerator.save_state(str(new))
            if self.device == "mps":  # which accelerate leaves out
                save_file({"mps": torch.mps.get_rng_state()}, new / MPS_RANDOM)
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            with saving(folder, new):
                save_adapter(self.model, new, self.base)
            write_json(new / TRAIN_ARGS, asdict(self.options))
            write_json(new / "progress.json", asdict(progress))
            new.rename(folder)
            for old in older:
                shutil.rmtree(old)
        self.folders = [folder]

    def require_agreement(self) -> None:
        """Raise `UserError` unless all processes see the same checkpoint, on whatever machine."""
        from accelerate.utils import gather_object

        last = self.folders[-1] / "progress.json" if self.folders else None
        seen = gather_object([last.read_text() if last and last.exists() else ""])
        if len(set(seen)) > 1:
            raise UserError(
                f"§resume: not all machines have the same checkpoint in {self.output}: copy the "
                "folder from the first machine to the others"
            )

    def load(self) -> Progress:
        """Go on from the last checkpoint, if there is one; return how far it is."""
        import torch
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        self.require_agreement()
        if not self.folders:
            log.info(f"nothing to resume in {self.output}: starting at epoch 1")
            return Progress()
        folder = self.folders[-1]
        try:
            weights = load_file(folder / "adapter_model.safetensors")
            set_peft_model_state_dict(self.model, weights)
            self.accelerator.load_state(str(folder))
            if self.device == "mps":
                torch.mps.set_rng_state(load_file(folder / MPS_RANDOM)["mps"])
            progress = Progress(**read_json(folder / "progress.json"))
        except Exception as error:  # whatever a damaged file makes the libraries raise
            reason = one_line(error)[:200]
            raise UserError(f"{folder} is damaged ({reason}): delete it or omit §resume") from None
        log.info(f"resumed from {folder}: {counted(progress.epoch, 'epoch')} done")
        return progress


@contextlib.contextmanager
def saving(folder: Path, new: Path | None = None) -> Iterator[None]:
    """Turn what a full disk makes the libraries raise into a `UserError`; `new` is then deleted."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        if new is not None:
            shutil.rmtree(new, ignore_errors=True)
        reason = one_line(getattr(error, "strerror", None) or error)[:200]
        remedy = "make room; §resume goes on from the last finished epoch"
        raise UserError(f"cannot write {folder} ({reason}): {remedy}") from None


def find_checkpoints(output: Path) -> list[Path]:
    """Return the complete checkpoints in an output folder, oldest first."""
    folders = output.glob("checkpoint-*")
    return sorted((f for f in folders if f.name[11:].isdigit()), key=checkpoint_number)


def checkpoint_number(folder: Path) -> int:
    """Return the number in a checkpoint's name."""
    return int(folder.name.removeprefix("checkpoint-"))


def revision_of(base: str, options: TrainingOptions) -> str | None:
    """Return the revision of the model to train: of a run to resume the one that it began with."""
    before = find_checkpoints(Path(options.output))[-1:] if options.resume else []
    return base_revision(base, options.revision, *before)


def check_output(options: TrainingOptions) -> None:
    """Raise `FlagError` for an output folder that another run's adapter would be lost from.

    `--resume` takes only arguments that give the same curve as those of the run that it continues.
    Nothing is read but what that run has written down.
    """
    output = Path(options.output)
    if options.resume and options.overwrite:
        raise FlagError("§resume keeps what §overwrite replaces: leave one of them out")
    require_own_folder(output)
    require_apart(
        [("§output", output / name) for name in (*WRITTEN, ADAPTER)],
        [("§train", options.train), ("§val", options.val)],
    )
    checkpoints = find_checkpoints(output)
    if options.resume and checkpoints:
        require_same(options, read_json(checkpoints[-1] / TRAIN_ARGS))
    elif not (options.resume or options.overwrite) and (checkpoints or (output / ADAPTER).exists()):
        raise FlagError(
            f"{options.output} holds the adapter of another run: §output {free_name(output)} "
            f"keeps it, §overwrite replaces it, §resume goes on with it"
        )


def require_own_folder(output: Path) -> None:
    """Raise `FlagError` where an adapter would stand in a model's folder, or replace others' files.

    A folder with the arguments of a training in it is ours, and all in it that a training writes.
    """
    other = f"name another folder, as §output {free_name(output)}"
    if (output / "config.json").exists():
        raise FlagError(f"§output {output} holds a model (config.json): {other}")
    mark = output / TRAIN_ARGS
    if mark.is_file() and "lora_targets" in read_json(mark):
        return
    if foreign := next((path for name in WRITTEN for path in output.glob(name)), None):
        raise FlagError(f"§output {output} holds a {foreign.name} of somebody else's: {other}")


def earlier_looks(options: TrainingOptions) -> int | None:
    """Return how many looks the run to resume took, or None where there is none."""
    checkpoints = find_checkpoints(Path(options.output))[-1:] if options.resume else []
    return read_json(checkpoints[0] / TRAIN_ARGS).get("looks") if checkpoints else None


def require_same(options: TrainingOptions, before: dict) -> None:
    """Raise `FlagError` where the arguments would not go on with the curve of those before.

    Where `looks` is left open, it is what that run has chosen.
    """
    now = {name: value for name, value in asdict(options).items() if name not in FREE_ON_RESUME}
    if options.looks is None:
        del now["looks"]
    changed = sorted(name for name, value in now.items() if before.get(name, value) != value)
    if changed:
        said = ", ".join(f"--{name} is {now[name]}, was {before[name]}" for name in changed)
        raise FlagError(
            f"the run to resume had other flags: {said}; give the same, or begin another with "
            f"§output {free_name(Path(options.output))}"
        )


def require_writable(options: TrainingOptions) -> None:
    """Raise `FlagError` for an output folder that cannot be written."""
    path = Path(options.output) / TRAIN_ARGS
    windows = options.cache and options.looks != 1  # these alone, or with them the features
    keeps = windows or is_cached(options)
    for file in (path, features_folder(options) / "any")[: 1 + keeps]:
        with writing(file), tempfile.TemporaryFile(dir=file.parent):
            pass
