"""FFDNet: the noise level counts, and the authors' weights give their published numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ndr.method import SideInformation
from ndr.registry import create, load_official

# From the README beside the weights: sigma 25, noise of NumPy's legacy generator with seed 0.
PUBLISHED = {"101085": 28.144, "101087": 32.230, "102061": 32.125}


def test_input_is_the_cells_and_the_level() -> None:
    """Written out: four pixels of each cell by colour, sigma / 255, convolutions, cells back."""
    torch.manual_seed(0)
    network = create("ffdnet", "smoke", identity_init=False).eval()
    images = torch.rand(2, 3, 8, 6)
    levels = torch.tensor([15.0, 50.0])
    corners = [(dy, dx) for dy in (0, 1) for dx in (0, 1)]
    planes = [images[:, c, dy::2, dx::2] for c in range(3) for dy, dx in corners]
    level_map = (levels / 255)[:, None, None].expand(2, 4, 3)
    expected = torch.zeros_like(images)
    with torch.no_grad():
        features = network.model(torch.stack([*planes, level_map], dim=1))
        for c in range(3):
            for index, (dy, dx) in enumerate(corners):
                expected[:, c, dy::2, dx::2] = features[:, 4 * c + index]
        restored = network.restore(images, SideInformation(sigma=levels))
        louder = network.restore(images, SideInformation(sigma=50.0))
    torch.testing.assert_close(restored, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(restored[1], louder[1], atol=1e-6, rtol=0)
    assert (restored[0] - louder[0]).abs().max() > 1e-4


def test_negative_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="expected noise levels of at least 0"):
        create("ffdnet", "smoke").restore(torch.rand(1, 3, 8, 8), SideInformation(sigma=-5))


def test_identity_start_needs_channels() -> None:
    with pytest.raises(ValueError, match="needs at least 12 channels, found 8"):
        create("ffdnet", "smoke", channels=8)
    with pytest.raises(ValueError, match="expected a depth of at least 3, found 2"):
        create("ffdnet", "smoke", depth=2)


def psnr(restored: torch.Tensor, clean: np.ndarray) -> float:
    pixels = (restored[0].clamp(0, 1) * 255).round().permute(1, 2, 0).double().numpy()
    return float(-10 * np.log10(((pixels - clean) ** 2).mean() / 255**2))


def test_authors_weights_reproduce_their_numbers(shared_folder: Path) -> None:
    weights = shared_folder / "weights" / "ffdnet_color.pth"
    clean_folder = shared_folder / "data" / "cbsd68" / "test" / "clean"
    if not weights.is_file() or not clean_folder.is_dir():
        pytest.skip(f"needs {weights} and {clean_folder}")
    network = load_official("ffdnet", weights)
    for name, published in PUBLISHED.items():
        clean = np.asarray(Image.open(clean_folder / f"{name}.png").convert("RGB"), np.float64)
        noise = np.random.RandomState(0).randn(*clean.shape) * 25 / 255
        degraded = torch.from_numpy((clean / 255 + noise).astype(np.float32)).permute(2, 0, 1)
        with torch.inference_mode():
            restored = network.restore(degraded[None], SideInformation(sigma=25.0))
        assert psnr(restored, clean) == pytest.approx(published, abs=0.002)
