# Bring the weights that a method's authors publish. What cannot be had is written down, not an
# error: the cell then says which file is missing and where it is published.
rule fetch_weights:
    output:
        "data/weights/{method}__{weights}.json",
    log:
        "logs/weights/{method}__{weights}.log",
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        facts=lambda wildcards: suite.weights_facts(wildcards.method, wildcards.weights),
        options=lambda wildcards: suite.weights_options,
    shell:
        "python -m ndr.fetch_weights"
        " --method {wildcards.method:q}"
        " --weights {wildcards.weights:q}"
        " --folder data/weights"
        " {params.options:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"


# The same for the weights of metrics under accepted terms (docs/add_a_metric.md).
rule fetch_metric_weights:
    output:
        f"{METRIC_WEIGHTS}/{{metric}}.json",
    log:
        "logs/weights/metrics/{metric}.log",
    wildcard_constraints:
        metric="[A-Za-z0-9_+-]+",
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        folder=lambda wildcards: METRIC_WEIGHTS,
        options=lambda wildcards: suite.weights_options,
    shell:
        "python -m ndr.fetch_metric_weights"
        " --metric {wildcards.metric:q}"
        " --folder {params.folder:q}"
        " {params.options:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
