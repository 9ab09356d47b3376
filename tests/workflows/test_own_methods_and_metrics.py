"""Methods from folders outside of the suite, and metrics by their names, in the plan."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from ndr import registry
from ndr.nearest_name import UnknownNameError
from ndr.source_fingerprint import source_fingerprint
from ndr.specs.typed_file import SpecError, read_yaml
from tests.project_copy import copy_project, run_in, succeeded
from workflows.configuration import CONFIG, suite_config
from workflows.own_sets import suite_catalogue
from workflows.planning import Plan, make_plan

ACCEPTED = {"accepted_terms": ["pyiqa_non_commercial"]}
RUN = "ndr_restore__noise_rain_haze__seed_0"


def plan(folder: Path = CONFIG, **changes: object) -> Plan:
    config = suite_config({**read_yaml(CONFIG / "config.yaml"), "tier": "smoke", **changes})
    return make_plan(config, suite_catalogue(config, CONFIG / "datasets.yaml"), folder)


def test_nothing_runs_under_terms_before_they_are_accepted() -> None:
    made = plan()
    assert all(spec.metrics == () for spec in made.evaluations.values())
    assert set(made.tables["table_07"].withheld) == {"DBCNN", "MUSIQ"}
    assert "pyiqa_non_commercial" in made.tables["table_07"].withheld["MUSIQ"]
    assert made.tables["table_05"].withheld == {}
    accepted = plan(**ACCEPTED)
    assert accepted.tables["table_07"].withheld == {}
    assert accepted.evaluations[RUN].metrics == ("DBCNN", "MUSIQ")
    assert accepted.evaluations[made.tables["table_07"].degraded_input_run].metrics
    # What Table VII does not show is scored as before.
    untouched = [run for run, spec in accepted.evaluations.items() if not spec.metrics]
    assert untouched
    assert all(accepted.evaluations[run] == made.evaluations[run] for run in untouched)
    assert accepted.runs == made.runs


def test_metrics_of_the_configuration_stand_in_every_table_that_they_fit() -> None:
    made = plan(metrics=["lpips", "niqe"], **ACCEPTED)
    assert made.tables["table_05"].metrics == ("PSNR", "SSIM", "lpips", "niqe")
    assert made.tables["table_05"].own_metrics == ("lpips", "niqe")
    # Photographs without ground truth are rated, never compared.
    assert "lpips" not in made.tables["table_07"].metrics
    assert "niqe" in made.tables["table_07"].metrics
    assert made.evaluations[RUN].metrics == ("DBCNN", "MUSIQ", "lpips", "niqe")
    asked = plan(metrics="lpips")
    assert asked.evaluations[RUN].metrics == ()
    assert "pyiqa_non_commercial" in asked.tables["table_05"].withheld["lpips"]
    with pytest.raises(UnknownNameError, match="did you mean 'lpips"):
        plan(metrics=["lpisp"])


def test_a_table_names_metrics_too(tmp_path: Path) -> None:
    config = shutil.copytree(CONFIG, tmp_path / "config")
    path = config / "tables" / "table_11.yaml"
    path.write_text(path.read_text().replace("[PSNR, SSIM]", "[PSNR, dists]"))
    made = plan(config, **ACCEPTED)
    assert made.tables["table_11"].own_metrics == ("dists",)
    changed = "ndr_restore__noise_rain_haze__lambda_degrad_3__seed_0"
    assert made.evaluations[changed].metrics == ("dists",)
    path = config / "tables" / "table_07.yaml"
    path.write_text(path.read_text().replace("PIQE]", "PIQE, dists]"))
    with pytest.raises(SpecError, match="dists compare with a ground truth"):
        plan(config)


METHOD = '''
from torch import Tensor

from ndr.method import TASKS, Method, MethodInfo, SideInformation, register_method
{extra}

@register_method
class Half(Method):
    """Halves its input."""

    info = MethodInfo(
        name="{name}", paper_label="{name}", citation="none (test)", tasks=TASKS - {{"down_x2"}},
        trainable=False,
    )

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape."""
        return degraded * {factor}
