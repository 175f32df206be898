"""Tests of prepare_dataset.py --mode check: what is doubtful about the labels."""

import json
from pathlib import Path

from conftest import NUMBER, OTHER, error_line, labelled, write_annotations

import prepare_dataset


def check(*flags: str) -> int:
    """Run the mode that shows what is doubtful about the labels, with its defaults."""
    return prepare_dataset.main(["--mode", "check", *flags])


def test_check_shows_gone_photos_and_prune_drops_them_alone(here, capsys):
    labels = labelled(NUMBER, OTHER) | {"image/gone.jpg": NUMBER, "image/todo.jpg": "TODO"}
    path = write_annotations(here / "annotations.json", labels)
    before = path.read_bytes()
    assert check() == 1
    out, err = capsys.readouterr()
    assert f"error: image/gone.jpg: gone; its label is {NUMBER} (--prune drops it)\n" in out
    assert "image/todo.jpg" not in out
    assert "annotations.json has 1 error:" in error_line(err)
    assert path.read_bytes() == before
    assert check("--prune") == 0
    out = capsys.readouterr().out
    assert f"dropped: image/gone.jpg: gone; its label is {NUMBER}\n" in out
    assert "dropped: image/todo.jpg: gone; its label is TODO\n" in out
    kept = [entry["image_path"] for entry in json.loads(path.read_text())["images"]]
    assert kept == ["image/000.jpg", "image/001.jpg"]


def test_prune_in_the_wrong_folder_drops_nothing(here, capsys):
    path = write_annotations(here / "annotations.json", {"image/gone.jpg": NUMBER})
    before = path.read_bytes()
    assert check("--prune") == 1
    assert "of 1 photo none is here: run this in the folder" in error_line(capsys.readouterr().err)
    assert path.read_bytes() == before


def test_check_shows_what_prepare_would_and_owners_that_occur_once(here, capsys):
    labels = labelled("QQQU 305438 3", "XYZU 305438 2", NUMBER, "CSQU 305438 4", OTHER, "HELLO")
    labels |= {"image/copy.jpg": "XYZU 305439 0"}
    Path("image/copy.jpg").write_bytes(Path("image/002.jpg").read_bytes())
    write_annotations(here / "annotations.json", labels)
    assert check() == 1
    out = capsys.readouterr().out
    assert "error: image/005.jpg: container_number HELLO cannot be a number" in out
    assert "error: image/copy.jpg: the same photo as image/002.jpg" in out
    assert "warning: image/003.jpg: CSQU 305438 4: check digit 4 does not fit" in out
    assert "warning: image/000.jpg: no other label has the owner of QQQU 305438 3" in out
    assert "image/001.jpg: no other label" not in out, "XYZU occurs twice"
    assert "warning: common owner codes that occur once: HLXU\n" in out


def test_check_lists_the_labels_that_a_model_surely_contradicts(taught, here, capsys):
    labels = {"image/0.png": OTHER, "image/1.png": OTHER, "image/2.png": NUMBER}
    write_annotations(here / "annotations.json", labels)
    before = (here / "annotations.json").read_bytes()
    assert check(*taught[:-2]) == 0
    out, err = capsys.readouterr()
    contradicted = [line for line in out.splitlines() if line.startswith("contradicted: ")]
    assert contradicted == [
        f"contradicted: image/0.png: the model is sure of {NUMBER}, the label is {OTHER}"
    ]
    assert "3 labels to compare with what is read by model " in err
    assert (here / "annotations.json").read_bytes() == before


def test_check_without_a_model_compares_with_the_suggestions_in_the_file(here, capsys):
    path = write_annotations(here / "annotations.json", labelled(NUMBER, OTHER, "CSQU 305438"))
    data = json.loads(path.read_text())
    seen = {"container_number": NUMBER, "status": "ok", "confidence": 0.9, "made_by": "model x"}
    for entry in data["images"]:
        entry["suggestion"] = seen
    path.write_text(json.dumps(data))
    assert check() == 0
    out, err = capsys.readouterr()
    assert f"contradicted: image/001.jpg: model x is sure of {NUMBER}, the label is {OTHER}" in out
    assert out.count("contradicted: ") == 1
    assert "compared with the suggestion beside it: 3 labels" in err
