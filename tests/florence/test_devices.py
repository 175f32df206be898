"""Tests of devices and precision."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import ROOT, error_line, log_of, train, weights_of

import batch_process
from container_ocr import ContainerOCR
from containers.basis.errors import FlagError
from florence import devices
from florence import loading as checkpoint
from florence.loading import load_model
from florence.model_folder import count_weights
from florence.threads import choose_threads, computing_with


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_training_runs_in_each_precision_of_the_cpu(dtype, data):
    assert train(data, "--epochs", "1", "--dtype", dtype) == 0
    assert log_of("florence-container-lora")[0]["eval_loss"] > 0
    assert all(t.dtype == torch.float32 for t in weights_of("florence-container-lora").values())


def test_fp16_on_the_cpu_is_refused_in_words(data, capsys):
    assert train(data, "--dtype", "fp16") == 2
    assert "fp16 cannot train on cpu" in error_line(capsys.readouterr().err)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has the device")
def test_an_absent_device_names_the_ones_present(tiny_model):
    with pytest.raises(FlagError, match=r"cuda is not on this machine, which has: .*cpu"):
        load_model(tiny_model, device="cuda")


@pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="has a better device"
)
def test_the_choice_of_device_and_precision_is_said_with_its_reason(
    tiny_model, monkeypatch, capsys
):
    for units, dtype, reason in (
        ({"avx512_bf16": True}, torch.bfloat16, "bf16 (this CPU has avx512_bf16"),
        ({"avx512_bf16": False, "avx2": True}, torch.float32, "fp32 (this CPU has no unit for"),
        ({}, torch.float32, "fp32 (this CPU has no unit for bf16)"),
    ):
        monkeypatch.setattr(devices, "cpu_capabilities", units.copy)
        model, _ = load_model(tiny_model, device="auto")
        assert model.dtype == dtype
        said = capsys.readouterr().err
        assert "device: cpu (neither cuda nor mps here)" in said
        assert f"dtype: {reason}" in said
    model, _ = load_model(tiny_model, device="cpu", dtype="bf16")
    assert model.dtype == torch.bfloat16
    with pytest.raises(FlagError, match="none of auto, fp32, bf16, fp16"):
        load_model(tiny_model, device="cpu", dtype="int8")


@pytest.mark.parametrize(
    "words",
    [
        "CUDA out of memory. Tried to allocate 2 GiB",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA driver error: GPU 0 ran out of memory outside of PyTorch's allocator",
        "Invalid buffer size: 9.00 GiB",
        "MPS backend out of memory (MPS allocated: 5 GB)",
    ],
)
def test_every_way_to_say_that_memory_has_run_out_is_known(words):
    assert devices.is_out_of_memory(RuntimeError(words))
    assert not devices.is_out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


def test_every_loaded_model_leaves_plans_for_shapes_alone(tiny_model):
    torch.backends.cuda.enable_cudnn_sdp(True)
    load_model(tiny_model, device="cpu", dtype="fp32")
    assert not torch.backends.cuda.cudnn_sdp_enabled()


def test_a_gpu_reads_as_many_at_once_as_its_free_memory_holds(monkeypatch, capsys):
    chosen = []
    for free in (1e9, 14e9, 79e9, 1e12):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda free=free: (free, 2 * free))
        chosen.append(devices.choose_batch_size("cuda", (768, 768)))
    assert chosen == [4, 32, 128, 128]
    assert devices.choose_batch_size("cpu", (768, 768)) == 4
    assert devices.choose_batch_size("mps", (768, 768)) == 4
    assert "batch size: 32 (14 GB are free on the GPU)" in capsys.readouterr().err


def test_a_small_model_is_read_with_one_thread_on_the_cpu_and_a_large_one_with_all(
    tiny_model, capsys
):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert choose_threads(776_000_000, "cpu") is None
        choose_threads.cache_clear()
        reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32")
        assert torch.get_num_threads() == 2, "the program around it keeps its own"
        with computing_with(reader.threads):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert "threads: 1 (the model is small)" in capsys.readouterr().err


def test_idle_threads_do_not_spin_long():
    script = "import os, florence.devices; print(os.environ['GOMP_SPINCOUNT'])"
    for given, found in (({}, "10000"), ({"GOMP_SPINCOUNT": "7"}, "7")):
        plain = {k: v for k, v in os.environ.items() if k != "GOMP_SPINCOUNT"}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=plain | given, cwd=ROOT, capture_output=True, text=True)
        assert done.stdout.strip() == found


@pytest.mark.parametrize(
    ("weights", "device", "looks"),
    [(6e6, "cpu", 57), (6e6, "cuda", 57), (776e6, "cpu", 4), (776e6, "cuda", 57)],
)
def test_how_often_a_photo_is_looked_at_fits_model_and_device_and_is_said(
    weights, device, looks, capsys
):
    assert devices.choose_looks(int(weights), device) == looks
    assert f"looks: up to {looks} (" in capsys.readouterr().err


def test_the_looks_that_were_chosen_stand_in_the_first_line_and_are_those_that_are_taken(
    taught, taught_model, monkeypatch
):
    monkeypatch.setattr(devices, "SMALL_MODEL", 1000)
    monkeypatch.setattr(checkpoint, "SMALL_MODEL", 1000)
    assert batch_process.main(taught[:-2]) == 0
    assert ", at most 4 looks, " in Path("results_base.txt").read_text().splitlines()[0]
    model, _ = load_model(taught_model, device="cpu")
    assert count_weights(taught_model) == pytest.approx(model.num_parameters(), rel=0.05)
    assert ContainerOCR(str(taught_model), device="cpu").options.looks == 4
