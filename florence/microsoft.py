"""Microsoft's checkpoint layout: names, configuration and processor in transformers' own form."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import ModelError
from florence.model_folder import weight_files

if TYPE_CHECKING:
    import torch
    from transformers import Florence2Config, Florence2Processor

EMBEDDING = "model.language_model.shared.weight"
NOT_LOADED = (  # copies of it, and the original's constant zero
    "language_model.final_logits_bias",
    "lm_head.weight",
    "model.language_model.encoder.embed_tokens.weight",
    "model.language_model.decoder.embed_tokens.weight",
)
# Microsoft's tensor names to transformers' own, applied in this order.
MICROSOFT_NAMES = (
    (r"^vision_tower\.", "model.vision_tower."),
    (r"\.convs\.(\d+)\.proj\.", r".convs.\1.conv."),
    (r"\.(conv[12])\.fn\.dw\.", r".\1."),
    (r"\.(?:window|channel)_attn\.norm\.", ".norm1."),
    (r"\.(window|channel)_attn\.fn\.", r".\1_attn."),
    (r"\.ffn\.norm\.", ".norm2."),
    (r"\.ffn\.fn\.net\.", ".ffn."),
    (r"^image_projection$", "model.multi_modal_projector.image_projection.weight"),
    (r"^image_pos_embed\.", "model.multi_modal_projector.image_position_embed."),
    (r"^(image_proj_norm|visual_temporal_embed)\.", r"model.multi_modal_projector.\1."),
    (r"^language_model\.model\.", "model.language_model."),
    (r"^language_model\.lm_head\.", "lm_head."),
)
# The tokens that Microsoft's processor adds to BART's 50,265, in its order (and its spelling).
MICROSOFT_TOKENS = [
    f"<{name}>"
    for name in (
        *("od", "/od", "ocr", "/ocr"),
        *(f"loc_{i}" for i in range(1000)),
        *("cap", "/cap", "ncap", "/ncap", "dcap", "/dcap", "grounding", "/grounding"),
        *("seg", "/seg", "sep", "region_cap", "/region_cap"),
        *("region_to_desciption", "/region_to_desciption", "proposal", "/proposal"),
        *("poly", "/poly", "and"),
    )
]


def is_microsoft(folder: Path) -> bool:
    """Tell whether a model folder is of Microsoft's layout, by the names of its tensors.

    The configuration would not tell: the published native ones carry Microsoft's keys as well.
    """
    from safetensors import safe_open

    for file in weight_files(folder):
        with safe_open(file, framework="pt") as tensors:
            if "image_projection" in tensors.keys():  # noqa: SIM118 (it is no dict)
                return True
    return False


def rename_microsoft(name: str) -> str:
    """Return transformers' own name for one of Microsoft's tensor names; others stay."""
    for pattern, replacement in MICROSOFT_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def microsoft_config(config: dict, vocab_size: int, image_token_id: int) -> Florence2Config:
    """Return the native form of a configuration in Microsoft's layout."""
    from transformers import Florence2Config

    vision = dict(config["vision_config"])
    source = vision.pop("image_feature_source")
    if source != ["spatial_avg_pool", "temporal_avg_pool"]:
        raise ModelError(f"image_feature_source {source} is not the published Florence-2's")
    positions, temporal = vision.pop("image_pos_embed"), vision.pop("visual_temporal_embedding")
    vision["embed_dim"] = vision.pop("dim_embed")
    vision["max_position_embeddings"] = positions["max_pos_embeddings"]
    vision["max_temporal_embeddings"] = temporal["max_temporal_embeddings"]
    vision["model_type"] = "florence_vision"
    text = {**config["text_config"], "model_type": "bart", "vocab_size": vocab_size}
    return Florence2Config(text_config=text, vision_config=vision, image_token_id=image_token_id)


def microsoft_processor(folder: Path) -> Florence2Processor:
    """Return the native processor for a folder in Microsoft's layout; `<image>` comes last."""
    from transformers import AutoImageProcessor, BartTokenizer, Florence2Processor

    tokenizer = BartTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"extra_special_tokens": [*MICROSOFT_TOKENS, "<image>"]})
    with tempfile.TemporaryDirectory() as saved:  # named on loading: named first, it would be 50265
        tokenizer.save_pretrained(saved)
        tokenizer = BartTokenizer.from_pretrained(saved, image_token="<image>")
    return Florence2Processor(AutoImageProcessor.from_pretrained(folder), tokenizer)


def microsoft_weights(folder: Path, image_token_id: int) -> dict[str, torch.Tensor]:
    """Return the tensors of a folder in Microsoft's layout under their native names.

    The embedding grows by a zero row for `<image>`; what stands twice or is unused is dropped.
    """
    import torch
    from einops import rearrange
    from safetensors.torch import load_file

    state: dict[str, torch.Tensor] = {}
    for file in weight_files(folder):
        state |= {rename_microsoft(name): tensor for name, tensor in load_file(file).items()}
    for name in NOT_LOADED:
        state.pop(name, None)
    projection = "model.multi_modal_projector.image_projection.weight"
    state[projection] = rearrange(state[projection], "vision text -> text vision").contiguous()
    words = state[EMBEDDING]
    if len(words) < image_token_id:
        raise ModelError(
            f"{folder}: {len(words)} embeddings, but <image> would be {image_token_id}"
        )
    if len(words) == image_token_id:
        state[EMBEDDING] = torch.cat([words, torch.zeros_like(words[:1])])
    return state
