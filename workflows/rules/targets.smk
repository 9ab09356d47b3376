# Names to ask for: `snakemake --cores all table_11`. They are rules of their own: some
# hundred cost 0.1 s of every call, while a rule with wildcards would need a file for each name.
from workflows.targets import ablation_targets, cell_targets
from workflows.targets import reference_runs

for table in suite.plan.all_tables:

    rule:
        name:
            table
        input:
            f"<results>/tables/{table}.json",


# Each run by its id, each ablation by its label, each cell by table, method and test set, and the
# runs that a committed reference of metrics holds: docs/reviewers.md shows them.
named_runs = {
    **{run: [run] for run in suite.plan.evaluations},
    **ablation_targets(suite.plan),
    **cell_targets(suite.plan),
    "reference_runs": reference_runs(ROOT / "reports" / "reference" / suite.tier),
}

for target, runs in named_runs.items():

    rule:
        name:
            target
        input:
            [f"<results>/evaluations/{run}/per_image.csv" for run in runs],
