"""How much memory a training takes, by the model's shapes; what is done where it is short."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from containers.basis.talk import log
from florence.options import TrainingOptions

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import Florence2Config

# What a layer keeps for the way back, in tensors of its tokens by its width. These and PROGRAM are
# of trainings of Florence-2-large's shape, measured in bf16 on a CPU; a GPU's attention keeps less.
KEPT_BY_VISION = 47  # of an attention and its MLP, with LoRA on them
KEPT_BY_LANGUAGE = 45
AT_WORK = 3.3  # times the largest layer, while it is computed again and its gradients are
KEPT_BY_SCORES = 5  # of each answer token's scores for all words, some of them in fp32
ANSWER_TOKENS = 16  # tokens of a number, at most
PROMPT_TOKENS = 11  # and the image's mean
PROGRAM = 0.7e9  # bytes: torch, the libraries and their buffers
BYTES_A_WEIGHT = 16  # that is learnt: it, its gradient, AdamW's two moments, in fp32
PLANNED_SHARE = 0.9  # of what is free is planned with, since the estimate is off by a tenth
GB = 1e9
USUAL_RANK = 64  # of an adapter at most: a larger one's own weights and their states count


@dataclass(frozen=True)
class Memory:
    """Bytes that a training takes: what is always there, and what each photo of a batch adds.

    `again` is what each photo adds where layers are computed again on the way back.
    """

    fixed: float
    each: float
    again: float

    def total(self, photos: int, again: bool = False) -> float:
        """Return the bytes for a batch of so many photos."""
        return self.fixed + photos * (self.again if again else self.each)


def estimate(
    config: Florence2Config,
    targets: str,
    size: tuple[int, int],
    weights: tuple[int, int],
    width: int,
) -> Memory:
    """Return what a training takes that adapts these targets, for photos of (width, height).

    `weights` are those that are learnt and all, `width` the bytes of one that is frozen. What
    lies below the first adapted layer keeps nothing for the way back.
    """
    learnt, total = weights
    text, vision = config.text_config, config.vision_config
    seen = [size[0] // stride * (size[1] // stride) for stride in (4, 8, 16, 32)]
    tokens = seen[-1] + PROMPT_TOKENS
    layers: list[tuple[float, float]] = []  # what each keeps of a photo, and what goes into it
    if targets == "all":
        for depth, channels, places in zip(vision.depths, vision.embed_dim, seen):
            layers += 2 * depth * [(KEPT_BY_VISION * places * channels, places * channels)]
    row = tokens * text.d_model
    if targets != "decoder":
        scores = 2 * text.encoder_attention_heads * tokens**2
        layers += text.encoder_layers * [(KEPT_BY_LANGUAGE * row + scores, row)]
    answer = ANSWER_TOKENS * text.d_model
    crossed = 4 * row  # the photo's keys and values, and what LoRA adds to them
    layers += text.decoder_layers * [(KEPT_BY_LANGUAGE * answer + crossed, answer)]
    last = KEPT_BY_SCORES * ANSWER_TOKENS * text.vocab_size
    kept, entered = map(sum, zip(*layers))
    again = min(kept, entered + AT_WORK * max(layer for layer, _ in layers))
    fixed = PROGRAM + (total - learnt) * width + learnt * BYTES_A_WEIGHT
    return Memory(fixed, (kept + last) * width, (again + last) * width)


def free_memory(device: str) -> float:
    """Return how many bytes are free where the training will run."""
    import torch

    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    if device == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    import psutil

    return psutil.virtual_memory().available


def lower_memory(options: TrainingOptions) -> str:
    """Return what to do where a training takes more memory than there is."""
    size, accumulation = options.batch_size, options.gradient_accumulation
    usual = options.lora_rank <= USUAL_RANK
    rank = "" if usual else f"lower §lora_rank (now {options.lora_rank}); or "
    return (
        f"{rank}lower §batch_size (now {size}), raising §gradient_accumulation (now "
        f"{accumulation}) in its place, or use §dtype bf16 or §lora_targets decoder"
    )


def fit_memory(model: PeftModel, memory: Memory, photos: int, lowered: str) -> None:
    """Have layers computed again on the way back where memory is short; print what it takes.

    The model is loaded: its weights are not asked for twice. An estimate forbids nothing: where
    it is more than what is free, a warning says how to lower it.
    """
    loaded = PROGRAM + sum(p.nbytes for p in model.parameters())
    free = free_memory(model.device.type) + loaded
    needed, less = memory.total(photos), memory.total(photos, again=True)
    if needed <= PLANNED_SHARE * free:
        log.info(f"memory: about {needed / GB:.1f} GB, of {free / GB:.1f} GB")
        return
    compute_again(model)
    log.info(
        f"memory: about {less / GB:.1f} GB, since layers are computed again on the way back, a "
        f"third slower (gradient checkpointing): without it {needed / GB:.1f} GB, and there are "
        f"{free / GB:.1f} GB"
    )
    if less > PLANNED_SHARE * free:
        log.warning(f"that may be more than there is: {lowered}")


def compute_again(model: PeftModel) -> None:
    """Have each layer keep only what goes into it, and compute the rest again on the way back.

    transformers' own switch leaves out the vision tower, and works on models in training mode
    alone, whose frozen layers would then drop out.
    """
    from torch.utils.checkpoint import checkpoint

    network = model.get_base_model().model
    language = network.language_model
    tower = [block for stage in network.vision_tower.blocks for block in stage]
    halves = [half for block in tower for half in (block.spatial_block, block.channel_block)]
    for layer in (*halves, *language.encoder.layers, *language.decoder.layers):
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
