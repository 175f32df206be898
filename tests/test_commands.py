"""Flags: quick help, and one line for each mistake."""

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, draw_photo, error_line, write_annotations

from commands.command_line import ArgumentParser, command

SCRIPTS = ["prepare_dataset", "finetune_florence", "batch_process", "container_ocr"]


HEAVY = ("torch", "transformers", "peft", "timm", "accelerate")


PROGRAM = f"""
import contextlib, importlib, io, json, shlex, sys
sys.path.insert(0, {str(ROOT)!r})
for line in sys.argv[1:]:
    script, *argv = shlex.split(line)
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(None):
        before = set(sys.modules)
        try:
            code = importlib.import_module(script).main(argv)
        except SystemExit as stop:
            code = stop.code
    new = sys.modules.keys() - before
    print(json.dumps([code, said.getvalue(), [name for name in {HEAVY!r} if name in new]]))
"""


def type_commands(lines: list[str], cwd: Path) -> list[tuple[int, str, list[str]]]:
    """Run lines of `script flags` in one fresh interpreter, which takes longer than most lines.

    Return each one's exit code, stderr, and heavy imports.
    """
    words = [sys.executable, "-c", PROGRAM, *lines]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def type_command(line: str, cwd: Path) -> tuple[int, str, list[str]]:
    """Run `script flags` in a fresh interpreter; return exit code, stderr, heavy imports."""
    (answer,) = type_commands([line], cwd)
    return answer


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_the_manual_and_imports_nothing_heavy(script, here):
    code, _, heavy = type_command(f"{script} --help", here)
    assert (code, heavy) == (0, [])
    description = importlib.import_module(script).build_parser().format_help()
    assert importlib.import_module(script).__doc__.strip() in description


def make_job(here: Path) -> Path:
    """Put everything into a folder, so that one mistake at a time can be made."""
    draw_photo(here / "image/a.jpg", "")
    (here / "empty").mkdir()
    (here / "notes.jpg").write_text("a text file")
    (here / "zero.jpg").touch()
    for name in ("train", "val"):
        (here / "dataset").mkdir(exist_ok=True)
        row = {"image": "image/a.jpg", "prefix": "<OCR>", "suffix": "CSQU 305438 3"}
        (here / f"dataset/{name}.json").write_text(json.dumps([row]))
    for name, config in (("model", "config"), ("adapter", "adapter_config"), ("other", "config")):
        (here / name).mkdir()
        kind = "florence2" if name == "model" else "bart"
        (here / f"{name}/{config}.json").write_text(json.dumps({"model_type": kind}))
    for name in ("model/pytorch_model.bin", "adapter/adapter_model.bin"):
        (here / name).touch()
    row = {"image": "zero.jpg", "prefix": "<OCR>", "suffix": "CSQU 305438 3"}
    (here / "broken.json").write_text(json.dumps([row]))
    gone = [row | {"image": f"image/{place}.jpg"} for place in range(80)]
    (here / "shipped.json").write_text(json.dumps(gone))
    (here / "list").mkdir()
    (here / "list/config.json").write_text("[]")
    (here / "broken").mkdir()
    (here / "broken/config.json").write_text("{")
    return here


@pytest.fixture
def job(here) -> Path:
    """Return a folder in which everything is there."""
    return make_job(here)


