"""UMRL (Yasarla and Patel, CVPR 2019): rain and confidence at three scales."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.deraining.dense_blocks import RECIPE, Refinement, Stage, map_dense_state
from baselines.loss_terms import PerceptualDistance
from ndr.layers.initialisation import start_at_zero
from ndr.method import (
    Batch,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    parameter_count,
    register_method,
)

PAPER_WIDTH = 32
NEVER_USED = 2_362
"""Two normalisations and one convolution of the authors' network that its forward pass skips."""
CONFIDENCE_WEIGHT = 0.1
LEAST_PENALTY = 0.25
"""Below this penalty the confidence is high enough, and its weight falls."""
_REPOSITORY = "https://github.com/rajeevyasarla/UMRL--using-Cycle-Spinning/raw/master/pre_trained"
_FILES = {
    "JORDER": (4_003_048, "4bde66db92364e14f4e33e13924f4f46df422638ddfa4f9f5879565aed47cae9"),
    "DIDMDN": (4_003_060, "7e985ef46c20ca261cd1a0503c2c038af397d01217069ed905e57cb22c29c6d7"),
    "Rain800": (4_003_052, "59f7dd2a608ea6c7313563bd0d262841b8923087fdec2348c7a0d556696d2e54"),
}
"""Bytes and hash of the weights by the data that they were trained on."""


class RainEstimate(nn.Module):
    """Rain of one scale from its features, (B, 2 * width, H, W) -> (B, 3, H, W) in (-1, 1)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stage1 = Stage(2 * width, width, width, 3, "same")
        self.stage2 = Stage(width, width, width, 3, "same")
        self.stage3 = Stage(width, width, width, 3, "same")
        self.hidden = nn.Conv2d(width, width // 2, 3, padding=1)
        self.output = nn.Conv2d(width // 2, 3, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Estimate the rain."""
        features = self.stage3(self.stage2(self.stage1(features)))
        return torch.tanh(self.output(F.leaky_relu(self.hidden(features), 0.2)))


class ConfidenceEstimate(nn.Module):
    """How far the rain of a pixel is to be trusted, (B, width + 3, H, W) -> (B, 3, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(width + 3, width // 2, 3, padding=1)
        self.stage2 = Stage(width // 2, width // 2, width // 2, 3, "same")
        self.stage3 = Stage(width // 2, width // 2, width // 2, 3, "same")
        self.output = nn.Conv2d(width // 2, 3, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Estimate the confidence, in (0, 1)."""
        return torch.sigmoid(self.output(self.stage3(self.stage2(self.embedding(features)))))


