"""What the learned degradations D represent, measured beside controls."""
