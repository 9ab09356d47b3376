"""The paper's own numbers, checked against each other."""
