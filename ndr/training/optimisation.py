"""What a recipe names (losses, optimisers, learning rates), initial weights, and equal bits.

`adam`, `adamw` and the schedules of the tiers are computed with PyTorch alone, all others by timm.
Importing timm, or letting `torch.optim`'s classes import PyTorch's compiler, costs a short training
as much as everything else that it does; the results are the same, which tests hold.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.adam import adam

from ndr.method import Method, PixelLoss
from ndr.nearest_name import check_names
from ndr.registry import method_class
from ndr.seeds import derived_seed
from ndr.specs.run_spec import Recipe, RunSpec
from ndr.specs.typed_file import SpecError

if TYPE_CHECKING:
    from timm.utils.model_ema import ModelEmaV3

PIXEL_LOSSES: Mapping[str, PixelLoss] = {"l1": F.l1_loss, "l2": F.mse_loss}
"""Means over all pixels and channels. The paper prints 2-norms; its code uses the mean L1, and
offers an l2 that is summed over the image."""


def pixel_loss(recipe: Recipe) -> PixelLoss:
    """The recipe's image distance, in 32 bits also where the network runs in 16."""
    distance = PIXEL_LOSSES[recipe.pixel_loss]
    return lambda restored, clean: distance(restored.float(), clean.float())


def learning_rate(recipe: Recipe, step: int) -> float:
    """Learning rate of the step that counts from 0: a function of the step, without state.

    - `constant`: always the recipe's rate.
    - `multistep`: multiplied by `gamma` for each milestone that is reached (the step after
      which it changes, as in the options of the released code).
    - `cosine`: from the recipe's rate to `minimum_learning_rate`, which the last step nearly
      reaches: rate = minimum + (start - minimum) (1 + cos(pi t)) / 2, with t in [0, 1) counted
      from the end of the warm-up.
    - `poly`, `tanh`: timm's, from the end of the warm-up, with its exponent 0.5 or bounds -7 and 3.
    - `warmup_steps`: the first steps rise linearly; the last of them has the full rate.

    >>> recipe = Recipe(steps=8, batch=1, patch=8, learning_rate=1.0, milestones=(4,))
    >>> [learning_rate(recipe, step) for step in (0, 3, 4)]
    [1.0, 1.0, 0.5]
    """
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if recipe.schedule == "multistep":
        reached = sum(step >= milestone for milestone in recipe.milestones)
        return recipe.learning_rate * recipe.gamma**reached
    if recipe.schedule != "cosine":
        schedule = _timm_schedule(recipe)
        schedule.step_update(step - recipe.warmup_steps)
        return float(schedule.optimizer.param_groups[0]["lr"])
    progress = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    fall = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return recipe.minimum_learning_rate + fall * (
        recipe.learning_rate - recipe.minimum_learning_rate
    )


@functools.cache
def _timm_schedule(recipe: Recipe) -> Any:
    """One of timm's schedules, on an optimiser of its own that trains nothing."""
    from timm.scheduler import PolyLRScheduler, TanhLRScheduler

    kinds: dict[str, Any] = {"poly": PolyLRScheduler, "tanh": TanhLRScheduler}
    return kinds[recipe.schedule](
        torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=recipe.learning_rate),
        t_initial=max(1, recipe.steps - recipe.warmup_steps),
        lr_min=recipe.minimum_learning_rate,
        t_in_epochs=False,
    )


