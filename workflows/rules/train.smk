# A run that the suite has trained and ships: its files as a training leaves them.
rule shipped_run:
    input:
        lambda wildcards: suite.shipped_file(wildcards.run),
    output:
        checkpoint="<results>/runs/{run}/checkpoint.safetensors",
        curve="<results>/runs/{run}/curve.csv",
        representation="<results>/runs/{run}/representation.safetensors",
        provenance="<results>/runs/{run}/provenance.json",
    log:
        "<logs>/shipped/{run}.log",
    wildcard_constraints:
        run=suite.shipped_pattern,
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        spec=lambda wildcards: suite.training(wildcards.run).canonical_json(),
        source=source_fingerprint("ndr.shipped_weights"),
    shell:
        "python -m ndr.shipped_weights"
        " --spec-json {params.spec:q}"
        " --weights weights"
        " --checkpoint {output.checkpoint:q}"
        " --curve {output.curve:q}"
        " --representation {output.representation:q}"
        " --provenance {output.provenance:q}"
        " > {log:q} 2>&1"


ruleorder: shipped_run > train_run


# Train one run. Its resume state is no output on purpose: Snakemake deletes outputs before a job
# and after a crash, and with them the progress.
rule train_run:
    input:
        lambda wildcards: suite.training_manifests(wildcards.run),
    output:
        checkpoint="<results>/runs/{run}/checkpoint.safetensors",
        curve="<results>/runs/{run}/curve.csv",
        representation="<results>/runs/{run}/representation.safetensors",
        provenance="<results>/runs/{run}/provenance.json",
    log:
        "<logs>/train/{run}.log",
    benchmark:
        "<benchmarks>/train/{run}.jsonl"
    threads: suite.cpu_threads * suite.jobs.training_processes
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.training_memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.training_minutes(
            wildcards.run, attempt
        ),
        gpu=suite.jobs.training_gpus,
    params:
        spec=lambda wildcards: suite.training(wildcards.run).canonical_json(),
        source=lambda wildcards: suite.training_fingerprint(wildcards.run),
        device=suite.config.device,
    shell:
        "{suite.jobs.training_command:q} -m ndr.train"
        " --spec-json {params.spec:q}"
        " --source-fingerprint {params.source:q}"
        " --sets data/sets"
        " --checkpoint {output.checkpoint:q}"
        " --curve {output.curve:q}"
        " --representation {output.representation:q}"
        " --provenance {output.provenance:q}"
        " --resume resume"
        " --device {params.device:q}"
        " > {log:q} 2>&1"
