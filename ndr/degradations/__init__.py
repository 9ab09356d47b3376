"""Seeded synthesis of degradations, NumPy and SciPy only."""
