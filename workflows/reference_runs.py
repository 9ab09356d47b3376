"""Which runs a committed reference of metrics holds: `reports/reference/<tier>/runs.yaml`."""

from __future__ import annotations

from pathlib import Path

from workflows.configuration import ConfigurationError, read_yaml

FOLDER = Path(__file__).resolve().parent.parent / "reports" / "reference"


def reference_runs(folder: Path) -> tuple[str, ...]:
    """Ids of the runs of a reference, each once; none where there is no `runs.yaml`.

    Raises:
        ConfigurationError: the file holds no list of names.
    """
    path = folder / "runs.yaml"
    if not path.is_file():
        return ()
    names = read_yaml(path)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigurationError(f"{path}: expected a list of run ids, found {names!r}")
    return tuple(dict.fromkeys(names))
