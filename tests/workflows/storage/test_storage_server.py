"""Storing through an S3-compatible server on the loopback interface."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.workflows.storage.stored_checkout import empty_checkout, write
from workflows.storage.artefact_store import ArtefactStore, StoreError

BUCKET = "laboratory"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ThreadedMotoServer]:
    """A server, and keys and address for it in the environment of this test."""
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    empty = write(tmp_path, "no_configuration", "")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(empty),
        "AWS_SHARED_CREDENTIALS_FILE": str(empty),
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    yield started
    started.stop()


def test_a_tree_goes_to_the_server_and_comes_back(
    server: ThreadedMotoServer, tmp_path: Path
) -> None:
    store = ArtefactStore(empty_checkout(tmp_path / "checkout"))
    content = {"tree/a.bin": bytes(range(256)) * 100, "tree/inner/b.txt": b"text"}
    for path, data in content.items():
        write(store.root, path, data)
    remote = store.remote(f"s3://{BUCKET}/suite")
    store.add([store.root / "tree"])
    store.push([store.root / "tree.dvc"], remote)
    stored = boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert len(stored) == len(content) + 1  # and the list of the folder's files
    assert all(item["Key"].startswith("suite/files/md5/") for item in stored)

    shutil.rmtree(store.root / "tree")
    shutil.rmtree(store.root / ".dvc" / "cache")
    store.pull([store.root / "tree.dvc"], remote)
    assert {path: (store.root / path).read_bytes() for path in content} == content
    # The keys are nowhere but in the environment.
    assert "testing" not in (store.root / ".dvc" / "config.local").read_text()

    store.run("remote", "add", "--local", "elsewhere", "s3://no-such-bucket/suite")
    with pytest.raises(StoreError, match=r"dvc push failed:\n.*bucket does not exist"):
        store.push([store.root / "tree.dvc"], "elsewhere")
