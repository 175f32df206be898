"""Tests of devices and precision."""

import pytest
import torch
from conftest import error_line, log_of, train, weights_of

from containers.errors import FlagError
from florence import devices
from florence.checkpoint import load_model


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
