"""Tests of batch_process.py --report, in a real browser."""

import json
import os
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from browser import LAPTOP, PHONE
from conftest import NUMBER, OTHER, draw_photo, error_line, paint, wait_until, write_annotations
from PIL import Image

import batch_process
from containers.basis.escapes import visible
from containers.data.comparison import Case
from containers.data.result import Result, parse_record
from containers.data.results import write_results
from containers.data.runs import Run
from containers.pages import report
from containers.pages.report_words import WORDS
from containers.photo.thumbnails import PAGE_BYTES, PICTURE_BYTES, thumbnail

BAD = "CSQU 305438 4"


def result_file(name: str, *rows: dict) -> str:
    """Write a result file of rows that name what is not usual in them."""
    write_results(Path(name), "# batch_process.py: model <x>", [*map(result, rows)], "image")
    return name


def result(row: dict) -> Result:
    """Return the result of a row that names what is not usual in it."""
    usual = {"number": None, "status": "none", "reason": "", "confidence": 0.0, "raw_text": ""}
    return parse_record(usual | row)


def ok(image: str, number: str, confidence: float = 0.9, **fields) -> dict:
    """Return the row of a reading that is sure."""
    row = {"image": image, "number": number, "status": "ok", "confidence": confidence}
    return row | {"raw_text": number} | fields


def review(image: str, number: str, confidence: float, **fields) -> dict:
    """Return the row of a reading that is not."""
    doubt = {"status": "review", "reason": "confidence below 0.5"}
    return ok(image, number, confidence) | doubt | fields


def open_report(open_tab, name: str = "report.html", size: dict = LAPTOP, language: str = "en-US"):
    """Open the page as by double click; fail if it asks for anything else."""
    page = open_tab(size, language)
    page.goto(Path(name).absolute().as_uri())
    assert [url for url in page.asked if not url.startswith("data:")] == [page.url]
    return page


def names_on(page) -> list[str]:
    """Return the names of the photos on a page, in order."""
    return page.locator(".card h3").all_text_contents()  # those outside the window, too


def test_a_comparison_shows_what_changed_or_is_wrong_the_worst_first(here, open_tab, capsys):
    for name in "abcdefghij":
        draw_photo(here / f"{name}.jpg", name)
    labels = {f"{name}.jpg": NUMBER for name in "abcdefij"} | {"g.jpg": "TODO"}
    write_annotations(here / "annotations.json", labels)
    result_file(
        "results_base.txt",
        *(ok("a.jpg", NUMBER), ok("b.jpg", NUMBER), ok("c.jpg", NUMBER), review("d.jpg", BAD, 0.4)),
        *({"image": "e.jpg"}, ok("f.jpg", NUMBER), ok("g.jpg", OTHER), ok("h.jpg", OTHER)),
        *(review("i.jpg", BAD, 0.4), ok("j.jpg", OTHER)),
    )
    result_file(
        "results_finetuned.txt",
        *(ok("a.jpg", NUMBER), ok("b.jpg", OTHER), {"image": "c.jpg"}, review("d.jpg", BAD, 0.3)),
        *(ok("e.jpg", NUMBER), review("f.jpg", "CSQU 305438", 0.2), ok("g.jpg", NUMBER)),
        *(ok("h.jpg", OTHER), ok("i.jpg", OTHER), {"image": "j.jpg"}),
    )
    assert batch_process.main(["--compare", "--report", "report.html"]) == 0
    printed = capsys.readouterr().out
    assert "report.html: 8 photos to look at" in printed
    page = open_report(open_tab)
    assert page.locator(".list h2").all_inner_texts() == [
        "Worse than before: 3 right became wrong or none, or none wrong",
        "Passed as ok, and wrong: 1 as before, or another number; nobody would look at these again",
        "Wrong: 1 as before, or another number",
        "Changed, without a label: 1 nobody knows which is right",
        "Better: 2 wrong or none became right, or wrong none",
    ]
    assert {"better: 2 images", "worse: 3 images"} <= set(printed.splitlines())
    assert [set(names_on(page)[a:b]) for a, b in ((0, 3), (3, 6), (6, 8))] == [
        {"b.jpg", "c.jpg", "f.jpg"},
        {"i.jpg", "d.jpg", "g.jpg"},
        {"e.jpg", "j.jpg"},
    ]
    cells = page.locator("table tr").first.locator("xpath=..").locator("..").inner_text()
    assert "exact match\t50.0 %\t25.0 %" in cells
    lines = page.locator(".card").filter(has_text="f.jpg").locator("dd").all_text_contents()
    assert [line.split() for line in lines] == [
        ["CSQU", "305438", "3", "copy"],
        ["CSQU", "305438", "3", "ok", "0.900", "copy"],
        ["CSQU", "305438_", "review", "0.200", "copy"],
    ]
    marks = page.locator(".card").filter(has_text="d.jpg").locator("mark").all_text_contents()
    assert marks == ["4", "4"]
    pixels = "[...document.images].map(i => i.naturalWidth)"
    page.locator(".card").last.scroll_into_view_if_needed()
    wait_until(lambda: page.evaluate("[...document.images].every(i => i.complete)"))
    assert page.evaluate(pixels) == [160] * 8
    page.locator("nav a").nth(4).click()
    assert page.url.endswith("#kind4")
    page.locator(".card").filter(has_text="b.jpg").locator("a").click()
    page.wait_for_url("**/b.jpg")


