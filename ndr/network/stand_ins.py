"""Convolutions that stand in for the parts of the method in its ablations (paper Table X).

The paper replaces a part by a plain convolution and does not say how wide. A stand-in here has the
parameters and the arithmetic of the part that it replaces, so that neither explains a difference.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.network.degradation_injection import modulated

COUNTED_SIDE = 32
"""Side of the feature map on which operations are counted, in pixels."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a part costs."""

    parameters: int
    products: int
    """Multiplications per pixel. More than the parameters where weights serve more than once (D is
    keys and values of one attention), fewer where they act on means over the image."""

    def __add__(self, other: Budget) -> Budget:
        return Budget(self.parameters + other.parameters, self.products + other.products)


def feature_map(channels: int) -> Tensor:
    """A map of the size on which operations are counted, without data."""
    return torch.empty(1, channels, COUNTED_SIDE, COUNTED_SIDE, device="meta")


def budget_of(
    part: Callable[[], nn.Module],
    *inputs: Tensor,
    call: Callable[..., Tensor] = nn.Module.__call__,
) -> Budget:
    """Count a part, given how it is made, what it takes and how it is called; without data."""
    # Its import tells every process that Triton's kernels cannot be counted; there are none here.
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        module = part()
    with FlopCounterMode(display=False) as counter:
        call(module, *inputs)
    return Budget(
        sum(parameter.numel() for parameter in module.parameters()),
        counter.get_total_flops() // (2 * COUNTED_SIDE**2),
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """Sizes of a `PlainConvolution`."""

    kernel: int
    hidden: int
    middle: int
    """Hidden channels that the repeated convolution sees; 0: there is none."""
    repeats: int
    squeeze: int
    """Channels of the attention over the hidden channels; 0: there is none."""


CLOSE = 0.004
"""Relative difference to a budget below which the plainer of two fits is taken."""


@functools.lru_cache(maxsize=256)
def _fitted(width_in: int, width_out: int, budget: Budget) -> _Shape:
    """The plainest sizes that come close to a budget, else the closest."""
    found = []
    for kernel in (3, 1):
        area = kernel * kernel
        outer = area * (width_in + width_out)
        for hidden in range(1, budget.products // outer + 2):
            for middle in range(hidden + 1):
                own = area * middle * middle
                repeats = round((budget.products - outer * hidden) / own) if middle else 0
                if repeats < 0 or (middle and not repeats):
                    continue
                parameters = outer * hidden + hidden + width_out + own + middle
                left = budget.parameters - parameters - hidden
                squeeze = max(0, round(left / (2 * hidden + 1)))
                parameters += squeeze * (2 * hidden + 1) + hidden if squeeze else 0
                products = outer * hidden + repeats * own
                error = max(
                    abs(parameters / budget.parameters - 1), abs(products / budget.products - 1)
                )
                narrow = max(0.0, 1 - hidden / width_out)
                odd = repeats**2 / 4 + squeeze / hidden + 10 * narrow + 8 * (kernel == 1)
                shape = _Shape(kernel, hidden, middle, repeats, squeeze)
                found.append((max(error, CLOSE), odd, error, shape))
    return min(found, key=lambda each: each[:3])[-1]


class PlainConvolution(nn.Module):
    """Convolution, GELU, convolution, with the parameters and products of a budget.

    The convolutions are 3x3, or 1x1 where the budget has too few products for a hidden layer as
    wide as the output. Where it has more products than parameters, one between the two is applied
    several times to some of the channels; where it has fewer, channel attention (a mean over the
    image and two linear layers) takes the rest of the parameters.
    """

    def __init__(self, width_in: int, width_out: int, budget: Budget) -> None:
        super().__init__()
        shape = _fitted(width_in, width_out, budget)
        self.middle, self.repeats = shape.middle, shape.repeats
        kernel, padding = shape.kernel, shape.kernel // 2
        self.widen = nn.Conv2d(width_in, shape.hidden, kernel, padding=padding)
        self.repeated: nn.Conv2d | None = None
        if shape.repeats:
            self.repeated = nn.Conv2d(shape.middle, shape.middle, kernel, padding=padding)
        self.squeeze = nn.Linear(shape.hidden, shape.squeeze) if shape.squeeze else None
        self.excite = nn.Linear(shape.squeeze, shape.hidden) if shape.squeeze else None
        self.narrow = nn.Conv2d(shape.hidden, width_out, kernel, padding=padding)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width_in, H, W) -> (B, width_out, H, W)."""
        hidden = F.gelu(self.widen(features))
        if self.repeated is not None:
            first, rest = hidden[:, : self.middle], hidden[:, self.middle :]
            for _ in range(self.repeats):
                first = first + F.gelu(self.repeated(first)) / self.repeats
            hidden = torch.cat((first, rest), dim=1)
        if self.squeeze is not None and self.excite is not None:
            weights = self.excite(F.gelu(self.squeeze(hidden.mean(dim=(2, 3))))).sigmoid()
            hidden = hidden * weights[:, :, None, None]
        return self.narrow(hidden)


class PlainSkip(nn.Module):
    """Without NDR: a convolution of F takes the place of query and injection."""

    def __init__(self, width: int, budget: Budget, residuals: int) -> None:
        super().__init__()
        self.residuals = residuals
        self.convolution = PlainConvolution(width, width, budget)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return torch.add(self.convolution(features), features, alpha=self.residuals)


class PlainQuery(nn.Module):
    """Without DQ: a convolution of F gives U; D does not exist."""

    def __init__(self, width: int, degradation_width: int, budget: Budget) -> None:
        super().__init__()
        self.convolution = PlainConvolution(width, degradation_width, budget)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, degradation_width, H, W)."""
        return self.convolution(features)


class PlainInjection(nn.Module):
    """Without DI: a convolution of F and U takes the place of the modulation."""

    def __init__(self, width: int, degradation_width: int, budget: Budget, residuals: int) -> None:
        super().__init__()
        self.residuals = residuals
        self.convolution = PlainConvolution(width + degradation_width, width, budget)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) and (B, degradation_width, H, W) -> (B, C, H, W)."""
        injected = self.convolution(torch.cat((features, degradation), dim=1))
        return torch.add(injected, features, alpha=self.residuals)


class ConcatenationInjection(nn.Module):
    """Without CP: scale and shift of F come from a convolution of F and U, concatenated.

    With `shared_affine` (the paper's Eq. 7) one map is both scale and shift.
    """

    def __init__(
        self,
        width: int,
        degradation_width: int,
        budget: Budget,
        residuals: int,
        shared_affine: bool,
    ) -> None:
        super().__init__()
        self.residuals = residuals
        self.shared_affine = shared_affine
        maps = 1 if shared_affine else 2
        self.convolution = PlainConvolution(width + degradation_width, maps * width, budget)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) and (B, degradation_width, H, W) -> (B, C, H, W)."""
        affine = self.convolution(torch.cat((features, degradation), dim=1))
        scale, shift = (affine, affine) if self.shared_affine else affine.chunk(2, dim=1)
        return modulated(features, scale, shift, features, self.residuals)
