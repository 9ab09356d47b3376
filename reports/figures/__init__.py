"""The figures: the paper's, from runs of this suite, and the suite's own."""
