"""The loader against the original modelling code's outputs and plain peft."""

import json
import re
import shutil

import pytest
import torch
import torch.nn.functional as F
from conftest import DATA
from peft import LoraConfig, PeftModel, get_peft_model
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import Florence2ForConditionalGeneration

import container_ocr
from container_ocr import (
    MICROSOFT_NAMES,
    FinetunedContainerOCR,
    FlagError,
    ModelError,
    attend_photo,
    load_model,
    prepare_inputs,
    rename_microsoft,
    share_photos,
)


@pytest.fixture(scope="module")
def microsoft(tmp_path_factory):
    """Return a folder in Microsoft's layout: real structure, 50,265 tokens of our own."""
    folder = tmp_path_factory.mktemp("microsoft") / "tiny"
    shutil.copytree(DATA / "ms_tiny", folder)
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    tokens = [*specials, *sorted(ByteLevel.alphabet())]
    tokens += [f"filler{i}" for i in range(50_264 - len(tokens))] + ["<mask>"]
    vocab = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def loaded(microsoft):
    """Return (model, processor, expected tensors) of the checkpoint in Microsoft's layout."""
    return *load_model(microsoft, device="cpu", dtype="fp32"), load_file(
        microsoft / "expected.safetensors"
    )


def original_inputs(expected) -> dict[str, torch.Tensor]:
    """Return the native inputs for what the original code was given: image tokens come first."""
    images = torch.full((2, expected["image_features"].shape[1]), 51289)
    ids = torch.cat([images, expected["input_ids"]], dim=1)
    pixels = expected["pixel_values"]
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}


def test_microsoft_layout_gives_the_image_features_of_the_original(loaded):
    model, _, expected = loaded
    with torch.inference_mode():
        features = model.get_image_features(expected["pixel_values"]).pooler_output
    torch.testing.assert_close(features, expected["image_features"], atol=1e-4, rtol=0)


def test_microsoft_layout_gives_the_logits_and_loss_of_the_original(loaded):
    model, _, expected = loaded
    with torch.inference_mode():
        outputs = model(**original_inputs(expected), labels=expected["labels"])
    logits = outputs.logits[..., : expected["logits"].shape[-1]]
    torch.testing.assert_close(logits, expected["logits"], atol=1e-4, rtol=0)
    torch.testing.assert_close(outputs.loss, expected["loss"], atol=1e-4, rtol=0)


def test_microsoft_layout_gives_the_beams_of_the_original(loaded):
    model, _, expected = loaded
    settings = {"num_beams": 3, "no_repeat_ngram_size": 3, "forced_bos_token_id": 0}
    length = expected["generated"].shape[1]
    written = model.generate(
        **original_inputs(expected), **settings, early_stopping=True, max_length=length
    )
    assert written.tolist() == expected["generated"].tolist()


def test_microsoft_tokenizer_ends_with_the_image_token(loaded):
    _, processor, _ = loaded
    tokenizer = processor.tokenizer
    assert len(tokenizer) == 51290
    ids = tokenizer.convert_tokens_to_ids(
        ["<od>", "<loc_0>", "<loc_999>", "<cap>", "<and>", "<image>"]
    )
    assert ids == [50265, 50269, 51268, 51269, 51288, 51289]
    assert tokenizer.image_token_id == 51289


def test_a_converted_model_saved_natively_loads_the_same(loaded, tmp_path):
    model, processor, expected = loaded
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    again, reloaded = load_model(tmp_path, device="cpu", dtype="fp32")
    with torch.inference_mode():
        outputs = again(**original_inputs(expected), labels=expected["labels"])
    torch.testing.assert_close(outputs.loss, expected["loss"], atol=1e-4, rtol=0)
    assert reloaded.tokenizer.image_token_id == 51289


def test_a_native_folder_loads_as_transformers_loads_it(tiny_model):
    model, _ = load_model(tiny_model, device="cpu", dtype="fp32")
    reference = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    for name, weight in reference.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, rtol=0, atol=0)
    assert not model.training


def broken_copy(folder, tmp_path, change):
    """Return a copy of a model folder whose tensors `change` has changed."""
    copy = tmp_path / "broken"
    shutil.copytree(folder, copy)
    tensors = load_file(copy / "model.safetensors")
    change(tensors)
    save_file(tensors, copy / "model.safetensors", metadata={"format": "pt"})
    return copy


