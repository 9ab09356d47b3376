"""The three readings of the method, as named switches of one network.

The paper's equations and the two public releases of its code differ. The sizes that the paper
states are those of the first release.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ndr.nearest_name import check_names


@dataclass(frozen=True, slots=True)
class Variant:
    """What differs between the readings."""

    name: str
    mapping_kernel: int
    """Side of the convolution that maps features for the query (Eq. 1 says 1)."""
    narrow_query: bool
    """The features are first mapped to the width of U, then to M; U has one width at all levels.
    Otherwise they are mapped to M at once, and U has the width of its level."""
    query_temperature: bool
    """A learned factor on the products with D."""
    cp_multiplies_input: bool
    """The CP convolution returns its input times the low-rank product, not the product (Eq. 6)."""
    cp_residual: bool
    """... plus its input."""
    learned_affine: bool
    """Scale and shift are 1x1 convolutions of CP(U); otherwise both are CP(U) itself (Eq. 7)."""
    restore_residuals: int
    """How often F is added to the injected feature in NDR-Restore."""
    degrade_residuals: int
    """The same in NDR-Degrad."""
    image_residual: bool
    """NDR-Restore predicts the difference to its input. NDR-Degrad always does."""


_FIRST_RELEASE = Variant(
    name="first_release",
    mapping_kernel=3,
    narrow_query=True,
    query_temperature=True,
    cp_multiplies_input=True,
    cp_residual=True,
    learned_affine=True,
    restore_residuals=2,
    degrade_residuals=1,
    image_residual=True,
)
_CURRENT_RELEASE = replace(
    _FIRST_RELEASE,
    name="current_release",
    cp_residual=False,
    restore_residuals=0,
    degrade_residuals=0,
    image_residual=False,
)
# The paper does not say whether the image is added to the output. Its backbone, Restormer, and the
# code behind its tables do that.
_EQUATIONS = Variant(
    name="equations",
    mapping_kernel=1,
    narrow_query=False,
    query_temperature=False,
    cp_multiplies_input=False,
    cp_residual=False,
    learned_affine=False,
    restore_residuals=1,
    degrade_residuals=1,
    image_residual=True,
)
VARIANTS = {each.name: each for each in (_FIRST_RELEASE, _CURRENT_RELEASE, _EQUATIONS)}


def variant_named(name: str) -> Variant:
    """Look up a variant; raises `UnknownNameError` with the nearest names."""
    check_names("variant", [name], VARIANTS)
    return VARIANTS[name]
