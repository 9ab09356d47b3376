# All tables, pictures and quality entries on one self-contained page.
rule render_report:
    input:
        tables=suite.report_tables,
        counts="<results>/parameter_counts.json",
        evaluations=suite.report_evaluations,
        leaks="<results>/leaks.json",
    output:
        "reports/all_tables.html",
    log:
        "<logs>/render/all_tables.log",
    params:
        report=suite.report_description,
        results=suite.results_folder,
        source=suite.report_fingerprint,
    shell:
        "python -m reports.build"
        " --report-json {params.report:q}"
        " --tables {input.tables:q}"
        " --results {params.results:q}"
        " --parameter-counts {input.counts:q}"
        " --leaks {input.leaks:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
