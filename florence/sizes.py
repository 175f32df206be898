"""Whether the sizes in a configuration are those of its weights: told before anything is built.

A model of a million layers would be built for hours before its weights were found too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from containers.basis.errors import ModelError
from florence.microsoft import rename_microsoft
from florence.model_folder import read_json, read_shapes

LARGEST_NUMBER = 1_000_000  # in a configuration; the published vocabularies have 51,328 words
LARGEST_SIDE = 5_000  # pixels, places or tokens of a photo; the published models look at 768
SIDES = {
    *("window_size", "patch_size", "patch_stride", "patch_padding", "image_seq_length"),
    *("height", "width", "shortest_edge", "longest_edge"),
}
RECIPES = ("preprocessor_config.json", "processor_config.json")
WORDS, SEES = "model.language_model.", "model.multi_modal_projector."
# Of a part of the configuration: the key, and the tensor and its axis that have the same size.
SIZES = {
    "text_config": (
        ("d_model", f"{WORDS}shared.weight", 1),
        ("encoder_ffn_dim", f"{WORDS}encoder.layers.0.fc1.weight", 0),
        ("decoder_ffn_dim", f"{WORDS}decoder.layers.0.fc1.weight", 0),
    ),
    "vision_config": (
        ("projection_dim", f"{SEES}image_proj_norm.weight", 0),
        ("max_position_embeddings", f"{SEES}image_position_embed.row_embeddings.weight", 0),
        ("max_temporal_embeddings", f"{SEES}visual_temporal_embed.pos_idx_to_embed", 0),
    ),
}
POSITIONS = 2  # rows of BART's positions beyond those that it counts


def require_fitting(folder: Path, config: dict) -> None:
    """Raise `ModelError` where the sizes in a Florence-2's config.json are not its weights'."""
    for name, values in (("config.json", config), *recipes(folder)):
        for key, value in numbers_in(values):
            if abs(value) > (LARGEST_SIDE if key in SIDES else LARGEST_NUMBER):
                raise ModelError(f"{folder / name} is damaged: {key} is {value:,}")
    shapes = {rename_microsoft(name): shape for name, shape in read_shapes(folder).items()}
    for key, said, found in sizes_of(config, shapes):
        if isinstance(said, int | list) and found and said != found:
            raise ModelError(
                f"{folder / 'config.json'} is of another model: {key} is {said}, and the weights "
                f"beside it have {found}; copy the folder again"
            )


def recipes(folder: Path) -> Iterator[tuple[str, dict]]:
    """Yield the files that say how a photo is prepared, those that are there."""
    for name in RECIPES:
        if (folder / name).is_file():
            yield name, read_json(folder / name)


def numbers_in(value: object, key: str = "") -> Iterator[tuple[str, int | float]]:
    """Yield (key, number) of all numbers in a value of JSON."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from numbers_in(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers_in(inner, key)
    elif isinstance(value, int | float):
        yield key, value


def sizes_of(
    config: dict, shapes: dict[str, list[int]]
) -> Iterator[tuple[str, object, int | list[int]]]:
    """Yield (key, what config.json says, what the weights say) of each size that both know."""
    for part, sizes in SIZES.items():
        for key, name, axis in sizes:
            if len(shapes.get(name, ())) > axis:
                yield key, config[part].get(key), shapes[name][axis]
    text, vision = config["text_config"], config["vision_config"]
    for side in ("encoder", "decoder"):
        yield f"{side}_layers", text.get(f"{side}_layers"), count(shapes, f"{WORDS}{side}.layers.")
    if rows := shapes.get(f"{WORDS}decoder.embed_positions.weight"):
        said = text.get("max_position_embeddings")
        yield "max_position_embeddings", said, rows[0] - POSITIONS
    stages = range(count(shapes, "model.vision_tower.convs."))
    tower = "model.vision_tower.blocks."
    yield "depths", vision.get("depths"), [count(shapes, f"{tower}{stage}.") for stage in stages]
    widths = [
        shapes.get(f"model.vision_tower.convs.{stage}.conv.weight", [0])[0] for stage in stages
    ]
    yield "embed_dim", vision.get("embed_dim", vision.get("dim_embed")), widths


def count(shapes: dict[str, list[int]], head: str) -> int:
    """Return how many numbered parts the weights have whose names begin so."""
    found = (re.match(rf"{re.escape(head)}([0-9]+)\.", name) for name in shapes)
    return len({match[1] for match in found if match})
