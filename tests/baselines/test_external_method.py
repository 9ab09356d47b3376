"""Methods called by command: a small program in an environment of its own, and its failures."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from baselines.external.external_method import (
    ExternalMethod,
    external_method_class,
    read_external_settings,
    register_external_methods,
)
from baselines.external.external_program import LAST_LINES, last_lines
from ndr import method as contract
from ndr import registry
from ndr.method import ImageError, RestorationError
from ndr.nearest_name import UnknownNameError
from ndr.registry import create, method_arguments, method_names
from ndr.specs.typed_file import SpecError

PROGRAM = """
import sys
from pathlib import Path

import numpy as np
from PIL import Image

source, target, weights, mode = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
gain = float(weights.read_text())
print("environment", sys.prefix, flush=True)
for number, path in enumerate(sorted(source.glob("*.png"))):
    print("\\x1b[2Jrestoring", path.name, flush=True)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(float)
    if mode == "fail" and number == 1:
        raise MemoryError("no room for image 1")
    if mode == "few" and number == 1:
        continue
    restored = Image.fromarray((pixels * gain).clip(0, 255).round().astype(np.uint8))
    if mode == "small":
        restored = restored.crop((0, 0, restored.width - 1, restored.height))
    if mode == "double":
        restored = restored.resize((2 * restored.width, 2 * restored.height), Image.NEAREST)
    if mode in ("transparent", "opaque"):
        alpha = np.full(pixels.shape[:2], 255, np.uint8)
        alpha[0, 0] = 128 if mode == "transparent" else 255
        restored.putalpha(Image.fromarray(alpha))
    if mode in ("deep", "deep_grey"):
        import cv2

        deep = (257 * pixels).astype(np.uint16)
        deep = deep[..., 1] if mode == "deep_grey" else deep[..., ::-1]
        cv2.imwrite(str(target / path.name), deep)
        continue
    if mode == "cut":
        restored.save(target / path.name)
        content = (target / path.name).read_bytes()
        (target / path.name).write_bytes(content[:-30])
        continue
    if mode == "damaged":
        (target / path.name).write_bytes(b"no image")
        continue
    restored.save(target / path.name)
if mode == "odd":
    for path in target.glob("*.png"):
        path.rename(path.with_name("restored_" + path.name))
