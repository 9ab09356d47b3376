"""DRT (Liang, Anwar, Liu, CVPR workshops 2022): a small transformer whose blocks run repeatedly."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.biased_attention import biased_attention
from ndr.layers.initialisation import initialise, start_at_zero
from ndr.layers.layer_norm import LayerNorm
from ndr.method import (
    Batch,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    register_method,
)

WINDOW = 7
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours of ImageNet."""
_CHECKPOINTS = "https://github.com/YC-Liang/DRT/raw/main/CheckPoints"


def windows_of(features: Tensor) -> Tensor:
    """Cut (B, C, H, W), multiples of 7, into windows: (B * windows, 49, C)."""
    batch, channels, height, width = features.shape
    cut = features.view(batch, channels, height // WINDOW, WINDOW, width // WINDOW, WINDOW)
    return cut.permute(0, 2, 4, 3, 5, 1).reshape(-1, WINDOW**2, channels)


def joined_windows(windows: Tensor, height: int, width: int) -> Tensor:
    """Inverse of `windows_of` for an image of `height` x `width`."""
    rows, columns, channels = height // WINDOW, width // WINDOW, windows.shape[-1]
    cut = windows.view(-1, rows, columns, WINDOW, WINDOW, channels)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, height, width)


class WindowBlock(nn.Module):
    """Attention among the pixels of a window, then a perceptron, each normalised and residual."""

    positions: Tensor

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        # Importing timm takes two seconds, because torchvision imports TorchDynamo.
        from timm.layers import gen_relative_position_index

        self.heads = heads
        self.attention_norm = LayerNorm(channels)
        self.position_bias = nn.Parameter(torch.empty((2 * WINDOW - 1) ** 2, heads))
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.projection = nn.Linear(channels, channels)
        self.perceptron_norm = LayerNorm(channels)
        self.expansion = nn.Linear(channels, channels)
        self.contraction = nn.Linear(channels, channels)
        # For each pair of pixels, the row of the table that belongs to their offset, (49, 49).
        positions = gen_relative_position_index((WINDOW, WINDOW))
        self.register_buffer("positions", positions, persistent=False)
        nn.init.trunc_normal_(self.position_bias, std=0.02)
        initialise(self, functools.partial(nn.init.trunc_normal_, std=0.02))

    def bias(self) -> Tensor:
        """What the offset of two pixels adds to their affinity, (1, heads, 49, 49)."""
        return self.position_bias[self.positions].permute(2, 0, 1)[None]

    def forward(self, windows: Tensor, bias: Tensor) -> Tensor:
        """(N, 49, channels) -> the same shape; `bias` is that of `bias()`."""
        count, pixels, channels = windows.shape
        joint = self.query_key_value(self.attention_norm(windows))
        split = joint.view(count, pixels, 3, self.heads, channels // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = biased_attention(query, key, value, bias)
        mixed = mixed.transpose(1, 2).reshape(count, pixels, channels)
        windows = windows + self.projection(mixed)
        hidden = F.gelu(self.expansion(self.perceptron_norm(windows)))
        return windows + self.contraction(hidden)


class RecursiveLayer(nn.Module):
    """Two blocks that run several times, each time on the input added again; a convolution."""

    def __init__(self, channels: int, heads: int, recursions: int) -> None:
        super().__init__()
        self.recursions = recursions
        self.first = WindowBlock(channels, heads)
        self.second = WindowBlock(channels, heads)
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W), multiples of 7 -> the same shape."""
        # Windows do not shift, so the features are cut once for all recursions.
        start = windows = windows_of(features)
        first_bias, second_bias = self.first.bias(), self.second.bias()
        for _ in range(self.recursions):
            windows = self.first(self.second(windows, second_bias), first_bias) + start
        return self.convolution(joined_windows(windows, *features.shape[-2:]))


@register_method
class DRT(Method):
    """Recursive layers of window attention between a linear embedding and a convolution.

    Args:
        channels: width, a multiple of `heads`.
        layers: recursive layers.
        recursions: of each layer's two blocks.
        heads: of the attention.
        identity_init: start at the identity, for short trainings.

    Loss: the mean squared error of the authors, whatever the run's pixel loss. Rain is sparse, so
    that the absolute error is smallest at the rainy image for all but selective changes, and this
    network, whose only rectifiers stand behind attention, was seen to stay there.

    Differences to the authors: their input has to be square and at least one pixel larger than the
    image; here sides are padded to multiples of 7. Training patches, too: theirs have 56 pixels.
    Their layer after the last one does not undo the normalisation before the first (it multiplies
    (x + mean) by the deviation); that is kept, for their weights make up for it.
    """

    info = MethodInfo(
        name="drt",
        paper_label="DRT",
        citation="Y. Liang, S. Anwar, Y. Liu, DRT: a lightweight single image deraining recursive "
        "transformer, CVPR workshops (NTIRE) 2022",
        tasks=frozenset({"rain"}),
        presets={
            "smoke": {"channels": 4, "layers": 1, "recursions": 1},
            "small": {"channels": 48, "layers": 4},
        },
        narrow={"identity_init": True},
        sizes=SizeRequirements(minimum=7, multiple_of=7),
        # The grid of windows starts where the tile does.
        tiling=Tiling.DISCOURAGED,
        published_parameters=1_180_347,
        official_weights=tuple(
            OfficialWeights(
                name=f"drt_{data.lower()}",
                url=f"{_CHECKPOINTS}/{data}/best_model.pt",
                licence="MIT",
            )
            for data in ("Rain100L", "Rain100H", "MixSyntheticDataset")
        ),
        own_recipe={
            "patch": 56,
            "batch": 5,
            "learning_rate": 1e-4,
            "weight_decay": 0.0,
            "schedule": "constant",
            "gradient_clip_norm": None,
        },
    )

    official_names = (
        (r"^patch_embed\.proj\.", "embedding."),
        (r"^patch_unembed\.proj\.", "output."),
        (r"^recursive_layers\.", "layers."),
        (r"\.block1\.transformer\.", ".first."),
        (r"\.block2\.transformer\.", ".second."),
        (r"\.conv_out\.", ".convolution."),
        (r"\.norm1\.", ".attention_norm."),
        (r"\.attn\.relative_position_bias_table$", ".position_bias"),
        (r"\.attn\.qkv\.", ".query_key_value."),
        (r"\.attn\.proj\.", ".projection."),
        (r"\.norm2\.", ".perceptron_norm."),
        (r"\.mlp\.fc1\.", ".expansion."),
        (r"\.mlp\.fc2\.", ".contraction."),
    )
    # Two layers that their network never uses, and indices.
    official_unused = r"(input_conv1|output_conv1)\.|.*\.relative_position_index$"

    def __init__(
        self,
        channels: int = 96,
        layers: int = 6,
        recursions: int = 3,
        heads: int = 2,
        identity_init: bool = False,
    ) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(
                f"drt: expected channels that {heads} heads can share, found {channels}"
            )
        self.embedding = nn.Conv2d(3, channels, 1)
        self.layers = nn.ModuleList(
            RecursiveLayer(channels, heads, recursions) for _ in range(layers)
        )
        self.output = nn.Conv2d(channels, 3, 3, padding=1)
        if identity_init:
            start_at_zero(self.output)
            # What the uneven pair of normalisations would take from an image.
            loss = [
                mean / deviation - mean for mean, deviation in zip(MEAN, DEVIATION, strict=True)
            ]
            self.output.bias = nn.Parameter(torch.tensor(loss))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 7 -> the same shape, not clipped."""
        mean, deviation = (
            torch.tensor(values, dtype=degraded.dtype, device=degraded.device)[:, None, None]
            for values in (MEAN, DEVIATION)
        )
        images = (degraded - mean) / deviation
        embedded = features = self.embedding(images)
        for layer in self.layers:
            features = layer(features)
        return (images + self.output(features + embedded) + mean) * deviation

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Mean squared error, on patches of any size."""
        return {"restore": F.mse_loss(self.restore(batch.degraded).float(), batch.clean)}