def test_one_file_shows_what_to_review_the_worst_first(here, open_tab, capsys):
    for name in "abcd":
        draw_photo(here / f"{name}.jpg", name)
    result_file(
        "r.jsonl",
        *(ok("a.jpg", NUMBER), review("b.jpg", NUMBER, 0.4), {"image": "c.jpg"}),
        review("d.jpg", NUMBER, 0.1, alternatives=[[NUMBER, 0.1], ["CSQU 305488 4", 0.05]]),
        {"image": "e.jpg", "status": "error", "reason": "no such file"},
    )
    assert batch_process.main(["--compare", "r.jsonl", "--report", "report.html"]) == 0
    page = open_report(open_tab)
    assert names_on(page) == ["e.jpg", "c.jpg", "d.jpg", "b.jpg"]
    assert "5 photos: 1 ok, 2 review, 1 none, 1 error" in page.locator(".made").inner_text()
    assert page.locator("table").count() == 0, "nothing is known to be right or wrong"
    second = page.locator(".card").nth(2)
    assert second.locator("dd").nth(1).inner_text().split() == [
        "CSQU",
        "305488",
        "4",
        "0.050",
        "copy",
    ]
    assert second.locator("mark").all_text_contents() == ["8", "4"]
    assert second.locator(".note").all_text_contents() == ["confidence below 0.5"]
    assert page.locator(".card").first.locator("span").first.inner_text() == "no photo"
    write_annotations(here / "annotations.json", {"a.jpg": OTHER})
    assert batch_process.main(["--compare", "r.jsonl", "--report", "report.html"]) == 0
    page = open_report(open_tab)
    assert names_on(page)[0] == "a.jpg", "what passed as ok and is wrong is the worst"
    assert "exact match\t0.0 %" in page.locator("table").inner_text()


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="such names cannot be there")
@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
def test_every_name_shows_as_it_is_and_leads_to_its_photo(suffix, here, open_tab):
    names = [
        "\"double\" & 'single'.jpg",
        "<script>document.title = 1</script>.jpg",
        "한글 사진.jpg",
        os.fsdecode(b"caf\xe9 \xff.jpg"),
        "a:b #?%41 $title ${x}.jpg",
        "two  spaces.jpg",
        "bell\x07\u202egpj.jpg",
    ]
    for name in names:
        draw_photo(here / name, "")
    text = "<img src=x onerror=alert(1)> $y"
    rows = [{"image": name, "raw_text": text} for name in names]
    result_file(f"r.{suffix}", *rows)
    assert batch_process.main(["--compare", f"r.{suffix}", "--report", "a/report.html"]) == 0
    page = open_report(open_tab, "a/report.html")
    assert sorted(names_on(page)) == sorted(map(visible, names))
    assert page.title() == "What to review"
    notes = [f"text: {text}"] * len(names) if suffix != "csv" else []  # which keeps no raw text
    assert page.locator(".note").all_text_contents() == notes
    links = [a.get_attribute("href") for a in page.locator(".card a").all()]
    assert {unquote_to_bytes(link) for link in links} == {b"../" + os.fsencode(n) for n in names}
    page.locator(".card").filter(has_text="caf").locator("a").click()
    page.wait_for_url("**/caf*")
    assert page.evaluate("document.images[0].naturalWidth") == 160