MISTAKES = [
    ("prepare_dataset --mode train", 2, "invalid choice: 'train'"),
    ("prepare_dataset --mode label --image_folder no", 2, "no: no such folder"),
    ("prepare_dataset --mode label --annotation_file image", 2, "image: Is a directory"),
    ("prepare_dataset --mode label --annotation_file broken/config.json", 1, "ends too early"),
    ("prepare_dataset --mode label --port 65536", 2, "'65536' is not a port"),
    ("prepare_dataset --mode label --port 1x", 2, "'1x' is not a port"),
    ("prepare_dataset --mode label --model model", 2, "read suggestions: add --suggest"),
    ("prepare_dataset --mode label --suggest --lora_path no", 2, "--lora_path no: no such folder"),
    (
        "prepare_dataset --mode label --suggest --model ./no",
        2,
        "./no is neither a folder nor an id",
    ),
    ("prepare_dataset --mode prepare --prune", 2, "--prune is for --mode check, not prepare"),
    ("prepare_dataset --suggest", 2, "--suggest is for --mode label, not create_template"),
    ("prepare_dataset --image_folder no", 2, "no: no such folder"),
    ("prepare_dataset --image_folder empty", 1, "no image in empty; it holds nothing"),
    ("prepare_dataset --image_folder zero.jpg", 2, "zero.jpg: is a file, not a folder"),
    ("prepare_dataset --mode prepare", 2, "annotations.json: no such file; make it with"),
    ("prepare_dataset --mode prepare --annotation_file image", 2, "image: Is a directory"),
    ("finetune_florence --train no.json", 2, "--train no.json: no such file"),
    ("finetune_florence --seed -1", 2, "'-1' is not a whole number from 0"),
    ("finetune_florence --dtype fp16 --device cpu", 2, "fp16 cannot train on cpu"),
    ("finetune_florence --val broken.json", 1, "broken.json, entry 1: zero.jpg: empty file"),
    (
        "finetune_florence --train shipped.json",
        1,
        "error: shipped.json: 80 of its 80 photos are not here, image/0.jpg among them: make it "
        "again from yours, python prepare_dataset.py --mode prepare",
    ),
    ("finetune_florence --epochs 0", 2, "'0' is not a whole number above zero"),
    ("finetune_florence --batch_size two", 2, "'two' is not a whole number"),
    ("finetune_florence --lr -1", 2, "-1 is not above zero"),
    ("finetune_florence --lora_dropout 1", 2, "1 is not at least 0 and below 1"),
    ("finetune_florence --lora_targets encoder", 2, "invalid choice: 'encoder'"),
    ("finetune_florence --output dataset/val.json", 2, "cannot write dataset/val.json"),
    ("finetune_florence --learning_rate 1", 2, "unrecognized arguments: --learning_rate 1"),
    (
        "batch_process image/a.jpg --model m",
        2,
        "image/a.jpg is a photo, not a folder: type python container_ocr.py image/a.jpg --model m",
    ),
    (
        "batch_process --watch --compare",
        2,
        "--compare reads no photos: leave --watch out, type python batch_process.py --compare",
    ),
    ("batch_process --output r.xls", 2, "none of .txt, .csv, .xlsx, .jsonl: type --output r.xlsx"),
    ("batch_process --output r.pdf", 2, "none of .txt, .csv, .xlsx, .jsonl: type --output r.txt"),
    ("batch_process --columns image", 2, "--columns is for tables: type --output results_base.csv"),
    ("batch_process --columns image,image", 2, "'image' stands there twice"),
    ("batch_process --columns number", 2, "'number' is none of image, container_number, "),
    ("batch_process --report r.pdf", 2, "is a page for a browser: type --report r.html"),
    ("batch_process no", 2, "no: no such folder"),
    ("batch_process empty", 1, "no image in empty"),
    ("batch_process --model ./no", 2, "--model ./no is neither a folder nor an id"),
    ("batch_process --model image", 2, "image: no config.json in it"),
    ("batch_process --model model", 2, "model: no model.safetensors in it (pickle is not read)"),
    ("batch_process --model other", 2, "other is a bart model, not Florence-2"),
    ("batch_process --model list", 1, "cannot read list/config.json: not a JSON object"),
    ("batch_process --model zero.jpg", 2, "--model zero.jpg is neither a folder nor an id"),
    ("batch_process --model broken", 1, "cannot read broken/config.json"),
    ("batch_process --model adapter", 2, "adapter holds an adapter: pass it with --lora_path"),
    ("batch_process --lora_path no", 2, "--lora_path no: no such folder"),
    ("batch_process --lora_path model", 2, "--lora_path model: holds no adapter_config.json"),
    ("batch_process --lora_path adapter", 2, "no adapter_model.safetensors (pickle is not read)"),
    ("batch_process --output image", 2, "cannot write image: Is a directory"),
    ("batch_process --batch_size 0", 2, "'0' is not a whole number above zero"),
    ("batch_process --compare one.txt", 2, "--compare takes two result files, not 1"),
    ("batch_process --group_by (", 2, "'(' is no regular expression"),
    ("batch_process --review_below 1.5", 2, "'1.5' is not a number from 0 to 1"),
    ("batch_process --owner_codes no.txt", 2, "cannot read --owner_codes no.txt: No such file"),
    ("container_ocr image/a.jpg --owner_codes notes.jpg", 2, "line 1: ATEXTFILE is no owner code"),
    ("container_ocr image/a.jpg --owner_codes zero.jpg", 2, "zero.jpg holds no owner code"),
    ("container_ocr image/a.jpg --only_owner_codes", 2, "add --owner_codes FILE"),
    ("batch_process image --only_owner_codes", 2, "add --owner_codes FILE"),
    ("container_ocr image/a.jpg --model ''", 2, "model is empty: give a value or leave it out"),
    ("container_ocr image/a.jpg --owner_codes ''", 2, "owner_codes is empty"),
    ("batch_process '' --output r.txt", 2, "image_folder is empty"),
    ("batch_process --output ''", 2, "output is empty"),
    ("batch_process --compare r.txt ''", 2, "compare is empty"),
    ("finetune_florence --train ''", 2, "train is empty"),
    ("prepare_dataset --annotation_file ''", 2, "annotation_file is empty"),
    ("container_ocr", 2, "name the photos to read, or --check_model"),
    (
        "container_ocr image --lora_path l",
        2,
        "image is a folder: type python batch_process.py image --lora_path l",
    ),
    ("container_ocr missing.jpg", 1, "missing.jpg: no such file"),
    ("container_ocr notes.jpg", 1, "notes.jpg: not an image"),
    ("container_ocr zero.jpg", 1, "zero.jpg: empty file"),
    ("container_ocr image/a.jpg --device tpu", 2, "invalid choice: 'tpu'"),
    (
        "container_ocr image/a.jpg --model nobody/no-such-model",
        1,
        "nobody/no-such-model is no folder here",
    ),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, tuple[int, str, list[str]]]:
    """Make all mistakes; return what each is answered."""
    lines = [line for line, _, _ in MISTAKES]
    return dict(zip(lines, type_commands(lines, make_job(tmp_path_factory.mktemp("job")))))


