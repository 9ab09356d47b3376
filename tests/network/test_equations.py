"""Each module of the variant `equations` against Eq. 1 to 7, written as loops over scalars."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from ndr.network.degradation_injection import CPConvolution, DegradationInjection
from ndr.network.degradation_query import DegradationQuery
from ndr.network.variant import VARIANTS

EQUATIONS = VARIANTS["equations"]
HEIGHT, WIDTH, CHANNELS, M, N, K = 3, 4, 2, 5, 3, 2
TOLERANCE = 1e-5


def pixel_convolution(layer: nn.Conv2d, pixel: list[float]) -> list[float]:
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    return [
        bias[o] + sum(weight[o][i][0][0] * pixel[i] for i in range(len(pixel)))
        for o in range(len(weight))
    ]


def projection(layer: nn.Linear, vector: list[float]) -> list[float]:
    weight, bias = layer.weight.tolist(), layer.bias.tolist()
    return [
        1 / (1 + math.exp(-(bias[o] + sum(weight[o][i] * vector[i] for i in range(len(vector))))))
        for o in range(len(weight))
    ]


def pixel_of(features: Tensor, row: int, column: int) -> list[float]:
    return [features[0, c, row, column].item() for c in range(features.shape[1])]


def mean_over(features: Tensor, rows: range, columns: range) -> list[float]:
    return [
        sum(features[0, c, i, j].item() for i in rows for j in columns) / (len(rows) * len(columns))
        for c in range(features.shape[1])
    ]


def loop_affinity(query: DegradationQuery, features: Tensor, vectors: Tensor) -> Tensor:
    """Eq. 1 and 2: F_m = conv(F); S = softmax over n of sum over m of F_m[m] D[m, n]."""
    affinity = torch.zeros(1, N, HEIGHT, WIDTH)
    for i in range(HEIGHT):
        for j in range(WIDTH):
            mapped = pixel_convolution(query.mapping[0], pixel_of(features, i, j))
            products = [sum(mapped[m] * vectors[n, m].item() for m in range(M)) for n in range(N)]
            total = sum(math.exp(product) for product in products)
            for n in range(N):
                affinity[0, n, i, j] = math.exp(products[n]) / total
    return affinity


def loop_degradation(query: DegradationQuery, affinity: Tensor, vectors: Tensor) -> Tensor:
    """Eq. 3: U = conv(sum over n of S[n] D[n])."""
    degradation = torch.zeros(1, CHANNELS, HEIGHT, WIDTH)
    for i in range(HEIGHT):
        for j in range(WIDTH):
            explained = [
                sum(affinity[0, n, i, j].item() * vectors[n, m].item() for n in range(N))
                for m in range(M)
            ]
            for c, value in enumerate(pixel_convolution(query.projection[0], explained)):
                degradation[0, c, i, j] = value
    return degradation


def loop_cube(cp: CPConvolution, features: Tensor) -> Tensor:
    """Eq. 4 to 6: mean over k of a_k[c] b_k[i] c_k[j]."""
    channels = features.shape[1]
    rows, columns = range(HEIGHT), range(WIDTH)
    along_channels = projection(cp.channel_projection, mean_over(features, rows, columns))
    along_height = [
        projection(cp.height_projection, mean_over(features, range(i, i + 1), columns))
        for i in rows
    ]
    along_width = [
        projection(cp.width_projection, mean_over(features, rows, range(j, j + 1))) for j in columns
    ]
    cube = torch.zeros(1, channels, HEIGHT, WIDTH)
    for c in range(channels):
        for i in rows:
            for j in columns:
                products = [
                    along_channels[k * channels + c] * along_height[i][k] * along_width[j][k]
                    for k in range(cp.rank)
                ]
                cube[0, c, i, j] = sum(products) / cp.rank
    return cube


@pytest.fixture
def features() -> Tensor:
    return torch.randn(1, CHANNELS, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def vectors() -> Tensor:
    return torch.randn(N, M, generator=torch.Generator().manual_seed(2))


def randomised(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return module


def difference(found: Tensor, expected: Tensor) -> float:
    assert found.shape == expected.shape
    return (found - expected).abs().max().item()


def test_affinity_is_equations_1_and_2(features: Tensor, vectors: Tensor) -> None:
    query = randomised(DegradationQuery(CHANNELS, CHANNELS, M, EQUATIONS))
    assert difference(
        query.affinity(features, vectors), loop_affinity(query, features, vectors)
    ) < (TOLERANCE)


def test_query_is_equations_1_to_3(features: Tensor, vectors: Tensor) -> None:
    query = randomised(DegradationQuery(CHANNELS, CHANNELS, M, EQUATIONS))
    expected = loop_degradation(query, loop_affinity(query, features, vectors), vectors)
    assert difference(query(features, vectors), expected) < TOLERANCE
    assert expected.std() > 0.1  # the input matters


def test_cp_convolution_is_equations_4_to_6(features: Tensor) -> None:
    cp = randomised(CPConvolution(CHANNELS, K, EQUATIONS))
    expected = loop_cube(cp, features)
    assert difference(cp(features), expected) < TOLERANCE
    assert expected.std() > 0.01


def test_injection_is_equation_7(features: Tensor) -> None:
    injection = randomised(DegradationInjection(CHANNELS, CHANNELS, K, EQUATIONS, residuals=1))
    degradation = torch.randn(features.shape, generator=torch.Generator().manual_seed(4))
    feature_cube = loop_cube(injection.feature_cp, features)
    degradation_cube = loop_cube(injection.degradation_cp, degradation)
    expected = torch.zeros_like(features)
    for c in range(CHANNELS):
        for i in range(HEIGHT):
            for j in range(WIDTH):
                scaled = feature_cube[0, c, i, j] * degradation_cube[0, c, i, j]
                shifted = scaled + degradation_cube[0, c, i, j]
                expected[0, c, i, j] = shifted + features[0, c, i, j]
    assert difference(injection(features, degradation), expected) < TOLERANCE


def test_cp_convolution_has_no_more_than_rank_k(features: Tensor) -> None:
    cp = randomised(CPConvolution(6, 2, EQUATIONS))
    cube = cp(torch.randn(1, 6, 5, 7, generator=torch.Generator().manual_seed(5)))[0]
    for axis in range(3):
        unfolded = cube.movedim(axis, 0).flatten(1)
        assert torch.linalg.matrix_rank(unfolded, rtol=1e-5) <= 2


@pytest.mark.parametrize(("variant", "residual"), [("first_release", 1), ("current_release", 0)])
def test_releases_multiply_the_input_by_the_cube(
    features: Tensor, variant: str, residual: int
) -> None:
    cp = randomised(CPConvolution(CHANNELS, K, VARIANTS[variant]))
    expected = features * loop_cube(cp, features) + residual * features
    assert difference(cp(features), expected) < TOLERANCE


@pytest.mark.parametrize("variant", ["first_release", "current_release"])
@pytest.mark.parametrize("residuals", [0, 1, 2])
def test_releases_inject_by_learned_scale_and_shift(
    features: Tensor, variant: str, residuals: int
) -> None:
    injection = randomised(
        DegradationInjection(CHANNELS, 3, K, VARIANTS[variant], residuals=residuals)
    )
    degradation = torch.randn(1, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(4))
    mixed = torch.zeros(1, 3, HEIGHT, WIDTH)
    for i in range(HEIGHT):
        for j in range(WIDTH):
            mixed[0, :, i, j] = torch.tensor(
                pixel_convolution(injection.mixing, pixel_of(degradation, i, j))
            )
    seen = mixed * (loop_cube(injection.degradation_cp, mixed) + (variant == "first_release"))
    cube = loop_cube(injection.feature_cp, features) + (variant == "first_release")
    expected = torch.zeros_like(features)
    for i in range(HEIGHT):
        for j in range(WIDTH):
            affine = pixel_convolution(injection.scale_and_shift, pixel_of(seen, i, j))
            for c in range(CHANNELS):
                feature = features[0, c, i, j]
                scaled = affine[c] * feature * cube[0, c, i, j]
                expected[0, c, i, j] = scaled + affine[CHANNELS + c] + residuals * feature
    assert difference(injection(features, degradation), expected) < TOLERANCE


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_folding_the_vectors_changes_neither_answer_nor_gradients(
    features: Tensor, vectors: Tensor, variant: str
) -> None:
    query = randomised(DegradationQuery(CHANNELS, 3, M, VARIANTS[variant])).double()
    found = []
    for answer in (query.forward, query.as_written):
        inputs = [each.double().requires_grad_() for each in (features, vectors)]
        degradation = answer(*inputs)
        loss = (degradation * torch.arange(degradation.numel()).reshape_as(degradation)).sum()
        gradients = torch.autograd.grad(loss, [*inputs, *query.parameters()])
        found.append([degradation, *gradients])
    for folded, written in zip(*found, strict=True):
        assert torch.allclose(folded, written, rtol=1e-9, atol=1e-9)
    assert found[0][0].std() > 0.1


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_affinity_is_what_the_query_uses(features: Tensor, vectors: Tensor, variant: str) -> None:
    query = randomised(DegradationQuery(CHANNELS, 3, M, VARIANTS[variant]))
    affinity = query.affinity(features, vectors)
    assert torch.allclose(affinity.sum(dim=1), torch.ones(1, HEIGHT, WIDTH), atol=1e-6)
    explained = torch.einsum("bnhw,nm->bmhw", affinity, vectors)
    assert difference(query(features, vectors), query.projection(explained)) < TOLERANCE
