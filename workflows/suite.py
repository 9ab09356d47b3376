"""What the rules ask: the plan, answered per wildcard."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from ndr.data.catalogue import Catalogue, FolderSet, load_catalogue
from ndr.fetch_weights import official_weights
from ndr.nearest_name import unknown_name
from ndr.registry import method_class
from ndr.source_fingerprint import source_fingerprint
from ndr.specs.sensitivity_plan import SensitivityPlan
from workflows.configuration import SuiteConfig
from workflows.planning import (
    Plan,
    make_plan,
    sets_of_evaluation,
    sets_of_training,
)
from workflows.report_parts import (
    FigureJobs,
    RepresentationJobs,
    fingerprint_with_files,
    sensitivity_plan,
)

ROOT = Path(__file__).resolve().parent.parent
SETS = "data/sets"
ORIGINALS = "data/originals"
WEIGHTS = "data/weights"


def _manifest(set_name: str) -> str:
    return f"{SETS}/{set_name}/manifest.csv"


class Suite:
    """One configuration's plan in the shape that Snakemake's rules take.

    The methods with `wildcards` are input and parameter functions. Parameters decide what
    re-runs, so each is canonical text: equal content, equal text.
    """

    def __init__(self, config: SuiteConfig) -> None:
        self.config = config
        self.catalogue: Catalogue = load_catalogue(ROOT / "config" / "datasets.yaml")
        self.plan: Plan = make_plan(config, self.catalogue)
        self.results = f"results/{config.tier}"
        self.figures = FigureJobs(self.plan, self.results, self._evaluation_results)
        self.representation = RepresentationJobs(self.plan, self.results)

    @property
    def tier(self) -> str:
        """Name of the budget; part of every result's path."""
        return self.config.tier

    def results_folder(self, wildcards: Any) -> str:
        """Folder of the tier's results."""
        return self.results

    @property
    def device(self) -> str:
        """`auto`, `cpu` or `cuda`."""
        return self.config.device

    @property
    def cpu_threads(self) -> int:
        """Threads of one training or evaluation."""
        return self.plan.tier.cpu_threads

    @functools.cached_property
    def gpus(self) -> int:
        """GPUs that a job asks for: one where it will use one."""
        import torch

        if self.config.device == "cpu":
            return 0
        return int(self.config.device == "cuda" or torch.cuda.is_available())

    @property
    def table_names(self) -> list[str]:
        """All tables of the suite."""
        return list(self.plan.all_tables)

    @property
    def run_names(self) -> list[str]:
        """All runs of the suite, the controls' included."""
        return list(self.plan.evaluations)

    @staticmethod
    def fingerprint(module: str) -> str:
        """Hash of a module's code and of what it imports here."""
        return source_fingerprint(module)

    def prepared_from(self, wildcards: Any) -> list[str]:
        """What a set is prepared from: manifests of other sets, or the record of its fetching."""
        if isinstance(self.catalogue.entry(wildcards.set), FolderSet):
            return [f"{ORIGINALS}/{wildcards.set}/fetched.json"]
        return [_manifest(name) for name in self.catalogue.entry(wildcards.set).made_from]

    def downloads(self, wildcards: Any) -> str:
        """Downloads and terms of a published set, as canonical JSON."""
        entry = self.catalogue.entry(wildcards.set)
        downloads = [download.model_dump(mode="json") for download in entry.downloads]
        return json.dumps({"downloads": downloads, "terms": entry.terms}, sort_keys=True)

    @property
    def fetch_options(self) -> list[str]:
        """Options of fetching: mirrors, accepted terms, and the leave to be partial."""
        options = [o for mirror in self.config.data_mirrors for o in ("--mirror", mirror)]
        if self.config.accepted_terms:
            options += ["--accept-terms", *self.config.accepted_terms]
        return options + (["--partial"] if self._partial_allowed else [])

    @property
    def _partial_allowed(self) -> bool:
        allowed = self.config.allow_partial_sets
        return self.plan.tier.allow_partial_sets if allowed is None else allowed

    def set_identity(self, wildcards: Any) -> str:
        """Identity of a set."""
        return self.catalogue.identity(wildcards.set, self.config.suite_seed)

    @property
    def mirror_options(self) -> list[str]:
        """Folders to look for published sets in.

        They are no parameter of the rule: where a set lies changes no pixel of it, and a clone on
        another machine would prepare and train everything again.
        """
        folders = [mirror for mirror in self.config.data_mirrors if Path(mirror).is_dir()]
        return [option for folder in folders for option in ("--mirror", folder)]

    def prepare_options(self, wildcards: Any) -> list[str]:
        """Options of the preparation; the leave to be partial only where it can matter."""
        options = ["--suite-seed", str(self.config.suite_seed)]
        if isinstance(self.catalogue.entry(wildcards.set), FolderSet):
            options += ["--originals", ORIGINALS]
            if self._partial_allowed:
                options.append("--partial")
        return options

    def _training(self, run: str) -> Any:
        if run not in self.plan.runs:
            raise unknown_name("run", run, self.plan.runs)
        return self.plan.runs[run]

    def _evaluation(self, run: str) -> Any:
        if run not in self.plan.evaluations:
            raise unknown_name("run", run, self.plan.evaluations)
        return self.plan.evaluations[run]

    def training_manifests(self, wildcards: Any) -> list[str]:
        """Manifests of the sets that a training reads."""
        return [_manifest(name) for name in sets_of_training(self._training(wildcards.run))]

    def run_spec(self, wildcards: Any) -> str:
        """The run spec as canonical JSON."""
        return self._training(wildcards.run).canonical_json()

    def training_fingerprint(self, wildcards: Any) -> str:
        """Hash of the code that a training runs."""
        module = method_class(self._training(wildcards.run).method).__module__
        return source_fingerprint("ndr.train", module)

    def evaluation_manifests(self, wildcards: Any) -> list[str]:
        """Manifests of the sets that an evaluation reads."""
        return [_manifest(name) for name in sets_of_evaluation(self._evaluation(wildcards.run))]

    def evaluation_spec(self, wildcards: Any) -> str:
        """The evaluation spec as canonical JSON."""
        return self._evaluation(wildcards.run).canonical_json()

    def evaluation_fingerprint(self, wildcards: Any) -> str:
        """Hash of the code that an evaluation runs."""
        module = method_class(self._evaluation(wildcards.run).method).__module__
        return source_fingerprint("ndr.evaluate", module)

    def fetched_weights(self, wildcards: Any) -> list[str]:
        """The record of the authors' weights that a run evaluates; nothing for other runs."""
        spec = self._evaluation(wildcards.run)
        if spec.official_weights is None:
            return []
        return [f"{WEIGHTS}/{spec.method}__{spec.official_weights}.json"]

    def weights_facts(self, wildcards: Any) -> str:
        """What is published of a checkpoint, as canonical JSON: another file is fetched anew."""
        weights = official_weights(wildcards.method, wildcards.weights)
        facts = {"url": weights.url, "sha256": weights.sha256, "bytes": weights.bytes}
        return json.dumps(facts, sort_keys=True)

    @property
    def weights_options(self) -> list[str]:
        """Mirrors of authors' weights."""
        return [o for mirror in self.config.weights_mirrors for o in ("--mirror", mirror)]

    def checkpoints(self, wildcards: Any) -> list[str]:
        """The checkpoint of a trained run; nothing for a method without training."""
        training = self._evaluation(wildcards.run).training_run
        return (
            [] if training is None else [f"{self.results}/runs/{training}/checkpoint.safetensors"]
        )

    def checkpoint_option(self, wildcards: Any) -> list[str]:
        """The command-line option that names the checkpoint, or the record of the authors'."""
        trained = [part for path in self.checkpoints(wildcards) for part in ("--checkpoint", path)]
        official = self.fetched_weights(wildcards)
        return trained + [part for path in official for part in ("--official-weights", path)]

    def _evaluation_results(self, runs: list[str]) -> list[str]:
        """Scores, and the provenance that tables and page quote."""
        files = [
            f"{self.results}/evaluations/{run}/{name}"
            for run in runs
            for name in ("per_image.csv", "provenance.json")
        ]
        trained = [self.plan.evaluations[run].training_run for run in runs]
        return files + [
            f"{self.results}/runs/{run}/provenance.json" for run in dict.fromkeys(trained) if run
        ]

    def table_results(self, wildcards: Any) -> list[str]:
        """Result files that fill a table."""
        return self._evaluation_results(self.plan.runs_of_table(wildcards.table))

    def table_plan(self, wildcards: Any) -> str:
        """The table plan as canonical JSON."""
        if wildcards.table not in self.plan.tables:
            raise unknown_name("table", wildcards.table, self.plan.tables)
        return self.plan.tables[wildcards.table].canonical_json()

    @property
    def report_tables(self) -> list[str]:
        """Tables of the report."""
        return [f"{self.results}/tables/{name}.json" for name in self.config.tables]

    @property
    def report_evaluations(self) -> list[str]:
        """Results whose pictures, curves and provenance the report shows."""
        runs = self.plan.input_runs + self.plan.truth_runs
        for table in self.config.tables:
            runs += self.plan.runs_of_table(table)
        return self._evaluation_results(list(dict.fromkeys(runs)))

    @functools.cached_property
    def _sensitivity(self) -> SensitivityPlan:
        return sensitivity_plan(self.plan)

    @property
    def sensitivity_plan(self) -> str:
        """What the table of protocol and noise choices compares, as canonical JSON."""
        return self._sensitivity.canonical_json()

    @property
    def sensitivity_results(self) -> list[str]:
        """Results of the runs that it compares."""
        return self._evaluation_results(list(self._sensitivity.runs))

    @property
    def leak_train_sets(self) -> list[str]:
        """Prepared sets that the runs of the report's tables train on."""
        return self._sets_of(sets_of_training, self.plan.runs)

    @property
    def leak_test_sets(self) -> list[str]:
        """Prepared sets that the runs of the report's tables are evaluated on."""
        return self._sets_of(sets_of_evaluation, self.plan.evaluations)

    @property
    def leak_manifests(self) -> list[str]:
        """Manifests of the sets that the leak scan compares."""
        return [_manifest(name) for name in sorted({*self.leak_train_sets, *self.leak_test_sets})]

    def _sets_of(self, sets: Any, specs: Any) -> list[str]:
        runs = [run for table in self.config.tables for run in self.plan.runs_of_table(table)]
        return sorted({name for run in runs if run in specs for name in sets(specs[run])})

    @functools.cached_property
    def report_description(self) -> str:
        """What the page says beside its tables, as canonical JSON."""
        test_sets = [test_set.set for test_set in self.plan.tier.test_sets.values()]
        train_sets = [name for names in self.plan.tier.train_sets.values() for name in names]
        sets = list(dict.fromkeys(train_sets + test_sets))
        return json.dumps(
            {
                "tier": self.tier,
                "tier_note": self.plan.tier.note.strip(),
                "comparable_with_paper": self.plan.tier.comparable_with_paper,
                "balance": self.config.balance or self.plan.tier.balance,
                "noise_variant": self.config.noise_variant,
                "attributions": self.catalogue.attributions(sets),
                "sources": [
                    {"test_set": test_set.name, "prepared_set": test_set.set}
                    for test_set in self.plan.tier.test_sets.values()
                ],
                "input_runs": self.plan.input_runs,
                "truth_runs": self.plan.truth_runs,
            },
            sort_keys=True,
        )

    @functools.cached_property
    def claims_fingerprint(self) -> str:
        """Hash of the code that judges claims, and of the paper's numbers."""
        return fingerprint_with_files("reports.judge_claims", folders=["paper_values"])

    @functools.cached_property
    def table_fingerprint(self) -> str:
        """Hash of the code that summarises tables, and of the paper's numbers."""
        return fingerprint_with_files("reports.summarise", folders=["paper_values"])

    @functools.cached_property
    def report_fingerprint(self) -> str:
        """Hash of the page's code, templates, styles and the paper's numbers."""
        folders = ["paper_values", "static", "templates"]
        return fingerprint_with_files("reports.build", folders=folders)
