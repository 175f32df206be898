"""Tests of what a training is said to take, and of computing layers again to take less."""

import pytest
import torch
from conftest import NUMBER, assert_same_weights, log_of, train
from PIL import Image
from transformers import Florence2Config

import finetune_florence
from florence import memory
from florence.adapter import Base, add_lora, train_mode
from florence.inputs import prepare_inputs
from florence.loading import load_model
from florence.memory import compute_again, estimate, lower_memory
from florence.options import TrainingOptions

TEXT = {"d_model": 1024, "vocab_size": 51_328, "model_type": "bart"}
for side in ("encoder", "decoder"):
    TEXT |= {f"{side}_layers": 12, f"{side}_attention_heads": 16, f"{side}_ffn_dim": 4096}
VISION = {"embed_dim": [256, 512, 1024, 2048], "depths": [1, 1, 9, 1]}
LEARNT = {"language": 8_650_752, "all": 14_811_136}


@pytest.mark.parametrize(
    ("targets", "photos", "again", "measured"),
    [
        ("all", 2, False, 18.5),
        ("all", 1, False, 10.4),
        ("all", 1, True, 5.6),
        ("language", 2, False, 4.7),
        ("language", 2, True, 3.4),
    ],
)
def test_the_estimate_is_near_what_the_true_shape_has_taken(targets, photos, again, measured):
    config = Florence2Config(text_config=TEXT, vision_config=VISION)
    weights = LEARNT[targets], 776_505_344 + LEARNT[targets]
    needed = estimate(config, targets, (768, 768), weights, 2).total(photos, again)
    assert needed / 1e9 == pytest.approx(measured, rel=0.15)


def gradients(folder, again: bool) -> tuple[float, dict[str, torch.Tensor]]:
    """Return a batch's loss and gradients, all layers adapted, LoRA's dropout on."""
    network, processor = load_model(folder, device="cpu", dtype="fp32")
    options = TrainingOptions(lora_targets="all", lora_rank=4, lora_alpha=8, lora_dropout=0.3)
    torch.manual_seed(0)
    model = add_lora(network, Base.at(str(folder), folder), options)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    if again:
        compute_again(model)
    train_mode(model)
    images = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    loss = model(**prepare_inputs(processor, images, [NUMBER] * 2)).loss
    loss.backward()
    return loss.item(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def test_layers_that_are_computed_again_have_the_same_loss_and_gradients(tiny_model, monkeypatch):
    plain, expected = gradients(tiny_model, False)
    calls, checkpoint = [], torch.utils.checkpoint.checkpoint

    def count(*args, **options):
        calls.append(args)
        return checkpoint(*args, **options)

    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", count)
    loss, found = gradients(tiny_model, True)
    assert len(calls) == 2 * 4 + 1 + 1, "each half of a block of the tower, and each layer"
    assert loss == plain
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=0)


def test_where_memory_is_short_layers_are_computed_again_and_the_curve_is_the_same(
    data, monkeypatch, capsys
):
    flags = ("--lora_targets", "all", "--epochs", "2")
    assert train(data, *flags, "--output", "plain") == 0
    assert "memory: about 0." in capsys.readouterr().err
    monkeypatch.setattr(memory, "free_memory", lambda device: 0.0)
    assert train(data, *flags, "--output", "again") == 0
    said = capsys.readouterr().err
    assert "gradient checkpointing" in said
    assert "warning: that may be more than there is: lower --batch_size (now 2)" in said
    assert log_of("again") == log_of("plain")
    assert_same_weights("again", "plain")


def test_a_large_rank_is_what_is_named_first_where_memory_is_short():
    args = finetune_florence.build_parser().parse_args(["--lora_rank", "9000"])
    assert lower_memory(args).startswith("lower §lora_rank (now 9000); or lower §batch_size")
    args.lora_rank = 16
    assert lower_memory(args).startswith("lower §batch_size")
