"""The one door to the networks of the package spandrel.

Their classes are no public interface of the package, so its version is pinned, every path into it
stands here, and a test builds each network.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def nafnet(
    width: int, middle_blocks: int, encoder_blocks: Sequence[int], decoder_blocks: Sequence[int]
) -> nn.Module:
    """NAFNet (Chen et al., ECCV 2022) with the authors' key names.

    Its forward takes (B, 3, H, W), adds the input to the output, and pads by zeros to a multiple
    of 2 to the number of levels.

    Args:
        width: channels of the first level; they double at each level.
        middle_blocks: blocks at the lowest resolution.
        encoder_blocks: blocks of each encoder level, from the first to the lowest.
        decoder_blocks: blocks of each decoder level, from the lowest to the first.
    """
    # Here, not above: spandrel imports all its networks, which takes a second or two.
    from spandrel.architectures.NAFNet import NAFNet

    return NAFNet(
        width=width,
        middle_blk_num=middle_blocks,
        enc_blk_nums=list(encoder_blocks),
        dec_blk_nums=list(decoder_blocks),
    )
