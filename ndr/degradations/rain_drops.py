"""Physics of rain drops: how large, how fast, how many, how they wobble.

References: Marshall and Palmer, J. Meteorology 1948; Atlas, Srivastava and Sekhon, Reviews of
Geophysics 1973; Garg and Nayar, TOG 2006 (oscillation).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SMALLEST_DIAMETER, LARGEST_DIAMETER = 0.5, 5.0
"""Limits of the drop diameter in mm: below, drops are drizzle; above, they break up."""
INTERCEPT = 8000.0
"""Marshall and Palmer's N0 in drops per cubic metre and mm of diameter."""
SURFACE_TENSION, WATER_DENSITY = 0.0728, 998.0
"""Water at 20 degrees Celsius, in N/m and kg/m^3."""
QUADRATURE_NODES = 32
"""Gauss-Legendre nodes for means over the sizes: exact to ten digits for speeds and areas."""


def size_slope(rate: float) -> float:
    """Marshall-Palmer slope 4.1 R^(-0.21) in 1/mm for a rain rate R in mm/h.

    >>> round(size_slope(1.0), 3)
    4.1
    """
    if not rate > 0:
        raise ValueError(f"rain: expected a rate above 0 mm/h, found {rate!r}")
    return 4.1 * rate**-0.21


def drop_diameters(rate: float, count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw drop diameters in mm, density proportional to exp(-4.1 R^(-0.21) D) on 0.5..5 mm.

    They come by inversion of the truncated distribution function.

    >>> sizes = drop_diameters(25.0, 1000, np.random.default_rng(0))
    >>> bool(sizes.min() >= 0.5) and bool(sizes.max() <= 5.0)
    True
    """
    slope = size_slope(rate)
    mass = -np.expm1(-slope * (LARGEST_DIAMETER - SMALLEST_DIAMETER))
    return SMALLEST_DIAMETER - np.log1p(-mass * generator.random(count)) / slope


def spectrum_mean(quantity: Callable[[np.ndarray], np.ndarray], rate: float) -> float:
    """Mean, over the drops that `drop_diameters` draws, of a smooth function of their diameters.

    >>> round(spectrum_mean(lambda diameter: diameter, 10.0), 3)  # mm
    0.896
    """
    nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE_NODES)
    half = 0.5 * (LARGEST_DIAMETER - SMALLEST_DIAMETER)
    diameter = SMALLEST_DIAMETER + half * (nodes + 1)
    weights = weights * np.exp(-size_slope(rate) * (diameter - SMALLEST_DIAMETER))
    return float(np.sum(weights * quantity(diameter)) / np.sum(weights))


def drop_concentration(rate: float) -> float:
    """Drops of 0.5..5 mm in a cubic metre of air: N0 exp(-slope D) integrated over D.

    >>> round(drop_concentration(10.0))
    894
    """
    slope = size_slope(rate)
    ends = np.exp(-slope * SMALLEST_DIAMETER) - np.exp(-slope * LARGEST_DIAMETER)
    return float(INTERCEPT / slope * ends)


def fall_speed(diameter: np.ndarray) -> np.ndarray:
    """Terminal speed in m/s for diameters in mm: 9.65 - 10.3 exp(-0.6 D) (Atlas et al. 1973).

    >>> fall_speed(np.array([1.0, 5.0])).round(2).tolist()
    [4.0, 9.14]
    """
    return 9.65 - 10.3 * np.exp(-0.6 * diameter)


def oscillation_frequency(diameter: np.ndarray) -> np.ndarray:
    """Frequency in Hz of a drop's lowest shape oscillation (Rayleigh 1879), diameters in mm.

    f = sqrt(8 gamma / (rho r^3)) / (2 pi). It is what speckles a long streak.

    >>> oscillation_frequency(np.array([1.0, 2.0])).round().tolist()
    [344.0, 122.0]
    """
    radius = np.asarray(diameter) * 0.5e-3
    return np.sqrt(8 * SURFACE_TENSION / (WATER_DENSITY * radius**3)) / (2 * np.pi)
