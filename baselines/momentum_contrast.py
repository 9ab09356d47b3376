"""Momentum contrast (He et al., CVPR 2020): an encoder learns which views belong together.

A query has to be closer to the key of the same image than to the keys of earlier images. Keys come
from a slowly following copy of the encoder and stay in a queue.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MOMENTUM = 0.999
TEMPERATURE = 0.07


def followed_by(encoder: nn.Module) -> nn.Module:
    """A copy of `encoder` whose weights are buffers: saved and resumed, but never optimised."""
    copied = copy.deepcopy(encoder)
    for module in copied.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach())
    return copied


class MomentumContrast(nn.Module):
    """The following copy of an encoder, the queue of keys, and the contrastive loss.

    Everything is in buffers, so that a resumed training continues with the same bits. Batch norm
    in the copy uses the statistics of its own batches.

    Args:
        encoder: the encoder that is followed.
        dimension: length of queries and keys.
        queue_length: keys that a query is compared with.

    Difference to AirNet's code: the queue may have any length; theirs must be a multiple of the
    batch.
    """

    def __init__(self, encoder: nn.Module, dimension: int, queue_length: int) -> None:
        super().__init__()
        self.encoder = followed_by(encoder)
        # Drawn on the CPU: normal numbers on the meta device take seconds at their first call.
        keys = F.normalize(torch.randn(dimension, queue_length, device="cpu"), dim=0)
        self.register_buffer("queue", keys.to(torch.get_default_device()))
        self.register_buffer("position", torch.zeros(1, dtype=torch.long))

    @torch.no_grad()
    def follow(self, encoder: nn.Module) -> None:
        """Move the copy's weights by 0.001 of the way to the encoder's."""
        for name, parameter in encoder.named_parameters():
            own = self.encoder.get_buffer(name)
            own.mul_(MOMENTUM).add_(parameter, alpha=1 - MOMENTUM)

    def loss(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Cross entropy of choosing the right key, and put the keys into the queue.

        loss = -log(exp(q k / t) / (exp(q k / t) + sum over the queue of exp(q n / t))), t = 0.07,
        q, k and n of unit length, mean over the batch; at most log(1 + queue length) by chance.

        Args:
            queries: (B, dimension).
            keys: (B, dimension), of the same images; no gradient flows into them.
        """
        # The temperature magnifies rounding by 14: single precision, whatever the encoder's.
        queries = F.normalize(queries.float(), dim=1)
        keys = F.normalize(keys.detach().float(), dim=1)
        with torch.autocast(queries.device.type, enabled=False):
            right = (queries * keys).sum(dim=1, keepdim=True)
            # A copy: the queue changes before the gradient is asked for.
            wrong = queries @ self.queue.clone()
            logits = torch.cat([right, wrong], dim=1) / TEMPERATURE
            target = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
            loss = F.cross_entropy(logits, target)
        self.enqueue(keys)
        return loss

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Replace the oldest keys by (B, dimension) new ones."""
        length = self.queue.shape[1]
        places = (self.position + torch.arange(len(keys), device=keys.device)) % length
        self.queue[:, places] = keys.T
        self.position.copy_((self.position + len(keys)) % length)
