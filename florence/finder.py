"""The small model beside the one that reads: it finds the number, and is asked where to look."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import FlagError, ImageError
from containers.basis.files import relative_path
from containers.basis.talk import log
from containers.photo.looks import LOOKS, Found, Search
from florence.adapter import Base
from florence.devices import dtype_of
from florence.hub import SMALL_FOLDER, folder_of
from florence.loading import load_checkpoint
from florence.model_folder import count_weights, weight_files, weights_digest
from florence.names import NO_FINDER, SMALL
from florence.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Iterable


def finder_folder(finder: str | None, folder: Path) -> Path | None:
    """Return the folder of the finder that is asked for, for a reader whose files are in `folder`.

    None: the model finds for itself, since it is asked to, is the finder, or is no larger than the
    one that ships where none is asked for. Raises `FlagError`.
    """
    if finder == NO_FINDER:
        return None
    if finder is None:
        larger = count_weights(folder) > count_weights(SMALL_FOLDER)
        return SMALL_FOLDER if larger else None
    found = Path(folder_of(finder))
    if not found.is_dir():
        raise FlagError(f"finder {finder} is neither a folder nor {SMALL} nor {NO_FINDER}")
    return None if are_same(found, folder) else found


def are_same(one: Path, other: Path) -> bool:
    """Tell whether two folders hold the same weights; large ones are not read for that."""
    sizes = [[path.stat().st_size for path in weight_files(folder)] for folder in (one, other)]
    return sizes[0] == sizes[1] and weights_digest(one) == weights_digest(other)


def describe_finder(finder: str | None, folder: Path) -> list[str]:
    """Return what the first line of a result file says of the finder, if there is one."""
    found = finder_folder(finder, folder)
    return [f"finder {Base.at(str(found), found)}"] if found else []


def load_finder(finder: str | None, folder: Path, reader: Reader) -> Reader | None:
    """Return what finds the numbers for a reader whose files are in `folder`; print who does what.

    It runs where the reader does and as precisely, and looks as often as it may.
    """
    found = finder_folder(finder, folder)
    if found is None:
        return None
    network, processor = load_checkpoint(found, dtype_of(reader.model))
    network = network.to(reader.model.device).eval()
    log.info(
        f"finder: {relative_path(found)} finds the number on each photo, the model reads it there"
    )
    return Reader(network, processor, replace(reader.options, looks=LOOKS))


def found_by(searches: Iterable[Search | ImageError]) -> Iterator[Found | None]:
    """Yield what a finder's searches have found; None where nothing, or no photo to open."""
    for search in searches:
        if isinstance(search, Search) and search.found_something:
            yield Found(search.best, search.lead[0].place, search.size)
        else:
            yield None
