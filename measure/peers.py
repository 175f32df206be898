"""Compare the small model with RapidOCR, a general OCR, whose text `find_numbers` searches.

    pip install rapidocr onnxruntime
    python -m measure.peers PHOTOS LABELS.json

LABELS.json is an annotations.json. Prints how many labelled numbers each reads exactly, how many
readings have a check digit that fits, how many of these are right, photos a second on this machine,
and the size of the models. RapidOCR, by its own defaults, reads the whole photo, and then the photo
turned to all four sides: the first turn counts that shows a number which checks.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from commands.command_line import ArgumentParser, command
from container_ocr import ContainerOCR
from containers.basis.errors import UserError
from containers.number.iso6346 import compact, find_numbers, is_valid
from containers.photo.opening import open_photo
from florence.hub import SMALL_FOLDER
from florence.names import SMALL
from measure.evaluate import percent, read_cases

if TYPE_CHECKING:
    from PIL import Image

TURNS = (0, 90, 270, 180)  # degrees: upright first, then on either side, then on its head
Peer = Callable[["Image.Image"], str]  # a photo, and the number that is read on it, or nothing


def likeliest(texts: Iterable[str]) -> str:
    """Return the first number of the texts that checks, or else the first of all, or nothing."""
    found: list[str] = []
    for text in texts:
        numbers = find_numbers(text)
        if numbers and is_valid(numbers[0]):
            return numbers[0]
        found += numbers
    return found[0] if found else ""


def rapid_ocr(turns: Sequence[int]) -> tuple[Peer, int]:
    """Return what reads a photo by RapidOCR at these turns, and its size in bytes.

    Raises `UserError` where it is not installed.
    """
    try:
        import numpy as np
        import rapidocr
    except ModuleNotFoundError:
        raise UserError("not installed: type pip install rapidocr onnxruntime") from None
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    engine = rapidocr.RapidOCR()

    def text_on(photo: Image.Image) -> str:
        pixels = np.asarray(photo)[:, :, ::-1]  # it takes what OpenCV opens: BGR
        return "\n".join(engine(np.ascontiguousarray(pixels)).txts or ())

    def read(photo: Image.Image) -> str:
        return likeliest(text_on(photo.rotate(turn, expand=True)) for turn in turns)

    return read, size_of(Path(rapidocr.__file__).parent / "models", "*.onnx")


def small_model() -> tuple[Peer, int]:
    """Return what reads a photo by the small model, and its size in bytes."""
    reader = ContainerOCR(SMALL)
    size = size_of(SMALL_FOLDER, "*.safetensors")
    return lambda photo: compact(reader.read(photo).number or ""), size


def size_of(folder: Path, pattern: str) -> int:
    """Return how many bytes the files of a folder take."""
    return sum(path.stat().st_size for path in folder.glob(pattern))


def row(name: str, peer: Peer, size: int, photos: dict[str, str]) -> str:
    """Read the photos, and return a line of the table."""
    start = time.perf_counter()
    pairs = [(peer(open_photo(path)[0]), number) for path, number in photos.items()]
    pace = len(pairs) / (time.perf_counter() - start)
    valid = [(read, number) for read, number in pairs if is_valid(read)]
    exact, right = (sum(read == number for read, number in some) for some in (pairs, valid))
    cells = percent(exact, len(pairs)), percent(len(valid), len(pairs)), percent(right, len(valid))
    return f"| {' | '.join((name, *cells, f'{pace:.1f}', f'{size / 1e6:.0f}'))} |"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    parser.add_argument("photos", help="folder of the photos")
    parser.add_argument("labels", help="their labels, as in annotations.json")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Read the labelled photos by each, and print the table."""
    known = read_cases(Path(args.photos), Path(args.labels))
    photos = {path: compact(number) for path, (_, number) in known.items()}
    peers = {
        "RapidOCR, the whole photo": rapid_ocr(TURNS[:1]),
        "RapidOCR, four turns": rapid_ocr(TURNS),
        "the small model": small_model(),
    }
    print("| what reads | exact | valid | of these right | photos a second | MB |")
    print("|---|---|---|---|---|---|")
    for name, (peer, size) in peers.items():
        print(row(name, peer, size, photos), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
