"""The windows in which numbers are learnt: where its photo shows each of them, found once."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, replace
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from containers.basis.errors import ImageError, ModelError, UserError
from containers.basis.files import write_json
from containers.basis.talk import counted, log
from containers.data.labels import Example
from containers.number.reading import Reading
from containers.photo.look_pace import LookPace
from containers.photo.looks import (
    AGREED_FROM,
    LOST_BELOW,
    NEARER,
    SURE_FROM,
    UNSURE_BELOW,
    Look,
    Search,
)
from containers.photo.search import OnLooks
from containers.photo.windows import SHAKEN, Window
from florence.examples import photo_digest
from florence.model_folder import read_json

UNLIKELY = 1e-6  # of the median photo's probability of its label: less, and it was not found
LEAST_SHARE = 1e-4  # of a label's probability where it is likeliest: what shows it, too, is learnt
MOST_WINDOWS = 4  # windows of a photo
SAVED_EVERY = 10  # seconds
Finder = Callable[[Sequence[Path], Sequence[str] | None, OnLooks], Iterator[Search | ImageError]]


class Windows:
    """Windows by photo, kept in a JSON file: each five numbers, and how likely the label is there.

    `identity` says what finds them. Without a file they are found in each run. The file grows
    while they are found, so that a run that was stopped goes on.
    """

    def __init__(self, path: Path | None, identity: str):
        self.path, self.identity = path, identity
        # Rows of six numbers, and beside them what is read there, in words.
        self.found: dict[str, Any] = read_windows(path) if path and path.exists() else {}

    def name(self, example: Example, known: bool) -> str:
        """Return the key of an example, looked for with its label or without."""
        kept, ends = (LEAST_SHARE, MOST_WINDOWS), (LOST_BELOW, UNSURE_BELOW, SURE_FROM, AGREED_FROM)
        rules = *kept, NEARER, SHAKEN, *ends
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
            self.look_for(missing, known, search)
        found = [self.found[self.name(example, known)] for example in examples]
        likely = median(rows[0][-1] for rows in found)
        least = max(UNLIKELY * likely, sys.float_info.min) if known else 0.0  # never is not found
        near = [
            [replace(example, window=Window(*row[:-1])) for row in rows]
            for example, rows in zip(examples, found)
            if rows[0][-1] >= least
        ]
        if left_out := [e for e, rows in zip(examples, found) if rows[0][-1] < least]:
            count = counted(len(left_out), "photo")
            log.info(f"{count} left out, where the label is not what the model finds")
            for example, seen in zip(left_out, self.read_there(left_out, search)):
                log.info(f"  {example.image_path}: label {example.number}, read there: {seen}")
        if not near:
            raise UserError(
                "no label is what the model finds on its photo: look at them with "
                "prepare_dataset.py --mode check, or learn whole photos with §looks 1"
            )
        if known:
            count = counted(sum(map(len, near)), "window")
            log.info(f"learnt from: {count} that show the labels of {counted(len(near), 'photo')}")
        return list(chain.from_iterable(near))

    def read_there(self, examples: Sequence[Example], search: Finder) -> list[str]:
        """Return what is read of photos by who does not know their labels, in words."""
        keys = [f"{self.name(example, False)} read" for example in examples]
        missing = [e.image_path for e, key in zip(examples, keys) if key not in self.found]
        results = search(missing, None, lambda *_: None) if missing else iter(())
        for key in keys:
            if key not in self.found:
                seen = next(results)
                best = seen.best if isinstance(seen, Search) else Reading()
                self.found[key] = f"{best.number} ({best.status})" if best.number else "nothing"
        if missing:
            self.save()
        return [self.found[key] for key in keys]

    def look_for(self, missing: Sequence[Example], known: bool, search: Finder) -> None:
        """Have the windows of these examples found, and keep them as they are."""
        numbers = [example.number for example in missing] if known else None
        saved = time.monotonic()
        with LookPace(title="looking nearer", total=len(missing)) as pace:
            results = search([example.image_path for example in missing], numbers, pace.look)
            try:
                for example, result in zip(missing, results, strict=True):
                    if isinstance(result, ImageError):
                        raise UserError(f"{example.image_path}: {result}")
                    looks = windows_that_show(result) if known else [result.lead[0]]
                    rows = [[*astuple(look.window), look.hypothesis.confidence] for look in looks]
                    self.found[self.name(example, known)] = rows
                    pace.update()
                    if time.monotonic() > saved + SAVED_EVERY:
                        self.save()
                        saved = time.monotonic()
            finally:
                self.save()

    def save(self) -> None:
        """Write what was found, if it is kept."""
        if self.path and self.found:
            write_json(self.path, self.found)


def read_windows(path: Path) -> dict[str, list[list[float]]]:
    """Return the windows in a file; a damaged one is deleted, since they can be found again."""
    try:
        found = read_json(path)
        if not all(map(is_windows, found.values())):
            raise ModelError(f"cannot read {path}: these are no windows")
    except ModelError as error:
        log.warning(f"{error}: it is deleted, and its windows are looked for again")
        path.unlink()
        return {}
    return found


def is_windows(rows: object) -> bool:
    """Tell whether a value is a list of at least one window, each six numbers; or what was read."""
    return isinstance(rows, str) or (
        isinstance(rows, list)
        and bool(rows)
        and all(isinstance(row, list) and len(row) == 6 for row in rows)
        and all(isinstance(value, int | float) for row in rows for value in row)
    )


def windows_that_show(search: Search) -> list[Look]:
    """Return the looks of a search led by a label that show it, the likeliest first."""
    looks = sorted(search.done, key=lambda look: look.hypothesis.confidence, reverse=True)
    least = LEAST_SHARE * looks[0].hypothesis.confidence
    return [look for look in looks[:MOST_WINDOWS] if look.hypothesis.confidence >= least]
