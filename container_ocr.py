"""Read the number painted on a shipping container (ISO 6346, `CSQU 305438 3`) with Florence-2.

    python container_ocr.py photo.jpg
    python container_ocr.py a.jpg b.jpg --lora_path ./florence-container-lora --json
    python container_ocr.py --check_model

prints one line per photo: image, number, status, confidence and the model's raw text, tab-separated
(or one JSON object per photo); or whether the model works here. Status is `ok` (a number that
checks), `review` (look at it: the reason follows), `none` (no number) or `error` (not readable).

From Python:

    from container_ocr import ContainerOCR, FinetunedContainerOCR, find_numbers, is_valid
    reading = FinetunedContainerOCR("./florence-container-lora").read("photo.jpg")
    reading.number, reading.is_valid, reading.confidence   # 'CSQU 305438 3', True, 0.97

Each photo is read twice, freely and inside ISO 6346, where the model can write only valid numbers.
A number in the free text that checks is the number; otherwise the likeliest valid one is offered as
a `review` that says what the text has instead. What is not `ok` is looked at again, nearer.
"""

from __future__ import annotations

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import functools
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import tee
from typing import Any

from commands.command_line import ArgumentParser, command
from commands.flags import add_model_flags, add_reading_flags, require_photos
from containers.basis.errors import ImageError
from containers.basis.talk import beside_bars, log
from containers.data.result import Result, kept
from containers.data.result_lines import as_json, tabbed
from containers.number.iso6346 import check_digit, find_numbers, is_valid
from containers.number.owners import known_owner_codes
from containers.number.reading import Reading
from containers.number.reasons import OTHER, Reason
from containers.number.review import REVIEW_BELOW
from containers.number.size_type import find_size_type
from containers.photo.look_pace import LookPace
from containers.photo.looks import Found, ReadingOptions, Search
from containers.photo.opening import Photo, check_image
from containers.photo.search import OnLooks
from containers.photo.workers import worker_count, workers
from florence.adapter import base_folder, base_model
from florence.devices import LESS_MEMORY, choose_batch_size, choose_looks, out_of_memory
from florence.finder import found_by, load_finder
from florence.loading import load_model, require_model
from florence.model_check import print_check
from florence.reader import Reader

__all__ = [
    "ContainerOCR",
    "FinetunedContainerOCR",
    "Reading",
    "check_digit",
    "find_numbers",
    "find_size_type",
    "is_valid",
    "load_model",
]


class ContainerOCR(Reader):
    """Read container numbers with Florence-2, loaded once.

    `model` is a hub id, a folder, or `small`, the one that ships; `revision` a commit or branch of
    the id, `lora_path` an adapter made by finetune_florence.py. A number less sure than
    `review_below`, or of an owner not among `owner_codes` (default: common ones and the adapter's;
    none: any), is for review. What is not `ok` is looked at again, nearer, up to `looks` times: by
    default as fits model and device. `finder`, a folder or `small`, says where to look (default:
    the small one, for larger models); `none`: the model finds for itself.
    """

    def __init__(
        self,
        model: str | None = None,
        lora_path: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        review_below: float = REVIEW_BELOW,
        looks: int | None = None,
        owner_codes: Collection[str] | None = None,
        revision: str | None = None,
        finder: str | None = None,
    ):
        base = base_model(model, lora_path)
        network, processor = load_model(base, lora_path, device, dtype, revision)
        looks = looks or choose_looks(network.num_parameters(), network.device.type)
        known = known_owner_codes(adapter=lora_path) if owner_codes is None else owner_codes
        options = ReadingOptions(looks, review_below, frozenset(known))
        super().__init__(network, processor, options)
        self.finder = load_finder(finder, base_folder(model, lora_path, revision), self)

    def read(self, photo: Photo) -> Reading:
        """Return the reading of one photo: file, PIL image or RGB array; raises `ImageError`."""
        return self.read_batch([photo])[0]

    def read_batch(self, photos: Sequence[Photo]) -> list[Reading]:
        """Return the readings of photos, in order; each is read as if it were alone."""
        readings = []
        for reading in self.read_stream(photos, len(photos)):
            if isinstance(reading, ImageError):
                raise reading
            readings.append(reading)
        return readings

    def read_stream(
        self,
        photos: Iterable[Photo],
        batch_size: int,
        pool: Executor | None = None,
        on_looks: OnLooks | None = None,
    ) -> Iterator[Reading | ImageError]:
        """Yield the reading of each photo, in order, or why it cannot be opened."""
        for search in self.search(photos, batch_size, pool, None, on_looks):
            yield search.best if isinstance(search, Search) else search

    def search(
        self,
        photos: Iterable[Photo],
        batch_size: int,
        pool: Executor | None = None,
        numbers: Iterable[str] | None = None,
        on_looks: OnLooks | None = None,
        found: Iterable[Found | None] | None = None,
    ) -> Iterator[Search | ImageError]:
        """Yield what `Reader.search` does; the finder looks first where nothing was `found` yet."""
        if self.finder and not found:
            photos, same = tee(photos)
            found = found_by(self.finder.search(same, batch_size, pool))
        return super().search(photos, batch_size, pool, numbers, on_looks, found)


