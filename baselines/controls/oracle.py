"""Control: the ground truth, the ceiling of every metric."""

from __future__ import annotations

from torch import Tensor

from ndr.method import TASKS, Method, MethodInfo, SideInformation, register_method


@register_method
class Oracle(Method):
    """Returns the clean image that it is given.

    A metric that is not perfect on its output is measured wrongly; its pictures are the truth.

    Args:
        scale: side of the clean image over the side of the degraded one.

    Raises:
        ValueError: `scale` is less than 1.
    """

    info = MethodInfo(
        name="oracle",
        paper_label="Ground truth",
        citation="none (control of this suite)",
        tasks=TASKS,
        trainable=False,
        side_information=frozenset({"clean"}),
    )

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        if scale < 1:
            raise ValueError(f"oracle: expected a scale of at least 1, found {scale}")
        self.scale = scale

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the clean images; `restore` has checked that they belong to it."""
        assert side.clean is not None
        return side.clean.clone()
