"""AirNet (Li et al., CVPR 2022): restoration guided by what a contrastive encoder sees."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.layers.initialisation import start_at_zero
from ndr.layers.x2_head import X2Head
from ndr.method import (
    TASKS,
    Batch,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    Tiling,
    TrainingContext,
    parameter_count,
    register_method,
)

SLOPE = 0.1
MOMENTUM = 0.999
TEMPERATURE = 0.07
ENCODER_SHARE = 0.1
"""Share of the steps in which the encoder trains alone."""
CONTRAST_WEIGHT = 0.1


class EncoderBlock(nn.Module):
    """Residual block with batch norm; the shortcut is a 1x1 convolution.

    Args:
        inputs: channels in.
        outputs: channels out.
        stride: 2 halves the size.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride), sizes rounded up."""
        return F.leaky_relu(self.body(features) + self.shortcut(features), SLOPE)


class DegradationEncoder(nn.Module):
    """What degrades an image: a feature map for the restoration, a vector for the contrast.

    Args:
        width: channels of the map; they double in each of the two blocks after it. The vector has
            four times as many.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = EncoderBlock(3, width, stride=1)
        self.body = nn.Sequential(
            EncoderBlock(width, 2 * width, stride=2), EncoderBlock(2 * width, 4 * width, stride=2)
        )
        self.head = nn.Sequential(
            nn.Linear(4 * width, 4 * width), nn.LeakyReLU(SLOPE), nn.Linear(4 * width, 4 * width)
        )

    def vector(self, degradation: Tensor, columns: slice = slice(None)) -> Tensor:
        """(B, 4 * width) from the degradation map.

        Args:
            degradation: what `self.first` made of the image, (B, width, H, W).
            columns: which columns of the last feature map (W / 4 of them) are averaged.
        """
        return self.head(self.body(degradation)[..., columns].mean(dim=(2, 3)))


class GuidedConvolution(nn.Module):
    """Deformable 3x3 convolution whose offsets and weights per tap follow from the degradation.

    Offsets and mask start at zero, so that it first is a convolution of half the weight.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width, 3, 3))
        self.taps = nn.Conv2d(2 * width, 3 * 9, 3, padding=1)
        bound = (width * 9) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        start_at_zero(self.taps)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """Features and degradation map (B, C, H, W) -> (B, C, H, W)."""
        # Samples at fractions of a pixel need single precision.
        taps = self.taps(torch.cat([features, degradation], dim=1)).float()
        offsets, mask = taps[:, :18], taps[:, 18:].sigmoid()
        features = features.float().contiguous()
        with torch.autocast(taps.device.type, enabled=False):
            if not features.is_cuda:
                return deformable_convolution(features, offsets, mask, self.weight)
            # Imported where it is used: it takes as long as some tests of this method.
            from torchvision.ops import deform_conv2d

            return deform_conv2d(features, offsets.contiguous(), self.weight, padding=1, mask=mask)


def deformable_convolution(
    features: Tensor, offsets: Tensor, mask: Tensor, weight: Tensor
) -> Tensor:
    """3x3 convolution whose taps are moved and weighed at each place (Zhu et al., CVPR 2019).

    What `torchvision.ops.deform_conv2d` with a padding of 1 computes, on CPUs in a fifth of the
    time: its gradient there is one scalar loop, that of `F.grid_sample` is vectorised.

    Args:
        features: (B, C, H, W).
        offsets: (B, 18, H, W), pixels down and to the right for each of the nine taps, row by row.
            A tap samples bilinearly; outside of the features is zero.
        mask: (B, 9, H, W), factors of the samples.
        weight: (outputs, C, 3, 3).

    Returns:
        (B, outputs, H, W).
    """
    height, width = features.shape[-2:]
    if torch.is_grad_enabled():
        # A sample at a whole pixel has the derivative to its right and below. Sides that are powers
        # of two let `F.grid_sample` scale positions without rounding: no other side is taken.
        wanted_height, wanted_width = (1 << (side - 1).bit_length() for side in (height, width))
        if (wanted_height, wanted_width) != (height, width):
            features = F.pad(features, (0, wanted_width - width, 0, wanted_height - height))
    sides = torch.arange(-1, max(height, width, 2), dtype=offsets.dtype, device=offsets.device)
    rows = sides[1 : height + 1, None] + sides[:3].repeat_interleave(3)[:, None, None]
    columns = sides[1 : width + 1] + sides[:3].repeat(3)[:, None, None]
    down, right = offsets.unflatten(1, (9, 2)).unbind(2)
    # F.grid_sample has -1 and 1 at the outer borders of the outermost pixels.
    grid = torch.stack(
        [
            (2 * (columns + right) + 1) / features.shape[-1] - 1,
            (2 * (rows + down) + 1) / features.shape[-2] - 1,
        ],
        dim=-1,
    )
    samples = F.grid_sample(features, grid.flatten(1, 2), align_corners=False)
    weighed = (samples.unflatten(2, (9, height)) * mask[:, None]).flatten(3).flatten(1, 2)
    # `weight @ weighed` would copy the samples, which are the largest tensor of the network.
    matrices = weight.flatten(1).expand(len(features), -1, -1)
    return torch.bmm(matrices, weighed).unflatten(2, (height, width))


class SpatialTransform(nn.Module):
    """Scale and shift of each value, from the degradation map."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale, self.shift = (
            nn.Sequential(
                nn.Conv2d(width, width, 1, bias=False),
                nn.LeakyReLU(SLOPE),
                nn.Conv2d(width, width, 1, bias=False),
            )
            for _ in range(2)
        )

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """Features and degradation map (B, C, H, W) -> (B, C, H, W)."""
        return features * self.scale(degradation) + self.shift(degradation)