NORM = "vision_tower.convs.0.norm.bias"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop(NORM), "convs.0.norm.bias"),
        (lambda t: t.update(stray=torch.zeros(2)), "stray"),
        (lambda t: t.update({NORM: torch.zeros(3)}), "convs.0.norm.bias"),
    ],
    ids=["missing", "left over", "another shape"],
)
def test_a_tensor_that_does_not_fit_is_named(microsoft, tmp_path, change, named):
    with pytest.raises(ModelError, match=named):
        load_model(broken_copy(microsoft, tmp_path, change), device="cpu", dtype="fp32")


def test_a_damaged_weight_file_is_an_error_not_a_traceback(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelError, match="cannot load"):
        load_model(tmp_path / "cut", device="cpu", dtype="fp32")


def test_another_feature_source_is_refused(microsoft, tmp_path):
    shutil.copytree(microsoft, tmp_path / "other")
    path = tmp_path / "other" / "config.json"
    config = json.loads(path.read_text())
    config["vision_config"]["image_feature_source"] = ["last_frame"]
    path.write_text(json.dumps(config))
    with pytest.raises(ModelError, match="last_frame"):
        load_model(tmp_path / "other", device="cpu", dtype="fp32")


def test_pickled_weights_are_refused(tiny_model, tmp_path):
    shutil.copytree(tiny_model, tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").rename(tmp_path / "pickled" / "pytorch_model.bin")
    with pytest.raises(FlagError, match="pickle is not read"):
        load_model(tmp_path / "pickled", device="cpu", dtype="fp32")


# ---- adapters --------------------------------------------------------------------------------


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


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("attend", "shape"),
    [(attend_photo, (2, 3, 8, 40)), (attend_photo, (2, 3, 40, 8)), (share_photos, (2, 3, 7, 8))],
    ids=["channels", "windows", "language"],
)
def test_attention_and_its_gradients_are_those_of_sdpa_in_fp32(attend, shape, dtype):
    random = torch.Generator().manual_seed(0)
    *inputs, way_back = torch.randn(4, *shape, generator=random).to(dtype).unbind()
    module = torch.nn.Module()
    module.is_causal = False
    found = []
    for learn, precision in (
        (lambda q, k, v: attend(module, q, k, v, None, scaling=0.3)[0].transpose(1, 2), dtype),
        (lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.3), torch.float32),
    ):
        leaves = [tensor.detach().clone().to(precision).requires_grad_() for tensor in inputs]
        seen = learn(*leaves)
        seen.backward(way_back.to(precision))
        found.append([tensor.float() for tensor in (seen, *(leaf.grad for leaf in leaves))])
    near = {"rtol": 0.02, "atol": 0.02} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(*found, **near)


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


def test_a_tokenizer_that_does_not_fit_the_embeddings_is_refused(microsoft, tmp_path):
    def cut(tensors):
        name = "language_model.model.shared.weight"
        tensors[name] = tensors[name][:50_000].clone()

    with pytest.raises(ModelError, match="50000 embeddings, but <image> would be 51289"):
        load_model(broken_copy(microsoft, tmp_path, cut), device="cpu", dtype="fp32")


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
    with pytest.raises(ModelError, match="size mismatch"):
        load_model(tiny_model, tmp_path / "wide", device="cpu", dtype="fp32")


def test_every_rule_of_the_name_table_is_used_by_the_reference_checkpoint(microsoft):
    names = [*load_file(microsoft / "model.safetensors"), "language_model.lm_head.weight"]
    unused = list(MICROSOFT_NAMES)
    for pattern, replacement in MICROSOFT_NAMES:
        before, names = names, [re.sub(pattern, replacement, name) for name in names]
        if before != names:
            unused.remove((pattern, replacement))
    assert not unused
    assert names == [rename_microsoft(name) for name in names], "renaming twice changes nothing"


# ---- devices and flags -----------------------------------------------------------------------


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
        monkeypatch.setattr(container_ocr, "cpu_capabilities", units.copy)
        model, _ = load_model(tiny_model, device="auto")
        assert model.dtype == dtype
        said = capsys.readouterr().err
        assert "device: cpu (neither cuda nor mps here)" in said
        assert f"dtype: {reason}" in said
    model, _ = load_model(tiny_model, device="cpu", dtype="bf16")
    assert model.dtype == torch.bfloat16
    with pytest.raises(FlagError, match="none of auto, fp32, bf16, fp16"):
        load_model(tiny_model, device="cpu", dtype="int8")
