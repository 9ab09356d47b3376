"""The file `leaks.json`: which test images stand in training sets, and which scenes repeat.

Reports read it without knowing how it was made, so this module imports neither NumPy nor SciPy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ndr.records.record import Record

IDENTICAL = "identical"
"""The decoded pixels are equal."""
NEAR_DUPLICATE = "near duplicate"
"""The same photograph after compression, resizing, trimming, flipping or degradation."""


@dataclass(frozen=True, slots=True)
class Match:
    """A test image that also stands in another set."""

    image: str
    """Name in the test set."""
    scene: str
    kind: str
    """`identical` or `near duplicate`: of its best partner."""
    score: float
    """Correlation with the best partner; 1 for identical pixels."""
    orientation: str
    """How the test image must be turned to match it, see `thumbnails.ORIENTATIONS`."""
    sides: str
    """Which images of the two pairs match: `clean = degraded`, the test set's side first."""
    partners: tuple[str, ...]
    """Names in the other set, best first."""


@dataclass(frozen=True, slots=True)
class NameClash:
    """A test image whose name or scene number is also one of the other set's."""

    image: str
    partner: str
    same_picture: bool
    """Whether the two show the same photograph. Numbers alone prove nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A training set, or another test set, against a test set."""

    other: str
    """The training set, or the other test set."""
    test: str
    other_images: int
    test_images: int
    matches: tuple[Match, ...]
    name_clashes: tuple[NameClash, ...]

    def count(self, kind: str) -> int:
        """Number of test images whose best partner is of this kind."""
        return sum(match.kind == kind for match in self.matches)

    @property
    def share(self) -> float:
        """Part of the test images that stand in the other set, 0 to 1."""
        return len(self.matches) / self.test_images


@dataclass(frozen=True, slots=True)
class TestSetFacts:
    """A test set for itself."""

    __test__ = False  # no test class, whatever pytest thinks of the name

    name: str
    images: int
    expected: int
    """Images of the complete set; more than `images` where only a part is here."""
    pictures: int
    """Ground truths with different pixels."""
    scenes: int
    """Scenes when the same photograph counts once."""
    repeats: tuple[tuple[str, ...], ...]
    """Names of the images that share a scene; scenes with one image are left out."""
    leaked: tuple[str, ...]
    """Names of the images that stand in one of the training sets."""
    unleaked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeakFindings(Record):
    """All that a scan found."""

    FILE: ClassVar[str] = "file of findings"
    AGAIN: ClassVar[str] = "run the scan again"

    maximum_distance: int
    """Differing bits of 255 up to which two pictures were correlated."""
    minimum_correlation: float
    trainings: tuple[Comparison, ...]
    """Each training set against each test set."""
    tests: tuple[Comparison, ...]
    """Each test set against each other one, both ways: the counts differ where scenes repeat."""
    test_sets: tuple[TestSetFacts, ...]

    def facts(self, test_set: str) -> TestSetFacts | None:
        """What is known of a test set; None where it was not scanned."""
        return next((facts for facts in self.test_sets if facts.name == test_set), None)

    def leaked_from(self, test_set: str, train_sets: Iterable[str]) -> frozenset[str]:
        """Names of the test images that stand in one of `train_sets`."""
        train_sets = set(train_sets)
        return frozenset(
            match.image
            for comparison in self.trainings
            if comparison.test == test_set and comparison.other in train_sets
            for match in comparison.matches
        )

    def scanned_trainings(self, test_set: str) -> frozenset[str]:
        """Training sets that the test set was compared with."""
        return frozenset(c.other for c in self.trainings if c.test == test_set)
