"""Photographs that come inside Python packages: their manifests, written once and checked later.

The photographs are read where the packages keep them and never copied; nine of them lie in this
package (`photographs/README.md` has their authors and terms). The committed manifest says which
they are, by the hash of their decoded pixels. This command writes it:
`python -m ndr.data.sample_photographs --write config/manifests`.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ndr.data.catalogue import PackagedSet, load_catalogue
from ndr.data.image_files import decoder_version, read_facts
from ndr.data.manifest import PACKAGE_PREFIX, Manifest, ManifestError, ManifestRow, package_file

log = logging.getLogger(__name__)


def photograph_manifest(entry: PackagedSet, folder: Path) -> Manifest:
    """Describe all photographs of a packaged set as this installation holds them."""
    rows = []
    for name, location in tqdm(entry.images.items(), "photographs", unit="image", disable=None):
        facts = read_facts(package_file(location, entry.packages.get(location.split("/")[0])))
        rows.append(
            ManifestRow(
                name=name,
                scene=name,
                clean=PACKAGE_PREFIX + location.removeprefix(PACKAGE_PREFIX),
                degraded="",
                width=facts.width,
                height=facts.height,
                clean_sha256=facts.sha256,
                degraded_sha256="",
                clean_pixels_sha256=facts.pixels_sha256,
                degraded_pixels_sha256="",
                clean_bytes=facts.bytes,
            )
        )
    return Manifest(tuple(rows), folder, {"decoder": decoder_version()})


def check_photographs(committed: Manifest, found: Manifest, where: Path) -> None:
    """Raise unless the installed photographs are those of the committed manifest.

    The pixels decide. A file that was packed anew without loss is taken, with a warning.

    Raises:
        ManifestError: other images, other names, or other pixels; a changed file, or a changed
            decoder. The message names `where`, the file of the committed manifest.
    """
    expected = {row.name: row for row in committed.rows}
    if [row.name for row in committed.rows] != [row.name for row in found.rows]:
        raise ManifestError(
            f"{where}: expected the photographs {', '.join(expected)}, but the catalogue lists "
            f"{', '.join(row.name for row in found.rows)}; write the manifest again: "
            f"python -m ndr.data.sample_photographs --write {where.parent}"
        )
    for row in found.rows:
        wanted = expected[row.name]
        if row.clean_pixels_sha256 == wanted.clean_pixels_sha256:
            if row.clean_sha256 != wanted.clean_sha256:
                log.warning("%s: another file than in %s, but the same pixels", row.clean, where)
            continue
        if row.clean_sha256 == wanted.clean_sha256:
            raise ManifestError(
                f"{row.clean}: the file is the expected one, but it decodes to other pixels: "
                f"expected those of {committed.notes.get('decoder', 'another decoder')}, found "
                f"those of {decoder_version()}; install the Pillow version of requirements.lock"
            )
        raise ManifestError(
            f"{row.clean}: expected the photograph of {wanted.width}x{wanted.height} pixels with "
            f"hash {wanted.clean_pixels_sha256[:16]}, found {row.width}x{row.height} with "
            f"{row.clean_pixels_sha256[:16]}; install the package's version of requirements.lock"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the committed manifests of all packaged sets of the catalogue."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--catalogue", type=Path, default=Path("config/datasets.yaml"))
    parser.add_argument(
        "--write", type=Path, required=True, metavar="DIR", help="folder of the manifests"
    )
    options = parser.parse_args(arguments)
    for name, entry in load_catalogue(options.catalogue).entries.items():
        if isinstance(entry, PackagedSet):
            path = options.write / f"{name}.csv"
            manifest = photograph_manifest(entry, options.write)
            manifest.write(path)
            print(f"{path}: {len(manifest.rows)} photographs, identity {manifest.sha256[:16]}")


if __name__ == "__main__":
    main()
