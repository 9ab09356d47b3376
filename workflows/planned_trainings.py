"""What is to be trained and shipped, in its order: `config/trainings.yaml`."""

from __future__ import annotations

from dataclasses import dataclass

from ndr.data.catalogue import load_catalogue
from ndr.specs.run_spec import RunSpec
from ndr.specs.typed_file import read_yaml, read_yaml_spec
from workflows import ROOT
from workflows.configuration import CONFIG, suite_config
from workflows.planning import Plan, make_plan
from workflows.rows import method_info


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One line of the order."""

    tables: tuple[str, ...]
    settings: tuple[str, ...] = ()
    """Empty: all."""
    methods: tuple[str, ...] = ()
    """Empty: all."""
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainings:
    """`config/trainings.yaml`."""

    tier: str
    order: tuple[Group, ...]


def planned(trainings: Trainings, plan: Plan) -> list[RunSpec]:
    """The trainings in their order, each once."""
    found: dict[str, RunSpec] = {}
    for group in trainings.order:
        for seed in group.seeds:
            for table in group.tables:
                for row in plan.all_tables[table].rows:
                    asked = (not group.settings or row.setting in group.settings) and (
                        not group.methods or row.method in group.methods
                    )
                    if asked and method_info(row).trainable:
                        spec = plan.rows.run_spec(row, seed)
                        found.setdefault(spec.run, spec)
    return list(found.values())


def planned_trainings() -> tuple[Plan, list[RunSpec]]:
    """The plan of the tier of `config/trainings.yaml`, and its trainings in their order.

    Raises:
        SpecError: a file of the configuration is wrong.
        UnknownNameError: it names what is not there.
    """
    trainings = read_yaml_spec(Trainings, CONFIG / "trainings.yaml")
    content = {**read_yaml(CONFIG / "config.yaml"), "tier": trainings.tier, "seeds": [0]}
    catalogue = load_catalogue(ROOT / "config" / "datasets.yaml")
    plan = make_plan(suite_config(content), catalogue)
    return plan, planned(trainings, plan)
