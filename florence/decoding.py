"""What the model writes of photos, freely and inside ISO 6346, and how likely that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from containers.number.iso6346 import find_candidates
from containers.number.reading import Transcript
from florence.encoding import log_probabilities
from florence.free_text import write_freely
from florence.likely_numbers import write_numbers

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import DynamicCache, Florence2ForConditionalGeneration, Florence2Processor


def transcribe(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    encoded: DynamicCache,
) -> list[Transcript]:
    """Return what the model writes for each photo that it took a `look` at.

    Each is read twice, freely and inside ISO 6346.
    """
    tokenizer = processor.tokenizer
    free = write_freely(model, processor, encoded)
    scores = log_probabilities(model, encoded, free).gather(-1, free[:, 1:, None])[..., 0]
    texts, before = [], []
    for tokens in free[:, 1:].tolist():
        parts = [tokens[:end] for end in range(1, len(tokens) + 1)]
        shown = tokenizer.batch_decode(parts, skip_special_tokens=True)
        ends = tuple(map(len, shown))
        texts.append((shown[-1], ends))
        before.append([tokens[:count] for count in starts_of(shown[-1], ends)])
    numbers = write_numbers(model, tokenizer, encoded, before)
    found = zip(texts, scores.tolist(), numbers)
    return [Transcript(*text, tuple(log_probs), likely) for text, log_probs, likely in found]


def starts_of(text: str, ends: Sequence[int]) -> list[int]:
    """Return after how many of a text's tokens a number may begin, at first and where one stands.

    `ends` tells where each token ends in the text. The first of them, `<s>`, adds nothing to it;
    nor do further ones, which some models write.
    """
    found = find_candidates(text)
    first = max(1, sum(end == 0 for end in ends))
    start = sum(end <= found[0].start for end in ends) if found else 0
    return [first, start] if start > first else [first]
