"""What a training and an evaluation are, as frozen data with an identity.

Everything that can change a number stands in a spec. Its canonical JSON travels through
Snakemake as a parameter; its sha256 is the identity that checkpoints, resume states and table
cells carry.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple

from ndr.nearest_name import check_names
from ndr.specs.typed_file import LATER, CanonicalSpec, SpecError, like

BALANCES = (
    "task_uniform",
    "release_ratio",
    "promptir_ratio",
    "airnet_cycle",
    "weighted_cycle",
)
NOISE_VARIANTS = ("float_clip", "uint8_trunc", "uint8_round", "float_noclip")
NOISE_SEEDINGS = ("image_name", "zero_per_image")
PRECISIONS = ("fp32", "bf16")
TIMM_OPTIMISERS = ("adamp", "adopt", "lamb", "lion", "muon", "nadamw", "radam")
TIMM_SCHEDULES = ("poly", "tanh")
X2_ORDERS = ("degrade_then_down", "down_then_degrade")
Name = Annotated[str, like("[A-Za-z0-9][A-Za-z0-9_.-]*")]
"""What may be the name of a file or a folder."""
UNTRAINED = "no_training"
"""Setting of a method that nothing is trained for."""
OFFICIAL = "official_weights"
"""Setting of a run whose weights are the method's authors'."""


def _check_choice(kind: str, value: str, choices: tuple[str, ...]) -> None:
    check_names(kind, [value], choices)


@dataclass(frozen=True, slots=True)
class NoiseSpec:
    """Additive white Gaussian noise, `sigmas` on the 0..255 scale (docs/protocols.md)."""

    sigmas: tuple[float, ...]
    variant: str = "float_clip"
    seeding: str = "image_name"
    """`image_name`: derived from the suite's seed, the set and the image's name.
    `zero_per_image`: NumPy's legacy generator with seed 0 for each image (Restormer, KAIR)."""

    def __post_init__(self) -> None:
        _check_choice("noise variant", self.variant, NOISE_VARIANTS)
        _check_choice("noise seeding", self.seeding, NOISE_SEEDINGS)


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task of a training mix: image pairs, and noise that is drawn while training."""

    name: str
    sets: tuple[str, ...]
    """Names of prepared sets; their images are joined."""
    sets_sha256: tuple[str, ...]
    """One identity per set: the hash of its committed manifest, or of its synthesis."""
    noise: NoiseSpec | None = None
    repeat: float = 1.0
    """How often each image stands in the joint list of `release_ratio` and `promptir_ratio`; how
    often a degradation has its turn in `weighted_cycle`."""


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """A training mix (a block of the paper's tables)."""

    name: str
    tasks: tuple[TaskSpec, ...]
    balance: str = "task_uniform"
    scale: int = 1
    """Size of the clean image over the size of the degraded one: 2 where super-resolution by 2
    is part of the mix (Tables IV and VI)."""
    x2_order: str = "degrade_then_down"
    """Whether noise comes before or after the reduction by 2; the paper does not say."""

    def __post_init__(self) -> None:
        _check_choice("balance", self.balance, BALANCES)
        _check_choice("order of the reduction by 2", self.x2_order, X2_ORDERS)
        if self.scale not in (1, 2):
            raise SpecError(f"setting {self.name!r}: expected scale 1 or 2, found {self.scale}")
        if not self.tasks:
            raise SpecError(f"setting {self.name!r} has no task")

    def in_lowest_terms(self) -> SettingSpec:
        """The same cycle of `weighted_cycle` with the fewest turns: 2 and 4 become 1 and 2.

        A task alone has one turn, whatever it has in wider mixes. Other balances and broken
        numbers, which a training refuses, stay as they are.

        >>> rain, haze = TaskSpec("rain", ("a",), ("0",), None, 4), TaskSpec("haze", ("b",), ("1",))
        >>> for tasks in ((rain,), (rain, haze)):
        ...     setting = SettingSpec("mix", tasks, "weighted_cycle").in_lowest_terms()
        ...     print([task.repeat for task in setting.tasks])
        [1.0]
        [4.0, 1.0]
        """
        turns = [task.repeat for task in self.tasks]
        whole = all(turn >= 1 and turn == int(turn) for turn in turns)
        if self.balance != "weighted_cycle" or not whole:
            return self
        divisor = math.gcd(*map(int, turns))
        tasks = (replace(task, repeat=task.repeat / divisor) for task in self.tasks)
        return replace(self, tasks=tuple(tasks))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is optimised (paper Sec. IV-A; docs/protocols.md)."""

    steps: int
    batch: int
    patch: int
    """Side of the square training patch, in pixels of the clean image."""
    learning_rate: float
    optimiser: str = "adam"
    """`adam`, `adamw`, or one of `TIMM_OPTIMISERS` as timm defines it."""
    betas: tuple[float, ...] = (0.9, 0.999)
    weight_decay: float = 1e-8
    schedule: str = "multistep"
    """`multistep`, `cosine`, `constant`, or one of `TIMM_SCHEDULES`."""
    milestones: tuple[int, ...] = ()
    """Steps after which `multistep` multiplies the rate by `gamma`."""
    gamma: float = 0.5
    warmup_steps: int = 0
    minimum_learning_rate: float = 0.0
    """End of all schedules but `multistep` and `constant`."""
    gradient_clip_norm: float | None = 10.0
    pixel_loss: str = "l1"
    augment: tuple[str, ...] = ("horizontal_flip", "vertical_flip", "transpose")
    ema_decay: float | None = field(default=None, metadata=LATER)
    """The results are an exponential moving average of the weights over the steps: what is
    evaluated, restores photographs, and gives D. 0.999 is usual for long trainings. None: the
    weights after the last step."""
    stops_at: float | None = field(default=None, metadata=LATER)
    """Share of the steps after which the training ends: a checkpoint on the way of a longer
    training, equal to it to the last bit, because the schedule stays that of all steps. None: it
    goes to the end."""

    def __post_init__(self) -> None:
        _check_choice("optimiser", self.optimiser, ("adam", "adamw", *TIMM_OPTIMISERS))
        schedules = ("multistep", "cosine", "constant", *TIMM_SCHEDULES)
        _check_choice("schedule", self.schedule, schedules)
        _check_choice("pixel loss", self.pixel_loss, ("l1", "l2"))
        check_names("augmentation", self.augment, ("horizontal_flip", "vertical_flip", "transpose"))
        for name in ("steps", "batch", "patch"):
            if getattr(self, name) < 1:
                raise SpecError(f"recipe: {name} must be at least 1, found {getattr(self, name)}")
        for name in ("learning_rate", "gamma", "gradient_clip_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise SpecError(f"recipe: {name} must be above 0, found {value}")
        for name in ("weight_decay", "minimum_learning_rate", "warmup_steps"):
            if not 0 <= getattr(self, name) < math.inf:
                raise SpecError(f"recipe: {name} must be at least 0, found {getattr(self, name)}")
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise SpecError(f"recipe: ema_decay must lie between 0 and 1, found {self.ema_decay}")
        if self.stops_at is not None and not 0 < self.stops_at < 1:
            raise SpecError(f"recipe: stops_at must lie between 0 and 1, found {self.stops_at}")

    @property
    def last_step(self) -> int:
        """How many steps are done, one at least; all of them unless `stops_at` says otherwise.

        >>> Recipe(steps=10, batch=1, patch=8, learning_rate=1.0, stops_at=0.25).last_step
        2
        """
        return self.steps if self.stops_at is None else max(1, round(self.steps * self.stops_at))


@dataclass(frozen=True, slots=True)
class RunSpec(CanonicalSpec):
    """One training: method, setting, changes and seed at one tier."""

    tier: str
    method: str
    arguments: dict[str, Any]
    """All constructor arguments, resolved (`ndr.registry.method_arguments`)."""
    changes: dict[str, Any]
    """The arguments that differ from the tier's preset, and the entries of the recipe that differ
    from the tier's; they make the run's id."""
    setting: SettingSpec
    recipe: Recipe
    seed: int
    suite_seed: int
    precision: str = "fp32"
    cpu_threads: int = 1
    """Threads of one CPU operation: sums in another order are other bits."""
    representation_snapshots: int = 8
    """Log-spaced steps at which D is kept for Fig. 12."""

    def __post_init__(self) -> None:
        _check_choice("precision", self.precision, PRECISIONS)

    @property
    def argument_changes(self) -> dict[str, Any]:
        """The changes of the network, without those of the recipe."""
        return {name: value for name, value in self.changes.items() if name in self.arguments}

    @property
    def sets(self) -> tuple[str, ...]:
        """Prepared sets that the training reads, each once."""
        return tuple(dict.fromkeys(name for task in self.setting.tasks for name in task.sets))

    @property
    def run(self) -> str:
        """Id of the run, e.g. `ndr_restore__noise_rain_haze__lambda_degrad_0.5__seed_0`."""
        return run_id(self.method, self.setting.name, self.changes, self.seed)


def run_id(method: str, setting: str, changes: Mapping[str, Any], seed: int) -> str:
    """Id of a run; parts are joined by double underscores, changes in alphabetical order.

    >>> run_id("ndr_restore", "noise_rain", {"use_dq": False}, 0)
    'ndr_restore__noise_rain__use_dq_false__seed_0'
    """

    def text(value: Any) -> str:
        return str(value).lower() if isinstance(value, bool) else str(value)

    parts = [method, setting, *(f"{key}_{text(changes[key])}" for key in sorted(changes))]
    parts.append(f"seed_{seed}")
    for part in parts:
        if "__" in part or not part.replace("_", "").replace(".", "").replace("-", "").isalnum():
            raise SpecError(
                f"{part!r} cannot be part of a run id: use letters, digits, '.', '-' and single '_'"
            )
    return "__".join(parts)


class RunParts(NamedTuple):
    """What an id says of its run."""

    method: str
    setting: str
    changes: tuple[str, ...]
    """As in the id, e.g. `use_dq_false`."""
    seed: int


def run_parts(run: str) -> RunParts:
    """Take an id apart.

    Raises:
        SpecError: it is none that `run_id` made.

    >>> run_parts("ndr_restore__noise_rain__use_dq_false__seed_0")
    RunParts(method='ndr_restore', setting='noise_rain', changes=('use_dq_false',), seed=0)
    """
    method, *between, seed = run.split("__")
    if not between or not re.fullmatch(r"seed_\d+", seed):
        raise SpecError(f"expected the id of a run, as 'method__setting__seed_0', found {run!r}")
    return RunParts(method, between[0], tuple(between[1:]), int(seed.removeprefix("seed_")))


@dataclass(frozen=True, slots=True)
class TestSetSpec:
    """A prepared set of images with one fixed degradation."""

    __test__ = False  # pytest: this is no test class

    name: Name
    """E.g. `cbsd68_sigma25`."""
    task: str
    set: Name
    """Name of the prepared set that holds the pairs (or the clean images, where noise is added)."""
    set_sha256: str
    """Identity of the set: the hash of its committed manifest, or of its synthesis."""
    noise: NoiseSpec | None = None
    crop: int | None = None
    """Side of the centre crop that is evaluated, in pixels; None: the whole image."""
    first_images: int | None = None
    """Evaluate only this many images, the first of the manifest; None: all of the set."""
    parameter: str | None = None
    """Name of a parameter of the degradation in the manifest, e.g. `ev`: only the images whose
    value is one of `parameter_values` belong to the test set (under- and over-exposed images)."""
    parameter_values: tuple[float, ...] = ()
    reference: bool = True
    """Whether restored images are compared with the clean ones; real photographs have none."""

    def __post_init__(self) -> None:
        if (self.parameter is None) != (not self.parameter_values):
            raise SpecError(
                f"test set {self.name!r}: parameter and parameter_values stand together, found "
                f"{self.parameter!r} and {self.parameter_values!r}"
            )


@dataclass(frozen=True, slots=True)
class EvaluationSpec(CanonicalSpec):
    """One run on its test sets, under all protocols."""

    tier: str
    run: str
    method: str
    arguments: dict[str, Any]
    training_sha256: str | None
    """Hash of the `RunSpec`; None where nothing is trained."""
    test_sets: tuple[TestSetSpec, ...]
    protocols: tuple[str, ...]
    suite_seed: int
    tile: int | None = None
    """Side of inference tiles in pixels; None: the whole image in one pass."""
    tile_overlap: int = 32
    precision: str = "fp32"
    cpu_threads: int = 1
    training_run: str | None = None
    """Id of the training whose checkpoint is evaluated; evaluations that differ in their
    self-ensemble share one."""
    official_weights: str | None = None
    """Name of the authors' checkpoint (`OfficialWeights.name`) in place of a training."""
    self_ensemble: bool = False
    """Mean over the eight flips and rotations of the input, the "+" of a method's name."""
    pictures: int = 1
    """Restored images kept per test set."""
    pictures_of: tuple[str, ...] = field(default_factory=tuple)
    """Test sets to keep pictures of; empty: all."""
    metrics: tuple[str, ...] = field(default=(), metadata=LATER)
    """Metrics under terms of use that were asked for and accepted: of package pyiqa."""

    @property
    def sets(self) -> tuple[str, ...]:
        """Prepared sets that the evaluation reads, each once."""
        return tuple(dict.fromkeys(test_set.set for test_set in self.test_sets))
