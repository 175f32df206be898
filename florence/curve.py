"""The curve of a training as a picture: losses, numbers read right, and the epoch that is kept."""

from __future__ import annotations

import logging
from pathlib import Path

from containers.basis.files import replacing
from containers.pages.charts import COLOURS
from florence.progress import Progress

RATES = {"exact_match": "whole numbers", "check_digit_rate": "check digits that fit"}
LOSSES = {"train_loss": "training", "eval_loss": "validation"}


def draw_curve(path: Path, progress: Progress) -> None:
    """Draw the epochs into a PNG, whole or not at all; raises `UserError` on a full disk."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # its cache of fonts is no news
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    matplotlib.rcdefaults()  # whatever style the user draws in
    history, best = progress.history, progress.best
    epochs = [record["epoch"] for record in history]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    sides = figure.subplots(1, 2)
    for axes, title, lines in zip(sides, ("loss", "read right"), (LOSSES, RATES)):
        for (key, name), colour in zip(
            lines.items(), COLOURS if axes is sides[0] else COLOURS[::-1]
        ):
            values = [record[key] for record in history]
            axes.plot(epochs, values, "o-", color=colour, label=name, markersize=4)
        axes.axvline(best["epoch"], color="#b4540a", linestyle="--", linewidth=1.5)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
        axes.legend(frameon=False)
    sides[0].set_ylim(bottom=0)
    sides[1].set_ylim(-0.03, 1.03)
    sides[1].yaxis.set_major_formatter(PercentFormatter(1))
    figure.suptitle(f"kept: epoch {best['epoch']} of {epochs[-1]}", color="#b4540a", fontsize=10)
    with replacing(path) as file:
        figure.savefig(file.buffer, format="png", dpi=110)
