"""Tests of adapters, against plain peft."""

import json
import math
import re
import shutil

import pytest
import torch
from conftest import error_line, train
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import Florence2ForConditionalGeneration

import finetune_florence
from container_ocr import FinetunedContainerOCR
from containers.basis.errors import ModelError
from florence import adapter as lora
from florence.adapter import train_mode
from florence.examples import read_examples
from florence.inputs import prepare_inputs
from florence.loading import load_model, require_model
from florence.options import TrainingOptions
from florence.training import Trainer


def make_trainer(data, *more: str) -> Trainer:
    """Return a trainer that has not begun."""
    args = finetune_florence.build_parser().parse_args([*data, "--output", "adapter", *more])
    rows = [read_examples("--x", f"dataset/{n}.json") for n in ("train", "val")]
    return Trainer(TrainingOptions(**vars(args)), *rows)


TARGETS = {
    "decoder": {"q_proj": 2, "k_proj": 2, "v_proj": 2, "out_proj": 2, "fc1": 1, "fc2": 1},
    "language": {"q_proj": 3, "k_proj": 3, "v_proj": 3, "out_proj": 3, "fc1": 2, "fc2": 2},
    "all": {"q_proj": 3, "k_proj": 3, "v_proj": 3, "out_proj": 3, "fc1": 10, "fc2": 10}
    | {"qkv": 8, "proj": 8},  # one spatial and one channel block in each of four stages
}


@pytest.mark.parametrize("targets", TARGETS)
def test_lora_hits_the_modules_of_its_target_and_says_how_many(targets, data, capsys):
    trainer = make_trainer(data, "--lora_targets", targets)
    said = capsys.readouterr().err
    for layer, count in TARGETS[targets].items():
        assert sum(map(int, re.findall(rf"\b(\d+) {layer}\b", said))) == count
    trained = [n for n, p in trainer.model.named_parameters() if p.requires_grad]
    assert len(trained) == 2 * sum(TARGETS[targets].values())
    assert all(".lora_" in name for name in trained)
    if targets != "all":
        assert all(
            f".{'decoder' if targets == 'decoder' else 'language_model'}." in n for n in trained
        )


def test_a_target_that_matches_no_module_is_an_error(data, monkeypatch, capsys):
    targets = {"language": {"language_model": ("q_proj", "o_proj")}}
    monkeypatch.setattr(lora, "LORA_TARGETS", targets)
    assert train(data, "--epochs", "1") == 1
    assert "o_proj matches no module" in error_line(capsys.readouterr().err)


def test_the_frozen_part_stays_as_it_is_and_in_eval_mode(data, tiny_model):
    trainer = make_trainer(data, "--epochs", "1", "--lora_dropout", "0.5")
    train_mode(trainer.model)
    training = {name for name, m in trainer.model.named_modules() if m.training}
    assert training
    assert all("lora_dropout" in name for name in training)
    trainer.compute_features()
    trainer.train_epoch()
    reference = Florence2ForConditionalGeneration.from_pretrained(tiny_model).state_dict()
    for name, weight in trainer.model.get_base_model().state_dict().items():
        if ".lora_" not in name:
            original = reference[name.replace(".base_layer.", ".")]
            torch.testing.assert_close(weight, original, rtol=0, atol=0)
    assert any(w.abs().max() > 0 for n, w in trainer.model.named_parameters() if "lora_B" in n)


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory):
    """Return a folder with an adapter of random weights, made by plain peft."""
    torch.manual_seed(1)
    model = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    config = LoraConfig(
        r=4, target_modules=["q_proj", "fc2", "qkv", "lm_head"], init_lora_weights=False
    )
    folder = tmp_path_factory.mktemp("adapters") / "plain"
    get_peft_model(model, config).save_pretrained(folder)
    return folder


def logits_of(model, processor) -> torch.Tensor:
    """Return the logits for a grey image and a fixed answer."""
    inputs = prepare_inputs(processor, [Image.new("RGB", (80, 60), "grey")], ["CSQU 305438 3"])
    with torch.inference_mode():
        return model(**inputs).logits


def test_an_adapter_gives_the_logits_of_plain_peft(tiny_model, adapter):
    ours, processor = load_model(tiny_model, adapter, device="cpu", dtype="fp32")
    base = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    plain = PeftModel.from_pretrained(base, adapter).eval()
    expected = logits_of(plain, processor)
    torch.testing.assert_close(logits_of(ours, processor), expected)
    bare, _ = load_model(tiny_model, device="cpu", dtype="fp32")
    assert (logits_of(bare, processor) - expected).abs().max() > 0.01


