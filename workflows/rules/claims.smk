# What the paper claims, judged on the values behind the report's tables.
rule judge_claims:
    input:
        suite.report_evaluations,
        suite.claims_representation,
        claims="config/claims.yaml",
        tables=suite.report_tables,
        counts="<results>/parameter_counts.json",
        costs="<results>/network_costs.json",
    output:
        "<results>/claims.json",
    log:
        "<logs>/summarise/claims.log",
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        results=lambda wildcards: suite.results,
        source=suite.claims_fingerprint,
    shell:
        "python -m reports.judge_claims"
        " --claims {input.claims:q}"
        " --tables {input.tables:q}"
        " --results {params.results:q}"
        " --parameter-counts {input.counts:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
