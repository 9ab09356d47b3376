"""How D is used, how alike its vectors are, whether it settles: against closed cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ndr.study.vectors_of_d import (
    random_similarity,
    settled,
    settling_rows,
    vector_similarity,
    vector_usage,
)


def test_even_use_and_use_of_one_vector() -> None:
    even = vector_usage(np.full((6, 8), 1 / 8), np.full(6, math.log(8)))
    assert even["entropy"].value == pytest.approx(1)
    assert even["effective_vectors"].value == pytest.approx(8)
    assert even["pixel_entropy"].value == pytest.approx(1)
    one = np.zeros((6, 8))
    one[:, 3] = 1
    single = vector_usage(one, np.zeros(6))
    assert single["entropy"].value == pytest.approx(0)
    assert single["effective_vectors"].value == pytest.approx(1)


def test_each_view_its_own_vector_is_even_use() -> None:
    usage = vector_usage(np.eye(4), np.zeros(4))
    assert usage["effective_vectors"].value == pytest.approx(4)
    assert usage["pixel_entropy"].value == 0


def test_a_single_vector_has_nothing_to_choose() -> None:
    usage = vector_usage(np.ones((3, 1)), np.zeros(3))
    assert usage["entropy"].value is None
    assert usage["effective_vectors"].value == 1
    assert vector_similarity(np.ones((1, 4))).mean.value is None
    assert random_similarity(1, 4, 9).mean.value is None


def test_similarity_of_known_vectors() -> None:
    found = vector_similarity(np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 3.0]]))
    assert found.largest.value == pytest.approx(1)  # opposite vectors are alike
    assert found.mean.value == pytest.approx(1 / 3)
    assert found.mean.n == 3


def test_similarity_of_random_vectors_follows_their_length() -> None:
    """|cos| of normal vectors of M numbers has the mean sqrt(2 / (pi M)) for large M."""
    found = random_similarity(16, 128, suite_seed=9)
    assert found.mean.value == pytest.approx(math.sqrt(2 / (math.pi * 128)), rel=0.02)
    assert found == random_similarity(16, 128, suite_seed=9)
    assert found != random_similarity(16, 128, suite_seed=10)


def test_a_steady_direction_keeps_its_change_per_learning_rate() -> None:
    steps = [0, 1, 10, 100]
    rates = [0.5 / (1 + step) for step in range(100)]
    # D is so long that its norm hardly changes.
    history = np.array([[[1e6, sum(rates[:step])]] for step in steps])
    rows = settling_rows(steps, history, lambda step: rates[step])
    assert [row.scaled for row in rows] == pytest.approx([1e-6] * 3, rel=1e-6)
    assert rows[-1].change_per_step < rows[0].change_per_step / 10
    assert rows[-1].learning_rate == pytest.approx(sum(rates[10:]) / 90)


def test_a_random_walk_keeps_its_change_against_a_random_walk() -> None:
    generator = np.random.default_rng(5)
    steps = [0, 1, 10, 100, 1000]
    path = np.cumsum(1e-3 * generator.normal(size=(1000, 20000)), axis=0)
    positions = np.concatenate([np.zeros((1, 20000)), path])[steps]
    history = (positions + 100)[:, None, :]
    rows = settling_rows(steps, history, lambda step: 1e-3)
    assert [row.walk for row in rows] == pytest.approx([rows[0].walk] * 4, rel=0.03)
    assert rows[-1].scaled < rows[0].scaled / 20


def test_fewer_than_two_snapshots() -> None:
    assert settling_rows([], np.zeros((0,)), lambda step: 1.0) == ()
    assert settling_rows([0], np.ones((1, 2, 2)), lambda step: 1.0) == ()
    with pytest.raises(ValueError, match="a D per step"):
        settling_rows([0, 1], np.ones((1, 2, 2)), lambda step: 1.0)


def followed(speeds: list[float], vectors: int = 12) -> np.ndarray:
    """A long D whose vectors move in one direction, so much per step."""
    path = np.concatenate([[0.0], np.cumsum(speeds)])
    return 1e6 + path[:, None, None] + np.zeros((len(path), vectors, 3))


def test_what_keeps_its_speed_does_not_settle() -> None:
    steps = list(range(9))
    steady = settled(steps, followed([1.0] * 8), lambda step: 0.1)
    assert steady.scaled.value == pytest.approx(1.0, rel=1e-4)
    assert steady.scaled.interval == pytest.approx((1.0, 1.0), rel=1e-4)
    slower = settled(steps, followed([1.0] * 4 + [0.25] * 4), lambda step: 0.1)
    assert slower.scaled.value == pytest.approx(0.25, rel=1e-4)
    # It is the rate that falls: D goes on as before.
    rates = [1.0] * 4 + [0.25] * 4
    kept = settled(steps, followed([1.0] * 4 + [0.25] * 4), lambda step: rates[step])
    assert kept.scaled.value == pytest.approx(1.0, rel=1e-4)
    assert kept.walk.value == pytest.approx(1.0, rel=1e-4)


def test_vectors_that_differ_widen_the_interval() -> None:
    history = followed([1.0] * 8)
    history[:, :4] = followed([1.0] * 4 + [0.1] * 4)[:, :4]
    found = settled(list(range(9)), history, lambda step: 0.1).scaled
    assert found.value == pytest.approx(0.7, rel=1e-4)
    assert found.interval is not None
    assert found.interval[0] < 0.6
    assert found.interval[1] > 0.8
    few = settled(list(range(9)), history[:, :5], lambda step: 0.1).scaled
    assert few.interval is None


def test_few_snapshots_do_not_say_whether_d_settles() -> None:
    found = settled([0, 1, 2, 3], followed([1.0] * 3), lambda step: 0.1)
    assert found.scaled.reason == "3 changes between snapshots; 4 are needed"
    still = settled(list(range(5)), followed([0.0] * 4), lambda step: 0.1)
    assert "does not change" in still.walk.reason


def test_use_of_vectors_has_an_interval_over_pictures() -> None:
    pictures = [f"p{index}" for index in range(8)]
    alike = vector_usage(np.full((8, 4), 0.25), np.zeros(8), pictures)["effective_vectors"]
    assert alike.interval == pytest.approx((4.0, 4.0))
    own = vector_usage(np.eye(4)[np.arange(8) % 4], np.zeros(8), pictures)["effective_vectors"]
    assert own.interval is not None
    assert own.interval[0] < 3.5
    assert vector_usage(np.eye(4), np.zeros(4), pictures[:4])["effective_vectors"].interval is None


def test_random_vectors_have_a_range() -> None:
    found = random_similarity(16, 128, suite_seed=9).mean
    assert found.value is not None
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
