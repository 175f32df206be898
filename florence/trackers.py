"""Where the figures of a training go beside the log: to whatever accelerate can report to."""

from __future__ import annotations

from importlib.util import find_spec

from containers.errors import FlagError

TRACKERS = (  # by accelerate's names, which are those of their packages
    *("aim", "clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "tensorboard", "trackio"),
    "wandb",
)


def require_tracker(name: str | None) -> None:
    """Raise `FlagError` for a tracker that is not installed: accelerate would report nothing."""
    if name is not None and find_spec(name) is None:
        raise FlagError(f"--report_to {name} is not installed here: pip install {name}")
