"""The compared systems, one file each, found by scanning this package."""
