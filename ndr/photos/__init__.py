"""Photographs from files of any kind, restored in tiles, and written as they were read."""
