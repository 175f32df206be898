"""Where a model runs and how precisely; what is said when memory runs out."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from containers.basis.errors import FlagError, UserError
from containers.basis.processes import process_count
from containers.basis.talk import log
from containers.photo.look_pace import FEW_LOOKS
from containers.photo.looks import LOOKS
from florence.names import DTYPES
from florence.threads import SMALL_MODEL

if TYPE_CHECKING:
    import torch

BF16_UNITS = {"avx512_bf16", "amx_bf16", "sve_bf16", "bf16"}  # of a CPU, as torch names them
NO_MEMORY = (  # in the errors of CUDA, cuBLAS and Metal that accelerate does not know
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "ran out of memory",
    "Invalid buffer size",
)
# GNU OpenMP's idle threads spin for the next work: so short that two programs on the same cores
# can bear it, so long that one alone loses nothing. It reads this when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
LESS_MEMORY = "use §dtype bf16, a smaller §model or §device cpu"  # to read with
SMALL_BATCH, LARGE_BATCH = 4, 128
MEMORY_A_PIXEL = 700  # bytes on a GPU for each pixel that the model sees
MALLOC_OPTIONS = {-4: 0, -1: 2**31 - 1}  # glibc's M_MMAP_MAX and M_TRIM_THRESHOLD, in bytes


def drivers_present() -> list[str]:
    """Return the kinds of device whose driver this machine has, best first, without torch."""
    present = ["cpu"]
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        present.insert(0, "mps")
    for library in ("libcuda.so.1", "nvcuda.dll", "libamdhip64.so"):
        with contextlib.suppress(OSError):
            ctypes.CDLL(library)
            return ["cuda", *present]
    return ["cuda", *present] if Path("/dev/kfd").exists() else present


def require_device(name: str, present: list[str]) -> None:
    """Raise `FlagError` for a device that is not among those present."""
    if name not in ("auto", *present):
        raise FlagError(f"§device {name} is not on this machine, which has: {', '.join(present)}")


def require_trainable(dtype: str, device: str) -> None:
    """Raise `FlagError` for a precision in which a device cannot train."""
    if (dtype, device) == ("fp16", "cpu"):
        raise FlagError("§dtype fp16 cannot train on cpu; use fp32 or bf16")


def find_device(name: str) -> str:
    """Return the torch device that a flag's value means; raises `FlagError` if it is absent."""
    import torch

    present = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    require_device(name, [*present, "cpu"])
    return [*present, "cpu"][0] if name == "auto" else name


def choose_device(name: str = "auto") -> str:
    """Return the torch device to use, and print which and why; raises `FlagError` if absent."""
    device = find_device(name)
    if name != "auto":
        log.info(f"device: {name}, as asked")
        return name
    better = {"cuda": "a GPU is here", "mps": "no cuda, but Apple's GPU is here"}
    log.info(f"device: {device} ({better.get(device, 'neither cuda nor mps here')})")
    return device


def choose_dtype(name: str, device: str) -> str:
    """Return the precision of the weights, fp32, bf16 or fp16, and print which and why."""
    import torch

    if name not in ("auto", *DTYPES):
        raise FlagError(f"dtype {name} is none of auto, {', '.join(DTYPES)}")
    if name != "auto":
        log.info(f"dtype: {name}, as asked")
    elif device == "cpu":
        units = BF16_UNITS & {unit for unit, there in cpu_capabilities().items() if there}
        name = "bf16" if units else "fp32"
        reason = f"has {min(units)}, so it is faster than fp32" if units else "has no unit for bf16"
        log.info(f"dtype: {name} (this CPU {reason})")
    elif device == "cuda":
        name = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        log.info(f"dtype: {name} ({'this' if name == 'bf16' else 'no bf16 on this'} GPU)")
    else:
        name = "fp32"
        log.info(f"dtype: fp32 (the safe choice on {device}; §dtype bf16 takes less memory)")
    return name


def dtype_of(model: torch.nn.Module) -> str:
    """Return the precision of a model's weights as the flag names it."""
    return next(name for name, kind in DTYPES.items() if str(model.dtype).endswith(kind))


def choose_batch_size(device: str, size: tuple[int, int]) -> int:
    """Return how many images of (width, height) to read at once, and print why.

    A GPU takes about as long for one as for dozens; what it holds is the limit.
    """
    import torch

    if device != "cuda":
        log.info(f"batch size: {SMALL_BATCH} (the {device} gains nothing from more)")
        return SMALL_BATCH
    free, _ = torch.cuda.mem_get_info()
    most = free / MEMORY_A_PIXEL / (size[0] * size[1])
    chosen = min(LARGE_BATCH, max(SMALL_BATCH, 2 ** int(math.log2(max(1, most)))))
    log.info(f"batch size: {chosen} ({free / 1e9:.0f} GB are free on the GPU)")
    return chosen


def is_slow(weights: int, device: str) -> bool:
    """Tell whether a look by a model of so many weights takes seconds on a device."""
    return device == "cpu" and weights >= SMALL_MODEL


def choose_looks(weights: int, device: str) -> int:
    """Return how often to look at a photo at most, and print why.

    Where a look takes seconds, the parts of a photo and shaken windows are left out.
    """
    if is_slow(weights, device):
        log.info(
            f"looks: up to {FEW_LOOKS} (a look of {weights / 1e6:,.0f} million weights takes "
            f"seconds on a CPU; §looks {LOOKS} searches the parts of a photo, too)"
        )
        return FEW_LOOKS
    small = weights < SMALL_MODEL
    log.info(
        f"looks: up to {LOOKS} ({'the model is small' if small else f'{device} is fast enough'})"
    )
    return LOOKS


def cpu_capabilities() -> dict[str, object]:
    """Return what torch knows of this CPU; nothing where torch is too old to tell."""
    import torch

    return getattr(torch.cpu, "get_capabilities", dict)()


def set_up_torch() -> None:
    """Keep torch from what costs most where shapes vary: plans on a GPU, freed memory on a CPU.

    cuDNN's attention builds a plan for each new shape, which every decoding step has; glibc hands
    freed memory back, a fifth of the time.
    """
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in MALLOC_OPTIONS.items():
            mallopt(option, value)


@contextlib.contextmanager
def out_of_memory(remedy: str) -> Iterator[None]:
    """Turn a device's or the machine's out-of-memory error into one line that says what to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory: {remedy}") from None


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an error says that a device or the machine has no memory left."""
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    known = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return known or should_reduce_batch_size(error) or any(w in str(error) for w in NO_MEMORY)


@contextlib.contextmanager
def first_process_first(device: str) -> Iterator[None]:
    """Let the first of the processes on this machine do what follows before the others do."""
    if process_count() == 1:
        yield
        return
    from accelerate import PartialState

    with PartialState(cpu=device == "cpu").local_main_process_first():
        yield
