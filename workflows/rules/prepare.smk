# Check the photographs of a set, or synthesise its degraded images, and write its manifest.
rule prepare_set:
    input:
        suite.prepared_from,
    output:
        manifest="<sets>/{set}/manifest.csv",
    log:
        "logs/prepare/{set}.log",
    benchmark:
        "benchmarks/prepare/{set}.jsonl"
    params:
        identity=suite.set_identity,
        source=suite.fingerprint("ndr.data.prepare"),
        options=suite.prepare_options,
    shell:
        "python -m ndr.data.prepare"
        " --set {wildcards.set:q}"
        " --catalogue config/datasets.yaml"
        " --sets data/sets"
        " {params.options:q}"
        " {suite.mirror_options:q}"
        " > {log:q} 2>&1"