@register_method
class UMRL(Method):
    """Dense encoder and decoder; coarse estimates of the rain guide the finer ones.

    At a quarter and at half of the size, one small network estimates the rain and another its
    confidence; their product joins the decoder's features. The full size has its own rain estimate.

    Loss: smooth L1 at the three scales, of images that are blended with the clean one where the
    confidence is low, and a penalty -log(confidence) against blending everything.

    Args:
        width: channels of the blocks, even; 32 in the paper.
        perceptual: add the authors' VGG16 term (1.8 times the distance of two layers, at each
            scale). Off unless asked for: the suite brings no ImageNet weights; see
            `baselines.loss_terms` for where they go.
        identity_init: start at the identity, by zero last layers and a final refinement that adds
            to the image instead of replacing it; for short trainings.

    The published size, 984,356, counts 2,362 parameters that the authors' network never uses and
    that do not exist here.

    Differences to the authors: without perceptual weights the perceptual term is missing; its
    distance is absolute where theirs is smooth. Results are mapped from [-1, 1] to [0, 1], where
    their test program stretches each image to its own extremes. The cycle spinning of a second
    training and of a second test is not done.
    """

    info = MethodInfo(
        name="umrl",
        paper_label="UMRL",
        citation="R. Yasarla, V. M. Patel, Uncertainty guided multi-scale residual learning using "
        "a cycle spinning CNN for single image de-raining, CVPR 2019",
        tasks=frozenset({"rain"}),
        presets={"smoke": {"width": 4}, "small": {}},
        narrow={"identity_init": True},
        # The smallest features, a sixteenth of the size, are normalised over the image.
        sizes=SizeRequirements(minimum=32, multiple_of=16),
        tiling=Tiling.DISCOURAGED,
        published_parameters=984_356,
        official_weights=tuple(
            OfficialWeights(
                name=f"umrl_{data.lower()}",
                url=f"{_REPOSITORY}/Net_{data}.pth",
                licence="MIT",
                sha256=sha256,
                bytes=size,
                settings=("derain",) if data == "JORDER" else (),
            )
            for data, (size, sha256) in _FILES.items()
        ),
        own_recipe=RECIPE,
    )

    official_unused = r"(batchnorm20|batchnorm1|conf_res\.conv_refin)\."
    official_names = (
        (r"^conv_refin\.", "hidden."),
        (r"^refine3\.", "output."),
        (r"^refineclean1\.", "refinement.first."),
        (r"^refineclean2\.", "refinement.second."),
        (r"^res_est\.", "rain."),
        (r"^rain\.conv_refin\.", "rain.hidden."),
        (r"^rain\.refine3\.", "rain.output."),
        (r"^conf_res\.", "confidence."),
        (r"^confidence\.conv1\.", "confidence.embedding."),
        (r"^confidence\.refine3\.", "confidence.output."),
    )

    def __init__(
        self, width: int = PAPER_WIDTH, perceptual: bool = False, identity_init: bool = False
    ) -> None:
        super().__init__()
        if width % 2 or width < 4:
            raise ValueError(f"umrl: expected an even width of at least 4, found {width}")
        self.width = width
        self.perceptual = PerceptualDistance("vgg16", (3, 8), (1.8, 1.8)) if perceptual else None
        self.stage1 = Stage(3, width - 3, width, 5, "halve")
        self.stage2 = Stage(width, width, width, 5, "halve")
        self.stage3 = Stage(width, width, width, 5, "halve")
        self.stage3_1 = Stage(width, width, width, 5, "halve")
        self.stage3_2 = Stage(width, width, width, 5, "double")
        self.stage4 = Stage(2 * width, width, width, 5, "double")
        self.stage5 = Stage(2 * width + 3, width, width, 5, "double")
        self.stage6 = Stage(2 * width + 3, width // 2, width // 2, 5, "double")
        self.stage6_1 = Stage(width // 2, width // 2, width // 2, 5, "same")
        self.hidden = nn.Conv2d(width // 2, width // 2, 3, padding=1)
        self.output = nn.Conv2d(width // 2, 3, 3, padding=1)
        self.rain = RainEstimate(width)
        self.confidence = ConfidenceEstimate(width)
        self.refinement = Refinement(residual=identity_init)
        if identity_init:
            start_at_zero(self.output, self.rain.output)

    def counted_parameters(self) -> int:
        """Size as published: with the authors' never-used layers, where the width is theirs."""
        return parameter_count(self) + (NEVER_USED if self.width == PAPER_WIDTH else 0)

    def scales(self, images: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Derained image and confidence at full, half and a quarter of the size.

        Args:
            images: (B, 3, H, W) in [-1, 1], multiples of 16.
        """
        x1 = self.stage1(images)
        x2 = self.stage2(x1)
        x3 = self.stage3(x2)
        x4 = self.stage4(torch.cat([self.stage3_2(self.stage3_1(x3)), x3], dim=1))
        rain4, confidence4 = self._estimates(x4, x2)
        x5 = self.stage5(torch.cat([x4, x2, rain4 * confidence4], dim=1))
        rain2, confidence2 = self._estimates(x5, x1)
        x6 = self.stage6_1(self.stage6(torch.cat([x5, x1, rain2 * confidence2], dim=1)))
        rain1 = torch.tanh(self.output(F.leaky_relu(self.hidden(x6), 0.2)))
        confidence1 = self.confidence(torch.cat([x6, x6, rain1], dim=1))
        estimates = ((rain1, confidence1, 1), (rain2, confidence2, 2), (rain4, confidence4, 4))
        return [
            (self.refinement(images[..., ::step, ::step] - rain), confidence)
            for rain, confidence, step in estimates
        ]

    def _estimates(self, decoded: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor]:
        rain = self.rain(torch.cat([decoded, encoded], dim=1))
        return rain, self.confidence(torch.cat([decoded, rain], dim=1))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 16 -> the same shape, in [0, 1] but for `identity_init`."""
        return (self.scales(2 * degraded - 1)[0][0] + 1) / 2

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Blended smooth L1 at three scales, the confidence penalty, perhaps the perceptual term.

        The penalty counts the coarser scales' pixels twice and four times. Where it is small
        already, its weight falls to zero, so that the network may doubt where it has to.
        """
        images, clean = 2 * batch.degraded - 1, 2 * batch.clean - 1
        pixels = images.shape[-2] * images.shape[-1]
        blended, penalty, perceptual = [], [], []
        for step, (restored, confidence) in zip((1, 2, 4), self.scales(images), strict=True):
            target = clean[..., ::step, ::step]
            doubt, estimate = confidence.float(), restored.float()
            mixed = doubt * estimate + (1 - doubt) * target
            blended.append(F.smooth_l1_loss(mixed, target) / step)
            logarithms = torch.log(doubt + 1e-8).sum() / len(images)
            penalty.append(-step * logarithms / pixels)
            if self.perceptual is not None:
                perceptual.append(self.perceptual(estimate, target) / step)
        total = torch.stack(penalty).sum()
        doubted = total.detach()
        reduced = 0.09 * CONFIDENCE_WEIGHT * (torch.exp(5.4 * doubted) - 0.98)
        weight = torch.where(doubted < LEAST_PENALTY, reduced, CONFIDENCE_WEIGHT)
        losses = {
            "restore": torch.stack(blended).sum(),
            "confidence": weight * total,
        }
        return {**losses, "perceptual": torch.stack(perceptual).sum()} if perceptual else losses

    @classmethod
    def map_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the authors' keys, also those of their dense blocks."""
        return super().map_official_state(map_dense_state(state))
