"""LoRA adapters in peft's own format: made, saved, attached to a model, merged into it."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import FlagError, ModelError, UserError
from containers.basis.files import digest, relative_path
from containers.basis.talk import log
from florence.hub import PINS, commit_of, fetch_model, folder_of
from florence.microsoft import EMBEDDING, rename_microsoft
from florence.model_folder import loading, read_json, require_finite, weights_digest
from florence.names import DEFAULT_MODEL
from florence.options import TrainingOptions

if TYPE_CHECKING:
    import torch
    from peft import PeftConfig, PeftModel
    from transformers import Florence2ForConditionalGeneration

SAVING = ".saving"  # what is not whole yet
BASE_FILE = "base_model.json"  # in an adapter's folder
LANGUAGE_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
VISION_LAYERS = ("qkv", "proj", "fc1", "fc2")
# What changed the base model by chance or by data before it was trained on; PiSSA and OLoRA, which
# follow from the base alone, load as in plain peft.
NOT_AGAIN = ("pissa_niter", "corda", "loftq", "lora_ga")
# A key of rank_pattern or alpha_pattern: peft matches it as a regular expression with the name of
# every module, and some never end.
PLAIN_NAME = re.compile(r"\^?[\w.]+")
LORA_TARGETS: dict[
    str, dict[str, tuple[str, ...]]
] = {  # where in the model, and the linear layers there
    "decoder": {"language_model.decoder": LANGUAGE_LAYERS},
    "language": {"language_model": LANGUAGE_LAYERS},
    "all": {"language_model": LANGUAGE_LAYERS, "vision_tower": VISION_LAYERS},
}


def read_adapter_config(folder: Path | str) -> dict:
    """Return the peft configuration in an adapter folder; raises `FlagError` if it is none."""
    path = Path(folder)
    if not (path / "adapter_config.json").is_file():
        kind = "holds no adapter_config.json" if path.is_dir() else "no such folder"
        raise FlagError(
            f"§lora_path {folder}: {kind}; name a folder that finetune_florence.py made"
        )
    if not (path / "adapter_model.safetensors").is_file():
        raise FlagError(f"§lora_path {folder}: no adapter_model.safetensors (pickle is not read)")
    config = read_json(path / "adapter_config.json")
    if problem := adapter_problem(config):
        raise ModelError(f"§lora_path {folder}: adapter_config.json {problem}")
    return config


def adapter_problem(config: dict) -> str | None:
    """Return why an adapter's configuration cannot be used, in words that follow it, or None."""
    if config.get("peft_type") != "LORA":
        return f"has peft_type {config.get('peft_type')}, which is not LORA"
    init = str(config.get("init_lora_weights", True))
    if init.startswith(NOT_AGAIN):
        return f"has init_lora_weights {init}: peft cannot find its base again; convert it to LORA"
    patterns = [config.get(name) or {} for name in ("rank_pattern", "alpha_pattern")]
    if not all(isinstance(pattern, dict) for pattern in patterns):
        return "has a rank_pattern or alpha_pattern that is no JSON object"
    if odd := next((key for p in patterns for key in p if not PLAIN_NAME.fullmatch(key)), None):
        return f"has the pattern {odd[:40]!r}: the name of a module, or its end, must stand there"
    scales = [config.get("lora_alpha"), *patterns[1].values()]
    ranks = [config.get("r"), *patterns[0].values()]
    if not all(type(rank) is int and rank > 0 for rank in ranks):
        return "has an r that is no whole number above zero"
    if not all(type(s) in (int, float) and abs(s) < math.inf for s in scales):
        return "has a lora_alpha that is no finite number"
    return None


def base_model(model: str | None, lora_path: str | Path | None) -> str:
    """Return the model asked for, else the one the adapter was trained on, else the default."""
    if model is None and lora_path is not None:
        model = read_adapter_config(lora_path).get("base_model_name_or_path")
    return folder_of(str(model or DEFAULT_MODEL))


def base_folder(model: str | None, lora_path: str | Path | None, revision: str | None) -> Path:
    """Return the folder of the model that reads, fetched where it is not here."""
    name = base_model(model, lora_path)
    return fetch_model(name, base_revision(name, revision, lora_path))


