"""The page: its sections, and the pictures that they share."""
