"""A checkout with made-up products and Snakemake's records of them, for tests of storing."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ndr.records import table_result as t
from ndr.records.table_result import Block, Cell, Number, Row, TableResult
from tests.conftest import REPOSITORY
from workflows.storage.snakemake_records import METADATA

ROOT = REPOSITORY
RUN = "dncnn__denoise__seed_0"
RESULTS = "results/smoke"
MANIFEST = "data/sets/made/manifest.csv"
HEADER = (
    "name,scene,clean,degraded,width,height,clean_sha256,degraded_sha256,"
    "clean_pixels_sha256,degraded_pixels_sha256,parameters"
)


def write(root: Path, path: str, content: str | bytes) -> Path:
    """Write a file below a folder."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return target


def record(root: Path, output: str, inputs: Sequence[str] = ()) -> None:
    """Write the record of an output as Snakemake does."""
    name = base64.urlsafe_b64encode(output.encode()).decode()
    content = {"input": list(inputs), "shellcmd": f"make {output}", "params": []}
    write(root, f"{METADATA}/{name}", json.dumps(content))


def git(folder: Path, *arguments: str) -> None:
    """Run git with an identity of its own."""
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def empty_checkout(folder: Path) -> Path:
    """A git repository with the project's DVC configuration and ignored folders."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    shutil.copytree(
        ROOT / ".dvc",
        folder / ".dvc",
        ignore=shutil.ignore_patterns("cache", "tmp", "config.local"),
    )
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, folder / name)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "base")
    return folder


def table_json() -> str:
    """A table with one value under two protocols."""
    numbers = (
        Number("PSNR", "ndr", 30.123456),
        Number("PSNR", "airnet", 29.0),
        Number("SSIM", "ndr", None, infinite=True),
    )
    cells = (
        Cell("sigma25", t.OK, "", 1, 1, (), numbers),
        Cell("rain", t.NOT_RUN, "not there", None, None, (), ()),
    )
    rows = (
        Row(t.METHOD, "Ours", "", RUN, "", None, None, cells),
        Row(t.METHOD, "Missing", "", None, "left out", None, None, ()),
    )
    table = TableResult(
        name="table_01",
        label="Table I",
        title="Denoising",
        tier="smoke",
        comparable_with_paper=False,
        protocol="ndr",
        metrics=("PSNR", "SSIM"),
        average=False,
        average_weights=(),
        paper_values=None,
        degraded_input_run="identity__no_training__seed_0",
        plan_sha256="0" * 64,
        columns=(),
        blocks=(Block("noise", rows),),
        quality=(),
        notes=(),
    )
    return json.dumps(table.content())


def add_products(root: Path) -> None:
    """One run of a tier from a synthesised set to a table, and what must not be stored."""
    outputs = {
        f"{RESULTS}/runs/{RUN}/checkpoint.safetensors": b"weights" * 1000,
        f"{RESULTS}/runs/{RUN}/curve.csv": "step,total\n1,0.5\n",
        f"{RESULTS}/runs/{RUN}/provenance.json": "{}",
        f"{RESULTS}/evaluations/{RUN}/per_image.csv": "image,value\na,1\n",
        f"{RESULTS}/tables/table_01.json": table_json(),
        MANIFEST: "not read while it is stored",
        "data/originals/published/fetched.json": "{}",
        "data/sets/published/manifest.csv": "rows",
    }
    for path, content in outputs.items():
        write(root, path, content)
        sources = (MANIFEST, "data/sets/published/manifest.csv") if "runs/" in path else ()
        if "sets/published" in path:
            sources = ("data/originals/published/fetched.json", "data/originals/published")
        record(root, path, sources)
    write(root, f"{RESULTS}/evaluations/{RUN}/pictures/a/one.png", "picture")
    record(root, f"{RESULTS}/evaluations/{RUN}/pictures")
    record(root, f"{RESULTS}/removed_by_hand.csv")
    write(root, "data/sets/made/degraded/image.png", "synthesised")
    write(root, "benchmarks/smoke/train/run.jsonl", "{}")
    # Published images, another tier, and a report of it: none of them is the tier's.
    write(root, "data/originals/published/image.png", "published")
    record(root, "data/originals/published")
    write(root, "results/quick/tables/table_01.json", "{}")
    record(root, "results/quick/tables/table_01.json")
    write(root, "reports/all_tables.html", "<html>")
    record(root, "reports/all_tables.html", ["results/quick/tables/table_01.json"])


def products(root: Path) -> dict[str, bytes]:
    """Files below the folders that a snapshot fills."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in ("results", "data", "benchmarks", "reports", str(METADATA))
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }
