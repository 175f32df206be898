"""Hold the decoder inside ISO 6346: which tokens may follow when a number is painted."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from containers.iso6346 import KINDS, PAINTED, weigh

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

BEAMS = 5  # hardly dearer than greedy: the vision tower is most of the work


class NumberGrammar:
    """A `LogitsProcessor` that lets every second group of beams write nothing but valid numbers.

    Over the tokenizer's whole vocabulary it knows for each state which tokens may follow and what
    state they lead to: `steps`, (states, tokens). A state is how many characters of a number as it
    is painted are written, and the ISO 6346 sum of these, mod 11.
    """

    FREE, FREE_START, START, END, REFUSED, FIRST = range(6)

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tokens: int):
        import torch

        states = self.FIRST + 11 * (len(PAINTED) + 1)
        self.steps = torch.full((states, tokens), self.REFUSED, dtype=torch.int16)
        self.steps[self.FREE] = self.FREE
        self.steps[self.FREE, tokenizer.image_token_id] = self.REFUSED
        self.steps[self.FREE, len(tokenizer) :] = self.REFUSED  # padding, no words
        self.steps[self.FREE_START, tokenizer.bos_token_id] = self.FREE
        self.steps[self.START, tokenizer.bos_token_id] = self.state(0, 0)
        self.steps[self.state(len(PAINTED), 0), tokenizer.eos_token_id] = self.END
        self.steps[self.END, tokenizer.pad_token_id] = self.END
        for token, index in tokenizer.get_vocab().items():
            text = token.replace("\u0120", " ")  # so the byte-level alphabet writes a space
            if re.fullmatch("[A-Z0-9 ]{1,13}", text):
                for before, after in self.moves(text):
                    self.steps[before, index] = after

    def state(self, place: int, total: int) -> int:
        """Return the state after so many characters with this sum, 0 to 10."""
        return self.FIRST + 11 * place + total

    def moves(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (state before, state after) wherever in a number this text may stand."""
        for start in range(len(PAINTED) - len(text) + 1):
            end = start + len(text)
            if all(c in KINDS[kind] for c, kind in zip(text, PAINTED[start:end])):
                for total in range(11):
                    after = (total + weigh(text, start)) % 11
                    if end < len(PAINTED):
                        yield self.state(start, total), self.state(end, after)
                    elif text[-1] == str(after % 10):  # the check digit; 10 is written 0
                        yield self.state(start, total), self.state(end, 0)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, (rows, tokens), with -inf for what may not follow the rows' tokens.

        The rows' states are found anew at each step, since the beams change places between steps:
        that takes a fiftieth of the small model's step, and a two-thousandth of the large one's.
        """
        import torch

        group = torch.arange(len(input_ids), device=scores.device) // BEAMS
        state = torch.where(group % 2 == 1, self.START, self.FREE_START)
        for written in input_ids[:, 1:].T:
            state = self.steps[state, written].long()
        return scores.masked_fill(self.steps[state] == self.REFUSED, -math.inf)


@functools.lru_cache(maxsize=2)
def number_grammar(
    tokenizer: PreTrainedTokenizerBase, tokens: int, device: torch.device
) -> NumberGrammar:
    """Return the grammar for a tokenizer, its tables on the device; made once."""
    grammar = NumberGrammar(tokenizer, tokens)
    grammar.steps = grammar.steps.to(device)
    return grammar
