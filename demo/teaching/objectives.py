"""The losses: of the text, and of two helpers that use the place of every letter.

`letters` is a linear head that names the character in each cell of the vision tower's last feature
map. `gaze` is the cross-entropy between where the decoder's last cross-attention looks, averaged
over its heads, and the place of the character that it is to write next. What is too small to be
read hardly counts as text; there the gaze counts, which is how the model learns to find a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from einops import rearrange

from demo.teaching.lessons import CHARACTERS, COLUMNS, ROWS, UNKNOWN

if TYPE_CHECKING:
    import torch
    from transformers import Florence2ForConditionalGeneration

UNCLEAR_TEXT = 0.05  # weight of a text that cannot be read
CLEAR_GAZE = 0.4  # weight of the gaze where the text can be read; where not, it is 1
EMPTY_CELL = 0.1  # weight of a cell without a letter: most are


def text_loss_and_gaze(
    model: Florence2ForConditionalGeneration, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the loss of the text, that of the gaze, and the vision tower's last feature map.

    What cannot be read hardly counts as text; there it counts where the model looks.
    """
    import torch

    keep = {}
    tower = model.model.vision_tower
    hook = tower.register_forward_hook(lambda _, __, output: keep.update(output))
    outputs = model(
        **{name: batch[name] for name in ("input_ids", "attention_mask", "pixel_values", "labels")},
        output_attentions=True,
    )
    hook.remove()
    clear, labels = batch["clear"], batch["labels"]
    each = torch.nn.functional.cross_entropy(
        outputs.logits.float().mT, labels, reduction="none", ignore_index=-100
    )
    weight = (labels != -100) * (UNCLEAR_TEXT + (1 - UNCLEAR_TEXT) * clear)[:, None]
    text = (each * weight).sum() / weight.sum()
    looks = outputs.cross_attentions[-1].float().mean(1)[..., 1 : 1 + ROWS * COLUMNS]
    seen = ~batch["places"].isnan().any(-1)
    grid = torch.stack(
        torch.meshgrid(torch.arange(COLUMNS) + 0.5, torch.arange(ROWS) + 0.5, indexing="xy"), -1
    ).to(looks.device)
    apart = batch["places"][seen][:, None] - rearrange(grid, "row column xy -> (row column) xy")
    target = (-apart.square().sum(-1)).softmax(-1)  # a Gaussian of 0.7 cells
    gaze = -(target * (looks[seen] + 1e-6).log()).sum(-1)
    weight = (1 + (CLEAR_GAZE - 1) * clear)[:, None].expand(seen.shape)[seen]
    return text, (gaze * weight).sum() / seen.sum().clamp(min=1), keep["last_hidden_state"]


def losses(
    model: Florence2ForConditionalGeneration,
    head: torch.nn.Linear,
    batch: dict[str, torch.Tensor],
    reads: bool,
) -> dict[str, torch.Tensor]:
    """Return the loss of the letters in the cells and, where the model reads, text and gaze."""
    import torch

    result = {}
    if reads:
        result["text"], result["gaze"], features = text_loss_and_gaze(model, batch)
    else:
        features = model.model.vision_tower(batch["pixel_values"]).last_hidden_state
    logits = head(rearrange(features, "batch width row column -> batch row column width"))
    weight = torch.ones(len(CHARACTERS), device=logits.device)
    weight[0] = EMPTY_CELL
    logits = rearrange(logits.float(), "batch row column letter -> batch letter row column")
    result["letters"] = torch.nn.functional.cross_entropy(
        logits, batch["cells"], weight, ignore_index=UNKNOWN
    )
    filled = batch["cells"] > 0
    result["letters_right"] = (logits.argmax(1) == batch["cells"])[filled].float().mean()
    return result