def test_an_adapter_is_merged_for_reading_and_gives_the_logits_of_plain_peft(tiny_model, tmp_path):
    torch.manual_seed(4)
    layers = ["q_proj", "out_proj", "fc1", "fc2", "qkv", "proj"]
    config = LoraConfig(r=4, lora_alpha=8, target_modules=layers, init_lora_weights=False)
    base = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    plain = get_peft_model(base, config).eval()
    plain.save_pretrained(tmp_path)
    ours, processor = load_model(tiny_model, tmp_path, device="cpu", dtype="fp32")
    assert type(ours) is Florence2ForConditionalGeneration
    assert not [name for name, _ in ours.named_parameters() if "lora" in name]
    expected = logits_of(plain, processor)
    torch.testing.assert_close(logits_of(ours, processor), expected, rtol=1e-4, atol=1e-4)
    bare, _ = load_model(tiny_model, device="cpu", dtype="fp32")
    assert (logits_of(bare, processor) - expected).abs().max() > 0.01


def test_the_adapter_names_its_base_model(tiny_model, adapter):
    reader = FinetunedContainerOCR(str(adapter), device="cpu", dtype="fp32")
    reference, processor = load_model(tiny_model, adapter, device="cpu", dtype="fp32")
    torch.testing.assert_close(logits_of(reader.model, processor), logits_of(reference, processor))


def to_microsoft(name: str) -> str:
    """Return Microsoft's name for a native tensor: the table read backwards, by hand."""
    rules = [
        ("lm_head.", "language_model.lm_head."),
        ("model.language_model.", "language_model.model."),
        ("model.vision_tower.", "vision_tower."),
        (".window_attn.qkv.", ".window_attn.fn.qkv."),
        (".channel_attn.qkv.", ".channel_attn.fn.qkv."),
        (".ffn.fc2.", ".ffn.fn.net.fc2."),
    ]
    for native, original in rules:
        name = name.replace(native, original)
    return name


def test_an_adapter_with_microsoft_names_gives_the_same_logits(tiny_model, adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "ms")
    tensors = load_file(adapter / "adapter_model.safetensors")
    head = "base_model.model."
    renamed = {head + to_microsoft(name.removeprefix(head)): t for name, t in tensors.items()}
    assert not renamed.keys() & tensors.keys()
    assert any("language_model.lm_head.lora_A" in name for name in renamed)
    save_file(renamed, tmp_path / "ms" / "adapter_model.safetensors")
    ours, processor = load_model(tiny_model, tmp_path / "ms", device="cpu", dtype="fp32")
    expected, _ = load_model(tiny_model, adapter, device="cpu", dtype="fp32")
    torch.testing.assert_close(logits_of(ours, processor), logits_of(expected, processor))


def test_a_damaged_adapter_file_is_an_error_not_a_traceback(tiny_model, adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "cut")
    weights = tmp_path / "cut" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(ModelError, match="cannot load adapter"):
        load_model(tiny_model, tmp_path / "cut", device="cpu", dtype="fp32")


def test_an_lm_head_adapter_of_microsofts_vocabulary_grows_with_ours(microsoft, tmp_path):
    """Their head has 51,289 rows, ours one more for <image>."""
    torch.manual_seed(2)
    model, processor = load_model(microsoft, device="cpu", dtype="fp32")
    config = LoraConfig(r=2, target_modules=["lm_head", "fc1"], init_lora_weights=False)
    network = get_peft_model(model, config).eval()
    network.save_pretrained(tmp_path, save_embedding_layers=False)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    head = "base_model.model.lm_head.lora_B.weight"
    tensors[head] = tensors[head][:51289].clone()
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    ours, _ = load_model(microsoft, tmp_path, device="cpu", dtype="fp32")
    expected, found = logits_of(network, processor), logits_of(ours, processor)
    torch.testing.assert_close(found[..., :51289], expected[..., :51289])


def test_an_adapter_that_lacks_a_tensor_is_an_error(tiny_model, adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "half")
    tensors = load_file(adapter / "adapter_model.safetensors")
    half = {name: tensor for name, tensor in tensors.items() if "lora_A" in name}
    save_file(half, tmp_path / "half" / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"lacks .*lora_B"):
        load_model(tiny_model, tmp_path / "half", device="cpu", dtype="fp32")


@pytest.mark.parametrize("name", ["language_model.model.decoder.layers.9.fc1", "nowhere"])
def test_an_adapter_tensor_without_a_place_is_named(tiny_model, adapter, tmp_path, name):
    shutil.copytree(adapter, tmp_path / "stray")
    tensors = load_file(adapter / "adapter_model.safetensors")
    tensors[f"base_model.model.{name}.lora_A.weight"] = torch.zeros(4, 16)
    save_file(tensors, tmp_path / "stray" / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=name.rpartition(".")[2]):
        load_model(tiny_model, tmp_path / "stray", device="cpu", dtype="fp32")


def test_an_adapter_of_another_size_is_an_error(tiny_model, adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "wide")
    tensors = load_file(adapter / "adapter_model.safetensors")
    name = next(name for name in tensors if name.endswith("lora_A.weight"))
    tensors[name] = torch.zeros(4, 99)
    save_file(tensors, tmp_path / "wide" / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"of another size: .* takes 99 values there and 16 here"):
        load_model(tiny_model, tmp_path / "wide", device="cpu", dtype="fp32")


