"""What a restoration system says of itself: names, tasks, sizes, presets, published weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from ndr.image_batch import SizeRequirements
from ndr.nearest_name import check_names

TIERS = ("smoke", "quick", "small", "paper")
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
    """Noise that the authors test with (`ndr.run_spec.NOISE_VARIANTS`); None: the suite's."""
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
    presets: Mapping[str, Mapping[str, Any]]
    """Constructor arguments per tier; the tiers are `TIERS`."""
    trainable: bool = True
    sizes: SizeRequirements = field(default_factory=SizeRequirements)
    tiling: Tiling = Tiling.SUPPORTED
    scale: int = 1
    side_information: frozenset[str] = frozenset()
    """Fields of `SideInformation` that `restore` cannot do without."""
    published_parameters: int | None = None
    """Size at the `paper` preset, as counted from the authors' network."""
    official_weights: tuple[OfficialWeights, ...] = ()
    own_recipe: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `ndr.run_spec.Recipe` as the authors published them, where they differ from the
    suite's common recipe; the configuration key `recipe: own` takes them at the tier `paper`."""
    slow: bool = False
    """Minutes per image: tiers may evaluate it on a named subset of the images."""

    def __post_init__(self) -> None:
        check_names("task", self.tasks, TASKS)
        if set(self.presets) != set(TIERS):
            raise ValueError(
                f"method {self.name!r}: expected presets for {TIERS}, found {tuple(self.presets)}"
            )


def frozen(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read-only view, for the presets of a class."""
    return MappingProxyType(dict(mapping))
