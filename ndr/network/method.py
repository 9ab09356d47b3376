"""NDR-Restore (Yao et al., IEEE TIP 2024) as a method of the suite."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ndr.method import (
    TASKS,
    Batch,
    ImageError,
    Method,
    MethodInfo,
    OfficialWeights,
    SideInformation,
    SizeRequirements,
    Tiling,
    TrainingContext,
    check_images,
    pad_by_reflection,
    register_method,
)
from ndr.network.degradation_query import use_loss
from ndr.network.design import NDRDesign
from ndr.network.ndr_restore import NDRDegrad, NDRRestore, SkipRecord
from ndr.network.official_keys import (
    OFFICIAL_NAMES,
    never_used_keys,
    own_layers,
    parts_in_use,
)
from ndr.network.variant import variant_named

_PARAMETERS = 27_330_315 + 9_632_169
_NARROW = {
    "blocks": (1, 1, 1, 1),
    "refinement_blocks": 1,
    "heads": (1, 2, 2, 2),
    "degradation_width": 16,
    "zero_init_output": True,
}


@register_method
class NDRRestoreMethod(Method):
    """NDR-Restore, trained together with NDR-Degrad.

    Restoration uses NDR-Restore alone. In training NDR-Degrad gets the clean image and the U that
    NDR-Restore found in the degraded one, and has to produce the degraded image; its error flows
    back into U and D.

    Args:
        width: channels at full size.
        blocks: transformer blocks per level.
        refinement_blocks: transformer blocks after the decoder.
        heads: attention heads per level.
        expansion: width of the feed-forward parts over the width of their level.
        M: length of the vectors in D.
        N: number of vectors in D.
        K: rank of the CP convolutions.
        degradation_width: channels of U.
        degrade_width: channels of NDR-Degrad at full size; None: NDR-Restore's, as published.
        variant: `first_release` (the paper's sizes), `current_release` or `equations`.
        use_ndr: False replaces query and injection, and leaves NDR-Degrad out: there is no U.
        use_dq: False replaces the degradation query by a convolution; D does not exist.
        use_di: False replaces the degradation injection by a convolution, in both networks.
        use_cp: False replaces the CP convolutions by concatenation and convolution, in both.
        use_le: add L_e, which makes the vectors of D be used apart (Table XII).
        lambda_degrad: weight of the degradation loss; 0 leaves NDR-Degrad out. (Eq. 8 prints lambda
            at the restoration loss; the text, Table XI and the code put it here.)
        le_weight: weight of L_e, see `ndr.network.degradation_query.use_loss`. The paper does not
            give it; Table XII's is set in `config/tables/table_12.yaml`.
        zero_init_output: the last convolution starts at zero, so that the untrained network returns
            its input; without effect where no image is added to the output.
        upscale: `none`, or how twice the size is returned: `pixel_shuffle`, `pre_upsample`. See
            `ndr.layers.x2_head`, also for NDR-Degrad; the paper's own way is not public.
    """

    info = MethodInfo(
        name="ndr_restore",
        paper_label="NDR-Restore",
        citation=(
            "M. Yao, R. Xu, Y. Guan, J. Huang, Z. Xiong: Neural Degradation Representation "
            "Learning for All-In-One Image Restoration. IEEE Transactions on Image Processing, 2024"
        ),
        tasks=TASKS,
        presets={
            "smoke": {**_NARROW, "width": 4, "degradation_width": 8},
            # The paper asks for K below C, H and W; NDR-Degrad has four channels here.
            "small": {**_NARROW, "width": 8, "degrade_width": 4, "K": 3},
        },
        sizes=SizeRequirements(minimum=8, multiple_of=8),
        # Attention weights and CP vectors are statistics of the whole image.
        tiling=Tiling.DISCOURAGED,
        published_parameters=_PARAMETERS,
        official_weights=(
            OfficialWeights(
                name="model_L",
                url="https://huggingface.co/Mingde/pre-trained-models/resolve/main/model_L.pth",
                settings=("promptir_noise_rain_haze",),
                licence="MIT",
                changes={"variant": "current_release"},
            ),
        ),
    )

    official_names = OFFICIAL_NAMES
    training_only = frozenset({"degradation"})
    learns_representation: ClassVar[bool] = True
    """Whether D is trained; if not, it stays as it was drawn."""

    def __init__(
        self,
        *,
        width: int = 48,
        blocks: Sequence[int] = (4, 6, 6, 8),
        refinement_blocks: int = 3,
        heads: Sequence[int] = (1, 2, 4, 6),
        expansion: float = 2.66,
        M: int = 128,  # noqa: N803 - the paper's symbols name these changes in tables and run ids
        N: int = 32,  # noqa: N803
        K: int = 16,  # noqa: N803
        degradation_width: int = 64,
        degrade_width: int | None = None,
        variant: str = "first_release",
        use_ndr: bool = True,
        use_dq: bool = True,
        use_di: bool = True,
        use_cp: bool = True,
        use_le: bool = False,
        lambda_degrad: float = 1.0,
        le_weight: float = 0.01,
        zero_init_output: bool = False,
        upscale: str = "none",
    ) -> None:
        super().__init__()
        design = NDRDesign(
            variant=variant_named(variant),
            width=width,
            blocks=tuple(blocks),
            refinement_blocks=refinement_blocks,
            heads=tuple(heads),
            expansion=expansion,
            dimension=M,
            count=N,
            rank=K,
            degradation_width=degradation_width,
            degrade_width=degrade_width,
            use_ndr=use_ndr,
            use_dq=use_dq,
            use_di=use_di,
            use_cp=use_cp,
            zero_init_output=zero_init_output,
            upscale=upscale,
        )
        for name, weight in (("lambda_degrad", lambda_degrad), ("le_weight", le_weight)):
            if weight < 0:
                raise ValueError(f"{name}: expected a weight of at least 0, found {weight}")
        if use_le and not design.has_representation:
            raise ValueError(
                "use_le=True needs D, which does not exist with use_ndr=False or use_dq=False"
            )
        self.lambda_degrad = lambda_degrad
        self.le_weight = le_weight if use_le else 0.0
        self.restoration = NDRRestore(design)
        if not self.learns_representation and self.restoration.representation is not None:
            self.restoration.representation.freeze()
        self.scale = self.restoration.head.scale
        self.degradation = NDRDegrad(design.of_degrad()) if use_ndr and lambda_degrad > 0 else None

    def forward(self, degraded: Tensor, side: SideInformation) -> Tensor:
        """Restore; nothing but the pixels is used. See `Method.forward`."""
        return self.restoration(degraded)[0]

    def training_losses(self, batch: Batch, context: TrainingContext) -> dict[str, Tensor]:
        """Restoration loss, weighted degradation loss, and weighted L_e (Eq. 8).

        Raises:
            ImageError: a patch whose sides are no multiples of 8.
        """
        self._check_sides(batch.degraded, "training patches")
        # S is computed beside the query only where a loss asks for it.
        records: list[SkipRecord] | None = [] if self.le_weight > 0 else None
        restored, degradations = self.restoration(batch.degraded, records)
        losses = {"restore": context.pixel_loss(restored, batch.clean)}
        if self.degradation is not None:
            predicted = self.degradation(batch.clean, degradations)
            losses["degrade"] = self.lambda_degrad * context.pixel_loss(predicted, batch.degraded)
        if records:
            affinities = [each.affinity for each in records if each.affinity is not None]
            losses["independence"] = self.le_weight * use_loss(affinities)
        return losses

    @torch.no_grad()
    def degrade(self, clean: Tensor, degraded: Tensor) -> Tensor:
        """Give clean images the degradation of others (Fig. 13).

        Args:
            clean: (B, 3, scale * H, scale * W).
            degraded: (B, 3, H, W), images whose degradation is taken.

        Returns:
            (B, 3, H, W).

        Raises:
            RuntimeError: there is no NDR-Degrad, see `lambda_degrad` and `use_ndr`.
            TypeError, ImageError: images that cannot be used, or of different shapes.
        """
        if self.degradation is None:
            raise RuntimeError("this network was made without NDR-Degrad (lambda_degrad, use_ndr)")
        check_images(clean, "clean images")
        check_images(degraded)
        scale = self.scale
        height, width = degraded.shape[-2:]
        expected = (len(degraded), 3, scale * height, scale * width)
        if clean.shape != expected:
            raise ImageError(
                f"clean images: expected shape {expected} for degraded images of "
                f"{tuple(degraded.shape)}, found {tuple(clean.shape)}"
            )
        padded = self.info.sizes.pad(degraded)
        _, degradations = self.restoration(padded)
        clean = pad_by_reflection(clean, *(scale * side for side in padded.shape[-2:]))
        return self.degradation(clean, degradations)[..., :height, :width]

    @torch.no_grad()
    def restore_given(self, degraded: Tensor, degradations: Sequence[Tensor]) -> Tensor:
        """Restore with another U than the one that the images themselves ask for.

        Args:
            degraded: (B, 3, H, W), H and W multiples of 8.
            degradations: U of the three levels, as `figure_tensors` gives them for such images.

        Returns:
            (B, 3, scale * H, scale * W), not clipped.

        Raises:
            TypeError, ImageError: images that cannot be used, or of other sides.
        """
        check_images(degraded)
        self._check_sides(degraded, "images that are restored with a given U")
        return self.restoration(degraded, replaced=degradations)[0]

    def _check_sides(self, images: Tensor, what: str) -> None:
        side = self.info.sizes.multiple_of
        if images.shape[-2] % side or images.shape[-1] % side:
            raise ImageError(
                f"{what}: expected sides that are multiples of {side}, found "
                f"{tuple(images.shape[-2:])}"
            )

    @torch.no_grad()
    def figure_tensors(self, degraded: Tensor) -> dict[str, Tensor]:
        """S, U, and F before and after injection, per level (1 is full size), and D.

        Names: `affinity_1` (B, N, H, W), `degradation_1` (B, C_U, H, W), `features_1` and
        `injected_1` (B, C, H, W; see `SkipRecord`), then levels 2 and 3 at half and a quarter of
        the size (all of them at twice the size with `upscale="pre_upsample"`); `representation`
        (N, M). What a variant does not have is absent. Single precision.

        Args:
            degraded: (B, 3, H, W), any size.
        """
        check_images(degraded)
        records: list[SkipRecord] = []
        self.restoration(self.info.sizes.pad(degraded), records)
        tensors = {}
        enlarged = self.restoration.head.feature_scale
        for level, record in enumerate(records):
            # A pixel of a level covers 2^level pixels of the image; the rest is padding.
            sides = (enlarged * size for size in degraded.shape[-2:])
            rows, columns = (-(-side // 2**level) for side in sides)
            for name in ("affinity", "degradation", "features", "injected"):
                tensor = getattr(record, name)
                if tensor is not None:
                    tensors[f"{name}_{level + 1}"] = tensor[..., :rows, :columns].float()
        representation = self.representation()
        if representation is not None:
            tensors["representation"] = representation
        return tensors

    def representation(self) -> Tensor | None:
        """D, (N, M), as a copy; None where nothing is queried."""
        if self.restoration.representation is None:
            return None
        return self.restoration.representation.vectors.detach().clone()

    @classmethod
    def official_changes(cls, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The release, told by the never-used layers: else the keys and shapes are the same.

        Without this, weights of the current release would load into a network with residuals.
        """
        first = not never_used_keys().isdisjoint(state)
        return {"variant": "first_release" if first else "current_release"}

    @classmethod
    def map_official_state(cls, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the keys of either public release; see `ndr.network.official_keys`."""
        return own_layers(super().map_official_state(parts_in_use(state)))


@register_method
class FrozenRepresentation(NDRRestoreMethod):
    """NDR-Restore whose D stays as it was drawn: does it matter that D is learned?

    A control of its own name and not a change of `ndr_restore`, so that the runs of the paper's
    network keep their identity.
    """

    info = dataclasses.replace(
        NDRRestoreMethod.info,
        name="ndr_restore_frozen",
        paper_label="NDR-Restore, D frozen at random",
        published_parameters=_PARAMETERS - 32 * 128,
        official_weights=(),
    )
    learns_representation = False
