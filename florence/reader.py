"""A model that looks: what one look at an image reads, and the search for a photo's number."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import repeat
from typing import TYPE_CHECKING

from containers.basis.errors import ImageError
from containers.basis.talk import log
from containers.number.iso6346 import PAINTED, compact
from containers.number.reading import Hypothesis
from containers.number.review import hypothesis_of
from containers.photo.looks import Found, ReadingOptions, Search
from containers.photo.opening import Photo
from containers.photo.search import OnLooks, search_all
from containers.photo.windows import Point
from florence.decoding import transcribe
from florence.devices import is_out_of_memory, is_slow
from florence.encoding import encode
from florence.gaze import find_letters
from florence.inputs import input_size, prepare_inputs
from florence.likely_numbers import probabilities
from florence.threads import choose_threads, computing_with

if TYPE_CHECKING:
    from peft import PeftModel
    from PIL import Image
    from transformers import Florence2ForConditionalGeneration, Florence2Processor


class Reader:
    """Look at photos with a loaded model, as often as the options allow, nearer each time."""

    def __init__(
        self,
        model: Florence2ForConditionalGeneration | PeftModel,
        processor: Florence2Processor,
        options: ReadingOptions,
    ):
        self.model, self.processor, self.options = model, processor, options
        weights, device = model.num_parameters(), model.device.type
        self.threads, self.is_slow = choose_threads(weights, device), is_slow(weights, device)
        self.size = input_size(processor)
        self.most_at_once = sys.maxsize  # looks in a batch; less, once memory has run out

    def search(
        self,
        photos: Iterable[Photo],
        batch_size: int,
        pool: Executor | None = None,
        numbers: Iterable[str] | None = None,
        on_looks: OnLooks | None = None,
        found: Iterable[Found | None] | None = None,
    ) -> Iterator[Search | ImageError]:
        """Yield the search for the number on each photo, in order, or why it cannot be opened.

        Looks at different photos share a batch. Where the `numbers` are known, they lead the
        search; where a number was `found`, it is looked at there. `on_looks` is told of each batch.
        """
        labels: Iterable[str | None] = numbers or repeat(None)
        places: Iterable[Found | None] = found or repeat(None)
        searches = (
            Search(photo, self.options, number, place)
            for photo, number, place in zip(photos, labels, places)
        )
        return search_all(searches, self.look_for, self.size, batch_size, pool, on_looks)

    def look_for(
        self, images: Sequence[Image.Image], searches: Sequence[Search]
    ) -> list[tuple[Hypothesis, list[Point]]]:
        """Return what one look at each image shows, for the search that asks for it."""
        labels = [search.label for search in searches if search.label]
        return self.look_at(images, labels or None)

    def look_at(
        self, images: Sequence[Image.Image], known: Sequence[str] | None = None
    ) -> list[tuple[Hypothesis, list[Point]]]:
        """Return what a look at each image takes for the number, and where it sees its characters.

        Where memory runs out, half as many images are looked at at once, from then on.
        """
        from accelerate.utils.memory import clear_device_cache

        seen: list[tuple[Hypothesis, list[Point]]] = []
        while (begin := len(seen)) < len(images):
            end = begin + self.most_at_once
            part, numbers = images[begin:end], known and known[begin:end]
            try:
                with computing_with(self.threads):
                    seen += self.look_at_once(part, numbers)
                continue
            except (RuntimeError, MemoryError) as error:
                if len(part) == 1 or not is_out_of_memory(error):
                    raise
            self.most_at_once = half = len(part) // 2
            log.warning(f"out of memory with a batch of {len(part)}: going on with {half}")
            clear_device_cache(garbage_collection=True)  # here: the error holds on to tensors
        return seen

    def look_at_once(
        self, images: Sequence[Image.Image], known: Sequence[str] | None
    ) -> list[tuple[Hypothesis, list[Point]]]:
        """Return what `look_at` does, all images in one batch."""
        import torch

        with torch.inference_mode():
            inputs = prepare_inputs(self.processor, images, device=self.model.device)
            inputs["pixel_values"] = inputs["pixel_values"].to(self.model.dtype)
            encoded = encode(self.model, len(images), **inputs)
            if known:
                likely = probabilities(self.model, self.processor, encoded, known)
                found = zip(known, likely)
                hypotheses = [Hypothesis(n, confidence=p, numbers=(compact(n),)) for n, p in found]
            else:
                transcripts = transcribe(self.model, self.processor, encoded)
                owner_codes = self.options.owner_codes
                hypotheses = [hypothesis_of(t, owner_codes) for t in transcripts]
            numbers = [h.number or (*dict(h.alternatives), PAINTED)[0] for h in hypotheses]
            letters = find_letters(self.model, self.processor, encoded, numbers)
        return list(zip(hypotheses, letters))
