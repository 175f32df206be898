"""Tiny models with the very files and keys of the published ones, in both layouts.

A folder that `save_pretrained` writes today lacks what the published ones carry along: the keys of
the configuration that they were converted from, rows of words that no token has, settings of
generation, older files of the same vocabulary. Here they stand beside the new ones, as published.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import Florence2ForConditionalGeneration, Florence2Processor

from florence.loading import load_model

WORDS = 51_328  # rows of the published embedding: 51,290 words, and padding to a multiple of 64
GENERATION = {  # as published, in generation_config.json and in text_config
    "early_stopping": True,
    "forced_bos_token_id": 0,
    "no_repeat_ngram_size": 3,
    "num_beams": 3,
}
TIED = ("lm_head.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight")


def save_published(original: Path, folder: Path) -> dict[str, Path]:
    """Save the weights of a folder in Microsoft's layout as both layouts are published.

    Return the folders by the name of the layout.
    """
    model, processor = load_model(original, device="cpu", dtype="fp32")
    return {
        "native": save_native(original, model, processor, folder / "native"),
        "microsoft": save_microsoft(original, folder / "microsoft"),
    }


def save_microsoft(original: Path, folder: Path) -> Path:
    """Save it as `microsoft/Florence-2-large` is published: tokenizer.json, and no merges.txt."""
    shutil.copytree(original, folder)
    words = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    (folder / "merges.txt").unlink()
    write(folder / "tokenizer.json", tokenizer_of(words, []))
    write(folder / "tokenizer_config.json", {"model_max_length": 1024})
    write(folder / "generation_config.json", {"num_beams": 3, "early_stopping": False})
    return folder


def save_native(
    original: Path,
    model: Florence2ForConditionalGeneration,
    processor: Florence2Processor,
    folder: Path,
) -> Path:
    """Save it as `florence-community/Florence-2-large` is published."""
    folder.mkdir(parents=True)
    for name in ("preprocessor_config.json", "vocab.json", "merges.txt"):
        shutil.copy(original / name, folder)
    config, old = (json.loads(text) for text in (model.config.to_json_string(), read(original)))
    vision, text = old["vision_config"], old["text_config"]
    left = ("dim_embed", "image_pos_embed", "image_feature_source", "visual_temporal_embedding")
    config["vision_config"] |= {name: vision[name] for name in (*left, "enable_checkpoint")}
    config["vision_config"]["max_pos_embeddings"] = 50
    config["text_config"] |= GENERATION | {"vocab_size": WORDS, "num_hidden_layers": 1}
    for name in ("add_bias_logits", "add_final_layer_norm", "classif_dropout", "normalize_before"):
        config["text_config"][name] = text[name]
    for name in ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"):
        del config["text_config"][name]  # they stand in generation_config.json alone
    write(folder / "config.json", config | {"dtype": "float16", "transformers_version": "4.56.1"})
    tokens = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    starts = {"decoder_start_token_id": 2, "forced_eos_token_id": 2, "_from_model_config": True}
    write(folder / "generation_config.json", GENERATION | tokens | starts)
    write_words(processor, folder)
    state = {n: t.half().contiguous() for n, t in model.state_dict().items()}
    state = {name: tensor for name, tensor in state.items() if not name.endswith(TIED)}
    words = state["model.language_model.shared.weight"]
    padding = torch.randn(WORDS - len(words), words.shape[1], dtype=words.dtype) * words.std() * 4
    state["model.language_model.shared.weight"] = torch.cat([words, padding])
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_words(processor: Florence2Processor, folder: Path) -> None:
    """Write the words in the new form and in the three older ones, as they are published."""
    tokenizer = processor.tokenizer
    words = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    added = {token: i for token, i in tokenizer.get_vocab().items() if i >= len(words)}
    added = sorted(added, key=added.get)
    write(folder / "tokenizer.json", tokenizer_of(words, added))
    write(folder / "added_tokens.json", {t: len(words) + i for i, t in enumerate(added)})
    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    special |= {"cls_token": "<s>", "sep_token": "</s>", "image_token": "<image>"}
    decoder = {len(words) + i: entry(0, token) for i, token in enumerate(added)}
    decoder = {str(i): {k: v for k, v in e.items() if k != "id"} for i, e in decoder.items()}
    write(
        folder / "tokenizer_config.json",
        special
        | {
            "add_prefix_space": False,
            "added_tokens_decoder": decoder,
            "additional_special_tokens": added[:-1],
            "extra_special_tokens": {"image_token": "<image>"},
            "mask_token": "<mask>",
            "model_max_length": 1024,
            "processor_class": "Florence2Processor",
            "tokenizer_class": "BartTokenizer",
            "trim_offsets": True,
        },
    )
    write(folder / "special_tokens_map.json", special | {"additional_special_tokens": added[:-1]})
    recipe = json.loads((folder / "preprocessor_config.json").read_text())
    write(folder / "preprocessor_config.json", recipe | {"rescale_factor": 0.00392156862745098})
    own = {"num_additional_image_tokens": 0, "processor_class": "Florence2Processor"}
    write(folder / "processor_config.json", own)


def tokenizer_of(words: dict[str, int], added: list[str]) -> dict:
    """Return a tokenizer.json of BART's kind whose every token is one byte."""
    specials = [entry(words[token], token) for token in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")]
    specials += [entry(len(words) + i, token) for i, token in enumerate(added)]
    bytes_only = {"add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": ""}
    model |= {"end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": specials,
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", **bytes_only},
        "post_processor": {
            "type": "RobertaProcessing",
            "sep": ["</s>", 2],
            "cls": ["<s>", 0],
            "trim_offsets": True,
            "add_prefix_space": False,
        },
        "decoder": {"type": "ByteLevel", **bytes_only},
        "model": model | {"ignore_merges": False, "vocab": words, "merges": []},
    }


def entry(place: int, token: str) -> dict:
    """Return how a tokenizer.json names a token that is no text."""
    kind = dict.fromkeys(("single_word", "rstrip", "normalized"), False)
    return {"id": place, "content": token, "lstrip": token == "<mask>", "special": True} | kind


def read(folder: Path) -> str:
    """Return a folder's config.json."""
    return (folder / "config.json").read_text(encoding="utf-8")


def write(path: Path, value: object) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")
