"""Tests of the windows in which numbers are learnt."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import NUMBER, OTHER, draw_photo, error_line, log_of, train
from transformers import Florence2ForConditionalGeneration

from container_ocr import ContainerOCR
from containers.basis.errors import ImageError, UserError
from containers.data.labels import Example
from containers.number.reading import Hypothesis
from containers.photo.looks import Look, Search
from containers.photo.opening import open_photo
from containers.photo.windows import Window
from florence.label_windows import Windows


@pytest.fixture
def examples(here) -> list[Example]:
    """Draw four photos."""
    return [Example(draw_photo(here / f"{i}.png", str(i)), NUMBER) for i in range(4)]


def found(confidence: float) -> Search:
    """Return a search that has ended in a window."""
    look = Look(
        Hypothesis(NUMBER, confidence=confidence), Window(9, 8, 7, 6, 90), Window(0, 0, 1, 1)
    )
    return Search("x", done=[look])


def test_a_photo_on_which_the_label_is_not_found_is_left_out_and_named(examples, here, capsys):
    searches = [found(p) for p in (0.3, 0.1, 1e-9, 1e-3)]
    calls = []

    def search(photos, numbers, on_looks):
        calls.append(numbers)
        look = Look(
            Hypothesis(OTHER, confidence=0.9, numbers=("HLXU2008419",)),
            *(Window(0, 0, 1, 1), Window(0, 0, 1, 1)),
        )
        return iter(searches if numbers else [Search("x", done=[look])] * len(photos))

    for _ in range(2):
        near = Windows(here / "w.json", "model").find(examples, True, search)
        assert near == [
            replace(e, window=Window(9, 8, 7, 6, 90)) for e in examples if e.image_path.stem != "2"
        ]
        err = capsys.readouterr().err
        assert "1 photo left out, where" in err
        assert f"{examples[2].image_path}: label {NUMBER}, read there: {OTHER} (ok)" in err
    assert calls == [[NUMBER] * 4, None], "read once"
    assert len(Windows(None, "model").find(examples, False, lambda *_: iter(searches))) == 4


def test_a_label_of_no_probability_is_not_found_though_most_are_so(examples, capsys):
    searches = [found(p) for p in (0.0, 0.0, 0.0, 1e-300)]
    near = Windows(None, "model").find(
        examples, True, lambda photos, *_: iter(searches[-len(photos) :])
    )
    assert [e.image_path for e in near] == [examples[3].image_path]
    with pytest.raises(UserError, match="mode check"):
        Windows(None, "model").find(
            examples[:3], True, lambda photos, *_: iter(searches[: len(photos)])
        )


def test_every_window_that_shows_the_label_is_learnt_and_the_one_that_is_read_is_validated(
    examples, capsys
):
    def search(*_):
        for _ in examples:
            looks = [
                Look(Hypothesis(NUMBER, confidence=p), Window(x, 9, 9, 9), Window(0, 0, 1, 1))
                for x, p in enumerate((1e-7, 0.2, 1e-3, 0.4, 0.1, 0.3))
            ]
            yield Search("x", done=looks)

    near = Windows(None, "model").find(examples, True, search)
    assert [e.window.x for e in near] == [3, 5, 1, 4] * 4, "four at most, the likeliest first"
    assert [e.image_path for e in near] == [e.image_path for e in examples for _ in range(4)]
    assert "learnt from: 16 windows that show the labels of 4 photos" in capsys.readouterr().err
    read = Windows(None, "model").find(examples, False, search)
    assert [e.window.x for e in read] == [3] * 4


def test_a_window_is_found_once_for_each_photo_model_and_label(examples, here):
    calls = []

    def search(photos, numbers, on_looks):
        calls.append((len(photos), numbers))
        return iter([found(0.5)] * len(photos))

    path = here / "windows.json"
    first = Windows(path, "model").find(examples, True, search)
    assert Windows(path, "model").find(examples, True, search) == first
    assert calls == [(4, [NUMBER] * 4)]
    Windows(path, "model").find(examples, False, search)
    Windows(path, "other").find(examples, True, search)
    draw_photo(examples[0].image_path, "new")
    changed = [examples[0], examples[1], replace(examples[2], number=OTHER)]
    Windows(path, "model").find(changed, True, search)
    assert calls[1:] == [(4, None), (4, [NUMBER] * 4), (2, [NUMBER, OTHER])]


def test_a_photo_that_cannot_be_opened_is_named(examples):
    with pytest.raises(UserError, match=r"0\.png: no such file"):
        Windows(None, "m").find(examples, True, lambda *_: iter([ImageError("no such file")] * 4))


def test_training_learns_from_what_nearer_looks_show(data, tiny_model, monkeypatch):
    flags = [*data, "--epochs", "1", "--looks", "3"]
    assert train(flags, "--output", "near") == 0
    windows = json.loads(Path("dataset/features/windows.json").read_text())
    assert len(windows) == 8
    whole = Window(80, 60, 160, 120)
    assert any(Window(*row[:-1]) != whole for rows in windows.values() for row in rows)
    monkeypatch.setattr(ContainerOCR, "search", None)  # found once, not again
    assert train(flags, "--output", "again") == 0
    assert log_of("again") == log_of("near")
    assert train(data, "--epochs", "1", "--output", "far") == 0
    assert log_of("far")[0]["train_loss"] != log_of("near")[0]["train_loss"]


def test_the_model_that_has_looked_is_the_one_that_learns(data, monkeypatch, capsys):
    loads, load = [], Florence2ForConditionalGeneration.from_pretrained

    def count_and_load(*args, **options):
        loads.append(args)
        return load(*args, **options)

    monkeypatch.setattr(Florence2ForConditionalGeneration, "from_pretrained", count_and_load)
    assert train([*data, "--epochs", "1", "--looks", "3"]) == 0
    assert len(loads) == 1
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in said[1:3]] == ["device:", "dtype:"]
    assert sum(line.startswith(("device:", "dtype:")) for line in said) == 2


def test_the_label_leads_the_search_to_where_it_is_likeliest(tiny_model, here):
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32", looks=3)
    photo = draw_photo(here / "photo.png", NUMBER, (320, 240))
    led = {n: next(reader.search([photo], 1, None, [n])) for n in (NUMBER, OTHER)}
    assert {search.best.number for search in led.values()} == {NUMBER, OTHER}
    for number, search in led.items():
        image = search.lead[0].window.cut(open_photo(photo)[0], reader.size)
        ((reading, _),) = reader.look_at([image], [number])
        assert reading.confidence == pytest.approx(
            max(look.hypothesis.confidence for look in search.done)
        )


def test_a_run_that_is_stopped_while_it_looks_goes_on_where_it_was(examples, here):
    path, asked = here / "windows.json", []

    def stopped(photos, *_):
        yield from [found(0.5)] * 3
        raise KeyboardInterrupt

    def search(photos, *_):
        asked.extend(photos)
        return iter([found(0.5)] * len(photos))

    with pytest.raises(KeyboardInterrupt):
        Windows(path, "model").find(examples, True, stopped)
    Windows(path, "model").find(examples, True, search)
    assert asked == [examples[3].image_path]


@pytest.mark.parametrize("text", ["{", "[]", '{"a": []}', '{"a": [[1, 2]]}', '{"a": [["x"] * 6]}'])
def test_damaged_windows_are_looked_for_again_with_a_warning(text, examples, here, capsys):
    path = here / "windows.json"
    path.write_text(text)
    windows = Windows(path, "model").find(examples, True, lambda *_: iter([found(0.5)] * 4))
    assert len(windows) == 4
    assert "warning: cannot read" in capsys.readouterr().err
    assert len(json.loads(path.read_text())) == 4


def test_a_folder_that_cannot_keep_windows_is_said_before_any_look(data, monkeypatch, capsys):
    monkeypatch.setattr(ContainerOCR, "__init__", None)
    Path("dataset/features").write_text("in the way")
    assert train(data, "--lora_targets", "all", "--looks", "3") == 2
    assert "cannot write dataset/features" in error_line(capsys.readouterr().err)
