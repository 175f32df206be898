"""The windows in which numbers are learnt: where its photo shows each of them, found once."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, replace
from itertools import chain
from pathlib import Path
from statistics import median

from containers.command_line import say
from containers.errors import ImageError, UserError
from containers.files import write_json
from containers.labels import Example
from containers.looks import LOST, NEARER, Look, Search
from containers.pace import Pace
from containers.places import Window
from containers.reading import Reading
from florence.examples import photo_digest
from florence.model_folder import read_json

UNLIKELY = 1e-6  # of the median photo's probability of its label: less, and it was not found
SHOWN = 1e-4  # of a label's probability where it is likeliest: what shows it, too, is learnt
MOST = 4  # windows of a photo
Finder = Callable[[Sequence[Path], Sequence[str] | None], Iterator[Search | ImageError]]


class Windows:
    """Windows by photo, kept in a JSON file: each five numbers, and how likely the label is there.

    `identity` says what finds them. Without a file they are found in each run.
    """

    def __init__(self, path: Path | None, identity: str):
        self.path, self.identity = path, identity
        self.found = read_json(path) if path and path.exists() else {}

    def name(self, example: Example, known: bool) -> str:
        """Return the key of an example, looked for with its label or without."""
        rules = SHOWN, MOST, NEARER, LOST
        number = example.number if known else None
        key = "windows", rules, self.identity, photo_digest(example.image_path), number
        return hashlib.sha256(repr(key).encode()).hexdigest()[:32]

    def find(self, examples: Sequence[Example], known: bool, search: Finder) -> list[Example]:
        """Return the examples with their windows, those that are new looked for by `search`.

        Where labels are `known` they lead the search: a photo is an example for each window that
        shows its label, and none where it is not found. Else its one window is the one that is
        read.
        """
        missing = [e for e in examples if self.name(e, known) not in self.found]
        if missing:
            photos = [example.image_path for example in missing]
            numbers = [example.number for example in missing] if known else None
            results = Pace(search(photos, numbers), title="looking nearer", total=len(missing))
            for example, result in zip(missing, results, strict=True):
                if isinstance(result, ImageError):
                    raise UserError(f"{example.image_path}: {result}")
                looks = windows_that_show(result) if known else [result.lead[0]]
                rows = [[*astuple(look.window), look.reading.confidence] for look in looks]
                self.found[self.name(example, known)] = rows
            if self.path:
                write_json(self.path, self.found)
        found = [self.found[self.name(example, known)] for example in examples]
        likely = median(rows[0][-1] for rows in found)
        least = max(UNLIKELY * likely, sys.float_info.min) if known else 0.0  # never is not found
        near = [
            [replace(example, window=Window(*row[:-1])) for row in rows]
            for example, rows in zip(examples, found)
            if rows[0][-1] >= least
        ]
        if left_out := [e for e, rows in zip(examples, found) if rows[0][-1] < least]:
            say(f"{len(left_out)} photos left out: their label is not what the model finds on them")
            for example, seen in zip(left_out, self.read_there(left_out, search)):
                say(f"  {example.image_path}: label {example.number}, read there: {seen}")
        if not near:
            raise UserError(
                "no label is what the model finds on its photo: look at them with "
                "prepare_dataset.py --mode check, or learn whole photos with --looks 1"
            )
        if known:
            say(f"{sum(map(len, near))} windows show the labels of {len(near)} photos")
        return list(chain.from_iterable(near))

    def read_there(self, examples: Sequence[Example], search: Finder) -> list[str]:
        """Return what is read of photos by who does not know their labels, in words."""
        keys = [f"{self.name(example, False)} read" for example in examples]
        missing = [e.image_path for e, key in zip(examples, keys) if key not in self.found]
        results = search(missing, None) if missing else iter(())
        for key in keys:
            if key not in self.found:
                seen = next(results)
                best = seen.best if isinstance(seen, Search) else Reading()
                self.found[key] = f"{best.number} ({best.status})" if best.number else "nothing"
        if missing and self.path:
            write_json(self.path, self.found)
        return [self.found[key] for key in keys]


def windows_that_show(search: Search) -> list[Look]:
    """Return the looks of a search led by a label that show it, the likeliest first."""
    looks = sorted(search.done, key=lambda look: look.reading.confidence, reverse=True)
    least = SHOWN * looks[0].reading.confidence
    return [look for look in looks[:MOST] if look.reading.confidence >= least]
