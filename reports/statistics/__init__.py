"""How sure the numbers are: intervals over images and scenes, and paired comparisons."""
