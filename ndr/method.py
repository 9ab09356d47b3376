"""The contract that every restoration system of the suite fulfils.

A method is one class in one file. It says what it is (`MethodInfo`), restores images
(`restore`), states its training losses, and knows how its authors' checkpoints map onto it.
Training, evaluation and the report use nothing else of it. `ndr.registry` finds the methods and
creates them; `from ndr.method import create, load_official` works too.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ndr.checkpoint import CheckpointError, is_part, load_strictly  # noqa: F401 - for methods
from ndr.image_batch import (
    ImageError,
    RestorationError,  # noqa: F401 - for methods
    SizeRequirements,
    check_images,
    pad_by_reflection,
)
from ndr.nearest_name import check_names
from ndr.published_weights import read_state

TIERS = ("smoke", "quick", "small", "paper")
PRESETS = ("smoke", "small", "paper")
"""Sizes of a method's network. The tier `quick` scores the networks of `small`."""
TASKS = frozenset({"noise", "rain", "haze", "down_x2", "exposure"})


class Tiling(Enum):
    """Whether an image may be restored in tiles."""

    SUPPORTED = "supported"
    """The output away from the seams does not depend on the tile size."""
    DISCOURAGED = "discouraged"
    """It runs, but statistics over the whole image change, and so does the answer."""
    FORBIDDEN = "forbidden"
    """The method needs the whole image."""


WEIGHT_ENDINGS = (".pth", ".pt", ".ckpt", ".mat", ".caffemodel", ".h5", ".safetensors")


@dataclass(frozen=True, slots=True)
class OfficialWeights:
    """A checkpoint that the method's authors publish.

    `preset` and `changes` create the method that the checkpoint fits.
    """

    name: str
    url: str
    licence: str
    sha256: str | None = None
    bytes: int | None = None
    preset: str = "paper"
    changes: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    """Training mixes of the suite in whose rows the checkpoint may stand; none: in no table."""
    trained_on: str = ""
    """The authors' training set in a few words, where it is not the paper's."""
    noise_variant: str | None = None
    """Noise that the authors test with (`ndr.specs.run_spec.NOISE_VARIANTS`); None: the suite's."""
    noise_seeding: str = "image_name"
    protocol: str | None = None
    """Protocol of the numbers that the authors publish; None: that of the table."""

    @property
    def file(self) -> str:
        """Name under which the file is kept.

        >>> OfficialWeights("net", "https://host/v1/net_color.pth", "MIT").file
        'net_color.pth'
        >>> OfficialWeights("net", "https://host/folders/1a2b", "MIT").file
        'net.pth'
        """
        last = self.url.split("?")[0].rsplit("/", 1)[-1]
        return last if last.endswith(WEIGHT_ENDINGS) else f"{self.name}.pth"


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """What the suite needs to know of a method without running it."""

    name: str
    paper_label: str
    """The method's name in the paper's tables, e.g. "NDR-Restore"."""
    citation: str
    tasks: frozenset[str]
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Constructor arguments per size, see `PRESETS`; at `paper` the defaults hold if not given."""
    narrow: Mapping[str, Any] = field(default_factory=dict)
    """Arguments that all presets but `paper` share where they do not state their own."""
    trainable: bool = True
    sizes: SizeRequirements = field(default_factory=SizeRequirements)
    tiling: Tiling = Tiling.SUPPORTED
    scale: int = 1
    side_information: frozenset[str] = frozenset()
    """Fields of `SideInformation` that `restore` cannot do without."""
    least_sigma: float = 0.0
    """Lowest noise level that it takes, on the 0..255 scale."""
    published_parameters: int | None = None
    """Size at the `paper` preset, as counted from the authors' network."""
    official_weights: tuple[OfficialWeights, ...] = ()
    own_recipe: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `ndr.specs.run_spec.Recipe` as the authors published them, where they differ from
    the suite's common recipe; the key `recipe: own` takes them at the tier `paper`."""
    slow: bool = False
    """Minutes per image: tiers may evaluate it on a named subset of the images."""

    def __post_init__(self) -> None:
        check_names("task", self.tasks, TASKS)
        if self.presets and {*self.presets, "paper"} != set(PRESETS):
            raise ValueError(
                f"method {self.name!r}: expected presets for {PRESETS[:-1]}, found "
                f"{tuple(self.presets)}"
            )
        shared = dict.fromkeys(PRESETS[:-1], self.narrow)
        presets = {
            size: MappingProxyType({**shared.get(size, {}), **self.presets.get(size, {})})
            for size in PRESETS
        }
        object.__setattr__(self, "presets", MappingProxyType(presets))
        object.__setattr__(self, "own_recipe", MappingProxyType(dict(self.own_recipe)))


