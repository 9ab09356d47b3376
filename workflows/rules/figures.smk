# The figures: the paper's from runs of this suite, and the suite's own. One job per figure, so that
# each needs only the runs that it shows. Two rules, because pictures are no SVG.
rule draw_pictures:
    input:
        suite.figures.inputs,
    output:
        png=report(
            "<results>/figures/{figure}.png",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        json="<results>/figures/{figure}.json",
    log:
        "<logs>/figures/{figure}.log",
    wildcard_constraints:
        figure="|".join(suite.figures.pictures),
    params:
        plan=suite.figures.plan,
        results=suite.results_folder,
        source=suite.figures.fingerprint,
    shell:
        "python -m reports.figures.draw"
        " --figure-json {params.plan:q}"
        " --results {params.results:q}"
        " --out-png {output.png:q}"
        " --out-json {output.json:q}"
        " > {log:q} 2>&1"


rule draw_plot:
    input:
        suite.figures.inputs,
    output:
        png=report(
            "<results>/figures/{figure}.png",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        svg="<results>/figures/{figure}.svg",
        json="<results>/figures/{figure}.json",
    log:
        "<logs>/figures/{figure}.log",
    wildcard_constraints:
        figure="|".join(suite.figures.plots),
    params:
        plan=suite.figures.plan,
        results=suite.results_folder,
        source=suite.figures.fingerprint,
    shell:
        "python -m reports.figures.draw"
        " --figure-json {params.plan:q}"
        " --results {params.results:q}"
        " --out-png {output.png:q}"
        " --out-svg {output.svg:q}"
        " --out-json {output.json:q}"
        " > {log:q} 2>&1"


# Modules of the network and the shapes between them, for the drawings of the architecture.
rule trace_network:
    output:
        "<results>/network_layout.json",
    log:
        "<logs>/figures/network_layout.log",
    params:
        spec=suite.figures.network_spec,
        source=suite.fingerprint("ndr.network.layout"),
    shell:
        "python -m ndr.network.layout"
        " --spec-json {params.spec:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"


# Names to ask for: `snakemake --cores all figure_07`.
for figure in suite.figures.names:

    rule:
        name:
            figure
        input:
            f"<results>/figures/{figure}.json",
