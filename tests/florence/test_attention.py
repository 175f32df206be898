"""Tests of attention, against SDPA."""

import pytest
import torch
import torch.nn.functional as F

from florence import attention
from florence.attention import attend_photo, share_photos


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


@pytest.mark.parametrize("longest", [10**6, 7])
def test_attention_over_channels_of_a_large_photo_stays_finite_in_fp16(longest, monkeypatch):
    monkeypatch.setitem(attention.LONGEST_SUM, "cpu", longest)
    query, value = torch.full((1, 1, 4, 36_864), 1.4), torch.randn(1, 1, 4, 36_864)
    scaling = 36_864**-0.5
    exact = F.scaled_dot_product_attention(query, query, value, scale=scaling)
    half = (tensor.half() for tensor in (query, query, value))
    seen, _ = attend_photo(torch.nn.Module(), *half, None, scaling=scaling)
    torch.testing.assert_close(seen.transpose(1, 2).float(), exact, rtol=0.01, atol=0.01)
