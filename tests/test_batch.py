"""Folders become result files that can be diffed, stopped, resumed and compared."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import ROOT, TAUGHT, draw_photo, error_line, paint, run, write_annotations
from peft import LoraConfig, get_peft_model
from transformers import Florence2ForConditionalGeneration

import batch_process
import container_ocr
from container_ocr import ContainerOCR, UserError, ahead, is_valid, workers

NUMBER, OTHER = "CSQU 305438 3", "HLXU 200841 9"


@pytest.fixture
def flags(here, tiny_model):
    """Draw three photos and one text file that calls itself a photo; return the flags to read."""
    for name in ("b.jpg", "a 1/한글.jpg", "c.jpg"):
        draw_photo(here / "image" / name, name)
    (here / "image" / "bad.jpg").write_text("no photo")
    return ["--model", str(tiny_model), "--device", "cpu", "--dtype", "fp32"]


@pytest.fixture
def taught(here, taught_model):
    """Paint a photo of each colour whose text the taught model knows; return the flags to read."""
    for place, colour in enumerate(TAUGHT):
        paint(here / f"image/{place}.png", colour)
    return ["--model", str(taught_model), "--device", "cpu", "--dtype", "fp32"]


def stop_before(batch: int, monkeypatch) -> list[int]:
    """Press Ctrl-C before the model reads that batch; return the list of batch sizes to come."""
    sizes, look_at = [], ContainerOCR.look_at

    def stop_or_look_at(self, images, places):
        if places:
            if len(sizes) == batch:
                raise KeyboardInterrupt
            sizes.append(len(images))
        return look_at(self, images, places)

    monkeypatch.setattr(ContainerOCR, "look_at", stop_or_look_at)
    return sizes


def rows_of(path: str) -> list[list[str]]:
    """Return the lines of a result file that are about photos, split at tabs."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")]


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


def test_csv_and_jsonl_hold_what_the_text_file_holds(taught):
    for output in ("r.txt", "r.csv", "r.jsonl"):
        assert batch_process.main([*taught, "--output", output]) == 0
    _, expected = batch_process.read_results(Path("r.txt"))
    for output in ("r.csv", "r.jsonl"):
        rows = batch_process.read_results(Path(output))[1]
        assert [{field: row[field] for field in batch_process.FIELDS} for row in rows] == expected
    lines = [x for x in Path("r.csv").read_text().splitlines() if not x.startswith("#")]
    table = list(csv.DictReader(lines))
    assert [row["number"] for row in table] == [row["number"] or "" for row in expected]
    objects = [json.loads(x) for x in Path("r.jsonl").read_text().splitlines() if x[0] != "#"]
    assert [row["status"] for row in objects] == [row["status"] for row in expected]


