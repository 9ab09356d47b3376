"""Numbers of the literature, reached by the suite's own reading, noise, loading and metrics.

All of them: `pytest tests/evaluation/test_published_numbers.py`. Without the slow ones:
`-m "not slow"`.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from ndr.data.catalogue import load_catalogue
from ndr.data.pairs import PairedSet
from ndr.data.prepare import Places, prepare_set
from ndr.evaluation.degraded_images import PreparedSets
from ndr.evaluation.loaded_method import load_method
from ndr.evaluation.scoring import evaluate
from ndr.metrics.full_reference import psnr
from ndr.metrics.protocol import PROTOCOLS, luma
from ndr.records.per_image import ImageScore
from ndr.registry import method_arguments
from ndr.specs.run_spec import EvaluationSpec, NoiseSpec, TestSetSpec
from tests.conftest import REPOSITORY

CATALOGUE = REPOSITORY / "config" / "datasets.yaml"
RAIN100L_PAIRS = 100
"""Pairs behind the mean that the deraining literature prints for the rainy inputs: 26.90 dB."""


@pytest.fixture(scope="module")
def sets(shared_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CBSD68, and as much of Rain100L as there is, prepared from the shared folder."""
    folder = tmp_path_factory.mktemp("sets")
    catalogue = load_catalogue(CATALOGUE)
    places = Places(folder, folder / "none", (shared_folder / "data",))
    for name in ("cbsd68", "rain100l_test"):
        prepare_set(catalogue, name, places, suite_seed=9, partial=True)
    return folder


def identity(name: str) -> str:
    return load_catalogue(CATALOGUE).identity(name, suite_seed=9)


def scores(
    method: str, test_set: TestSetSpec, protocols: tuple[str, ...], sets: Path, **weights: Path
) -> tuple[tuple[ImageScore, ...], tuple[int, int]]:
    spec = EvaluationSpec(
        tier="paper",
        run=f"{method}__published__seed_0",
        method=method,
        arguments=method_arguments(method, "paper", {}),
        training_sha256=None,
        test_sets=(test_set,),
        protocols=protocols,
        suite_seed=9,
        cpu_threads=2,
        pictures=0,
    )
    result = evaluate(
        spec, load_method(spec, **weights), PreparedSets(sets, [spec]), sets / "pictures"
    )
    return result.scores, result.images[test_set.name]


def values(found: tuple[ImageScore, ...], protocol: str, metric: str) -> dict[str, float]:
    return {s.image: s.value for s in found if (s.protocol, s.metric) == (protocol, metric)}


@pytest.mark.parametrize(
    ("sigma", "decibels", "similarity"),
    [
        pytest.param(15, 33.879, 0.9290, marks=pytest.mark.slow),
        (25, 31.220, 0.8821),
        pytest.param(50, 27.974, 0.7887, marks=pytest.mark.slow),
    ],
)
def test_ffdnet_of_its_authors_on_cbsd68(
    sigma: int, decibels: float, similarity: float, sets: Path, shared_folder: Path
) -> None:
    """Table I prints 33.87 / 31.21 / 27.96 dB and SSIM 0.9290 / 0.8821 / 0.7887.

    This proves at once that images are read, noise is drawn, weights are loaded and metrics are
    computed as the authors did: unclipped noise that starts anew for each image, output in 8 bits.
    """
    noise = NoiseSpec((float(sigma),), "float_noclip", "zero_per_image")
    test_set = TestSetSpec(f"cbsd68_sigma{sigma}", "noise", "cbsd68", identity("cbsd68"), noise)
    weights = shared_folder / "weights" / "ffdnet_color.pth"
    found, images = scores("ffdnet", test_set, ("rgb_uint8",), sets, official_weights=weights)
    assert images == (68, 68)
    by_name = values(found, "rgb_uint8", "PSNR")
    assert np.mean(list(by_name.values())) == pytest.approx(decibels, abs=0.003)
    found_similarity = list(values(found, "rgb_uint8", "SSIM").values())
    assert np.mean(found_similarity) == pytest.approx(similarity, abs=0.0001)
    if sigma == 25:
        for name, expected in {"101085": 28.144, "101087": 32.230, "102061": 32.125}.items():
            assert by_name[name] == pytest.approx(expected, abs=0.001), name


def test_rainy_inputs_of_rain100l(sets: Path) -> None:
    """The control `identity` on all 100 pairs."""
    count = len(PairedSet(sets, "rain100l_test"))
    if count < RAIN100L_PAIRS:
        pytest.skip(f"the published mean is over {RAIN100L_PAIRS} pairs, {count} are here")
    test_set = TestSetSpec("rain100l", "rain", "rain100l_test", identity("rain100l_test"))
    found, _ = scores("identity", test_set, ("restormer_y",), sets)
    luma_psnr = list(values(found, "restormer_y", "PSNR").values())
    assert np.mean(luma_psnr) == pytest.approx(26.90, abs=0.005)


def test_rain_is_grey_so_luma_adds_the_gap(sets: Path) -> None:
    """Streaks add the same to R, G and B, so luma gains 20 log10(255 / 219) = 1.32 dB.

    Exactly so over the pixels where no channel is saturated, and about so over all of them.
    """
    gap = 20 * math.log10(255 / 219)
    pairs = PairedSet(sets, "rain100l_test")
    whole = []
    for index in range(len(pairs)):
        pair = pairs.read(index)
        assert pair.degraded is not None
        inside = (np.rint(pair.degraded * 255) < 255).all(axis=-1)
        rgb = psnr(pair.degraded[inside], pair.clean[inside])
        on_luma = psnr(luma(pair.degraded)[inside], luma(pair.clean)[inside], peak=255)
        assert on_luma - rgb == pytest.approx(gap, abs=1e-4), pair.name
        views = [
            [PROTOCOLS[name].view(image) for image in (pair.degraded, pair.clean)]
            for name in ("restormer_y", "rgb_uint8")
        ]
        whole.append(psnr(*views[0]) - psnr(*views[1]))
    assert np.median(whole) == pytest.approx(gap, abs=0.05)
