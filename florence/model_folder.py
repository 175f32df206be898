"""What a model's folder must hold before anything of it is loaded."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from containers.basis.errors import FlagError, ModelError, UserError, one_line
from containers.basis.files import read_file
from florence.devices import is_out_of_memory

if TYPE_CHECKING:
    import torch


# Files that a model needs beside its weights, each in one of several ways.
WORDS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
RECIPE = (("preprocessor_config.json",), ("processor_config.json",))
OBJECTS = {
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "special_tokens_map.json"),
    *("preprocessor_config.json", "processor_config.json", "generation_config.json"),
}


def read_json(path: Path) -> dict:
    """Return a checkpoint's JSON file; raises `ModelError`."""
    try:
        value = json.loads(read_file(path).decode("utf-8-sig"), parse_constant=refuse)
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelError(f"cannot read {path}: {reason}") from None
    if not isinstance(value, dict):
        raise ModelError(f"cannot read {path}: not a JSON object")
    return value


def refuse(constant: str) -> NoReturn:
    """Raise ValueError for NaN or Infinity, which are no JSON and no setting of any model."""
    raise ValueError(f"{constant} stands in it")


def read_model_config(folder: Path) -> dict:
    """Return the configuration of a Florence-2 folder; raises `FlagError` if it is none."""
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise FlagError(f"§model {folder} holds an adapter: pass it with §lora_path")
    if not (folder / "config.json").is_file():
        raise FlagError(f"§model {folder}: no config.json in it; name a Florence-2 folder")
    config = read_json(folder / "config.json")
    if config.get("model_type") != "florence2":
        raise FlagError(f"§model {folder} is a {config.get('model_type')} model, not Florence-2")
    if not weight_files(folder):
        raise FlagError(f"§model {folder}: no model.safetensors in it (pickle is not read)")
    require_whole(folder, config)
    return config


def require_whole(folder: Path, config: dict) -> None:
    """Raise `FlagError` where a Florence-2 folder lacks files, `ModelError` where one is damaged.

    Without its words a model would still load, and read nothing.
    """
    for part in ("text_config", "vision_config"):
        if not isinstance(config.get(part), dict):
            raise ModelError(f"{folder / 'config.json'} is damaged: {part} is no JSON object")
    for ways in (WORDS, RECIPE):
        if not any(all((folder / name).is_file() for name in way) for way in ways):
            raise FlagError(f"§model {folder}: no {ways[0][0]} in it; copy the whole folder again")
    for path in folder.glob("*.json"):
        if path.name in OBJECTS:
            read_json(path)


def weight_files(folder: Path) -> list[Path]:
    """Return a model folder's safetensors: the one file, or its shards."""
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))


def weights_digest(folder: Path) -> str:
    """Return the SHA-256 of a model's weights: of the one file, or of its shards' own ones."""
    digests = [file_digest(path) for path in weight_files(folder)]
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def read_shapes(folder: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor in the safetensors of a model folder, by their headers alone.

    Raises `ModelError` where one is damaged.
    """
    shapes: dict[str, list[int]] = {}
    for path in weight_files(folder):
        with loading(path):
            shapes |= header_shapes(path)
    return shapes


def header_shapes(path: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor in a file of safetensors; raises whatever a damaged one does.

    A header longer than its file is not asked for.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > path.stat().st_size:
            raise ValueError("it is cut off")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {name: list(map(int, tensor["shape"])) for name, tensor in header.items()}


def count_weights(folder: Path) -> int:
    """Return how many weights the safetensors of a model folder hold; raises `ModelError`."""
    return sum(map(math.prod, read_shapes(folder).values()))


@functools.cache
def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file; in the hub's cache it is the name of what the link leads to.

    So a large model that came from the hub is not read through at each start.
    """
    name = path.resolve().name
    if path.is_symlink() and re.fullmatch("[0-9a-f]{64}", name):
        return name
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def loading(source: Path | str, doing: str = "load") -> Iterator[None]:
    """Turn what a damaged checkpoint makes the libraries raise into a `ModelError`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever they meet: they trust what they read
        if is_out_of_memory(error):
            raise
        kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
        reason = one_line(f"{kind}{error}")[:300]
        problem = f"cannot {doing} {source}, it is damaged or incomplete: {reason}"
        raise ModelError(problem) from error


def require_finite(tensors: Iterable[tuple[str, torch.Tensor]], source: Path | str) -> None:
    """Raise `ModelError` where a tensor holds NaN or infinity: it would read nothing, silently."""
    for name, tensor in tensors:
        if tensor.numel() and not all(map(math.isfinite, map(float, tensor.detach().aminmax()))):
            kind = str(tensor.dtype).removeprefix("torch.")
            raise ModelError(
                f"cannot use {source}: {name} holds NaN or infinity in {kind}; copy it again, or "
                f"pass §dtype fp32"
            )
