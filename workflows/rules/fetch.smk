# Bring a published set to this machine: from a mirror, or downloaded, verified and unpacked.
# No `retries:`: the command itself waits and tries again, and a set that only the user can fetch
# would ask for it several times. No source fingerprint: checksums say whether a file is right,
# code does not. Mirrors and accepted terms are no parameters either: accepting one more licence
# would fetch, prepare and train everything again. The archives in data/downloads are no outputs,
# because Snakemake would delete half of one.
rule fetch_set:
    output:
        fetched="data/originals/{set}/fetched.json",
    log:
        "logs/fetch/{set}.log",
    benchmark:
        "benchmarks/fetch/{set}.jsonl"
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        downloads=lambda wildcards: suite.downloads(wildcards.set),
    shell:
        "python -m ndr.data.fetch"
        " --set {wildcards.set:q}"
        " --catalogue config/datasets.yaml"
        " --originals data/originals"
        " --downloads data/downloads"
        " --done {output.fetched:q}"
        " {suite.fetch_options:q}"
        " > {log:q} 2>&1"
