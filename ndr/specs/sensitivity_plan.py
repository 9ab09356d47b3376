"""What the table of protocol and noise choices is made of: plain data, no results."""

from __future__ import annotations

from dataclasses import dataclass

from ndr.specs.typed_file import CanonicalSpec


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """A system whose place among the others may depend on the protocol."""

    label: str
    run: str


@dataclass(frozen=True, slots=True)
class ComparedTestSet:
    """A column of the table."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class ComparedNoise:
    """One way of adding noise, with the runs that were evaluated under it."""

    variant: str
    run: str
    input_run: str


@dataclass(frozen=True, slots=True)
class SensitivityPlan(CanonicalSpec):
    """One network under every protocol and every noise variant."""

    tier: str
    run: str | None
    """None where the configuration leaves the main run out; then `reason` says why."""
    reason: str
    label: str
    input_run: str
    test_sets: tuple[ComparedTestSet, ...]
    metrics: tuple[str, ...]
    protocols: tuple[str, ...]
    """The first is the one that tables show."""
    noise_in_use: str
    noise: tuple[ComparedNoise, ...]
    """The other variants."""
    rows: tuple[ComparedRow, ...]
    """Systems of the same block: their order is compared under each protocol."""

    @property
    def runs(self) -> tuple[str, ...]:
        """Every run whose results are needed, each once."""
        if self.run is None:
            return ()
        others = [name for one in self.noise for name in (one.run, one.input_run)]
        return tuple(
            dict.fromkeys([self.run, self.input_run, *(row.run for row in self.rows), *others])
        )
