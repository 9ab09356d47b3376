"""AirNet (Li et al., CVPR 2022): restoration guided by what a contrastive encoder sees."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from baselines.all_in_one.airnet_parts import DegradationEncoder, GuidedNetwork
from baselines.momentum_contrast import MomentumContrast
from ndr.method import (
    TASKS,
    Batch,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    Tiling,
    TrainingContext,
    frozen,
    parameter_count,
    register_method,
)
from ndr.network.x2_head import X2Head

ENCODER_SHARE = 0.1
CONTRAST_WEIGHT = 0.1

# The authors' names and ours, from the outside in; one after the other is replaced.
_OFFICIAL_NAMES = (
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
            `ndr.network.x2_head`; the authors' network has no such part.

    Other differences to the authors: deformable convolution is torchvision's instead of mmcv's.
    Their encoder learns at a rate of 1e-3 for 60 epochs, then 1e-4; one recipe has one rate at its
    start, so `own` has 1e-4 from the first step. `published_parameters` counts the following
    encoder, which is 1,319,936 of its 8,930,313; it is in buffers here.
    """

    info = MethodInfo(
        name="airnet",
        paper_label="AirNet",
        citation="B. Li, X. Liu, P. Hu, Z. Wu, J. Lv, X. Peng, All-in-one image restoration for "
        "unknown corruption, CVPR 2022",
        tasks=TASKS,
        presets=frozen(
            {
                "smoke": {
                    "width": 4,
                    "groups": 1,
                    "blocks": 1,
                    "queue_length": 16,
                    "add_input": True,
                },
                "quick": {
                    "width": 5,
                    "groups": 1,
                    "blocks": 1,
                    "queue_length": 96,
                    "add_input": True,
                },
                "small": {
                    "width": 24,
                    "groups": 2,
                    "blocks": 2,
                    "queue_length": 768,
                    "add_input": True,
                },
                "paper": {},
            }
        ),
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
        own_recipe=frozen(
            {
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
            }
        ),
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
        self.add_input = add_input
        self.encoder = DegradationEncoder(width)
        self.contrast = MomentumContrast(self.encoder, 4 * width, queue_length)
        self.network = GuidedNetwork(width, groups, blocks, self.head.last_channels)
        if add_input:
            nn.init.zeros_(self.network.last.weight)
            nn.init.zeros_(self.network.last.bias)

    @property
    def scale(self) -> int:
        """2 where `upscale` is not `none`."""
        return self.head.scale

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

    @classmethod
    def map_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the authors' keys; unknown ones keep their names and are then refused."""
        mapped: dict[str, Tensor] = {}
        for key, value in state.items():
            name = _renamed(key)
            # The numbers of last layers are not looked at: a second one keeps its own name.
            mapped[key if name in mapped else name] = value
        return mapped


def _renamed(key: str) -> str:
    for pattern, name in _OFFICIAL_NAMES:
        key = re.sub(pattern, name, key, count=1)
    return key
