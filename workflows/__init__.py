"""From the configuration to what Snakemake runs; and where things lie in a checkout."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout of this code; a workflow's products lie in the folder that it runs in."""
SETS = "data/sets"
"""Prepared sets."""
ORIGINALS = "data/originals"
"""Published sets as they are unpacked."""
DOWNLOADS = "data/downloads"
WEIGHTS = "data/weights"
"""Weights that methods' authors publish."""
METRIC_WEIGHTS = f"{WEIGHTS}/metrics"
"""Weights of metrics, and the records of their fetching."""
