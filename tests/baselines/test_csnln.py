"""CSNLN: its attentions written out, its pieces, its authors' names."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.super_resolution.csnln import CrossScaleAttention, InScaleAttention, _halves
from ndr.method import SideInformation
from ndr.registry import create, load_official

NAMES = {
    "cell.cross_scale.queries": "SEM.multi_source_projection.up_attention.conv_match_1",
    "cell.cross_scale.keys": "SEM.multi_source_projection.up_attention.conv_match_2",
    "cell.cross_scale.values": "SEM.multi_source_projection.up_attention.conv_assembly",
    "cell.in_scale.queries": "SEM.multi_source_projection.down_attention.conv_match1",
    "cell.in_scale.keys": "SEM.multi_source_projection.down_attention.conv_match2",
    "cell.in_scale.values": "SEM.multi_source_projection.down_attention.conv_assembly",
    "cell.in_scale_enlarging": "SEM.multi_source_projection.upsample",
    "cell.branch_difference": "SEM.multi_source_projection.encoder",
    "cell.reprojection": "SEM.down_sample_1",
    "cell.error_enlarging": "SEM.error_encode",
    "cell.halving": "SEM.down_sample_2",
    "cell.last": "SEM.post_conv",
}


def distinct(module: nn.Module) -> nn.Module:
    """Give all parameters different values."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def images(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_in_scale_attention() -> None:
    attention = distinct(InScaleAttention(4))
    features = images(1, 4, 3, 5)
    queries, keys, values = (
        part(features)[0].flatten(1).T
        for part in (attention.queries, attention.keys, attention.values)
    )
    result = attention(features)[0].flatten(1).T
    for query, mixed in zip(queries, result, strict=True):
        weights = torch.exp(torch.stack([query @ key for key in keys]))
        expected = sum(w * v for w, v in zip(weights / weights.sum(), values, strict=True))
        torch.testing.assert_close(mixed, expected)


@torch.no_grad()
def test_cross_scale_attention() -> None:
    """Every patch of 3x3 pixels is answered by patches of 6x6, pasted two pixels apart."""
    attention = distinct(CrossScaleAttention(4))
    height, width = 4, 6
    features = images(1, 4, height, width)
    halved = F.interpolate(features, scale_factor=0.5, mode="bilinear", align_corners=False)
    queries = F.pad(attention.queries(features)[0], (1, 1, 1, 1))
    keys = F.pad(attention.keys(halved)[0], (1, 1, 1, 1))
    values = F.pad(attention.values(features)[0], (2, 2, 2, 2))
    places = [(row, column) for row in range(height // 2) for column in range(width // 2)]
    pasted = torch.zeros(4, 2 * height + 4, 2 * width + 4)
    for row in range(height):
        for column in range(width):
            query = queries[:, row : row + 3, column : column + 3]
            scores = []
            for j, i in places:
                key = keys[:, j : j + 3, i : i + 3]
                scores.append(10 * (query * key).sum() / key.norm().clamp(min=1e-4))
            weights = torch.stack(scores).softmax(dim=0)
            for weight, (j, i) in zip(weights, places, strict=True):
                patch = values[:, 2 * j : 2 * j + 6, 2 * i : 2 * i + 6]
                pasted[:, 2 * row : 2 * row + 6, 2 * column : 2 * column + 6] += weight * patch
    torch.testing.assert_close(attention(features)[0], pasted[:, 2:-2, 2:-2] / 6)


@torch.no_grad()
def test_cell() -> None:
    cell = distinct(create("csnln", "smoke")).cell
    features = images(1, 4, 6, 4)
    in_scale = cell.in_scale_enlarging(cell.in_scale(features))
    difference = cell.cross_scale(features) - in_scale
    joined = in_scale + difference + cell.branch_difference.body(difference)
    enlarged = joined + cell.error_enlarging(features - cell.reprojection(joined))
    following, output = cell(features)
    torch.testing.assert_close(output, enlarged)
    torch.testing.assert_close(following, cell.last(cell.halving(enlarged)))
    assert output.shape == (1, 4, 12, 8)


@pytest.mark.parametrize(("length", "pieces"), [(100, 62), (42, 32), (26, 24)])
def test_halves_overlap_and_are_even(length: int, pieces: int) -> None:
    """The authors' sizes: half, ten pixels more, and up to the next even number."""
    (first, left), (second, right) = _halves(length, overlap=10)
    assert first == (0, pieces)
    assert second == (length - pieces, length)
    assert left == (0, length // 2)
    assert right == (length // 2, length)


@pytest.mark.parametrize("length", [2, 20, 24])
def test_short_sides_stay_whole(length: int) -> None:
    assert _halves(length, overlap=10) == [((0, length), (0, length))]


@torch.no_grad()
def test_large_images_are_restored_in_pieces() -> None:
    torch.manual_seed(0)
    method = distinct(create("csnln", "smoke", chop_pixels=1600, chop_overlap=6))
    image = images(1, 3, 44, 50)
    side = SideInformation()
    restored = method.restore(image, side)
    top, bottom = image[:, :, :30], image[:, :, 14:]
    quarters = [
        (method(top[..., :32], side)[..., :44, :50], (slice(0, 44), slice(0, 50))),
        (method(top[..., 18:], side)[..., :44, 14:], (slice(0, 44), slice(50, 100))),
        (method(bottom[..., :32], side)[..., 16:, :50], (slice(44, 88), slice(0, 50))),
        (method(bottom[..., 18:], side)[..., 16:, 14:], (slice(44, 88), slice(50, 100))),
    ]
    for quarter, (rows, columns) in quarters:
        assert torch.equal(restored[..., rows, columns], quarter)
    in_one_piece = create("csnln", "smoke", chop_pixels=10**6).eval()
    in_one_piece.load_state_dict(method.state_dict())
    whole = in_one_piece.restore(image)
    assert (restored - whole).abs().max() > 1e-4
    assert torch.equal(method.train()(image, side), whole)


@torch.no_grad()
def test_narrow_images_are_cut_along_one_side() -> None:
    method = distinct(create("csnln", "smoke", chop_pixels=400))
    image = images(1, 3, 8, 120)
    restored = method.restore(image)
    assert restored.shape == (1, 3, 16, 240)
    assert torch.isfinite(restored).all()


def test_authors_checkpoint_comes_back_as_the_same_function(tmp_path) -> None:
    original = distinct(create("csnln", "smoke"))
    state = {}
    for key, value in original.state_dict().items():
        part = next((ours for ours in NAMES if key.startswith(f"{ours}.")), "")
        state[NAMES.get(part, "") + key.removeprefix(part)] = value
    state["SEM.multi_source_projection.up_attention.escape_NaN"] = torch.tensor([1e-4])
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    loaded = load_official("csnln", path, "smoke")
    image = images(1, 3, 10, 8)
    with torch.no_grad():
        assert torch.equal(loaded.restore(image), original.restore(image))
