"""What a training needs to go on after it was stopped or killed, and the file that holds it.

The file is no declared output of the workflow, which deletes outputs of failed jobs. Its name is
the identity of the spec, of the source code and of the images, so that a changed run never
continues an old state. It disappears when the results are complete.
"""

from __future__ import annotations

import logging
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from ndr.atomic_file import atomic_path
from ndr.method import Method, load_strictly
from ndr.run_spec import RunSpec
from ndr.training.optimisation import build_optimisers
from ndr.training.records import Curve, Snapshots

log = logging.getLogger(__name__)


class TrainingState:
    """A training between two steps.

    `step` counts the steps done; it is the sampler's position (times the batch) and the
    schedule's, both being functions of it. `seconds` is the time of all steps so far.
    """

    def __init__(self, spec: RunSpec, method: Method) -> None:
        """State before the first step; `method` is on its device."""
        self.spec = spec
        self.method = method
        self.optimisers = build_optimisers(method, spec.recipe)
        self.curve = Curve(spec.recipe.steps)
        self.snapshots = Snapshots(spec.recipe.steps, spec.representation_snapshots)
        self.step = 0
        self.seconds = 0.0
        self.resumed_at: list[int] = []

    def content(self) -> dict[str, Any]:
        """The state as plain containers and tensors."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "resumed_at": self.resumed_at,
            "model": self.method.state_dict(),
            "optimisers": {name: each.state_dict() for name, each in self.optimisers.items()},
            "curve": self.curve.state(),
            "snapshots": self.snapshots.state(),
            # Each step reseeds PyTorch, so these matter to draws between steps only.
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        }

    def load(self, content: dict[str, Any], source: str) -> None:
        """Continue where `content` was taken.

        Raises:
            CheckpointError: it is of another network.
        """
        load_strictly(self.method, content["model"], source)
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(content["optimisers"][name])
        self.curve.load(content["curve"])
        self.snapshots.load(content["snapshots"])
        self.step = content["step"]
        self.seconds = content["seconds"]
        self.resumed_at = [*content["resumed_at"], self.step]
        torch.set_rng_state(content["random"])
        if len(content["random_cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(content["random_cuda"])


class ResumeFile:
    """The file that holds the last good state of one run."""

    def __init__(
        self, folder: str | Path, spec_sha256: str, source_fingerprint: str, data_sha256: str
    ) -> None:
        name = f"{spec_sha256}-{source_fingerprint}-{data_sha256[:16]}.pt"
        self.path = Path(folder) / name
        self.identity = {
            "spec_sha256": spec_sha256,
            "source_fingerprint": source_fingerprint,
            "data_sha256": data_sha256,
        }
        self.saved_step: int | None = None
        """Step of the state that the file holds, as far as this process knows."""

    def save(self, state: TrainingState) -> None:
        """Replace the file by the present state; on failure the old file stays.

        Raises:
            OSError: the disk is full or not writable; the message names the file.
        """
        with atomic_path(self.path) as temporary:
            try:
                torch.save({**self.identity, **state.content()}, temporary)
            except RuntimeError as error:
                # PyTorch's writer reports a full disk as a failed check of its own.
                raise OSError(None, f"{error}".splitlines()[0]) from error
        self.saved_step = state.step

    def read(self) -> dict[str, Any] | None:
        """Content of the file; None where there is none.

        A damaged file (truncated, bits flipped, something else under its name) is set aside with
        a warning that names it, and None is returned: the training starts anew.
        """
        if not self.path.exists():
            return None
        try:
            content = self._checked()
        except (zipfile.BadZipFile, pickle.UnpicklingError, EOFError, RuntimeError) as error:
            aside = self.path.with_name(self.path.name + ".damaged")
            self.path.replace(aside)
            reason = f"{error}".splitlines()[0] if f"{error}" else type(error).__name__
            log.warning(
                "%s is damaged (%s); it is set aside as %s and the training starts anew",
                self.path, reason, aside,
            )  # fmt: skip
            return None
        self.saved_step = content["step"]
        return content

    def _checked(self) -> dict[str, Any]:
        with zipfile.ZipFile(self.path) as archive:
            wrong = archive.testzip()  # compares checksums, which torch.load does not
        if wrong is not None:
            raise zipfile.BadZipFile(f"wrong checksum of {wrong}")
        content = torch.load(self.path, map_location="cpu", weights_only=True)
        if not isinstance(content, dict) or any(
            content.get(key) != value for key, value in self.identity.items()
        ):
            raise pickle.UnpicklingError("it is no state of this run")
        return content

    def remove(self) -> None:
        """Delete the file, and halves that kills left beside it, once the results are complete."""
        for path in (self.path, *self.path.parent.glob(f".{self.path.stem}.*.partial.pt")):
            path.unlink(missing_ok=True)
