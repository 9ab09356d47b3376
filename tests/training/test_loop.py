from __future__ import annotations

import dataclasses
import math
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ndr.data.mixture import Mixture
from ndr.method import TrainingContext
from ndr.mixed_precision import autocast
from ndr.specs.run_spec import TIMM_OPTIMISERS, RunSpec
from ndr.training.loop import NonFiniteError, StepBatches, batches
from ndr.training.optimisation import learning_rate, pixel_loss, seed_step
from ndr.training.progress import Interrupted, Interruption
from ndr.training.resume_state import TrainingState
from tests.training.tiny_training import (
    BreaksDown,
    Explodes,
    TinyMethod,
    TwoPlayers,
    resume_file,
    tiny_spec,
    tiny_state,
    train_tiny,
    write_sets,
)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sets(tmp_path_factory.mktemp("sets"))


def tensors_of(content: object) -> Iterator[Tensor]:
    """All tensors and numbers of nested containers, in order."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, (list, tuple)):
        for item in content:
            yield from tensors_of(item)
    elif isinstance(content, (Tensor, int, float)):
        yield torch.as_tensor(content)


def same(left: TrainingState, right: TrainingState) -> bool:
    """Whether two trainings are at the same place, bit for bit, but for the time they took."""
    contents = []
    for state in (left, right):
        content = state.content()
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in state.curve.rows]
        kept = ("step", "model", "average", "optimisers", "snapshots")
        contents.append([*tensors_of([rows, *(content[key] for key in kept)])])
    return len(contents[0]) == len(contents[1]) and all(map(torch.equal, *contents))


class StopsAfter(Interruption):
    """A signal arrives during the given step, without a real one."""

    def __init__(self, steps: int, number: int = signal.SIGTERM) -> None:
        self._left, self._number = steps, number

    @property
    def signal(self) -> int | None:  # asked once in each step
        self._left -= 1
        return self._number if self._left <= 0 else None


@pytest.mark.parametrize("cls", [TinyMethod, TwoPlayers])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"precision": "bf16"},
        {"ema_decay": 0.9},
        {"schedule": "tanh", "warmup_steps": 2},
        *({"optimiser": name} for name in TIMM_OPTIMISERS),
    ],
)
@pytest.mark.parametrize("stops", [(3,), (1, 2, 4)])
def test_steps_with_interruptions_are_the_steps_without(
    cls: type[TinyMethod], changes: dict, stops: tuple[int, ...], sets: Path, tmp_path: Path
) -> None:
    spec = tiny_spec(steps=7, **changes)
    whole = train_tiny(tiny_state(spec, cls), spec, sets, resume_file(tmp_path / "none", spec))
    assert whole.step == 7
    for stop in stops:
        state, file = tiny_state(spec, cls), resume_file(tmp_path, spec)
        content = file.read()
        if content is not None:
            state.load(content, str(file.path))
        with pytest.raises(Interrupted, match="the same command goes on"):
            train_tiny(state, spec, sets, file, interruption=StopsAfter(stop - state.step))
        assert state.step == stop
        torch.rand(5)  # what happens between two processes must not matter
    state, file = tiny_state(spec, cls), resume_file(tmp_path, spec)
    state.load(file.read(), str(file.path))
    assert state.step == stops[-1]
    train_tiny(state, spec, sets, file)
    assert same(state, whole)
    assert state.resumed_at == list(stops)
    different = tiny_spec(steps=7, seed=1, **changes)
    other = train_tiny(tiny_state(different, cls), different, sets, file)
    assert not same(other, whole)


def test_a_signal_while_a_state_is_saved(
    sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler ends the process in the middle of the writing: the file is whole."""
    spec, write, saved = tiny_spec(steps=6), torch.save, []

    def interrupted(content: object, target: Path) -> None:
        if not saved:
            os.kill(os.getpid(), signal.SIGTERM)
        saved.append(target)
        write(content, target)

    whole = train_tiny(tiny_state(spec), spec, sets, resume_file(tmp_path / "none", spec))
    monkeypatch.setattr(torch, "save", interrupted)
    file = resume_file(tmp_path, spec)
    with Interruption() as interruption, pytest.raises(Interrupted, match="signal 15 after step 2"):
        train_tiny(tiny_state(spec), spec, sets, file, interruption=interruption, save_every=0.0)
    assert len(saved) == 2
    state = tiny_state(spec)
    state.load(file.read(), str(file.path))
    assert state.step == 2
    assert same(train_tiny(state, spec, sets, file), whole)
    assert not [*tmp_path.rglob(".*.partial*")]