class GuidedModule(nn.Module):
    """Features plus their deformable convolution plus their scaled and shifted copy."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = GuidedConvolution(width)
        self.transform = SpatialTransform(width)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        return (
            features
            + self.convolution(features, degradation)
            + self.transform(features, degradation)
        )


class GuidedBlock(nn.Module):
    """Two guided modules, each with a convolution, and a residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.guides = nn.ModuleList(GuidedModule(width) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        result = F.leaky_relu(self.guides[0](features, degradation), SLOPE)
        result = F.leaky_relu(self.convolutions[0](result), SLOPE)
        result = F.leaky_relu(self.guides[1](result, degradation), SLOPE)
        return features + self.convolutions[1](result)


class GuidedGroup(nn.Module):
    """Guided blocks, a convolution, and a residual."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(GuidedBlock(width) for _ in range(blocks))
        self.convolution = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor, degradation: Tensor) -> Tensor:
        """(B, C, H, W) twice -> (B, C, H, W)."""
        result = features
        for block in self.blocks:
            result = block(result, degradation)
        return features + self.convolution(result)


class GuidedNetwork(nn.Module):
    """The restoration network: features, guided groups with a residual, and the last layer.

    Args:
        width: channels.
        groups: guided groups.
        blocks: guided blocks in each.
        channels: channels of the last layer.
    """

    def __init__(self, width: int, groups: int, blocks: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.groups = nn.ModuleList(GuidedGroup(width, blocks) for _ in range(groups))
        self.convolution = nn.Conv2d(width, width, 3, padding=1)
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, image: Tensor, degradation: Tensor) -> Tensor:
        """Image (B, 3, H, W) and degradation map (B, width, H, W) -> (B, channels, H, W)."""
        features = self.first(image)
        result = features
        for group in self.groups:
            result = group(result, degradation)
        return self.last(features + self.convolution(result))


def followed_by(encoder: DegradationEncoder) -> DegradationEncoder:
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

    queue: Tensor
    position: Tensor

    def __init__(self, encoder: DegradationEncoder, dimension: int, queue_length: int) -> None:
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


@register_method
class AirNet(Method):
    """Deformable convolutions, scales and shifts that follow from a learned degradation map.

    The encoder learns by momentum contrast which images have the same degradation. Training in two
    stages, as the authors': the encoder alone for the first tenth of the steps (their 100 of 1,000
    epochs), then the run's pixel loss plus 0.1 times the contrastive loss.

    **The two views of an image.** The authors cut two patches from different places of each image
    and add new noise to each; the first is restored, and both go into the contrast. A batch of this
    suite holds one patch per image, the same for all methods. Its left half is the query and its
    right half the key: the encoder sees the whole patch, because its map guides the restoration
    of all of it, and the query is averaged over the left half of its last features; the following
    encoder sees the right half alone. The halves share no pixel, but they are nearer to each other
    than the authors' patches and hold half as many pixels, and the features beside the cut see a
    few pixels beyond it.

    Args:
        width: channels of both networks; the encoder's vector has four times as many.
        groups: guided groups.
        blocks: guided blocks in each.
        queue_length: keys of earlier images. The authors': 256 per task, 1,280 for five tasks.
        add_input: add the input (enlarged at x2) and start with a zero last layer, for short
            trainings; the authors' network does neither.
        upscale: `none`, or how twice the size is returned (`pixel_shuffle`, `pre_upsample`), see
            `ndr.layers.x2_head`; the authors' network has no such part.

    Other differences to the authors: deformable convolution is torchvision's on GPUs and
    `deformable_convolution` elsewhere, instead of mmcv's. Their encoder learns at a rate of 1e-3
    for 60 epochs, then 1e-4; one recipe has one rate at its start, so `own` has 1e-4 from the first
    step. `published_parameters` counts the following encoder, which is 1,319,936 of its 8,930,313;
    it is in buffers here.
    """

    info = MethodInfo(
        name="airnet",
        paper_label="AirNet",
        citation="B. Li, X. Liu, P. Hu, Z. Wu, J. Lv, X. Peng, All-in-one image restoration for "
        "unknown corruption, CVPR 2022",
        tasks=TASKS,
        presets={
            "smoke": {"width": 4, "groups": 1, "blocks": 1, "queue_length": 16},
            "small": {"width": 18, "groups": 1, "blocks": 1, "queue_length": 768},
        },
        narrow={"add_input": True},
        # The first features, which guide the restoration, see few pixels; nothing it uses is
        # averaged over the image.
        tiling=Tiling.SUPPORTED,
        published_parameters=8_930_313,
        official_weights=(
            OfficialWeights(
                name="airnet_all",
                # A folder with one checkpoint per setting; the file is All.pth.
                url="https://drive.google.com/drive/folders/1DS_iJsP5Epzz78fZRz8lEINcnhBF6Uws",
                settings=("noise_rain_haze",),
                noise_variant="uint8_trunc",
                protocol="airnet",
                licence="none stated",
            ),
        ),
        own_recipe={
            "steps": 400_000,
            "batch": 5,
            "patch": 128,
            "learning_rate": 1e-4,
            "weight_decay": 0.0,
            "schedule": "multistep",
            "milestones": tuple(range(90_000, 400_000, 50_000)),
            "gamma": 0.5,
            "gradient_clip_norm": None,
            "pixel_loss": "l1",
        },
    )

    training_only = frozenset({"contrast"})
    official_names = (
        (r"^R\.head\.0\.", "network.first."),
        (r"^R\.tail\.0\.", "network.last."),
        (r"^R\.body\.\d+\.(weight|bias)$", r"network.convolution.\1"),
        (r"^R\.body\.(\d+)\.body\.\d+\.(weight|bias)$", r"network.groups.\1.convolution.\2"),
        (r"^R\.body\.(\d+)\.body\.(\d+)\.", r"network.groups.\1.blocks.\2."),
        (r"\.dgm1\.", ".guides.0."),
        (r"\.dgm2\.", ".guides.1."),
        (r"\.conv1\.", ".convolutions.0."),
        (r"\.conv2\.", ".convolutions.1."),
        (r"\.dcn\.conv_offset_mask\.", ".convolution.taps."),
        (r"\.dcn\.", ".convolution."),
        (r"\.sft\.conv_gamma\.", ".transform.scale."),
        (r"\.sft\.conv_beta\.", ".transform.shift."),
        (r"^E\.E\.encoder_q\.", "encoder."),
        (r"^E\.E\.encoder_k\.", "contrast.encoder."),
        (r"^E\.E\.queue_ptr$", "contrast.position"),
        (r"^E\.E\.queue$", "contrast.queue"),
        (r"encoder\.E_pre\.", "encoder.first."),
        (r"encoder\.E\.", "encoder.body."),
        (r"encoder\.mlp\.", "encoder.head."),
        (r"\.backbone\.", ".body."),
    )

    def __init__(
        self,
        *,
        width: int = 64,
        groups: int = 5,
        blocks: int = 5,
        queue_length: int = 1280,
        add_input: bool = False,
        upscale: str = "none",
    ) -> None:
        super().__init__()
        self.head = X2Head(upscale)
        self.scale = self.head.scale
        self.add_input = add_input
        self.encoder = DegradationEncoder(width)
        self.contrast = MomentumContrast(self.encoder, 4 * width, queue_length)
        self.network = GuidedNetwork(width, groups, blocks, self.head.last_channels)
        if add_input:
            start_at_zero(self.network.last)

    def counted_parameters(self) -> int:
        """With the following encoder, as the authors count."""
        return parameter_count(self) + parameter_count(self.encoder)

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> (B, 3, scale * H, scale * W), not clipped."""
        return self._restore(degraded, self.encoder.first(self.head.enter(degraded)))

    def _restore(self, degraded: Tensor, degradation: Tensor) -> Tensor:
        output = self.network(self.head.enter(degraded), degradation).to(degraded.dtype)
        return self.head.leave(output, degraded, residual=self.add_input)

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """The contrastive loss; after the first tenth of the steps, 0.1 of it and the pixel loss.

        Changes the following encoder and the queue.
        """
        image = self.head.enter(batch.degraded)
        degradation = self.encoder.first(image)
        contrast = self._contrast(image, degradation)
        if context.step < math.ceil(ENCODER_SHARE * context.total_steps):
            return {"contrast": contrast}
        restored = self._restore(batch.degraded, degradation)
        return {
            "restore": context.pixel_loss(restored, batch.clean),
            "contrast": CONTRAST_WEIGHT * contrast,
        }

    def _contrast(self, image: Tensor, degradation: Tensor) -> Tensor:
        """Left halves as queries, right halves as keys; see the class."""
        width = image.shape[-1]
        columns = math.ceil(width / 4)  # of the encoder's last features
        queries = self.encoder.vector(degradation, slice(max(1, columns // 2)))
        follower = self.contrast.encoder
        with torch.no_grad():
            self.contrast.follow(self.encoder)
            keys = follower.vector(follower.first(image[..., width // 2 :]))
        return self.contrast.loss(queries, keys)

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The queue is as long as the authors' training had tasks."""
        return {"queue_length": state["E.E.queue"].shape[1]} if "E.E.queue" in state else {}
