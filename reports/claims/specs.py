"""The file `config/claims.yaml`: sentences of the paper as expressions over what is measured.

A claim is exactly one of:

- `compare`: a system has a higher metric than others, per column and block, possibly by a margin;
  `against: [others]` makes it "the best of the block", the column `Average` an average, and `order`
  a ranking from worst to best;
- `diminishing`: of three systems the step from the first to the second gains more than the next;
- `changes`: what a system gains from one training mix, or table, to another, alone or against what
  another system does;
- `timing`: one network takes longer than another, or by no more than some seconds;
- `count`: a part of the networks has as many parameters as the text says;
- `shares`: a network or a part has at most a share of the parameters of another;
- `study`: an answer of the study of what D represents;
- `missing`: nothing of the suite measures it; the text says what would.

Systems and columns have the names of the files in `reports/paper_values/`. `quote` holds the
paper's words as far as they are at hand: in double quotes word by word, the rest by sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ndr.metrics.metric import MAIN
from ndr.nearest_name import check_names
from ndr.specs.typed_file import CanonicalSpec, SpecError, filled, read_yaml_spec

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
AIRNET = "airnet"
COUNTABLE = {**PARTS, AIRNET: ("AirNet", ("AirNet", "all"))}
"""What claims can count."""


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
    margin: float = 0.0
    """In the metric's unit, what a difference has to lie above."""

    def __post_init__(self) -> None:
        """One way to name systems."""
        if bool(self.against) == bool(self.order) or len(self.order) == 1:
            raise SpecError("a comparison has either `against` or an `order` of two or more")


@dataclass(frozen=True, slots=True)
class Diminishing:
    """Three systems: the second gains more over the first than the third over the second."""

    table: str
    block: str
    systems: tuple[str, ...]
    columns: tuple[str, ...] = (AVERAGE,)
    metrics: tuple[str, ...] = (MAIN,)

    def __post_init__(self) -> None:
        """Two steps need three systems."""
        if len(self.systems) != 3:
            raise SpecError(f"expected three systems, found {list(self.systems)}")


@dataclass(frozen=True, slots=True)
class TrainedSystem:
    """A system of one block of a table."""

    table: str
    block: str
    method: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one trained system has over another, perhaps more than what two others have."""

    says: str
    """What the difference is, in a few words."""
    of: TrainedSystem
    over: TrainedSystem
    more_than: tuple[TrainedSystem, ...] = ()
    """Two systems whose difference has to be the smaller one; empty: zero, or the margin."""
    columns: tuple[str, ...] = (AVERAGE,)
    metrics: tuple[str, ...] = (MAIN,)
    margin: float = 0.0

    def __post_init__(self) -> None:
        """A difference has two sides."""
        if len(self.more_than) not in (0, 2):
            raise SpecError(f"more_than: expected two systems, found {len(self.more_than)}")


@dataclass(frozen=True, slots=True)
class TextNumber:
    """A number of the running text (`text_facts.csv`)."""

    block: str
    method: str
    column: str
    metric: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that one timed network takes beyond another."""

    longer: str
    """Name in `ndr.records.network_costs`."""
    shorter: str
    paper: Annotated[tuple[TextNumber, ...], filled]
    """The paper's seconds: of the one and the other, or their difference alone."""
    at_most: float | None = None
    """Bound of the difference; None: it is to lie above zero."""


@dataclass(frozen=True, slots=True)
class Count:
    """Parameters of parts of the networks, in a variant of the code."""

    parts: tuple[str, ...]
    variant: str
    counted: str
    within: float | None = None
    """Relative distance that counts as the same, where the text says "approximately"; None: the
    number has to round, or to be cut off, to the text's digits."""

    def __post_init__(self) -> None:
        """Names exist."""
        check_names("part of the networks", self.parts, COUNTABLE)
        check_names("variant", [self.variant], VARIANTS)
        check_names("way of counting", [self.counted], COUNTED)


@dataclass(frozen=True, slots=True)
class Share:
    """Parameters of one part over those of another."""

    part: str
    of: str
    at_most: float
    variant: str
    counted: str

    def __post_init__(self) -> None:
        """Names exist."""
        check_names("part of the networks", [self.part, self.of], COUNTABLE)
        check_names("variant", [self.variant], VARIANTS)
        check_names("way of counting", [self.counted], COUNTED)


@dataclass(frozen=True, slots=True)
class Study:
    """An answer of the study of D of a trained system."""

    system: TrainedSystem
    questions: Annotated[tuple[str, ...], filled]
    """Keys of `reports.analysis.representation_answers.QUESTIONS`; all have to be answered yes."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the paper."""

    id: str
    says: str
    """In short; not the paper's words."""
    where: str
    """Table or part of the paper."""
    quote: str
    """The paper's words."""
    compare: tuple[Comparison, ...] = ()
    diminishing: tuple[Diminishing, ...] = ()
    changes: tuple[Change, ...] = ()
    timing: Timing | None = None
    count: Count | None = None
    shares: tuple[Share, ...] = ()
    study: Study | None = None
    missing: str = ""
    note: str = ""
    """What a reader of the verdict has to know, e.g. that a form is the suite's own."""

    def __post_init__(self) -> None:
        """Exactly one kind, and a quote."""
        kinds = [kind for kind in KINDS if getattr(self, kind)]
        if len(kinds) != 1:
            raise SpecError(
                f"claim {self.id!r}: expected one of {', '.join(KINDS)}; found "
                f"{', '.join(kinds) or 'none'}"
            )
        if not self.quote.strip():
            raise SpecError(f"claim {self.id!r}: expected the paper's words in `quote`")

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind))


KINDS = (*("compare", "diminishing", "changes", "timing", "count", "shares", "study", "missing"),)


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
