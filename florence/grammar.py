"""Hold the decoder inside ISO 6346: which tokens may follow when a number is painted."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from containers.number.iso6346 import KINDS, PAINTED, weigh

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

BEAMS = 5  # numbers that are weighed for a photo: hardly dearer than one
SEPARATORS = " \n"  # what may stand between the parts of a number, or be left out there
BYTES = {"\u0120": " ", "\u010a": "\n"}  # how the byte-level alphabet writes them


class NumberGrammar:
    """Which tokens may follow at each position of a number, over the tokenizer's whole vocabulary.

    `steps`, (states, tokens), holds the state that a token leads to, or REFUSED. A state is how
    many characters of a number as it is painted are written, and the ISO 6346 sum of these, mod 11.
    The spaces between its parts may be line ends, or missing; one may stand before the first
    letter, in its token.
    """

    REFUSED, END, FIRST = range(3)

    def __init__(self, tokenizer: PreTrainedTokenizerBase, tokens: int):
        import torch

        states = self.FIRST + 11 * (len(PAINTED) + 1)
        self.steps = torch.full((states, tokens), self.REFUSED, dtype=torch.int16)
        self.steps[self.state(len(PAINTED), 0), tokenizer.eos_token_id] = self.END
        self.steps[self.END, tokenizer.pad_token_id] = self.END
        for token, index in tokenizer.get_vocab().items():
            text = "".join(BYTES.get(character, character) for character in token)
            if re.fullmatch(f"[A-Z0-9{SEPARATORS}]{{1,13}}", text):
                for before, after in self.moves(text):
                    self.steps[before, index] = after

    def state(self, position: int, total: int) -> int:
        """Return the state after so many characters with this sum, 0 to 10."""
        return self.FIRST + 11 * position + total

    def moves(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield (state before, state after) wherever in a number this text may stand."""
        for start in range(len(PAINTED)):
            end, added = write(text, start)
            for total in range(11) if end else ():
                after = (total + added) % 11
                if end < len(PAINTED):
                    yield self.state(start, total), self.state(end, after)
                elif text[-1] == str(after % 10):  # the check digit; 10 is written 0
                    yield self.state(start, total), self.state(end, 0)


def write(text: str, position: int) -> tuple[int, int]:
    """Return the position in a painted number after a text written at a position, and what it adds.

    That is its share of the ISO 6346 sum. Place 0: the text cannot stand there.
    """
    added = 0
    for character in text:
        gap = PAINTED[position : position + 1] == " "
        if character in SEPARATORS:
            if not gap and position:
                return 0, 0
            position += gap
            continue
        position += gap
        if character not in KINDS.get(PAINTED[position : position + 1], ""):
            return 0, 0
        added += weigh(character, position)
        position += 1
    return position, added


class Hold:
    """A `LogitsProcessor` that has beams write a given text first, then a valid number.

    `before` are the tokens of that text for each group of BEAMS rows, `<s>` among them.
    """

    def __init__(self, grammar: NumberGrammar, before: Sequence[Sequence[int]]):
        import torch
        from torch.nn.utils.rnn import pad_sequence

        device = grammar.steps.device
        rows = [torch.tensor(tokens, device=device) for tokens in before]
        self.grammar = grammar
        self.before = pad_sequence(rows, batch_first=True).repeat_interleave(BEAMS, 0)
        self.lengths = torch.tensor([len(tokens) for tokens in before], device=device)
        self.lengths = self.lengths.repeat_interleave(BEAMS)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, (rows, tokens), with -inf for what may not follow the rows' tokens.

        The rows' states are found anew at each step, since the beams change places between steps:
        that takes a fiftieth of the small model's step, and a two-thousandth of the large one's.
        """
        import torch

        steps, written = self.grammar.steps, input_ids[:, 1:]
        state = torch.full_like(self.lengths, self.grammar.state(0, 0))
        for position, tokens in enumerate(written.T):
            state = torch.where(position < self.lengths, state, steps[state, tokens].long())
        allowed = steps[state] != self.grammar.REFUSED
        position = written.shape[1]
        if position < self.before.shape[1]:
            forced = torch.zeros_like(allowed).scatter_(1, self.before[:, position, None], True)
            allowed = torch.where((position < self.lengths)[:, None], forced, allowed)
        return scores.masked_fill(~allowed, -math.inf)


@functools.lru_cache(maxsize=2)
def number_grammar(
    tokenizer: PreTrainedTokenizerBase, tokens: int, device: torch.device
) -> NumberGrammar:
    """Return the grammar for a tokenizer, its tables on the device; made once."""
    grammar = NumberGrammar(tokenizer, tokens)
    grammar.steps = grammar.steps.to(device)
    return grammar
