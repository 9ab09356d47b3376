"""What the learned degradation representation D of NDR-Restore stands for, with controls."""
