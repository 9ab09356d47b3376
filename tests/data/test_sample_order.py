from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest

from ndr.data.sample_order import SampleOrder
from ndr.specs.run_spec import BALANCES, NoiseSpec, SettingSpec, TaskSpec
from ndr.specs.typed_file import SpecError

NOISE = NoiseSpec((15.0, 25.0, 50.0))


def setting(balance: str, *tasks: tuple[str, float]) -> SettingSpec:
    return SettingSpec(
        "mix",
        tuple(
            TaskSpec(name, (name,), ("0" * 64,), NOISE if name == "noise" else None, repeat)
            for name, repeat in tasks
        ),
        balance,
    )


PAPER_TASKS = (("noise", 3.0), ("rain", 120.0), ("haze", 1.0))
PAPER_COUNTS = (5_144, 200, 72_135)


def small_order(balance: str, seed: int = 0) -> SampleOrder:
    return SampleOrder(setting(balance, ("noise", 3), ("rain", 2), ("haze", 1)), (5, 4, 7), 9, seed)


def test_task_uniform_takes_each_task_once_per_block() -> None:
    order = small_order("task_uniform")
    blocks = [[order.draw(3 * block + slot).task for slot in range(3)] for block in range(40)]
    assert all(sorted(block) == [0, 1, 2] for block in blocks)
    assert len({tuple(block) for block in blocks}) == 6  # every order of three tasks occurs


def test_task_uniform_shows_each_image_once_per_epoch_of_its_task() -> None:
    order = small_order("task_uniform")
    seen: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for position in range(3 * 140):
        draw = order.draw(position)
        seen[draw.task].append(draw.image)
    for task, count in enumerate((5, 4, 7)):
        epochs = [seen[task][i : i + count] for i in range(0, 140, count)]
        assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 10  # and shuffled anew


@pytest.mark.parametrize(
    ("balance", "length", "shares"),
    [
        # docs/protocols.md: 64.7, 21.5, 13.8 and 50.6, 16.9, 32.5 percent
        ("release_ratio", 111_567, {"haze": 72_135, "rain": 24_000, "noise": 15_432}),
        ("promptir_ratio", 142_431, {"haze": 72_135, "rain": 24_000, "noise": 46_296}),
    ],
)
def test_ratios_of_the_papers(balance: str, length: int, shares: dict[str, int]) -> None:
    order = SampleOrder(setting(balance, *PAPER_TASKS), PAPER_COUNTS, 9, 0)
    assert order.epoch_length == length
    names = [name for name, _ in PAPER_TASKS]
    counts = Counter(order.draw(position) for position in range(length))
    by_task: Counter[str] = Counter()
    for draw, count in counts.items():
        by_task[names[draw.task]] += count
        expected = {"noise": 3, "rain": 120, "haze": 1}[names[draw.task]]
        assert count == expected
    assert by_task == shares


def test_promptir_ratio_counts_each_sigma_apart() -> None:
    order = small_order("promptir_ratio")
    draws = [order.draw(position) for position in range(order.epoch_length)]
    assert order.epoch_length == 3 * 15 + 8 + 7
    assert Counter(draw.sigma for draw in draws) == {15.0: 15, 25.0: 15, 50.0: 15, None: 15}


def test_joint_list_is_shuffled_anew_in_each_epoch_without_replacement() -> None:
    order = small_order("release_ratio")
    length = order.epoch_length
    assert length == 15 + 8 + 7
    epochs = [[order.draw(e * length + i) for i in range(length)] for e in range(3)]
    assert Counter(epochs[0]) == Counter(epochs[1]) == Counter(epochs[2])
    assert epochs[0] != epochs[1] != epochs[2]


def test_a_broken_repeat_falls_on_other_images_in_each_epoch() -> None:
    order = SampleOrder(setting("release_ratio", ("haze", 1.5)), (10,), 9, 0)
    assert order.epoch_length == 15
    doubled = []
    for epoch in range(20):
        counts = Counter(order.draw(15 * epoch + i).image for i in range(15))
        assert set(counts.values()) == {1, 2}
        doubled.append(frozenset(image for image, count in counts.items() if count == 2))
    assert len(set(doubled)) > 10


def test_airnet_cycle_holds_one_of_each_degradation_in_a_batch_of_five() -> None:
    order = small_order("airnet_cycle")
    for step in range(30):
        batch = [order.draw(5 * step + i) for i in range(5)]
        assert [(draw.task, draw.sigma) for draw in batch] == [
            (0, 15.0), (0, 25.0), (0, 50.0), (1, None), (2, None),
        ]  # fmt: skip
    at_25 = [order.draw(5 * turn + 1).image for turn in range(5)]
    assert sorted(at_25) == [0, 1, 2, 3, 4]


def test_weighted_cycle_gives_a_degradation_as_many_turns_as_its_repeat() -> None:
    tasks = setting("weighted_cycle", ("noise", 1), ("rain", 2), ("haze", 1))
    order = SampleOrder(tasks, (5, 4, 3), 9, 0)
    seen: list[int] = []
    for step in range(30):
        batch = [order.draw(6 * step + i) for i in range(6)]
        assert [(draw.task, draw.sigma) for draw in batch] == [
            (0, 15.0), (0, 25.0), (0, 50.0), (1, None), (2, None), (1, None),
        ]  # fmt: skip
        seen += [batch[3].image, batch[5].image]
    # Both turns walk one list, without replacement.
    assert [sorted(seen[start : start + 4]) for start in range(0, 60, 4)] == [[0, 1, 2, 3]] * 15


@pytest.mark.parametrize("repeat", [0.5, 1.5])
def test_weighted_cycle_wants_whole_turns(repeat: float) -> None:
    tasks = setting("weighted_cycle", ("noise", 1), ("rain", repeat))
    with pytest.raises(SpecError, match="'rain': weighted_cycle wants a whole number of turns"):
        SampleOrder(tasks, (5, 4), 9, 0)


@pytest.mark.parametrize("balance", BALANCES)
def test_a_draw_depends_on_nothing_but_its_position(balance: str) -> None:
    forward = [small_order(balance).draw(position) for position in range(100)]
    order = small_order(balance)
    backward = [order.draw(position) for position in reversed(range(100))]
    assert forward == backward[::-1]
    assert forward != [small_order(balance, seed=1).draw(position) for position in range(100)]


def test_memory_stays_flat_over_epochs_of_the_papers_haze_set() -> None:
    order = SampleOrder(setting("release_ratio", *PAPER_TASKS), PAPER_COUNTS, 9, 0)
    tracemalloc.start()
    for position in range(0, 20 * order.epoch_length, 5_000):
        order.draw(position)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2 * 2**20
    assert peak < 6 * 2**20


@pytest.mark.parametrize(
    ("tasks", "counts", "message"),
    [
        ((("noise", 1),), (0,), "hold no image"),
        ((("rain", 0.1),), (4,), "leave none"),
        ((("rain", 1), ("rain", 1)), (4, 4), "names a task twice"),
    ],
)
def test_empty_tasks_are_refused(tasks: tuple, counts: tuple, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        SampleOrder(setting("release_ratio", *tasks), counts, 9, 0)
