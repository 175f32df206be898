"""train.json and val.json: the two sides of a data set, written together or not at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from containers.basis.files import dump_json, relative_path, replacing_all
from containers.basis.outputs import require_apart, require_ours
from containers.data.labels import Example

SIDES = ("train.json", "val.json")


KEYS = ("image", "prefix", "suffix")  # of a row; other programs' rows may have more


def require_replaceable(folder: Path, annotations: Path) -> None:
    """Raise `FlagError` where writing the two sides would lose the labels, or another's file."""
    sides = [("§output_dir", folder / name) for name in SIDES]
    require_apart(sides, [("§annotation_file", annotations)])
    for flag, path in sides:
        require_ours(flag, path, is_data_set, "list of photos and their numbers", -1)


def is_data_set(data: bytes) -> bool:
    """Tell whether a file holds a list of rows like those that are written here."""
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError):
        return False
    is_list = isinstance(rows, list)
    return is_list and all(isinstance(row, dict) and {*KEYS} <= row.keys() for row in rows)


def write_split(folder: Path, sides: Sequence[Sequence[Example]], prompt: str) -> None:
    """Write the training and the validation side in the common Florence-2 format, both or none.

    Of two splits mixed, photos of one container would stand on both sides.
    """
    with replacing_all(*(folder / name for name in SIDES)) as files:
        for file, examples in zip(files, sides):
            dump_json([row_of(example, prompt) for example in examples], file)


def row_of(example: Example, prompt: str) -> dict[str, str]:
    """Return an example as image, prefix and suffix."""
    image = relative_path(example.image_path)
    return dict(zip(KEYS, (image, prompt, example.number)))
