"""How likely it is that a number stands in the text that the model writes of a photo."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from heapq import nlargest
from itertools import islice
from operator import itemgetter
from statistics import fmean
from typing import TYPE_CHECKING

from containers.number.iso6346 import PAINTED, compact, format_number, is_valid
from florence.encoding import from_encoded, log_probabilities
from florence.free_text import write_freely
from florence.grammar import BEAMS, Hold, number_grammar

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import (
        DynamicCache,
        Florence2ForConditionalGeneration,
        Florence2Processor,
        PreTrainedTokenizerBase,
    )

BEFORE_TOKENS = 32  # in which a number must begin whose probability alone is asked
MOST_PROBABILITY = 1 - 1e-12  # the probability that sums of rounded ones are taken for, at most
SPELLINGS = 3  # of a number: with its spaces, without them, on two lines
MOST_STARTS = 3  # the places there where it is likeliest to begin: more add nothing that counts
LEADING = 4  # tokens by which these are found: a number's first may come again, as in ZMBZ


def write_numbers(
    model: Florence2ForConditionalGeneration | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: DynamicCache,
    starts: Sequence[list[list[int]]],
) -> list[tuple[tuple[str, float], ...]]:
    """Return for each photo valid numbers, compact, with their probabilities, likeliest first.

    `starts` are the tokens behind which a number may begin: those that begin every text, `<s>`
    among them, and those that stand before the number that the photo's text has, if any. The
    probability is that the text begins with the number, or else, since what it begins with says
    little about the number, that this follows the other tokens.
    """
    most = max(map(len, starts))
    given = [tokens for ways in starts for tokens in (ways[0], ways[-1])[:most]]
    words = model.get_output_embeddings().out_features
    sequences = model.generate(
        **from_encoded(model, encoded, len(given)),
        max_new_tokens=max(map(len, given)) + len(PAINTED) + 2,  # a space before it, and the end
        num_beams=BEAMS,
        num_return_sequences=BEAMS,
        do_sample=False,
        early_stopping=False,  # five poor short texts must not end the search for a good long one
        no_repeat_ngram_size=0,
        logits_processor=[Hold(number_grammar(tokenizer, words, model.device), given)],
    )
    groups = iter(weigh_numbers(model, tokenizer, encoded, sequences, list(map(len, given))))
    found = []
    for ways in starts:
        numbers, *others = [next(groups) for _ in range(most)][: len(ways)]
        missed = max(0.0, 1 - sum(numbers.values()))
        for number, probability in (pair for other in others for pair in other.items()):
            numbers[number] += missed * probability
        found.append(tuple(nlargest(BEAMS, numbers.items(), key=itemgetter(1))))
    return found


def weigh_numbers(
    model: Florence2ForConditionalGeneration | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: DynamicCache,
    sequences: torch.Tensor,
    given: Sequence[int],
) -> list[defaultdict[str, float]]:
    """Return the valid numbers that each group of beams spells, compact, with probabilities.

    `sequences` is (groups * beams, tokens), of which so many in each group are `given`, after the
    decoder's first. Token paths that spell one number add up.
    """
    beams = len(sequences) // len(given)
    skipped = [length for length in given for _ in range(beams)]
    chances = chances_of(model, tokenizer, encoded, sequences, skipped)
    groups: list[defaultdict[str, float]] = [defaultdict(float) for _ in given]
    for row, (tokens, skip, chance) in enumerate(zip(sequences.tolist(), skipped, chances)):
        text = tokenizer.decode(tokens[1 + skip :], skip_special_tokens=True)
        if is_valid(text):  # beams for which no valid number is left write anything
            groups[row // beams][compact(text)] += chance
    return groups


def chances_of(
    model: Florence2ForConditionalGeneration | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: DynamicCache,
    sequences: torch.Tensor,
    skipped: Sequence[int],
) -> list[float]:
    """Return the probability of each row of tokens, given those that are skipped.

    `sequences` is (rows, tokens); `skipped` tells how many after the decoder's first. Neither what
    ends a row nor what fills it up counts: more text may follow.
    """
    import torch

    longest = int((sequences != tokenizer.pad_token_id).sum(-1).max())
    rows = sequences[:, :longest]
    scores = log_probabilities(model, encoded, rows).gather(-1, rows[:, 1:, None])[..., 0]
    places = torch.arange(longest - 1, device=rows.device)
    given = places < torch.tensor(skipped, device=rows.device)[:, None]
    ended = (rows[:, 1:] == tokenizer.pad_token_id) | (rows[:, 1:] == tokenizer.eos_token_id)
    return scores.masked_fill(given | ended, 0).sum(-1).double().exp().tolist()


def probabilities(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    encoded: DynamicCache,
    numbers: Sequence[str],
) -> list[float]:
    """Return for each photo the probability that a number stands in the model's text.

    It may begin behind other text, and be written without spaces. The probability is 1 minus the
    product of 1 - p over the likeliest starts, p that of the number after what stands before it.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    tokenizer = processor.tokenizer
    written = write_freely(model, processor, encoded, BEFORE_TOKENS)
    starts = likely_starts(model, tokenizer, encoded, written, numbers)
    rows, skipped = [], []
    for tokens, places, number in zip(written.tolist(), starts, numbers):
        filled = (*places, *places[:1] * MOST_STARTS)[:MOST_STARTS]  # as many rows for each photo
        for start in filled:
            ways = spellings(tokenizer, tokens[:start], number)
            rows += [torch.tensor(tokens[:start] + way) for way in ways]
            skipped += [start - 1] * SPELLINGS
    sequences = pad_sequence(rows, True, tokenizer.pad_token_id).to(model.device)
    chances = iter(chances_of(model, tokenizer, encoded, sequences, skipped))
    found = []
    for places in starts:
        likely = [sum(islice(chances, SPELLINGS)) for _ in range(MOST_STARTS)][: len(places)]
        missed = sum(math.log1p(-min(p, MOST_PROBABILITY)) for p in likely)  # keeps tiny ones
        found.append(-math.expm1(missed))
    return found


