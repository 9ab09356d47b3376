"""The networks of NDR-Restore (paper Sec. III)."""
