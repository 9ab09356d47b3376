# What the representation D of a trained run stands for: numbers with controls, and the maps that
# figures show.
rule represent_run:
    input:
        sets=suite.evaluation_manifests,
        checkpoint=suite.checkpoints,
        snapshots=suite.representation.snapshots,
    output:
        json="<results>/representation/{run}.json",
        npz="<results>/representation/{run}.npz",
    log:
        "<logs>/represent/{run}.log",
    benchmark:
        "<benchmarks>/represent/{run}.jsonl"
    threads: suite.cpu_threads
    resources:
        gpu=suite.gpus,
    params:
        spec=suite.evaluation_spec,
        source=suite.representation.fingerprint,
        images=suite.representation.figure_images,
        device=suite.device,
    shell:
        "python -m ndr.represent"
        " --spec-json {params.spec:q}"
        " --sets data/sets"
        " --checkpoint {input.checkpoint:q}"
        " --representation {input.snapshots:q}"
        " --figure-images {params.images}"
        " --out-json {output.json:q}"
        " --out-npz {output.npz:q}"
        " --device {params.device:q}"
        " > {log:q} 2>&1"
