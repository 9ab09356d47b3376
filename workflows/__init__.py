"""What Snakemake runs: the configuration, the plan, and the rules."""
