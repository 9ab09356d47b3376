"""What is left to run: hours, downloads and disk, per table."""
