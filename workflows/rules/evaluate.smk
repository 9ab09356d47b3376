EVALUATE = (
    "{suite.jobs.command:q} -m ndr.evaluate"
    " --spec-json {params.spec:q}"
    " --sets data/sets"
    " {params.checkpoint:q}"
    " --out {output.per_image:q}"
    " --pictures {output.pictures:q}"
    " --provenance {output.provenance:q}"
    " --device {params.device:q}"
)


# Score one run on all its test sets under all protocols. One job per run, because starting a
# process that imports PyTorch costs more than scoring a test set at the small tiers.
rule evaluate_run:
    input:
        sets=lambda wildcards: suite.evaluation_manifests(wildcards.run),
        checkpoint=lambda wildcards: suite.checkpoints(wildcards.run),
        weights=lambda wildcards: suite.fetched_weights(wildcards.run),
        metrics=lambda wildcards: suite.metric_records(wildcards.run),
    output:
        per_image="<results>/evaluations/{run}/per_image.csv",
        provenance="<results>/evaluations/{run}/provenance.json",
        pictures=directory("<results>/evaluations/{run}/pictures"),
    log:
        "<logs>/evaluate/{run}.log",
    benchmark:
        "<benchmarks>/evaluate/{run}.jsonl"
    threads: suite.cpu_threads
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
        gpu=suite.jobs.gpus,
    params:
        spec=lambda wildcards: suite.evaluation(wildcards.run).canonical_json(),
        source=lambda wildcards: suite.evaluation_fingerprint(wildcards.run),
        device=suite.config.device,
        checkpoint=lambda wildcards: suite.checkpoint_option(wildcards.run),
    shell:
        # Where memory runs out the system kills the process without a word: the table says it then.
        "%s > {log:q} 2>&1 || {{ [ $? -eq 137 ] && %s --killed >> {log:q} 2>&1; }}"
        % (EVALUATE, EVALUATE)
