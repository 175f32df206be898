"""Tests of the page for labelling, in a real Chromium: how a number is typed, judged and taken."""

import json
import re

import pytest
from browser import PHONE
from conftest import NUMBER, some_numbers
from label_page import ANNOTATIONS, draw, images, name, suggest, wait_for, wait_for_labels
from playwright.sync_api import expect

from containers.number.iso6346 import compact


def test_ten_photos_are_labelled_by_keyboard_and_found_in_the_file(visit):
    numbers = draw(10)
    hands = visit()
    for place, number in enumerate(numbers):
        expect(name(hands.tab)).to_have_text(f"image/{place:03}.jpg")
        hands.type(compact(number).lower())
        hands.press("Enter")
    expect(hands.tab.locator("#absent")).to_have_text(
        "Nothing is left here.\nAll photos have their answer. In a terminal, type next:\n"
        "python prepare_dataset.py --mode prepare"
    )
    expect(hands.tab.locator("#count")).to_have_text("10 of 10 done")
    assert hands.keys <= 13 * len(numbers)
    wait_for_labels(hands.tab, numbers)
    for entry, number in zip(images(), numbers):
        parts = [entry[key] for key in ("owner_code", "serial_number", "check_digit")]
        assert " ".join(parts) == number
    hands.tab.reload()
    hands.tab.get_by_text("All", exact=True).click()
    for number in numbers:
        expect(hands.tab.locator("#number")).to_have_value(number)
        hands.press("ArrowDown")


def test_a_good_suggestion_takes_three_keys_at_most_and_is_no_label_until_then(visit):
    numbers = draw(10)
    suggest(numbers)
    hands = visit()
    expect(hands.tab.locator("#cells")).to_have_text(compact(numbers[0]))
    expect(hands.tab.locator("#cells .grey")).to_have_count(11)
    points = hands.tab.locator("#photo polygon").first.get_attribute("points")
    assert points == "8,40 100,40 100,52 8,52"
    before = images()
    for place in range(10):
        expect(name(hands.tab)).to_have_text(f"image/{place:03}.jpg")
        hands.press("Tab", "Enter")
    assert hands.keys <= 3 * 10
    wait_for_labels(hands.tab, numbers)
    assert [entry["suggestion"] for entry in images()] == [e["suggestion"] for e in before]
    assert json.loads(ANNOTATIONS.read_text())["made by"] == "hand"


def test_enter_alone_takes_no_suggestion(visit):
    suggest(draw(2))
    hands = visit()
    hands.press("Enter")
    expect(name(hands.tab)).to_have_text("image/001.jpg")
    assert {entry["container_number"] for entry in images()} == {"TODO"}


def test_a_wrong_check_digit_is_shown_and_saved_only_when_asked_twice(visit):
    draw(2)
    hands = visit()
    hands.type("CSQU3054384")
    cells = hands.tab.locator("#cells span:not(.gap)")
    assert [cells.nth(i).get_attribute("class") for i in range(11)] == ["good"] * 10 + ["bad"]
    words = hands.tab.locator("#words")
    expect(words).to_have_text(re.compile("Check digit 4 does not fit, 3 would."))
    hands.press("Enter")
    expect(words).to_have_text(re.compile("Painted so[?] Save again."))
    expect(name(hands.tab)).to_have_text("image/000.jpg")
    hands.press("Enter")
    expect(name(hands.tab)).to_have_text("image/001.jpg")
    wait_for_labels(hands.tab, ["CSQU 305438 4", "TODO"])
    hands.tab.get_by_text("Doubtful").click()
    expect(name(hands.tab)).to_have_text("image/000.jpg")


@pytest.mark.parametrize(
    ("typed", "marks", "words"),
    [
        ("C5", "good bad", "Place 2 is 5, and should be a letter."),
        ("CSQA", "good good good bad", "Place 4 is A, and should be U, J or Z."),
        ("QQQU30", "odd odd odd odd good good", "5 more QQQU is not a common owner code"),
        ("CSQU3O", "good good good good good bad", "Place 6 is O, and should be a digit."),
        ("CSQU30543831", "good " * 10 + "good", "12 characters: a number has 11."),
        ("CSQU3054383", "good " * 11, "The check digit fits."),
        ("CSQU 305438 3 45G1", "good " * 11, "The check digit fits. Size-type code: 45G1, 40 ft"),
        ("CSQU305438 22g1", "good " * 10, "1 more Size-type code: 22G1, 20 ft, 8 ft 6"),
        ("CSQU 305438 3 47G1", "good " * 11, "47G1 is no size-type code: left out."),
    ],
)
def test_each_place_is_judged_while_it_is_typed(typed, marks, words, visit):
    draw(1)
    hands = visit()
    hands.type(typed)
    shown = hands.tab.locator("#cells span:not(.gap):not(.grey)")
    assert shown.evaluate_all("cells => cells.map(c => c.className)") == marks.split()[:11]
    assert words in hands.tab.locator("#words").inner_text()