def base_revision(
    base: str, revision: str | None = None, lora_path: str | Path | None = None
) -> str | None:
    """Return the revision asked for, else that of an adapter trained on `base`, else the pinned."""
    if revision is None and lora_path is not None:
        config = read_adapter_config(lora_path)
        if config.get("base_model_name_or_path") == base:
            revision = config.get("revision")
    return revision or PINS.get(base)


@dataclass(frozen=True)
class Base:
    """Which model an adapter is trained on, or reads with."""

    model: str  # an id of the hub's, or a folder
    revision: str | None  # the commit, of an id
    weights: str  # their SHA-256

    @classmethod
    def at(cls, model: str, folder: Path) -> Base:
        """Return the model with this name, whose files are in this folder."""
        name = str(Path(model).resolve()) if Path(model).is_dir() else model
        return cls(name, commit_of(folder), weights_digest(folder))

    def __str__(self) -> str:
        name = relative_path(Path(self.model)) if Path(self.model).is_dir() else self.model
        at = f" at {self.revision[:12]}" if self.revision else ""
        return f"{name}{at} ({self.weights[:12]})"


def describe_model(model: str | None, lora_path: str | None, revision: str | None = None) -> str:
    """Return which model and adapter read, the same for the same weights of both.

    The model is fetched where it is not here. Raises `ModelError` where it cannot be had.
    """
    name = base_model(model, lora_path)
    base = Base.at(name, base_folder(model, lora_path, revision))
    if lora_path is None:
        return f"model {base}, no adapter"
    weights = (Path(lora_path) / "adapter_model.safetensors").read_bytes()
    return f"model {base}, adapter {relative_path(Path(lora_path))} ({digest(weights)})"


def warn_of_other_base(lora_path: Path | str, base: Base) -> None:
    """Say in one line that an adapter reads with another model than the one it was trained on."""
    path = Path(lora_path) / BASE_FILE
    if not path.is_file():
        return
    known = {"model": "?", "revision": None, "weights": "?"} | read_json(path)
    trained = Base(*(known[name] for name in ("model", "revision", "weights")))
    moved = base.revision and trained.revision and base.revision != trained.revision
    if moved or base.weights != trained.weights:
        log.warning(f"adapter {lora_path} was trained on {trained}, and reads with {base}")


def attach_adapter(model: Florence2ForConditionalGeneration, lora_path: Path | str) -> PeftModel:
    """Return `model` with the LoRA adapter in a folder; raises `ModelError`.

    Adapters trained on Microsoft's remote code have their tensors renamed. The modules to adapt are
    those the tensors name, so a tensor that finds no place cannot go unseen.
    """
    from peft import PeftConfig, PeftModel, set_peft_model_state_dict
    from safetensors.torch import load_file

    head = "base_model.model."
    read_adapter_config(lora_path)
    with loading(f"adapter {lora_path}"):
        saved = load_file(Path(lora_path) / "adapter_model.safetensors")
        require_finite(saved.items(), f"adapter {lora_path}")
        tensors = {rename_microsoft(name.removeprefix(head)): t for name, t in saved.items()}
        adapted = {name: name.split(".lora_")[0] for name in tensors if ".lora_" in name}
        modules = dict(model.named_modules())
        homeless = [name for name, module in adapted.items() if module not in modules]
        config = PeftConfig.from_pretrained(lora_path)
        config.inference_mode, config.target_modules = True, sorted(set(adapted.values()))
        config.exclude_modules = config.layers_to_transform = None
        if not homeless:
            require_sizes(config, modules, tensors, lora_path)
            network = PeftModel(model, config)
            rows = len(model.get_output_embeddings().weight)
            state = {head + name: grown(name, tensor, rows) for name, tensor in tensors.items()}
            result = set_peft_model_state_dict(network, state)
            homeless = result.unexpected_keys
    if homeless:
        raise ModelError(f"adapter {lora_path}: the model has no place for {homeless[0]}")
    if lacking := [name for name in result.missing_keys if ".lora_" in name]:
        raise ModelError(f"adapter {lora_path} lacks {lacking[0]}")
    return network


