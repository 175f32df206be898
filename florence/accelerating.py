"""The devices and processes that a training has, in accelerate's hands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from containers.basis.talk import log
from florence.devices import choose_device, choose_dtype, dtype_of, require_trainable
from florence.options import TrainingOptions

if TYPE_CHECKING:
    from accelerate import Accelerator
    from transformers import Florence2ForConditionalGeneration


def make_accelerator(
    options: TrainingOptions, network: Florence2ForConditionalGeneration | None
) -> tuple[Accelerator, str]:
    """Return accelerate's hold on devices and processes, and the name of the precision.

    Both are those of a model that is loaded; without one they are chosen, and printed.
    """
    from accelerate import Accelerator, DataLoaderConfiguration

    device = network.device.type if network else choose_device(options.device)
    dtype = dtype_of(network) if network else choose_dtype(options.dtype, device)
    require_trainable(dtype, device)
    accelerator = Accelerator(
        cpu=device == "cpu",
        mixed_precision="no" if dtype == "fp32" else dtype,
        log_with=options.report_to,
        project_dir=options.output if options.report_to else None,
        gradient_accumulation_steps=options.gradient_accumulation,
        dataloader_config=DataLoaderConfiguration(use_seedable_sampler=True),
    )
    if accelerator.num_processes > 1:
        log.info(f"{accelerator.num_processes} processes share the photos")
    return accelerator, dtype
