# `make tables` and `make test` set up what they need, then do their work.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
CORES ?= all
TIER ?= quick
REMOTE ?=
AGAINST ?=
MIRROR ?=
DIR ?=
ADDRESS ?=
YES ?=
UPGRADE ?=
# What is given reaches the commands by the environment: neither make nor a shell reads it again.
REFERENCE_TIER := $(if $(filter command line environment,$(origin TIER)),$(value TIER),smoke)
override CORES := $(value CORES)
override TIER := $(value TIER)
override REMOTE := $(value REMOTE)
override AGAINST := $(value AGAINST)
override MIRROR := $(value MIRROR)
override DIR := $(value DIR)
override ADDRESS := $(value ADDRESS)
export CORES TIER REMOTE AGAINST MIRROR DIR ADDRESS REFERENCE_TIER

.PHONY: tables published publish test bench gpu-check snapshot restore trained-weights reference-runs check-regression kills update-reference coverage lint format lock clean

tables: $(INSTALLED)  ## the report at the default tier: reports/all_tables.html
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores "$$CORES" reports/all_tables.html

# What the report of the tier small stands on, for git: published/small/ and the README's table.
# MIRROR: as below.
published: $(INSTALLED)  ## every table and value of the public test sets: make published MIRROR=/data
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m reports.archive --show-in=README.md --cores "$$CORES" $${MIRROR:+--mirror="$$MIRROR"}

# ADDRESS: where the folder will be found, for the picture that links to it show.
publish: $(INSTALLED)  ## the report as a folder for any static host: make publish DIR=public
	$(BIN)/python -m reports.publish --out="$${DIR:?give the folder: make publish DIR=public}" $${ADDRESS:+--address="$$ADDRESS"}

test: $(INSTALLED)  ## all checks: formatting, lint, tests
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m workflows.lint
	OMP_NUM_THREADS=1 PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# AGAINST is a git revision to compare with, in place of the straightforward formulation of each method
bench: $(INSTALLED)  ## speed and memory of the networks, and seconds of all methods, before and after
	$(BIN)/python -m bench.method_speed $${AGAINST:+--against="$$AGAINST"}
	$(BIN)/python -m bench.ndr_step

gpu-check: $(INSTALLED)  ## ten minutes on a card: does it compute the same, how fast? writes gpu_check.json
	$(BIN)/python -m bench.gpu_check

# REMOTE is a folder, an address (s3://bucket/path) or a configured DVC remote: docs/storage.md
snapshot: $(INSTALLED)  ## store what a tier has finished: make snapshot TIER=quick REMOTE=/mnt/lab/ndr
	$(BIN)/python -m workflows.storage.snapshot --tier="$$TIER" $${REMOTE:+--remote="$$REMOTE"}

restore: $(INSTALLED)  ## bring it back in another clone: make restore TIER=quick REMOTE=/mnt/lab/ndr
	$(BIN)/python -m workflows.storage.restore --tier="$$TIER" $${REMOTE:+--remote="$$REMOTE"}

# A training that is ended (Ctrl-C) goes on with the next call. MIRROR: a folder with the public sets.
trained-weights: $(INSTALLED)  ## train what weights/ lacks, the most telling runs first: make trained-weights CORES=2
	PATH="$(CURDIR)/$(BIN):$$PATH" nice -n 19 python -m workflows.trained_weights --cores "$$CORES" $${MIRROR:+--mirror="$$MIRROR"}

# The reference is of the tier smoke; another one that has a runs.yaml: TIER=quick. docs/regression.md
reference-runs: $(INSTALLED)
	PATH="$(CURDIR)/$(BIN):$$PATH" snakemake --cores "$$CORES" reference_runs --config tier="$$REFERENCE_TIER"

check-regression: reference-runs  ## have the metrics got worse? writes regression.md
	$(BIN)/python -m reports.check_regression --new="results/$$REFERENCE_TIER" --reference="reports/reference/$$REFERENCE_TIER" --out regression.md

kills: $(INSTALLED)  ## does a run that is killed five times end like an undisturbed one?
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m tests.force.kills --kills 5 --target ffdnet__denoise__seed_0

update-reference: reference-runs  ## renew the committed metrics: shows what changes and asks (YES=1: does not)
	$(BIN)/python -m reports.update_reference --new="results/$$REFERENCE_TIER" --reference="reports/reference/$$REFERENCE_TIER" $(if $(YES),--yes)

coverage: $(INSTALLED)  ## which lines the tests run: a table, and .cache/coverage/html/index.html
	OMP_NUM_THREADS=1 PATH="$(CURDIR)/$(BIN):$$PATH" python -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-report=html

lint: $(INSTALLED)  ## style, spelling, types and the workflow, of the files that git tracks
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m workflows.lint

format: $(INSTALLED)  ## mend what can be mended
	PATH="$(CURDIR)/$(BIN):$$PATH" python -m workflows.lint --mend

# One environment, made from the lock. Every version is pinned there with the hashes of its files, so
# nothing is resolved. Byte code is written for what is imported: all of it is 380 MB more.
$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0])'
	@! test -L $(VENV) || { echo "$(VENV) is a link, and what it points to would be emptied: remove the link, or call snakemake by itself" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

lock:  ## renew requirements.lock, after a change of pyproject.toml (UPGRADE=1: newest versions)
	$(BIN)/uv pip compile --universal --generate-hashes --all-extras --no-annotate --no-header $(if $(UPGRADE),--upgrade) pyproject.toml --output-file requirements.lock

clean:  ## products of the default tier; other tiers, data sets and resume states stay
	rm -rf results/quick logs/quick benchmarks/quick reports/all_tables.html
