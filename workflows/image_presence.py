"""Whether the images that prepared sets name are on this machine."""

from __future__ import annotations

from pathlib import Path

from ndr.data.file_locations import PACKAGE_PREFIX
from ndr.data.manifest import FILE_NAME, Manifest, ManifestError
from workflows.snakemake_records import finished_outputs
from workflows.snapshot_contents import SETS

ORIGINALS = "data/originals"


def missing_images(root: Path) -> dict[str, str]:
    """Prepared sets of which images are not on this machine, with what to do about it.

    Images inside Python packages are not looked for: the environment brings them.

    Args:
        root: folder of the checkout.
    """
    found = {}
    for path in sorted((root / SETS).glob(f"*/{FILE_NAME}")):
        name = path.parent.name
        try:
            files = image_files(path)
        except (ManifestError, OSError) as error:
            found[name] = str(error)
            continue
        absent = [file for file in files if not file.exists()]
        if absent:
            found[name] = f"{len(absent)} of {len(files)} images are not here, first {absent[0]}. "
            found[name] += _advice(root, name, absent)
    return found


def image_files(manifest: Path) -> list[Path]:
    """Files that a manifest names, those inside Python packages left out."""
    content = Manifest.read(manifest)
    return [
        content.path(location)
        for row in content.rows
        for location in (row.clean, row.degraded)
        if location and not location.startswith(PACKAGE_PREFIX)
    ]


def _advice(root: Path, name: str, absent: list[Path]) -> str:
    def all_below(folder: str) -> bool:
        return all(path.resolve().is_relative_to((root / folder).resolve()) for path in absent)

    record = finished_outputs(root).get(f"{SETS}/{name}/{FILE_NAME}")
    if record is not None and all_below(f"{SETS}/{name}"):
        return f"They are made anew, bit for bit, by: {record.command}"
    if all_below(ORIGINALS):
        # Another note than the one that Snakemake knows: a new one would run everything again.
        return (
            f"They are fetched by: python -m ndr.data.fetch --set {name} --catalogue "
            f"config/datasets.yaml --originals {ORIGINALS} --downloads data/downloads "
            f"--done {ORIGINALS}/{name}/fetched_again.json"
        )
    return (
        "The manifest names the folder that they lay in where the snapshot was made: put the set "
        "there too, or a link to your copy of it."
    )
