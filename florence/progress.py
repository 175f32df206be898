"""How far a training is: its epochs, which was best, and whether it still gets better."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Progress:
    """How far the training is: kept in the checkpoint as JSON."""

    epoch: int = 0  # epochs done
    step: int = 0  # optimizer steps done
    history: list[dict] = field(default_factory=list)

    @property
    def best(self) -> dict:
        """Return the record of the epoch with the lowest validation loss."""
        return min(self.history, key=lambda record: record["eval_loss"])

    def rising(self) -> int:
        """Return for how many epochs, up to the last, the validation loss has risen."""
        losses = [record["eval_loss"] for record in self.history]
        pairs = zip(reversed(losses), reversed(losses[:-1]))
        return next((i for i, (now, before) in enumerate(pairs) if now <= before), len(losses) - 1)
