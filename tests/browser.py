"""A real headless Chromium for the tests of pages: the machine's own, driven like a person.

A test takes the fixture `open_tab` and gets pages of it; one that writes an error to its console,
or asks anything of another machine, fails its test at the end.
"""

import os

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from measure.chromium import ABSENT, ALONE, chromium

LAPTOP = {"viewport": {"width": 1366, "height": 768}}
PHONE = {
    "viewport": {"width": 390, "height": 780},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}


class Typist:
    """Somebody at the keyboard; counts the keys that are pressed."""

    def __init__(self, tab):
        self.tab, self.keys = tab, 0

    def type(self, text: str) -> None:
        """Press the key of each character."""
        self.keys += len(text)
        self.tab.keyboard.type(text)

    def press(self, *keys: str) -> None:
        """Press keys by their names."""
        for key in keys:
            self.keys += 1
            self.tab.keyboard.press(key)


@pytest.fixture(scope="session")
def browser():
    """Start Chromium once for all tests of a process; without one they are skipped, but for CI."""
    program = chromium()
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(ABSENT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ALONE)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(browser: Browser):
    """Return a function that opens an empty tab, `LAPTOP` or `PHONE`, in a language.

    What goes wrong in a tab is listed in its `problems`; what is left there at the end fails the
    test, so one that expects a problem takes it out.
    """
    contexts, problems = [], []

    def open_one(size: dict = LAPTOP, language: str = "en-US") -> Page:
        context = browser.new_context(**size, locale=language)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.problems, page.asked = problems, []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not problems
