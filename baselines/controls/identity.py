"""Control: the degraded image itself, the floor that every method has to beat."""

from __future__ import annotations

from torch import Tensor

from ndr.method import TASKS, Method, MethodInfo, SideInformation, register_method


@register_method
class Identity(Method):
    """Returns its input. Its evaluation gives the rows "degraded input" of the tables.

    Where the resolution is halved the input has another size than the truth; there the control is
    `bicubic`.
    """

    info = MethodInfo(
        name="identity",
        paper_label="Degraded input",
        citation="none (control of this suite)",
        tasks=TASKS - {"down_x2"},
        trainable=False,
    )

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """(B, 3, H, W) -> the same values."""
        return degraded.clone()
