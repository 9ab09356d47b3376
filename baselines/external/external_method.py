"""Methods that are called by command, a class for each entry of `config/external_methods.yaml`."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from baselines.external.external_program import (
    ExternalProgram,
    ExternalWeights,
    check_outputs,
    last_lines,
)
from ndr.image_decoding import DecodingError, check_png, opened, samples_of
from ndr.method import (
    PRESETS,
    Method,
    MethodInfo,
    OfficialWeights,
    RestorationError,
    SideInformation,
    Tiling,
    register_method,
)
from ndr.specs.typed_file import at_least, build, filled, read_yaml

DEFAULT_FILE = Path(__file__).resolve().parents[2] / "config" / "external_methods.yaml"


@dataclass(frozen=True, slots=True)
class ExternalSettings:
    """One entry of the file (comments there)."""

    name: str
    label: str
    citation: str
    tasks: Annotated[tuple[str, ...], filled]
    command: Annotated[tuple[str, ...], filled]
    scale: Annotated[int, at_least(1)] = 1
    python: str = ""
    folder: str = ""
    environment: str = ""
    weights: Mapping[str, ExternalWeights] = dataclasses.field(default_factory=dict)
    seconds_to_start: Annotated[float, at_least(0.01)] = 600.0
    seconds_per_image: Annotated[float, at_least(0.01)] = 120.0


def read_external_settings(path: Path = DEFAULT_FILE) -> list[ExternalSettings]:
    """Read the file; nothing is run and nothing has to be installed.

    Raises:
        SpecError: no valid YAML, a misspelt key (with the nearest one), or a wrong value.
    """
    entries = build(dict[str, dict[str, Any]], read_yaml(path) or {}, str(path))
    return [
        build(ExternalSettings, {"name": name, **entry}, f"{path}: {name}")
        for name, entry in entries.items()
    ]


class ExternalMethod(Method):
    """A program that reads a folder of 8-bit PNG files and writes one of the same names.

    The degraded images are clipped and rounded to 8 bits: noise outside [0, 1] does not reach the
    program. What it writes has 8 or 16 bits, grey or RGB, and is `scale` times as large.

    Args:
        command: see `ExternalProgram`.
        python: interpreter of its environment.
        folder: where it runs.
        weights: name, path and sha256 of each file.
        scale: size of its outputs over that of its inputs.
    """

    settings: ClassVar[ExternalSettings]
    root: ClassVar[Path]
    restores_together = True

    def __init__(
        self,
        *,
        command: Sequence[str] = (),
        python: str = "",
        folder: str = "",
        weights: Sequence[Sequence[str]] = (),
        scale: int = 1,
    ) -> None:
        super().__init__()
        self.scale = scale
        published, unnamed = self.settings.weights, ExternalWeights("", "", "")
        self.program = ExternalProgram(
            name=self.info.paper_label,
            command=tuple(command),
            root=self.root,
            python=python,
            folder=folder,
            weights={
                name: dataclasses.replace(published.get(name, unnamed), path=path, sha256=sha256)
                for name, path, sha256 in weights
            },
            environment=self.settings.environment,
            seconds_to_start=self.settings.seconds_to_start,
            seconds_per_image=self.settings.seconds_per_image,
        )

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> (B, 3, scale * H, scale * W), multiples of 1 / 255 or 1 / 65535.

        Raises:
            RestorationError: the program is missing or failed.
        """
        named = ((f"image {index}", image) for index, image in enumerate(degraded))
        return torch.stack(list(self.restore_together(named))).to(degraded)

    def restore_together(self, images: Iterable[tuple[str, Tensor]]) -> Iterator[Tensor]:
        """Write all images, run the program once, read its images one by one.

        Raises:
            RestorationError: the program is missing, failed, or wrote too few images or images of
                another size; with its last lines.
        """
        with tempfile.TemporaryDirectory(prefix="external-method-") as temporary:
            folder = Path(temporary)
            inputs, outputs, log = folder / "input", folder / "output", folder / "printed.txt"
            inputs.mkdir()
            outputs.mkdir()
            names: list[str] = []
            sizes: list[tuple[int, int]] = []
            for name, image in images:
                _write(inputs / f"{len(names):05d}.png", image)
                names.append(name)
                height, width = image.shape[-2:]
                sizes.append((self.scale * height, self.scale * width))
            if not names:
                return
            self.program.run(inputs, outputs, log, len(names), torch.get_num_threads())
            paths = [outputs / f"{index:05d}.png" for index in range(len(names))]
            found = {
                name: _size(path, self.program.name)
                for name, path in zip(names, paths, strict=True)
                if path.is_file()
            }
            others = sorted(path.name for path in outputs.iterdir() if path not in paths)
            printed = f"; instead it wrote {', '.join(others[:5])}" if others else ""
            check_outputs(self.program.name, names, found, sizes, printed + last_lines(log))
            for path in paths:
                yield _read(path, self.program.name)


