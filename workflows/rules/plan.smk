# The configuration becomes the plan: run specs, evaluation specs and table plans by name.
from ndr.source_fingerprint import source_fingerprint
from workflows.configuration import suite_config
from workflows import METRIC_WEIGHTS, ROOT
from workflows.suite import Suite

suite = Suite(suite_config(config))


def closing():
    """The lines that end a run: only then is the report's code loaded."""
    from reports.closing import closing_lines

    return closing_lines(suite, workflow.dag_settings.targets)


pathvars:
    results=f"results/{suite.tier}",
    logs=f"logs/{suite.tier}",
    benchmarks=f"benchmarks/{suite.tier}",
    sets="data/sets",


wildcard_constraints:
    set="[A-Za-z0-9_]+",
    run="[A-Za-z0-9_.-]+",
    table="[a-z0-9_]+",
    method="[a-z0-9_]+?",
    weights="[A-Za-z0-9_.-]+",
