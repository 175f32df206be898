"""Measure how well a model reads real photos: by layout, where it is sure, and where it looked.

    python -m measure.evaluate PHOTOS LABELS.json --model small

LABELS.json is an annotations.json; an entry may also have a "layout" and, under "box", where the
number stands, drawn by hand: left, top, right, bottom, in shares of the photo's width and height.
Prints for each layout how many numbers are exact, how many photos are `ok` and how many of these
right; where boxes are given, how many numbers were found, and how many of those not read; then how
many photos were read a second.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start()

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

from commands.command_line import ArgumentParser, command
from commands.flags import add_model_flags, add_reading_flags, positive
from container_ocr import ContainerOCR, read_images, reader_of
from containers.basis.errors import UserError
from containers.data.labels import labelled
from containers.number.iso6346 import compact
from containers.number.reading import Reading
from containers.photo.looks import NEARER
from containers.photo.opening import open_photo
from florence.names import SMALL

COVERED = 0.9  # of a number's box that a window must hold


@dataclass(frozen=True)
class Case:
    """A labelled photo, and what was read of it."""

    path: str
    entry: dict
    number: str
    reading: Reading

    @property
    def is_exact(self) -> bool:
        """Tell whether the number is the label's, character for character."""
        return compact(self.reading.number or "") == compact(self.number)

    @property
    def is_found(self) -> bool:
        """Tell whether the number was read, or the next window would hold its box.

        The box alone does not tell: many a container shows its number in two places.
        """
        if self.is_exact or not self.reading.box:
            return self.is_exact
        _, (width, height) = open_photo(self.path)
        left, top, right, bottom = self.entry["box"]
        sides = []
        shares = zip(*self.reading.box), (width, height), ((left, right), (top, bottom))
        for places, size, (start, end) in zip(*shares):
            middle = (max(places) + min(places)) / 2 / size
            half = NEARER[0][0] * (max(places) - min(places)) / 2 / size
            inside = min(end, middle + half) - max(start, middle - half)
            sides.append(max(0.0, inside) / (end - start))
        return sides[0] * sides[1] >= COVERED


def percent(part: int, whole: int) -> str:
    """Return a share with its count; nothing of nothing is a dash."""
    return f"{100 * part / whole:.1f} % ({part})" if whole else "-"


def sure_cells(cases: Sequence[Case]) -> list[str]:
    """Return how many photos are `ok`, and how many of these right."""
    sure = [case for case in cases if case.reading.is_ok]
    right = sum(case.is_exact for case in sure)
    return [percent(len(sure), len(cases)), percent(right, len(sure))]


def row(name: str, cases: Sequence[Case]) -> str:
    """Return the line of a table on some photos."""
    drawn = [case for case in cases if "box" in case.entry]
    found = [case for case in drawn if case.is_found]
    cells = [
        name,
        str(len(cases)),
        percent(sum(case.is_exact for case in cases), len(cases)),
        *sure_cells(cases),
        percent(len(found), len(drawn)),
        percent(sum(not case.is_exact for case in found), len(found)),
    ]
    return f"| {' | '.join(cells)} |"


def read_cases(folder: Path, labels: Path) -> dict[str, tuple[dict, str]]:
    """Return {photo's path: (entry, number)} of what is labelled; raises `UserError`."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds the photos")
    found = {
        str(folder / e["image_path"]): (e, number) for e, number in labelled(labels, "left out")
    }
    if not found:
        raise UserError(f"nothing in {labels} is labelled")
    return found


def read(
    known: dict[str, tuple[dict, str]], reader: ContainerOCR, batch_size: int
) -> dict[str, Case]:
    """Return what a model reads of labelled photos, by their paths."""
    readings = read_images(list(known), batch_size, lambda: reader)
    return {path: Case(path, *known[path], reading) for path, reading in readings}


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    parser.add_argument("photos", help="folder of the photos")
    parser.add_argument("labels", help="their labels, as in annotations.json")
    add_model_flags(parser)
    add_reading_flags(parser)
    parser.add_argument("--batch_size", type=positive, default=8, help="photos read at once")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Read the labelled photos and print the table."""
    known = read_cases(Path(args.photos), Path(args.labels))
    if not (args.model or args.lora_path):
        args.model = SMALL
    ocr = reader_of(args)()
    start = time.perf_counter()
    cases = list(read(known, ocr, args.batch_size).values())
    seconds = time.perf_counter() - start
    print("| layout | photos | exact | `ok` | of these right | found | found but not read |")
    print("|---|---|---|---|---|---|---|")
    for layout in sorted({case.entry.get("layout", "") for case in cases} - {""}):
        print(row(layout, [case for case in cases if case.entry.get("layout") == layout]))
    print(row("all", cases))
    print(f"\n{len(cases) / seconds:.2f} photos a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