def test_lora_path_changes_the_default_output_and_the_first_line(taught, taught_model):
    base = Florence2ForConditionalGeneration.from_pretrained(taught_model)
    get_peft_model(base, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained("adapter")
    assert batch_process.main(["--lora_path", "adapter", "--device", "cpu", "--dtype", "fp32"]) == 0
    first = Path("results_finetuned.txt").read_text().splitlines()[0]
    assert first.startswith("# batch_process.py: model ")
    assert f"{taught_model.name}, adapter adapter (" in first
    assert rows_of("results_finetuned.txt")[0][2] == "ok"  # a fresh adapter changes nothing


def test_a_stopped_run_leaves_its_lines_and_resumes_without_reading_them_again(taught, monkeypatch):
    assert batch_process.main([*taught, "--output", "whole.txt"]) == 0
    flags = [*taught, "--output", "results.txt", "--batch_size", "1"]
    with monkeypatch.context() as patch:
        stop_before(2, patch)
        assert batch_process.main(flags) == 130
    assert not Path("results.txt").exists()
    assert len(rows_of("results.txt.partial")) == 2
    with open("results.txt.partial", "a") as file:
        file.write("image/2.png\ttorn li")  # killed in the middle of a line
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([*flags, "--resume"]) == 0
    assert sizes == [1, 1, 1]
    assert Path("results.txt").read_bytes() == Path("whole.txt").read_bytes()
    assert not Path("results.txt.partial").exists()


def test_resume_on_a_complete_file_reads_new_and_failed_photos_only(taught, here, monkeypatch):
    (here / "image/bad.png").write_text("no photo")
    assert batch_process.main(taught) == 1
    paint(here / "image/bad.png", "red")
    paint(here / "image/00 new.png", "red")
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([*taught, "--resume"]) == 0
    assert sizes == [2]
    rows = rows_of("results_base.txt")
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert [row[2] for row in rows].count("ok") == 3


def test_a_second_kill_before_the_first_new_line_loses_nothing(taught, here, monkeypatch, capsys):
    flags = [*taught, "--batch_size", "1", "--output", "r.csv"]
    with monkeypatch.context() as patch:
        stop_before(3, patch)
        assert batch_process.main(flags) == 130
    before = Path("r.csv.partial").read_bytes()
    paint(here / "image/00 sorts first.png", "red")
    with monkeypatch.context() as patch:
        stop_before(0, patch)
        assert batch_process.main([*flags, "--resume"]) == 130
        assert Path("r.csv.partial").read_bytes() == before
        assert batch_process.main(flags) == 130  # --resume forgotten, and nothing read
    assert "--resume continues it" in capsys.readouterr().err
    assert Path("r.csv.partial").read_bytes() == before
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([*flags, "--resume"]) == 0
    assert len(sizes) == 3
    assert len(batch_process.read_results(Path("r.csv"))[1]) == 6


def test_a_stopped_run_goes_on_where_an_older_runs_file_was_to_be_replaced(
    taught, tiny_model, monkeypatch
):
    assert (
        batch_process.main(["--model", str(tiny_model), "--device", "cpu", "--dtype", "fp32"]) == 0
    )
    flags = [*taught, "--batch_size", "1"]
    with monkeypatch.context() as patch:
        stop_before(2, patch)
        assert batch_process.main(flags) == 130
    assert batch_process.main([*flags, "--resume"]) == 0
    assert [row[2][:6] for row in rows_of("results_base.txt")].count("review") == 3


def test_a_line_torn_inside_a_letter_is_dropped(taught, here):
    paint(here / "image/한글.png", "red")
    assert batch_process.main(taught) == 0
    whole = (here / "results_base.txt").read_bytes()
    torn = whole[: whole.index("한글".encode()) + 1]
    (here / "results_base.txt.partial").write_bytes(torn)
    assert batch_process.main([*taught, "--resume"]) == 0
    assert (here / "results_base.txt").read_bytes() == whole


@pytest.mark.parametrize("output", ["r.txt", "r.csv", "r.jsonl"])
def test_odd_file_names_are_read_back_as_they_are(output, taught, here, monkeypatch, capsys):
    names = ["#1.png", "tab\there.png", "line\nend.png", 'a,"b.png', "two  s.png", r"b\t.png"]
    for name in names:
        paint(here / name, "red")
    assert batch_process.main([".", *taught, "--output", output]) == 0
    sizes = stop_before(99, monkeypatch)
    assert batch_process.main([".", *taught, "--output", output, "--resume"]) == 0
    assert not sizes
    write_annotations(here / "annotations.json", dict.fromkeys(names, NUMBER))
    assert batch_process.main(["--compare", output, output]) == 0
    assert "6 of 6 labelled images" in capsys.readouterr().out


def test_a_file_that_is_no_result_file_is_not_overwritten(taught, here, capsys):
    write_annotations(here / "annotations.json", {"image/0.png": NUMBER})
    before = (here / "annotations.json").read_bytes()
    assert batch_process.main([*taught, "--output", "annotations.json"]) == 2
    assert "annotations.json is no result file" in error_line(capsys.readouterr().err)
    assert (here / "annotations.json").read_bytes() == before


def test_resume_refuses_the_lines_of_another_model(taught, tiny_model, capsys):
    assert batch_process.main(taught) == 0
    before = Path("results_base.txt").read_bytes()
    assert batch_process.main(["--model", str(tiny_model), "--device", "cpu", "--resume"]) == 1
    assert "made by another run" in error_line(capsys.readouterr().err)
    assert Path("results_base.txt").read_bytes() == before


def test_a_run_killed_for_real_keeps_the_old_file_and_can_go_on(flags, here):
    (here / "results_base.txt").write_text("# batch_process.py: the old file\n")
    for place in range(40):
        draw_photo(here / f"image/d{place:02}.jpg", "")
    command = [sys.executable, str(ROOT / "batch_process.py"), *flags, "--batch_size", "1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    partial = here / "results_base.txt.partial"
    until = time.monotonic() + 120
    while time.monotonic() < until and not (
        partial.exists() and partial.read_text().count("\n") > 4
    ):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (here / "results_base.txt").read_text() == "# batch_process.py: the old file\n"
    done = len(rows_of("results_base.txt.partial"))
    assert done >= 3
    assert batch_process.main([*flags, "--resume"]) == 1  # bad.jpg
    assert len(rows_of("results_base.txt")) == 44


@pytest.mark.parametrize("output", ["image", "image/b.jpg/results.txt"])
def test_an_output_that_cannot_be_written_is_said_before_reading(
    output, flags, monkeypatch, capsys
):
    sizes = stop_before(0, monkeypatch)
    assert batch_process.main([*flags, "--output", output]) == 2
    assert not sizes
    assert f"cannot write {output}" in error_line(capsys.readouterr().err)


def test_no_more_photos_are_opened_ahead_than_asked_for():
    begun = []
    tasks = ((str, begun.append(place) or place) for place in range(50))
    with workers(1) as pool:
        for done, future in enumerate(ahead(tasks, pool, 4), 1):
            assert future.result() == str(done - 1)
            assert len(begun) <= done + 4
    assert len(begun) == 50


def test_a_large_folder_read_ahead_in_other_processes_gives_the_bytes_of_one_read_in_turn(
    taught, here, monkeypatch
):
    for place in range(20):
        paint(here / f"image/more{place:02}.png", list(TAUGHT)[place % 5])
    (here / "image/more07.png").write_text("no photo")
    (here / "image/more12.png").write_text("no photo")
    started = []

    def start(count: int):
        started.append(count)
        return workers(count)

    monkeypatch.setattr(container_ocr, "workers", start)
    assert batch_process.main([*taught, "--output", "ahead.jsonl"]) == 1
    monkeypatch.setattr(container_ocr, "FEW_PHOTOS", 99)
    assert batch_process.main([*taught, "--output", "turn.jsonl"]) == 1
    assert started == [1, 0]
    assert Path("ahead.jsonl").read_bytes() == Path("turn.jsonl").read_bytes()
    assert len(batch_process.read_results(Path("turn.jsonl"))[1]) == 25


def test_a_process_that_dies_while_it_opens_photos_is_an_error_in_words():
    with (
        pytest.raises(UserError, match="a process that opens photos was ended"),
        workers(1) as pool,
    ):
        next(ahead([(os._exit, 1)], pool, 0)).result()


def test_two_processes_write_the_file_of_one_and_resume_it(taught, here):
    """Of 25 photos one is none, so the shares differ in size and in what they load."""
    for place in range(20):
        paint(here / f"image/more{place:02}.png", list(TAUGHT)[place % 5])
    (here / "image/more07.png").write_text("no photo")
    assert batch_process.main([*taught, "--output", "one.txt"]) == 1
    launch = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    script = [str(ROOT / "batch_process.py"), *taught, "--output", "two.txt"]
    command = [sys.executable, *launch, "--main_process_port", "0", *script]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    options = {"capture_output": True, "text": True, "timeout": 300, "env": environment}
    done = subprocess.run(command, **options)
    assert done.returncode == 1, done.stderr  # more07.png
    assert Path("two.txt").read_bytes() == Path("one.txt").read_bytes()
    assert "2 processes share 25 photos" in done.stderr
    assert done.stdout.count("two.txt: 25 images: ") == 1, "only one process prints"
    lines = Path("two.txt").read_text().splitlines(keepends=True)
    Path("two.txt.partial").write_text("".join([lines[0], *lines[2:9]]))
    Path("two.txt").unlink()
    done = subprocess.run([*command, "--resume"], **options)
    assert "resume: 7 photos were read before" in done.stderr
    assert "[18/18]" in done.stderr
    assert Path("two.txt").read_bytes() == Path("one.txt").read_bytes()


def test_where_memory_runs_out_half_as_many_photos_are_read_at_once(taught, monkeypatch, capsys):
    assert batch_process.main([*taught, "--output", "whole.txt", "--batch_size", "5"]) == 0
    look, sizes = ContainerOCR.look_at_once, []

    def look_at_once(self, images, places):
        if len(images) > (1 if sizes else 2):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        sizes.append(len(images))
        return look(self, images, places)

    monkeypatch.setattr(ContainerOCR, "look_at_once", look_at_once)
    assert batch_process.main([*taught, "--output", "halves.txt", "--batch_size", "5"]) == 0
    assert sizes[:4] == [2, 1, 1, 1], "what has been read is not read again"
    warnings = capsys.readouterr().err
    assert "out of memory with 5 photos at once: going on with 2" in warnings
    assert "out of memory with 2 photos at once: going on with 1" in warnings
    assert Path("halves.txt").read_bytes() == Path("whole.txt").read_bytes()


def test_out_of_memory_with_one_photo_says_what_to_do(taught, monkeypatch, capsys):
    def look_at_once(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(ContainerOCR, "look_at_once", look_at_once)
    assert batch_process.main(taught) == 1
    assert "lower --batch_size (now 4)" in error_line(capsys.readouterr().err)


# ---- comparing -------------------------------------------------------------------------------


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
    assert "4 of 4 labelled images are in both files" in out
    assert table["exact match"] == ["50.0", "%", "50.0", "%", "4"]
    assert table["character error rate"] == ["27.3", "%", "4.5", "%", "4"]  # 12 and 2 of 44
    assert table["owner code"] == ["75.0", "%", "100.0", "%", "4"]
    assert table["serial number"] == ["75.0", "%", "75.0", "%", "4"]
    assert table["check digit"] == ["50.0", "%", "75.0", "%", "4"]
    assert table["check-digit rate"] == ["50.0", "%", "50.0", "%", "4"]
    assert table["status none"] == ["1", "0", "4"]
    better, worse = out.split("better: ")[1].split("worse: ")
    assert better.startswith("1 images")
    assert f"image/0.jpg  {NUMBER}: - -> {NUMBER}" in better
    assert worse.startswith("1 images")
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
        (["--compare", "r.txt", "no.txt"], 1, "cannot read no.txt: No such file"),
        (["--compare"], 1, "cannot read results_base.txt: No such file"),
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


# ---- one photo -------------------------------------------------------------------------------


def test_the_one_photo_command_prints_a_line_or_json_for_each_photo(flags, capsys):
    assert container_ocr.main(["image/b.jpg", "image/c.jpg", *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["image/b.jpg", "image/c.jpg"]
    assert container_ocr.main(["image/b.jpg", "--json", *flags]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["image"] == "image/b.jpg"
    assert set(row) == {*batch_process.FIELDS, "alternatives"}


def test_a_photo_that_cannot_be_read_does_not_stop_the_others(flags, capsys):
    assert container_ocr.main(["missing.jpg", "image/b.jpg", *flags]) == 1
    out, err = capsys.readouterr()
    assert [line.split("\t")[2][:6] for line in out.splitlines()] == ["error:", "none"]
    assert "missing.jpg: no such file" in error_line(err)


def test_the_five_steps_lead_to_a_better_reading(here, tiny_model):
    """Label, prepare, train, read twice, compare: each in a process of its own."""
    for place in range(10):
        draw_photo(here / f"image/{place}.jpg", NUMBER)

    def step(*argv) -> str:
        done = run(*argv, cwd=here)
        assert done.returncode == 0, done.stderr
        return done.stdout

    step("prepare_dataset.py", "--mode", "create_template", "--image_folder", "./image")
    path = here / "annotations.json"
    annotations = json.loads(path.read_text())
    for place, entry in enumerate(annotations["images"]):
        entry["container_number"] = NUMBER if place else OTHER
    path.write_text(json.dumps(annotations))
    step("prepare_dataset.py", "--mode", "prepare", "--output_dir", "./dataset")
    model = ["--model", tiny_model, "--device", "cpu", "--dtype", "fp32"]
    step("finetune_florence.py", *model, "--epochs", "4", "--lr", "2e-2", "--patience", "9")
    step("batch_process.py", "./image", *model)
    assert NUMBER not in (here / "results_base.txt").read_text(encoding="utf-8")
    step(
        "batch_process.py", "./image", "--lora_path", "./florence-container-lora", "--device", "cpu"
    )
    table = step("batch_process.py", "--compare", "results_base.txt", "results_finetuned.txt")
    exact = next(line for line in table.splitlines() if line.startswith("exact match"))
    base, tuned = (float(word) for word in exact.split() if "." in word)
    assert tuned > base, table
