"""What is learnt from: the rows of train.json, and each photo in several lights."""

from __future__ import annotations

import functools
import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import ImageError, UserError
from containers.basis.pace import Pace
from containers.basis.talk import counted, log
from containers.data.edited_json import read_json_file
from containers.data.labels import Example, label_problem, shorten
from containers.number.iso6346 import compact
from containers.photo.files import NO_SUCH_FILE, find_image
from containers.photo.opening import check_image
from containers.photo.windows import Window, see
from containers.photo.workers import MOST_WORKERS, ahead, worker_count, workers
from florence.inputs import PROMPT

if TYPE_CHECKING:
    from PIL import Image

# Light and colour only: what turns, shifts or inverts can cut off or change a number.
READABLE_OPERATIONS = ["AutoContrast", "Equalize"] + [
    f"{name}Increasing" for name in ("Brightness", "Color", "Contrast", "Sharpness")
]
SHIFT, TURN = 0.04, 3.0  # of a window's sides, and degrees, each way


def read_examples(flag: str, name: str) -> list[Example]:
    """Return the examples of train.json or val.json; every bad row and photo is reported.

    Raises `FlagError` where there is no such file, `UserError` where one cannot be trained on.
    """
    path = Path(name)
    rows = read_json_file(path, flag, "make it with prepare_dataset.py --mode prepare")
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path}: needs a list with at least one photo")
    examples, problems = [], []
    with workers(worker_count(len(rows))) as pool:
        tasks = ((read_example, row, path.parent) for row in rows)
        results = Pace(ahead(tasks, pool, 2 * MOST_WORKERS), title="photos", total=len(rows))
        for i, result in enumerate(results, 1):
            try:
                examples.append(result.result())
            except UserError as error:
                problems.append(f"{path}, entry {i}: {error}")
    if len(problems) > 1 and all(problem.endswith(f": {NO_SUCH_FILE}") for problem in problems):
        first = problems[0].removesuffix(f": {NO_SUCH_FILE}").partition(": ")[2]
        count = f"{len(problems)} of its {counted(len(rows), 'photo')}"
        raise UserError(
            f"{path}: {count} are not here, {first} among them: "
            "make it again from yours, python prepare_dataset.py --mode prepare"
        )
    for problem in problems[:-1]:
        log.error(f"{problem}")
    if problems:
        raise UserError(problems[-1])
    return examples


def warn_of_overlap(train: list[Example], val: list[Example]) -> None:
    """Say which photos stand twice, and which containers on both sides: that would test memory.

    Raises `UserError` for a photo with two labels: one of them is wrong.
    """
    labels: dict[str, str] = {}
    for example in (*train, *val):
        key = os.path.realpath(example.image_path)
        other = labels.setdefault(key, example.number)
        if compact(other) != compact(example.number):
            two = f"{other} and {example.number}"
            raise UserError(f"{example.image_path} stands there with two labels, {two}: mend it")
    if twice := len(train) + len(val) - len(labels):
        log.warning(f"{counted(twice, 'photo')} listed more than once")
    if both := sorted({e.container for e in train} & {e.container for e in val}):
        log.warning(
            f"{counted(len(both), 'container')} ({both[0]}) in training and in "
            "validation, which tests memory then: run prepare_dataset.py --mode prepare again"
        )


def read_example(row: object, folder: Path) -> Example:
    """Return one row of a data-set file, its photo checked; raises `UserError`."""
    keys = ("image", "prefix", "suffix")
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in keys):
        raise UserError("needs image, prefix and suffix as text")
    if row["prefix"] != PROMPT:
        raise UserError(f"prefix must be {PROMPT!r}, not {shorten(row['prefix'])!r}")
    if problem := label_problem(row["suffix"]):
        raise UserError(f"suffix {shorten(row['suffix'])!r} {problem}: it must be the number")
    try:
        path = find_image(row["image"], folder)
        check_image(path)
    except ImageError as error:
        raise UserError(f"{row['image']}: {error}") from None
    return Example(path, row["suffix"])


def open_view(example: Example, size: tuple[int, int], view: int, seed: int) -> Image.Image:
    """Return a view of an example's photo of what is learnt of it, always the same.

    Raises `UserError` with the photo's path.
    """
    chance = f"{photo_digest(example.image_path)} {view} {seed}" if view else ""
    window = shake(example.window, chance) if view and example.window else example.window
    try:
        image, _ = see(example.image_path, window, size)
    except ImageError as error:
        raise UserError(f"{example.image_path}: {error}") from None
    return augment(image, chance) if view else image


def shake(window: Window, chance: str) -> Window:
    """Return a window a little aside, larger or smaller, and turned, drawn by the text `chance`."""
    draw = random.Random(chance).uniform
    zoom = draw(0.92, 1.1)
    return Window(
        window.x + draw(-SHIFT, SHIFT) * window.length,
        window.y + draw(-SHIFT, SHIFT) * window.height,
        window.length * zoom,
        window.height * zoom,
        window.angle + draw(-TURN, TURN),
    )


def augment(image: Image.Image, chance: str) -> Image.Image:
    """Return a photo in another light: timm's RandAugment, drawn by the text `chance`.

    Only operations that leave a number readable take part.
    """
    state = random.getstate()
    random.seed(chance)
    try:
        for operation in random.choices(readable_operations(), k=2):
            image = operation(image)
    finally:
        random.setstate(state)
    return image


@functools.cache
def readable_operations() -> list[Callable[[Image.Image], Image.Image]]:
    """Return the operations of timm's RandAugment: factors of about 0.55 or 1.45."""
    from timm.data.auto_augment import rand_augment_ops

    options = {"prob": 1.0, "hparams": {"magnitude_std": 0.5}, "transforms": READABLE_OPERATIONS}
    return rand_augment_ops(magnitude=5, **options)


def photo_digest(path: Path) -> str:
    """Return a name for what is in a photo's file; raises `UserError`."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
