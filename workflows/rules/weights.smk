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
