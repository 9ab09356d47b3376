"""Figures of D, S, U and F: they show the arrays, and say what is missing where one is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ndr.nearest_name import UnknownNameError
from reports.figures import matrix_change, style
from reports.figures.draw import figure_kind
from reports.figures.heatmaps import sampled_pixels
from reports.figures.kind import MissingFigureInput
from reports.figures.representation_arrays import representation_arrays
from tests.reports.figures import fabricated_arrays as made

CASES = (
    ("heatmaps", "representation"),
    ("heatmaps", "affinity"),
    ("feature_maps", "injection"),
    ("feature_maps", "encoder"),
    ("matrix_change", ""),
    ("recreation", ""),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tensors") / "results" / "quick"
    made.write_arrays(folder)
    return folder


def drawn(kind: str, content: str, results: Path, **changes: object) -> Figure:
    with style.house_style():
        return figure_kind(kind).draw(made.plan(kind, content, **changes), results).figure


def heat_maps(figure: Figure) -> list[QuadMesh]:
    every = [shown for axes in figure.axes for shown in axes.collections]
    return [shown for shown in every if isinstance(shown, QuadMesh)]


def shown_arrays(figure: Figure) -> list[np.ndarray]:
    """Numbers of the heat maps; colour bars are meshes too, of a shape of their own."""
    return [np.asarray(shown.get_array()) for shown in heat_maps(figure)]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def is_shown(figure: Figure, values: np.ndarray) -> bool:
    return any(
        image.shape == values.shape and np.allclose(image, values) for image in shown_arrays(figure)
    )


@pytest.mark.parametrize(("kind", "content"), CASES[::2])
def test_equal_arrays_give_equal_bytes(kind: str, content: str, results: Path) -> None:
    first, second = (style.png_bytes(drawn(kind, content, results)) for _ in range(2))
    assert first == second
    assert first.startswith(b"\x89PNG")


@pytest.mark.parametrize(("kind", "content"), CASES)
def test_words_neither_overlap_nor_leave_the_page(kind: str, content: str, results: Path) -> None:
    figure = drawn(kind, content, results)
    figure.draw_without_rendering()
    boxes = {text.get_text(): text.get_window_extent() for text in figure.texts}
    page = figure.bbox
    for name, box in boxes.items():
        assert page.x0 <= box.x0, name
        assert box.x1 <= page.x1, name
        assert page.y0 <= box.y0, name
        assert box.y1 <= page.y1, name
    every = [text.get_window_extent() for text in figure.texts]
    for index, one in enumerate(every):
        for other in every[index + 1 :]:
            width = min(one.x1, other.x1) - max(one.x0, other.x0)
            height = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert width <= 0.5 or height <= 0.5, (one, other)
    for axes in figure.axes:
        tight = axes.get_tightbbox()
        assert tight.x1 <= page.x1 + 0.5, axes
        assert tight.y0 >= page.y0 - 0.5, axes


@pytest.mark.parametrize(("kind", "content"), CASES)
def test_an_absent_file_is_named(kind: str, content: str, tmp_path: Path) -> None:
    with pytest.raises(MissingFigureInput, match=f"{made.RUN}.npz: no such file"):
        drawn(kind, content, tmp_path)


@pytest.mark.parametrize(
    ("kind", "content", "key"),
    [
        ("heatmaps", "representation", "D"),
        ("heatmaps", "affinity", "made_haze/image_0/U_1"),
        ("feature_maps", "injection", "made_rain/image_1/features_after_1"),
        ("matrix_change", "", "D_history"),
        ("matrix_change", "", "D_steps"),
    ],
)
def test_an_absent_array_is_named(kind: str, content: str, key: str, tmp_path: Path) -> None:
    arrays = made.arrays()
    del arrays[key]
    made.write_arrays(tmp_path, arrays)
    with pytest.raises(MissingFigureInput, match=f"no array {key!r}"):
        drawn(kind, content, tmp_path)


@pytest.mark.parametrize(
    ("kind", "content", "array"),
    [
        ("heatmaps", "affinity", "affinity_1"),
        ("feature_maps", "injection", "features_before_1"),
        ("feature_maps", "encoder", "features_before_1"),
        ("recreation", "", "recreated"),
    ],
)
def test_images_that_have_what_is_shown_are_shown(
    kind: str, content: str, array: str, tmp_path: Path
) -> None:
    """The study keeps all arrays of one image of a test set, and some of the others."""
    for complete in ("image_0", "image_1"):
        arrays = {
            name: values
            for name, values in made.arrays().items()
            if not name.endswith(f"/{array}") or f"/{complete}/" in name
        }
        made.write_arrays(tmp_path, arrays)
        assert drawn(kind, content, tmp_path).axes
    without = {name: values for name, values in arrays.items() if not name.endswith(f"/{array}")}
    made.write_arrays(tmp_path, without)
    with pytest.raises(MissingFigureInput, match=f"no image of made_sigma25 with '{array}'"):
        drawn(kind, content, tmp_path)


def test_a_damaged_file_a_run_that_is_left_out_and_nan_are_named(tmp_path: Path) -> None:
    path = made.write_arrays(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MissingFigureInput, match="cannot be read as NPZ"):
        drawn("heatmaps", "affinity", tmp_path)
    left_out = (made.FigureRow("NDR-Restore", None, "not part of this tier"),)
    with pytest.raises(MissingFigureInput, match="not part of this tier"):
        drawn("heatmaps", "affinity", tmp_path, rows=left_out)
    arrays = made.arrays()
    arrays["D"][0, 0] = np.nan
    made.write_arrays(tmp_path, arrays)
    with pytest.raises(MissingFigureInput, match="NaN"):
        drawn("heatmaps", "representation", tmp_path)


def test_a_test_set_without_images_is_named(results: Path) -> None:
    changes = {"test_sets": ("elsewhere",), "test_set_labels": ("Elsewhere",)}
    with pytest.raises(MissingFigureInput, match="no image of elsewhere"):
        drawn("feature_maps", "injection", results, **changes)


def test_an_unknown_content_names_the_nearest(results: Path) -> None:
    with pytest.raises(UnknownNameError, match="affinity"):
        drawn("heatmaps", "affinities", results)


def test_heatmaps_show_d_the_sampled_affinities_and_the_mean_of_u(results: Path) -> None:
    arrays = made.arrays()
    figure = drawn("heatmaps", "representation", results)
    assert is_shown(figure, arrays["D"])
    assert is_shown(figure, sampled_pixels(arrays["made_rain/image_1/affinity_1"]))
    mean = arrays["made_haze/image_0/U_1"].astype(np.float64).mean(axis=0)
    assert is_shown(figure, mean)
    assert "M = 12 elements" in words(figure)
    assert "Noise, \N{GREEK SMALL LETTER SIGMA} = 25" in words(figure)
    alone = drawn("heatmaps", "affinity", results)
    assert not is_shown(alone, arrays["D"])


def test_strips_of_large_images_are_samples_and_not_means() -> None:
    affinity = np.random.default_rng(0).random((5, 64, 64))
    sampled = sampled_pixels(affinity, rows=100)
    assert sampled.shape == (100, 5)
    pixels = affinity.reshape(5, -1).T
    assert all((pixels == row).all(axis=1).any() for row in sampled)
    assert (sampled[0] == pixels[0]).all()
    assert (sampled[-1] == pixels[-1]).all()


def test_feature_maps_show_the_difference_on_a_scale_that_is_centred_at_zero(
    results: Path,
) -> None:
    arrays = made.arrays()
    figure = drawn("feature_maps", "injection", results)
    before, after = (
        arrays[f"made_rain/image_1/features_{name}_1"].astype(np.float64).mean(axis=0)
        for name in ("before", "after")
    )
    assert is_shown(figure, before)
    assert is_shown(figure, after - before)
    maps = [each for each in heat_maps(figure) if each.get_array().shape == before.shape]
    shown = next(image for image in maps if np.allclose(image.get_array(), after - before))
    low, high = shown.get_clim()
    assert low == -high
    assert shown.get_cmap().name == style.DIVERGING


def test_a_difference_of_one_sign_uses_a_whole_scale(tmp_path: Path) -> None:
    arrays = made.arrays()
    for name, values in arrays.items():
        if "features_after_1" in name:
            lower = arrays[name.replace("after", "before")] - np.abs(values) - 1
            arrays[name] = lower.astype(np.float16)
    made.write_arrays(tmp_path, arrays)
    shown = heat_maps(drawn("feature_maps", "injection", tmp_path))
    changes = [each for each in shown if each.get_cmap().name == f"{style.SEQUENTIAL}_r"]
    maps = [
        each for each in changes if np.asarray(each.get_array()).shape == (made.SIDE, made.SIDE)
    ]
    assert len(maps) == len(made.TEST_SETS)
    for each in maps:
        low, high = each.get_clim()
        assert (low, high) == (pytest.approx(np.percentile(np.asarray(each.get_array()), 1)), 0)


def test_every_panel_with_a_letter_has_a_name(results: Path) -> None:
    for content, names in (
        ("representation", ["representation D", "affinity S, level 1", "inputs and U, level 1"]),
        ("affinity", ["affinity S, level 1", "inputs and U, level 1"]),
    ):
        found = words(drawn("heatmaps", content, results))
        letters = [word for word in found if word.startswith("(")]
        assert len(letters) == len(names)
        assert set(names) <= set(found)


def test_matrix_change_shows_the_start_the_changes_and_their_ratio(results: Path) -> None:
    arrays = made.arrays()
    history = arrays["D_history"].astype(np.float64)
    figure = drawn("matrix_change", "", results)
    assert is_shown(figure, history[0])
    assert is_shown(figure, np.abs(history[7] - history[6]))
    assert not is_shown(figure, np.abs(history[1] - history[0]))  # six changes, the latest
    assert "step 50 to 100" in words(figure)
    letters = [word for word in words(figure) if word.startswith("(")]
    assert letters == [f"({letter})" for letter in "abcdefgh"]
    curve = next(axes for axes in figure.axes if axes.lines)
    assert curve.get_xscale() == "log"
    by_hand = [
        np.sqrt(((history[t] - history[t - 1]) ** 2).sum()) / np.sqrt((history[t - 1] ** 2).sum())
        for t in range(1, 8)
    ]
    lines = {line.get_label(): line for line in curve.lines}
    assert np.allclose(lines["between kept steps"].get_ydata(), by_hand)
    assert np.allclose(lines["per step"].get_ydata(), by_hand / np.array([1, 1, 3, 5, 10, 30, 50]))
    assert lines["per step"].get_xdata().tolist() == [1, 2, 5, 10, 20, 50, 100]


@pytest.mark.parametrize("kept", [2, 3, 4, 5, 6])
def test_matrix_change_of_few_steps(kept: int, tmp_path: Path) -> None:
    arrays = made.arrays()
    arrays["D_history"], arrays["D_steps"] = arrays["D_history"][:kept], arrays["D_steps"][:kept]
    made.write_arrays(tmp_path, arrays)
    figure = drawn("matrix_change", "", tmp_path)
    titles = [word for word in words(figure) if word.startswith("step ")]
    assert len(titles) == kept - 1
    assert sum(bool(axes.lines) for axes in figure.axes) == 1


def test_a_single_state_of_d_has_no_change(tmp_path: Path) -> None:
    arrays = made.arrays()
    arrays["D_history"], arrays["D_steps"] = arrays["D_history"][:1], arrays["D_steps"][:1]
    made.write_arrays(tmp_path, arrays)
    with pytest.raises(MissingFigureInput, match="two rising steps"):
        drawn("matrix_change", "", tmp_path)


def test_ratios_of_a_d_that_stands_still_are_zero() -> None:
    history = np.ones((3, 2, 2))
    assert matrix_change.change_ratios(history).tolist() == [0.0, 0.0]


def test_recreation_measures_what_scikit_image_measures(results: Path) -> None:
    arrays = made.arrays()
    figure = drawn("recreation", "", results)
    degraded, recreated = (
        arrays[f"made_rain/image_1/{name}"] / 255.0 for name in ("degraded", "recreated")
    )
    psnr = peak_signal_noise_ratio(degraded, recreated, data_range=1.0)
    ssim = structural_similarity(
        degraded,
        recreated,
        data_range=1.0,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert any(word.startswith(f"{psnr:.2f} dB / ") for word in words(figure))
    # scikit-image's window has the same side of 11; its mean leaves out the same border.
    assert f"{psnr:.2f} dB / {ssim:.4f}".replace("-", "\N{MINUS SIGN}") in words(figure)


def test_pictures_that_are_too_small_to_measure_are_named(tmp_path: Path) -> None:
    arrays = made.arrays()
    for name in ("degraded", "recreated"):
        arrays[f"made_rain/image_1/{name}"] = np.zeros((4, 4, 3), np.uint8)
    made.write_arrays(tmp_path, arrays)
    with pytest.raises(MissingFigureInput, match="made_rain/image_1"):
        drawn("recreation", "", tmp_path)


def test_labels_are_words_and_no_formulas(results: Path) -> None:
    labels = ("Noise, $\\frac{x$", "Rain", "Haze")
    figure = drawn("feature_maps", "encoder", results, test_set_labels=labels)
    assert style.png_bytes(figure)
    assert "Noise, $\\frac{x$" in words(figure)


def test_alternative_texts_are_computed(results: Path) -> None:
    texts = {
        kind: figure_kind(kind).draw(made.plan(kind, content), results).alt
        for kind, content in CASES
    }
    with representation_arrays(made.plan("heatmaps"), results) as arrays:
        image = arrays.images(made.plan("heatmaps"), 1, "affinity_1")[0][0]
        assert image.name in texts["recreation"]
    assert "12 x 5" in texts["matrix_change"]
    assert "2 images" in texts["heatmaps"]
