"""What a job is asked: typed, frozen, with a canonical form whose hash is its identity."""
