"""Filled tables: how they are assembled, marked, written and exported."""