class Adam:
    """Adam, or AdamW, by PyTorch's functional form: the bits of `torch.optim.Adam(fused=True)`.

    Adam's weight decay is an L2 term of the gradient; AdamW's shrinks the weights by itself. Fused,
    because narrow networks spend a fifth of a step in one-by-one updates otherwise.
    """

    def __init__(self, parameters: list[nn.Parameter], recipe: Recipe) -> None:
        group: dict[str, Any] = {"params": parameters, "lr": recipe.learning_rate}
        self.param_groups = [group]
        self._recipe = recipe
        self._state = [
            {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
            for parameter in parameters
        ]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters that have a gradient."""
        group, recipe = self.param_groups[0], self._recipe
        pairs = zip(group["params"], self._state, strict=True)
        moved = [(parameter, state) for parameter, state in pairs if parameter.grad is not None]
        adam(
            [parameter for parameter, _ in moved],
            [parameter.grad for parameter, _ in moved],
            [state["exp_avg"] for _, state in moved],
            [state["exp_avg_sq"] for _, state in moved],
            [],
            [state["step"] for _, state in moved],
            fused=True,
            amsgrad=False,
            beta1=recipe.betas[0],
            beta2=recipe.betas[1],
            lr=group["lr"],
            weight_decay=recipe.weight_decay,
            decoupled_weight_decay=recipe.optimiser == "adamw",
            eps=1e-8,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed training needs."""
        return {"state": self._state}

    def load_state_dict(self, content: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for own, given in zip(self._state, content["state"], strict=True):
            for name, value in own.items():
                value.copy_(given[name])


Optimiser = Adam | torch.optim.Optimizer


def build_optimisers(method: Method, recipe: Recipe) -> dict[str, Optimiser]:
    """One optimiser per group of the method, in the order in which they step.

    The paper's weight decay of 1e-4 is 10,000 times the released code's 1e-8.

    Raises:
        ValueError: the method has nothing to train, or a parameter stands in two groups.
    """
    groups = method.optimiser_groups()
    members = [id(parameter) for group in groups.values() for parameter in group]
    if not members or not all(groups.values()):
        raise ValueError(f"{method.info.name}: a group of optimiser_groups() has no parameter")
    if len(set(members)) < len(members):
        raise ValueError(f"{method.info.name}: optimiser_groups() names a parameter twice")
    if recipe.optimiser in ("adam", "adamw"):
        return {name: Adam(parameters, recipe) for name, parameters in groups.items()}
    from timm.optim import create_optimizer_v2

    return {
        name: create_optimizer_v2(
            parameters,
            opt=recipe.optimiser,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=recipe.betas,
        )
        for name, parameters in groups.items()
    }


def averaged(method: Method, recipe: Recipe) -> ModelEmaV3 | None:
    """An exponential moving average of weights and buffers that begins at the initial ones.

    After each step average = decay * average + (1 - decay) * trained, without a warm-up of the
    decay. None where the recipe has no `ema_decay`.
    """
    if recipe.ema_decay is None:
        return None
    from timm.utils.model_ema import ModelEmaV3

    return ModelEmaV3(method, decay=recipe.ema_decay)


def set_learning_rate(optimiser: Optimiser, rate: float) -> None:
    """Give all parameters of an optimiser one rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def clipped_gradient_norm(parameters: list[nn.Parameter], clip_to: float | None) -> torch.Tensor:
    """Norm of the joint gradient; where it exceeds `clip_to` the gradient is scaled down to it."""
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if clip_to is not None:
        nn.utils.clip_grads_with_norm_(parameters, clip_to, norm)
    return norm


def set_up_numerics(cpu_threads: int) -> None:
    """Make equal runs give equal bits on this machine, as far as PyTorch can.

    Operations that have no deterministic form on a GPU (the gradient of reflection padding) warn
    once and run. fp32 means 32 bits: TensorFloat-32 is off, bf16 is the fast choice.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
    torch.set_num_threads(cpu_threads)
    # As use_deterministic_algorithms(True, warn_only=True), which imports the compiler for seconds.
    torch.set_deterministic_debug_mode("warn")
    # Filling every fresh tensor would only hide reads of unwritten memory, at a price.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def initialised_method(spec: RunSpec) -> Method:
    """The run's method with its initial weights, which method and seed decide, no more.

    Ablations of one method so start from the same draws as far as their layers agree.

    Raises:
        UnknownNameError: unknown method or argument, with the nearest names.
        SpecError: a method that is not trained, or arguments that it does not take.
    """
    cls = method_class(spec.method)
    if not cls.info.trainable:
        raise SpecError(f"method {spec.method!r} is not trained; evaluate it right away")
    known = inspect.signature(cls).parameters
    check_names(f"argument of {spec.method}", spec.arguments, known)
    missing = sorted(known.keys() - spec.arguments.keys())
    if missing:
        raise SpecError(f"arguments of {spec.method}: {missing} are missing; plan the run again")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(spec.suite_seed, "initialise", spec.method, spec.seed))
        try:
            return cls(**spec.arguments)
        except (TypeError, ValueError) as error:
            raise SpecError(f"{spec.method} refuses {spec.arguments}: {error}") from error


def seed_step(spec: RunSpec, step: int, rank: int) -> None:
    """Seed what a method draws while it trains (dropout, drop path) by the step.

    A resumed training so draws what it would have drawn; processes draw differently.
    """
    torch.manual_seed(derived_seed(spec.suite_seed, "step", spec.seed, step, rank))
