# The figures: the paper's from runs of this suite, and the suite's own. One job per figure, so that
# each needs only the runs that it shows. Two rules, because pictures are no SVG.
rule draw_pictures:
    input:
        lambda wildcards: suite.figure_inputs(wildcards.figure),
    output:
        png=report(
            "<results>/figures/{figure}.png",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        dark="<results>/figures/{figure}_dark.png",
        json="<results>/figures/{figure}.json",
    log:
        "<logs>/figures/{figure}.log",
    wildcard_constraints:
        figure="|".join(n for n, f in suite.figures.items() if not f.has_svg),
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        plan=lambda wildcards: suite.figures[wildcards.figure].canonical_json(),
        results=lambda wildcards: suite.results,
        source=lambda wildcards: suite.figure_fingerprint(wildcards.figure),
    shell:
        "python -m reports.figures.draw"
        " --figure-json {params.plan:q}"
        " --results {params.results:q}"
        " --out-png {output.png:q}"
        " --out-dark {output.dark:q}"
        " --out-json {output.json:q}"
        " > {log:q} 2>&1"


rule draw_plot:
    input:
        lambda wildcards: suite.figure_inputs(wildcards.figure),
    output:
        png=report(
            "<results>/figures/{figure}.png",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        svg="<results>/figures/{figure}.svg",
        dark="<results>/figures/{figure}_dark.svg",
        json="<results>/figures/{figure}.json",
    log:
        "<logs>/figures/{figure}.log",
    wildcard_constraints:
        figure="|".join(n for n, f in suite.figures.items() if f.has_svg),
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        plan=lambda wildcards: suite.figures[wildcards.figure].canonical_json(),
        results=lambda wildcards: suite.results,
        source=lambda wildcards: suite.figure_fingerprint(wildcards.figure),
    shell:
        "python -m reports.figures.draw"
        " --figure-json {params.plan:q}"
        " --results {params.results:q}"
        " --out-png {output.png:q}"
        " --out-svg {output.svg:q}"
        " --out-dark {output.dark:q}"
        " --out-json {output.json:q}"
        " > {log:q} 2>&1"


# Modules of the network and the shapes between them, for the drawings of the architecture.
rule trace_network:
    output:
        "<results>/network_layout.json",
    log:
        "<logs>/figures/network_layout.log",
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        spec=lambda wildcards: suite.drawn_network,
        source=source_fingerprint("ndr.network.layout"),
    shell:
        "python -m ndr.network.layout"
        " --spec-json {params.spec:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"


# Names to ask for: `snakemake --cores all figure_07`.
for figure in suite.figures:

    rule:
        name:
            figure
        input:
            f"<results>/figures/{figure}.json",
