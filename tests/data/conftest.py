"""A catalogue of generated images that lie inside a Python package, as photographs do."""

from __future__ import annotations

import hashlib
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from ndr.data.catalogue import Catalogue, load_catalogue
from ndr.data.image_files import write_png
from ndr.data.prepare import Places, prepare_set
from ndr.data.sample_photographs import main as write_manifests
from tests.data.textured_images import textured_image

SUITE_SEED = 9


@dataclass(frozen=True)
class TinyProject:
    """A project with a catalogue, and the package whose images the catalogue lists."""

    root: Path
    package: str
    package_folder: Path

    @property
    def config(self) -> Path:
        return self.root / "config" / "datasets.yaml"

    @property
    def catalogue(self) -> Catalogue:
        return load_catalogue(self.config)

    @property
    def places(self) -> Places:
        return Places(self.root / "sets", self.root / "originals", (self.root / "mirror",))

    def prepare(self, name: str, **options: bool):
        return prepare_set(self.catalogue, name, self.places, SUITE_SEED, **options)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyProject:
    """Sets: tiny (3 packaged images), tiny_rain (2 variants), tiny_haze, tiny_pairs (folder)."""
    # Where a package lies is remembered by its name: each test has its own.
    package = "photographs_" + hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]
    folder = tmp_path / "installed" / package
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('images are read, not imported')")
    for seed, name in enumerate(("apple", "bridge", "cloud")):
        write_png(folder / "images" / f"{name}.png", textured_image(seed))
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    project = TinyProject(tmp_path, package, folder)
    project.config.parent.mkdir()
    project.config.write_text(
        textwrap.dedent(
            f"""
            sets:
              tiny:
                kind: packaged
                title: three images
                licence: none
                attribution: ["apple: nobody"]
                packages: {{{package}: {package}==1.0}}
                images:
                  apple: {package}/images/apple.png
                  bridge: {package}/images/bridge.png
                  cloud: {package}/images/cloud.png
              tiny_rain:
                {{kind: synthesised, title: rain, licence: none, from: tiny, degradation: rain,
                 variants: 2}}
              tiny_haze:
                {{kind: synthesised, title: haze, licence: none, from: tiny, degradation: haze,
                 limit: 2, attribution: ["haze: nobody"]}}
              tiny_pairs:
                kind: folder
                title: three pairs
                licence: none
                expected: 3
                published: ["https://example.org/pairs"]
                name: "rain-{{key}}"
                layouts:
                  - clean: ["gt/*.png"]
                    degraded: ["rainy/*.png"]
                    clean_name: 'norain-0*(?P<key>\\d+)'
                    degraded_name: 'rain-0*(?P<key>\\d+)'
                  - dataset: pairs
                    clean: ["test/clean/*.png"]
                    degraded: ["test/degraded/*.png"]
                    clean_name: 'norain-0*(?P<key>\\d+)'
                    degraded_name: 'rain-0*(?P<key>\\d+)'
            """
        )
    )
    manifests = project.config.parent / "manifests"
    write_manifests(["--catalogue", str(project.config), "--write", str(manifests)])
    return project