@pytest.mark.parametrize("init", ["pissa", "olora", "orthogonal", "gaussian"])
def test_an_adapter_trained_from_another_beginning_gives_the_logits_of_plain_peft(
    init, tiny_model, tmp_path
):
    torch.manual_seed(5)
    base = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    config = LoraConfig(r=4, target_modules=["q_proj", "fc1"], init_lora_weights=init)
    trained = get_peft_model(base, config).eval()
    with torch.no_grad():
        for name, weight in trained.named_parameters():
            if "lora_" in name:
                weight += 0.1 * torch.randn_like(weight)
    trained.save_pretrained(tmp_path)
    base = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    plain = PeftModel.from_pretrained(base, tmp_path).eval()
    ours, processor = load_model(tiny_model, tmp_path, device="cpu", dtype="fp32")
    for reference in (trained, plain):
        expected = logits_of(reference, processor)
        torch.testing.assert_close(logits_of(ours, processor), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights pissa_niter_4"),
        ({"init_lora_weights": "loftq"}, "init_lora_weights loftq"),
        ({"lora_alpha": math.nan}, "NaN stands in it"),
        ({"lora_alpha": math.inf}, "Infinity stands in it"),
        ({"lora_alpha": "8"}, "lora_alpha that is no finite number"),
        ({"alpha_pattern": {"q_proj": math.nan}}, "NaN stands in it"),
        ({"rank_pattern": 5}, "rank_pattern or alpha_pattern that is no JSON object"),
        ({"rank_pattern": {"q_proj": 0}}, "r that is no whole number"),
        ({"r": "4"}, "r that is no whole number"),
        ({"rank_pattern": {"(.+)+!": 4}}, "the pattern '(.+)+!': the name of a module"),
        ({"alpha_pattern": {"(a|a)*$": 4}}, "the pattern '(a|a)*$': the name of a module"),
        ({"peft_type": "IA3"}, "peft_type IA3, which is not LORA"),
    ],
    ids=str,
)
def test_an_adapter_that_cannot_be_right_is_refused_before_anything_is_loaded(
    values, reason, adapter, tmp_path
):
    shutil.copytree(adapter, tmp_path / "odd")
    file = tmp_path / "odd/adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    with pytest.raises(ModelError, match=re.escape(reason)):
        require_model(None, str(tmp_path / "odd"), "cpu")


def test_a_rank_that_the_tensors_do_not_have_is_refused_before_it_is_built(
    tiny_model, adapter, tmp_path, monkeypatch
):
    shutil.copytree(adapter, tmp_path / "odd")
    file = tmp_path / "odd/adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"r": 1_000_000}))
    monkeypatch.setattr(PeftModel, "__init__", lambda *_: pytest.fail("it is built"))
    with pytest.raises(ModelError, match=r"has rank 4, and adapter_config\.json says 1000000"):
        load_model(tiny_model, tmp_path / "odd", device="cpu", dtype="fp32")


def test_plain_names_of_modules_have_their_own_rank_and_scale(tiny_model, tmp_path):
    base = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    config = LoraConfig(
        r=4,
        target_modules=["q_proj", "fc2"],
        init_lora_weights=False,
        rank_pattern={"q_proj": 2},
        alpha_pattern={"^model.language_model.decoder.layers.0.fc2": 32},
    )
    trained = get_peft_model(base, config).eval()
    trained.save_pretrained(tmp_path)
    ours, processor = load_model(tiny_model, tmp_path, device="cpu", dtype="fp32")
    expected = logits_of(trained, processor)
    torch.testing.assert_close(logits_of(ours, processor), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "values", [{"use_dora": []}, {"bias": 5}, {"lora_dropout": "x"}, {"fan_in_fan_out": "x"}]
)
def test_any_other_odd_value_is_plain_pefts_answer_or_one_error(
    values, tiny_model, adapter, tmp_path
):
    shutil.copytree(adapter, tmp_path / "odd")
    file = tmp_path / "odd/adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    base = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    try:
        ours, processor = load_model(tiny_model, tmp_path / "odd", device="cpu", dtype="fp32")
    except ModelError:
        return
    plain = PeftModel.from_pretrained(base, tmp_path / "odd").eval()
    torch.testing.assert_close(logits_of(ours, processor), logits_of(plain, processor))


def test_an_adapter_of_weights_that_are_no_numbers_is_refused(tiny_model, adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "nan")
    tensors = load_file(adapter / "adapter_model.safetensors")
    name = next(name for name in tensors if name.endswith("lora_A.weight"))
    tensors[name][0, 0] = math.nan
    save_file(tensors, tmp_path / "nan" / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"lora_A\.weight holds NaN or infinity"):
        load_model(tiny_model, tmp_path / "nan", device="cpu", dtype="fp32")
