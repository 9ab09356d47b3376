# All tables, claims, figures, pictures and quality entries on one page; full crops lie beside it.
rule render_report:
    input:
        tables=suite.report_tables,
        counts="<results>/parameter_counts.json",
        evaluations=suite.report_evaluations,
        claims="<results>/claims.json",
        sensitivity="<results>/sensitivity.json",
        representation=suite.report_representation,
        figures=suite.report_figures,
        leaks="<results>/leaks.json",
    output:
        page=report("reports/all_tables.html", category="Page"),
        assets=directory("reports/assets"),
    log:
        "<logs>/render/all_tables.log",
    resources:
        mem_mb=lambda wildcards, attempt: suite.jobs.memory(attempt),
        runtime=lambda wildcards, attempt: suite.jobs.minutes(attempt),
    params:
        report=lambda wildcards: suite.report_description,
        results=lambda wildcards: suite.results,
        source=suite.page_fingerprint,
    shell:
        "python -m reports.build"
        " --report-json {params.report:q}"
        " --tables {input.tables:q}"
        " --results {params.results:q}"
        " --parameter-counts {input.counts:q}"
        " --claims {input.claims:q}"
        " --sensitivity {input.sensitivity:q}"
        " --representation {input.representation:q}"
        " --figures {input.figures:q}"
        " --leaks {input.leaks:q}"
        " --out {output.page:q}"
        " > {log:q} 2>&1"
