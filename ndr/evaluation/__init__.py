"""The evaluation of runs: a method with its weights on the images of test sets, and its scores."""
