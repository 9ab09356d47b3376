"""Super-resolution by 2 (Table IV)."""