@pytest.mark.parametrize("schedule", ["multistep", "cosine"])
def test_a_training_that_stops_on_its_way_is_the_whole_one_up_to_there(
    schedule: str, sets: Path, tmp_path: Path
) -> None:
    whole = tiny_spec(steps=8, schedule=schedule)
    state, file = tiny_state(whole), resume_file(tmp_path, whole)
    with pytest.raises(Interrupted):
        train_tiny(state, whole, sets, file, interruption=StopsAfter(4))
    early = tiny_spec(steps=8, schedule=schedule, stops_at=0.5)
    stopped = train_tiny(tiny_state(early), early, sets, resume_file(tmp_path, early))
    assert stopped.step == state.step == early.recipe.last_step == 4
    model = stopped.content()["model"]
    assert all(torch.equal(model[name], value) for name, value in state.content()["model"].items())
    rates = [row["learning_rate"] for row in stopped.curve.rows]
    assert rates[-1] == learning_rate(whole.recipe, 3)


def literal_training(spec: RunSpec, sets: Path) -> tuple[TinyMethod, list[float]]:
    """The same training spelt out with PyTorch's own optimiser and scheduler."""
    method = tiny_state(spec).method.train()
    recipe = spec.recipe
    optimiser = torch.optim.Adam(
        method.parameters(), recipe.learning_rate, recipe.betas, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(recipe.milestones), 0.5)
    mixture, totals = Mixture(spec, sets), []
    for step in range(recipe.steps):
        samples = [mixture.sample(4 * step + index) for index in range(4)]
        degraded, clean = (
            torch.stack([torch.from_numpy(getattr(s, side)) for s in samples])
            .permute(0, 3, 1, 2)
            .contiguous()  # dropout draws in the order of the memory
            for side in ("degraded", "clean")
        )
        seed_step(spec, step, 0)
        loss = (method(degraded, None) - clean).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(method.parameters(), recipe.gradient_clip_norm)
        optimiser.step()
        schedule.step()
        totals.append(loss.item())
    return method, totals


@pytest.mark.parametrize("clip", [0.1, 10.0])
def test_the_loop_does_what_pytorch_spelt_out_does(clip: float, sets: Path, tmp_path: Path) -> None:
    arguments = {"width": 4, "dropout": 0.2, "norm": False}
    spec = tiny_spec(steps=8, gradient_clip_norm=clip, weight_decay=0.1, arguments=arguments)
    state = train_tiny(tiny_state(spec), spec, sets, resume_file(tmp_path, spec))
    method, totals = literal_training(spec, sets)
    assert [row["total"] for row in state.curve.rows] == pytest.approx(totals, rel=1e-5)
    for mine, literal in zip(state.method.parameters(), method.parameters(), strict=True):
        assert torch.allclose(mine, literal, atol=1e-5)
    assert state.curve.rows[-1]["learning_rate"] == pytest.approx(5e-3)


def test_an_average_of_the_weights_is_what_the_training_leaves(sets: Path, tmp_path: Path) -> None:
    """Buffers as well, from the initial ones on; the snapshots of D follow it."""
    spec = tiny_spec(steps=5, ema_decay=0.8, representation_snapshots=6)
    plain = tiny_spec(steps=5)
    expected = {key: value.clone() for key, value in tiny_state(plain).method.state_dict().items()}
    begun, file = tiny_state(plain), resume_file(tmp_path, plain)
    for stop in range(1, 6):
        if stop < 5:
            with pytest.raises(Interrupted):
                train_tiny(begun, plain, sets, file, interruption=StopsAfter(1))
        else:
            train_tiny(begun, plain, sets, file)
        assert begun.step == stop
        for key, value in begun.method.state_dict().items():
            still = value if not value.is_floating_point() else 0.8 * expected[key] + 0.2 * value
            expected[key] = still.clone()
    state = train_tiny(tiny_state(spec), spec, sets, resume_file(tmp_path / "none", spec))
    found = state.result.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[key], expected[key], atol=1e-6) for key in found)
    assert torch.equal(state.snapshots.taken[5], found["dictionary"])
    trained = begun.method.state_dict()
    assert all(torch.equal(value, trained[key]) for key, value in state.method.state_dict().items())
    assert begun.result is begun.method


def test_training_learns(sets: Path, tmp_path: Path) -> None:
    spec = tiny_spec(steps=60, arguments={"width": 8, "dropout": 0.0, "norm": False})
    state = train_tiny(tiny_state(spec), spec, sets, resume_file(tmp_path, spec))
    totals = [row["total"] for row in state.curve.rows]
    assert np.mean(totals[-10:]) < 0.8 * np.mean(totals[:10])


def test_each_optimiser_moves_its_own_parameters_by_its_own_losses(
    sets: Path, tmp_path: Path
) -> None:
    spec = tiny_spec(steps=3)
    state = tiny_state(spec, TwoPlayers)
    train_tiny(state, spec, sets, resume_file(tmp_path, spec))
    rows = state.curve.rows
    assert rows[0].keys() >= {"critic/l2", "critic/decay", "painter/l1", "total", "gradient_norm"}
    assert "painter/l1" not in rows[2]  # it rested
    for row in rows:
        terms = [value for key, value in row.items() if "/" in key]
        assert row["total"] == pytest.approx(sum(terms))
    counts = {
        name: {int(each["step"]) for each in optimiser.state_dict()["state"]}
        for name, optimiser in state.optimisers.items()
    }
    assert counts == {"critic": {3}, "painter": {2}}


