"""DehazeNet against its program written out in loops, with weights in MATLAB's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from scipy.ndimage import correlate, maximum_filter

from baselines.dehazing.dehazenet import airlight_of_haziest
from baselines.guided_filter import guided_filter
from ndr.method import Batch, CheckpointError, TrainingContext
from ndr.registry import create, load_official

Array = NDArray[np.float64]


def random_weights() -> dict[str, NDArray[np.float32]]:
    """As in the authors' file: (inputs, pixels by column, outputs)."""
    generator = np.random.default_rng(5)
    shapes = {"conv1": (3, 25, 16), "conv3x3": (4, 9, 16), "conv5x5": (4, 25, 16)}
    shapes |= {"conv7x7": (4, 49, 16), "ip": (48, 36)}
    content = {}
    for name, shape in shapes.items():
        outputs = shape[2] if len(shape) == 3 else 1
        content[f"weights_{name}"] = generator.normal(0, 0.1, shape).astype(np.float32)
        content[f"biases_{name}"] = generator.normal(0, 0.1, (outputs, 1)).astype(np.float32)
    content["weights_ip"] -= content["weights_ip"].mean(1, keepdims=True)
    content["weights_ip"] *= 0.2
    content["biases_ip"] = np.full((1, 1), 0.5, dtype=np.float32)
    return content


def convolved(planes: Array, weights: Array, biases: Array) -> Array:
    """Filter with borders mirrored; an even kernel reaches further to the right and down."""
    inputs, pixels, outputs = weights.shape
    side = round(pixels**0.5)
    result = np.zeros((outputs, *planes.shape[1:]))
    for k in range(outputs):
        for c in range(inputs):
            kernel = weights[c, :, k].reshape(side, side, order="F").astype(float)
            origin = 0 if side % 2 else -1
            result[k] += correlate(planes[c], kernel, mode="reflect", origin=origin)
        result[k] += biases.ravel()[k]
    return result


def transmission(image: Array, content: dict[str, NDArray[np.float32]]) -> Array:
    features = convolved(image - 0.5, content["weights_conv1"], content["biases_conv1"])
    units = np.stack([features[4 * unit : 4 * unit + 4].max(0) for unit in range(4)])
    mapped = np.concatenate(
        [
            convolved(units, content[f"weights_conv{n}x{n}"], content[f"biases_conv{n}x{n}"])
            for n in (3, 5, 7)
        ]
    )
    extremum = np.stack([maximum_filter(plane, 7, mode="nearest") for plane in mapped])
    regression = content["weights_ip"].reshape(48, 36, 1)
    return np.clip(convolved(extremum, regression, content["biases_ip"])[0], 0, 1)


def test_network_and_matlab_layout(tmp_path: Path) -> None:
    content = random_weights()
    savemat(tmp_path / "dehaze.mat", content)
    method = load_official("dehazenet", tmp_path / "dehaze.mat")
    image = np.random.default_rng(1).random((3, 14, 17))
    expected = transmission(image, content)
    assert expected.std() > 0.05
    assert ((expected > 0) & (expected < 1)).mean() > 0.3
    with torch.no_grad():
        found = method.transmission(torch.from_numpy(image)[None].float())[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_other_mat_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "dehaze.mat"
    with pytest.raises(FileNotFoundError, match=r"expected a \.mat file"):
        load_official("dehazenet", path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match=r"expected a \.mat file with weights"):
        load_official("dehazenet", path)
    savemat(path, {"offsets": np.ones(3)})
    with pytest.raises(CheckpointError, match="expected weights_"):
        load_official("dehazenet", path)
    savemat(path, {"net": {"layers": 3}})
    with pytest.raises(CheckpointError, match="expected arrays of numbers, found 'net'"):
        load_official("dehazenet", path)
    content = random_weights()
    del content["biases_ip"]
    savemat(path, content)
    with pytest.raises(CheckpointError, match=r"1 missing: regression\.bias"):
        load_official("dehazenet", path)


def test_airlight_is_the_brightest_of_the_haziest() -> None:
    generator = torch.Generator().manual_seed(2)
    hazy = torch.rand(2, 3, 30, 20, generator=generator)
    values = torch.rand(2, 1, 30, 20, generator=generator)
    found = airlight_of_haziest(hazy, values)
    for image in range(2):
        pixels = hazy[image].flatten(1)
        haziest = values[image].flatten().argsort()[:6]  # a hundredth of 600
        grey = pixels.T @ torch.tensor([0.299, 0.587, 0.114])
        brightest = haziest[grey[haziest].argmax()]
        torch.testing.assert_close(found[image, :, 0, 0], pixels[:, brightest])
    # Where several are equally bright, their mean.
    same = airlight_of_haziest(torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 1, 8, 8))
    torch.testing.assert_close(same, torch.full((1, 3, 1, 1), 0.5))


def test_restores_by_inverting_the_haze_model(monkeypatch: pytest.MonkeyPatch) -> None:
    method = create("dehazenet", "paper", transmission_floor=0.2).eval()
    hazy = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(4))
    values = torch.linspace(0, 1, 480).view(1, 1, 20, 24)
    monkeypatch.setattr(method, "transmission", lambda images: values)
    grey = (hazy * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    smooth = guided_filter(values, grey, 50, 1e-3).clamp(min=0.2)
    airlight = airlight_of_haziest(hazy, values)
    torch.testing.assert_close(method.restore(hazy), (hazy - airlight) / smooth + airlight)
    assert smooth.min() > 0.2
    monkeypatch.setattr(method, "transmission", lambda images: values / 5)
    airlight = airlight_of_haziest(hazy, values)
    torch.testing.assert_close(method.restore(hazy), (hazy - airlight) / 0.2 + airlight)
    with pytest.raises(ValueError, match="expected a transmission_floor"):
        create("dehazenet", "smoke", transmission_floor=0.0)


def test_learns_the_transmission_of_the_pair() -> None:
    """Also from outside of [0, 1], where the cut lets no gradient through."""
    clean = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(6))
    batch = Batch(0.4 * clean + 0.5, clean, ("haze", "haze"), torch.zeros(2))
    context = TrainingContext(0, 10, torch.nn.functional.l1_loss)
    method = create("dehazenet", "smoke")
    assert method.training_losses(batch, context)["transmission"].item() == pytest.approx(0.36)
    with torch.no_grad():
        method.regression.bias.fill_(1.5)
    method.training_losses(batch, context)["transmission"].backward()
    assert method.regression.bias.grad.item() == pytest.approx(2 * 1.1, rel=1e-4)
