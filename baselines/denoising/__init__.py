"""Systems for Gaussian denoising."""
