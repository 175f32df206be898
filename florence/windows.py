"""The windows in which numbers are learnt: where on its photo each is best read, found once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, replace
from pathlib import Path
from statistics import median

from containers.command_line import say
from containers.errors import ImageError, UserError
from containers.files import write_json
from containers.labels import Example
from containers.looks import Search
from containers.places import Window
from florence.examples import photo_digest
from florence.model_folder import read_json

UNLIKELY = 1e-6  # of the median photo's probability of its label: less, and it was not found
Finder = Callable[[Sequence[Path], Sequence[str] | None], Iterator[Search | ImageError]]


class Windows:
    """Windows by photo, kept in a JSON file: five numbers, and how likely the label is there.

    `identity` says what finds them. Without a file they are found in each run.
    """

    def __init__(self, path: Path | None, identity: str):
        self.path, self.identity = path, identity
        self.found = read_json(path) if path and path.exists() else {}

    def name(self, example: Example, known: bool) -> str:
        """Return the key of an example, looked for with its label or without."""
        key = self.identity, photo_digest(example.image_path), example.number if known else None
        return hashlib.sha256(repr(key).encode()).hexdigest()[:32]

    def find(self, examples: Sequence[Example], known: bool, search: Finder) -> list[Example]:
        """Return the examples with their windows, those that are new looked for by `search`.

        Where labels are `known` they lead the search, and one that is not found is left out.
        """
        missing = [e for e in examples if self.name(e, known) not in self.found]
        if missing:
            photos = [example.image_path for example in missing]
            numbers = [example.number for example in missing] if known else None
            for example, result in zip(missing, search(photos, numbers), strict=True):
                if isinstance(result, ImageError):
                    raise UserError(f"{example.image_path}: {result}")
                row = [*astuple(result.window), result.best.confidence]
                self.found[self.name(example, known)] = row
            if self.path:
                write_json(self.path, self.found)
        rows = [self.found[self.name(example, known)] for example in examples]
        least = UNLIKELY * median(row[-1] for row in rows) if known else 0.0
        near = [
            replace(example, window=Window(*row[:-1]))
            for example, row in zip(examples, rows)
            if row[-1] >= least
        ]
        if left_out := len(examples) - len(near):
            say(f"{left_out} photos left out: their label is not what the model finds on them")
        return near
