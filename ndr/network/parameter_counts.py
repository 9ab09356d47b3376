"""Sizes of NDR-Restore, NDR-Degrad and their parts, for every variant and ablation.

`python -m ndr.network.parameter_counts --out counts.json`. The networks are built without memory;
the report puts the counts beside those of the paper.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ndr.method import parameter_count
from ndr.network.method import NDRRestoreMethod
from ndr.network.official_keys import never_used_count
from ndr.network.variant import VARIANTS
from ndr.records.parameter_counts import (
    AblationCounts,
    ParameterCounts,
    PartCounts,
    VariantCounts,
)

ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "use_ndr=false": {"use_ndr": False},
    "use_dq=false": {"use_dq": False},
    "use_di=false": {"use_di": False},
    "use_cp=false": {"use_cp": False},
    "M=32,N=8": {"M": 32, "N": 8},
    "M=64,N=32": {"M": 64, "N": 32},
    "M=128,N=16": {"M": 128, "N": 16},
}
"""Tables IX and X of the paper."""


def build(**changes: Any) -> NDRRestoreMethod:
    """Build the method at the paper's size, on the device that holds no data."""
    with torch.device("meta"):
        return NDRRestoreMethod(**changes)


def part_counts(method: NDRRestoreMethod) -> PartCounts:
    """Parameters of both networks and of the parts that the paper lists."""
    restoration = method.restoration

    def count(*modules: nn.Module | None) -> int:
        return sum(parameter_count(module) for module in modules if module is not None)

    restore = count(restoration)
    query_and_injection = count(
        restoration.queries, restoration.injections, restoration.plain_skips
    )
    representation = count(restoration.representation)
    return PartCounts(
        restore=restore,
        degrade=count(method.degradation),
        query_and_injection=query_and_injection,
        representation=representation,
        encoder_and_decoder=restore - query_and_injection - representation,
    )


def variant_counts(variant: str) -> VariantCounts:
    """Counts of one variant: in use, with the never-used layers, and of its ablations.

    Only the first release has layers that it never uses; this suite does not create them.
    """
    in_use = part_counts(build(variant=variant))
    never_used = never_used_count(48, 64, 16) if variant == "first_release" else 0
    ablations = {}
    shallow = {"blocks": (1, 1, 1, 1), "refinement_blocks": 0}
    for name, changes in ABLATIONS.items():
        # An ablation touches the skips alone, so a shallow network tells its size.
        counts = part_counts(build(variant=variant, **shallow, **changes))
        restore = in_use.encoder_and_decoder + counts.restore - counts.encoder_and_decoder
        ablations[name] = AblationCounts(
            restore=restore,
            degrade=counts.degrade,
            restore_relative_to_full=round(restore / in_use.restore, 6),
        )
    return VariantCounts(
        in_use=in_use,
        never_used_per_network=never_used,
        with_never_used=dataclasses.replace(
            in_use,
            restore=in_use.restore + never_used,
            degrade=in_use.degrade + never_used,
            query_and_injection=in_use.query_and_injection + never_used,
        ),
        ablations=ablations,
    )


def main() -> None:
    """Write the counts of all variants as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m ndr.network.parameter_counts", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    counts = ParameterCounts({name: variant_counts(name) for name in VARIANTS})
    try:
        counts.write(arguments.out)
    except OSError as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
