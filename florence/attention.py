"""Attention the way a Florence-2 that reads needs it: photos shared by beams, channels, CPUs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import Florence2ForConditionalGeneration

# Apple's M1 and M2 read foreign memory in longer products (pytorch/pytorch issue 195163).
LONGEST_SUM = {"mps": 16_384}
WATCHED: ContextVar[list[torch.Tensor] | None] = ContextVar("WATCHED", default=None)


@contextlib.contextmanager
def watching_gaze() -> Iterator[list[torch.Tensor]]:
    """Give a list to which each layer of a decoder adds where it looks, in this thread alone.

    That is (rows, heads, tokens, image tokens), shares that add up to 1 over the image tokens.
    """
    looks: list[torch.Tensor] = []
    before = WATCHED.set(looks)
    try:
        yield looks
    finally:
        WATCHED.reset(before)


def share_photos(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return SDPA's attention; rows that look at one photo share its keys and values.

    `query` is (photos * rows, heads, tokens, width), `key` and `value` are (photos, heads, image
    tokens, width): no key is computed or kept twice for the beams of a photo.
    """
    from einops import rearrange
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    rows = len(query) // len(key)
    mask = attention_mask if rows == 1 else None
    query = rearrange(query, "(photo row) head token d -> photo head (row token) d", row=rows)
    seen_by_all = mask is None and not module.is_causal and not options.get("dropout")
    looks = WATCHED.get()
    if looks is not None and not module.is_causal:
        shares = (query * options["scaling"] @ key.mT).softmax(-1)
        one = "photo head (row token) position -> (photo row) head token position"
        looks.append(rearrange(shares, one, row=rows))
        seen = rearrange(shares @ value, "photo head position d -> photo position head d")
    elif seen_by_all and products_are_faster(query):
        seen = multiply(query, key, value, options["scaling"])
    else:
        seen, _ = sdpa_attention_forward(module, query, key, value, mask, **options)
    return rearrange(seen, "photo (row token) head d -> (photo row) token head d", row=rows), None


def attend_photo(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Return SDPA's attention over windows, and over channels the same in a third of its time.

    Each is (photos, heads, tokens, width). In DaViT's channel attention the tokens are channels, 32
    a head, and the width is the whole photo: the position of the long axis decides what is copied.
    """
    from einops import rearrange
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if query.shape[-1] > query.shape[-2]:
        seen = value.mT @ share_channels(query * scaling, key).to(value.dtype).mT
        return rearrange(seen, "photo head position channel -> photo channel head position"), None
    if products_are_faster(query):
        return multiply(query, key, value, scaling), None
    options["scaling"] = scaling
    return sdpa_attention_forward(module, query, key, value, attention_mask, **options)


def share_channels(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Return how much each channel attends to each, (photos, heads, channels, channels), in fp32.

    The query is scaled before: tens of thousands of places add up to more than fp16 holds.
    """
    longest = LONGEST_SUM.get(query.device.type, query.shape[-1])
    parts = zip(query.split(longest, -1), key.split(longest, -1))
    return sum(part @ other.mT for part, other in parts).float().softmax(-1)


def products_are_faster(query: torch.Tensor) -> bool:
    """Tell whether `multiply` beats SDPA: in bf16 on a CPU it does, by far on the way back."""
    import torch

    return query.device.type == "cpu" and query.dtype == torch.bfloat16


def multiply(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
) -> torch.Tensor:
    """Return attention by plain matrix products, (photos, tokens, heads, width)."""
    shares = (query * scaling @ key.contiguous().mT).softmax(-1)
    return (shares @ value.contiguous()).transpose(1, 2).contiguous()


def register_attention(model: Florence2ForConditionalGeneration) -> None:
    """Have a model attend by the functions of this file."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register("share_photos", share_photos)
    AttentionMaskInterface.register("share_photos", sdpa_mask)
    AttentionInterface.register("attend_photo", attend_photo)
    model.model.language_model.set_attn_implementation("share_photos")
    model.model.vision_tower.set_attn_implementation("attend_photo")
