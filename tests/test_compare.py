"""Tests of batch_process.py --compare, and of all five steps."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from accelerate.state import AcceleratorState
from conftest import NUMBER, OTHER, draw_photo, error_line, write_annotations

import batch_process
import finetune_florence
import prepare_dataset
from containers.number.iso6346 import is_valid


def results(path: str, numbers: dict[str, str | None]) -> str:
    """Write a result file with these numbers."""
    lines = ["# batch_process.py: model x, no adapter, dtype auto"]
    for image, number in numbers.items():
        doubt = "ok" if is_valid(number) else "review: check digit does not fit"
        lines.append(f"{image}\t{number or ''}\t{doubt if number else 'none'}\t0.900\ttext")
    Path(path).write_text("\n".join([*lines, "# the end", ""]), encoding="utf-8")
    return path


def test_compare_prints_the_measures_and_what_changed(here, capsys):
    truth = {f"image/{i}.jpg": NUMBER for i in range(4)} | {"image/todo.jpg": "TODO"}
    write_annotations(here / "annotations.json", truth)
    base = {
        "./image/0.jpg": None,
        "image/1.jpg": NUMBER,
        "image/2.jpg": "CSQU 305438 4",
        "image/3.jpg": NUMBER,
    }
    tuned = {**base, "./image/0.jpg": NUMBER, "image/3.jpg": "CSQU 305437 3", "image/9.jpg": OTHER}
    results("results_base.txt", base)
    results("results_finetuned.txt", tuned)
    assert batch_process.main(["--compare"]) == 0
    out = capsys.readouterr().out
    table = {line[:21].strip(): line[21:].split() for line in out.splitlines()}
    assert "in both files: 4 of 4 labelled images" in out
    assert table["exact match"] == ["50.0", "%", "50.0", "%", "4"]
    assert table["character error rate"] == ["27.3", "%", "4.5", "%", "4"]  # 12 and 2 of 44
    assert table["owner code"] == ["75.0", "%", "100.0", "%", "4"]
    assert table["serial number"] == ["75.0", "%", "75.0", "%", "4"]
    assert table["check digit"] == ["50.0", "%", "75.0", "%", "4"]
    assert table["check-digit rate"] == ["50.0", "%", "50.0", "%", "4"]
    assert table["status none"] == ["1", "0", "4"]
    better, worse = out.split("better: ")[1].split("worse: ")
    assert better.startswith("1 image\n")
    assert f"image/0.jpg  {NUMBER}: - -> {NUMBER}" in better
    assert worse.startswith("1 image\n")
    assert "image/3.jpg" in worse


def test_a_result_file_touched_by_an_editor_is_still_read(here, capsys):
    write_annotations(here / "annotations.json", {"image/1.jpg": NUMBER, "image/2.jpg": OTHER})
    path = results("r.txt", {"image/1.jpg": NUMBER, "image/2.jpg": OTHER})
    text = Path(path).read_text().replace("# the end\n", "").rstrip("\n").replace("\n", "\r\n")
    Path("edited.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert batch_process.main(["--compare", path, "edited.txt"]) == 0
    assert "2 of 2 labelled images" in capsys.readouterr().out


def test_a_file_compared_with_itself_changes_nothing(here, capsys):
    write_annotations(here / "annotations.json", {"image/1.jpg": NUMBER})
    path = results("r.txt", {"image/1.jpg": NUMBER})
    assert batch_process.main(["--compare", path, path]) == 0
    out = capsys.readouterr().out
    assert "better: 0 images" in out
    assert "worse: 0 images" in out
    assert "  100.0 %  100.0 %" in out, "shares are longer than the files' names"


@pytest.mark.parametrize("labels", [{}, {"image/1.jpg": "TODO"}, {"image/2.jpg": NUMBER}])
def test_nothing_to_compare_is_an_error(labels, here, capsys):
    write_annotations(here / "annotations.json", labels)
    path = results("r.txt", {"image/1.jpg": NUMBER})
    assert batch_process.main(["--compare", path, path]) == 1
    assert "nothing to compare" in error_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("flags", "code", "reason"),
    [
        (["--compare", "r.txt"], 2, "two result files, not 1"),
        (
            ["--compare", "r.txt", "no.txt"],
            2,
            "no no.txt to compare yet: type python",
        ),
        (["--compare"], 2, "no results_base.txt to compare yet: type python batch_process.py"),
        (["--compare", "r.txt", "odd.jsonl"], 1, "odd.jsonl, line 1: not a line of a result file"),
        (["--compare", "r.txt", "notes.txt"], 1, "notes.txt, line 1: not a line of a result file"),
        (["--compare", "r.txt", "photo.jpg"], 1, "cannot read photo.jpg: not a text"),
        (["--compare", "r.txt", "r.txt", "--annotation_file", "no.json"], 2, "no.json"),
    ],
)
def test_a_wrong_file_to_compare_is_one_line(flags, code, reason, here, capsys):
    write_annotations(here / "annotations.json", {"image/1.jpg": NUMBER})
    results("r.txt", {"image/1.jpg": NUMBER})
    (here / "notes.txt").write_text("call the depot\n")
    odd = {"image": "a", "number": 7, "status": "ok", "reason": "", "confidence": 1, "raw_text": ""}
    (here / "odd.jsonl").write_text(json.dumps(odd))
    draw_photo(here / "photo.jpg", "")
    try:
        found = batch_process.main(flags)
    except SystemExit as stop:
        found = stop.code
    assert found == code
    assert reason in error_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    "change",
    [
        {"confidence": 10**400},
        {"confidence": -(10**400)},
        {"confidence": float("nan")},
        {"confidence": float("inf")},
        {"confidence": 1.5},
        {"confidence": []},
        {"alternatives": 5},
        {"alternatives": [["CSQU 305438 3", 10**400]]},
        {"alternatives": [[[], 0.5]]},
        {"status": []},
        {"number": {}},
    ],
    ids=lambda change: str(change)[:40],
)
def test_a_result_that_no_run_wrote_is_one_line(change, here, capsys):
    write_annotations(here / "annotations.json", {"image/1.jpg": NUMBER})
    row = {"image": "image/1.jpg", "number": NUMBER, "status": "ok", "reason": ""}
    row |= {"confidence": 0.9, "raw_text": NUMBER, "alternatives": [[NUMBER, 0.9]]}
    (here / "good.jsonl").write_text(json.dumps(row) + "\n")
    assert batch_process.main(["--compare", "good.jsonl", "good.jsonl"]) == 0
    capsys.readouterr()
    (here / "odd.jsonl").write_text(json.dumps(row | change) + "\n")
    assert batch_process.main(["--compare", "good.jsonl", "odd.jsonl"]) == 1
    assert "odd.jsonl, line 1: not a line" in error_line(capsys.readouterr().err)


def test_the_five_steps_lead_to_a_better_reading(here, tiny_model, capsys):
    """Label, prepare, train, read twice, compare; `make demo` types them in processes."""
    AcceleratorState._reset_state(reset_partial_state=True)  # as in a process of its own
    for place in range(10):
        draw_photo(here / f"image/{place}.jpg", NUMBER if place else OTHER)

    def step(script: ModuleType, *argv: object) -> str:
        capsys.readouterr()
        code = script.main([*map(str, argv)])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    step(prepare_dataset, "--mode", "create_template", "--image_folder", "./image")
    path = here / "annotations.json"
    annotations = json.loads(path.read_text())
    for place, entry in enumerate(annotations["images"]):
        entry["container_number"] = NUMBER if place else OTHER
    path.write_text(json.dumps(annotations))
    step(prepare_dataset, "--mode", "prepare", "--output_dir", "./dataset")
    model = ["--model", tiny_model, "--device", "cpu", "--dtype", "fp32", "--looks", "1"]
    step(finetune_florence, *model, "--epochs", "4", "--lr", "2e-2", "--patience", "9")
    step(batch_process, "./image", *model)
    assert NUMBER not in (here / "results_base.txt").read_text(encoding="utf-8")
    lora = ["--lora_path", "./florence-container-lora", "--device", "cpu", "--looks", "1"]
    step(batch_process, "./image", *lora)
    table = step(batch_process, "--compare", "results_base.txt", "results_finetuned.txt")
    exact = next(line for line in table.splitlines() if line.startswith("exact match"))
    base, tuned = (float(word) for word in exact.split() if "." in word)
    assert tuned > base, table
