"""Losses, optimisers and learning rates that a recipe names."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

from ndr.method import Method, PixelLoss
from ndr.nearest_name import check_names
from ndr.registry import method_class
from ndr.seeds import derived_seed
from ndr.specs.run_spec import Recipe, RunSpec
from ndr.specs.typed_file import SpecError

PIXEL_LOSSES: Mapping[str, PixelLoss] = {"l1": F.l1_loss, "l2": F.mse_loss}
"""Means over all pixels and channels. The paper prints 2-norms; its code uses the mean L1, and
offers an l2 that is summed over the image."""


class _WithoutCompiler:
    """What `torch.optim` wraps to keep `torch.compile` out, unwrapped.

    The wrappers import the compiler at their first call, which takes longer than importing
    PyTorch: 2 seconds of each training.
    """

    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)


class Adam(_WithoutCompiler, torch.optim.Adam):
    """PyTorch's Adam: weight decay is an L2 term of the gradient."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


class AdamW(_WithoutCompiler, torch.optim.AdamW):
    """PyTorch's AdamW: weight decay shrinks the weights by itself."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


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
    progress = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    fall = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return recipe.minimum_learning_rate + fall * (
        recipe.learning_rate - recipe.minimum_learning_rate
    )


def build_optimisers(method: Method, recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    """One optimiser per group of the method, in the order in which they step.

    The paper's weight decay of 1e-4 is 10,000 times the released code's 1e-8.

    Raises:
        ValueError: the method has nothing to train, or a parameter stands in two groups.
    """
    kind = {"adam": Adam, "adamw": AdamW}[recipe.optimiser]
    groups = method.optimiser_groups()
    members = [id(parameter) for group in groups.values() for parameter in group]
    if not members or not all(groups.values()):
        raise ValueError(f"{method.info.name}: a group of optimiser_groups() has no parameter")
    if len(set(members)) < len(members):
        raise ValueError(f"{method.info.name}: optimiser_groups() names a parameter twice")
    return {
        name: kind(
            parameters,
            lr=recipe.learning_rate,
            betas=(recipe.betas[0], recipe.betas[1]),
            weight_decay=recipe.weight_decay,
            fused=True,  # narrow networks spend a fifth of a step in one-by-one updates otherwise
        )
        for name, parameters in groups.items()
    }


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
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
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Context of the forward pass: bf16 where the spec says so; weights stay in 32 bits."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


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
    seed = derived_seed(spec.suite_seed, "step", spec.seed, step, rank)
    # torch.manual_seed does the same, and takes a millisecond to note its caller for later.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(seed)
