"""U in the restoration, doses, unseen degradations and edges, on networks whose U is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ndr.data.pairs import PairedSet
from ndr.registry import create
from ndr.study.clean_views import ALL_CONDITIONS, DOSES, UNSEEN, Views, dose_condition, make_views
from ndr.study.network_responses import edge_map, responses
from ndr.study.restoration_use import (
    FEEDS,
    RANDOM_D,
    doses,
    edge_correlations,
    rank_correlation,
    restored_views,
    unseen,
)
from tests.tiny_sets import write_tiny_set

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Views:
    folder = tmp_path_factory.mktemp("sets")
    write_tiny_set(folder, "photographs", 7, (70, 66))
    return make_views(PairedSet(folder, "photographs"), suite_seed=9)


class Knowing(nn.Module):
    """U is the image less grey (`image`), or nothing; what it restores with is U added to grey."""

    degradation = None

    def __init__(self, *, uses_u: bool) -> None:
        super().__init__()
        self.uses_u = uses_u
        self.only = nn.Parameter(torch.zeros(1))

    def figure_tensors(self, degraded: Tensor) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for level in (1, 2, 3):
            U = nn.functional.avg_pool2d(degraded, 2 ** (level - 1)) - 0.5
            tensors |= {
                f"affinity_{level}": torch.full((len(U), 4, *U.shape[-2:]), 0.25),
                f"degradation_{level}": U,
                f"features_{level}": torch.ones_like(U),
                f"injected_{level}": torch.ones_like(U),
            }
        return tensors

    def restore_given(self, degraded: Tensor, degradations: list[Tensor]) -> Tensor:
        return degradations[0] + 0.5 if self.uses_u else degraded


def test_doses_differ_in_strength_alone(views: Views) -> None:
    for kind, strengths in DOSES.items():
        distances = [
            float(np.abs(views.degraded[dose_condition(kind, each)] - views.reference).mean())
            for each in strengths
        ]
        # More rain is more streaks, drawn anew: on so few pixels not at every step.
        assert distances == sorted(distances) or (kind == "rain" and distances[0] < distances[-1])
    noise = [
        views.degraded[dose_condition("noise", sigma)] - views.reference for sigma in (5.0, 15.0)
    ]
    inside = (np.abs(views.reference - 0.5) < 0.2).ravel()
    together = np.corrcoef(noise[0].ravel()[inside], noise[1].ravel()[inside])
    assert together[0, 1] > 0.99  # the same draw, three times as strong


def test_unseen_degradations_are_none_of_the_types(views: Views) -> None:
    assert set(UNSEEN.values()) <= set(ALL_CONDITIONS)
    blurred = views.degraded["blur"]
    assert edges_of(blurred) < 0.9 * edges_of(views.reference)
    compressed = views.degraded["JPEG"]
    assert 0.001 < np.abs(compressed - views.reference).mean() < 0.1
    assert (views.degraded["clean"] == views.reference).all()


def edges_of(images: np.ndarray) -> float:
    return float(edge_map(torch.from_numpy(images).permute(0, 3, 1, 2)).mean())


def test_one_view_of_each_picture(views: Views) -> None:
    one = views.first_of_each()
    assert one.pictures == views.names
    assert (one.degraded["rain"][1] == views.degraded["rain"][views.per_picture]).all()


def test_edges_are_differences_of_neighbours() -> None:
    image = torch.zeros(1, 3, 4, 4)
    image[..., 2:] = 1.0
    edges = edge_map(image)[0, 0]
    assert edges[:, 1].tolist() == [1.0] * 4
    assert edges[:, (0, 2, 3)].sum() == 0


@pytest.mark.parametrize("uses_u", [True, False])
def test_what_the_restoration_loses_by_another_u(views: Views, uses_u: bool) -> None:
    network = Knowing(uses_u=uses_u)
    one = views.first_of_each()
    found = {name: responses(network, one, name, CPU) for name in ("noise", "rain", "haze")}
    with pytest.MonkeyPatch.context() as patch:
        # It has no D: random vectors in its place change nothing.
        patch.setattr("ndr.study.restoration_use.network_of", lambda method, run: method)
        patch.setattr(
            "ndr.study.restoration_use._with_random_vectors", lambda method, run, seed: method
        )
        # Over all types the outputs are the same, with U of another type only in another order.
        psnr = restored_views(network, "run", found, one, 9).by_type["noise"]
    own = psnr["own U"]
    assert own.value is not None
    assert psnr[RANDOM_D].value == own.value
    for feed in FEEDS[1:-1]:
        lost = own.value - psnr[feed].value
        assert (abs(lost) > 0.5) == uses_u, feed


def test_random_vectors_stand_in_for_d(views: Views) -> None:
    torch.manual_seed(0)
    method = create("ndr_restore", "smoke").eval().requires_grad_(False)
    for parameter in method.parameters():
        parameter.add_(0.02 * parameter.cos())
    before = {key: value.clone() for key, value in method.state_dict().items()}
    one = views.first_of_each()
    found = {name: responses(method, one, name, CPU) for name in ("noise", "rain", "haze")}
    restored = restored_views(method, "run", found, one, 9)
    assert restored.feeds == FEEDS
    assert restored.psnr[RANDOM_D].value != restored.psnr["own U"].value
    assert restored.by_type["rain"]["own U"].n == len(one.pictures)
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())


def test_ranks_say_whether_a_norm_rises() -> None:
    rising = np.array([[1.0, 2.0], [1.5, 1.0], [9.0, 0.0]])
    assert rank_correlation(rising).tolist() == [1.0, -1.0]


def test_the_norm_of_u_is_followed_over_doses(views: Views) -> None:
    rows = doses({"trained": Knowing(uses_u=True)}, views.first_of_each())
    assert [row.kind for row in rows] == ["noise", "rain", "haze"]
    noise = rows[0]
    assert noise.doses == DOSES["noise"]
    assert noise.U.value is not None
    assert noise.U.value > 0.9  # noise makes the image less grey
    assert noise.F.value is None  # constant


def test_gains_on_the_unseen(views: Views) -> None:
    rows = unseen(Knowing(uses_u=True), views.first_of_each())
    assert [row.kind for row in rows] == list(UNSEEN)
    for row in rows:
        assert row.restored.value == pytest.approx(row.degraded.value, abs=1e-3)
        assert row.without_u.value < row.degraded.value


def test_networks_that_enlarge_are_not_asked_of_the_unseen(tmp_path: Path) -> None:
    write_tiny_set(tmp_path, "many", 3, (40, 40))
    made = make_views(PairedSet(tmp_path, "many"), 9, scale=2)
    assert made.degraded["JPEG"].shape == made.degraded["clean"].shape == made.reference.shape
    assert (made.degraded["clean"] == made.reference).all()
    assert unseen(Knowing(uses_u=True), made) == ()
    other = make_views(PairedSet(tmp_path, "many"), 9, scale=2, x2_order="down_then_degrade")
    assert (other.degraded["blur"] != made.degraded["blur"]).any()


def test_edges_are_asked_of_degraded_and_of_clean_views(views: Views) -> None:
    one = views.first_of_each()
    network = Knowing(uses_u=True)
    conditions = ("noise", "rain", "haze", "clean")
    found = {"trained": {name: responses(network, one, name, CPU) for name in conditions}}
    rows = {row.condition: row for row in edge_correlations(found, one)}
    assert set(rows) == {"all", "clean"}
    assert rows["all"].U.n == 3 * len(one.pictures)
    assert rows["clean"].F.value is None
