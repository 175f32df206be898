"""What the frozen layers make of a photo: computed once, kept in a folder, taken from there."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import UserError, one_line
from containers.basis.pace import Pace
from containers.basis.talk import log
from containers.data.labels import Example
from containers.photo.workers import ahead, processes_here, worker_count, workers
from florence.examples import open_view, photo_digest
from florence.inputs import (
    PROMPT,
    encode_answers,
    encode_prompt,
    input_size,
    prepare_inputs,
    to_model,
)
from florence.model_folder import file_digest, weight_files
from florence.options import TrainingOptions

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from peft import PeftModel
    from transformers import (
        Florence2ForConditionalGeneration,
        Florence2Processor,
        PreTrainedModel,
    )

FROZEN_OUTPUT = {"decoder": "encoder_outputs", "language": "inputs_embeds"}  # by what adapts


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
        name = repr((self.identity, self.part, self.digests[photo], example.window, drawn))
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
        """Return those (example, view) that are not in the folder, each file once.

        A damaged file is deleted: what was in it can be computed again.
        """
        paths = {self.path(example, view): (example, view) for example, view in wanted}
        for path in filter(Path.exists, paths):
            if not is_whole(path):
                log.warning(f"{path} is damaged: it is deleted and made again")
                path.unlink()
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
                f"room, lower §views, or use §no-cache"
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

        size = input_size(processor)
        tasks = ((open_view, example, size, view, self.seed) for example, view in wanted)
        count = worker_count(len(wanted), model.device.type)
        with workers(count) as pool, torch.inference_mode():
            pairs = zip(wanted, ahead(tasks, pool, 2 * batch_size))
            pairs = iter(Pace(pairs, title="features", total=len(wanted)))
            while batch := list(islice(pairs, batch_size)):
                images = [future.result() for _, future in batch]
                inputs = prepare_inputs(processor, images, device=model.device)
                inputs = to_model(inputs, model)
                for (pair, _), features in zip(batch, frozen_part(model, self.part, inputs)):
                    self.write(self.path(*pair), features.cpu().contiguous())

    def write(self, path: Path, features: torch.Tensor) -> None:
        """Write a file of features, whole or not at all; raises `UserError`."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        new = path.with_suffix(f".{os.getpid()}")
        try:
            save_file({self.part: features}, new)
            new.replace(path)
        except (OSError, SafetensorError) as error:
            reason = f"{one_line(error)}: make room, lower §views, or use §no-cache"
            raise UserError(f"cannot write {path}: {reason}") from None
        finally:
            new.unlink(missing_ok=True)

    def provide(
        self,
        wanted: Sequence[tuple[Example, int]],
        accelerator: Accelerator,
        model: Florence2ForConditionalGeneration,
        processor: Florence2Processor,
        batch_size: int,
    ) -> None:
        """Have all (example, view) pairs in the folder; compute those that are not there yet.

        The processes share the work; those of a machine then share what its disk still lacks.
        """
        missing, start = self.missing(wanted), time.monotonic()
        self.require_space(model, processor, len(missing))
        compute = functools.partial(self.compute, model, processor, batch_size)
        accelerator.wait_for_everyone()
        with accelerator.autocast():  # as in training: features and --no-cache are one curve
            if missing:
                with accelerator.split_between_processes(missing) as mine:
                    compute(mine)
                accelerator.wait_for_everyone()
                here = accelerator.local_process_index
                compute(self.missing(missing)[here :: processes_here()])
                accelerator.wait_for_everyone()
        log.info(
            f"features: {len(missing)} computed in {time.monotonic() - start:.0f} s, "
            f"{len(wanted) - len(missing)} found, in {self.folder}"
        )


def is_whole(path: Path) -> bool:
    """Tell whether a file of features is as long as its header says."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt"):
            return True
    except (OSError, SafetensorError):
        return False


def frozen_part(
    model: Florence2ForConditionalGeneration, part: str, inputs: dict[str, torch.Tensor]
) -> torch.Tensor:
    """Return what the frozen layers make of the inputs, (photos, tokens, width)."""
    ids = inputs["input_ids"]
    words = model.get_input_embeddings()(ids)
    seen = model.get_image_features(inputs["pixel_values"]).pooler_output
    seen = seen.to(words.dtype)  # on a GPU autocast has made it fp32, and what is returned too
    embeds = words.masked_scatter((ids == model.config.image_token_id)[..., None], seen)
    if part == "inputs_embeds":
        return embeds
    return model.get_encoder()(inputs_embeds=embeds).last_hidden_state.to(words.dtype)


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


@functools.cache
def model_digest(folder: Path) -> str:
    """Return a name for a model's files: its weights, sizes and words."""
    digest = hashlib.sha256()
    for path in sorted([*weight_files(folder), *folder.glob("*.json"), *folder.glob("*.txt")]):
        digest.update(bytes.fromhex(file_digest(path)))
    return digest.hexdigest()


def make_features(options: TrainingOptions, source: Path, dtype: str) -> Features | None:
    """Return the features that these flags can keep, if any, of the model in a folder."""
    if not is_cached(options):
        return None
    versions = [version(name) for name in ("torch", "transformers", "pillow", "timm")]
    identity = repr((model_digest(source), dtype, PROMPT, versions))
    kept = FROZEN_OUTPUT[options.lora_targets]
    return Features(features_folder(options), kept, options.seed, identity)


def is_cached(options: TrainingOptions) -> bool:
    """Tell whether there is frozen work to keep, and it shall be kept."""
    return options.cache and options.lora_targets in FROZEN_OUTPUT


def features_folder(options: TrainingOptions) -> Path:
    """Return where the features of a data set are kept."""
    return Path(options.train).parent / "features"
