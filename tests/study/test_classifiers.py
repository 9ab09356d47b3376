"""Can S name the degradation, how much of its variance is it: on designs with a known answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ndr.records.representation import mean_over_pictures, missing, single
from ndr.study.classifiers import (
    RIDGE,
    STATISTICS,
    accuracy_over_pictures,
    explained_variance,
    image_statistics,
    predicted_classes,
)

PICTURES = tuple(name for name in "abcdef" for _ in range(2))


def test_classes_that_do_not_overlap_are_named_without_error() -> None:
    generator = np.random.default_rng(0)
    features = {
        name: generator.normal(offset, 0.1, (12, 5))
        for name, offset in (("noise", -1.0), ("rain", 0.0), ("haze", 1.0))
    }
    # A score per class that is linear in one number cannot single out the middle of three.
    features["rain"][:, 0] += 3
    found = accuracy_over_pictures(features, PICTURES)
    assert found.value == 1.0
    assert found.n == 36
    assert found.pictures == dict.fromkeys("abcdef", 1.0)


def test_equal_features_are_named_by_chance() -> None:
    rows = np.random.default_rng(1).normal(size=(12, 5))
    found = accuracy_over_pictures({"noise": rows, "rain": rows.copy()}, PICTURES)
    assert found.value == 0.5


def test_a_picture_that_is_tested_is_not_learned_from() -> None:
    # The picture alone decides the number, and in a different way for each of them: a classifier
    # that saw the tested picture would be right, one that did not is wrong each time.
    base = {"a": 0.0, "b": 10.0, "c": 20.0, "d": 30.0}
    flip = {"a": 1, "b": -1, "c": 1, "d": -1}
    pictures = tuple(base)
    noise = np.array([[base[p] + flip[p]] for p in pictures])
    rain = np.array([[base[p] - flip[p]] for p in pictures])
    found = accuracy_over_pictures({"noise": noise, "rain": rain}, pictures)
    assert found.value is not None
    assert found.value <= 0.5


def test_too_few_pictures_are_told() -> None:
    found = accuracy_over_pictures({"a": np.zeros((2, 1)), "b": np.ones((2, 1))}, ("x", "y"))
    assert found.value is None
    assert "at least 3 pictures" in found.reason
    assert "found 2" in found.reason


@pytest.mark.parametrize("classes", [2, 3])
def test_the_classifier_is_that_of_scikit_learn(classes: int) -> None:
    from sklearn.linear_model import RidgeClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    generator = np.random.default_rng(classes)
    labels = [f"class {number % classes}" for number in range(40)]
    offsets = np.array([[number % classes] for number in range(40)])
    train = generator.normal(size=(40, 7)) + 0.7 * offsets
    test = generator.normal(size=(60, 7)) + 0.7
    theirs = make_pipeline(StandardScaler(), RidgeClassifier(alpha=RIDGE)).fit(train, labels)
    assert predicted_classes(train, labels, test) == theirs.predict(test).tolist()
    assert len(set(predicted_classes(train, labels, test))) == classes


def test_constant_numbers_say_nothing() -> None:
    train = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 5.0], [0.1, 6.0]])
    labels = ["low", "low", "high", "high"]
    assert predicted_classes(train, labels, np.array([[99.0, 1.5], [-99.0, 5.5]])) == [
        "low",
        "high",
    ]


def test_variance_of_the_type_alone_and_of_the_view_alone() -> None:
    types = {"noise": np.full((4, 3), 0.0), "rain": np.full((4, 3), 2.0)}
    assert [share.value for share in explained_variance(types)] == [1.0, 0.0, 1.0]
    views = np.arange(12.0).reshape(4, 3)
    found = explained_variance({"noise": views, "rain": views})
    assert [share.value for share in found] == [0.0, 1.0, -1.0]


def test_variance_against_a_literal_loop() -> None:
    values = np.random.default_rng(3).normal(size=(3, 5, 2))
    degradation, picture, lead = explained_variance(dict(zip("abc", values, strict=True)))
    total = by_type = by_view = 0.0
    for f in range(2):
        grand = values[..., f].mean()
        for t in range(3):
            for v in range(5):
                total += (values[t, v, f] - grand) ** 2
                by_type += (values[t, :, f].mean() - grand) ** 2
                by_view += (values[:, v, f].mean() - grand) ** 2
    assert degradation.value == pytest.approx(by_type / total)
    assert picture.value == pytest.approx(by_view / total)
    assert lead.value == pytest.approx((by_type - by_view) / total)
    assert lead.interval is None


def test_shares_have_intervals_over_pictures() -> None:
    """Pictures that all say the same leave no doubt; those that do not, leave one."""
    pictures = [f"p{index // 2}" for index in range(16)]
    levels = np.linspace(0.0, 1.0, 16)[:, None]
    steady = explained_variance({"a": levels, "b": levels + 5.0}, pictures)[2]
    assert steady.value is not None
    assert steady.interval is not None
    assert 0.5 < steady.interval[0] < steady.value <= steady.interval[1] <= 1.0
    moved = np.where(np.arange(16) < 8, 1.0, -1.0)[:, None]
    doubtful = explained_variance({"a": levels, "b": levels + moved}, pictures)[2]
    assert doubtful.interval is not None
    assert doubtful.interval[1] - doubtful.interval[0] > 0.2
    few = explained_variance({"a": levels[:8], "b": levels[:8] + 5.0}, pictures[:8])[2]
    assert few.interval is None


def test_units_count_only_where_they_are_not_evened_out() -> None:
    design = {
        "a": np.array([[0.0, 0.0], [0.0, 1.0]]),
        "b": np.array([[1000.0, 0.0], [1000.0, 1.0]]),
    }
    assert explained_variance(design)[0].value > 0.99
    assert explained_variance(design, standardise=True)[0].value == pytest.approx(0.5)


def test_nothing_varies() -> None:
    degradation, picture, _ = explained_variance({"a": np.ones((3, 2)), "b": np.ones((3, 2))})
    assert degradation.value is None
    assert picture.reason == "nothing varies"


def test_pictures_with_more_values_count_no_more() -> None:
    found = mean_over_pictures([0.0, 0.0, 0.0, 1.0], ["a", "a", "a", "b"])
    assert (found.value, found.n) == (0.5, 4)
    with pytest.raises(ValueError, match="expected 2 values"):
        mean_over_pictures([1.0], ["a", "b"])
    assert mean_over_pictures([math.nan], ["a"]).value is None
    assert single(math.inf, 3).reason.startswith("the number is not defined")
    assert missing("no").n == 0


def test_statistics_of_known_images() -> None:
    ramp = np.broadcast_to(np.arange(9.0)[None, :, None], (7, 9, 3))
    numbers = dict(zip(STATISTICS, image_statistics(ramp), strict=True))
    assert numbers["mean"] == 4
    assert numbers["mean absolute horizontal difference"] == 1
    assert numbers["mean absolute vertical difference"] == 0
    assert numbers["mean range of the three channels"] == 0
    assert numbers["mean absolute Laplacian (Immerkaer's noise estimate)"] == 0
    noise = np.repeat(np.random.default_rng(0).normal(0, 0.1, (200, 200, 1)), 3, axis=2)
    numbers = dict(zip(STATISTICS, image_statistics(noise), strict=True))
    assert numbers["mean absolute Laplacian (Immerkaer's noise estimate)"] == pytest.approx(
        0.1, rel=0.02
    )
    assert numbers["kurtosis of horizontal differences"] == pytest.approx(3, rel=0.05)
    assert abs(numbers["correlation of neighbouring pixels"]) < 0.02
    assert np.isfinite(image_statistics(np.zeros((5, 5, 3)))).all()
    with pytest.raises(ValueError, match="expected an image"):
        image_statistics(np.zeros((2, 5, 3)))
