"""The paper's printed numbers, and its arithmetic redone."""
