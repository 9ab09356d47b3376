"""MSPFN (Jiang et al., CVPR 2020): fusion across an image pyramid, coarse and fine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.loss_terms import charbonnier
from ndr.layers.initialisation import initialise, start_at_zero
from ndr.method import (
    Batch,
    Method,
    MethodInfo,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    parameter_count,
    register_method,
)

SCALES = (4, 2, 1)
"""Sides of a pixel of each scale, the coarsest first."""
REDUCTION = 4
EDGE_WEIGHT = 0.05


class Fold(nn.Module):
    """3x3 convolution without shift, and PReLU that starts as ReLU.

    Args:
        channels_in: of the input.
        channels: of the output.
        resize: `same`, `halve` (stride 2) or `double` (transposed convolution).
    """

    def __init__(self, channels_in: int, channels: int, resize: str = "same") -> None:
        super().__init__()
        self.resize = resize
        kind = nn.ConvTranspose2d if resize == "double" else nn.Conv2d
        stride, padding = (1, 1) if resize == "same" else (2, 0)
        self.convolution = kind(channels_in, channels, 3, stride, padding, bias=False)
        initialise(self.convolution, nn.init.xavier_uniform_)
        self.activation = nn.PReLU(channels, init=0.0)

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels, H', W')."""
        if self.resize == "halve":  # zeros at the end only, as in the authors' framework
            features = F.pad(features, (0, 1, 0, 1))
        features = self.convolution(features)
        return self.activation(features[..., :-1, :-1] if self.resize == "double" else features)


class ConvolutionalMemory(nn.Module):
    """Convolutional LSTM (Shi et al., NeurIPS 2015) that starts empty.

    Args:
        channels_in: of the input.
        channels: of state and output.
        recurrences: how often the input is shown. Once, as in the authors' code, leaves the forget
            gate and the weights of the hidden state without effect; they do not exist then.
    """

    def __init__(self, channels_in: int, channels: int, recurrences: int) -> None:
        super().__init__()
        self.recurrences = recurrences
        again = recurrences > 1
        self.gates = nn.Conv2d(
            channels_in + channels * again, channels * (4 if again else 3), 3, padding=1
        )
        initialise(self.gates, partial(nn.init.trunc_normal_, std=1e-3, a=-2e-3, b=2e-3))
        weights_of_state = 9 * channels * 4 * channels
        forget_gate = (9 * channels_in + 1) * channels
        self.never_used = 0 if again else weights_of_state + forget_gate

    def forward(self, features: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels, H, W)."""
        if self.recurrences == 1:
            enter, new, leave = self.gates(features).chunk(3, dim=1)
            return torch.tanh(torch.sigmoid(enter) * torch.tanh(new)) * torch.sigmoid(leave)
        channels = self.gates.out_channels // 4
        memory = hidden = features.new_zeros(len(features), channels, *features.shape[-2:])
        for _ in range(self.recurrences):
            enter, new, forget, leave = self.gates(torch.cat([features, hidden], 1)).chunk(4, 1)
            memory = memory * torch.sigmoid(forget + 1) + torch.sigmoid(enter) * torch.tanh(new)
            hidden = torch.tanh(memory) * torch.sigmoid(leave)
        return hidden


class ChannelAttentionBlock(nn.Module):
    """Residual block of two convolutions whose channels are weighted by the image's means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow = max(channels // REDUCTION, 1)
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.PReLU(channels, init=0.0),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.attention = nn.Sequential(
            nn.Conv2d(channels, narrow, 1),
            nn.PReLU(narrow, init=0.0),
            nn.Conv2d(narrow, channels, 1),
            nn.Sigmoid(),
        )
        initialise(self, nn.init.xavier_uniform_)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        body = self.body(features)
        return features + body * self.attention(body.mean(dim=(2, 3), keepdim=True))


class AttentionUnit(nn.Module):
    """Blocks at half the size of their scale; before and after them the features are joined."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.down = Fold(channels, channels, "halve")
        self.blocks = nn.Sequential(*(ChannelAttentionBlock(channels) for _ in range(blocks)))
        self.up = Fold(2 * channels, channels, "double")

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W), even H and W -> the same shape."""
        half = self.down(features)
        return self.up(torch.cat([half, self.blocks(half)], dim=1))


class CoarseFusion(nn.Module):
    """A memory per scale, from the coarsest on; each also sees what the coarser ones found."""

    def __init__(self, channels: int, recurrences: int) -> None:
        super().__init__()
        half = channels // 2
        self.enter = nn.ModuleList(Fold(channels, half) for _ in SCALES)
        memory = [ConvolutionalMemory(half, channels * share, recurrences) for share in (1, 2, 4)]
        self.memory = nn.ModuleList(memory)
        self.never_used = sum(each.never_used for each in memory)
        self.leave = nn.ModuleList(Fold(channels * share, channels) for share in (1, 2, 4))
        self.up4_2, self.up2_1, self.up4_1 = (Fold(channels, channels, "double") for _ in range(3))

    def _remembered(self, index: int, seen: Tensor, features: Tensor) -> Tensor:
        return self.leave[index](self.memory[index](self.enter[index](seen))) + features

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Features of the scales 4, 2 and 1 in and out."""
        quarter, half, full = features
        quarter_out = self._remembered(0, quarter, quarter)
        from_quarter = self.up4_2(quarter_out)
        half_out = self._remembered(1, half + from_quarter, half)
        seen = full + self.up2_1(half_out) + self.up4_1(from_quarter)
        return [quarter_out, half_out, self._remembered(2, seen, full)]


class FineFusion(nn.Module):
    """An attention unit per scale, coupled as the memories are; each adds to its features."""

    def __init__(self, channels: int, blocks: Sequence[int]) -> None:
        super().__init__()
        self.units = nn.ModuleList(AttentionUnit(channels, count) for count in blocks)
        self.up4_2, self.up2_1, self.up4_1 = (Fold(channels, channels, "double") for _ in range(3))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Features of the scales 4, 2 and 1 in and out."""
        quarter, half, full = features
        quarter = quarter + self.units[0](quarter)
        from_quarter = self.up4_2(quarter)
        half = half + self.units[1](half + from_quarter)
        seen = full + self.up4_1(from_quarter) + self.up2_1(half)
        return [quarter, half, full + self.units[2](seen)]