if mode in ("sleep", "child", "daemon"):
    import subprocess, time

    code = "import time; time.sleep(600)"
    subprocess.Popen([sys.executable, "-c", code], start_new_session=mode == "daemon")
    time.sleep(600 if mode == "sleep" else 0)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program, its weights and an environment that only it uses."""
    root = tmp_path_factory.mktemp("project")
    venv = root / "environments" / "brighten"
    command = [sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(venv)]
    subprocess.run(command, check=True, timeout=120)
    # The packages of the environment that runs the tests are "the system's" for the program.
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "of_the_tests.pth").write_text("\n".join(p for p in sys.path if "site-packages" in p))
    (root / "program").mkdir()
    (root / "program" / "brighten.py").write_text(PROGRAM)
    (root / "weights").mkdir()
    (root / "weights" / "gain.txt").write_text("1.5")
    (root / "config").mkdir()
    return root


def entry(mode: str = "good", **changes: Any) -> dict[str, Any]:
    content = {
        "label": "Brighten",
        "citation": "nobody, a program for tests, 2024",
        "tasks": ["haze"],
        "python": "environments/brighten/bin/python",
        "folder": "program",
        "environment": "program/environment.yml",
        "command": ["{python}", "brighten.py", "{input}", "{output}", "{weights}", mode],
        "weights": {
            "gain": {
                "path": "weights/gain.txt",
                "url": "https://example.org/gain.txt",
                "licence": "MIT",
                "sha256": hashlib.sha256(b"1.5").hexdigest(),
            }
        },
    }
    return content | changes


def settings_of(root: Path, **entries: dict[str, Any]) -> Path:
    path = root / "config" / "external_methods.yaml"
    path.write_text(yaml.safe_dump(entries))
    return path


def created(root: Path, mode: str = "good", **changes: Any) -> ExternalMethod:
    (settings,) = read_external_settings(settings_of(root, brighten=entry(mode, **changes)))
    cls = external_method_class(settings, root)
    return cls(**cls.info.presets["smoke"])


def two_images() -> list[tuple[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        ("first", torch.rand(3, 12, 9, generator=generator)),
        ("second", 1.4 * torch.rand(3, 8, 16, generator=generator) - 0.2),
    ]


def test_restores_images_of_several_sizes(project: Path) -> None:
    images = two_images()
    restored = list(created(project).restore_together(images))
    for (_, image), output in zip(images, restored, strict=True):
        stored = (image.clamp(0, 1) * 255).round()
        expected = (stored * 1.5).clamp(0, 255).round() / 255
        torch.testing.assert_close(output, expected, atol=0.5 / 255, rtol=0)


@pytest.mark.parametrize("mode", ["deep", "deep_grey", "opaque"])
def test_depth_grey_and_opaque_channels_are_read_as_they_are(project: Path, mode: str) -> None:
    """Pillow alone would take 16-bit grey for white, and the high bytes of 16-bit colour."""
    images = two_images()
    restored = list(created(project, mode).restore_together(images))
    for (_, image), output in zip(images, restored, strict=True):
        stored = (image.clamp(0, 1) * 255).round() / 255
        expected = stored[1].expand_as(stored) if mode == "deep_grey" else stored
        expected = (stored * 1.5).clamp(0, 1) if mode == "opaque" else expected
        torch.testing.assert_close(output, expected, atol=0.6 / 255, rtol=0)


def test_is_a_method_like_the_others(project: Path) -> None:
    """Batches, any size, checks of the input, no parameters, the same answer again."""
    method = created(project).eval()
    batch = torch.stack([two_images()[0][1]] * 2)
    restored = method.restore(batch)
    assert restored.shape == batch.shape
    assert restored.dtype == batch.dtype
    assert torch.equal(restored, method.restore(batch))
    with pytest.raises(ImageError):
        method.restore(batch[:, :1])
    assert not method.state_dict()
    assert not list(method.restore_together([]))


def test_enlarges(project: Path) -> None:
    method = created(project, "double", scale=2)
    assert method.scale == method.info.scale == 2
    assert method.restore(torch.rand(1, 3, 5, 7)).shape == (1, 3, 10, 14)


def test_runs_in_its_own_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets the variables on a list, no keys and no ways to our packages; there is no shell."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("PYTHONPATH", str(project))
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    script = (
        "import os, sys; print(sys.prefix, os.getcwd(), sys.argv[1]); "
        "print('SECRET' in str(os.environ), os.environ['CUDA_VISIBLE_DEVICES']); sys.exit(3)"
    )
    command = ["{python}", "-c", script, "a; touch x $(id) {input}{output}"]
    with pytest.raises(RestorationError) as error:
        created(project, command=command).restore(torch.rand(1, 3, 4, 4))
    message = str(error.value)
    assert "Brighten failed with exit status 3" in message
    assert f"{project}/environments/brighten {project}/program a; touch x $(id) /" in message
    assert message.endswith("False 0")
    assert not (project / "program" / "x").exists()


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("fail", r"failed with exit status 1; its last lines:\n(.*\n)*MemoryError: no room"),
        (
            "few",
            r"wrote 1 of 2 images; missing: second; its last lines:\n(.*\n)*\ufffd\[2Jrestoring",
        ),
        ("small", r"wrote 2 of 2 images in another size: first has 8x12 instead of 9x12 pixels; s"),
        (
            "double",
            r"wrote 2 of 2 images in another size: first has 18x24 instead of 9x12 pixels; "
            r"second has 32x16 in",
        ),
        (
            "odd",
            r"wrote 0 of 2 images; missing: first, second; instead it wrote restored_00000",
        ),
        ("damaged", r"wrote a file that is no image"),
        ("cut", r"wrote a damaged image: truncated or damaged"),
        ("transparent", r"wrote an image with transparent pixels: .* let it write RGB"),
    ],
)
def test_what_goes_wrong_is_told(project: Path, mode: str, message: str) -> None:
    with pytest.raises(RestorationError, match=f"Brighten {message}"):
        list(created(project, mode).restore_together(two_images()))


def test_takes_too_long(project: Path) -> None:
    """The program and what it started are ended."""
    method = created(project, "sleep", seconds_to_start=2.0, seconds_per_image=0.25)
    with pytest.raises(RestorationError, match=r"took longer than 2\.5 s for 2 images; its last"):
        list(method.restore_together(two_images()))
    assert all_ended(project)


@pytest.mark.parametrize("mode", ["child", "daemon"])
def test_what_a_program_started_ends_with_it(project: Path, mode: str) -> None:
    """Even what has left its group of processes, as servers in the background do."""
    assert len(list(created(project, mode).restore_together(two_images()))) == 2
    assert all_ended(project)


def all_ended(project: Path) -> bool:
    """Whether no process of the program is left, a moment after it was ended."""
    for _ in range(100):
        # Zombies have no command line any more.
        files = Path("/proc").glob("[0-9]*/cmdline")
        if not any(os.fsencode(project / "environments") in _content(path) for path in files):
            return True
        time.sleep(0.1)
    return False


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended
        return b""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"python": "environments/none/bin/python"},
            "its interpreter is not at environments/none/bin/python; create its environment from "
            "program/environment.yml",
        ),
        ({"folder": "elsewhere"}, "is not installed: its folder is not at elsewhere"),
        (
            {"command": ["no-such-program", "{input}", "{output}"]},
            "is not installed: there is no program 'no-such-program'",
        ),
    ],
)
def test_what_is_missing_is_told(project: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RestorationError, match=message):
        created(project, **changes).restore(torch.rand(1, 3, 4, 4))


def test_weights_are_checked(project: Path) -> None:
    image = torch.rand(1, 3, 4, 4)
    known = entry()["weights"]["gain"]
    for change, message in (
        ({"path": "weights/none.txt"}, r"no weights at weights/none\.txt; it is published at http"),
        ({"sha256": "0" * 64}, rf"expected sha256 0{{64}}, found {known['sha256']}"),
        ({"sha256": None}, rf"states no sha256 .* the file has {known['sha256']}: compare it"),
    ):
        method = created(project, weights={"gain": known | change})
        with pytest.raises(RestorationError, match=message):
            method.restore(image)


def test_last_lines_are_short(tmp_path: Path) -> None:
    log = tmp_path / "printed.txt"
    log.write_bytes(b"")
    assert last_lines(log) == "; it printed nothing"
    log.write_bytes(b"\xff" + b"10%\r20%\r30%\n" * 40 + b"x" * 2000 + b"\n\n")
    lines = last_lines(log).splitlines()
    assert len(lines) == 1 + LAST_LINES
    assert lines[-2:] == ["30%", "x" * 300]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"commands": []}, SpecError, "brighten: unknown key 'commands': did you mean"),
        ({"tasks": ["hase"]}, UnknownNameError, "unknown task 'hase'"),
        ({"tasks": "haze"}, SpecError, "tasks: expected a list, found 'haze'"),
        ({"command": ["x", 3]}, SpecError, r"command\.1: expected text, found 3"),
        ({"command": ["x", "{input}"]}, ValueError, r"expected \{output\} in its command"),
        (
            {"command": ["x", "{input}", "{output}", "{weight}"]},
            UnknownNameError,
            "unknown placeholder in the command of Brighten 'weight': did you mean 'weights'",
        ),
        ({"scale": 0}, SpecError, "scale: expected at least 1, found 0"),
        ({"python": None}, SpecError, "python: expected text, found None"),
        ({"python": ""}, ValueError, "its command has {python}, but `python` is not given"),
        ({"weights": {"a": {"path": "b"}}}, SpecError, r"weights\.a: expected the key 'url'"),
        ({"weights": {"a": "b"}}, SpecError, r"weights\.a: expected the keys .*, found 'b'"),
    ],
)
def test_mistakes_in_the_list(
    project: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        created(project, **changes)


def test_the_list_has_to_be_yaml(tmp_path: Path) -> None:
    path = tmp_path / "external_methods.yaml"
    for content, message in (("a: [", "no valid YAML"), ("- a", "expected keys with values")):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            read_external_settings(path)
    content = entry()
    del content["label"]
    with pytest.raises(ValueError, match="brighten: expected the key 'label'"):
        created_from(tmp_path, content)


def created_from(folder: Path, content: dict[str, Any]) -> None:
    (folder / "external_methods.yaml").write_text(yaml.safe_dump({"brighten": content}))
    read_external_settings(folder / "external_methods.yaml")


def test_registration(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, with all that can change a number among the arguments; time limits cannot."""
    monkeypatch.setattr(contract, "REGISTERED", registered := dict(contract.REGISTERED))
    monkeypatch.setattr(registry, "REGISTERED", registered)
    register_external_methods(settings_of(project, brighten=entry(seconds_to_start=5)))
    assert "brighten" in method_names()
    arguments = method_arguments("brighten", "paper", {})
    assert set(arguments) == {"command", "python", "folder", "weights", "scale"}
    assert arguments["weights"] == [
        ["gain", "weights/gain.txt", hashlib.sha256(b"1.5").hexdigest()]
    ]
    assert create("brighten").program.seconds_to_start == 5
    assert register_external_methods(project / "config" / "none.yaml") == []


@pytest.mark.parametrize("name", ["stablesr", "diffbir"])
def test_methods_of_figure_15(name: str) -> None:
    """Registered from the committed list; what they need is said, and nothing is downloaded."""
    method = create(name)
    assert not method.info.trainable
    assert len(method.info.official_weights) == 2
    assert method.program.command[0] == "{python}"
    with pytest.raises(RestorationError, match=r"is not installed: its interpreter is not at env"):
        method.restore(torch.rand(1, 3, 8, 8))
