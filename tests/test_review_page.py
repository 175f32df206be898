"""Tests of the page for reviewing a result file, in a real Chromium, with a person's keys."""

import json
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from browser import LAPTOP, PHONE, Typist
from conftest import NUMBER, OTHER, ROOT, draw_photo, error_line, run, wait_until, write_annotations
from label_page import draw
from playwright.sync_api import expect

import batch_process
from containers.basis.locks import only_writer
from containers.data.book import Book
from containers.data.comparison import read_labels
from containers.data.label_book import LabelBook
from containers.data.result import Result
from containers.data.result_file import MADE_BY
from containers.data.results import read_results, write_results
from containers.data.review_book import ReviewBook
from containers.number.iso6346 import compact
from containers.number.reading import Reading
from containers.number.reasons import Reason
from containers.pages.label_server import LabelServer

RESULTS, LABELS = Path("results.jsonl"), Path("annotations.json")
BOX = ((8, 40), (100, 40), (100, 52), (8, 52))
MADE = f"{MADE_BY}: model tiny"
DOUBTS = (Reason("unsure", ("0.4",)),)
KEYS_RIGHT, KEYS_TYPED = 2, 13  # at most, for a reading that is right and one that is not


def write(numbers: list[str | None], status: str = "review", path: Path = RESULTS) -> None:
    """Write a result file in which a number was read on each photo, None for none."""
    results = [
        Result(
            f"image/{place:03}.jpg",
            Reading(
                number,
                DOUBTS if number and status == "review" else (),
                0.3,
                status=status if number else "none",
                box=BOX,
            ),
        )
        for place, number in enumerate(numbers)
    ]
    write_results(path, MADE, results, "image")


def saved(path: Path = RESULTS) -> list[tuple[str | None, str]]:
    """Return the number and the status of each photo in the file."""
    readings = [result.reading for result in read_results(path)[1]]
    return [(reading.number, reading.status) for reading in readings]


@pytest.fixture
def visit(here, open_tab):
    """Return a function that opens the page of a book in a tab, when its photo is there."""
    servers = []

    def open_page(path: Path = RESULTS, book: type[Book] = ReviewBook, **tab) -> Typist:
        if not servers:
            servers.append(LabelServer(book(path)))
            threading.Thread(target=servers[0].serve_forever, daemon=True).start()
        page = open_tab(**tab)
        page.goto(servers[0].address)
        expect(page.locator("#count")).not_to_have_text("")
        if page.locator("#name").inner_text():
            expect(page.locator("#photo img")).to_be_visible()
        return Typist(page)

    yield open_page
    for server in servers:
        server.shutdown()
        server.server_close()


def wait_for_page(hands: Typist, place: int) -> None:
    """Wait until a photo is shown, as a person does who looks at it."""
    expect(hands.tab.locator("#name")).to_have_text(f"image/{place:03}.jpg")
    expect(hands.tab.locator(f"#photo img[alt='image/{place:03}.jpg']")).to_be_visible()


def test_a_right_reading_takes_two_keys_at_most_and_a_wrong_one_thirteen(visit):
    numbers = draw(10)
    write([*numbers[:5], *numbers[:3], None, None])  # five are right
    hands, keys = visit(), []
    for place, number in enumerate(numbers):
        wait_for_page(hands, place)
        before = hands.keys
        if place >= 5:
            hands.type(compact(number).lower())
        hands.press("Enter")
        keys.append(hands.keys - before)
    assert max(keys[:5]) <= KEYS_RIGHT
    assert max(keys[5:]) <= KEYS_TYPED
    expect(hands.tab.locator("#count")).to_have_text("10 of 10 done")
    expect(hands.tab.locator("#absent")).to_have_text(
        re.compile("All photos have their answer[.]$")
    )
    wait_until(lambda: saved() == [(number, "checked") for number in numbers])
    reasons = [result.reading.reason for result in read_results(RESULTS)[1]]
    assert reasons[0] == f"was {numbers[0]}; confidence below 0.4"
    assert reasons[9] == "was no number"


def test_a_reading_that_does_not_check_is_confirmed_only_by_a_second_key(visit):
    draw(2)
    write(["CSQU 305438 4", NUMBER])
    hands = visit()
    hands.press("Enter")
    expect(hands.tab.locator("#words")).to_contain_text("Painted so? Save again.")
    assert saved()[0] == ("CSQU 305438 4", "review")
    hands.press("Enter")
    wait_for_page(hands, 1)
    wait_until(lambda: saved()[0] == ("CSQU 305438 4", "checked"))