def require_sizes(
    config: PeftConfig,
    modules: dict[str, torch.nn.Module],
    tensors: dict[str, torch.Tensor],
    lora_path: Path | str,
) -> None:
    """Raise `ModelError` for an adapter of another model's size, or not of its own rank.

    Told before it is made: a rank of a million takes all memory there is.
    """
    from peft.utils.other import get_pattern_key

    ranks = config.rank_pattern or {}
    for name, tensor in tensors.items():
        module, _, kind = name.partition(".lora_")
        if kind != "A.weight":
            continue
        rank = ranks.get(get_pattern_key(ranks, module), config.r)
        if len(tensor) != rank:
            raise ModelError(
                f"adapter {lora_path} is damaged: {module} has rank {len(tensor)}, and "
                f"adapter_config.json says {rank}"
            )
        inputs = modules[module].weight.shape[1]
        if tensor.shape[1] != inputs:
            raise ModelError(
                f"adapter {lora_path} is for a model of another size: {module} takes "
                f"{tensor.shape[1]} values there and {inputs} here; give the §model that it was "
                "trained on"
            )


def grown(name: str, tensor: torch.Tensor, rows: int) -> torch.Tensor:
    """Return an adapter's tensor; one with a row for each word gets zero rows for what we added."""
    import torch

    per_word = name in (EMBEDDING, "lm_head.base_layer.weight", "lm_head.lora_B.weight")
    if not per_word or len(tensor) >= rows:
        return tensor
    return torch.cat([tensor, tensor.new_zeros(rows - len(tensor), *tensor.shape[1:])])


def merge_adapter(model: PeftModel) -> Florence2ForConditionalGeneration | PeftModel:
    """Return the model with its adapter added to the weights: reading takes no second product.

    One that adapts the words stays as it is, since input and output share these weights.
    """
    adapted = {name.rpartition(".lora_")[0] for name, _ in model.named_parameters()}
    if any(name.endswith(("lm_head", "shared", "embed_tokens")) for name in adapted):
        return model
    return model.merge_and_unload()


def add_lora(
    model: Florence2ForConditionalGeneration, base: Base, options: TrainingOptions
) -> PeftModel:
    """Return the model with a fresh adapter, all else frozen; print how many modules it hits.

    Raises `UserError` where a target hits none.
    """
    from peft import LoraConfig, get_peft_model

    places, names = LORA_TARGETS[options.lora_targets], [name for name, _ in model.named_modules()]
    patterns = {where: re.escape(f"model.{where}.") + r".*\b(?:%s)" for where in places}
    for where, layers in places.items():
        hits = {x: sum(bool(re.fullmatch(patterns[where] % x, n)) for n in names) for x in layers}
        log.info(
            f"LoRA on {where}: " + ", ".join(f"{count} {layer}" for layer, count in hits.items())
        )
        if missed := [layer for layer, count in hits.items() if not count]:
            raise UserError(f"LoRA target {missed[0]} matches no module of {where}")
    config = LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.lora_alpha,
        lora_dropout=options.lora_dropout,
        target_modules="|".join(patterns[where] % "|".join(places[where]) for where in places),
    )
    model.name_or_path = base.model  # is recorded
    adapted = get_peft_model(model, config, revision=base.revision)
    trainable, total = adapted.get_nb_trainable_parameters()
    log.info(f"trainable parameters: {trainable:,} of {total:,} ({100 * trainable / total:.2f} %)")
    return adapted


def train_mode(model: PeftModel) -> None:
    """Put LoRA's own dropout in training mode, and all that is frozen in eval mode."""
    from peft.tuners.lora import LoraLayer

    model.eval()
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.lora_dropout.train()


def save_adapter(model: PeftModel, folder: Path, base: Base) -> None:
    """Write the adapter beside its place, then rename file by file; and what it is trained on.

    A crash never leaves weights beside the configuration of others: better none, which is seen.
    """
    saving, config = folder / SAVING, "adapter_config.json"
    model.save_pretrained(saving, save_embedding_layers=False)  # else it asks the hub
    (saving / BASE_FILE).write_text(json.dumps(asdict(base), indent=2), encoding="utf-8")
    (saving / "README.md").unlink(missing_ok=True)  # peft's empty model card
    if (folder / config).exists() and (folder / config).read_bytes() != (
        saving / config
    ).read_bytes():
        (folder / config).unlink()
    for file in sorted(saving.iterdir(), key=lambda file: (file.name == config, file.name)):
        file.replace(folder / file.name)
    saving.rmdir()
