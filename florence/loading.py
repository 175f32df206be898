"""Load a Florence-2 from either published layout, with or without an adapter."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import FlagError, ModelError
from florence.adapter import (
    Base,
    attach_adapter,
    base_model,
    base_revision,
    merge_adapter,
    read_adapter_config,
    warn_of_other_base,
)
from florence.attention import register_attention
from florence.devices import (
    choose_device,
    choose_dtype,
    choose_looks,
    drivers_present,
    find_device,
    require_device,
    set_up_torch,
)
from florence.hub import fetch_model
from florence.inputs import prepare_inputs
from florence.microsoft import (
    EMBEDDING,
    is_microsoft,
    microsoft_config,
    microsoft_processor,
    microsoft_weights,
)
from florence.model_folder import count_weights, loading, read_model_config, require_finite
from florence.names import DEFAULT_MODEL, DTYPES
from florence.sizes import require_fitting
from florence.threads import SMALL_MODEL

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import Florence2ForConditionalGeneration, Florence2Processor

NEEDED = ("decoder_start_token_id", "eos_token_id", "pad_token_id")
FORCED = ("bos_token_id", "forced_bos_token_id", "forced_eos_token_id")


def require_model(
    model: str | None, lora_path: str | None, device: str, revision: str | None = None
) -> None:
    """Raise `FlagError` for a model, adapter or device that is not there; needs no torch."""
    require_device(device, drivers_present())
    if lora_path is not None:
        read_adapter_config(lora_path)
    source = base_model(model, lora_path)
    if Path(source).is_dir():
        require_fitting(Path(source), read_model_config(Path(source)))
        if revision is not None:
            raise FlagError(f"§revision {revision} is for a hub id; §model {source} is a folder")
    elif Path(source).exists() or not re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", source):
        whose = f", the base of adapter {lora_path}," if lora_path and not model else ""
        raise FlagError(
            f"§model {source}{whose} is neither a folder nor an id like {DEFAULT_MODEL}; pass "
            f"§model FOLDER"
        )


def looks_for(folder: Path, device: str) -> int:
    """Return how often a model that is not loaded yet looks at a photo at most; print why."""
    weights = count_weights(folder)
    return choose_looks(weights, device if weights < SMALL_MODEL else find_device(device))


def load_checkpoint(
    folder: Path, dtype: str
) -> tuple[Florence2ForConditionalGeneration, Florence2Processor]:
    """Return model and processor from a folder in either layout; raises `ModelError`.

    Every weight must come from the folder's safetensors: a tensor missing, left over or of another
    shape is an error, where transformers would draw it at random.
    """
    import torch
    from transformers import Florence2Config, Florence2ForConditionalGeneration, Florence2Processor
    from transformers.utils import logging

    set_up_torch()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", module="transformers|peft")
    raw, state = read_model_config(folder), None
    require_fitting(folder, raw)
    with loading(folder):
        if is_microsoft(folder):
            processor = microsoft_processor(folder)
            image_token_id = processor.tokenizer.image_token_id
            state = microsoft_weights(folder, image_token_id)
            config = microsoft_config(raw, len(state[EMBEDDING]), image_token_id)
        else:
            processor = Florence2Processor.from_pretrained(folder)
            config = Florence2Config.from_pretrained(folder)
        model, info = Florence2ForConditionalGeneration.from_pretrained(
            folder if state is None else None,
            config=config,
            state_dict=state,
            dtype=getattr(torch, DTYPES[dtype]),
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported, and refused below by name
        )
    for problem, names in info.items():
        if names:
            raise ModelError(f"cannot load {folder}: {problem.replace('_', ' ')}: {min(names)}")
    require_finite(model.named_parameters(), folder)
    with loading(folder):
        require_words(model, processor)
    if config.image_token_id != processor.tokenizer.image_token_id:
        raise ModelError(
            f"cannot use {folder}: image_token_id is {config.image_token_id} in config.json and "
            f"{processor.tokenizer.image_token_id} among its words; copy the folder again"
        )
    register_attention(model)
    return model, processor


def require_words(model: Florence2ForConditionalGeneration, processor: Florence2Processor) -> None:
    """Raise ValueError, or what the libraries raise, where the words are not the model's.

    The prompt for a blank photo shows whether the processor can do its work at all; and of
    generation_config.json nothing but the words is taken.
    """
    from PIL import Image
    from transformers import GenerationConfig

    inputs = prepare_inputs(processor, [Image.new("RGB", (1, 1))], ["A"])
    words = {name: getattr(model.generation_config, name) for name in (*NEEDED, *FORCED)}
    model.generation_config = GenerationConfig(**words)
    words |= {f"{name} of text_config": getattr(model.config.text_config, name) for name in NEEDED}
    words |= {"a word of the prompt": int(inputs["input_ids"].max())}
    rows = model.get_input_embeddings().num_embeddings
    for name, word in words.items():
        missing = word is None and name in FORCED
        if not missing and not (type(word) is int and 0 <= word < rows):
            raise ValueError(f"{name} is {word}, and there are {rows} words")


def load_model(
    model: str | Path,
    lora_path: str | Path | None = None,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
) -> tuple[Florence2ForConditionalGeneration | PeftModel, Florence2Processor]:
    """Return (model, processor), native classes in eval mode, from a hub id or a folder.

    Both published layouts load, from safetensors only and without remote code; an adapter is merged
    into the weights. `revision` is a commit or branch of an id; without one it is the adapter's,
    else the one that is pinned, or main. Raises `FlagError` for a device or folder that is not
    there, `ModelError` for one that cannot be used.
    """
    model = str(model)
    folder = fetch_model(model, base_revision(model, revision, lora_path))
    device = choose_device(device)
    network, processor = load_checkpoint(folder, choose_dtype(dtype, device))
    if lora_path is not None:
        warn_of_other_base(lora_path, Base.at(model, folder))
        with loading(f"adapter {lora_path}"):  # some kinds cannot be merged
            network = merge_adapter(attach_adapter(network, lora_path))
        require_finite(network.named_parameters(), f"adapter {lora_path} on {model}")
    return network.to(device).eval(), processor
