"""Tests of the page for labelling: nothing is lost of annotations.json, whoever else writes it."""

import json
import signal
from pathlib import Path

import pytest
from conftest import NUMBER, OTHER, paint
from label_page import ANNOTATIONS, draw, images, name, wait_for, wait_for_labels
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import expect

import prepare_dataset
from containers.pages.label_server import LabelServer


def test_cannot_be_read_is_an_answer_that_can_be_taken_back(visit):
    draw(2)
    hands = visit()
    hands.press("/")
    expect(name(hands.tab)).to_have_text("image/001.jpg")
    expect(hands.tab.locator("#count")).to_have_text("1 of 2 done")
    wait_for(hands.tab, "unreadable", [True, None])
    wait_for_labels(hands.tab, ["TODO", "TODO"])
    hands.press("ArrowUp")
    expect(hands.tab.locator("#words")).to_have_text("You have said that it cannot be read.")
    hands.type(NUMBER)
    hands.press("Enter")
    wait_for_labels(hands.tab, [NUMBER, "TODO"])
    assert "unreadable" not in images()[0]
    hands.press("ArrowUp", "/")
    expect(hands.tab.locator("#words")).to_contain_text("Once more drops it")
    assert images()[0]["container_number"] == NUMBER
    hands.press("/")
    wait_for_labels(hands.tab, ["TODO", "TODO"])


def test_a_label_typed_here_and_one_by_hand_in_the_file_both_survive(visit):
    numbers = draw(3)
    hands = visit()
    hands.type(numbers[0])
    by_hand = json.loads(ANNOTATIONS.read_text())
    by_hand["images"][1] |= {"container_number": numbers[1], "note": "북쪽 게이트"}
    by_hand["last"] = None
    ANNOTATIONS.write_text(json.dumps(by_hand, ensure_ascii=False), encoding="utf-8")
    hands.press("Enter")
    wait_for_labels(hands.tab, [numbers[0], numbers[1], "TODO"])
    assert images()[1]["note"] == "북쪽 게이트"
    assert list(json.loads(ANNOTATIONS.read_text(encoding="utf-8"))) == ["images", "last"]
    expect(hands.tab.locator("#count")).to_have_text("2 of 3 done")


def test_what_is_written_by_hand_for_this_very_photo_is_replaced_only_knowingly(visit):
    draw(2)
    hands = visit()
    hands.type(NUMBER)
    by_hand = json.loads(ANNOTATIONS.read_text())
    by_hand["images"][0]["container_number"] = OTHER
    ANNOTATIONS.write_text(json.dumps(by_hand))
    hands.press("Enter")
    words = hands.tab.locator("#words")
    expect(words).to_contain_text(f"Changed in the file meanwhile: it has {OTHER} there.")
    hands.tab.problems.clear()  # Chromium's own line about the answer that was refused
    expect(name(hands.tab)).to_have_text("image/000.jpg")
    expect(hands.tab.locator("#number")).to_have_value(NUMBER)
    wait_for_labels(hands.tab, [OTHER, "TODO"])
    hands.press("Enter", "Enter")
    wait_for_labels(hands.tab, [NUMBER, "TODO"])


def test_what_is_saved_by_hand_is_seen_without_a_reload(visit):
    draw(2)
    hands = visit()
    by_hand = json.loads(ANNOTATIONS.read_text())
    by_hand["images"][0]["container_number"] = OTHER
    ANNOTATIONS.write_text(json.dumps(by_hand))
    expect(hands.tab.locator("#number")).to_have_value(OTHER)
    expect(hands.tab.locator("#words")).to_contain_text("Changed in the file meanwhile")
    by_hand["images"][0] |= {"owner_code": "CSQU"}
    ANNOTATIONS.write_text(json.dumps(by_hand))
    hands.tab.get_by_text("Doubtful").click()
    expect(hands.tab.locator("#words")).to_contain_text("contradicts owner_code CSQU")


