"""The page's own style and script, inlined, and the policy that lets nothing else run."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

FOLDER = Path(__file__).resolve().parent.parent / "static"
FIRST = "report"
"""Stem of the files that stand before the others of their kind."""


class StaticFileError(ValueError):
    """A style or script that would break out of its element."""


def joined(suffix: str, folder: Path = FOLDER) -> Markup:
    """All files of `static/` with a suffix as one text: `report` first, then by name.

    Args:
        suffix: `.css` or `.js`.
        folder: where the files are.

    Raises:
        StaticFileError: a file has `</`, which ends the element that it is inlined into.
    """
    paths = sorted(folder.glob(f"*{suffix}"), key=lambda path: (path.stem != FIRST, path.name))
    texts = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        if "</" in text:
            raise StaticFileError(f"{path} must not contain '</': it is inlined as it is")
        texts.append(text)
    return Markup("\n".join(texts))


def content_security_policy(script: str) -> str:
    """A policy under which the browser itself refuses every request to a host.

    `'self'` lets a page that was opened as a file show the pictures beside it.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
