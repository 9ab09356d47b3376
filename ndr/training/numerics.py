"""Settings of PyTorch that decide about the bits of a result."""

from __future__ import annotations

import inspect
import os

import torch

from ndr.method import Method, method_class
from ndr.nearest_name import check_names
from ndr.run_spec import RunSpec, SpecError
from ndr.seeds import derived_seed


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
