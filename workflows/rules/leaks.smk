# Look for test images of the tier in its training sets, and for repeated scenes.
rule scan_leaks:
    input:
        suite.leak_manifests,
    output:
        "<results>/leaks.json",
    log:
        "<logs>/leaks.log",
    benchmark:
        "<benchmarks>/leaks.jsonl"
    threads: 4
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        train=suite.leak_train_sets,
        test=suite.leak_sets(suite.plan.evaluations),
        source=source_fingerprint("ndr.data.leaks.__main__"),
    shell:
        "python -m ndr.data.leaks"
        " --sets data/sets"
        " --cache data/cache/thumbnails"
        " --train {params.train:q}"
        " --test {params.test:q}"
        " --workers {threads}"
        " --out {output:q}"
        " > {log:q} 2>&1"