def test_a_mistake_in_the_file_is_shown_and_no_answer_is_lost(visit):
    draw(2)
    hands = visit()
    good = ANNOTATIONS.read_text()
    ANNOTATIONS.write_text(good.replace('"check_digit"', '"check_digit', 1))
    hands.type(NUMBER)
    hands.press("Enter")
    expect(hands.tab.locator("#words")).to_contain_text("Not saved: annotations.json, line 8")
    expect(hands.tab.locator("#number")).to_have_value(NUMBER)
    ANNOTATIONS.write_text(good)
    hands.press("Enter")
    wait_for_labels(hands.tab, [NUMBER, "TODO"])
    hands.tab.problems.clear()


def test_an_older_file_saved_over_answers_is_said_and_undone_at_a_click(visit):
    numbers = draw(2)
    hands = visit()
    older = ANNOTATIONS.read_bytes()
    for number in numbers:
        hands.type(number)
        hands.press("Enter")
    wait_for_labels(hands.tab, numbers)
    Path("older.json").write_bytes(older)
    Path("older.json").replace(ANNOTATIONS)
    expect(hands.tab.locator("#lost")).to_contain_text("saved over 2 of your answers")
    hands.tab.locator("#again").click()
    wait_for_labels(hands.tab, numbers)
    expect(hands.tab.locator("#lost")).to_be_hidden()


def test_when_the_program_has_ended_the_page_says_so_and_keeps_what_was_typed(visit, start):
    draw(2)
    hands = visit()
    process = start.running.pop()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert "0 of 2 done" in process.stdout.read()
    process.stdout.close()
    hands.type(NUMBER)
    hands.press("Enter")
    expect(hands.tab.locator("#words")).to_contain_text(
        "the program that shows this page has ended"
    )
    expect(hands.tab.locator("#number")).to_have_value(NUMBER)
    hands.tab.problems.clear()


def test_another_tab_without_the_token_gets_nothing(visit, open_tab):
    draw(1)
    address = visit().tab.url
    token = address.split("/")[3]
    for wrong in (address.replace(token, ""), address.replace(token, "x"), f"{address}../"):
        other = open_tab()
        nothing = pytest.raises(PlaywrightError, match="ERR_HTTP_RESPONSE_CODE_FAILURE")
        with other.expect_console_message(), nothing:
            other.goto(wrong)  # Chromium's own page says that nothing came
        other.problems.clear()


def test_suggestions_are_read_first_and_the_doubtful_come_first(visit, taught, monkeypatch):
    def read_suggestions() -> None:
        """Type the command in this process, which ends it when the page would be served."""
        with monkeypatch.context() as patch:
            patch.setattr(LabelServer, "serve_forever", press_ctrl_c)
            assert prepare_dataset.main(["--mode", "label", "--suggest", *taught[:-2]]) == 0

    def press_ctrl_c(self) -> None:
        raise KeyboardInterrupt

    for place, colour in enumerate(("red", "white")):
        paint(Path(f"image/9_LEFT_{place}.png"), colour)
    read_suggestions()
    hands = visit()
    seen = {entry["image_path"]: entry["suggestion"] for entry in images()}
    assert seen["image/0.png"]["container_number"] == NUMBER
    assert seen["image/0.png"]["made_by"].startswith("model ")
    assert {entry["container_number"] for entry in images()} == {"TODO"}
    order = []
    for _ in seen:
        order.append(name(hands.tab).inner_text())
        hands.press("ArrowDown")
    assert sorted(order) == sorted(seen)
    least = min(seen.values(), key=lambda s: s["confidence"])["confidence"]
    assert min(seen[image]["confidence"] for image in order[:2]) == least
    first = order.index("image/9_LEFT_0.png")
    assert abs(order.index("image/9_LEFT_1.png") - first) == 1, "views of one container"
    changed = json.loads(ANNOTATIONS.read_text())
    changed["images"][0]["suggestion"]["confidence"] = 0.123
    del changed["images"][1]["suggestion"]
    ANNOTATIONS.write_text(json.dumps(changed))
    read_suggestions()
    assert images()[0]["suggestion"]["confidence"] == 0.123, "read again by the same model"
    assert images()[1]["suggestion"] == seen[images()[1]["image_path"]]
