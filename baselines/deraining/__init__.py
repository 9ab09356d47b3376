"""Methods that remove rain."""
