"""Make the pictures that the guides show, of what the project really shows.

    python -m measure.pictures docs/pictures

The small model reads sample photos, learns from them for a few epochs and reads them again, by the
commands of the guide, in a folder that is thrown away.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # before the other imports, which may fail and take a while
    from commands.start import start

    start("tests/requirements.txt")

import argparse
import contextlib
import io
import json
import shutil
import tempfile
import threading
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import sync_playwright

import batch_process
import finetune_florence
import prepare_dataset
from commands.command_line import ArgumentParser, command
from container_ocr import ContainerOCR
from containers.basis.errors import UserError
from containers.basis.talk import show
from containers.data.label_book import LabelBook
from containers.data.labels import PARTS, TODO
from containers.data.suggestions import suggestion_of
from containers.number.reading import Reading
from containers.pages.label_server import LabelServer
from containers.photo.opening import open_photo
from measure.chromium import ABSENT, ALONE, chromium

ROOT = Path(__file__).parents[1]
MODEL = "small_model"
SAMPLES = slice(26, 76)  # of demo/annotations.json: 50 photos, all views of their containers
TUNING = f"--model {MODEL} --epochs 8 --patience 8 --looks 4"
# The photos that the guides begin with: the first three of these that are read right.
READ = "25_BACK_2 24_RIGHT_3 37_LEFT_1 28_BACK_1 25_BACK_3 20_LEFT_2 14_RIGHT_2"
TO_LABEL = "36_LEFT_1 28_BACK_1 25_BACK_1 37_LEFT_1 25_BACK_3 24_RIGHT_3"
LABELLED = 3  # of TO_LABEL
HEIGHT, CAPTION = 440, 70  # pixels of a photo, and of what is said below it
FRAME_ROOM = 8  # pixels between a number and its frame
GREEN, DARK, GREY = "#2ee66b", "#16202b", "#5c6b7a"
LABELS = {"viewport": {"width": 1366, "height": 768}}  # a window of a laptop
REPORT = {"viewport": {"width": 1240, "height": 1400}}  # taller, for more of the page
PAGE_WIDTH = 1100  # pixels of the picture of a page
LARGEST_FILE = 150_000  # bytes of a picture
# Whether two syllables look different: where no font has them, both are the same box.
SHOWS_KOREAN = """["가", "나"].map(syllable => {
    const canvas = Object.assign(document.createElement("canvas"), {width: 40, height: 40});
    canvas.getContext("2d").fillText(syllable, 10, 20);
    return canvas.toDataURL();
}).reduce((one, other) => one !== other)"""


def make_pictures(folder: Path) -> None:
    """Write all pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as workplace, contextlib.chdir(workplace):
        truth = lay_out_samples()
        reader = ContainerOCR(MODEL, device="cpu")
        save(read_photos(reader, truth), folder / "reading.webp")
        to_label = suggest(reader, truth)
        for name, language in (("label_page", "en-US"), ("label_page.ko", "ko-KR")):
            save(label_page(to_label, language), folder / f"{name}.webp")
        tune_and_compare()
        address = Path("report.html").resolve().as_uri()
        save(screenshot(address, ".card img >> nth=0", REPORT), folder / "report.webp")
        save(Image.open("florence-container-lora/training_curve.png"), folder / "curve.webp")


def lay_out_samples() -> dict[str, dict]:
    """Lay the small model, photos and their labels into the working directory; return these."""
    shutil.copytree(ROOT / MODEL, MODEL)
    entries = json.loads((ROOT / "demo/annotations.json").read_text())["images"][SAMPLES]
    Path("image").mkdir()
    for entry in entries:
        shutil.copy(ROOT / entry["image_path"], entry["image_path"])
    Path("annotations.json").write_text(json.dumps({"images": entries}))
    return {entry["image_path"]: entry for entry in entries}