@pytest.mark.parametrize("typed", ["HELLO", "AB", "CSQU30543", "CSQ3054383", "CSQU30543834"])
def test_what_cannot_be_a_number_is_refused_however_often_it_is_saved(typed, visit):
    draw(2)
    hands = visit()
    hands.type(typed)
    for _ in range(4):
        hands.press("Enter")
        expect(hands.tab.locator("#words")).to_contain_text(
            "That cannot be a number: four letters, then six or seven digits."
        )
    expect(name(hands.tab)).to_have_text("image/000.jpg")
    hands.press("ArrowDown")
    hands.type("CSQU3054383")
    hands.press("Enter")
    wait_for_labels(hands.tab, ["TODO", NUMBER])


def test_a_number_is_pasted_with_its_size_type_code_and_saved_beside_it(visit):
    draw(2)
    hands = visit()
    hands.tab.keyboard.insert_text("csqu 305438 3 45G1")
    expect(hands.tab.locator("#number")).to_have_value(NUMBER)
    expect(hands.tab.locator("#words")).to_contain_text(
        "Size-type code: 45G1, 40 ft, high cube, general purpose."
    )
    hands.press("Enter")
    wait_for_labels(hands.tab, [NUMBER, "TODO"])
    hands.press("ArrowUp")
    expect(hands.tab.locator("#words")).to_contain_text(
        "Size-type code: 45G1, 40 ft, high cube, general purpose."
    )
    hands.type("42G1")  # behind the number that stands there
    hands.press("Enter")
    wait_for(hands.tab, "size_type", ["42G1", None])


def test_an_owner_that_stands_in_another_label_that_checks_is_no_news(visit):
    draw(3)
    hands = visit()
    for number, said in (("QQQU 305438 3", True), ("QQQU 305439 9", False)):
        hands.type(number)
        words = hands.tab.locator("#words")
        expect(words).to_have_text(
            "QQQU is not a common owner code: look again." if said else "The check digit fits."
        )
        hands.press("Enter")
    wait_for_labels(hands.tab, ["QQQU 305438 3", "QQQU 305439 9", "TODO"])


def test_the_field_has_the_blue_frame_only_when_it_has_the_focus(visit):
    draw(1)
    tab = visit().tab
    colour = "getComputedStyle(field).borderColor"
    expect(tab.locator("#number")).to_be_focused()
    blue = tab.evaluate(colour)
    tab.locator("#number").blur()
    assert tab.evaluate(colour) != blue == "rgb(11, 87, 164)"


def test_tab_takes_the_suggestion_on_a_tablet_with_a_keyboard_where_nothing_has_the_focus(visit):
    numbers = draw(2)
    suggest(numbers)
    hands = visit(size=PHONE)
    expect(hands.tab.locator("#number")).not_to_be_focused()
    hands.press("Tab", "Enter")
    wait_for_labels(hands.tab, [numbers[0], "TODO"])
    hands.tab.locator("[value=all]").focus()
    hands.press("Tab")
    expect(hands.tab.locator("#number")).to_have_value("")


def test_a_suggestion_whose_check_digit_does_not_fit_looks_different(visit):
    draw(2)
    suggest([NUMBER, "CSQU 305438 4"])
    hands = visit()
    cells = hands.tab.locator("#cells .grey")
    assert cells.evaluate_all("cells => cells.map(c => c.className)") == ["grey"] * 11
    look = "button => getComputedStyle(button).borderColor"
    usual = hands.tab.locator("#take").evaluate(look)
    hands.press("ArrowDown")
    classes = cells.evaluate_all("cells => cells.map(c => c.className)")
    assert classes == ["grey"] * 10 + ["grey unfit"]
    colours = cells.evaluate_all("cells => cells.map(c => getComputedStyle(c).color)")
    assert colours[10] not in colours[:10]
    assert hands.tab.locator("#take").evaluate(look) != usual


def test_the_page_and_python_agree_on_every_check_digit(visit):
    draw(1)
    tab, numbers = visit().tab, some_numbers(500)
    codes = [compact(number) for number in numbers]
    assert tab.evaluate("codes => codes.map(checkDigit)", codes) == [c[10] for c in codes]


def test_in_korean_with_the_korean_keyboard_left_on(visit):
    draw(2)
    hands = visit(language="ko-KR")
    expect(hands.tab.locator("#count")).to_have_text("2장 중 0장 완료")
    hands.tab.keyboard.insert_text("ㅊㄴ벼305438")
    expect(hands.tab.locator("#cells")).to_have_text("CSQU305438")
    hands.type("4")
    expect(hands.tab.locator("#words")).to_contain_text("4 대신 3이면 맞습니다")
    hands.press("Backspace")
    hands.type("3")
    hands.press("Enter")
    wait_for_labels(hands.tab, [NUMBER, "TODO"])


def test_on_a_phone_a_label_is_given_by_thumb(visit):
    numbers = draw(2)
    suggest(numbers, status="review", reason="confidence below 0.5", confidence=0.4)
    tab = visit(size=PHONE).tab
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    tab.get_by_text(f"Take {numbers[0]} (40 %)").tap()
    tab.get_by_role("button", name="Save, next").tap()
    expect(name(tab)).to_have_text("image/001.jpg")
    wait_for_labels(tab, [numbers[0], "TODO"])
    tab.get_by_role("button", name="Cannot be read").tap()
    expect(tab.locator("#count")).to_have_text("2 of 2 done")
    smallest = tab.locator("button:visible").evaluate_all(
        "buttons => Math.min(...buttons.map(b => b.getBoundingClientRect().height))"
    )
    assert smallest >= 36
