"""MSCNN against its program written out, its two stages, its two files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from scipy.ndimage import minimum_filter
from scipy.signal import correlate2d
from torch.nn import functional as F

from baselines.dehazing.mscnn import (
    TransmissionNetwork,
    airlight_of_local_minima,
    refined_transmission,
)
from baselines.guided_filter import guided_filter
from ndr.method import Batch, CheckpointError, TrainingContext
from ndr.registry import create, load_official

Array = NDArray[np.float64]


def written_out(image: Array, network: TransmissionNetwork, coarse: Array | None) -> Array:
    """The authors' layers, plane by plane: (3, H, W) -> (H, W)."""
    planes = image
    for index, layer in enumerate(network.layers):
        weight, bias = (p.detach().double().numpy() for p in (layer.weight, layer.bias))
        planes = np.stack(
            [
                sum(correlate2d(p, k, mode="same") for p, k in zip(planes, kernels, strict=True))
                + offset
                for kernels, offset in zip(weight, bias, strict=True)
            ]
        )
        if index == 0 and coarse is not None:
            planes[-1] = coarse
        count, height, width = planes.shape
        cells = np.maximum(planes, 0).reshape(count, height // 2, 2, width // 2, 2)
        planes = cells.max((2, 4)).repeat(2, 1).repeat(2, 2)
        if index < 2:
            squares = planes**2
            sums = [squares[max(0, k - 2) : k + 3].sum(0) for k in range(count)]
            planes = planes / (1 + 2e-5 * np.stack(sums)) ** 0.75
    last = network.combination
    weight, bias = last.weight.detach().double().flatten().numpy(), last.bias.item()
    return 1 / (1 + np.exp(-np.tensordot(weight, planes, 1) - bias))


@pytest.mark.parametrize("joined", [True, False])
def test_networks(joined: bool) -> None:
    torch.manual_seed(0)
    method = create("mscnn", coarse_guides_fine=joined).eval()
    with torch.no_grad():
        for network in (method.coarse, method.fine):
            for layer in network.layers:
                layer.weight.mul_(3)  # so that the normalisation shows
            network.combination.weight.mul_(0.02)
    image = np.random.default_rng(1).random((3, 22, 18))
    coarse = written_out(image, method.coarse, None)
    expected = written_out(image, method.fine, coarse if joined else None)
    with torch.no_grad():
        found = method.transmission(torch.from_numpy(image)[None].float(), torch.ones(1, 3, 1, 1))
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-5)
    assert expected.std() > 0.01


def test_airlight() -> None:
    image = np.random.default_rng(2).random((3, 40, 30))
    expected = [minimum_filter(p, 15, mode="reflect").max() for p in image]
    found = airlight_of_local_minima(torch.from_numpy(image)[None])
    np.testing.assert_allclose(found.flatten().numpy(), np.maximum(expected, 0.05))
    assert airlight_of_local_minima(torch.zeros(1, 3, 16, 16)).min() == pytest.approx(0.05)


def test_refinement() -> None:
    generator = torch.Generator().manual_seed(3)
    hazy = torch.rand(1, 3, 40, 48, generator=generator)
    values = 0.1 + 0.9 * torch.rand(1, 1, 40, 48, generator=generator)
    airlight = torch.full((1, 3, 1, 1), 0.9)
    grey = (hazy * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    far = (grey - 0.9) ** 2
    inverse = (far + 0.1 / values) / (far + 0.1)
    expected = 1 / guided_filter(inverse, grey, 5, 0.04)
    torch.testing.assert_close(refined_transmission(hazy, values, airlight), expected)
    clear = refined_transmission(hazy, torch.ones_like(values), airlight)
    torch.testing.assert_close(clear, torch.ones_like(values))


def test_two_stages() -> None:
    """The coarse network learns first; then it is fixed and the fine one learns."""
    clean = torch.rand(2, 3, 17, 20, generator=torch.Generator().manual_seed(4))
    batch = Batch(0.5 * clean + 0.4, clean, ("haze",) * 2, torch.zeros(2))
    for step, learning, resting in ((4, "coarse", "fine"), (5, "fine", "coarse")):
        method = create("mscnn", "smoke")
        losses = method.training_losses(batch, TrainingContext(step, 10, F.l1_loss))
        assert list(losses) == [f"{learning}_transmission"]
        assert sum(losses.values()).item() == pytest.approx(0.25)  # from 1 to 0.5, squared
        sum(losses.values()).backward()
        assert getattr(method, learning).combination.bias.grad.abs() > 0
        assert all(p.grad is None for p in getattr(method, resting).parameters())


def test_limits_of_the_transmission(monkeypatch: pytest.MonkeyPatch) -> None:
    """As published not even a clear image stays as it is: the highest transmission is 0.9."""
    method = create("mscnn").eval()
    image = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(5))
    monkeypatch.setattr(method, "transmission", lambda hazy, airlight: torch.ones(1, 1, 24, 24))
    airlight = airlight_of_local_minima(image)
    torch.testing.assert_close(method.restore(image), (image - airlight) / 0.9 + airlight)
    with pytest.raises(ValueError, match=r"expected transmission_limits .* found \(0\.9, 0\.1\)"):
        create("mscnn", "smoke", transmission_limits=(0.9, 0.1))


def write_network(path: Path, network: TransmissionNetwork) -> None:
    """As MatConvNet keeps it: filters (row, column, in, out), layers without weights between."""
    layers: list[dict[str, object]] = []
    for layer in network.layers:
        filters = layer.weight.detach().permute(2, 3, 1, 0).numpy()
        biases = layer.bias.detach().numpy()[None]
        layers += [{"type": "conv", "filters": filters, "biases": biases}, {"type": "relu"}]
    weight = network.combination.weight.detach().permute(2, 3, 1, 0).numpy()[..., 0]
    layers.append(
        {"type": "sum", "filters": weight, "biases": network.combination.bias.detach().numpy()}
    )
    cells = np.empty((1, len(layers)), dtype=object)
    cells[0] = layers
    savemat(path, {"net": {"layers": cells}})


def test_weights_of_matlab(tmp_path: Path) -> None:
    torch.manual_seed(1)
    method = create("mscnn", coarse_guides_fine=False).eval()
    write_network(tmp_path / "MSCNNDehazing_CL.mat", method.coarse)
    with pytest.raises(CheckpointError, match=r"needs two files.*take the second from https://"):
        load_official("mscnn", tmp_path / "MSCNNDehazing_CL.mat")
    write_network(tmp_path / "MSCNNDehazing_FL.mat", method.fine)
    loaded = load_official("mscnn", tmp_path / "MSCNNDehazing_CL.mat")
    image = torch.rand(1, 3, 25, 30)
    with torch.no_grad():
        assert torch.equal(loaded.restore(image), method.restore(image))
    savemat(tmp_path / "MSCNNDehazing_FL.mat", {"weights": np.ones(3)})
    with pytest.raises(CheckpointError, match="expected a MatConvNet network"):
        load_official("mscnn", tmp_path / "MSCNNDehazing_CL.mat")
