"""What the tests of the page for labelling share: the command, its page in a tab, and its file."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from browser import Typist
from conftest import ROOT, draw_photo
from playwright.sync_api import expect

from containers.number.iso6346 import check_digit, format_number
from containers.number.owners import known_owner_codes

ANNOTATIONS = Path("annotations.json")


@pytest.fixture
def start(here):
    """Return a function that types `prepare_dataset.py --mode label` and returns the address."""
    running = []

    def type_command(*flags: str) -> str:
        command = [sys.executable, str(ROOT / "prepare_dataset.py"), "--mode", "label", *flags]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        for line in running[-1].stdout:
            if line.startswith("label at "):
                return line.split()[-1]
        raise AssertionError("it ended without an address")

    type_command.running = running
    yield type_command
    for process in running:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        process.stdout.close()


@pytest.fixture
def visit(start, open_tab):
    """Return a function that opens the page in a tab, when its first photo is there."""

    def open_page(*flags: str, **tab) -> Typist:
        page = open_tab(**tab)
        page.goto(start(*flags))
        expect(page.locator("#photo img")).to_be_visible()
        return Typist(page)

    return open_page


def images() -> list[dict]:
    """Return the entries of annotations.json."""
    return json.loads(ANNOTATIONS.read_text(encoding="utf-8"))["images"]


def wait_for_labels(tab, numbers: list[str]) -> None:
    """Wait until the file holds these numbers, in its order."""
    wait_for(tab, "container_number", numbers)


def wait_for(tab, key: str, values: list) -> None:
    """Wait until the entries of the file have these values, None where the key does not stand."""
    for _ in range(200):
        if [entry.get(key) for entry in images()] == values:
            return
        tab.wait_for_timeout(20)
    assert [entry.get(key) for entry in images()] == values


def draw(count: int) -> list[str]:
    """Draw photos; return their numbers, of common owners, so that no word is said of them."""
    rng, owners = random.Random(1), sorted(known_owner_codes())
    codes = [f"{rng.choice(owners)}{rng.randrange(10**6):06d}" for _ in range(count)]
    numbers = [format_number(code + check_digit(code)) for code in codes]
    for place, number in enumerate(numbers):
        draw_photo(Path(f"image/{place:03}.jpg"), number)
    return numbers


def suggest(numbers: list[str], **changes: object) -> None:
    """Write annotations.json with a suggestion for each photo."""
    seen = {"status": "ok", "reason": "", "confidence": 0.9, "box": "8,40 100,40 100,52 8,52"}
    entries = [
        {"image_path": f"image/{place:03}.jpg", "container_number": "TODO"}
        | {"suggestion": {"container_number": number, **seen, **changes}}
        for place, number in enumerate(numbers)
    ]
    ANNOTATIONS.write_text(json.dumps({"made by": "hand", "images": entries}))


def name(tab):
    """Return where the name of the photo stands."""
    return tab.locator("#name")
