"""Which process this is, of those that `accelerate launch` started."""

from __future__ import annotations

import os


def process_count() -> int:
    """Return how many processes `accelerate launch` has started, on all machines; else 1."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Tell whether this is the only process, or the first that `accelerate launch` started."""
    return os.environ.get("RANK", "0") == "0"
