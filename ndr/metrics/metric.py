"""How large a change has to be before it may count."""

from __future__ import annotations

from types import MappingProxyType

FLOORS = MappingProxyType({"PSNR": 0.02, "SSIM": 0.0005})
"""Smallest fall of a mean that can be a regression, by metric, in the metric's unit. A metric that
is not here (those without reference) is not compared."""