class FinetunedContainerOCR(ContainerOCR):
    """Read container numbers with a LoRA adapter, on the model that it was trained on."""

    def __init__(
        self,
        lora_path: str = "./florence-container-lora",
        model: str | None = None,
        **options: Any,
    ):
        super().__init__(model, lora_path, **options)


def read_images(
    paths: Iterable[str],
    batch_size: int | None,
    reader: Callable[[], ContainerOCR],
    on_looks: OnLooks | None = None,
) -> Iterator[tuple[str, Reading]]:
    """Yield (path, reading) in order; an image that cannot be read gives an `error` reading.

    `reader` is called when the first good image asks for it: loading a model takes seconds. Without
    a batch size it is the device's. `on_looks` is told of each batch of looks.
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
    with out_of_memory(LESS_MEMORY):
        ocr = reader()
        batch_size = batch_size or choose_batch_size(ocr.model.device.type, ocr.size)
        count = 0 if ocr.is_slow else worker_count(len(paths), ocr.model.device.type)
        with workers(count) as pool:
            readings = ocr.read_stream(paths, batch_size, pool, on_looks)
            for path, seen in zip(paths, readings):
                yield path, seen if isinstance(seen, Reading) else error_reading(path, seen)


def error_reading(path: str, error: ImageError) -> Reading:
    """Return the reading of an image that cannot be opened, and say why."""
    log.error(f"{path}: {error}")
    return Reading(status="error", reasons=(Reason(OTHER, (str(error),)),))


def reader_of(args: argparse.Namespace) -> Callable[[], ContainerOCR]:
    """Return a function that loads, once, the reader that the flags ask for."""
    owner_codes = known_owner_codes(args.owner_codes, args.only_owner_codes, args.lora_path)
    model = args.model, args.lora_path, args.device, args.dtype
    review = args.review_below, args.looks, owner_codes
    return functools.cache(lambda: ContainerOCR(*model, *review, args.revision, args.finder))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    parser.add_argument("images", nargs="*", metavar="photo.jpg", help="photos to read")
    add_model_flags(parser)
    add_reading_flags(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per photo")
    check = "show by sample photos whether the model works here, and what that takes"
    parser.add_argument("--check_model", action="store_true", help=check)
    return parser


@command(build_parser, go_on="the lines above are whole; run it again for the rest")
def main(args: argparse.Namespace) -> int:
    """Read photos and print a line for each; exit code 1 if any could not be read."""
    require_photos(args)
    require_model(args.model, args.lora_path, args.device, args.revision)
    failed, reader = 0, reader_of(args)
    if args.check_model:
        return print_check(reader(), args.model, args.lora_path, args.revision)
    with LookPace(title="reading", total=len(args.images)) as pace:
        for path, reading in read_images(args.images, 1, reader, pace.look):
            result = Result(path, kept(reading))
            with beside_bars():
                print((as_json if args.json else tabbed)(result), flush=True)
            failed += reading.status == "error"
            pace.update()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
