"""The file `results/<tier>/parameter_counts.json`: sizes of NDR-Restore and of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ndr.records.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCounts:
    """Parameters of both networks and of the parts that the paper lists."""

    restore: int
    degrade: int
    query_and_injection: int
    representation: int
    encoder_and_decoder: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationCounts:
    """Parameters of a changed network."""

    restore: int
    degrade: int
    restore_relative_to_full: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantCounts:
    """Parameters of one variant of the networks."""

    in_use: PartCounts
    never_used_per_network: int
    with_never_used: PartCounts
    ablations: dict[str, AblationCounts]


@dataclass(frozen=True, slots=True)
class ParameterCounts(Record):
    """Parameters of all variants."""

    FILE: ClassVar[str] = "file of parameter counts"

    variants: dict[str, VariantCounts]
