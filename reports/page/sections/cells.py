"""The panels of the tables' cells, as one JSON block that the page's script reads.

The numbers of the tables themselves stand in the HTML; a panel is built when it is opened.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ndr.metrics.metric import METRICS
from ndr.records import table_result as t
from ndr.records.per_image import SeriesKey
from ndr.records.provenance import (
    EvaluationProvenance,
    TrainingProvenance,
    evaluation_provenance,
    training_provenance,
)
from ndr.records.record import ResultFileError
from ndr.records.table_result import (
    Block,
    Cell,
    Column,
    EvaluationFacts,
    Row,
    TableResult,
    TrainingFacts,
)
from ndr.specs.report_description import ReportDescription
from reports.analysis.origin import commit_text, machine_text, versions_text
from reports.number_format import (
    MISSING,
    count_text,
    csv_number,
    difference_text,
    duration_text,
    metric_text,
)
from reports.page.assets import Assets
from reports.page.sections.pictures import ChosenImage, KeptPictures, chosen_images
from reports.page.sections.tables import PageTable
from reports.paper.printed_values import block_title, with_symbols

TEXT, CODE, HASH = "text", "code", "hash"
Fact = tuple[str, str, str]
"""One line of a panel: its term, how it is set (`text`, `code`, `hash`), and its value."""


def _run_facts(results: Path, row: Row, run: str) -> Iterator[Fact]:
    """Facts of the run behind a row, in the order of the panel."""
    yield "Run", CODE, run
    try:
        evaluation = evaluation_provenance(results, run)
        training = training_provenance(results, (evaluation and evaluation.training_run) or run)
    except ResultFileError as error:
        yield "Provenance", TEXT, str(error)
        return
    if row.evaluation:
        yield "Source", TEXT, row.evaluation.source.replace("_", " ")
    if row.training:
        yield from _of_training(row.training, training)
    if row.evaluation:
        yield from _of_evaluation(row.evaluation, evaluation)
    if row.training:
        yield "Training spec", HASH, row.training.spec_sha256
        yield "Source code", HASH, row.training.source_fingerprint
    if row.evaluation:
        yield "Evaluation spec", HASH, row.evaluation.spec_sha256
        if row.evaluation.checkpoint_sha256:
            yield "Checkpoint", HASH, row.evaluation.checkpoint_sha256


def _of_training(facts: TrainingFacts, job: TrainingProvenance | None) -> Iterator[Fact]:
    steps = f"{count_text(facts.steps_done)} of {count_text(facts.steps_planned)}"
    if facts.batch:
        steps += f", batch {facts.batch}"
    if facts.patch:
        steps += f", patch {facts.patch} x {facts.patch}"
    if facts.balance:
        steps += f", {facts.balance}"
    yield "Steps", TEXT, steps
    yield "Parameters", TEXT, count_text(facts.parameters)
    yield "Training time", TEXT, duration_text(facts.wall_seconds)
    # Most machines report no energy.
    joules = job.energy_joules if job else None
    energy = "not reported" if joules is None else f"{joules / 3.6e6:.3g} kWh"
    yield "Energy of training", TEXT, energy
    yield from _machine("Training", job)


def _of_evaluation(facts: EvaluationFacts, job: EvaluationProvenance | None) -> Iterator[Fact]:
    yield "Evaluation time", TEXT, f"{duration_text(facts.wall_seconds)}, all test sets"
    if job and job.seconds_per_megapixel:
        yield "Restoring", TEXT, f"{job.seconds_per_megapixel:.2f} s per megapixel"
    if facts.tiling:
        yield "Tiles", CODE, facts.tiling
    yield from _machine("Evaluation", job)


def _machine(kind: str, job: TrainingProvenance | EvaluationProvenance | None) -> Iterator[Fact]:
    if job is None:
        return
    hardware = machine_text(job) + (f"; on {job.device}" if job.device else "")
    yield f"{kind} hardware", TEXT, hardware
    yield f"{kind} versions", TEXT, versions_text(job)
    yield f"{kind} commit", CODE, commit_text(job)


Json = dict[str, Any]


def as_script(content: Json) -> Markup:
    r"""JSON that may stand inside `<script>`: no `<` can end the element.

    >>> as_script({"a": "</script>"})
    Markup('{"a":"\\u003c/script>"}')
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028"))


