"""What the degradation representation holds: its file, findings and drawings."""
