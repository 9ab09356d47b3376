"""NDR-Restore, its degradations, data, training and evaluation (Yao et al., IEEE TIP 2024)."""

__version__ = "0.1.0"