@pytest.mark.parametrize("broken", [(BreaksDown, 3, "restore is nan"), (Explodes, 2, "norm is")])
@pytest.mark.parametrize("save_every", [0.0, 60.0])
def test_non_finite_values_stop_the_training(
    broken: tuple[type[TinyMethod], int, str], save_every: float, sets: Path, tmp_path: Path
) -> None:
    (cls, step, what), spec = broken, tiny_spec()
    state, file = tiny_state(spec, cls), resume_file(tmp_path, spec)
    with pytest.raises(NonFiniteError) as caught:
        train_tiny(state, spec, sets, file, save_every=save_every)
    message = str(caught.value)
    mixture = Mixture(spec, sets)
    assert what in message
    assert f"step {step} (" in message
    assert f"positions {4 * step} to {4 * step + 3}" in message
    assert all(mixture.describe(4 * step + i) in message for i in range(4))
    if save_every:
        assert "no state was saved" in message
        assert not file.path.exists()
    else:
        assert f"{file.path}, after step {step}" in message
        assert file.read()["step"] == step
    assert all(torch.isfinite(p).all() for p in state.method.parameters())


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_read_the_same_batches(workers: int, sets: Path) -> None:
    mixture = Mixture(tiny_spec(steps=7), sets)
    alone = list(batches(mixture, range(4), 2, 0))
    ahead = list(batches(mixture, range(4), 2, workers))
    assert len(alone) == len(ahead) == 5
    for left, right in zip(alone, ahead, strict=True):
        assert torch.equal(left.degraded, right.degraded)
        assert torch.equal(left.clean, right.clean)
        assert torch.equal(left.sigma, right.sigma)
        assert left.task == right.task


def test_shares_make_up_the_joint_batch(sets: Path) -> None:
    mixture = Mixture(tiny_spec(), sets)
    joint = StepBatches(mixture, range(4))[5]
    parts = [StepBatches(mixture, share)[5] for share in (range(2), range(2, 4))]
    assert torch.equal(joint.degraded, torch.cat([part.degraded for part in parts]))
    assert joint.task == parts[0].task + parts[1].task
    assert joint.degraded.shape == (4, 3, 8, 8)


def test_bf16_computes_in_bf16_and_keeps_weights_and_losses_in_32_bits(
    sets: Path, tmp_path: Path
) -> None:
    totals = {}
    for precision in ("fp32", "bf16"):
        spec = tiny_spec(steps=4, precision=precision)
        state = train_tiny(tiny_state(spec), spec, sets, resume_file(tmp_path, spec))
        assert {p.dtype for p in state.method.parameters()} == {torch.float32}
        totals[precision] = [row["total"] for row in state.curve.rows]
    assert totals["bf16"] != totals["fp32"]
    assert totals["bf16"] == pytest.approx(totals["fp32"], rel=0.02)
    batch = StepBatches(Mixture(spec, sets), range(4))[0]
    with autocast("bf16", torch.device("cpu")):
        losses = state.method.training_losses(batch, TrainingContext(0, 4, pixel_loss(spec.recipe)))
        assert state.method.first(batch.clean).dtype == torch.bfloat16
    assert losses["restore"].dtype == torch.float32


def test_the_gradient_norm_is_reported_before_clipping(sets: Path, tmp_path: Path) -> None:
    norms = {}
    for clip in (None, 1e-3):
        spec = tiny_spec(steps=1, gradient_clip_norm=clip)
        state = train_tiny(tiny_state(spec), spec, sets, resume_file(tmp_path, spec))
        norms[clip] = state.curve.rows[0]["gradient_norm"]
        kept = math.sqrt(sum(float(p.grad.square().sum()) for p in state.method.parameters()))
        assert kept == pytest.approx(norms[clip] if clip is None else clip, rel=1e-3)
    assert norms[None] == pytest.approx(norms[1e-3])


def test_a_full_disk_does_not_end_a_training(
    sets: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spec = tiny_spec()
    (tmp_path / "resume").write_text("a file where the folder should be")
    file = resume_file(tmp_path / "resume", spec)
    state = train_tiny(tiny_state(spec), spec, sets, file, save_every=0.0)
    assert state.step == 6
    assert "the training goes on" in caplog.text
    with pytest.raises(OSError, match="resume"):
        train_tiny(tiny_state(spec), spec, sets, file, interruption=StopsAfter(2))


def test_draws_between_steps_do_not_change_a_step(sets: Path, tmp_path: Path) -> None:
    spec = tiny_spec()
    quiet = train_tiny(tiny_state(spec), spec, sets, resume_file(tmp_path, spec))
    torch.manual_seed(77)
    noisy = train_tiny(tiny_state(spec), spec, sets, resume_file(tmp_path, spec))
    assert same(quiet, noisy)
    slower = dataclasses.replace(spec, suite_seed=10)
    assert not same(
        quiet, train_tiny(tiny_state(slower), slower, sets, resume_file(tmp_path, spec))
    )
