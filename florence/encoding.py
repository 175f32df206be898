"""What the decoder sees of photos: encoded once, kept, and asked again and again."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING

from containers.basis.errors import ModelError
from florence.devices import dtype_of

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import DynamicCache, Florence2ForConditionalGeneration


def encode(
    model: Florence2ForConditionalGeneration | PeftModel, count: int, **inputs: object
) -> DynamicCache:
    """Return what the decoder sees of `count` photos: the keys and values of its cross-attention.

    `inputs` are those that `prepare_inputs` gives, or the encoder's output for them.
    """
    import torch

    first = model.config.text_config.decoder_start_token_id
    start = torch.full((count, 1), first, device=model.device)
    seen = getattr(model(**inputs, decoder_input_ids=start, use_cache=True), cache_name())
    seen.cross_attention_cache.reorder_cache = lambda beams: None  # a photo's beams share it
    return seen.cross_attention_cache


@functools.cache
def cache_name() -> str:
    """Return what transformers calls the keys and values: `past_key_values` before 5.24."""
    from transformers import Florence2ForConditionalGeneration

    known = inspect.signature(Florence2ForConditionalGeneration.forward).parameters
    return "cache" if "cache" in known else "past_key_values"


def from_encoded(model: torch.nn.Module, encoded: DynamicCache, rows: int) -> dict[str, object]:
    """Return inputs for so many rows that see photos encoded before; nothing is encoded again."""
    import torch
    from transformers import DynamicCache, EncoderDecoderCache
    from transformers.modeling_outputs import BaseModelOutput

    width = model.config.text_config.d_model  # never looked at, but the decoder asks for a state
    state = torch.zeros(rows, 1, width, dtype=model.dtype, device=model.device)
    cache = EncoderDecoderCache(DynamicCache(), encoded)
    return {"encoder_outputs": BaseModelOutput(state), cache_name(): cache}


def log_probabilities(
    model: Florence2ForConditionalGeneration | PeftModel,
    encoded: DynamicCache,
    sequences: torch.Tensor,
) -> torch.Tensor:
    """Return the log-probability of each word at each place, (rows, tokens - 1, words), in fp32.

    `sequences` is (rows, tokens); the first token is given. Raises `ModelError` where the model's
    scores are no numbers.
    """
    inputs = from_encoded(model, encoded, len(sequences))
    logits = model(**inputs, decoder_input_ids=sequences[:, :-1]).logits.float()
    if logits.isnan().any():
        raise ModelError(
            f"the model's scores are no numbers in {dtype_of(model)}: use §dtype fp32, or another "
            "model"
        )
    return logits.log_softmax(-1)
