"""Tests of stopped trainings."""

import json
from pathlib import Path

import accelerate
import pytest
import torch
from conftest import assert_same_weights, error_line, log_of, stop_in_epoch, train

import finetune_florence
from containers.basis.locks import only_writer
from florence.options import TrainingOptions
from florence.resuming import Checkpoints, require_writable


def test_a_stopped_run_resumes_to_the_same_curve(data, monkeypatch):
    flags = ("--epochs", "3", "--lora_dropout", "0.1", "--augment")
    assert train(data, *flags, "--output", "whole") == 0
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 1)
        assert train(data, *flags, "--output", "stopped") == 130
    assert len(log_of("stopped")) == 1
    assert train(data, *flags, "--output", "stopped", "--resume") == 0
    assert log_of("stopped") == log_of("whole")
    assert_same_weights("stopped", "whole")
    assert len(list(Path("stopped").glob("checkpoint-*"))) == 1


def test_resume_refuses_other_arguments_and_starts_where_there_is_nothing(data, capsys):
    assert train(data, "--epochs", "1", "--resume", "--output", "fresh") == 0
    assert "nothing to resume" in capsys.readouterr().err
    assert train(data, "--epochs", "1", "--resume", "--output", "fresh", "--lora_alpha", "8") == 2
    assert (
        "--lora_alpha is 8, was 32; give the same, or begin another with --output fresh-2"
        in error_line(capsys.readouterr().err)
    )


def test_a_run_that_chose_how_often_to_look_is_resumed_with_the_same_command(data, monkeypatch):
    """Whatever it would choose now, as on another device."""
    flags = (*data[: data.index("--looks")], "--epochs", "2", "--output", "out")
    monkeypatch.setattr(finetune_florence, "looks_for", lambda *_: 1)
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, 1)
        assert train(flags) == 130
    monkeypatch.setattr(finetune_florence, "looks_for", lambda *_: 2)
    assert train(flags, "--resume") == 0
    assert len(log_of("out")) == 2
    assert json.loads(Path("out/train_args.json").read_text())["looks"] == 1


def test_a_mistake_leaves_a_finished_run_as_it_is(data, capsys):
    assert train(data, "--epochs", "1", "--output", "out") == 0
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    assert train(data, "--output", "out") == 2
    assert "--output out-2 keeps it, --overwrite replaces it" in error_line(capsys.readouterr().err)
    assert train(data, "--dtype", "fp16", "--output", "out", "--overwrite") == 2
    assert train([*data, "--model", "nobody/nothing"], "--output", "out", "--overwrite") == 1
    assert (
        train(data, "--lr", "1e30", "--output", "out", "--overwrite") == 1
    )  # fails in its second step
    after = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    assert {path.name for path in before} == {path.name for path in after}
    assert all(before[path] == after[path] for path in before if path.is_file())


@pytest.mark.parametrize(
    "file",
    ["checkpoint-1/train_args.json", "checkpoint-1/progress.json", "checkpoint-1/optimizer.bin"],
)
def test_a_damaged_checkpoint_is_one_line(file, data, capsys):
    flags = ("--epochs", "2", "--output", "out")
    assert train(data, *flags, "--max_steps", "3") == 0
    path = Path("out", file)
    path.write_bytes(path.read_bytes()[:20])
    capsys.readouterr()
    assert train(data, *flags, "--max_steps", "3", "--resume") == 1
    assert "out/checkpoint-1" in error_line(capsys.readouterr().err)


def test_machines_that_do_not_have_the_same_checkpoint_do_not_go_on(data, monkeypatch, capsys):
    assert train(data, "--epochs", "1") == 0
    monkeypatch.setattr(accelerate.utils, "gather_object", lambda seen: [*seen, ""])
    assert train(data, "--epochs", "1", "--resume") == 1
    assert "copy the folder from the first machine" in error_line(capsys.readouterr().err)


def test_the_random_state_of_an_apple_gpu_is_kept_with_the_checkpoint(data, monkeypatch):
    given, state = [], torch.arange(5, dtype=torch.uint8)
    monkeypatch.setattr(torch.mps, "get_rng_state", state.clone)
    monkeypatch.setattr(torch.mps, "set_rng_state", given.append)
    make = Checkpoints.__init__

    def make_on_mps(self, *args):
        make(self, *args)
        self.device = "mps"

    monkeypatch.setattr(Checkpoints, "__init__", make_on_mps)
    assert train(data, "--epochs", "1") == 0
    assert not given
    assert train(data, "--epochs", "1", "--resume") == 0
    torch.testing.assert_close(given, [state])


def test_a_second_training_into_the_same_folder_is_refused(data, capsys):
    with only_writer("out/train_args.json"):
        assert train(data, "--output", "out") == 1
    assert "train_args.json is being written by process" in error_line(capsys.readouterr().err)
    assert not list(Path("out").iterdir())


def test_all_targets_need_no_number_of_looks_to_be_writable(here):
    require_writable(TrainingOptions(lora_targets="all", train="dataset/train.json", output="out"))
    assert Path("dataset/features").is_dir(), "the windows are kept there"
    require_writable(TrainingOptions(lora_targets="all", train="other/train.json", looks=1))
    assert not Path("other/features").exists()
