# Means, differences to the paper and marks of one table, in four formats.
rule summarise_table:
    input:
        lambda wildcards: suite.table_results(wildcards.table),
    output:
        json="<results>/tables/{table}.json",
        csv=report(
            "<results>/tables/{table}.csv",
            category="Tables",
            labels={"table": "{table}"},
        ),
        md="<results>/tables/{table}.md",
        tex="<results>/tables/{table}.tex",
    log:
        "<logs>/summarise/{table}.log",
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        plan=lambda wildcards: suite.table(wildcards.table).canonical_json(),
        results=lambda wildcards: suite.results,
        source=suite.table_fingerprint,
    shell:
        "python -m reports.summarise"
        " --table-json {params.plan:q}"
        " --results {params.results:q}"
        " --out-json {output.json:q}"
        " --out-csv {output.csv:q}"
        " --out-md {output.md:q}"
        " --out-tex {output.tex:q}"
        " > {log:q} 2>&1"


# Time in turns the networks whose seconds the paper's text compares, and count their numbers.
rule time_networks:
    output:
        "<results>/network_costs.json",
    log:
        "<logs>/summarise/network_costs.log",
    threads: suite.cpu_threads
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
        gpu=suite.jobs.gpus,
    params:
        tier=lambda wildcards: suite.plan.rows.training_tier,
        rounds=lambda wildcards: suite.timed_rounds,
        device=suite.config.device,
        source=source_fingerprint(
            "ndr.time_networks", "ndr.network.method", "baselines.all_in_one.airnet"
        ),
    shell:
        "python -m ndr.time_networks"
        " --tier {params.tier:q}"
        " --rounds {params.rounds}"
        " --cpu-threads {threads}"
        " --device {params.device:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"


# Count the learned numbers of the method and of its ablations at the paper's width.
rule count_parameters:
    output:
        "<results>/parameter_counts.json",
    log:
        "<logs>/summarise/parameter_counts.log",
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        source=source_fingerprint("ndr.network.parameter_counts"),
    shell:
        "python -m ndr.network.parameter_counts --out {output:q} > {log:q} 2>&1"