@pytest.mark.parametrize(("line", "code", "reason"), MISTAKES)
def test_a_mistake_is_one_line_and_imports_nothing_heavy(line, code, reason, answers):
    found, stderr, heavy = answers[line]
    assert reason in error_line(stderr)
    assert (found, heavy) == (code, [])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device there")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("container_ocr image/a.jpg --owner_codes /dev/full", 2),
        ("prepare_dataset --annotation_file /dev/full", 2),
        ("prepare_dataset --mode prepare --annotation_file /dev/zero", 2),
        ("finetune_florence --train /dev/zero", 2),
        ("batch_process --model good --output /dev/full", 2),
        ("batch_process --compare /dev/zero /dev/full", 1),
        ("container_ocr /dev/zero", 1),
    ],
)
def test_a_device_without_end_is_refused_at_once(line, code, job):
    write_annotations(job / "annotations.json", {"image/a.jpg": "CSQU 305438 3"})
    good = job / "good"
    good.mkdir()
    config = {"model_type": "florence2", "text_config": {}, "vision_config": {}}
    (good / "config.json").write_text(json.dumps(config))
    (good / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    for name in ("tokenizer.json", "processor_config.json"):
        (good / name).write_text("{}")
    found, stderr, _ = type_command(line, job)
    assert "a device or pipe, not a file" in error_line(stderr)
    assert found == code


@pytest.mark.skipif(sys.platform == "darwin", reason="may have the device")
@pytest.mark.parametrize(
    "script", ["finetune_florence", "batch_process", "container_ocr image/a.jpg"]
)
def test_an_absent_device_is_refused_without_importing_torch(script, job):
    found, stderr, heavy = type_command(f"{script} --device mps", job)
    assert "--device mps is not on this machine, which has: " in error_line(stderr)
    assert (found, heavy) == (2, [])


def test_an_interrupt_that_tells_no_signal_is_called_sigint(capsys):
    @command(lambda: ArgumentParser(""))
    def main(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    assert main([]) == 130
    assert capsys.readouterr().err == "error: interrupted (SIGINT): run it again\n"
