"""Peers are compared by one rule: the first number that checks, else the first that was written."""

import json

import pytest
from conftest import NUMBER, OTHER, draw_photo, run

from containers.number.iso6346 import compact
from measure.peers import likeliest, row

WRONG = f"{NUMBER[:-1]}4"


@pytest.mark.parametrize(
    ("texts", "number"),
    [
        (["MAX GROSS", f"MSC\n{NUMBER}\n22G1"], NUMBER),
        ([WRONG, f"{OTHER} 45G1"], OTHER),
        ([WRONG, "nothing"], WRONG),
        (["", "30480 KGS"], ""),
    ],
)
def test_the_first_turn_counts_that_shows_a_number_which_checks(texts, number):
    assert likeliest(texts) == compact(number)


def test_a_line_counts_what_is_exact_what_checks_and_what_of_it_is_right(here):
    truth = {str(draw_photo(here / f"{i}.png", "")): compact(NUMBER) for i in range(4)}
    answers = iter([compact(NUMBER), compact(OTHER), compact(WRONG), ""])
    cells = row("a peer", lambda _: next(answers), 12_000_000, truth).strip("| ").split(" | ")
    assert cells[:4] == ["a peer", "25.0 % (1)", "50.0 % (2)", "50.0 % (1)"]
    assert cells[5] == "12"


def test_a_peer_that_is_not_installed_is_one_line(here):
    pytest.importorskip("torch")
    try:
        import rapidocr  # noqa: F401
    except ModuleNotFoundError:
        photo = draw_photo(here / "a.png", "")
        entry = {"image_path": photo.name, "container_number": NUMBER}
        (here / "a.json").write_text(json.dumps({"images": [entry]}))
        done = run("measure.peers", ".", "a.json", cwd=here)
        assert done.returncode == 1
        assert done.stderr == "error: not installed: type pip install rapidocr onnxruntime\n"
    else:
        pytest.skip("it is installed here")
