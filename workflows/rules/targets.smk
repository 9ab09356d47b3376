# Names to ask for: each table (`snakemake --cores all table_11`) and each run by its id.
for table in suite.table_names:

    rule:
        name:
            table
        input:
            f"<results>/tables/{table}.json",


for run in suite.run_names:

    rule:
        name:
            run
        input:
            f"<results>/evaluations/{run}/per_image.csv",