@dataclass(frozen=True, slots=True)
class SideInformation:
    """What is known of a degraded batch beside its pixels.

    Blind methods ignore it. `sigma` is the noise level on the 0..255 scale; `clean` is the
    ground truth (B, 3, H, W), which only the control `oracle` may look at.
    """

    sigma: float | Tensor | None = None
    clean: Tensor | None = None

    def noise_levels(self, images: Tensor) -> Tensor:
        """Noise level of each image of a batch: (B,), device and type of `images`, 0..255 scale.

        Raises:
            ValueError: none is given, their number differs from B and from 1, or one of them is
                negative, NaN or infinite.
        """
        if self.sigma is None:
            raise ValueError("expected a noise level: pass SideInformation(sigma=...)")
        levels = torch.as_tensor(self.sigma, dtype=images.dtype, device=images.device).flatten()
        if len(levels) not in (1, len(images)):
            raise ValueError(
                f"expected one noise level, or one for each of {len(images)} images, "
                f"found {len(levels)}"
            )
        if not (torch.isfinite(levels) & (levels >= 0)).all():
            raise ValueError(
                f"expected noise levels of at least 0 on the 0..255 scale, found {levels.tolist()}"
            )
        return levels.expand(len(images))


@dataclass(frozen=True, slots=True)
class Batch:
    """One training batch: images (B, 3, H, W), RGB, nominally in [0, 1].

    `task` holds B task names; `sigma` (B,) is 0 where no noise was added.
    """

    degraded: Tensor
    clean: Tensor
    task: tuple[str, ...]
    sigma: Tensor

    def to(self, device: torch.device | str, **kwargs: Any) -> Batch:
        """Copy the tensors to `device` (keywords as in `torch.Tensor.to`)."""
        return Batch(
            self.degraded.to(device, **kwargs),
            self.clean.to(device, **kwargs),
            self.task,
            self.sigma.to(device),
        )


PixelLoss = Callable[[Tensor, Tensor], Tensor]
Renaming = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]


@dataclass(frozen=True, slots=True)
class TrainingContext:
    """Where in the training a loss is asked for.

    `step` counts from 0; `optimiser` names the group of `Method.optimiser_groups` whose turn it
    is (adversarial methods have several); `pixel_loss` is the run's image distance.
    """

    step: int
    total_steps: int
    pixel_loss: PixelLoss
    optimiser: str = "main"


