"""Where the figures of a training go beside the log: to whatever accelerate can report to."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from containers.basis.errors import FlagError, UserError, one_line
from containers.basis.talk import log

if TYPE_CHECKING:
    from accelerate import Accelerator

PROJECT = "container-numbers"  # the name under which a tracker shows the runs
TRACKERS = (  # by accelerate's names, which are those of their packages
    *("aim", "clearml", "comet_ml", "dvclive", "mlflow", "swanlab", "tensorboard", "trackio"),
    "wandb",
)


def require_tracker(name: str | None) -> None:
    """Raise `FlagError` for a tracker that is not installed: accelerate would report nothing."""
    if name is not None and find_spec(name) is None:
        raise FlagError(f"§report_to {name} is not installed here: pip install {name}")


def start_tracker(accelerator: Accelerator, name: str | None, settings: dict) -> None:
    """Have the run's settings reported, if anything shall be; raises `UserError`."""
    if name:
        try:
            accelerator.init_trackers(PROJECT, settings)
        except Exception as error:  # whatever a tracker of others raises: no account, no network
            raise UserError(f"§report_to {name}: {one_line(error)[:200]}") from None


def track(accelerator: Accelerator, name: str | None, record: dict[str, float]) -> None:
    """Report an epoch; a tracker that fails is said, and stops no training."""
    try:
        accelerator.log(record, step=record["epoch"])
    except Exception as error:
        log.warning(f"§report_to {name}: {one_line(error)[:200]}")
