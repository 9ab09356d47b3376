"""Terms of training losses that several systems share: SSIM, features of VGG, Charbonnier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.method import read_state

CHARBONNIER_EPSILON = 1e-3


def charbonnier(first: Tensor, second: Tensor) -> Tensor:
    """Mean of sqrt(d^2 + epsilon^2) over all values of d = first - second.

    Close to the L1 distance, with a gradient at zero. Two equal images have the distance epsilon,
    1e-3.
    """
    return torch.sqrt((first - second).square() + CHARBONNIER_EPSILON**2).mean()


WINDOW, DEVIATION = 11, 1.5


def gaussian_weights(size: int, deviation: float) -> Tensor:
    """Normalised Gaussian over `size` pixels."""
    position = torch.arange(size) - (size - 1) / 2
    weights = torch.exp(-(position**2) / (2 * deviation**2))
    return weights / weights.sum()


def filtered(images: Tensor, weights: Tensor) -> Tensor:
    """Filter each channel by `weights` along rows and columns, where the window fits.

    (B, C, H, W) -> (B, C, H - n + 1, W - n + 1) for n weights.
    """
    channels = images.shape[1]
    weights = weights.to(images)
    rows = weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    columns = weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    return F.conv2d(F.conv2d(images, rows, groups=channels), columns, groups=channels)


def structural_similarity(first: Tensor, second: Tensor) -> Tensor:
    """Mean SSIM (Wang et al., TIP 2004) of two batches in [0, 1]; 1 where they are equal.

    Gaussian window of 11 x 11 pixels, standard deviation 1.5, of which only whole windows count.
    The metric of the evaluation is computed elsewhere; this one serves as a loss.

    Args:
        first: (B, C, H, W), at least 11 pixels a side.
        second: of the same shape.
    """
    weights = gaussian_weights(WINDOW, DEVIATION)
    a, b = first.float(), second.float()
    with torch.autocast(a.device.type, enabled=False):
        mean_a, mean_b = filtered(a, weights), filtered(b, weights)
        variance_a = filtered(a * a, weights) - mean_a**2
        variance_b = filtered(b * b, weights) - mean_b**2
        covariance = filtered(a * b, weights) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    upper = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    lower = (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    return (upper / lower).mean()


WEIGHT_FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
"""Files of torchvision's networks trained on ImageNet."""
_SERVER = "https://download.pytorch.org/models"


def weights_path(network: str) -> Path:
    """Where PyTorch keeps the weights of `vgg16` or `vgg19` (environment variable TORCH_HOME)."""
    return Path(torch.hub.get_dir()) / "checkpoints" / WEIGHT_FILES[network]


class PerceptualDistance:
    """Weighted mean absolute difference of a VGG network's features (Johnson et al., ECCV 2016).

    It is no `nn.Module` on purpose: its weights are neither trained nor part of a checkpoint. They
    are read at the first use.

    Args:
        network: `vgg16` or `vgg19`.
        layers: positions in torchvision's `features`, rising; outputs behind them are compared.
        weights: of the layers.
    """

    def __init__(self, network: str, layers: Sequence[int], weights: Sequence[float]) -> None:
        self.network = network
        self.layers = tuple(layers)
        self.weights = tuple(weights)
        self._features: nn.Sequential | None = None

    def _read(self) -> nn.Sequential:
        import torchvision

        path = weights_path(self.network)
        if not path.is_file():
            raise FileNotFoundError(
                f"the perceptual loss needs {path}, the weights of torchvision's {self.network}; "
                f"download {_SERVER}/{path.name} to there, or train with perceptual=False"
            )
        network = getattr(torchvision.models, self.network)(weights=None)
        network.load_state_dict(dict(read_state(path)))
        features = network.features[: self.layers[-1] + 1]
        for module in features:
            if isinstance(module, nn.ReLU):
                module.inplace = False  # the outputs before it are compared too
        return features.eval().requires_grad_(False)

    def __call__(self, images: Tensor, reference: Tensor) -> Tensor:
        """Distance of two batches (B, 3, H, W), in the range that the method's authors feed.

        Raises:
            FileNotFoundError: the weights are not on this machine; the message says what to do.
        """
        if self._features is None:
            self._features = self._read()
        self._features.to(images.device)
        a, b = images, reference.detach()
        total = images.new_zeros(())
        for index, layer in enumerate(self._features):
            a, b = layer(a), layer(b)
            if index in self.layers:
                total = total + self.weights[self.layers.index(index)] * F.l1_loss(a, b)
        return total
