"""General backbones and all-in-one systems."""
