"""What a network is made of, as plain data: the file from which drawings of it are made.

`ndr.network.layout` writes it from the actual modules; what draws it needs no PyTorch. Shapes are
(C, H, W) of one image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ndr.records.record import Record


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer inside a part, in the order of its first call."""

    name: str
    kind: str
    """Name of the module's class, e.g. `Conv2d`."""
    kernel: int | None
    """Side of a convolution's kernel."""
    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the method at full size, with its layers."""

    name: str
    """`query`, `injection` or `cp_convolution`."""
    kind: str
    parameters: int
    layers: tuple[Layer, ...]
    options: dict[str, Any]
    """Switches that change the computation without a layer of their own, e.g. `residuals`."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of one kind in a row, in the order of their call."""

    name: str
    role: str
    """Name of the network's attribute: `encoders`, `downsamplings`, `bottom` ..."""
    level: int
    """0 is full size; each level halves it."""
    block: str
    """Class of the blocks; of the stage where it is no sequence."""
    blocks: int
    heads: int | None
    """Attention heads of a block."""
    kernel: int | None
    """Side of the kernel where the stage is one convolution."""
    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int


@dataclass(frozen=True, slots=True)
class Skip:
    """What happens on the skip connection of a level; None stands for what a variant lacks."""

    level: int
    query: str | None
    query_parameters: int
    affinity: tuple[int, ...] | None
    """Shape of S."""
    degradation: tuple[int, ...] | None
    """Shape of U."""
    injection: str
    injection_parameters: int
    features: tuple[int, ...]
    """Shape of F."""
    injected: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """One of the two networks."""

    kind: str
    parameters: int
    input: tuple[int, ...]
    output: tuple[int, ...]
    image_residual: bool
    """Whether the input image is added to the output."""
    stages: tuple[Stage, ...]
    skips: tuple[Skip, ...]

    def stage(self, role: str, level: int = 0) -> Stage:
        """The stage of a role at a level; raises `KeyError` where there is none."""
        for stage in self.stages:
            if (stage.role, stage.level) == (role, level):
                return stage
        raise KeyError(f"{self.kind} has no {role} at level {level}")


@dataclass(frozen=True, slots=True)
class Representation:
    """D: `count` = N vectors of `dimension` = M numbers."""

    dimension: int
    count: int
    parameters: int


@dataclass(frozen=True, slots=True)
class Loss:
    """A term of the training loss."""

    name: str
    weight: float


@dataclass(frozen=True, slots=True)
class NetworkLayout(Record):
    """Everything that the drawings of the method show."""

    FILE: ClassVar[str] = "layout of a network"

    tier: str
    method: str
    label: str
    arguments: dict[str, Any]
    side: int
    """Side of the square image that was traced."""
    scale: int
    """Size of the restored image over the size of its input."""
    representation: Representation | None
    restoration: Network
    degradation: Network | None
    parts: tuple[Part, ...]
    losses: tuple[Loss, ...]

    def part(self, name: str) -> Part | None:
        """A part by name; None where the network lacks it."""
        return next((part for part in self.parts if part.name == name), None)
