"""What a training step shows: windows of yards with what to write, or sheets of letters.

Everything is drawn from the step's number, so no photo is seen twice and any step can be drawn
again. A character of the text is a token, and each comes with the place where it stands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from demo.drawing.letters import Line
from demo.teaching import sheets
from demo.teaching.samples import HEIGHT, WIDTH, Sample, draw_samples
from florence.inputs import PROMPT, prepare_inputs

if TYPE_CHECKING:
    import torch
    from transformers import Florence2Processor

CODE = "<CAPTION>"  # the prompt to which the model answers with the number alone
CELL = 8  # pixels of the input, which is HEIGHT x WIDTH, on each side of a cell of features
ROWS, COLUMNS = HEIGHT // CELL, WIDTH // CELL
CHARACTERS = " ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.'\""  # a cell's classes; the space: nothing
UNKNOWN = -100  # the class of a cell that counts for nothing
VIEWS = 4  # windows of each yard that is rendered
PROMPTS = (PROMPT, None, PROMPT, CODE, PROMPT, PROMPT, CODE, PROMPT)  # in turn; None: a sheet
STREAM, HELD_OUT = 2**32 + 1, 2**32 + 2  # seeds that no flag of render.py can have


def prompt_at(step: int) -> str | None:
    """Return what the model is asked in this step; None: nothing, it names letters on sheets."""
    return PROMPTS[step % len(PROMPTS)]


def draw_batch(step: int, size: int, prompt: str | None, seed: int = STREAM) -> list[Sample]:
    """Return the samples of a step: windows of yards, or sheets where nothing is asked."""
    if prompt is None:
        return [sheets.draw_sheet(np.random.default_rng([seed, step, i])) for i in range(size)]
    samples: list[Sample] = []
    while len(samples) < size:
        rng = np.random.default_rng([seed, step, len(samples)])
        samples += draw_samples(rng, min(VIEWS, size - len(samples)), prompt == CODE)
    return samples


def letters_in_cells(sample: Sample) -> np.ndarray:
    """Return the class of the character in each cell of the feature map, int64 [rows, columns]."""
    if sample.clear < 0.5:
        return np.full((ROWS, COLUMNS), UNKNOWN, np.int64)
    cells = np.zeros((ROWS, COLUMNS), np.int64)
    y, x = (np.arange(ROWS) + 0.5)[:, None], np.arange(COLUMNS) + 0.5
    nearest = np.full((ROWS, COLUMNS), np.inf)
    for letter in (letter for line in sample.lines for letter in line.letters):
        off_x, off_y = np.abs(x - letter.x * COLUMNS), np.abs(y - letter.y * ROWS)
        inside = (off_x <= max(0.5, letter.width * COLUMNS * 0.4)) & (
            off_y <= max(0.5, letter.height * ROWS * 0.4)
        )
        distance = np.hypot(off_x, off_y)
        closer = inside & (distance < nearest)
        cells[closer] = max(0, CHARACTERS.find(letter.character))
        nearest[closer] = distance[closer]
    return cells


def places_of_text(lines: Sequence[Line]) -> list[tuple[float, float]]:
    """Return for each character of lines that are joined its centre in cells; nan for spaces."""
    places = []
    for line in lines:
        letters = iter(line.letters)
        for character in line.text + "\n":
            letter = next(letters) if character.strip() else None
            places.append((letter.x * COLUMNS, letter.y * ROWS) if letter else (math.nan,) * 2)
    return places[:-1]


class Batches:
    """The training data: step → a batch, rendered from the step's number."""

    def __init__(self, processor: Florence2Processor, steps: int, batch_size: int) -> None:
        """Keep what every batch needs."""
        self.processor, self.steps, self.batch_size = processor, steps, batch_size

    def __len__(self) -> int:
        """Return how many batches there are."""
        return self.steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        """Return model inputs, `cells`, `places` [batch, tokens, 2] and `clear` [batch]."""
        import torch
        from PIL import Image

        prompt = prompt_at(step)
        samples = draw_batch(step, self.batch_size, prompt)
        texts = [sample.text if prompt else "" for sample in samples]
        images = [Image.fromarray(sample.image) for sample in samples]
        batch = dict(prepare_inputs(self.processor, images, texts, prompt or PROMPT))
        batch["cells"] = torch.from_numpy(np.stack(list(map(letters_in_cells, samples))))
        batch["clear"] = torch.tensor([sample.clear for sample in samples])
        places = torch.full((*batch["labels"].shape, 2), math.nan)
        if prompt:
            for row, sample in zip(places, samples, strict=True):
                known = places_of_text(sample.lines)
                row[1 : 1 + len(known)] = torch.tensor(known).reshape(-1, 2)  # after <s>
        return batch | {"places": places}


def draw_held_out(count: int) -> list[Sample]:
    """Return near windows of yards that no training sees, one of each."""
    photos: list[Sample] = []
    i = 0
    while len(photos) < count:
        (sample,) = draw_samples(np.random.default_rng([HELD_OUT, i]), 1, True)
        i += 1
        if sample.clear == 1 and sample.lines:
            photos.append(sample)
    return photos
