"""One side of `bench.method_speed`: times one method after the other, as it is asked to.

It is run by its path, with the tree that is measured in `PYTHONPATH`, so that it can measure
another revision than its own. A line of JSON asks, and a line of JSON answers: `{"spec": ...}`
prepares the method of a run, `"step"` does one training step and `"image"` restores one image;
both answer with seconds of processor time.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import sys
import time
from typing import Any

import torch

from ndr.method import Batch, SideInformation
from ndr.specs.run_spec import RunSpec
from ndr.training.loop import take_step
from ndr.training.optimisation import initialised_method, seed_step, set_up_numerics
from ndr.training.processes import Processes, loss_module
from ndr.training.resume_state import TrainingState

SIDE = 256
CPU = Processes(torch.device("cpu"))


class Prepared:
    """A method that trains on one batch, and its copy that restores one image."""

    def __init__(self, spec: RunSpec, *, straightforward: bool) -> None:
        method = initialised_method(spec)
        if straightforward:
            module = importlib.import_module("bench.straightforward_methods")
            module.write_straightforwardly(method)
        restoring = copy.deepcopy(method).eval().requires_grad_(False)
        layer: Any  # PyTorch types `to` as if this keyword were not
        for layer in restoring.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.to(memory_format=torch.channels_last)
        self._restoring = restoring
        self._image = self._noise(1, SIDE // method.scale)
        self._state = TrainingState(spec, method.train())
        self._module = loss_module(method, CPU)
        size, side = spec.recipe.batch, spec.recipe.patch
        self._batch = Batch(
            self._noise(size, side // method.scale),
            self._noise(size, side),
            ("noise",) * size,
            torch.full((size,), 25.0),
        )

    @staticmethod
    def _noise(count: int, side: int) -> torch.Tensor:
        return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(side))

    def step(self) -> float:
        """One training step, the last of its run: methods that train in stages are in the last."""
        spec, last = self._state.spec, self._state.spec.recipe.steps - 1
        seed_step(spec, last, 0)
        start = time.process_time()
        take_step(
            self._module,
            self._state.optimisers,
            self._batch,
            spec=spec,
            step=last,
            rate=spec.recipe.learning_rate,
            processes=CPU,
        )
        return time.process_time() - start

    def image(self) -> float:
        """Restore one image, in single precision as evaluations do."""
        start = time.process_time()
        with torch.no_grad():
            self._restoring.restore(self._image, SideInformation(sigma=25.0))
        return time.process_time() - start


def main(straightforward: bool) -> None:
    """Answer until the input ends."""
    set_up_numerics(1)
    if not straightforward:
        with contextlib.suppress(ImportError):  # revisions before it
            importlib.import_module("ndr.allocator").keep_freed_memory()
    prepared: Prepared | None = None
    for line in sys.stdin:
        asked = json.loads(line)
        answer: float | None = None
        if isinstance(asked, dict):
            prepared = None  # its memory first
            spec = RunSpec.from_json(json.dumps(asked["spec"]))
            prepared = Prepared(spec, straightforward=straightforward)
        elif prepared is not None:
            answer = {"step": prepared.step, "image": prepared.image}[asked]()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main("straightforward" in sys.argv[1:])
