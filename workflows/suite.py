"""What the rules ask of the plan: files, parameters and options of each job, by name."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping

from ndr.data.catalogue import FolderSet
from ndr.data.mirrors import handed_on
from ndr.data.own_set import OwnSet
from ndr.fetch_weights import official_weights
from ndr.nearest_name import named_entry
from ndr.registry import method_class
from ndr.source_fingerprint import source_fingerprint
from ndr.specs.figure_plan import FigurePlan
from ndr.specs.report_description import ReportDescription, TestSetSource
from ndr.specs.run_spec import EvaluationSpec, RunSpec
from ndr.specs.table_plan import SensitivityPlan, TablePlan
from ndr.specs.typed_file import plain
from workflows import METRIC_WEIGHTS, ORIGINALS, ROOT, SETS, WEIGHTS
from workflows.configuration import SuiteConfig
from workflows.job_resources import JobResources
from workflows.main_run import main_run
from workflows.own_sets import suite_catalogue
from workflows.planning import make_plan
from workflows.report_parts import (
    DRAWING,
    enlarging_runs,
    figure_plan,
    figure_runs,
    figures_of_tables,
    representation_runs,
    represented_runs,
    sensitivity_plan,
)

REPORTS = ROOT / "reports"
NETWORK_LAYOUT = "network_layout.json"
"""What the drawings of the network are drawn from, below `results/<tier>`."""
FIGURE_IMAGES = 4
"""Images per test set whose inner maps are kept for the figures."""


def manifest(set_name: str) -> str:
    """The file that says a set is prepared."""
    return f"{SETS}/{set_name}/manifest.csv"


def report_fingerprint(*modules: str, folders: Iterable[str] = ()) -> str:
    """Hash of modules of `reports` and of the committed files that they read, by folder."""
    digest = hashlib.sha256(source_fingerprint(*modules).encode())
    for folder in folders:
        for path in sorted((REPORTS / folder).iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


class Suite:
    """One configuration's plan.

    Parameters of a rule decide what re-runs, so each is canonical text: equal content, equal text.
    """

    def __init__(self, config: SuiteConfig) -> None:
        self.config = config
        self.catalogue = suite_catalogue(config, ROOT / "config" / "datasets.yaml")
        self.plan = make_plan(config, self.catalogue)
        self.tier = config.tier
        self.results = f"results/{config.tier}"
        self.cpu_threads = self.plan.tier.cpu_threads
        self.jobs = JobResources(self.plan, ROOT / self.results)

    # ---- Data sets and weights ----

    def prepared_from(self, set_name: str) -> list[str]:
        """What a set is prepared from: manifests of other sets, or the record of its fetching."""
        entry = self.catalogue.entry(set_name)
        if isinstance(entry, OwnSet):
            return []
        if isinstance(entry, FolderSet):
            return [f"{ORIGINALS}/{set_name}/fetched.json"]
        return [manifest(name) for name in entry.made_from]

    def set_identity(self, set_name: str) -> str:
        """Identity of a set."""
        return self.catalogue.identity(set_name, self.config.suite_seed)

    def prepare_options(self, set_name: str) -> list[str]:
        """Options of the preparation; the permission to be partial only where it can matter."""
        options = ["--suite-seed", str(self.config.suite_seed)]
        entry = self.catalogue.entry(set_name)
        if isinstance(entry, OwnSet):
            options += ["--own", entry.folder, "--own-scale", str(entry.scale)]
        elif isinstance(entry, FolderSet):
            options += ["--originals", ORIGINALS, *self._partial_option]
        return options

    @property
    def mirror_options(self) -> list[str]:
        """What leads to the folders to look for published sets in.

        They are no parameter of the rule: where a set lies changes no pixel of it, and a clone on
        another machine would prepare and train everything again. Nor do they stand on a command
        line, which is recorded, and stored with the results.
        """
        return handed_on(self.config.data_mirrors)

    def downloads(self, set_name: str) -> str:
        """Downloads and terms of a published set, as canonical JSON."""
        entry = self.catalogue.entry(set_name)
        if not isinstance(entry, FolderSet):
            raise TypeError(f"{set_name} is made here: expected a published set")
        downloads = plain(entry.downloads)
        return json.dumps({"downloads": downloads, "terms": entry.terms}, sort_keys=True)

    @property
    def fetch_options(self) -> list[str]:
        """Options of fetching: mirrors, accepted terms, and the permission to be partial."""
        options = handed_on(self.config.data_mirrors)
        options += [f"--accept-terms={name}" for name in self.config.accepted_terms]
        return options + self._partial_option

    @property
    def _partial_option(self) -> list[str]:
        allowed = self.config.allow_partial_sets
        allowed = self.plan.tier.allow_partial_sets if allowed is None else allowed
        return ["--partial"] if allowed else []

    def weights_facts(self, method: str, name: str) -> str:
        """What is published of a checkpoint, as canonical JSON: another file is fetched anew."""
        weights = official_weights(method, name)
        facts = {"url": weights.url, "sha256": weights.sha256, "bytes": weights.bytes}
        return json.dumps(facts, sort_keys=True)

    @property
    def weights_options(self) -> list[str]:
        """What leads to the mirrors of authors' weights; other mirrors are other options."""
        return handed_on(self.config.weights_mirrors)

    # ---- Runs ----

    def training(self, run: str) -> RunSpec:
        """The spec of a training; raises `UnknownNameError` with the nearest runs."""
        return named_entry("trained run", run, self.plan.runs)

    @property
    def shipped_pattern(self) -> str:
        """Regular expression of the runs that are taken from the shipped networks."""
        return "|".join(map(re.escape, sorted(self.plan.shipped_runs))) or "(?!)"

    def shipped_file(self, run: str) -> str:
        """The file of a shipped network."""
        entry = self.plan.shipped.find(self.training(run))
        if entry is None:
            raise LookupError(f"{run} is not shipped")
        return str(self.plan.shipped.folder / entry.file)

    def training_manifests(self, run: str) -> list[str]:
        """Manifests of the sets that a training reads."""
        return [manifest(name) for name in self.training(run).sets]

    def training_fingerprint(self, run: str) -> str:
        """Hash of the code that a training runs."""
        return source_fingerprint("ndr.train", method_class(self.training(run).method).__module__)

    def evaluation(self, run: str) -> EvaluationSpec:
        """The spec of an evaluation; raises `UnknownNameError` with the nearest runs."""
        return named_entry("run", run, self.plan.evaluations)

    def evaluation_manifests(self, run: str) -> list[str]:
        """Manifests of the sets that an evaluation reads."""
        return [manifest(name) for name in self.evaluation(run).sets]

    def evaluation_fingerprint(self, run: str) -> str:
        """Hash of the code that an evaluation runs."""
        module = method_class(self.evaluation(run).method).__module__
        return source_fingerprint("ndr.evaluate", module)

    def checkpoints(self, run: str) -> list[str]:
        """The checkpoint of a trained run; nothing for a method without training."""
        training = self.evaluation(run).training_run
        return [f"{self.results}/runs/{training}/checkpoint.safetensors"] if training else []

    def fetched_weights(self, run: str) -> list[str]:
        """The record of the authors' weights that a run evaluates; nothing for other runs."""
        spec = self.evaluation(run)
        name = spec.official_weights
        return [f"{WEIGHTS}/{spec.method}__{name}.json"] if name else []

    def metric_records(self, run: str) -> list[str]:
        """Records of the weights of metrics that an evaluation computes under accepted terms."""
        return [f"{METRIC_WEIGHTS}/{name}.json" for name in self.evaluation(run).metrics]

    def checkpoint_option(self, run: str) -> list[str]:
        """The command-line option that names the checkpoint, or the record of the authors'."""
        trained = [part for path in self.checkpoints(run) for part in ("--checkpoint", path)]
        official = self.fetched_weights(run)
        return trained + [part for path in official for part in ("--official-weights", path)]

    def evaluation_results(self, runs: Iterable[str]) -> list[str]:
        """Scores of runs, and the provenance that tables and page quote."""
        files: list[str] = []
        trainings: dict[str | None, None] = {}
        for run in runs:
            folder = f"{self.results}/evaluations/{run}"
            files += [f"{folder}/per_image.csv", f"{folder}/provenance.json"]
            trainings[self.plan.evaluations[run].training_run] = None
        return files + [f"{self.results}/runs/{run}/provenance.json" for run in trainings if run]

    # ---- Tables ----

    def table(self, name: str) -> TablePlan:
        """The plan of a table; raises `UnknownNameError` with the nearest."""
        return named_entry("table", name, self.plan.tables)

    def table_results(self, name: str) -> list[str]:
        """Result files that fill a table."""
        return self.evaluation_results(self.plan.runs_of_table(self.table(name).name))

    @functools.cached_property
    def table_fingerprint(self) -> str:
        """Hash of the code that summarises tables, and of the paper's numbers."""
        return report_fingerprint("reports.summarise", folders=["paper_values"])

    # ---- Figures, and what D represents ----

    @functools.cached_property
    def figures(self) -> Mapping[str, FigurePlan]:
        """Plans of all figures by name."""
        return {name: figure_plan(self.plan, name) for name in self.plan.all_figures}

    def figure_inputs(self, name: str) -> list[str]:
        """Files that a figure is drawn from."""
        figure = self.figures[name]
        runs = figure_runs(figure)
        files = self.evaluation_results(runs)
        if figure.kind in ("picture_grid", "residuals"):
            files += [f"{self.results}/evaluations/{run}/pictures" for run in runs]
        if figure.kind == DRAWING:
            files.append(f"{self.results}/{NETWORK_LAYOUT}")
        return files + [
            f"{self.results}/representation/{run}.npz" for run in representation_runs(figure)
        ]

    def figure_fingerprint(self, name: str) -> str:
        """Hash of the code that draws a figure, and of its templates."""
        kind = self.figures[name].kind
        folders = ["figures/drawings"] if kind == DRAWING else []
        return report_fingerprint(
            "reports.figures.draw", f"reports.figures.{kind}", folders=folders
        )

    @property
    def drawn_network(self) -> str:
        """Spec of the network that is drawn, as canonical JSON."""
        return self.training(main_run(self.plan.seed)).canonical_json()

    def figure_images(self, run: str) -> int:
        """Images per test set of which D's maps are kept: none of runs that no figure shows."""
        return FIGURE_IMAGES if not self.training(run).changes.keys() - {"upscale"} else 0

    def representation_fingerprint(self, run: str) -> str:
        """Hash of the code that studies a run."""
        module = method_class(self.training(run).method).__module__
        return source_fingerprint("ndr.represent", module)

    # ---- The report ----

    @functools.cached_property
    def sensitivity(self) -> SensitivityPlan:
        """What the table of protocol and noise choices compares."""
        return sensitivity_plan(self.plan)

    @property
    def report_tables(self) -> list[str]:
        """Tables of the report."""
        return [f"{self.results}/tables/{name}.json" for name in self.config.tables]

    @property
    def report_evaluations(self) -> list[str]:
        """Results whose pictures, curves and provenance the report shows."""
        controls = self.plan.input_runs + self.plan.truth_runs
        return self.evaluation_results(dict.fromkeys(controls + self.plan.runs_of_tables()))

    @property
    def report_representation(self) -> list[str]:
        """Numbers of the section on D."""
        return [f"{self.results}/representation/{run}.json" for run in represented_runs(self.plan)]

    @property
    def claims_representation(self) -> list[str]:
        """Numbers on D that claims ask for: the report's, and of the network that enlarges."""
        runs = [*represented_runs(self.plan), *enlarging_runs(self.plan)]
        return [f"{self.results}/representation/{run}.json" for run in runs]

    @property
    def timed_rounds(self) -> int:
        """Rounds in which networks are timed; fewer where numbers mean nothing."""
        return 12 if self.tier == "smoke" else 40

    @property
    def report_figures(self) -> list[str]:
        """Records of the figures that need no training beyond those of the report's tables."""
        names = figures_of_tables(self.plan, self.config.tables)
        return [f"{self.results}/figures/{name}.json" for name in names]

    def leak_sets(self, specs: Mapping[str, RunSpec | EvaluationSpec]) -> list[str]:
        """Prepared sets that the trainings, or the evaluations, of the report's tables read."""
        runs = self.plan.runs_of_tables()
        return sorted({name for run in runs if run in specs for name in specs[run].sets})

    @property
    def leak_train_sets(self) -> list[str]:
        """Training sets that the scan looks for test images in.

        A tier that scores the networks of another one has those of the runs trained here alone.
        """
        runs = self.plan.runs
        if self.plan.tier.trained_as:
            runs = {run: runs[run] for run in runs if run not in self.plan.shipped_runs}
        return self.leak_sets(runs)

    @property
    def leak_manifests(self) -> list[str]:
        """Manifests of the sets that the scan for leaks compares."""
        sets = {*self.leak_train_sets, *self.leak_sets(self.plan.evaluations)}
        return [manifest(name) for name in sorted(sets)]

    @functools.cached_property
    def claims_fingerprint(self) -> str:
        """Hash of the code that judges claims, and of the paper's numbers."""
        return report_fingerprint("reports.judge_claims", folders=["paper_values"])

    @functools.cached_property
    def page_fingerprint(self) -> str:
        """Hash of the page's code, templates, styles and the paper's numbers."""
        folders = ["paper_values", "static", "templates"]
        return report_fingerprint("reports.build", folders=folders)

    @functools.cached_property
    def report_description(self) -> str:
        """What the page says beside its tables, as canonical JSON."""
        tier = self.plan.tier
        test_sets = tier.test_sets.values()
        sets = [name for names in tier.train_sets.values() for name in names]
        sets += [test_set.set for test_set in test_sets]
        return ReportDescription(
            tier=self.tier,
            tier_note=tier.note.strip(),
            comparable_with_paper=tier.comparable_with_paper,
            attributions=tuple(self.catalogue.attributions(list(dict.fromkeys(sets)))),
            licences=tuple(
                f"{each.title}: {each.text.strip()} {each.url}"
                for each in self.catalogue.terms.values()
                if each.methods or each.metrics
            ),
            input_runs=tuple(self.plan.input_runs),
            truth_runs=tuple(self.plan.truth_runs),
            balance=self.config.balance or tier.balance,
            noise_variant=self.config.noise_variant,
            sources=tuple(TestSetSource(test_set.name, test_set.set) for test_set in test_sets),
            weights=self.plan.sources,
        ).canonical_json()
