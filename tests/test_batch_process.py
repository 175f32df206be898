"""Tests of batch_process.py: a folder in, a result file out."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import (
    NUMBER,
    OTHER,
    ROOT,
    TAUGHT,
    error_line,
    paint,
    rows_of,
    stop_before,
)
from peft import LoraConfig, get_peft_model
from transformers import Florence2ForConditionalGeneration

import batch_process
from containers.data.result import Result
from containers.data.results import read_results


def test_a_folder_is_read_line_by_line_in_order_and_a_bad_photo_is_a_line(flags, capsys):
    assert batch_process.main(flags) == 1
    out, err = capsys.readouterr()
    rows = rows_of("results_base.txt")
    assert [row[0] for row in rows] == [
        *("image/a 1/한글.jpg", "image/b.jpg", "image/bad.jpg", "image/c.jpg")
    ]
    assert all(len(row) == 5 for row in rows)
    assert rows[2][2] == "error: not an image that Pillow can read"
    assert "image/bad.jpg: not an image" in error_line(err)
    lines = Path("results_base.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# batch_process.py: model ")
    assert lines[-1].startswith("# 4 images: ")
    assert "1 error" in lines[-1]
    assert "4 images" in out


def test_the_status_says_what_to_do_with_a_number(taught):
    assert batch_process.main(taught) == 0
    rows = rows_of("results_base.txt")
    assert all(float(row.pop(3)) > 0.8 for row in rows if row[1])
    assert rows == [
        ["image/0.png", NUMBER, "ok", f"MAERSK {NUMBER} 22G1"],
        ["image/1.png", "CSQU 305438 4", "review: check digit does not fit", "CSQU 305438 4"],
        ["image/2.png", "CSQU 305438", "review: check digit not read", "CSQU 305438"],
        ["image/3.png", "", "none", "0.000", "22G1"],
        ["image/4.png", NUMBER, f"review: several containers: {NUMBER}, {OTHER}", TAUGHT["black"]],
    ]
    last = Path("results_base.txt").read_text().splitlines()[-1]
    assert last == "# 5 images: 1 ok, 3 review, 1 none, 0 error"


def test_an_owner_that_is_not_in_the_file_is_for_review_and_the_file_is_named(taught, here):
    (here / "owners.txt").write_text("hlxu  # one of two\n\nMSKU\n")
    assert batch_process.main([*taught, "--owner_codes", "owners.txt"]) == 0
    assert rows_of("results_base.txt")[0][2] == "ok", "CSQU is a common one"
    first = Path("results_base.txt").read_text().splitlines()[0]
    assert "owner codes common and owners.txt (" in first
    only = ["--owner_codes", "owners.txt", "--only_owner_codes"]
    assert batch_process.main([*taught, *only]) == 0
    assert rows_of("results_base.txt")[0][1:3] == [
        NUMBER,
        "review: owner code CSQU is not in the list",
    ]
    assert "owner codes owners.txt (" in Path("results_base.txt").read_text().splitlines()[0]


def test_review_below_says_from_which_confidence_a_number_is_ok(taught):
    assert batch_process.main([*taught, "--review_below", "1"]) == 0
    assert rows_of("results_base.txt")[0][1:3] == [NUMBER, "review: confidence below 1"]


def test_two_runs_of_the_same_model_give_the_same_bytes_whatever_the_batch(flags):
    for output, size in (("a.txt", "1"), ("b.txt", "1"), ("c.txt", "3")):
        batch_process.main([*flags, "--output", output, "--batch_size", size])
    assert Path("a.txt").read_bytes() == Path("b.txt").read_bytes() == Path("c.txt").read_bytes()


def same_everywhere(result: Result) -> tuple:
    """Return of a result what every format keeps."""
    reading = result.reading
    return result.image, reading.number, reading.status, reading.reason, reading.confidence


def test_every_format_holds_what_the_text_file_holds(taught):
    for output in ("r.txt", "r.csv", "r.jsonl", "r.xlsx"):
        assert batch_process.main([*taught, "--output", output]) == 0
    _, expected = read_results(Path("r.txt"))
    for output in ("r.csv", "r.jsonl", "r.xlsx"):
        found = read_results(Path(output))[1]
        assert [same_everywhere(result) for result in found] == [*map(same_everywhere, expected)]
    objects = [json.loads(x) for x in Path("r.jsonl").read_text().splitlines() if x[0] != "#"]
    assert [row["status"] for row in objects] == [result.reading.status for result in expected]


def test_lora_path_changes_the_default_output_and_the_first_line(taught, taught_model):
    base = Florence2ForConditionalGeneration.from_pretrained(taught_model)
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained("adapter")
    flags = ["--device", "cpu", "--dtype", "fp32", "--looks", "1"]
    assert batch_process.main(["--lora_path", "adapter", *flags]) == 0
    first = Path("results_finetuned.txt").read_text().splitlines()[0]
    assert first.startswith("# batch_process.py: model ")
    weights = hashlib.sha256((taught_model / "model.safetensors").read_bytes()).hexdigest()[:12]
    assert f"{taught_model.name} ({weights}), adapter adapter (" in first
    assert rows_of("results_finetuned.txt")[0][2] == "ok"  # a fresh adapter changes nothing


@pytest.mark.parametrize("output", ["image", "image/b.jpg/results.txt"])
def test_an_output_that_cannot_be_written_is_said_before_reading(
    output, flags, monkeypatch, capsys
):
    sizes = stop_before(0, monkeypatch)
    assert batch_process.main([*flags, "--output", output]) == 2
    assert not sizes
    assert f"cannot write {output}" in error_line(capsys.readouterr().err)


def test_two_processes_write_the_file_of_one_and_resume_it(taught, here):
    """Of 25 photos one is none, so the shares differ in size and in what they load."""
    for place in range(20):
        paint(here / f"image/more{place:02}.png", list(TAUGHT)[place % 5])
    (here / "image/more07.png").write_text("no photo")
    assert batch_process.main([*taught, "--output", "one.jsonl"]) == 1
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    script = [str(ROOT / "batch_process.py"), *taught, "--output", "two.jsonl"]
    command = [sys.executable, *launch, "--main_process_port", "0", *script]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    options = {"capture_output": True, "text": True, "timeout": 300, "env": environment}
    done = subprocess.run(command, **options)
    assert done.returncode == 1, done.stderr  # more07.png
    assert Path("two.jsonl").read_bytes() == Path("one.jsonl").read_bytes()
    assert "2 processes share 25 photos" in done.stderr
    assert done.stdout.count("two.jsonl: 25 images: ") == 1, "only one process prints"
    lines = Path("two.jsonl").read_text().splitlines(keepends=True)
    Path("two.jsonl.partial").write_text("".join([lines[0], *lines[2:9]]))
    Path("two.jsonl").unlink()
    done = subprocess.run([*command, "--resume"], **options)
    assert "resume: 7 photos read before" in done.stderr
    assert "2 processes share 18 photos" in done.stderr
    assert Path("two.jsonl").read_bytes() == Path("one.jsonl").read_bytes()


@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl", "xlsx"])
def test_group_by_writes_a_line_for_each_container(taught_model, here, suffix):
    for name, colour in (("1_LEFT_1", "red"), ("1_LEFT_2", "green"), ("2_BACK_1", "white")):
        paint(here / f"image/{name}.png", colour)
    flags = ["--model", str(taught_model), "--device", "cpu", "--looks", "1", "--group_by"]
    assert batch_process.main(["image", "--output", f"r.{suffix}", *flags]) == 0
    made_by, results = read_results(here / f"r_grouped.{suffix}")
    assert "grouped by" in made_by
    found = {r.image: (r.reading.number, r.reading.status) for r in results}
    assert found == {"image/1": (NUMBER, "ok"), "image/2": (None, "none")}
