"""Where a model runs and how precisely; what is said when memory runs out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from containers.command_line import say
from containers.errors import FlagError, UserError
from containers.flags import DTYPES

BF16_UNITS = {"avx512_bf16", "amx_bf16", "sve_bf16", "bf16"}  # of a CPU, as torch names them
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
        raise FlagError(f"--device {name} is not on this machine, which has: {', '.join(present)}")


def require_trainable(dtype: str, device: str) -> None:
    """Raise `FlagError` for a precision in which a device cannot train."""
    if (dtype, device) == ("fp16", "cpu"):
        raise FlagError("--dtype fp16 cannot train on cpu; use fp32 or bf16")


def choose_device(name: str = "auto") -> str:
    """Return the torch device to use, and print which and why; raises `FlagError` if absent."""
    import torch

    present = ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    require_device(name, [*present, "cpu"])
    if name != "auto":
        say(f"device: {name}, as asked")
        return name
    better = {"cuda": "a GPU is here", "mps": "no cuda, but Apple's GPU is here"}
    device = [*present, "cpu"][0]
    say(f"device: {device} ({better.get(device, 'neither cuda nor mps here')})")
    return device


def choose_dtype(name: str, device: str) -> str:
    """Return the precision of the weights, fp32, bf16 or fp16, and print which and why."""
    import torch

    if name not in ("auto", *DTYPES):
        raise FlagError(f"dtype {name} is none of auto, {', '.join(DTYPES)}")
    if name != "auto":
        say(f"dtype: {name}, as asked")
    elif device == "cpu":
        units = BF16_UNITS & {unit for unit, there in cpu_capabilities().items() if there}
        name = "bf16" if units else "fp32"
        reason = f"has {min(units)}, so it is faster than fp32" if units else "has no unit for bf16"
        say(f"dtype: {name} (this CPU {reason})")
    elif device == "cuda":
        name = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
        say(f"dtype: {name} ({'this' if name == 'bf16' else 'no bf16 on this'} GPU)")
    else:
        name = "fp32"
        say(f"dtype: fp32 (the safe choice on {device}; --dtype bf16 takes less memory)")
    return name


def cpu_capabilities() -> dict[str, object]:
    """Return what torch knows of this CPU; nothing where torch is too old to tell."""
    import torch

    return getattr(torch.cpu, "get_capabilities", dict)()


def keep_freed_memory() -> None:
    """Have glibc keep what is freed: on the CPU, handing it back and forth takes a fifth."""
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
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, MemoryError) or should_reduce_batch_size(error)


@contextlib.contextmanager
def first_process_first(device: str) -> Iterator[None]:
    """Let the first of the processes on this machine do what follows before the others do."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    from accelerate import PartialState

    with PartialState(cpu=device == "cpu").local_main_process_first():
        yield
