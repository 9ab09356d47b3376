"""Restoring photographs from files, whatever their size and format."""
