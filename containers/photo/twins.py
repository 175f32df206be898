"""Photos that are the same: byte for byte, or saved again, smaller or with more compression."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from containers.photo.opening import open_photo, opening

if TYPE_CHECKING:
    import numpy as np

PRINT_SIDE = 32  # a photo's print is so many grey cells wide and high
DECODED = 128  # pixels: a large JPEG is decoded no larger
# Of the spread of a photo's cells: none of its twin's differs by more. Over 420 real photos, one
# that is saved again at two thirds of its size and quality 50 differs by up to 0.6, another by 1.2.
LEAST_ALIKE = 0.8


@dataclass(frozen=True)
class Print:
    """What a photo is known by again: the digest of its file, and its grey cells."""

    digest: bytes
    cells: np.ndarray


def print_of(path: Path) -> Print:
    """Return the print of a photo, which decodes it; raises `ImageError`."""
    import numpy as np
    from PIL import Image

    image, _ = open_photo(path, (DECODED, DECODED))
    with opening(path), open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    grey = image.convert("L").resize((PRINT_SIDE, PRINT_SIDE), Image.Resampling.BILINEAR)
    return Print(digest, np.asarray(grey, np.int16).ravel())


def twins(prints: Sequence[Print]) -> Iterator[tuple[int, int, bool]]:
    """Yield (index, later index, whether byte for byte) of each two that are the same photo.

    Photos whose mean brightness differs by more than a cell may are not compared at all.
    """
    import numpy as np

    if not prints:
        return
    cells = np.stack([each.cells for each in prints])
    means, limits = cells.mean(1), LEAST_ALIKE * cells.std(1)
    for i, mine in enumerate(prints):
        near = i + 1 + np.flatnonzero(np.abs(means[i + 1 :] - means[i]) <= limits[i])
        most = np.abs(cells[near] - mine.cells).max(1, initial=0)
        for j in near[most <= np.minimum(limits[near], limits[i])].tolist():
            yield i, j, mine.digest == prints[j].digest
