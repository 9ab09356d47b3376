"""What every metric asks of pixels before it clips them: clipping would hide that they are none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_values(image: NDArray[Any]) -> None:
    """Refuse what clipping to [0, 1] would turn into black and white.

    Raises:
        TypeError: another type than floating-point, e.g. 8-bit pixels.
        ValueError: NaN or infinity.
    """
    if not np.issubdtype(image.dtype, np.floating):
        raise TypeError(
            f"expected floating-point values in [0, 1], found {image.dtype}; divide 8-bit pixels "
            "by 255"
        )
    bad = image.size - int(np.isfinite(image).sum())
    if bad:
        raise ValueError(
            f"expected numbers, found {bad} value{'s' if bad > 1 else ''} that "
            f"{'are' if bad > 1 else 'is'} not finite"
        )
