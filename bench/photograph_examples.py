"""The photographs of the README before and after: `python -m bench.photograph_examples`.

`ndr.restore` restores the photographs of docs/photographs with the network that it takes by itself,
and, because there is none of real rain among them, a packaged photograph with synthesised streaks.
Parts of them are put side by side into docs/restored.jpg.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ndr.atomic_file import atomic_path
from ndr.data.image_files import read_rgb, to_uint8
from ndr.degradations.rain_streaks import add_rain, draw_rain_parameters
from ndr.restore import main as restore
from ndr.seeds import numpy_generator

ROOT = Path(__file__).resolve().parent.parent
PHOTOGRAPHS = ROOT / "docs" / "photographs"
CLEAN = ROOT / "ndr" / "data" / "photographs" / "dogs.jpg"
OUT = ROOT / "docs" / "restored.jpg"
SIZE = (400, 300)
"""Width and height of each part, in pixels of the picture; they fill the README's column."""
GAP, CAPTION = 8, 26
QUALITY = 90


@dataclass(frozen=True, slots=True)
class Example:
    """A photograph and the part of it that is shown."""

    file: str
    caption: str
    corner: tuple[int, int]
    """Left and top of the part."""
    reduced: int = 1
    """How many pixels of the photograph, each way, are one of the picture."""


EXAMPLES = (
    Example("hazy.jpg", "Real haze, seen from an aeroplane", (0, 0), reduced=2),
    Example("grainy.jpg", "Real grain of a scanned film", (160, 60)),
    Example("rainy.png", "Synthesised rain on a photograph", (60, 120)),
)


def rainy() -> Image.Image:
    """The packaged photograph with the rain of the test sets, always the same."""
    generator = numpy_generator(0, "photograph examples", "rain")
    clean = read_rgb(CLEAN) / np.float32(255)
    drawn = add_rain(clean, draw_rain_parameters(generator), generator)
    return Image.fromarray(to_uint8(drawn))


def part(photograph: Image.Image, example: Example) -> Image.Image:
    """What is shown of a photograph, `SIZE` wide and high.

    Raises:
        ValueError: the part reaches beyond the photograph.
    """
    left, top = example.corner
    right, bottom = (
        start + side * example.reduced for start, side in zip((left, top), SIZE, strict=True)
    )
    if right > photograph.width or bottom > photograph.height:
        raise ValueError(f"{example.file} ends before ({right}, {bottom}): {photograph.size}")
    box = photograph.convert("RGB").crop((left, top, right, bottom))
    return box.resize(SIZE, Image.Resampling.LANCZOS)


def side_by_side(pairs: Sequence[tuple[Example, Image.Image, Image.Image]]) -> Image.Image:
    """A row per photograph: its caption, before on the left, after on the right."""
    width, height = SIZE
    sheet = Image.new("RGB", (2 * width + GAP, len(pairs) * (height + CAPTION) - GAP), "white")
    pencil, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for row, (example, before, after) in enumerate(pairs):
        top = row * (height + CAPTION)
        pencil.text((0, top), f"{example.caption}, and restored", fill="black", font=font)
        for place, shown in enumerate((before, after)):
            sheet.paste(part(shown, example), (place * (width + GAP), top + CAPTION - GAP + 2))
    return sheet


def main() -> int:
    """Restore the photographs and write the picture; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        restored, synthesised = Path(folder, "restored"), Path(folder, "rainy.png")
        rainy().save(synthesised)
        sources = [*sorted(PHOTOGRAPHS.glob("*.jpg")), synthesised]
        failed = restore([*map(str, sources), "--out", str(restored), "--format", "png"])
        if failed:
            return failed
        before = {source.name: Image.open(source) for source in sources}
        pairs = [
            (
                example,
                before[example.file],
                Image.open(restored / Path(example.file).with_suffix(".png")),
            )
            for example in EXAMPLES
        ]
        with atomic_path(OUT) as path:
            side_by_side(pairs).save(path, "JPEG", quality=QUALITY)
    print(OUT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
