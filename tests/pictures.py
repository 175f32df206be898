"""Take the pictures that the guides show, of what the project really shows.

python tests/pictures.py label_page.png
"""

import json
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from browser import ALONE, LAPTOP, chromium
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from container_ocr import ContainerOCR
from containers.label_book import LabelBook
from containers.label_server import LabelServer
from containers.labels import PARTS, TODO
from containers.suggestions import suggestion_of

PHOTOS, LABELLED = 6, 3  # of the samples, and how many of them have their label


def label_page(picture: Path, size: dict = LAPTOP, language: str = "en-US") -> None:
    """Save a screenshot of the page for labelling: samples, with the small model's suggestions."""
    entries = json.loads((ROOT / "demo/annotations.json").read_text())["images"][:PHOTOS]
    reader = ContainerOCR(str(ROOT / "demo/model"), device="cpu", dtype="fp32")
    with tempfile.TemporaryDirectory() as folder:
        for place, entry in enumerate(entries):
            copy = Path(folder) / entry["image_path"]
            copy.parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / entry["image_path"], copy)
            if place >= LABELLED:
                entry |= dict.fromkeys(("container_number", *PARTS), TODO)
                entry["suggestion"] = suggestion_of(reader.read(copy), "demo/model")
        path = Path(folder) / "annotations.json"
        path.write_text(json.dumps({"images": entries}))
        with LabelServer(LabelBook(path)) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            photograph(server.address, "#photo img", picture, size, language)
            server.shutdown()


def photograph(address: str, awaited: str, picture: Path, size: dict, language: str) -> None:
    """Save a screenshot of a page on which something is awaited."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ALONE)
        page = browser.new_page(**size, locale=language)
        page.goto(address)
        page.locator(awaited).wait_for()
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    label_page(Path(sys.argv[1]))
