"""Which image of which task stands at each position of a training: the balances of a mix.

The paper resamples its training sets "to balance" without numbers. Five rules are offered
(docs/protocols.md):

- `task_uniform`: each task equally often, sigma drawn uniformly. The suite's default.
- `release_ratio`: haze x 1, rain x 120, noise x 3, sigma drawn: the options file of the
  NDR-Restore code.
- `promptir_ratio`: haze x 1, rain x 120, noise x 3 for each of the three sigmas: PromptIR, and
  by their author's word the released weights of NDR-Restore.
- `airnet_cycle`: one image of each degradation in turn, each sigma being a degradation: AirNet,
  whose batch of five holds one of each.
- `weighted_cycle`: the same, but a degradation has as many turns in a cycle as `repeat` says.

Everything is a pure function of the position. What the authors' codes do differently: they draw
from global generators, so that their order depends on the number of workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ndr.seeds import numpy_generator
from ndr.specs.run_spec import SettingSpec
from ndr.specs.typed_file import SpecError


@dataclass(frozen=True, slots=True)
class Draw:
    """What stands at a position: indices of the task and of the image in the task's sets.

    `sigma` is the noise level (0..255 scale) where the balance fixes it, else None: then the
    sample draws it among the task's levels, or the task has no noise.
    """

    task: int
    image: int
    sigma: float | None


@dataclass(frozen=True, slots=True)
class _List:
    """One list of images that is walked without replacement: a task, or a task at one sigma."""

    task: int
    sigma: float | None
    images: int
    entries: int
    """Length in the joint list: images x repeat, rounded."""
    key: str


class SampleOrder:
    """The draws of a training, by position.

    Memory stays flat: of each list only the current epoch's permutation is kept, as an array of
    integers, which a million images make 4 MB.
    """

    def __init__(
        self, setting: SettingSpec, images: Sequence[int], suite_seed: int, seed: int
    ) -> None:
        """Plan the order; `images` are the numbers of images of the setting's tasks.

        Raises:
            SpecError: a task without images, or whose `repeat` leaves none, or a name twice.
        """
        if len({task.name for task in setting.tasks}) < len(setting.tasks):
            raise SpecError(f"setting {setting.name!r} names a task twice")
        for task, count in zip(setting.tasks, images, strict=True):
            if count < 1:
                raise SpecError(f"task {task.name!r}: its sets {task.sets} hold no image")
        self.balance = setting.balance
        self._names = (suite_seed, "mixture", seed)
        self._lists = self._lists_of(setting, images)
        self._cycle = self._turns(setting) if self.balance == "weighted_cycle" else []
        self._ends = np.cumsum([item.entries for item in self._lists])
        self._cached: dict[str, tuple[int, np.ndarray]] = {}

    @property
    def epoch_length(self) -> int:
        """Positions after which every list has been walked once (jointly shuffled balances)."""
        return int(self._ends[-1])

    def draw(self, position: int) -> Draw:
        """The draw at `position`, which counts from 0 over the whole training."""
        if self.balance == "task_uniform":
            block, slot = divmod(position, len(self._lists))
            order = self._permutation("tasks", block, len(self._lists))
            return self._walk(self._lists[order[slot]], block)
        if self.balance == "airnet_cycle":
            turn, slot = divmod(position, len(self._lists))
            return self._walk(self._lists[slot], turn)
        if self.balance == "weighted_cycle":
            turn, slot = divmod(position, len(self._cycle))
            item, earlier, turns = self._cycle[slot]
            return self._walk(item, turn * turns + earlier)
        epoch, place = divmod(position, self.epoch_length)
        entry = int(self._permutation("joint", epoch, self.epoch_length)[place])
        index = int(np.searchsorted(self._ends, entry, side="right"))
        chosen = self._lists[index]
        copy = entry - (int(self._ends[index]) - chosen.entries)
        # With a whole `repeat` each image stands that often in the list; the permutation lets a
        # broken remainder fall on other images in each epoch.
        image = self._permutation(chosen.key, epoch, chosen.images)[copy % chosen.images]
        return Draw(chosen.task, int(image), chosen.sigma)

    def _walk(self, item: _List, turn: int) -> Draw:
        """The `turn`-th image of a list that is shuffled anew in each epoch."""
        epoch, place = divmod(turn, item.images)
        image = self._permutation(item.key, epoch, item.images)[place]
        return Draw(item.task, int(image), item.sigma)

    def _permutation(self, key: str, epoch: int, length: int) -> np.ndarray:
        cached = self._cached.get(key)
        if cached is None or cached[0] != epoch:
            order = numpy_generator(*self._names, key, epoch).permutation(length)
            cached = (epoch, order.astype(np.uint32))
            self._cached[key] = cached
        return cached[1]

    def _turns(self, setting: SettingSpec) -> list[tuple[_List, int, int]]:
        """The slots of a cycle: a list, how many earlier slots it has, and how many in all.

        All lists have their first turn before one has its second.
        """
        repeats = [setting.tasks[item.task].repeat for item in self._lists]
        for item, repeat in zip(self._lists, repeats, strict=True):
            if repeat < 1 or repeat != int(repeat):
                raise SpecError(
                    f"task {setting.tasks[item.task].name!r}: weighted_cycle wants a whole number "
                    f"of turns as repeat, at least 1, found {repeat:g}"
                )
        return [
            (item, earlier, int(repeat))
            for earlier in range(int(max(repeats)))
            for item, repeat in zip(self._lists, repeats, strict=True)
            if earlier < repeat
        ]

    def _lists_of(self, setting: SettingSpec, images: Sequence[int]) -> list[_List]:
        """One list per task; one per task and sigma where the balance counts sigmas apart."""
        per_sigma = self.balance in ("promptir_ratio", "airnet_cycle", "weighted_cycle")
        found: list[_List] = []
        for index, (task, count) in enumerate(zip(setting.tasks, images, strict=True)):
            entries = round(count * task.repeat)
            if entries < 1:
                raise SpecError(
                    f"task {task.name!r}: {count} images repeated {task.repeat} times leave none"
                )
            levels = task.noise.sigmas if per_sigma and task.noise is not None else (None,)
            for sigma in levels:
                key = f"images of {task.name}" + ("" if sigma is None else f" at {sigma!r}")
                found.append(_List(index, sigma, count, entries, key))
        return found
