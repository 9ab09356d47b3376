"""The file `results/<tier>/network_costs.json`: what networks of the running text take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ndr.nearest_name import named_entry
from ndr.records.record import Record


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """One network, timed in turns with the others."""

    method: str
    changes: dict[str, Any]
    seconds: tuple[float, ...]
    """Of each round, for one image; the networks of a round follow each other."""
    parameters: int
    """At the paper's size, as its authors count."""


@dataclass(frozen=True, slots=True)
class NetworkCosts(Record):
    """Networks by name, on one machine."""

    FILE: ClassVar[str] = "file of network costs"

    tier: str
    """Whose sizes the timed networks have."""
    side: int
    """Pixels of the timed image."""
    device: str
    hardware: str
    networks: dict[str, NetworkCost]

    def network(self, name: str) -> NetworkCost:
        """One network; raises `UnknownNameError` with the nearest names."""
        return named_entry("timed network", name, self.networks)
