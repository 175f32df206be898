"""What a model's folder must hold before anything of it is loaded."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import shorten

from containers.command_line import say
from containers.errors import FlagError, ModelError, one_line


def read_json(path: Path) -> dict:
    """Return a checkpoint's JSON file; raises `ModelError`."""
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"cannot read {path}: {error}") from None
    if not isinstance(value, dict):
        raise ModelError(f"cannot read {path}: not a JSON object")
    return value


def read_model_config(folder: Path) -> dict:
    """Return the configuration of a Florence-2 folder; raises `FlagError` if it is none."""
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise FlagError(f"--model {folder} holds an adapter: pass it with --lora_path")
    if not (folder / "config.json").is_file():
        raise FlagError(f"--model {folder}: no config.json in it; name a Florence-2 folder")
    config = read_json(folder / "config.json")
    if config.get("model_type") != "florence2":
        raise FlagError(f"--model {folder} is a {config.get('model_type')} model, not Florence-2")
    if not weight_files(folder):
        raise FlagError(f"--model {folder}: no model.safetensors in it (pickle is not read)")
    return config


def weight_files(folder: Path) -> list[Path]:
    """Return a model folder's safetensors: the one file, or its shards."""
    whole = folder / "model.safetensors"
    return [whole] if whole.is_file() else sorted(folder.glob("model-*.safetensors"))


def fetch_model(model: str) -> Path:
    """Return the folder of a model, downloading an id once; raises `ModelError` if that fails."""
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download

    say(f"model: {model}, from the hub or its cache on this machine")
    try:
        return Path(snapshot_download(model, allow_patterns=["*.json", "*.txt", "*.safetensors"]))
    except Exception as error:  # the hub's errors have no common class
        reason = shorten(str(error), 120, placeholder=" ...") or type(error).__name__
        raise ModelError(
            f"{model} is no folder here and cannot be fetched ({reason}); copy the model's folder "
            "from a machine with a network and pass --model FOLDER"
        ) from None


@contextlib.contextmanager
def loading(source: Path | str) -> Iterator[None]:
    """Turn what a damaged checkpoint makes the libraries raise into a `ModelError`."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"cannot load {source}: {one_line(error)[:300]}") from None
