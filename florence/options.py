"""How an adapter is trained: all that can be chosen, with what it means and where it begins."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from florence.names import DEFAULT_MODEL
from florence.trackers import TRACKERS

VIEWS = 4  # of each photo, where they are varied


def option(default: Any, doc: str, free: bool = False) -> Any:
    """Return a field with a line on what it means.

    `free` are those that a resumed run may change: they leave the curve as it is.
    """
    return field(default=default, metadata={"doc": doc, "free": free})


@dataclass(frozen=True)
class TrainingOptions:
    """What a training does; the defaults are the guide's."""

    train: str = option("dataset/train.json", "photos to learn")
    val: str = option("dataset/val.json", "photos to validate on")
    output: str = option("./florence-container-lora", "the adapter's folder", free=True)
    epochs: int = option(10, "passes over the photos")
    batch_size: int = option(2, "photos per step")
    lr: float = option(1e-4, "highest learning rate")
    model: str | None = option(None, f"hub id or folder of a Florence-2 (default: {DEFAULT_MODEL})")
    finder: str | None = option(None, "what finds the number on each photo")
    revision: str | None = option(None, "commit or branch of a hub id")
    device: str = option("auto", "auto takes the first that is there", free=True)
    dtype: str = option("auto", "auto goes by the device")
    lora_targets: str = option("language", "where the model adapts")
    lora_rank: int = option(16, "the adapter's size")
    lora_alpha: float = option(32, "the adapter counts alpha / rank times")
    lora_dropout: float = option(0.05, "share of its inputs left out")
    gradient_accumulation: int = option(1, "batches per step")
    augment: bool = option(False, f"vary the training photos, each in {VIEWS} views")
    views: int | None = option(
        None, "so many views of each photo, one an epoch in turn (default: 1, as it is)"
    )
    cache: bool = option(True, "keep what frozen layers make of a photo (default: yes)", free=True)
    looks: int | None = option(
        None,
        "learn what so many looks at a photo, nearer each time, show of its label; 1: all of it "
        "(default: by model and device)",
    )
    patience: int = option(3, "epochs of rising loss before stopping", free=True)
    max_steps: int | None = option(None, "stop after so many steps")
    seed: int = option(0, "same seed, same curve")
    report_to: str | None = option(
        None, f"also report each epoch to one of: {', '.join(TRACKERS)}", free=True
    )
    resume: bool = option(False, "go on from the last checkpoint of the same output", free=True)
    overwrite: bool = option(False, "replace the adapter that another run left there", free=True)


OPTIONS = {each.name: each for each in fields(TrainingOptions)}
FREE_ON_RESUME = {name for name, each in OPTIONS.items() if each.metadata["free"]}
