"""What is computed from finished results: intervals, comparisons, quality, sensitivity."""
