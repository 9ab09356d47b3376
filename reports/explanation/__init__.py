"""Where one number of a table comes from, and how to make it again."""