def test_enter_confirms_nothing_where_nothing_was_read_or_no_photo_is_shown(visit):
    numbers = draw(3)
    write([None, *numbers[1:]])
    Path("image/001.jpg").unlink()
    hands = visit()
    hands.press("Enter")
    expect(hands.tab.locator("#absent")).to_have_text("no such file")
    hands.press("Enter", "Enter")
    expect(hands.tab.locator("#words")).to_contain_text("The photo is not here")
    assert [status for _, status in saved()] == ["none", "review", "review"]
    hands.tab.problems.clear()


def test_slash_says_that_nobody_can_read_it_and_the_answer_can_be_taken_back(visit):
    write(draw(2))
    before = RESULTS.read_bytes()
    hands = visit()
    hands.press("/")
    wait_for_page(hands, 1)
    wait_until(lambda: saved()[0] == (None, "checked"))
    hands.press("ArrowUp", "/")
    wait_until(lambda: RESULTS.read_bytes() == before)


def test_the_number_lies_flat_and_large_beside_the_photo_with_its_box(visit):
    from PIL import Image

    Path("image").mkdir()
    photo = Image.new("RGB", (800, 600), "grey")
    photo.paste("red", (200, 250, 600, 300))
    photo.rotate(-30).save("image/000.jpg")
    turned = ((239, 157), (586, 357), (561, 400), (214, 200))  # by 30 degrees
    results = [Result("image/000.jpg", Reading(NUMBER, DOUBTS, 0.3, status="review", box=turned))]
    write_results(RESULTS, MADE, results, "image")
    hands = visit()
    crop = hands.tab.locator("#crop img")
    expect(crop).to_be_visible()
    red = crop.evaluate(
        """image => {
            const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            pen.drawImage(image, 0, 0);
            const { data, width, height } = pen.getImageData(0, 0, canvas.width, canvas.height);
            const xs = [], ys = [];
            for (let i = 0; i < data.length; i += 4) {
                if (data[i] > 180 && data[i + 1] < 80) {
                    xs.push(i / 4 % width);
                    ys.push(Math.floor(i / 4 / width));
                }
            }
            return [Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)];
        }"""
    )
    assert red == pytest.approx([400, 50], abs=8), "it lies flat"
    assert crop.bounding_box()["width"] > 500
    assert hands.tab.locator("#photo polygon").count() == 2
    beside = hands.tab.locator("#stage").bounding_box()
    assert beside["x"] >= crop.bounding_box()["x"] + crop.bounding_box()["width"]


@pytest.mark.parametrize("suffix", [".txt", ".csv", ".xlsx"])
def test_a_file_that_does_not_say_where_numbers_stand_is_reviewed_by_the_whole_photo(suffix, visit):
    path = Path(f"results{suffix}")
    write(draw(1), path=path)
    hands = visit(path)
    expect(hands.tab.locator("#crop")).to_be_hidden()
    hands.type(compact(OTHER))
    hands.press("Enter")
    wait_until(lambda: saved(path) == [(OTHER, "checked")])


def test_what_was_ok_is_under_all_and_can_be_corrected(visit):
    numbers = draw(2)
    write(numbers, "ok")
    hands = visit()
    hands.tab.get_by_text("All", exact=True).click()
    expect(hands.tab.locator("#number")).to_have_value(numbers[0])
    hands.press("Control+a")
    hands.type(compact(NUMBER))
    hands.press("Enter")
    wait_until(lambda: saved() == [(NUMBER, "checked"), (numbers[1], "ok")])
    assert hands.keys <= KEYS_TYPED


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
def test_nothing_is_cut_off_on_a_laptop_or_a_phone_in_korean_too(size, visit):
    write(draw(1))
    tab = visit(size=size, language="ko-KR").tab
    expect(tab.locator("#save")).to_contain_text("맞음, 다음")
    wide, high = size["viewport"]["width"], size["viewport"]["height"]
    assert tab.evaluate("document.documentElement.scrollWidth") == wide
    expect(tab.locator("#crop img")).to_be_visible()
    for part in ("#crop img", "#stage", "#buttons"):
        box = tab.locator(part).bounding_box()
        assert box["width"] >= 100
        assert box["height"] >= 30
        assert box["x"] + box["width"] <= wide
        assert box["y"] + box["height"] <= high
    (tab.locator("#save").tap if size == PHONE else tab.locator("#save").click)()
    expect(tab.locator("#count")).to_have_text("1장 중 1장 완료")


@pytest.mark.parametrize(("path", "book"), [(RESULTS, ReviewBook), (LABELS, LabelBook)])
def test_two_people_begin_apart_lose_nothing_and_see_each_others_answers(path, book, visit):
    numbers = draw(8)
    write([None] * 8)
    write_annotations(LABELS, {f"image/{place:03}.jpg": "TODO" for place in range(8)})
    one, two = visit(path, book), visit(path, book)
    wait_for_page(one, 0)
    wait_for_page(two, 4)
    for place in range(4):
        for hands, at in ((one, place), (two, place + 4)):
            wait_for_page(hands, at)
            hands.type(compact(numbers[at]))
            hands.press("Enter")
    for hands in (one, two):
        expect(hands.tab.locator("#count")).to_have_text("8 of 8 done")
        assert hands.keys <= KEYS_TYPED * 4
    if book is LabelBook:
        assert [label.number for label in read_labels(LABELS).values()] == numbers
    else:
        assert saved() == [(number, "checked") for number in numbers]


