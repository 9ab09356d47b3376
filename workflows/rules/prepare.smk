# Check the photographs of a set, or synthesise its degraded images, and write its manifest.
rule prepare_set:
    input:
        lambda wildcards: suite.prepared_from(wildcards.set),
    output:
        manifest="<sets>/{set}/manifest.csv",
    log:
        "logs/prepare/{set}.log",
    benchmark:
        "benchmarks/prepare/{set}.jsonl"
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        identity=lambda wildcards: suite.set_identity(wildcards.set),
        source=source_fingerprint("ndr.data.prepare"),
        options=lambda wildcards: suite.prepare_options(wildcards.set),
    shell:
        "python -m ndr.data.prepare"
        " --set {wildcards.set:q}"
        " --catalogue config/datasets.yaml"
        " --sets data/sets"
        " {params.options:q}"
        " {suite.mirror_options:q}"
        " > {log:q} 2>&1"