def test_a_reading_of_no_confidence_is_counted_and_no_reading_is_not(here, open_tab):
    for name in "ab":
        draw_photo(here / f"{name}.jpg", name)
    write_annotations(here / "annotations.json", {"a.jpg": OTHER, "b.jpg": OTHER})
    result_file("r.txt", review("a.jpg", NUMBER, 0.0), {"image": "b.jpg"})
    assert batch_process.main(["--compare", "r.txt", "--report", "report.html"]) == 0
    dots = open_report(open_tab).locator("circle title").all_text_contents()
    assert dots == ["0 of 1 right, confidence 0 to 0.1"]


def test_a_run_that_reads_makes_the_page_of_its_own_results(taught, here, open_tab, capsys):
    paint(here / "image/5 bad.png", "red").write_text("no photo")
    flags = [*taught, "--report", "report.html"]
    assert batch_process.main(flags) == 1
    page = open_report(open_tab)
    assert names_on(page)[:2] == ["image/5 bad.png", "image/3.png"]
    assert len(names_on(page)) == 5, "all but the one that is ok"
    assert page.locator(".card a").first.inner_text() == "cannot be shown"
    assert batch_process.main([*flags, "--resume"]) == 1
    assert names_on(open_report(open_tab))[0] == "image/5 bad.png"


def test_a_page_while_photos_are_being_read_shows_those_that_are_done(here, open_tab):
    draw_photo(here / "a.jpg", "")
    Path(result_file("r.jsonl", review("a.jpg", NUMBER, 0.3))).rename("r.jsonl.partial")
    assert batch_process.main(["--compare", "r.jsonl.partial", "--report", "report.html"]) == 0
    assert names_on(open_report(open_tab)) == ["a.jpg"]


