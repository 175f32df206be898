"""Where on a photo the model looks while it writes a number: a point for each character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from containers.photo.windows import Point
from florence.attention import watching_gaze
from florence.encoding import from_encoded
from florence.inputs import input_size

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import DynamicCache, Florence2ForConditionalGeneration, Florence2Processor


def find_letters(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    encoded: DynamicCache,
    numbers: Sequence[str],
) -> list[list[Point]]:
    """Return where the decoder looks on each photo for each character of a number, spaces none.

    `numbers` are as painted, one for each photo. A point is in shares of the photo's width and
    height: the peak of the cross-attention of the character's token, averaged over the heads of
    the upper half of the layers.
    """
    import torch

    answers = processor.tokenizer(list(numbers), padding=True, return_tensors="pt")
    written = answers["input_ids"].to(model.device)
    first = torch.full_like(written[:, :1], model.config.text_config.decoder_start_token_id)
    with watching_gaze() as seen:
        model(
            **from_encoded(model, encoded, len(numbers)),
            decoder_input_ids=torch.cat([first, written[:, :-1]], 1),
        )
    width, height = input_size(processor)
    cells = processor.num_image_tokens - 1  # the first token is the photo's mean
    columns = round((cells * width / height) ** 0.5)
    looks = torch.stack(seen[len(seen) // 2 :]).float().mean((0, 2))[..., 1 : 1 + cells]
    looks = looks.unflatten(-1, (-1, columns))
    peaks = peaks_of(looks).cpu().tolist()
    places = []
    for tokens, points in zip(written.tolist(), peaks):
        texts = [processor.tokenizer.decode([t], skip_special_tokens=True) for t in tokens]
        pairs = zip(texts, points)
        places.append([tuple(point) for text, point in pairs for _ in text.replace(" ", "")])
    return places


def peaks_of(looks: torch.Tensor) -> torch.Tensor:
    """Return the peaks of maps, (..., rows, columns), as (..., 2): shares of width and height.

    A peak is the mean of the cells round the highest one, each counting by its height.
    """
    import torch

    rows, columns = looks.shape[-2:]
    highest = looks.flatten(-2).argmax(-1)[..., None, None]
    y = torch.arange(rows, device=looks.device)[:, None]
    x = torch.arange(columns, device=looks.device)
    near = ((y - highest // columns).abs() <= 1) & ((x - highest % columns).abs() <= 1)
    weights = looks * near
    total = weights.sum((-1, -2))
    points = [((axis + 0.5) * weights).sum((-1, -2)) / total for axis in (x, y)]
    return torch.stack(points, -1) / torch.tensor([columns, rows], device=looks.device)
