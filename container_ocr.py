"""Read the number painted on a shipping container (ISO 6346, `CSQU 305438 3`) with Florence-2.

    python container_ocr.py photo.jpg
    python container_ocr.py a.jpg b.jpg --lora_path ./florence-container-lora --json

prints one line per photo: image, number, status, confidence and the model's raw text, tab-separated
(or one JSON object per photo). Status is `ok` (a number that checks), `review` (look at it: the
reason follows), `none` (no number) or `error` (the image could not be read).

From Python:

    from container_ocr import ContainerOCR, FinetunedContainerOCR, find_numbers, is_valid
    reading = FinetunedContainerOCR("./florence-container-lora").read("photo.jpg")
    reading.number, reading.is_valid, reading.confidence   # 'CSQU 305438 3', True, 0.97

Each photo is read twice from one pass of the vision tower: freely, and inside ISO 6346, where the
model can write nothing but valid numbers. A number in the free text that checks is the number;
otherwise the likeliest valid one is offered as a `review` that says what the text has instead, so
nothing is invented or repaired in silence. What is not `ok` is cut out and read again, larger.

This is the one module that the other three scripts share.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from containers.command_line import ArgumentParser, command, say
from containers.errors import ImageError
from containers.flags import add_model_flags, add_reading_flags
from containers.iso6346 import check_digit, find_numbers, is_valid
from containers.owners import read_owner_codes
from containers.photos import check_image, load_image, opening, to_rgb
from containers.places import Box, cut_out
from containers.reading import Reading
from containers.results import format_row
from containers.review import REVIEW_BELOW, SEVERAL, interpret
from containers.streaming import ahead, submit, worker_count, workers
from florence.adapter import base_model
from florence.checkpoint import load_model, require_model
from florence.decoding import look, transcribe
from florence.devices import is_out_of_memory, out_of_memory
from florence.gaze import find_places
from florence.inputs import PROMPT, input_size, prepare_inputs

if TYPE_CHECKING:  # heavy: imported where an image is really needed
    from PIL import Image

__all__ = [
    "ContainerOCR",
    "FinetunedContainerOCR",
    "Reading",
    "check_digit",
    "find_numbers",
    "is_valid",
    "load_model",
]


class ContainerOCR:
    """Read container numbers with Florence-2, loaded once.

    `model` is a hub id or a folder, `lora_path` an adapter made by finetune_florence.py. A number
    less sure than `review_below`, or with an owner that is not among `owner_codes`, where there are
    any, is for review. With `second_look` what is not `ok` is cut out and read again.
    """

    def __init__(
        self,
        model: str | None = None,
        lora_path: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        review_below: float = REVIEW_BELOW,
        second_look: bool = True,
        owner_codes: Collection[str] = (),
    ):
        base = base_model(model, lora_path)
        self.model, self.processor = load_model(base, lora_path, device, dtype)
        self.size = input_size(self.processor)
        self.most_at_once = sys.maxsize  # photos in a batch; less, once memory has run out
        self.review_below, self.second_look = review_below, second_look
        self.owner_codes = frozenset(owner_codes)

    def read(self, image: str | Path | Image.Image) -> Reading:
        """Return the reading of one photo, a file or a PIL image; raises `ImageError`."""
        if not isinstance(image, (str, Path)):
            with opening(getattr(image, "filename", "")):
                image = to_rgb(image)
            return self.read_batch([image])[0]
        ((reading, place),) = self.look_at([load_image(image, self.size)], self.second_look)
        return self.look_again([reading], [cut_out(image, place, self.size) if place else []])[0]

    def read_batch(self, images: Sequence[Image.Image]) -> list[Reading]:
        """Return the readings of RGB images, in order; each is read as if it were alone."""
        seen = self.look_at(images, places=self.second_look)
        crops = [place.closer(image) if place else [] for image, (_, place) in zip(images, seen)]
        return self.look_again([reading for reading, _ in seen], crops)

    def look_again(
        self, readings: list[Reading], crops: Sequence[Sequence[Image.Image]]
    ) -> list[Reading]:
        """Return for each reading the surest of it and those of the crops of the same photo."""
        pictures = [(i, crop) for i, some in enumerate(crops) for crop in some]
        size = max(1, len(readings))
        for start in range(0, len(pictures), size):
            part = pictures[start : start + size]
            seen = self.look_at([crop for _, crop in part], places=False)
            for (i, _), (reading, _) in zip(part, seen):
                readings[i] = max(readings[i], reading, key=lambda r: (r.is_ok, r.confidence))
        return readings

    def look_at(
        self, images: Sequence[Image.Image], places: bool
    ) -> list[tuple[Reading, Box | None]]:
        """Return what one look at each image reads; where asked for and in doubt, its place too.

        Where memory runs out, half as many images are looked at at once, from then on.
        """
        from accelerate.utils.memory import clear_device_cache

        seen = []
        while part := images[len(seen) : len(seen) + self.most_at_once]:
            try:
                seen += self.look_at_once(part, places)
                continue
            except (RuntimeError, MemoryError) as error:
                if len(part) == 1 or not is_out_of_memory(error):
                    raise
            self.most_at_once = half = len(part) // 2
            say(f"warning: out of memory with {len(part)} photos at once: going on with {half}")
            clear_device_cache(garbage_collection=True)  # here: the error holds on to tensors
        return seen

    def look_at_once(
        self, images: Sequence[Image.Image], places: bool
    ) -> list[tuple[Reading, Box | None]]:
        """Return what `look_at` does, all images in one batch."""
        import torch

        with torch.inference_mode():
            inputs = prepare_inputs(self.processor, images, device=self.model.device)
            inputs["pixel_values"] = inputs["pixel_values"].to(self.model.dtype)
            photos = look(self.model, len(images), **inputs)
            transcripts = transcribe(self.model, self.processor, photos)
            readings = [interpret(t, self.review_below, self.owner_codes) for t in transcripts]
            in_doubt = [not (r.is_ok or SEVERAL in r.reason) for r in readings]
            if not places or not any(in_doubt):
                return [(reading, None) for reading in readings]
            numbers = [r.number or next((n for n, _ in r.alternatives), PROMPT) for r in readings]
            boxes = find_places(self.model, self.processor, photos, numbers)
        return [(r, box if doubt else None) for r, box, doubt in zip(readings, boxes, in_doubt)]


class FinetunedContainerOCR(ContainerOCR):
    """Read container numbers with a LoRA adapter, on the model that it was trained on."""

    def __init__(
        self,
        lora_path: str = "./florence-container-lora",
        model: str | None = None,
        **options: object,
    ):
        super().__init__(model, lora_path, **options)


# ---- many photos -----------------------------------------------------------------------------


def read_images(
    paths: Iterable[str], batch_size: int, reader: Callable[[], ContainerOCR]
) -> Iterator[tuple[str, Reading]]:
    """Yield (path, reading) in order; an image that cannot be read gives an `error` reading.

    Photos are opened and squashed in other processes, ahead of the model. What needs a second look
    is cut out there too, while the next batch is read. `reader` is called when the first good image
    asks for it: loading a model takes seconds.
    """
    paths = deque(paths)
    while paths:
        try:
            check_image(paths[0])
            break
        except ImageError as error:
            yield paths[0], error_reading(paths.popleft(), error)
    if not paths:
        return
    with out_of_memory(f"lower --batch_size (now {batch_size}) or use --dtype bf16"):
        ocr, looked = reader(), []
        with workers(worker_count(len(paths), ocr.model.device.type)) as pool:
            opened = ahead(((load_image, path, ocr.size) for path in paths), pool, 2 * batch_size)
            photos = zip(paths, opened)
            while batch := list(islice(photos, batch_size)):
                before, looked = looked, first_look(ocr, batch, pool)
                yield from second_look(ocr, before)
                if all(crops is None or crops.done() for _, _, crops in looked):
                    yield from second_look(ocr, looked)
                    looked = []
            yield from second_look(ocr, looked)


Looked = tuple[str, Reading, Future | None]  # a path, what was read, and the crops to come


def first_look(
    ocr: ContainerOCR, photos: Sequence[tuple[str, Future]], pool: Executor | None
) -> list[Looked]:
    """Return the readings of photos that are being opened; what is in doubt will be cut out."""
    images, looked = {}, {}
    for path, future in photos:
        try:
            images[path] = future.result()
        except ImageError as error:
            looked[path] = error_reading(path, error), None
    seen = ocr.look_at(list(images.values()), places=ocr.second_look) if images else []
    for path, (reading, place) in zip(images, seen):
        looked[path] = reading, place and submit(pool, cut_out, path, place, ocr.size)
    return [(path, *looked[path]) for path, _ in photos]


def second_look(ocr: ContainerOCR, looked: Sequence[Looked]) -> Iterator[tuple[str, Reading]]:
    """Return the path and the surest reading of photos, where crops have been made from these."""
    crops = [future.result() if future else [] for _, _, future in looked]
    readings = ocr.look_again([reading for _, reading, _ in looked], crops)
    return zip([path for path, _, _ in looked], readings)


def error_reading(path: str, error: ImageError) -> Reading:
    """Return the reading of an image that cannot be opened, and say why."""
    say(f"error: {path}: {error}")
    return Reading(status="error", reason=str(error))


# ---- the command -----------------------------------------------------------------------------


def reader_of(args: argparse.Namespace) -> Callable[[], ContainerOCR]:
    """Return a function that loads, once, the reader that the flags ask for."""
    owner_codes = read_owner_codes(args.owner_codes)
    model = args.model, args.lora_path, args.device, args.dtype
    review = args.review_below, args.second_look, owner_codes
    return functools.cache(lambda: ContainerOCR(*model, *review))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    parser.add_argument("images", nargs="+", metavar="photo.jpg", help="photos to read")
    add_model_flags(parser)
    add_reading_flags(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per photo")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Read photos and print a line for each; exit code 1 if any could not be read."""
    require_model(args.model, args.lora_path, args.device)
    failed, reader = 0, reader_of(args)
    for path, reading in read_images(args.images, 1, reader):
        row = reading.row(path)
        print(json.dumps(row, ensure_ascii=False) if args.json else format_row(row), flush=True)
        failed += reading.status == "error"
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
