"""CUDA's autocast on the CPU: the operations that it carries out in fp32, and so answers in fp32.

A CPU's autocast leaves a layer norm or a softmax of bf16 numbers in bf16, a GPU's does not; so what
trains on a CPU can fail on a GPU, where the two kinds of numbers meet. The list is PyTorch's, "CUDA
Ops that can autocast to float32" in its page on torch.amp, as far as a Florence-2 has them.
"""

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

IN_FP32 = {
    torch.layer_norm,
    functional.layer_norm,
    torch.softmax,
    torch.Tensor.softmax,
    functional.softmax,
    torch.log_softmax,
    torch.Tensor.log_softmax,
    functional.log_softmax,
    functional.cross_entropy,
    functional.normalize,
    torch.Tensor.norm,
    torch.Tensor.exp,
    torch.Tensor.log,
    torch.Tensor.pow,
    torch.Tensor.sum,
}


class CudaAutocast(TorchFunctionMode):
    """While this is entered, autocast on the CPU follows CUDA's rule; `widened` counts where."""

    def __init__(self):
        super().__init__()
        self.widened = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function not in IN_FP32 or not torch.is_autocast_enabled("cpu"):
            return function(*args, **kwargs)
        self.widened += 1
        with torch.autocast("cpu", enabled=False):
            wide = {name: in_fp32(value) for name, value in kwargs.items()}
            return function(*map(in_fp32, args), **wide)


def in_fp32(value):
    """Return a tensor of floating-point numbers in fp32, anything else as it is."""
    is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.float() if is_float else value
