"""NAFNet (Chen et al., ECCV 2022): a U-shaped network without activation functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from baselines.spandrel_networks import nafnet, nafnet_output
from ndr.layers.initialisation import start_at_zero
from ndr.layers.x2_head import X2Head
from ndr.method import (
    TASKS,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    register_method,
)

_DRIVE = "https://drive.google.com/file/d"


@register_method
class NAFNet(Method):
    """Gated convolution blocks with simplified channel attention; network of package spandrel.

    The paper does not say which of the authors' sizes it trains. The default is their best
    denoiser (SIDD, width 64, 115,982,915 parameters), whose cost per pixel is below Restormer's;
    `width=32` is their small one (29,159,715).

    Args:
        width: channels of the first level; they double at each level.
        middle_blocks: blocks at the lowest resolution.
        encoder_blocks: blocks of the encoder's levels, from the first to the lowest. Four levels.
        decoder_blocks: blocks of the decoder's levels, from the lowest to the first.
        zero_init_output: start at the identity by a zero last layer, for short trainings.
        upscale: `none`, or how twice the size is returned (`pixel_shuffle`, `pre_upsample`), see
            `ndr.layers.x2_head`; the authors' network has no such part.

    Differences to the authors: images are padded by reflection, theirs by zeros (their own test
    images need neither); channel attention averages over the whole image, as in their SIDD
    set-up, not over windows of the training size.
    """

    info = MethodInfo(
        name="nafnet",
        paper_label="NAFNet",
        citation="L. Chen, X. Chu, X. Zhang, J. Sun, Simple baselines for image restoration, "
        "ECCV 2022",
        tasks=TASKS,
        presets={
            "smoke": {"width": 4, "middle_blocks": 1, "encoder_blocks": (1, 1, 1, 1)},
            "small": {
                "width": 16,
                "middle_blocks": 1,
                "encoder_blocks": (6, 3, 1, 1),
                "decoder_blocks": (5, 2, 1, 1),
            },
        },
        narrow={"decoder_blocks": (1, 1, 1, 1), "zero_init_output": True},
        sizes=SizeRequirements(minimum=16, multiple_of=16),
        tiling=Tiling.DISCOURAGED,
        published_parameters=115_982_915,
        official_weights=(
            OfficialWeights(
                name="nafnet_sidd_width64",
                url=f"{_DRIVE}/14Fht1QQJ2gMlk4N1ERCRuElg8JfjrWWR",
                licence="MIT",
            ),
            OfficialWeights(
                name="nafnet_sidd_width32",
                url=f"{_DRIVE}/1lsByk21Xw-6aW7epCwOQxvm6HYCQZPHZ",
                licence="MIT",
                changes={"width": 32},
            ),
        ),
    )
    trains_channels_last = True

    # The authors' network is a part of this one.
    official_names = ((r"^", "network."),)

    def __init__(
        self,
        *,
        width: int = 64,
        middle_blocks: int = 12,
        encoder_blocks: Sequence[int] = (2, 2, 4, 8),
        decoder_blocks: Sequence[int] = (2, 2, 2, 2),
        zero_init_output: bool = False,
        upscale: str = "none",
    ) -> None:
        super().__init__()
        levels = (len(encoder_blocks), len(decoder_blocks))
        if levels != (4, 4):
            raise ValueError(
                f"nafnet: expected blocks for 4 encoder and 4 decoder levels, found {levels}"
            )
        self.network = nafnet(width, middle_blocks, encoder_blocks, decoder_blocks)
        self.head = X2Head(upscale)
        self.scale = self.head.scale
        if upscale == "pixel_shuffle":
            self.network.ending = nn.Conv2d(width, self.head.last_channels, 3, padding=1)
        if zero_init_output:
            start_at_zero(self.network.get_submodule("ending"))

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W), multiples of 16 -> (B, 3, scale * H, scale * W), not clipped."""
        return self.head.leave(nafnet_output(self.network, self.head.enter(degraded)), degraded)

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Width and blocks: the authors publish networks of several sizes."""
        counts: dict[tuple[str, int], int] = {}
        for key in state:
            found = re.match(r"(encoders|decoders)\.(\d)\.(\d+)\.|(middle_blks)\.(\d+)\.", key)
            if found is not None:
                place = (found[1] or found[4], int(found[2] or 0))
                counts[place] = max(counts.get(place, 0), 1 + int(found[3] or found[5]))
        sides = {
            side: tuple(counts.get((f"{side}rs", level), 0) for level in range(4))
            for side in ("encode", "decode")
        }
        if "intro.bias" not in state or not all(map(all, sides.values())):
            return {}  # not a checkpoint of this method: loading it says what is missing
        return {
            "width": len(state["intro.bias"]),
            "middle_blocks": counts.get(("middle_blks", 0), 0),
            "encoder_blocks": sides["encode"],
            "decoder_blocks": sides["decode"],
        }
