"""The evaluation of a run, through its functions and through the command."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ndr.checkpoint import write_checkpoint
from ndr.data.image_files import read_rgb
from ndr.data.pairs import PairedSet
from ndr.evaluate import main
from ndr.evaluation.degraded_images import EvaluationError
from ndr.evaluation.loaded_method import LoadedMethod, load_method
from ndr.evaluation.tiling import TileGrid, TilingError
from ndr.method import PRESETS, Method, MethodInfo, SideInformation, Tiling
from ndr.metrics.protocol import PROTOCOLS, protocol_versions
from ndr.nearest_name import UnknownNameError
from ndr.records.per_image import read_evaluation
from ndr.registry import create, method_class, method_names
from ndr.specs.run_spec import EvaluationSpec, NoiseSpec, TestSetSpec
from tests.conftest import REPOSITORY
from tests.evaluation.small_evaluations import RAIN, command, evaluated, evaluation_spec
from tests.run_headers import header, run_spec
from tests.tiny_sets import write_tiny_set

FOUR = ("ndr", "airnet", "restormer_y", "sr_y")
TRAINING = "ef" * 32
REAL_RAIN = replace(RAIN, name="real_rain", reference=False)
UNPREPARED_SO = TestSetSpec("rain", "rain", "rainy", "1" * 64)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_tiny_set(folder, "photographs", 3, (40, 36))
    write_tiny_set(folder, "rainy", 2, (40, 36), paired=True)
    write_tiny_set(folder, "halved", 3, (40, 36), paired=True, scale=2)
    return folder


def spec(method: str = "identity", **changes: Any) -> EvaluationSpec:
    test_sets = (
        TestSetSpec("noise_25", "noise", "photographs", "0" * 64, NoiseSpec((25.0,))),
        RAIN,
    )
    return evaluation_spec(method, **({"test_sets": test_sets, "protocols": FOUR} | changes))


class Doubling(Method):
    """Returns twice its input, or what a test asks for; counts its calls."""

    info = MethodInfo(
        "doubling",
        "Doubling",
        "none (test)",
        frozenset({"noise"}),
        {tier: {} for tier in PRESETS},
        tiling=Tiling.FORBIDDEN,
    )

    def __init__(self, output: Any = None) -> None:
        super().__init__()
        self.output = output
        self.calls: list[tuple[Tensor, SideInformation]] = []

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        self.calls.append((degraded, side))
        return 2 * degraded if self.output is None else self.output(degraded)


def test_one_row_per_image_protocol_and_metric(sets: Path, tmp_path: Path) -> None:
    result = evaluated(spec(), sets, tmp_path)
    keys = [(s.test_set, s.image, s.protocol, s.metric) for s in result.scores]
    assert keys == [
        (test_set, f"image{number}", protocol, metric)
        for test_set, count in (("noise_25", 3), ("rain", 2))
        for number in range(count)
        for protocol in FOUR
        for metric in ("PSNR", "SSIM")
    ]
    assert {score.run for score in result.scores} == {"identity__no_training__seed_0"}
    assert [s.scene for s in result.scores[:: 2 * len(FOUR)]] == [
        "scene0", "scene1", "scene2", "scene0", "scene1"
    ]  # fmt: skip
    assert result.images == {"noise_25": (3, 3), "rain": (2, 2)}
    assert result.grid is None
    assert result.seconds_per_megapixel > 0


def test_the_scores_are_those_of_the_restored_image(sets: Path, tmp_path: Path) -> None:
    result = evaluated(spec(), sets, tmp_path)
    pair = PairedSet(sets, "rainy").read(1)
    assert pair.degraded is not None
    for score in result.scores[-2 * len(FOUR) :]:
        expected = PROTOCOLS[score.protocol].compare(pair.degraded, pair.clean)
        assert score.value == expected[score.metric]


def test_the_oracle_is_perfect_and_identity_is_not(sets: Path, tmp_path: Path) -> None:
    for precision in ("fp32", "bf16"):
        perfect = evaluated(spec("oracle", precision=precision), sets, tmp_path / "oracle")
        assert {s.value for s in perfect.scores if s.metric == "PSNR"} == {math.inf}
        assert {s.value for s in perfect.scores if s.metric == "SSIM"} == {1.0}
    floor = evaluated(spec(), sets, tmp_path / "identity")
    assert all(s.value < (40 if s.metric == "PSNR" else 1) for s in floor.scores)


def test_pictures_are_the_restored_images_in_8_bits(sets: Path, tmp_path: Path) -> None:
    evaluated(spec(pictures=2, pictures_of=("rain",)), sets, tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")) == [
        "rain/image0.png",
        "rain/image1.png",
    ]
    for number in range(2):
        degraded = PairedSet(sets, "rainy").read(number).degraded
        assert degraded is not None
        picture = read_rgb(tmp_path / "rain" / f"image{number}.png")
        np.testing.assert_array_equal(picture, np.rint(degraded * 255))
    none = tmp_path / "none"
    evaluated(spec(pictures=0), sets, none)
    assert none.is_dir()
    assert list(none.iterdir()) == []


def loaded(method: Method) -> LoadedMethod:
    return LoadedMethod(method.eval(), "no_training", None)


def test_each_image_passes_the_method_once_and_blindly(sets: Path, tmp_path: Path) -> None:
    method = Doubling()
    evaluated(spec(), sets, tmp_path, loaded(method))
    assert len(method.calls) == 5
    for degraded, side in method.calls:
        assert degraded.shape == (1, 3, 40, 36)
        assert side.sigma is None
        assert side.clean is None


def test_test_sets_of_the_same_degraded_images_share_their_restoration(
    sets: Path, tmp_path: Path
) -> None:
    noise = NoiseSpec((25.0,))
    noisy = TestSetSpec("noise_25", "noise", "photographs", "0" * 64, noise)
    unreferenced = replace(noisy, name="real_noise", task="other", reference=False)
    different = [
        replace(noisy, name="other_level", noise=NoiseSpec((15.0,))),
        replace(noisy, name="cropped", crop=32, reference=False),
        replace(noisy, name="fewer", first_images=2),
    ]
    asked = (RAIN, unreferenced, *different, noisy, REAL_RAIN)
    method = Doubling()
    given = spec(test_sets=asked, pictures=1)
    result = evaluated(given, sets, tmp_path / "together", loaded(method))
    assert len(method.calls) == 2 + 3 + 3 + 3 + 2
    assert len({degraded.numpy().tobytes() for degraded, _ in method.calls}) == 2 + 3 * 3
    # The same numbers as those of each test set alone, and in the order of the spec.
    alone = []
    for test_set in asked:
        own = spec(test_sets=(test_set,), pictures=1)
        alone += evaluated(own, sets, tmp_path / "alone", loaded(Doubling())).scores
    assert list(result.scores) == alone
    assert list(result.images) == [test_set.name for test_set in asked]
    for path in (tmp_path / "alone").rglob("*.png"):
        same = tmp_path / "together" / path.relative_to(tmp_path / "alone")
        assert same.read_bytes() == path.read_bytes()
    assert len(list((tmp_path / "together").rglob("*.png"))) == len(asked)


def test_a_method_that_looks_at_the_truth_gets_each_test_set_by_itself(
    sets: Path, tmp_path: Path
) -> None:
    asked = (RAIN, REAL_RAIN)
    with pytest.raises(EvaluationError, match=r"'real_rain'.*needs the ground truth"):
        evaluated(spec("oracle", test_sets=asked), sets, tmp_path)


def test_side_information_reaches_the_methods_that_ask_for_it(sets: Path, tmp_path: Path) -> None:
    told: list[tuple[float | None, bool]] = []

    class Informed(Doubling):
        info = MethodInfo(
            "informed", "Informed", "none (test)", frozenset({"noise"}),
            {tier: {} for tier in PRESETS}, side_information=frozenset({"sigma", "clean"}),
        )  # fmt: skip

        def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
            assert side.clean is not None
            told.append((side.sigma, torch.equal(side.clean, degraded)))
            return degraded

    noise_only = spec(test_sets=spec().test_sets[:1])
    evaluated(noise_only, sets, tmp_path, loaded(Informed()))
    assert told == [(25.0, False)] * 3
    with pytest.raises(
        EvaluationError, match="informed needs the noise level, but test set 'rain'"
    ):
        evaluated(spec(), sets, tmp_path, loaded(Informed()))


def test_nan_names_run_set_and_image(sets: Path, tmp_path: Path) -> None:
    def spoil(degraded: Tensor) -> Tensor:
        restored = degraded.clone()
        restored[0, 1, 2, 3] = torch.nan
        return restored

    with pytest.raises(EvaluationError) as caught:
        evaluated(spec(), sets, tmp_path, loaded(Doubling(spoil)))
    for part in ("identity__no_training__seed_0", "'noise_25'", "'image0'", "1 of 4320"):
        assert part in str(caught.value)


def test_wrong_sizes_and_names_are_refused(sets: Path, tmp_path: Path) -> None:
    smaller = Doubling(lambda degraded: degraded[..., 1:])
    with pytest.raises(EvaluationError, match=r"image 'image0': expected an output of shape \(40"):
        evaluated(spec(), sets, tmp_path, loaded(smaller))
    with pytest.raises(UnknownNameError, match="did you mean 'airnet'"):
        evaluated(spec(protocols=("airnets",)), sets, tmp_path)
    with pytest.raises(UnknownNameError, match="did you mean 'rain'"):
        evaluated(spec(pictures_of=("rainn",)), sets, tmp_path)
    with pytest.raises(TilingError, match="doubling needs the whole image"):
        evaluated(spec(tile=32, tile_overlap=8), sets, tmp_path, loaded(Doubling()))


def test_tiles_are_recorded(sets: Path, tmp_path: Path) -> None:
    whole = evaluated(spec(), sets, tmp_path)
    tiled = evaluated(spec(tile=24, tile_overlap=8), sets, tmp_path)
    assert tiled.grid == TileGrid(24, 8, "supported")
    for one, other in zip(whole.scores, tiled.scores, strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-4)


def test_threads_and_gradients_are_left_as_they_were(sets: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    evaluated(spec(cpu_threads=threads + 1), sets, tmp_path)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in method_names()
        if not method_class(name).info.slow and not method_class(name).restores_together
    ],
)
def test_every_method_can_be_evaluated(name: str, sets: Path, tmp_path: Path) -> None:
    """In the layout that evaluation uses (channels last), and with the numbers of the plain one."""
    info = create(name, "smoke").info
    test_sets = spec().test_sets[:1]
    if info.scale == 2:
        test_sets = (TestSetSpec("x2", "down_x2", "halved", "0" * 64),)
    given = spec(name, test_sets=test_sets, training_sha256=TRAINING if info.trainable else None)
    checkpoint = None
    if info.trainable:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            method = create(name, "smoke").eval()
        checkpoint = tmp_path / "checkpoint.safetensors"
        write_checkpoint(checkpoint, method, header(run_spec(name), spec_sha256=TRAINING))
    fast = load_method(given, checkpoint)
    result = evaluated(given, sets, tmp_path, fast)
    assert len(result.scores) == 3 * len(FOUR) * 2
    if info.trainable:
        plain = evaluated(given, sets, tmp_path, loaded(method))
        for one, other in zip(result.scores, plain.scores, strict=True):
            assert one.value == pytest.approx(other.value, abs=2e-3)


def test_the_command_writes_scores_pictures_and_provenance(sets: Path, tmp_path: Path) -> None:
    method = create("dncnn", "smoke")
    checkpoint = tmp_path / "checkpoint.safetensors"
    write_checkpoint(checkpoint, method, header(spec_sha256=TRAINING))
    given = spec("dncnn", training_sha256=TRAINING)
    for out in (tmp_path / "one", tmp_path / "two"):
        assert main([*command(given, sets, out), "--checkpoint", str(checkpoint)]) == 0
    first, second = ((tmp_path / out / "per_image.csv").read_bytes() for out in ("one", "two"))
    assert first == second
    with (tmp_path / "one" / "per_image.csv").open() as file:
        assert next(csv.reader(file)) == [
            "run", "test_set", "image", "scene", "protocol", "metric", "value"
        ]  # fmt: skip
    scores = list(read_evaluation(tmp_path / "one" / "per_image.csv", given.run).scores())
    assert len(scores) == 5 * len(FOUR) * 2
    assert (tmp_path / "one" / "pictures" / "noise_25" / "image0.png").is_file()
    provenance = json.loads((tmp_path / "one" / "provenance.json").read_text())
    assert provenance["run"] == given.run
    assert provenance["evaluation_sha256"] == given.sha256()
    assert provenance["training_sha256"] == TRAINING
    assert provenance["source"] == "retrained"
    assert provenance["images"] == {"noise_25": [3, 3], "rain": [2, 2]}
    assert provenance["tasks"] == {test_set.name: test_set.task for test_set in given.test_sets}
    assert provenance["protocol_versions"] == protocol_versions(given.protocols)
    assert provenance["tiling"] is None
    assert provenance["parameters"] == sum(p.numel() for p in method.parameters())
    assert {"seconds_per_megapixel", "wall_seconds", "versions", "commit"} <= set(provenance)


def test_the_command_starts_without_heavy_packages() -> None:
    """Importing them would cost each of many short jobs seconds."""
    heavy = ("pandas", "pyiqa", "matplotlib", "skimage", "sklearn", "timm", "torchvision")
    code = f"import sys, ndr.evaluate; print([m for m in {heavy} if m in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert result.stdout.strip() == "[]"


def test_the_command_says_what_is_wrong_and_leaves_no_result(
    sets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(command(spec("dncnn", training_sha256=TRAINING), sets, tmp_path)) == 1
    assert "dncnn has weights to load" in caplog.text
    elsewhere = spec(test_sets=(TestSetSpec("rain", "rain", "absent", "0" * 64),))
    assert main(command(elsewhere, sets, tmp_path)) == 1
    assert "prepare the set first" in caplog.text
    with pytest.raises(SystemExit, match="2"):
        main([*command(spec(), sets, tmp_path), "--device", "gpu"])
    other = [*command(spec(test_sets=(UNPREPARED_SO,)), sets, tmp_path)]
    assert main(other) == 1
    assert "was prepared as" in caplog.text
    assert not (tmp_path / "per_image.csv").exists()
    assert not (tmp_path / "provenance.json").exists()