class CellPanels:
    """Collects the panels of all tables; what several cells share is there once."""

    def __init__(
        self,
        results: Path,
        description: ReportDescription,
        kept: KeptPictures,
        assets: Assets,
    ) -> None:
        self._results = results
        self._description = description
        self._kept = kept
        self._assets = assets
        self._runs: Json = {}
        self._series: Json = {}
        self._chosen: dict[str, tuple[SeriesKey, str, tuple[ChosenImage, ...]]] = {}

    def content(self, views: Sequence[PageTable]) -> Json:
        """The JSON block of a page."""
        cells = {
            name: self._cell(view.table, block, row, column, cell)
            for view in views
            for name, block, row, column, cell in view.cells()
        }
        pictures, chosen = self._pictures()
        return {
            "tier": self._description.tier,
            "cells": cells,
            "runs": self._runs,
            "series": self._series,
            "chosen": chosen,
            "pictures": pictures,
        }

    def _cell(self, table: TableResult, block: Block, row: Row, column: Column, cell: Cell) -> Json:
        assert row.run is not None
        if row.run not in self._runs:
            self._runs[row.run] = list(_run_facts(self._results, row, row.run))
        aside = f"{column.label} · {table.label}, {block_title(block.name)}"
        content: Json = {
            "title": with_symbols(row.label),
            "aside": with_symbols(aside),
            "run": row.run,
            "facts": list(_cell_facts(row, cell)),
            "commands": self._commands(table, row, column),
        }
        if cell.status in t.MEASURED:
            content["metrics"] = list(table.metrics)
            content["rows"] = list(_value_rows(table, row, cell))
            self._add_series(content, table, row, cell)
        else:
            content["problem"] = f"{cell.status.capitalize()}: {cell.reason}"
        if cell.warnings:
            content["warnings"] = list(cell.warnings)
        return content

    def _commands(self, table: TableResult, row: Row, column: Column) -> list[list[str]]:
        assert row.run is not None
        commands = [
            ["Train and evaluate this run", self._description.redo(row.run)],
            ["This table", self._description.redo(table.name)],
        ]
        if column.test_set is not None:
            # The run's id names one row, where a method may stand in several blocks.
            words = [table.name, row.run, column.test_set, "--tier", table.tier]
            explain = f"python -m reports.explain {shlex.join(words)}"
            commands.append(["Explain this number", explain])
        return commands

    def _add_series(self, content: Json, table: TableResult, row: Row, cell: Cell) -> None:
        """Point to the values per image and to the pictures, where there are some."""
        assert row.run is not None
        evaluation = self._kept.evaluation(row.run)
        if evaluation is None or cell.column == t.AVERAGE:
            return
        key = SeriesKey(cell.column, table.protocol_of(row), table.metrics[0])
        values = evaluation.sound(key)
        if values is None:
            return
        name = "|".join((row.run, key.test_set, key.protocol, key.metric))
        content["series"] = name
        if name in self._series:
            return
        facts = METRICS[key.metric]
        self._series[name] = {
            "metric": key.metric,
            "unit": facts.unit,
            "digits": facts.digits,
            "values": [
                None if math.isinf(v) else round(v, facts.digits + 1) for v in values.values()
            ],
        }
        images = self._kept.images(row.run, key.test_set)
        chosen = chosen_images(values, images, not facts.higher_is_better)
        if chosen:
            self._series[name]["kept"] = len(images)
            self._chosen[name] = (key, row.run, chosen)

    def _pictures(self) -> tuple[list[list[Any]], Json]:
        """All pictures, each once, and per series which of them it shows."""
        wanted: dict[tuple[str, str, str], int] = {}
        shown: Json = {}
        for name, (key, run, chosen) in self._chosen.items():
            roles = (self._kept.input_run(key.test_set), run, self._kept.truth_run(key.test_set))
            shown[name] = [
                [
                    choice.word,
                    choice.image,
                    metric_text(key.metric, choice.value),
                    *(self._index(wanted, role, key.test_set, choice.image) for role in roles),
                ]
                for choice in chosen
            ]
        with ThreadPoolExecutor() as pool:
            return list(pool.map(self._picture, wanted)), shown

    def _index(
        self, wanted: dict[tuple[str, str, str], int], run: str | None, test_set: str, image: str
    ) -> int | None:
        if run is None or not self._kept.path(run, test_set, image).is_file():
            return None
        return wanted.setdefault((run, test_set, image), len(wanted))

    def _picture(self, which: tuple[str, str, str]) -> list[Any]:
        """Address and size; nothing of a file that cannot be read."""
        try:
            return list(dataclasses.astuple(self._assets.picture(self._kept.path(*which))))
        except OSError:
            return []  # the section of pictures lists it under quality