class Method(nn.Module):
    """Base class of every system. Subclasses define `info`, `forward`, and what differs."""

    info: ClassVar[MethodInfo]
    training_only: ClassVar[frozenset[str]] = frozenset()
    """Names of children that `forward` never uses (discriminators); shipped networks lack them."""
    official_lacks: ClassVar[frozenset[str]] = frozenset()
    """Those of them that the authors' checkpoints of the restoring network lack too."""
    trains_channels_last: ClassVar[bool] = False
    """Whether training on a CPU is faster with `ndr.device.lay_out_channels_last`, as measured
    (`bench.method_speed`); evaluations always lay out so."""
    restores_together: ClassVar[bool] = False
    """Whether the evaluation hands over a whole test set at once, see `restore_together`."""
    official_names: ClassVar[Renaming] = ()
    """Patterns in the keys of authors' checkpoints and what they become here, one after the other;
    each is replaced once in a key."""
    official_unused: ClassVar[str | None] = None
    """Pattern at the start of keys that the authors' own network never uses."""

    def __init__(self) -> None:
        # Named, because the arguments of a constructor are the changes that a run may ask for.
        super().__init__()
        self.scale = self.info.scale
        """Side of the output over side of the input; methods whose scale varies set it."""

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """Restore images whose size already fulfils `info.sizes`.

        Args:
            degraded: (B, 3, H, W), RGB, nominally in [0, 1].
            side: the fields named in `info.side_information` are set.

        Returns:
            (B, 3, scale * H, scale * W), not clipped.
        """
        raise NotImplementedError

    def restore(self, degraded: Tensor, side: SideInformation | None = None) -> Tensor:
        """Restore images of any size: check, pad as `info.sizes` says, run, crop back.

        Args:
            degraded: (B, 3, H, W), RGB, nominally in [0, 1]; finite values outside are legal.
            side: what is known beside the pixels; needed by methods that say so.

        Returns:
            (B, 3, scale * H, scale * W), not clipped: the protocol of a metric decides that.

        Raises:
            TypeError, ImageError: see `check_images`; clean images of another size.
            ValueError: side information that the method needs is missing.
        """
        check_images(degraded)
        side = side or SideInformation()
        for name in sorted(self.info.side_information):
            if getattr(side, name) is None:
                raise ValueError(
                    f"{self.info.name} needs {name!r}: pass SideInformation({name}=...)"
                )
        height, width = degraded.shape[-2:]
        padded = self.info.sizes.pad(degraded)
        scale = self.scale
        if side.clean is not None:
            check_images(side.clean, "clean images")
            expected = (len(degraded), 3, scale * height, scale * width)
            if side.clean.shape != expected:
                raise ImageError(
                    f"clean images: expected shape {expected}, found {tuple(side.clean.shape)}; "
                    "pass those that belong to the degraded images"
                )
            clean = pad_by_reflection(
                side.clean, scale * padded.shape[-2], scale * padded.shape[-1]
            )
            side = SideInformation(side.sigma, clean)
        restored = self(padded, side)
        return restored[..., : scale * height, : scale * width]

    def counted_parameters(self) -> int:
        """Size in the way in which `info.published_parameters` counts it; default: all of it.

        Differs where the authors count one network of several, leave a part out (normalisation,
        discriminators), or count layers that their network never uses and that do not exist here.
        """
        return parameter_count(self)

    def restore_together(self, images: Iterable[tuple[str, Tensor]]) -> Iterator[Tensor]:
        """Restore images of different sizes in one go: for programs that load for minutes.

        Args:
            images: names and degraded images (3, H, W); all are taken before the first result.

        Yields:
            (3, scale * H, scale * W) for each, in their order.

        Raises:
            RestorationError: it cannot be done here; the message says why.
        """
        raise NotImplementedError

    def optimiser_groups(self) -> Mapping[str, list[nn.Parameter]]:
        """Named groups of parameters, one optimiser each, stepped in this order."""
        return {"main": [parameter for parameter in self.parameters() if parameter.requires_grad]}

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Weighted loss terms by name; their sum is minimised.

        Default: the run's pixel loss between the restored and the clean images. Patches whose
        size the network does not take are padded and cropped back, as `restore` does.
        """
        padded = self.info.sizes.pad(batch.degraded)
        restored = self(padded, SideInformation(sigma=batch.sigma))
        height, width = batch.clean.shape[-2:]
        return {"restore": context.pixel_loss(restored[..., :height, :width], batch.clean)}

    def figure_tensors(self, degraded: Tensor) -> dict[str, Tensor]:
        """Named inner tensors that figures show; empty for most methods."""
        return {}

    def representation(self) -> Tensor | None:
        """The learned degradation representation D that Fig. 12 follows, where there is one."""
        return None

    @classmethod
    def read_official_state(cls, path: str | Path) -> Mapping[str, Tensor]:
        """Read a checkpoint that the authors publish; overridden where it is no PyTorch file."""
        return read_state(path)

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Constructor arguments that the keys of an authors' checkpoint decide.

        For checkpoints of one method that fit several of its networks, and would load into the
        wrong one without a word.
        """
        return {}

    @classmethod
    def map_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Turn the keys of an authors' checkpoint into this class's (`official_names`).

        Unknown keys keep their names, and a second one of the same new name says so in its own:
        `load_official` then refuses them. Overridden where values change, too.
        """
        mapped: dict[str, Tensor] = {}
        for key, value in state.items():
            if cls.official_unused is not None and re.match(cls.official_unused, key):
                continue
            name = key
            for pattern, replacement in cls.official_names:
                name = re.sub(pattern, replacement, name, count=1)
            mapped[f"{key} (a second {name})" if name in mapped else name] = value
        return mapped

    def load_official_state(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load an authors' checkpoint strictly; parts that only training needs stay as they are.

        Raises:
            CheckpointError: keys or shapes differ; the message names them.
        """
        kept = {
            key: value
            for key, value in self.state_dict().items()
            if is_part(key, self.official_lacks)
        }
        load_strictly(self, {**kept, **self.map_official_state(state)}, source)


REGISTERED: dict[str, type[Method]] = {}
"""Filled by `register_method`; ask `ndr.registry`, which imports all methods first."""


def register_method(cls: type[Method]) -> type[Method]:
    """Class decorator: make the method known by its name."""
    name = cls.info.name
    known = REGISTERED.get(name)
    if known is not None and known.__module__ != cls.__module__:
        raise ValueError(f"method {name!r} is defined in {known.__module__} and {cls.__module__}")
    REGISTERED[name] = cls
    return cls


def parameter_count(module: nn.Module) -> int:
    """Number of learned scalars."""
    return sum(parameter.numel() for parameter in module.parameters())


def __getattr__(name: str) -> Any:
    # Imported when asked for: the registry imports every method, and each of them this module.
    if name in ("create", "load_official"):
        return getattr(importlib.import_module("ndr.registry"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
