# What the representation D of a trained run stands for: numbers with controls, and the maps that
# figures show.
rule represent_run:
    input:
        sets=lambda wildcards: suite.evaluation_manifests(wildcards.run),
        checkpoint=lambda wildcards: suite.checkpoints(wildcards.run),
        snapshots="<results>/runs/{run}/representation.safetensors",
    output:
        json="<results>/representation/{run}.json",
        npz="<results>/representation/{run}.npz",
    log:
        "<logs>/represent/{run}.log",
    benchmark:
        "<benchmarks>/represent/{run}.jsonl"
    threads: suite.cpu_threads
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
        gpu=suite.jobs.gpus,
    params:
        spec=lambda wildcards: suite.evaluation(wildcards.run).canonical_json(),
        source=lambda wildcards: suite.representation_fingerprint(wildcards.run),
        images=lambda wildcards: suite.figure_images(wildcards.run),
        device=suite.config.device,
    shell:
        "{suite.jobs.command:q} -m ndr.represent"
        " --spec-json {params.spec:q}"
        " --sets data/sets"
        " --checkpoint {input.checkpoint:q}"
        " --representation {input.snapshots:q}"
        " --figure-images {params.images}"
        " --out-json {output.json:q}"
        " --out-npz {output.npz:q}"
        " --device {params.device:q}"
        " > {log:q} 2>&1"
