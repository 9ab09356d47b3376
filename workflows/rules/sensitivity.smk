# What the choice of a protocol, and of a way to add noise, is worth in decibels.
rule compare_choices:
    input:
        suite.evaluation_results(suite.sensitivity.runs),
    output:
        "<results>/sensitivity.json",
    log:
        "<logs>/summarise/sensitivity.log",
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        plan=lambda wildcards: suite.sensitivity.canonical_json(),
        results=lambda wildcards: suite.results,
        source=source_fingerprint("reports.analysis.sensitivity"),
    shell:
        "python -m reports.analysis.sensitivity"
        " --plan-json {params.plan:q}"
        " --results {params.results:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
