"""Tests of the tables of flags: they are those of the parsers, in both languages."""

import itertools
import re

from test_commands import SCRIPTS

from measure import flag_tables
from measure.flag_tables import BORDER, BUILDERS, CODE, PAGES, VALUE, main, rewritten

TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
(ENGLISH, ENGLISH_WORDS), (KOREAN, KOREAN_WORDS) = zip(TEXTS.values(), PAGES.values())


def parsers() -> dict:
    """Return the parser of each script."""
    return {name: build() for name, build in BUILDERS.items()}


def rows_in(text: str) -> list[list[str]]:
    """Return the cells of each row of a page's tables, without the headings."""
    return [BORDER.split(row)[1:-1] for row in re.findall(r"^\| `.*", text, re.MULTILINE)]


def test_the_pages_are_as_the_parsers_have_them():
    for page, words in PAGES.items():
        text = rewritten(TEXTS[page], parsers(), words)
        assert text == TEXTS[page], "a flag has changed: type python -m measure.flag_tables"
    assert [*BUILDERS] == SCRIPTS


def test_a_page_is_written_once(here, capsys, monkeypatch):
    page = here / "flags.md"
    page.write_text(ENGLISH.replace("| 1e-4 |", "| 1e-5 |"), encoding="utf-8")
    monkeypatch.setattr(flag_tables, "PAGES", {page: ENGLISH_WORDS})
    assert main([]) == main([]) == 0
    assert capsys.readouterr().out == "flags.md: written again\nflags.md: as it was\n"
    assert page.read_text(encoding="utf-8") == ENGLISH


def test_another_default_is_another_cell():
    changed = parsers()
    changed["finetune_florence"].set_defaults(lr=2.5e-5)
    changed["batch_process"].set_defaults(watch=True, image_folder="./in")
    changed["container_ocr"].set_defaults(dtype="bf16")
    text = rewritten(KOREAN, changed, KOREAN_WORDS)
    rows = ["`--lr` | 2.5e-5", "`--watch` | 켜짐", "`image_folder` | `./in`"]
    for row in (*rows, "`--device`, `--dtype` | `auto`, `bf16`"):
        assert f"\n| {row} | " in text


def test_a_value_that_no_parser_has_any_longer_goes():
    stale, fresh = (ENGLISH.replace("| no limit |", f"| {cell} |") for cell in ("500", "none"))
    assert rewritten(stale, parsers(), ENGLISH_WORDS) == fresh


def test_a_new_flag_gets_a_row_and_one_that_is_gone_leaves_its_own():
    changed = parsers()
    add = changed["container_ocr"].add_argument
    add("--tone", choices=["a|b", "c"], default="c", help="%% of irony")
    actions = changed["finetune_florence"]._actions
    actions.remove(*(action for action in actions if action.dest == "lora_alpha"))
    text = rewritten(ENGLISH, changed, ENGLISH_WORDS)
    assert "\n| `--tone` | `c` | % of irony: `a\\|b`, `c` |\n\n## File formats" in text
    assert "\n| `--lora_rank`, `--lora_dropout` | 16, 0.05 | " in text
    assert text == rewritten(text, changed, ENGLISH_WORDS)
    assert "--tone" not in rewritten(text, parsers(), ENGLISH_WORDS)


def test_both_languages_share_the_rows_and_what_is_no_word_of_a_default():
    for row, twin in zip(rows_in(ENGLISH), rows_in(KOREAN), strict=True):
        assert row[0] == twin[0]
        assert sorted(VALUE.findall(row[1])) == sorted(VALUE.findall(twin[1])), row[0]


def test_the_rows_of_a_flag_name_its_choices_and_no_other():
    listed = [a for p in parsers().values() for a in p._actions if a.choices and not a.metavar]
    for text, action in itertools.product(TEXTS.values(), listed):
        flag = f"`{action.option_strings[0]}`"
        told = [cell for row in rows_in(text) if flag in row[0] for cell in row[1:]]
        assert {*CODE.findall(" ".join(told))} == {*action.choices}, flag
