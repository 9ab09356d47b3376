"""The contract that every restoration system of the suite fulfils, and their registry.

A method is one class in one file. It says what it is (`MethodInfo`), restores images
(`restore`), states its training losses, and knows how its authors' checkpoints map onto it.
Training, evaluation and the report use nothing else of it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ndr.image_batch import (
    ImageError,
    RestorationError,
    SizeRequirements,
    check_images,
    pad_by_reflection,
)
from ndr.method_info import (
    TASKS,
    TIERS,
    MethodInfo,
    OfficialWeights,
    Tiling,
    frozen,
)
from ndr.nearest_name import check_names, unknown_name
from ndr.state_dict import CheckpointError, load_strictly, read_state

__all__ = [
    "TASKS",
    "TIERS",
    "Batch",
    "CheckpointError",
    "ImageError",
    "Method",
    "MethodInfo",
    "OfficialWeights",
    "PixelLoss",
    "RestorationError",
    "SideInformation",
    "SizeRequirements",
    "Tiling",
    "TrainingContext",
    "check_images",
    "create",
    "frozen",
    "load_official",
    "load_strictly",
    "method_arguments",
    "method_class",
    "method_classes",
    "method_names",
    "pad_by_reflection",
    "parameter_count",
    "read_state",
    "register_method",
]


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
    """Names of children that `forward` never uses (discriminators); the authors' checkpoints of the
    restoring network lack them."""
    restores_together: ClassVar[bool] = False
    """Whether the evaluation hands over a whole test set at once, see `restore_together`."""

    def __init__(self) -> None:
        # Named, because the arguments of a constructor are the changes that a run may ask for.
        super().__init__()

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """Restore images whose size already fulfils `info.sizes`.

        Args:
            degraded: (B, 3, H, W), RGB, nominally in [0, 1].
            side: the fields named in `info.side_information` are set.

        Returns:
            (B, 3, scale * H, scale * W), not clipped.
        """
        raise NotImplementedError

    @property
    def scale(self) -> int:
        """Side of the output over side of the input; methods whose scale varies override it."""
        return self.info.scale

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
        """Rename the keys of an authors' checkpoint to this class's.

        Keys that the authors' own network never uses are dropped here, by name; any other
        unknown or missing key makes `load_official` fail.
        """
        return dict(state)

    def load_official_state(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load an authors' checkpoint strictly; parts that only training needs stay as they are.

        Raises:
            CheckpointError: keys or shapes differ; the message names them.
        """
        kept = {
            key: value
            for key, value in self.state_dict().items()
            if key.partition(".")[0] in self.training_only
        }
        load_strictly(self, {**kept, **self.map_official_state(state)}, source)


_REGISTRY: dict[str, type[Method]] = {}


def register_method(cls: type[Method]) -> type[Method]:
    """Class decorator: make the method known by its name."""
    name = cls.info.name
    known = _REGISTRY.get(name)
    if known is not None and known.__module__ != cls.__module__:
        raise ValueError(f"method {name!r} is defined in {known.__module__} and {cls.__module__}")
    _REGISTRY[name] = cls
    return cls


@functools.cache
def _scan() -> None:
    """Import the suite's own methods and those that other packages offer, once."""
    importlib.import_module("ndr.ndr_method")
    package = importlib.import_module("baselines")
    for module in pkgutil.walk_packages(package.__path__, prefix="baselines."):
        importlib.import_module(module.name)
    for entry_point in entry_points(group="ndr.methods"):
        entry_point.load()


def method_names() -> list[str]:
    """Names of all registered methods, sorted."""
    _scan()
    return sorted(_REGISTRY)


def method_class(name: str) -> type[Method]:
    """The registered class; raises `UnknownNameError` with the nearest names."""
    _scan()
    if name not in _REGISTRY:
        raise unknown_name("method", name, _REGISTRY)
    return _REGISTRY[name]


def method_classes() -> Iterator[type[Method]]:
    """All registered classes in the order of their names."""
    for name in method_names():
        yield _REGISTRY[name]


def method_arguments(name: str, preset: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Constructor arguments of a method: its defaults, then the preset, then the changes.

    Returns:
        Every argument of the constructor by name, so that two equal networks have equal
        arguments however they were asked for.

    Raises:
        UnknownNameError: unknown method, preset or change, with the nearest names.
    """
    cls = method_class(name)
    if preset not in cls.info.presets:
        raise unknown_name(f"preset of {name}", preset, cls.info.presets)
    parameters = [p for key, p in inspect.signature(cls).parameters.items() if key != "self"]
    defaults = {p.name: p.default for p in parameters}
    for given in (cls.info.presets[preset], changes):
        check_names(f"change of {name}", given, defaults)
    return {**defaults, **cls.info.presets[preset], **changes}


def create(name: str, preset: str = "paper", **changes: Any) -> Method:
    """Create a method.

    Args:
        name: registered name, see `method_names`.
        preset: tier whose sizes to take.
        changes: constructor arguments that differ from the preset, e.g. `use_dq=False`.

    Raises:
        UnknownNameError: unknown method, preset or change, with the nearest names.
    """
    return method_class(name)(**method_arguments(name, preset, changes))


def load_official(name: str, path: str | Path, preset: str = "paper", **changes: Any) -> Method:
    """Create a method with the weights that its authors publish.

    The authors' keys are mapped by the method; anything missing or left over is an error. What the
    keys say of the network (`Method.official_changes`) holds unless `changes` say otherwise.

    Raises:
        CheckpointError: keys or shapes differ; the message names them.
        FileNotFoundError: no such file.
    """
    cls = method_class(name)
    state = cls.read_official_state(path)
    method = create(name, preset, **{**cls.official_changes(state), **changes})
    method.load_official_state(state, str(path))
    return method.eval()


def parameter_count(module: nn.Module) -> int:
    """Number of learned scalars."""
    return sum(parameter.numel() for parameter in module.parameters())
