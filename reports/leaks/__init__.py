"""Test images that also stand in a training set, and what they change."""
