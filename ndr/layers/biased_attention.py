"""Attention with a bias that is learned, as of relative positions in a window."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def biased_attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """softmax(query key^T / sqrt(C) + bias) value, over P pixels of N windows.

    Args:
        query: (N, heads, P, C).
        key: the same shape.
        value: the same shape.
        bias: (1, heads, P, P), of any floating type.

    Returns:
        (N, heads, P, C).
    """
    learns = torch.is_grad_enabled() and bias.requires_grad
    if query.is_cuda or not learns:
        return F.scaled_dot_product_attention(query, key, value, bias.to(query.dtype))
    # On a CPU, a bias that needs a gradient sends PyTorch's own function to a path which takes
    # almost twice as long as these lines. Without a gradient, its own way needs less memory.
    affinity = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
    return (affinity + bias.to(affinity.dtype)).softmax(dim=-1) @ value