def photos(names: str) -> list[str]:
    """Return the image paths of samples: image/000020_BACK_1.jpg of 20_BACK_1."""
    return [f"image/0000{name}.jpg" for name in names.split()]


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture as WebP, of at most `LARGEST_FILE` bytes."""
    picture = picture.convert("RGB")
    if picture.width > PAGE_WIDTH:
        height = round(picture.height * PAGE_WIDTH / picture.width)
        picture = picture.resize((PAGE_WIDTH, height), Image.Resampling.LANCZOS)
    for quality in (90, 80, 70, 60, 50):
        picture.save(path, quality=quality, method=6)
        if path.stat().st_size <= LARGEST_FILE:
            show(f"{path}: {picture.width}x{picture.height}, {path.stat().st_size:,} bytes")
            return
    raise UserError(f"{path}: more than {LARGEST_FILE:,} bytes")


def read_photos(reader: ContainerOCR, truth: dict[str, dict]) -> Image.Image:
    """Draw photos side by side, each with the place where its number was found, and what it is."""
    panels = []
    for path in photos(READ):
        reading = reader.read(path)
        if reading.status == "ok" and reading.number == truth[path]["container_number"]:
            panels.append(panel(path, reading))
        if len(panels) == 3:
            break
    else:
        raise UserError("the model reads too few of these photos right: name others in READ")
    gap = 12
    width = sum(p.width for p in panels) + gap * (len(panels) - 1)
    picture, left = Image.new("RGB", (width, HEIGHT + CAPTION), "white"), 0
    for drawn in panels:
        picture.paste(drawn, (left, 0))
        left += drawn.width + gap
    return picture


def panel(path: str, reading: Reading) -> Image.Image:
    """Return a photo with its number framed, above what was read."""
    photo, _ = open_photo(path)
    scale = HEIGHT / photo.height
    photo = photo.resize((round(photo.width * scale), HEIGHT), Image.Resampling.LANCZOS)
    frame = wider([complex(x, y) * scale for x, y in reading.box])
    picture = Image.new("RGB", (photo.width, HEIGHT + CAPTION), "white")
    picture.paste(photo)
    draw = ImageDraw.Draw(picture)
    for colour, width in ((DARK, 7), (GREEN, 4)):
        draw.line([*frame, *frame[:2]], fill=colour, width=width, joint="curve")
    said = f"{reading.status}, {reading.confidence:.0%} sure"
    draw.text((2, HEIGHT + 8), reading.number or "", DARK, ImageFont.load_default(28))
    draw.text((2, HEIGHT + 44), said, GREY, ImageFont.load_default(18))
    return picture


def wider(box: Sequence[complex]) -> list[tuple[float, float]]:
    """Return the corners of a box with room round it, so that a frame hides no character."""
    along, down = (FRAME_ROOM * (box[i] - box[0]) / abs(box[i] - box[0]) for i in (1, 3))
    sides = (-along - down, along - down, along + down, down - along)
    return [((corner + side).real, (corner + side).imag) for corner, side in zip(box, sides)]


def suggest(reader: ContainerOCR, truth: dict[str, dict]) -> Path:
    """Write annotations of which some are labelled, and the others have a suggestion."""
    entries = [dict(truth[path]) for path in photos(TO_LABEL)]
    for entry in entries[LABELLED:]:
        entry |= dict.fromkeys(("container_number", *PARTS), TODO)
        entry["suggestion"] = suggestion_of(reader.read(entry["image_path"]), MODEL)
    path = Path("to_label.json")
    path.write_text(json.dumps({"images": entries}))
    return path


def label_page(annotations: Path, language: str) -> Image.Image:
    """Return a screenshot of the page for labelling."""
    with LabelServer(LabelBook(annotations)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            return screenshot(server.address, "#photo img", LABELS, language)
        finally:
            server.shutdown()


def screenshot(address: str, awaited: str, size: dict, language: str = "en-US") -> Image.Image:
    """Return a screenshot of a page on which something is awaited."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ALONE)
        page = browser.new_page(**size, locale=language)
        page.goto(address)
        page.locator(awaited).wait_for()
        if language == "ko-KR" and not page.evaluate(SHOWS_KOREAN):
            raise UserError("no Korean font (Debian and Ubuntu: apt-get install fonts-nanum)")
        taken = page.screenshot()
        browser.close()
    return Image.open(io.BytesIO(taken))


def tune_and_compare() -> None:
    """Read the samples, learn from them, read them again and make the page that compares."""
    for script, line in (
        (prepare_dataset, "--mode prepare"),
        (batch_process, f"./image --model {MODEL} --output results_base.jsonl"),
        (finetune_florence, TUNING),
        (
            batch_process,
            "./image --lora_path ./florence-container-lora --output results_finetuned.jsonl",
        ),
        (
            batch_process,
            "--compare results_base.jsonl results_finetuned.jsonl --report report.html",
        ),
    ):
        if script.main(line.split()):
            raise UserError(f"failed: {script.__name__} {line}")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's flags."""
    parser = ArgumentParser(__doc__)
    parser.add_argument("folder", help="where the pictures go")
    return parser


@command(build_parser)
def main(args: argparse.Namespace) -> int:
    """Make the pictures; without a browser none is begun."""
    if chromium() is None:
        raise UserError(ABSENT)
    make_pictures(Path(args.folder).resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
