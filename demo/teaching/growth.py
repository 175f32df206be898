"""The small Florence-2: its shape, its first weights, and how it grows.

With transformers' own first weights a Florence-2 of this width stays blind for tens of thousands of
photos. So matrices are drawn with 1/sqrt(fan-in), not with 0.02, and the image position embeddings
start as sines and cosines of amplitude 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from einops import rearrange

from containers.basis.talk import counted, log
from demo.teaching.lessons import CELL, COLUMNS, ROWS
from demo.teaching.samples import HEIGHT, WIDTH

if TYPE_CHECKING:
    import torch
    from transformers import Florence2ForConditionalGeneration, Florence2Processor

VISION: dict[str, Any] = {
    "embed_dim": [32, 64, 128, 192],
    "num_heads": [1, 2, 4, 6],
    "num_groups": [1, 2, 4, 6],
    "depths": [1, 2, 5, 1],
    "patch_stride": [4, 2, 1, 1],
    "patch_padding": [3, 1, 1, 1],
    "window_size": 8,
    "projection_dim": 192,
    "max_position_embeddings": COLUMNS,
    "drop_path_rate": 0.0,
}
TEXT = {
    "model_type": "bart",
    "d_model": 192,
    "max_position_embeddings": 704,  # a place for each cell, the photo's mean and a prompt
    "dropout": 0.0,
    "encoder_layers": 1,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 768,
    "decoder_layers": 2,
    "decoder_attention_heads": 6,
    "decoder_ffn_dim": 768,
}
BART_OFFSET = 2  # its position embeddings begin with so many that nothing uses


def new_processor(height: int, width: int, image_tokens: int) -> Florence2Processor:
    """Return a processor for images of this size, in pixels, whose every token is one byte."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import BartTokenizer, CLIPImageProcessor, Florence2Processor

    alphabet = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "<mask>"]
    tokenizer = BartTokenizer(
        vocab={token: i for i, token in enumerate(alphabet)},
        merges=[],
        extra_special_tokens={"image_token": "<image>"},
    )
    size = {"height": height, "width": width}
    images = CLIPImageProcessor(size=size, crop_size=size, do_center_crop=False)
    images.image_seq_length = image_tokens
    return Florence2Processor(images, tokenizer)


def new_model() -> tuple[Florence2ForConditionalGeneration, Florence2Processor]:
    """Return a small Florence-2 that knows nothing, and its processor."""
    from transformers import Florence2Config, Florence2ForConditionalGeneration

    processor = new_processor(HEIGHT, WIDTH, 1 + ROWS * COLUMNS)
    config = Florence2Config(
        vision_config=VISION,
        text_config=TEXT | {"vocab_size": len(processor.tokenizer)},
        image_token_id=processor.tokenizer.image_token_id,
    )
    model = Florence2ForConditionalGeneration(config)
    draw_weights(model)
    return model, processor


def draw_weights(model: Florence2ForConditionalGeneration) -> None:
    """Draw every matrix with standard deviation 1/sqrt(fan-in); image positions become waves."""
    import torch

    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    positions = model.model.multi_modal_projector.image_position_embed
    for embedding in (positions.row_embeddings, positions.column_embeddings):
        count, width = embedding.weight.shape
        frequency = torch.logspace(0, math.log10(0.05), width // 2)
        angle = torch.arange(count)[:, None] * frequency
        embedding.weight.data = rearrange([angle.sin(), angle.cos()], "wave n f -> n (f wave)")


def grown_model(folder: str) -> tuple[Florence2ForConditionalGeneration, Florence2Processor]:
    """Return a model with the weights of the one in the folder, in the shape that is set here.

    What the folder's lacks is drawn, its output projections zero, so that it changes nothing yet;
    where its input was smaller, what it knows of places is stretched over the larger one.
    """
    from transformers import Florence2ForConditionalGeneration, Florence2Processor

    model, processor = new_model()
    known = Florence2ForConditionalGeneration.from_pretrained(folder, dtype="float32").state_dict()
    size = Florence2Processor.from_pretrained(folder).image_processor.size
    stretch_places(known, model.state_dict(), size["height"] // CELL, size["width"] // CELL)
    missing = model.load_state_dict(known, strict=False).missing_keys
    for name, weight in model.named_parameters():
        ends = ("proj.weight", "fc2.weight", "conv1.weight", "conv2.weight")
        if name in missing and (name.endswith(ends) or (weight.dim() == 1 and "norm" not in name)):
            weight.data.zero_()
    log.info(f"weights from {folder}; new here: {counted(len(missing), 'tensor')}")
    return model, processor


def stretch_places(
    known: dict[str, torch.Tensor], new: dict[str, torch.Tensor], rows: int, columns: int
) -> None:
    """Fit all position embeddings of a model whose feature map had so many rows and columns.

    The encoder numbers the cells row by row, after the photo's mean; its prompt comes behind them.
    """
    import torch

    def fit(table: torch.Tensor, *sides: int) -> torch.Tensor:
        """Return an embedding of a line or a map of places, stretched to these sides."""
        way = "bilinear" if len(sides) == 2 else "linear"
        map_of = table.movedim(-1, 0)[None]
        return torch.nn.functional.interpolate(map_of, sides, mode=way)[0].movedim(0, -1)

    for name, table in known.items():
        result = new[name].clone()
        if name.endswith("row_embeddings.weight"):
            result[:ROWS] = fit(table[:rows], ROWS)
        elif name.endswith("column_embeddings.weight"):
            result[:COLUMNS] = fit(table[:columns], COLUMNS)
        elif name.endswith("encoder.embed_positions.weight"):
            first, last = BART_OFFSET + 1, BART_OFFSET + 1 + rows * columns
            cells = fit(table[first:last].unflatten(0, (rows, columns)), ROWS, COLUMNS)
            parts = table[:first], cells.flatten(0, 1), table[last:]
            result = torch.cat([*parts, result])[: len(result)]
        elif name.endswith("decoder.embed_positions.weight"):
            result[: len(table)] = table
        else:
            continue
        known[name] = result
