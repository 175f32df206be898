"""The text that the model writes of a photo, freely, as far as it can matter for a number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from containers.number.iso6346 import find_candidates, is_valid
from florence.encoding import from_encoded

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
ENOUGH_CHARACTERS = 16  # after a valid number: there stands the size-type code or a second one
CHECK_TOKENS = 8  # tokens from one look at a text to the next, whether it is enough


class IsEnough:
    """A `StoppingCriteria` that ends a text some way behind a valid number in it.

    What follows further down tells nothing of that number.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer

    def __call__(self, input_ids: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        """Return for each row of tokens whether it may end, (rows,)."""
        import torch

        ended = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        if input_ids.shape[1] % CHECK_TOKENS == 0:
            for row, text in enumerate(self.tokenizer.batch_decode(input_ids, True)):
                first = next(iter(find_candidates(text)), None)
                number_ends = first.end if first and is_valid(first.number) else math.inf
                ended[row] = len(text) >= number_ends + ENOUGH_CHARACTERS
        return ended


def write_freely(
    model: Florence2ForConditionalGeneration | PeftModel,
    processor: Florence2Processor,
    encoded: DynamicCache,
    most: int = MAX_NEW_TOKENS,
) -> torch.Tensor:
    """Return the tokens of the likeliest text for each photo, (photos, tokens), word by word.

    The decoder's first token, which is given, stands before them.
    """
    tokenizer, count = processor.tokenizer, len(encoded.layers[0].keys)
    words = model.get_output_embeddings().out_features
    return model.generate(
        **from_encoded(model, encoded, count),
        max_new_tokens=min(most, model.config.text_config.max_position_embeddings - 1),
        num_beams=1,
        do_sample=False,
        no_repeat_ngram_size=0,  # a number may stand twice in the photo
        forced_bos_token_id=tokenizer.bos_token_id,
        # neither what stands for the photo nor rows of padding, which no word has
        suppress_tokens=[tokenizer.image_token_id, *range(len(tokenizer), words)],
        stopping_criteria=[IsEnough(tokenizer)],
    )
