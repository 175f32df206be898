"""Render labelled photos of container yards: synthetic, seeded, as many as you like.

    python -m demo.render --count 500 --seed 7 --output DIR [--layout vertical] [--views 3]

Writes DIR/image/*.jpg and DIR/annotations.json, labelled by construction in the form that
prepare_dataset.py and batch_process.py take. The same count, seed and layout give the same
photos.

A photo is made as the real one is. The faces of a container are painted and written on, rust and
shadow come over them (panels.py, walls.py); it stands in a yard among others (scenes.py); a camera
looks at it from somewhere, near or far, through a lens, by day or by night (camera.py). Every
number is valid ISO 6346, most with the prefix of a real owner.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start("demo/requirements.txt")

import argparse
import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from commands.command_line import ArgumentParser, command
from commands.flags import positive, seed
from containers.basis.files import relative_path, write_json, writing
from containers.basis.talk import counted, log
from containers.data.labels import PARTS
from containers.number.iso6346 import split_number
from demo.drawing import yards
from demo.drawing.boxes import in_frame
from demo.drawing.develop import develop
from demo.drawing.kinds import KINDS, PLAIN, Kind
from demo.drawing.letters import Line
from demo.drawing.markings import draw_number
from demo.drawing.panels import Coat, random_coat
from demo.teaching import samples

LAYOUTS = ("horizontal", "two-line", "vertical")
SIDES = {"near": "BACK", "far": "FRONT", "left": "LEFT", "right": "RIGHT", "roof": "BACK"}
LONGEST_SIDE = 1024  # of a photo, in pixels
SHARE = (0.22, 0.6)  # of a photo's width that the number takes at distance 1


@dataclass(frozen=True)
class Photo:
    """A rendered photo with the number that is on it."""

    image: Image.Image  # RGB
    jpeg: bytes
    side: str  # of the container, as file names have it
    lines: tuple[Line, ...]  # the number, where there is one; in shares of the photo's sides

    @property
    def number(self) -> str:
        """Return the number as painted: CSQU 305438 3; empty where there is none."""
        return self.lines[0].text if self.lines else ""


def label(number: str) -> dict[str, str]:
    """Return the keys of annotations.json for a number as painted; where none is, all are TODO."""
    if not number:
        return dict.fromkeys(("container_number", *PARTS), "TODO")
    return {"container_number": number} | dict(zip(PARTS, split_number(number), strict=True))


def take_photo(
    rng: np.random.Generator, coat: Coat, layout: str, distance: float = 1.0, kind: Kind = PLAIN
) -> Photo:
    """Return a photo of a container whose number is painted in this layout."""
    if layout == "two-line" and rng.random() < 0.25:
        layout = "three-line"
    scene = yards.new_scene(rng, coat, layout, rng.uniform(*SHARE) / distance, kind)
    window = samples.whole(scene)
    native = kind.sizes or kind.squared  # these are as small as they are
    scale = 1.0 if native else LONGEST_SIDE / max(window.width, window.height)
    size = round(window.width * scale), round(window.height * scale)
    seen = scene.render(window, 2 * size[0], 2 * size[1])
    seen = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
    seen = develop(rng, seen, 1.2, gentle=True, kind=kind)
    jpeg = io.BytesIO()
    Image.fromarray(seen).save(jpeg, "JPEG", quality=int(rng.integers(70, 92)))
    numbers = [line for line in scene.seen_lines() if line.line.is_number]
    numbers = [line for line in numbers if in_frame(line, scene.camera.size)]
    numbers.sort(key=lambda line: -line.pitch)
    lines = tuple(samples.in_window(line, window)[0] for line in numbers[:1])
    image = Image.open(jpeg).convert("RGB")
    return Photo(image, jpeg.getvalue(), SIDES[scene.target], lines)


def render_series(
    count: int,
    seed: int,
    layout: str = "mixed",
    views: int = 1,
    distance: float = 1.0,
    kind: str = "plain",
) -> Iterator[tuple[str, Photo]]:
    """Yield `count` photos with their file names: CONTAINER_SIDE_VIEW.jpg, as 000207_LEFT_1.jpg.

    Each container is seen in one to `views` photos that follow each other, each painted in the
    layout, or for mixed in one that is drawn; none: without a number.
    """
    name, left = 0, 0
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        if left == 0:
            name, view, left = name + 1, 0, int(rng.integers(1, views + 1))
            number = "" if layout == "none" else draw_number(rng)
            coat = random_coat(rng, number, KINDS[kind].foreign)
        chosen = LAYOUTS[rng.integers(len(LAYOUTS))] if layout in ("mixed", "none") else layout
        left, view = left - 1, view + 1
        photo = take_photo(rng, coat, chosen, distance, KINDS[kind])
        yield f"{name:06d}_{photo.side}_{view}.jpg", photo


# ---- command line -----------------------------------------------------------------------------


def distance(text: str) -> float:
    """Parse a flag's value from 1 to 10."""
    with contextlib.suppress(ValueError):
        if 1 <= float(text) <= 10:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 10")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    add = parser.add_argument
    add("--count", type=positive, default=100, help="how many photos")
    add("--seed", type=seed, default=0, help="the same seed gives the same photos")
    add("--output", required=True, help="folder for image/*.jpg and annotations.json")
    layouts = (*LAYOUTS, "mixed", "none")
    add("--layout", choices=layouts, default="mixed", help="how numbers are painted; none: nowhere")
    add("--kind", choices=KINDS, default="plain", help="draw one kind of photos only: kinds.py")
    add("--distance", type=distance, default=1.0, help="at 2, numbers look half as big")
    add("--views", type=positive, default=1, help="at most so many photos of one container")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Render the photos and write them with their labels; return the exit code."""
    folder = Path(args.output)
    images = []
    flags = args.count, args.seed, args.layout, args.views, args.distance, args.kind
    for name, photo in render_series(*flags):
        path = folder / "image" / name
        with writing(path):
            path.write_bytes(photo.jpeg)
        images.append({"image_path": relative_path(path), **label(photo.number)})
    write_json(folder / "annotations.json", {"images": images})
    count = counted(args.count, "photo")
    log.info(f"rendered {count}: {folder / 'image'}, {folder / 'annotations.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
