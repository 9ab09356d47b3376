# From clean photographs to every table of the paper:
#
#   snakemake --cores all reports/all_tables.html
#
# What runs is worked out in workflows/planning.py from config/; the rules only carry it out.
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version
from workflows.job_lines import watch
from workflows.one_run import run_alone
from workflows.warm_start import warm_up

min_version("9.27")

# The Snakefile itself may be a link.
if Path(workflow.main_snakefile).absolute().parent.resolve() != Path.cwd().resolve():
    raise WorkflowError(
        "run snakemake in the folder of the suite: --directory is not supported"
    )


configfile: "config/config.yaml"


include: "workflows/rules/plan.smk"


# It stands here because a default target inside an included file counts for nothing.
rule all:
    default_target: True
    input:
        "reports/all_tables.html",


include: "workflows/rules/fetch.smk"
include: "workflows/rules/prepare.smk"
include: "workflows/rules/weights.smk"
include: "workflows/rules/leaks.smk"
include: "workflows/rules/train.smk"
include: "workflows/rules/evaluate.smk"
include: "workflows/rules/represent.smk"
include: "workflows/rules/summarise.smk"
include: "workflows/rules/claims.smk"
include: "workflows/rules/sensitivity.smk"
include: "workflows/rules/figures.smk"
include: "workflows/rules/render.smk"
include: "workflows/rules/targets.smk"


# One line per job on the screen; the whole text is in Snakemake's log.
job_lines = watch(workflow, suite.tier, closing)
run_alone(workflow)


onstart:
    # Snakemake's limit of new jobs starts a timer in each round of its scheduler, and each timer
    # starts a round: all waiting jobs are looked at once a second for each job that has finished,
    # 45 s of processor time for 500 jobs where 11 s do without. No option turns the limit off, and
    # `--max-jobs-per-timespan 100000/10s`, 18 s, makes each call wait 10 s for its last timer.
    # Jobs that run here are limited by the cores.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
        if suite.plan.tier.warm_start:
            warm_up(shell)


onsuccess:
    if job_lines is not None:
        job_lines.close_run()


onerror:
    print(
        "Some jobs failed; their logs are named above. What finished is kept: run again to go on."
    )
