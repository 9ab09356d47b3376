"""Metrics, protocols and the evaluation of one run."""