def edges(images: Tensor) -> Tensor:
    """Eight times a pixel less its eight neighbours, zeros outside: (B, C, H, W) in and out."""
    channels = images.shape[1]
    kernel = torch.full((channels, 1, 3, 3), -1.0, dtype=images.dtype, device=images.device)
    kernel[:, :, 1, 1] = 8
    return F.conv2d(images, kernel, padding=1, groups=channels)


@register_method
class MSPFN(Method):
    """Three scales of the rainy image, fused by memories, then by rounds of attention units.

    The rain of the full size is estimated from all three scales and subtracted.

    Loss: Charbonnier distance of the images, and 0.05 times that of their edges, in [-1, 1].

    Args:
        channels: width.
        rounds: of the fine fusion.
        blocks: of an attention unit, for the scales 4, 2 and 1.
        recurrences: of the memories, see `ConvolutionalMemory`.
        zero_init_output: start at the identity by a zero last layer, for short trainings.

    The figures that the literature gives for its size conflict, from 13 to 21 million. The network
    of the authors' training code has 20,995,776 parameters; 3,226,048 of them, in the memories,
    have no effect and do not exist here. Their checkpoint is of a network with one block per unit.

    Differences to the authors: none in the network, whose memories run once. Their TensorFlow
    checkpoint, in a folder without an address of its own, is not read.
    """

    info = MethodInfo(
        name="mspfn",
        paper_label="MSPFN",
        citation="K. Jiang, Z. Wang, P. Yi, C. Chen, B. Huang, Y. Luo, J. Ma, J. Jiang, "
        "Multi-scale progressive fusion network for single image deraining, CVPR 2020",
        tasks=frozenset({"rain"}),
        presets={
            "smoke": {"channels": 4, "rounds": 1, "blocks": (1, 1, 1)},
            "small": {"channels": 32, "rounds": 4},
        },
        narrow={"zero_init_output": True},
        # The units of the coarsest scale work at an eighth of the size.
        sizes=SizeRequirements(minimum=8, multiple_of=8),
        # Channels are weighted by their means over the image.
        tiling=Tiling.DISCOURAGED,
        published_parameters=20_995_776,
        own_recipe={"patch": 96, "batch": 12, "learning_rate": 5e-4},
    )
    trains_channels_last = True

    def __init__(
        self,
        channels: int = 64,
        rounds: int = 17,
        blocks: Sequence[int] = (1, 3, 3),
        recurrences: int = 1,
        zero_init_output: bool = False,
    ) -> None:
        super().__init__()
        if len(blocks) != len(SCALES):
            raise ValueError(f"mspfn: expected blocks for {len(SCALES)} scales, found {blocks}")
        if recurrences < 1:
            raise ValueError(f"mspfn: expected at least 1 recurrence, found {recurrences}")
        self.embedding = nn.ModuleList(Fold(3, channels) for _ in SCALES)
        self.coarse = CoarseFusion(channels, recurrences)
        self.fine = nn.ModuleList(FineFusion(channels, blocks) for _ in range(rounds))
        self.reconstruction = nn.ModuleList(Fold(2 * channels, channels) for _ in SCALES)
        self.up4_2 = Fold(channels, channels, "double")
        self.up2_1 = Fold(2 * channels, channels, "double")
        self.joint = Fold(2 * channels, channels // 2)
        self.output = nn.Conv2d(channels // 2, 3, 3, padding=1, bias=False)
        initialise(self.output, nn.init.xavier_uniform_)
        if zero_init_output:
            start_at_zero(self.output)

    def counted_parameters(self) -> int:
        """Size as in the authors' code, the memories' weights without effect included."""
        return parameter_count(self) + self.coarse.never_used

    def rain(self, images: Tensor) -> Tensor:
        """Rain in images (B, 3, H, W) in [-1, 1], multiples of 8."""
        features = [
            layer(images if side == 1 else F.avg_pool2d(images, side))
            for layer, side in zip(self.embedding, SCALES, strict=True)
        ]
        coarse = fine = self.coarse(features)
        for fusion in self.fine:
            fine = fusion(fine)
        quarter, half, full = (
            layer(torch.cat(pair, dim=1))
            for layer, *pair in zip(self.reconstruction, fine, coarse, strict=True)
        )
        coarser = self.up2_1(torch.cat([self.up4_2(quarter), half], dim=1))
        return self.output(self.joint(torch.cat([full, coarser], dim=1)))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 8 -> the same shape, not clipped."""
        return degraded - self.rain(2 * degraded - 1) / 2

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Charbonnier distances of the images and of their edges."""
        images, clean = 2 * batch.degraded - 1, 2 * batch.clean - 1
        restored = images - self.rain(images).float()
        return {
            "restore": charbonnier(restored, clean),
            "edges": EDGE_WEIGHT * charbonnier(edges(restored), edges(clean)),
        }
