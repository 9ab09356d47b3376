"""CBM3D (Dabov et al., 2007): block matching and 3-D filtering, no training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ndr.method import (
    Method,
    MethodInfo,
    SideInformation,
    SizeRequirements,
    Tiling,
    register_method,
)


@register_method
class BM3D(Method):
    """Colour BM3D by the package `bm3d`, in its opponent colour space, normal profile.

    The package is the authors' own, closed, for non-commercial use. It runs on the CPU; half a
    minute for a picture of 481x321. Below the size in `info` it reads outside of its memory.

    Args:
        threads: threads of the filter. With more than one its sums come in changing order, and
            the output changes by some 1e-7 from call to call.
    """

    info = MethodInfo(
        name="bm3d",
        paper_label="CBM3D",
        citation="K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, Color image denoising via sparse "
        "3D collaborative filtering with grouping constraint in luminance-chrominance space, "
        "ICIP 2007",
        tasks=frozenset({"noise"}),
        trainable=False,
        sizes=SizeRequirements(minimum=16),
        tiling=Tiling.DISCOURAGED,
        side_information=frozenset({"sigma"}),
        slow=True,
    )

    def __init__(self, threads: int = 1) -> None:
        super().__init__()
        self.threads = threads

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same shape; `side.sigma` on the 0..255 scale, above 0.

        Raises:
            ValueError: a noise level that is not above 0.
        """
        from bm3d import BM3DProfile, bm3d_rgb  # starting it takes a second

        profile = BM3DProfile()
        profile.num_threads = self.threads
        sigmas = side.noise_levels(degraded).tolist()
        if min(sigmas) == 0:
            raise ValueError(f"bm3d: expected noise levels above 0, found {sigmas}")
        images = degraded.detach().cpu().double().permute(0, 2, 3, 1).numpy()
        restored = [
            bm3d_rgb(np.ascontiguousarray(image), sigma / 255, profile)
            for image, sigma in zip(images, sigmas, strict=True)
        ]
        return torch.from_numpy(np.stack(restored)).permute(0, 3, 1, 2).to(degraded).contiguous()