'''


KILLS_ITSELF = """
import os
import signal


def die() -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1.0

"""


def write_methods(folder: Path) -> None:
    """A repository: a file with a neighbour, one in a folder without __init__.py, two broken."""

    def method(path: str, name: str, extra: str = "", factor: str = "0.5") -> None:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(METHOD.format(name=name, extra=extra, factor=factor))

    method("alone_method.py", "alone", "from neighbour_of_alone import FACTOR", "FACTOR")
    (folder / "neighbour_of_alone.py").write_text("FACTOR = 0.5\n")
    method("no_init/deep/inner_method.py", "inner")
    method("broken_import.py", "lost_import", "import nowhere")
    method("broken_syntax.py", "lost_syntax", "class")
    # What the system does to the largest process where memory runs out.
    method("greedy_method.py", "greedy", KILLS_ITSELF, "die()")
    method("json.py", "hidden")  # a name of the standard library
    # Scripts that register nothing are no business of the suite's.
    (folder / "train.py").write_text("raise SystemExit('started a training')\n")


CODE = """
import sys
from ndr.registry import BROKEN, add_method_paths, create, lost_method, method_names
add_method_paths([sys.argv[1]])
print({"alone", "inner"} <= {*method_names()}, create("inner").info.paper_label)
for name in ("lost_import", "lost_syntax", "hidden", "alone", "nothing"):
    print(f"{name}: {lost_method(name)}")
"""


def test_a_folder_is_searched_and_what_is_broken_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_methods(folder)
    project = copy_project(tmp_path / "copy", ("ndr", "baselines", "config"))
    # A folder of the suite's own tree without __init__.py is searched, too.
    (project / "baselines" / "room").mkdir()
    text = METHOD.format(name="roomy", extra="", factor="0.5")
    (project / "baselines" / "room" / "roomy_method.py").write_text(text)
    code = CODE + "print(create('roomy').info.name)\n"
    found = run_in(project, [sys.executable, "-c", code, str(folder)])
    lines = succeeded(project, found).splitlines()
    said = dict(line.split(": ", 1) for line in lines if ": " in line)
    assert "True inner" in lines  # found, both of them
    assert "roomy" in lines
    assert "No module named 'nowhere' (" in said["lost_import"]
    assert "broken_import.py, line 5)" in said["lost_import"]
    assert "SyntaxError: invalid syntax" in said["lost_syntax"]
    assert "broken_syntax.py, line 5)" in said["lost_syntax"]
    assert "rename the file" in said["hidden"]
    assert said["alone"] == said["nothing"] == ""
    assert "started a training" not in found.stdout + found.stderr


def test_a_folder_that_is_not_there_stops(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"method_paths: .* is no folder"):
        plan(method_paths=[str(tmp_path / "nowhere")])


ROWS = """
  - {setting: noise_rain_haze, method: alone, paper_method: "", label: Alone}
  - {setting: noise_rain_haze, method: lost_import, paper_method: "", label: Lost}
  - {setting: noise_rain_haze, method: greedy, paper_method: "", label: Greedy}
"""


@pytest.mark.slow
def test_what_is_broken_or_killed_stops_only_its_own_rows(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_methods(folder)
    project = copy_project(tmp_path / "copy")
    path = project / "config" / "tables" / "table_controls.yaml"
    text = path.read_text()
    path.write_text(text.replace("rows:\n", f"rows:{ROWS}"))
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "table_controls"]
    command += ["--config", "tier=smoke", f"method_paths=[{os.path.relpath(folder, project)}]"]
    succeeded(project, run_in(project, command))
    lines = (project / "results/smoke/tables/table_controls.csv").read_text().splitlines()
    assert any("Alone" in line and "smoke_rain" in line for line in lines)
    table = (project / "results/smoke/tables/table_controls.json").read_text()
    assert "No module named 'nowhere'" in table
    assert "broken_import.py" in table
    assert "most likely because memory ran out" in table
    # An edit of what the method imports beside itself evaluates it again.
    again = succeeded(project, run_in(project, [*command, "-n"]))
    assert "Nothing to be done" in again
    (folder / "neighbour_of_alone.py").write_text("FACTOR = 0.25\n")
    edited = succeeded(project, run_in(project, [*command, "-n"]))
    assert "evaluate_run" in edited


def test_the_fingerprint_of_a_lone_file_has_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lone_for_fingerprint.py").write_text("import beside_lone\n")
    (tmp_path / "beside_lone.py").write_text("A = 1\n")
    (tmp_path / "stranger.py").write_text("A = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    prints = [source_fingerprint("lone_for_fingerprint")]
    for name in ("stranger", "beside_lone"):
        (tmp_path / f"{name}.py").write_text("A = 2\n")
        sys.modules["ndr.source_fingerprint"]._parsed.cache_clear()
        prints.append(source_fingerprint("lone_for_fingerprint"))
    assert prints[0] == prints[1] != prints[2]
    assert registry.METHOD_PATHS not in os.environ
