"""The file `config/claims.yaml`: sentences of the paper as expressions over table cells.

A claim is exactly one of:

- `compare`: a system has a higher metric than others, per column and block, possibly by a margin;
  `against: [others]` makes it "the best of the block", the column `Average` an average, and `order`
  a ranking from worst to best;
- `diminishing`: of three systems the step from the first to the second gains more than the next;
- `timing`: a system takes no more time than others;
- `count`: a part of the networks has as many parameters as the text says;
- `settling`: the representation D changes less and less while it is trained;
- `missing`: nothing of the suite measures it; the text says what would.

Systems and columns have the names of the files in `reports/paper_values/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ndr.metrics.metric import MAIN
from ndr.nearest_name import check_names
from ndr.specs.typed_file import CanonicalSpec, SpecError, read_yaml_spec

AVERAGE = "Average"
EVERY = "every"
"""In `columns`: every column in which the paper prints a number for the system."""
OTHERS = "others"
"""In `against`: every other system of the block."""
OURS = "NDR-Restore"
VARIANTS = ("current_release", "equations", "first_release")
COUNTED = ("in_use", "with_never_used")
PARTS = {
    "restore": ("NDR-Restore", ("NDR-Restore", "all")),
    "degrade": ("NDR-Degrad", ("NDR-Degrad", "all")),
    "query_and_injection": ("of NDR-Restore: DQ + DI", ("NDR-Restore", "DQ+DI")),
    "representation": ("of NDR-Restore: representation D", ("NDR-Restore", "NDR")),
    "encoder_and_decoder": (
        "of NDR-Restore: encoder + decoder",
        ("NDR-Restore", "encoder+decoder"),
    ),
}
"""Key in the file of counts: label, and method and column of `text_facts.csv`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A system against others; all combinations of blocks, columns, metrics and systems hold."""

    table: str
    blocks: tuple[str, ...]
    columns: tuple[str, ...] = (AVERAGE,)
    metrics: tuple[str, ...] = (MAIN,)
    method: str = OURS
    against: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    """Systems from worst to best, in place of `method` and `against`."""
    at_least: float | None = None
    """Margin in the metric's unit that a difference must reach."""
    more_than: float | None = None
    """Margin that it must exceed; neither: more than zero."""

    def __post_init__(self) -> None:
        """One way to name systems, one margin."""
        if bool(self.against) == bool(self.order) or len(self.order) == 1:
            raise SpecError("a comparison has either `against` or an `order` of two or more")
        if self.at_least is not None and self.more_than is not None:
            raise SpecError("a comparison has `at_least` or `more_than`, not both")

    @property
    def margin(self) -> float:
        """What a difference is compared with."""
        return next((m for m in (self.at_least, self.more_than) if m is not None), 0.0)

    @property
    def includes_margin(self) -> bool:
        """Whether a difference of just the margin is enough."""
        return self.at_least is not None


@dataclass(frozen=True, slots=True)
class Diminishing:
    """Three systems: the second gains more over the first than the third over the second."""

    table: str
    block: str
    systems: tuple[str, ...]
    columns: tuple[str, ...] = (AVERAGE,)
    metric: str = MAIN

    def __post_init__(self) -> None:
        """Two steps need three systems."""
        if len(self.systems) != 3:
            raise SpecError(f"expected three systems, found {list(self.systems)}")


@dataclass(frozen=True, slots=True)
class TextNumber:
    """A number of the running text (`text_facts.csv`)."""

    block: str
    method: str
    column: str
    metric: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Time per megapixel of one system over that of others."""

    table: str
    block: str
    method: str
    against: tuple[str, ...]
    at_most: float
    """Ratio that counts as no cost."""
    tolerance: float
    """Relative error of one measurement of time on a machine with nothing else to do."""
    paper_added: TextNumber
    """Seconds that the text says are added."""
    paper_base: TextNumber
    """Seconds that they are added to."""


@dataclass(frozen=True, slots=True)
class Count:
    """Parameters of parts of the networks, in a variant of the code."""

    parts: tuple[str, ...]
    variant: str
    counted: str

    def __post_init__(self) -> None:
        """Names exist."""
        check_names("part of the networks", self.parts, PARTS)
        check_names("variant", [self.variant], VARIANTS)
        check_names("way of counting", [self.counted], COUNTED)


@dataclass(frozen=True, slots=True)
class Settling:
    """A trained system whose D is followed."""

    table: str
    block: str
    method: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the paper."""

    id: str
    says: str
    """In short; not the paper's words."""
    where: str
    """Table or part of the paper."""
    compare: tuple[Comparison, ...] = ()
    diminishing: Diminishing | None = None
    timing: Timing | None = None
    count: Count | None = None
    settling: Settling | None = None
    missing: str = ""

    def __post_init__(self) -> None:
        """Exactly one kind."""
        kinds = [kind for kind in KINDS if getattr(self, kind)]
        if len(kinds) != 1:
            raise SpecError(
                f"claim {self.id!r}: expected one of {', '.join(KINDS)}; found "
                f"{', '.join(kinds) or 'none'}"
            )

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind))


KINDS = ("compare", "diminishing", "timing", "count", "settling", "missing")


@dataclass(frozen=True, slots=True)
class Claims(CanonicalSpec):
    """`config/claims.yaml`."""

    claims: tuple[Claim, ...]

    def __post_init__(self) -> None:
        """Ids are unique: the page links to them."""
        ids = [claim.id for claim in self.claims]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise SpecError(f"duplicate claims: {', '.join(twice)}")


def read_claims(path: Path) -> Claims:
    """Read and check the claims; their cells are checked by `reports.claims.parts`.

    Raises:
        SpecError: a misspelt key, with the nearest one, or a claim of no or of two kinds.
    """
    return read_yaml_spec(Claims, path)
