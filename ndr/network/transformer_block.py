"""The transformer block of Restormer, which is also NDR-Restore's (paper Sec. III-B)."""

from __future__ import annotations

from torch import Tensor, nn

from ndr.network.channel_attention import ChannelAttention
from ndr.network.gated_feed_forward import GatedFeedForward
from ndr.network.layer_norm import ChannelLayerNorm
from ndr.network.resampling import Downsample, Upsample

__all__ = ["Downsample", "TransformerBlock", "Upsample"]


class TransformerBlock(nn.Module):
    """Channel attention, then a gated feed-forward part, each on a layer norm and with a residual.

    Args:
        width: channels C.
        heads: attention heads; divides `width`.
        expansion: hidden width of the feed-forward part over `width`.
        bias: whether the convolutions have one.
        norm_bias: whether the layer norm subtracts the mean and has a shift.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        expansion: float = 2.66,
        bias: bool = False,
        norm_bias: bool = True,
    ) -> None:
        super().__init__()
        self.attention_norm = ChannelLayerNorm(width, norm_bias)
        self.attention = ChannelAttention(width, heads, bias)
        self.feed_forward_norm = ChannelLayerNorm(width, norm_bias)
        self.feed_forward = GatedFeedForward(width, expansion, bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape; channels-last memory is fastest."""
        features = features + self.attention(self.attention_norm(features))
        return features + self.feed_forward(self.feed_forward_norm(features))