def _write(path: Path, image: Tensor) -> None:
    """Write (3, H, W) in [0, 1] as 8-bit PNG, rounded half to even."""
    from PIL import Image

    pixels = (image.detach().float().clamp(0, 1) * 255).round().to("cpu", torch.uint8)
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(path, compress_level=1)


def _size(path: Path, program: str) -> tuple[int, int]:
    """Height and width, from the head of the file."""
    try:
        with opened(path, ("PNG",)) as image:
            return image.height, image.width
    except (DecodingError, OSError) as error:
        raise RestorationError(f"{program} wrote a file that is no image: {error}") from error


def _read(path: Path, program: str) -> Tensor:
    """(3, H, W) float32 in [0, 1], of 8 or 16 bits; grey stands in all three channels."""
    try:
        with opened(path, ("PNG",)) as image:
            check_png(path)
            samples = samples_of(image, path)
    except (DecodingError, OSError) as error:
        raise RestorationError(f"{program} wrote a damaged image: {error}") from error
    highest = np.iinfo(samples.dtype).max
    samples = samples if samples.ndim == 3 else samples[..., None]
    if samples.shape[2] in (2, 4):
        if samples[..., -1].min() < highest:
            raise RestorationError(
                f"{program} wrote an image with transparent pixels: nobody can tell what lies "
                "behind them; let it write RGB without transparency"
            )
        samples = samples[..., :-1]
    pixels = torch.from_numpy(np.ascontiguousarray(samples)).permute(2, 0, 1).float() / highest
    return pixels.expand(3, -1, -1)


def external_method_class(settings: ExternalSettings, root: Path) -> type[ExternalMethod]:
    """The class of one entry.

    All that can change a result stands in its constructor's arguments, and so in the spec of an
    evaluation; time limits do not.

    Args:
        settings: the entry.
        root: folder that relative paths start from.

    Raises:
        UnknownNameError: an unknown task or placeholder.
        ValueError: a command without `{input}` or `{output}`.
    """
    arguments: dict[str, Any] = {
        "command": list(settings.command),
        "python": settings.python,
        "folder": settings.folder,
        "weights": [
            [name, file.path, file.sha256 or ""] for name, file in settings.weights.items()
        ],
        "scale": settings.scale,
    }
    info = MethodInfo(
        name=settings.name,
        paper_label=settings.label,
        citation=settings.citation,
        tasks=frozenset(settings.tasks),
        presets=dict.fromkeys(PRESETS, arguments),
        trainable=False,
        tiling=Tiling.FORBIDDEN,
        scale=settings.scale,
        official_weights=tuple(
            OfficialWeights(f"{settings.name}_{name}", file.url, file.licence, file.sha256)
            for name, file in settings.weights.items()
        ),
    )
    name = "".join(part.capitalize() for part in settings.name.split("_"))
    attributes = {
        "__doc__": f"{settings.label}, called by command; see config/external_methods.yaml.",
        # The fingerprint of an evaluation's code follows the module.
        "__module__": __name__,
        "info": info,
        "settings": settings,
        "root": root,
    }
    cls = type(name, (ExternalMethod,), attributes)
    cls(**arguments)  # a command that cannot be filled in is told at once
    return cls


def register_external_methods(path: Path = DEFAULT_FILE) -> list[type[ExternalMethod]]:
    """Register a class for each entry of a file; none where there is no file."""
    if not path.is_file():
        return []
    classes = [
        external_method_class(settings, path.parent.parent)
        for settings in read_external_settings(path)
    ]
    for cls in classes:
        register_method(cls)
    return classes


register_external_methods()
