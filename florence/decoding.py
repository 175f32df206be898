"""What the model writes of photos, freely and inside ISO 6346, and how likely that is."""

from __future__ import annotations

import functools
import inspect
import math
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from containers.errors import ModelError
from containers.iso6346 import compact, is_valid
from containers.reading import Transcript
from florence.devices import dtype_of
from florence.grammar import BEAMS, number_grammar
from florence.inputs import encode_answers

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import (
        DynamicCache,
        Florence2ForConditionalGeneration,
        Florence2Processor,
        PreTrainedTokenizerBase,
    )

MAX_NEW_TOKENS = 128  # nearly all the text on a busy container door; a tuned model stops at a dozen


def look(
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


def from_memory(model: torch.nn.Module, photos: DynamicCache, rows: int) -> dict[str, object]:
    """Return inputs for so many rows that look at photos seen before; nothing is encoded again."""
    import torch
    from transformers import DynamicCache, EncoderDecoderCache
    from transformers.modeling_outputs import BaseModelOutput

    width = model.config.text_config.d_model  # never looked at, but the decoder asks for a state
    state = torch.zeros(rows, 1, width, dtype=model.dtype, device=model.device)
    cache = EncoderDecoderCache(DynamicCache(), photos)
    return {"encoder_outputs": BaseModelOutput(state), cache_name(): cache}


def log_probabilities(
    model: Florence2ForConditionalGeneration | PeftModel,
    photos: DynamicCache,
    sequences: torch.Tensor,
) -> torch.Tensor:
    """Return the log-probability of each token after the first, (rows, tokens - 1).

    Raises `ModelError` where the model's scores are no numbers.
    """
    inputs = from_memory(model, photos, len(sequences))
    logits = model(**inputs, decoder_input_ids=sequences[:, :-1]).logits.float()
    found = logits.log_softmax(-1).gather(-1, sequences[:, 1:, None])[..., 0]
    if found.isnan().any():
        raise ModelError(
            f"the model's scores are no numbers in {dtype_of(model)}: use --dtype fp32, or another "
            "model"
        )
    return found


def probabilities(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    photos: DynamicCache,
    numbers: Sequence[str],
) -> list[float]:
    """Return for each photo the probability of the model's free text to begin with a number."""
    import torch

    written = encode_answers(processor, numbers).to(model.device)
    first = torch.full_like(written[:, :1], model.config.text_config.decoder_start_token_id)
    ended = (written < 0) | (written == processor.tokenizer.eos_token_id)
    sequences = torch.cat([first, written.clamp(min=0)], 1)
    log_probs = log_probabilities(model, photos, sequences)
    return log_probs.masked_fill(ended, 0).sum(-1).double().exp().tolist()  # 1e-50 is more than 0


def transcribe(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    photos: DynamicCache,
) -> list[Transcript]:
    """Return what the model writes for each photo that it took a `look` at.

    Each is read twice at once, freely and inside ISO 6346, by BEAMS beams that share the photo.
    """
    from einops import rearrange

    tokenizer, count = processor.tokenizer, len(photos.layers[0].keys)
    longest = model.config.text_config.max_position_embeddings - 1
    tokens = model.get_output_embeddings().out_features
    sequences = model.generate(
        **from_memory(model, photos, 2 * count),
        max_new_tokens=min(MAX_NEW_TOKENS, longest),
        num_beams=BEAMS,
        num_return_sequences=BEAMS,
        do_sample=False,
        early_stopping=False,  # five poor short texts must not end the search for a good long one
        no_repeat_ngram_size=0,  # a number may stand twice in the photo
        logits_processor=[number_grammar(tokenizer, tokens, model.device)],
    )
    kinds = "(photo kind beam) token -> kind photo beam token"
    free, valid = rearrange(sequences, kinds, kind=2, beam=BEAMS)
    free = free[:, 0]
    free_scores = log_probabilities(model, photos, free).tolist()
    alternatives = weigh_numbers(model, tokenizer, photos, valid)
    transcripts = []
    for written, scores, numbers in zip(free[:, 1:].tolist(), free_scores, alternatives):
        texts = [
            tokenizer.decode(written[: end + 1], skip_special_tokens=True)
            for end in range(len(written))
        ]
        ends = tuple(map(len, texts))
        transcripts.append(Transcript(texts[-1], ends, tuple(scores), numbers))
    return transcripts


def weigh_numbers(
    model: Florence2ForConditionalGeneration | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    photos: DynamicCache,
    sequences: torch.Tensor,
) -> list[tuple[tuple[str, float], ...]]:
    """Return for each photo the numbers that its beams spell, likeliest first.

    `sequences` is (photos, beams, tokens). A number's probability is that of the model's free text
    to begin with it: among all that could be written. Token paths that spell one number add up.
    """
    from einops import rearrange

    longest = int((sequences != tokenizer.pad_token_id).sum(-1).max())
    rows = rearrange(sequences[..., :longest], "photo beam token -> (photo beam) token")
    log_probs = log_probabilities(model, photos, rows)
    ended = (rows[:, 1:] == tokenizer.pad_token_id) | (rows[:, 1:] == tokenizer.eos_token_id)
    log_probs = log_probs.masked_fill(ended, 0).sum(-1).tolist()  # more text may follow a number
    spelt = zip(tokenizer.batch_decode(rows, skip_special_tokens=True), log_probs)
    found = []
    for _ in sequences:
        numbers: Counter[str] = Counter()
        for text, log_prob in islice(spelt, sequences.shape[1]):
            if is_valid(text):  # beams for which no valid number is left write anything
                numbers[compact(text)] += math.exp(log_prob)
        found.append(tuple(numbers.most_common()))
    return found
