"""Tests of finetune_florence.py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import NUMBER, ROOT, error_line, log_of, run, train
from PIL import Image
from transformers import Florence2ForConditionalGeneration

import container_ocr
import finetune_florence
from container_ocr import FinetunedContainerOCR
from florence.inputs import prepare_inputs
from florence.loading import load_model
from florence.training import Trainer


def test_a_tuned_model_reads_what_it_was_taught_and_the_base_does_not(data, tiny_model, capsys):
    shutil.copy("dataset/train.json", "dataset/val.json")
    assert train(data, "--epochs", "12", "--output", "adapter") == 0
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if line.startswith("Epoch ")]
    assert len(lines) == 12
    first, last = log_of("adapter")[0], log_of("adapter")[-1]
    assert lines[0].startswith(f"Epoch 1: eval_loss: {first['eval_loss']:.4f} exact_match: ")
    assert last["eval_loss"] < first["eval_loss"]
    assert last["exact_match"] == 1
    assert last["character_error_rate"] == 0
    assert f"Best: epoch {min(log_of('adapter'), key=lambda r: r['eval_loss'])['epoch']}" in out
    assert "trainable parameters: " in err
    assert "%|" not in err, "no bars where stderr is no terminal"
    once = {"device": "cpu", "dtype": "fp32", "looks": 1}
    tuned = FinetunedContainerOCR("adapter", **once).read("image/train0.jpg")
    assert (tuned.number, tuned.is_valid) == (NUMBER, True)
    base = container_ocr.ContainerOCR(str(tiny_model), **once).read("image/train0.jpg")
    assert base.number != NUMBER


def test_the_output_folder_loads_with_plain_peft_and_transformers(data, tiny_model):
    from peft import PeftModel
    from transformers import AutoProcessor

    assert train(data, "--epochs", "2", "--output", "adapter") == 0
    base = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    plain = PeftModel.from_pretrained(base, "adapter").eval()
    processor = AutoProcessor.from_pretrained("adapter")
    inputs = prepare_inputs(processor, [Image.new("RGB", (9, 9))], [NUMBER])
    ours, _ = load_model(tiny_model, "adapter", device="cpu", dtype="fp32")
    with torch.inference_mode():
        torch.testing.assert_close(ours(**inputs).logits, plain(**inputs).logits)
    names = {path.name for path in Path("adapter").iterdir()}
    assert {"train_args.json", "train_log.jsonl", "adapter_config.json"} <= names
    assert json.loads(Path("adapter/train_args.json").read_text())["lora_rank"] == 4


def test_running_out_of_memory_says_what_to_lower(data, monkeypatch, capsys):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(Trainer, "train_epoch", full)
    assert train(data) == 1
    line = error_line(capsys.readouterr().err)
    assert "out of memory" in line
    assert "--batch_size (now 2)" in line


def test_two_processes_train_the_curve_of_one_with_the_same_global_batch(data, here):
    flags = [*data, "--epochs", "2", "--lora_dropout", "0", "--views", "2"]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    launch += ["--num_processes", "2", "--main_process_port", "0", finetune_florence.__file__]
    two = [*launch, *flags, "--batch_size", "1", "--output", "two"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(two, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert "2 processes share the photos" in done.stderr
    assert done.stdout.count("Epoch ") == 2, "only one process prints"
    assert len(list(Path("dataset/features").iterdir())) == 14
    shutil.rmtree("dataset/features")
    assert train(flags, "--batch_size", "2", "--output", "one") == 0
    for name in ("eval_loss", "train_loss"):
        losses = [[record[name] for record in log_of(folder)] for folder in ("one", "two")]
        assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_the_default_paths_are_the_guides(here):
    done = run("finetune_florence.py", "--device", "cpu", cwd=here)
    assert done.returncode == 2
    assert "dataset/train.json" in error_line(done.stderr)
    assert "prepare_dataset.py --mode prepare" in done.stderr


def test_the_finetuned_reader_takes_the_default_output_of_training(data):
    assert train(data, "--max_steps", "1") == 0
    once = {"device": "cpu", "dtype": "fp32", "looks": 1}
    named = FinetunedContainerOCR("florence-container-lora", **once)
    assert FinetunedContainerOCR(**once).read("image/val0.jpg") == named.read("image/val0.jpg")


def test_no_warning_of_a_library_reaches_who_reads_or_trains(data):
    """In one new process, since a library warns once, and what was imported has warned."""
    read, tuned = ["image/train0.jpg", *data[:6], "--looks", "1"], [*data, "--epochs", "1"]
    lines = [
        "import container_ocr, finetune_florence",
        f"assert container_ocr.main({read}) == finetune_florence.main({tuned}) == 0",
    ]
    words = [sys.executable, "-c", "\n".join(lines)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Epoch 1: " in done.stdout
    assert "Warning" not in done.stderr