def likely_starts(
    model: Florence2ForConditionalGeneration | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: DynamicCache,
    written: torch.Tensor,
    numbers: Sequence[str],
) -> list[list[int]]:
    """Return for each photo up to STARTS places in its text where its number may begin.

    `written` is (photos, tokens). A place is how many of these stand before it; the likeliest are
    those where the number's first tokens are likeliest, in the mean of their log-probabilities.
    """
    scores, ends = log_probabilities(model, encoded, written), tokenizer.eos_token_id
    starts = []
    for tokens, at, number in zip(written.tolist(), scores, numbers):
        whole = [*tokens[1:], ends].index(ends) + 1  # the first </s> begins every text
        ways = tokenizer([number, f" {number}"], add_special_tokens=False)["input_ids"]
        tables = [at[:, way[:LEADING]].tolist() for way in ways]
        places = range(2, min(whole, len(at)) + 1)
        likely = {p: max(along(table[p - 1 :]) for table in tables) for p in places}
        starts.append(sorted(places, key=likely.__getitem__, reverse=True)[:MOST_STARTS])
    return starts


def along(table: Sequence[Sequence[float]]) -> float:
    """Return the mean of what stands along the diagonal of a table, from its first cell on."""
    return fmean(row[i] for i, row in enumerate(table[: len(table[0])]))


def spellings(
    tokenizer: PreTrainedTokenizerBase, before: Sequence[int], number: str
) -> list[list[int]]:
    """Return the tokens of a number behind others: with spaces, without, and on two lines."""
    text = tokenizer.decode(before, skip_special_tokens=True)
    lead = " " if text and not text[-1].isspace() else ""
    spaced = format_number(number)
    ways = [lead + way for way in (spaced, compact(number), spaced.replace(" ", "\n", 1))]
    return tokenizer(ways, add_special_tokens=False)["input_ids"]
