"""Layers that NDR-Restore and compared systems share."""
