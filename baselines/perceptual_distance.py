"""Distance of images in the features of a classification network (Johnson et al., ECCV 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.method import read_state

WEIGHT_FILES = {"vgg16": "vgg16-397923af.pth", "vgg19": "vgg19-dcbb9e9d.pth"}
"""Files of torchvision's networks trained on ImageNet."""
_SERVER = "https://download.pytorch.org/models"


def weights_path(network: str) -> Path:
    """Where PyTorch keeps the weights of `vgg16` or `vgg19` (environment variable TORCH_HOME)."""
    return Path(torch.hub.get_dir()) / "checkpoints" / WEIGHT_FILES[network]


class PerceptualDistance:
    """Weighted mean absolute difference of a VGG network's features.

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
