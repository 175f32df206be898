"""Where on a photo the model looks while it writes a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from containers.places import Box
from florence.decoding import from_memory
from florence.inputs import input_size

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import DynamicCache, Florence2ForConditionalGeneration, Florence2Processor


def find_places(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    photos: DynamicCache,
    numbers: Sequence[str],
) -> list[Box]:
    """Return where the decoder looks on each photo while it writes this number.

    That is the cross-attention of the number's tokens, averaged over the heads of the upper half of
    the layers: the box between the 5th and the 95th percentile of what is above twice the mean.
    """
    import torch

    answers = processor.tokenizer(list(numbers), padding=True, return_tensors="pt")
    written = answers["input_ids"].to(model.device)
    first = torch.full_like(written[:, :1], model.config.text_config.decoder_start_token_id)
    decoder = model.get_decoder()
    decoder.set_attn_implementation("eager")  # the only one that tells where it looks
    try:
        seen = model(
            **from_memory(model, photos, len(numbers)),
            decoder_input_ids=torch.cat([first, written[:, :-1]], 1),
            output_attentions=True,
        ).cross_attentions
    finally:
        decoder.set_attn_implementation("share_photos")
    width, height = input_size(processor)
    cells = processor.num_image_tokens - 1  # the first token is the photo's mean
    columns = round((cells * width / height) ** 0.5)
    special = torch.tensor(processor.tokenizer.all_special_ids, device=model.device)
    weight = (~torch.isin(written, special)).float()
    looks = torch.stack(seen[len(seen) // 2 :]).float().mean((0, 2))[..., 1 : 1 + cells]
    looks = (looks * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
    looks = (looks - 2 * looks.mean(-1, keepdim=True)).clamp(min=0) + 1e-9
    return [box_of(look.reshape(-1, columns)) for look in looks.cpu()]


def box_of(looks: torch.Tensor) -> Box:
    """Return the box that holds the inner 90 % of what is looked at, (rows, columns), each way."""
    import torch

    edges = []
    for axis in (0, 1):
        share = looks.sum(axis).cumsum(0) / looks.sum()
        start, end = torch.searchsorted(share, torch.tensor([0.05, 0.95])).tolist()
        edges.append((start / len(share), (end + 1) / len(share)))
    (left, right), (top, bottom) = edges
    return Box(left, top, right, bottom)
