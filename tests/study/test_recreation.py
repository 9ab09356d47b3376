"""Views, responses and NDR-Degrad's tests on made-up networks whose U is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ndr.data.pairs import PairedSet
from ndr.study import recreation
from ndr.study.clean_views import ALL_CONDITIONS, CONDITIONS, TYPES, Views, make_views
from ndr.study.network_responses import Responses, correlation, responses
from tests.tiny_sets import write_tiny_set

CPU = torch.device("cpu")
OWN, OTHER_PICTURE, OTHER_TYPE, SHUFFLED, ZEROS = recreation.FEEDS


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Views:
    folder = tmp_path_factory.mktemp("sets")
    write_tiny_set(folder, "photographs", 5, (70, 66))
    return make_views(PairedSet(folder, "photographs"), suite_seed=9)


class AddsU(nn.Module):
    """NDR-Degrad that adds U of level 1 to the clean view."""

    def forward(self, clean: Tensor, degradations: list[Tensor]) -> Tensor:
        return clean + degradations[0]


class Knowing:
    """A network that knows the clean views, so that its U can be the residual itself."""

    def __init__(self, views: Views, *, carry: str) -> None:
        self.degradation = AddsU()
        self.carry = carry
        self._clean = {
            views.degraded[name][index].tobytes(): (name, views.reference[index])
            for name in CONDITIONS
            for index in range(len(views.pictures))
        }

    def figure_tensors(self, degraded: Tensor) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        found = []
        for image in degraded:
            pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
            name, clean = self._clean[pixels.tobytes()]
            residual = torch.from_numpy(pixels - clean).permute(2, 0, 1)
            if self.carry == "type":  # a sign of the degradation, with nothing of the picture
                residual = torch.full_like(residual, 0.1 * TYPES.index(name))
            found.append(residual)
        U = torch.stack(found)
        for level in (1, 2, 3):
            small = F.interpolate(U, scale_factor=0.5 ** (level - 1), mode="area")
            ones = torch.full((len(U), 4, *small.shape[-2:]), 0.25)
            tensors |= {
                f"affinity_{level}": ones,
                f"degradation_{level}": small,
                f"features_{level}": torch.ones_like(small),
                f"injected_{level}": torch.ones_like(small) + small.abs(),
            }
        return tensors

    def degrade(self, clean: Tensor, degraded: Tensor) -> Tensor:
        raise NotImplementedError


def looked_at(network: Knowing, views: Views) -> dict[str, Responses]:
    return {name: responses(network, views, name, CPU) for name in TYPES}


def test_views_of_few_pictures(views: Views) -> None:
    assert views.names == tuple(f"scene{number}" for number in range(5))
    assert views.per_picture == 3
    assert views.side == 32
    assert views.clean.shape == views.reference.shape == (15, 32, 32, 3)
    assert np.shares_memory(views.clean, views.reference) or (views.clean == views.reference).all()
    assert set(views.degraded) == set(ALL_CONDITIONS)
    for name, degraded in views.degraded.items():
        assert degraded.shape == views.clean.shape
        assert (degraded != views.clean).any(axis=(1, 2, 3)).all() == (name != "clean")
    order = views.other_picture()
    assert all(views.pictures[i] != views.pictures[order[i]] for i in range(15))
    assert sorted(order) == list(range(15))


def test_views_of_many_pictures_and_of_half_the_size(tmp_path: Path) -> None:
    write_tiny_set(tmp_path, "many", 17, (36, 40))
    pairs = PairedSet(tmp_path, "many")
    made = make_views(pairs, 9, scale=2)
    assert made.per_picture == 1
    assert made.clean.shape == (17, 32, 32, 3)
    assert made.reference.shape == made.degraded["rain"].shape == (17, 16, 16, 3)
    # The clean view at the small size is the small view without degradation: nothing is shifted.
    means = made.clean.reshape(17, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    assert np.abs(means - made.reference).mean() < 0.02
    again = make_views(pairs, 9, scale=2)
    assert all((made.degraded[name] == again.degraded[name]).all() for name in CONDITIONS)
    assert (make_views(pairs, 8, scale=2).degraded["noise"] != made.degraded["noise"]).any()


def test_u_that_is_the_residual_carries_the_picture(views: Views) -> None:
    network = Knowing(views, carry="residual")
    found = looked_at(network, views)
    outputs = recreation.recreate_all(network, found, views, 9)
    psnr, by_type = recreation.measure_recreation(outputs, views)
    values = {feed: number.value for feed, number in psnr.items()}
    assert values[OWN] > 60
    assert values[ZEROS] == pytest.approx(values[recreation.CONTROL])
    assert max(values[OTHER_PICTURE], values[OTHER_TYPE], values[SHUFFLED]) < values[OWN] - 20
    assert psnr[OWN].n == 45
    assert by_type["rain"][OWN].n == 15
    # What is added is the real residual: the type can be named, wherever it comes from.
    own = recreation.swap_accuracy({n: outputs[n][OWN] for n in TYPES}, views, None)
    assert (
        own.value
        == recreation.swap_accuracy(
            {name: views.degraded[name].clip(0, 1) for name in TYPES}, views, None
        ).value
    )
    assert own.value > 0.8


def test_u_that_is_the_type_serves_any_picture(views: Views) -> None:
    network = Knowing(views, carry="type")
    found = looked_at(network, views)
    outputs = recreation.recreate_all(network, found, views, 9)
    values, _ = recreation.measure_recreation(outputs, views)
    assert values[OTHER_PICTURE].value == pytest.approx(values[OWN].value)
    assert values[SHUFFLED].value == pytest.approx(values[OWN].value)
    assert values[OTHER_TYPE].value != pytest.approx(values[OWN].value)


def test_the_swap_test_needs_pictures_to_learn_from(tmp_path: Path) -> None:
    write_tiny_set(tmp_path, "few", 3, (70, 66))
    few = make_views(PairedSet(tmp_path, "few"), 9)
    outputs = {name: few.degraded[name] for name in TYPES}
    found = recreation.swap_accuracy(outputs, few, few.other_picture())
    assert found.value is None
    assert found.reason == "the swap test needs at least 4 pictures, found 3"
    assert recreation.swap_accuracy(outputs, few, None).value is not None


def test_maps_of_the_residual_correlate_with_it(views: Views) -> None:
    found = responses(Knowing(views, carry="residual"), views, "rain", CPU)
    assert np.nanmin(found.correlation["change"][0]) > 0.9
    assert np.isnan(found.correlation["F"][0]).all()  # constant features have none
    assert found.affinity[0].shape == (15, 4)
    assert found.sharpness[2] == pytest.approx(np.log(4))


def test_correlation_against_numpy() -> None:
    generator = np.random.default_rng(0)
    one, two = generator.normal(size=(2, 3, 5, 7))
    expected = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(one, two, strict=True)]
    found = correlation(torch.from_numpy(one), torch.from_numpy(two))
    assert found == pytest.approx(expected)


def test_shuffling_moves_pixels_and_nothing_else() -> None:
    U = torch.arange(24.0).reshape(1, 2, 3, 4)
    (moved,) = recreation.shuffled_in_space([U], 9)
    assert not torch.equal(moved, U)
    assert torch.equal(moved.flatten().sort().values, U.flatten())
    assert torch.equal(moved[:, 1] - moved[:, 0], torch.full((1, 3, 4), 12.0))


def test_psnr_of_equal_images_stays_finite() -> None:
    image = np.full((1, 4, 4, 3), 0.5)
    assert recreation.psnr_of_each(image, image).tolist() == [recreation.LARGEST_PSNR]