def test_two_people_at_one_photo_the_second_is_told_and_overwrites_nothing_unasked(visit):
    write([None] * len(draw(2)))
    one, two = visit(), visit()
    two.press("ArrowUp")
    wait_for_page(two, 0)
    two.type(compact(OTHER))
    one.type(compact(NUMBER))
    one.press("Enter")
    wait_until(lambda: saved()[0] == (NUMBER, "checked"))
    two.press("Enter")
    expect(two.tab.locator("#words")).to_contain_text(f"it has {NUMBER} there. Save again")
    assert saved()[0] == (NUMBER, "checked")
    two.tab.problems.clear()


def test_the_command_serves_the_page_holds_the_file_and_fills_annotations(here, open_tab):
    numbers = draw(2)
    write([NUMBER, None])
    flags = ["--review", str(RESULTS), "--to_labels", "--annotation_file", "a b.json"]
    command = [sys.executable, str(ROOT / "batch_process.py"), *flags]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == f"{RESULTS}: 0 of 2 done\n"
        address = server.stdout.readline().split()[-1]
        for second in (flags, ["image", "--output", str(RESULTS), "--resume", "--model", "small"]):
            found = run("batch_process.py", *second)
            assert found.returncode == 1
            assert f"is being written by process {server.pid}" in error_line(found.stderr)
        hands = Typist(open_tab())
        hands.tab.goto(address)
        wait_for_page(hands, 0)
        hands.press("Enter")
        wait_for_page(hands, 1)
        hands.type(numbers[1])
        hands.press("Enter")
        expect(hands.tab.locator("#absent")).to_contain_text("--annotation_file 'a b.json'")
        wait_until(
            lambda: [status for _, status in saved()] == ["checked"] * 2
        )  # the page is ahead
        hands.tab.close()
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert server.stdout.read() == f"{RESULTS}: 2 of 2 done\n"
    finally:
        server.kill()
        server.stdout.close()
    labels = json.loads(Path("a b.json").read_text())["images"]
    assert [entry["container_number"] for entry in labels] == [NUMBER, numbers[1]]
    with only_writer(RESULTS):
        pass


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ("--review none.txt", 2, "--review none.txt: no such file: type python batch_process.py"),
        ("--review image/000.jpg", 2, "image/000.jpg is no result file"),
        ("--review r.txt --watch", 2, "leave --watch out, type python batch_process.py --review"),
        ("--review r.txt --compare a b", 2, "leave --compare out"),
        ("--review stopped.txt.partial", 2, "its run is not at its end: type python .* --resume"),
        ("--review stopped.txt", 2, "its run is not at its end"),
        ("--review cut.txt", 1, "cut.txt is not whole: .* --resume"),
        (
            "--review grouped.txt",
            1,
            "has a line for each container, not photo: .* --resume --group_by",
        ),
        ("--to_labels", 2, "--to_labels is for --review FILE"),
        ("--port 8765", 2, "--port is for --review FILE"),
    ],
)
def test_what_cannot_be_reviewed_is_one_line_with_the_remedy(flags, code, said, here, capsys):
    draw_photo(Path("image/000.jpg"), NUMBER)
    for name in ("r.txt", "stopped.txt", "stopped.txt.partial", "cut.txt"):
        write([NUMBER], path=Path(name))
    cut = Path("cut.txt").read_text().splitlines(keepends=True)
    Path("cut.txt").write_text("".join(cut[:-1]))
    write_results(Path("grouped.txt"), f"{MADE}, grouped by x", [], "container")
    assert batch_process.main(flags.split()) == code
    assert re.search(said, error_line(capsys.readouterr().err))


def test_photos_that_are_not_here_or_failed_are_said_before_the_page_opens(
    here, capsys, monkeypatch
):
    write(draw(2))
    results = read_results(RESULTS)[1]
    gone = replace(results[0], image="image/gone.jpg")
    failed = Result(
        "image/x.jpg", Reading(status="error", reasons=(Reason("other", ("no such file",)),))
    )
    write_results(RESULTS, MADE, [*results, gone, failed], "image")

    def stop(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(LabelServer, "serve_forever", stop)
    assert batch_process.main(["--review", str(RESULTS)]) == 0
    said = capsys.readouterr().err
    assert "1 photo not found (image/gone.jpg): start this in the folder" in said
    assert "1 photo could not be opened: have them read again with --resume" in said