def test_it_fits_a_phone_and_prints_without_links(here, open_tab):
    names = [f"image/{'long' * 20}_{i}.jpg" for i in range(12)]
    for name in names:
        draw_photo(here / name, "")
    write_annotations(here / "annotations.json", dict.fromkeys(names, NUMBER))
    result_file("a.txt", *({"image": name} for name in names))
    result_file("b.txt", *(ok(name, OTHER) for name in names))
    assert batch_process.main(["--compare", "a.txt", "b.txt", "--report", "report.html"]) == 0
    page = open_report(open_tab, size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page = open_report(open_tab)
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator(".card").last.is_visible()
    assert len(page.pdf(format="A4")) > 20_000


def two_to_review(here) -> None:
    """Write a page of two photos for review, for different reasons."""
    for name in "ab":
        draw_photo(here / f"{name}.jpg", name)
    result_file(
        "r.jsonl",
        review("a.jpg", OTHER, 0.1),
        review("b.jpg", NUMBER, 0.3) | {"reason": "check digit does not fit"},
    )
    assert batch_process.main(["--compare", "r.jsonl", "--report", "report.html"]) == 0


def test_cards_are_found_by_owner_number_file_or_reason(here, open_tab):
    two_to_review(here)
    page = open_report(open_tab)
    visible_names = lambda: page.locator(".card:visible h3").all_text_contents()  # noqa: E731
    assert visible_names() == ["a.jpg", "b.jpg"]
    for wanted, found in (("csqu", ["b.jpg"]), ("3054 38", ["b.jpg"]), ("A.j", ["a.jpg"])):
        page.locator("#find").fill(wanted)
        assert visible_names() == found
    assert page.locator("h2 b").first.inner_text() == "1"
    page.locator("#find").fill("nothing like it")
    assert not page.locator("h2").first.is_visible()
    page.locator("#find").fill("")
    page.locator("#why").select_option(label="check digit does not fit (1)")
    assert visible_names() == ["b.jpg"]
    page.locator("#why").select_option(index=0)
    page.locator("#order").select_option("number")
    assert visible_names() == ["b.jpg", "a.jpg"]
    page.locator("#order").select_option("worst")
    assert visible_names() == ["a.jpg", "b.jpg"]


def test_a_button_copies_the_number_without_spaces(here, open_tab):
    two_to_review(here)
    page = open_report(open_tab)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".card").filter(has_text="b.jpg").locator("button").first.click()
    page.get_by_role("button", name="copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == NUMBER.replace(" ", "")


def test_a_korean_browser_gets_a_korean_page_with_its_reasons(here, open_tab):
    two_to_review(here)
    page = open_report(open_tab, language="ko-KR")
    assert page.title() == "확인할 것"
    assert page.locator("html").get_attribute("lang") == "ko"
    assert page.locator(".card .note").first.inner_text() == "신뢰도 0.5 미만"
    assert page.locator("#find").get_attribute("placeholder") == "소유자, 번호, 파일"
    assert "체크 디지트가 맞지 않음 (1)" in page.locator("#why").inner_text()
    left = page.locator("body").inner_text()
    english = {words["en"] for words in WORDS.values()} - {"{}"}
    assert not [words for words in english if len(words) > 6 and words in left]


def seconds_of_work(page) -> float:
    """Return how long Chromium has worked on a page, whatever else this machine does."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "ProcessTime")


def test_five_thousand_photos_open_within_three_seconds_and_take_thirty_megabytes(
    here, open_tab, monkeypatch
):
    """Each picture takes all of its share; making them is left out, it takes minutes."""
    noise = np.random.default_rng(0).integers(0, 255, (18, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((1200, 900)).save("noise.png")
    share = min(PICTURE_BYTES, PAGE_BYTES * 3 // 4 // 5000)
    address = thumbnail("noise.png", [], share)
    assert share < len(address) < share * 4 / 3 + 40
    monkeypatch.setattr(report, "thumbnails", lambda photos: iter([address] * len(photos)))
    options = [["CSQU 305488 4", 0.2], ["CSQU 305436 2", 0.1]]
    rows = {}
    for place in range(5000):
        name = f"{place:04}_a_longer_name_of_a_photo.png"
        os.link("noise.png", name)
        rows[name] = result(review(name, NUMBER, place / 10_000, alternatives=options))
    cases = [Case(key, (row,)) for key, row in rows.items()]
    assert report.write_report(Path("report.html"), [Run("r.txt", "", rows)], cases) == (5000, 5000)
    assert Path("report.html").stat().st_size < 30e6
    page = open_report(open_tab)
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert seconds_of_work(page) < 3
    assert page.evaluate("document.images.length") == 5000


@pytest.mark.parametrize(
    ("flags", "code", "reason"),
    [
        (
            ["--compare", "r.txt", "--report", "r.txt"],
            2,
            "page for a browser: type --report r.html",
        ),
        (
            ["--compare", "r.txt", "--report", "image"],
            2,
            "browser: type --report image.html",
        ),
        (["--compare", "r.txt", "--report", "a.html", "--annotation_file", "no"], 2, "no: no such"),
        (["image", "--report", "a.html", "--annotation_file", "no"], 2, "no: no such file"),
        (["--compare", "box.jsonl", "--report", "a.html"], 1, "box.jsonl, line 2: not a line"),
        (["--compare", "r.txt"], 2, "two result files, not 1, or one with --report"),
    ],
)
def test_a_report_that_cannot_be_made_is_one_line(flags, code, reason, here, capsys):
    draw_photo(here / "image/a.jpg", "")
    result_file("r.txt", ok("image/a.jpg", NUMBER))
    row = ok("image/a.jpg", NUMBER, reason="", box=[[1, 2], [3, 4], [5, "6"], [7, 8]])
    Path("box.jsonl").write_text(f"# batch_process.py: model <x>\n{json.dumps(row)}\n")
    before = Path("r.txt").read_bytes()
    assert batch_process.main(flags) == code
    assert reason in error_line(capsys.readouterr().err)
    assert Path("r.txt").read_bytes() == before
    assert not Path("a.html").exists()