def _value_rows(table: TableResult, row: Row, cell: Cell) -> Iterator[list[Any]]:
    """Label, aside, and per metric the full precision and the text; then whether it is shown."""
    by_key = {(number.protocol, number.metric): number for number in cell.numbers}
    for name in dict.fromkeys([table.protocol, *(number.protocol for number in cell.numbers)]):
        numbers = [by_key.get((name, metric)) for metric in table.metrics]
        texts = [
            [csv_number(n.value, n.infinite), metric_text(n.metric, n.value, n.infinite)]
            if n
            else ["", MISSING]
            for n in numbers
        ]
        shown = name == table.protocol_of(row)
        yield [f"Protocol {name}", "in the table" if shown else "", texts, shown]
    if any(shown.interval for shown in cell.shown):
        yield ["95 % interval", "bootstrap over images", _texts(cell, _interval), False]
    if row.kind != t.DEGRADED_INPUT:
        inputs = [["", metric_text(s.metric, s.degraded_input)] for s in cell.shown]
        yield ["Degraded input", "same images", inputs, False]
    if table.paper_values is not None and row.kind == t.METHOD:
        yield ["Paper", "", [["", s.paper_text or MISSING] for s in cell.shown], False]
        yield ["Ours minus paper", "", _texts(cell, _difference), False]


def _texts(cell: Cell, text: Any) -> list[list[str]]:
    return [["", text(shown)] for shown in cell.shown]


def _interval(shown: t.Shown) -> str:
    if shown.interval is None:
        return MISSING
    return " to ".join(metric_text(shown.metric, end) for end in shown.interval)


def _difference(shown: t.Shown) -> str:
    text = difference_text(shown.metric, shown.difference)
    return f"{text}, {shown.agreement}" if shown.agreement else text


def _cell_facts(row: Row, cell: Cell) -> Iterator[list[str]]:
    """Facts of the cell alone: images, seeds, standing in its block."""
    if cell.n is not None:
        yield ["Images", f"{cell.n} of {cell.n_total}"]
    elif cell.status in t.MEASURED:
        yield ["Mean of", "the row's own columns"]
    if cell.status in t.MEASURED:
        seeds = max(shown.seeds for shown in cell.shown)
        yield ["Seeds", f"mean of {seeds}" if seeds > 1 else "1"]
        if row.other_seeds:
            yield ["Further seeds", ", ".join(other.run for other in row.other_seeds)]
            yield ["Images and values below", "of the first seed"]
        standing = [f"{shown.metric}: {shown.from_best}" for shown in cell.shown if shown.from_best]
        if standing:
            yield ["In its block", "; ".join(standing)]
