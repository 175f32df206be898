"""train.json and val.json: the two sides of a data set, written together or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from containers.files import dump_json, relative_path, replacing_all
from containers.labels import Example
from containers.outputs import Named

SIDES = ("train.json", "val.json")


def sides_in(folder: Path) -> list[Named]:
    """Return the two files of a data set, as those of the flag that names their folder."""
    return [("--output_dir", folder / name) for name in SIDES]


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
    return {"image": image, "prefix": prompt, "suffix": example.number}
