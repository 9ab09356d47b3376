# Score one run on all its test sets under all protocols. One job per run, because starting a
# process that imports PyTorch costs more than scoring a test set at the small tiers.
rule evaluate_run:
    input:
        sets=suite.evaluation_manifests,
        checkpoint=suite.checkpoints,
        weights=suite.fetched_weights,
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
        gpu=suite.gpus,
    params:
        spec=suite.evaluation_spec,
        source=suite.evaluation_fingerprint,
        device=suite.device,
        checkpoint=suite.checkpoint_option,
    shell:
        "python -m ndr.evaluate"
        " --spec-json {params.spec:q}"
        " --sets data/sets"
        " {params.checkpoint:q}"
        " --out {output.per_image:q}"
        " --pictures {output.pictures:q}"
        " --provenance {output.provenance:q}"
        " --device {params.device:q}"
        " > {log:q} 2>&1"
