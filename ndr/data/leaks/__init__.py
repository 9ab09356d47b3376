"""Finding the same photograph in training and test sets: hash, perceptual hash, correlation."""
