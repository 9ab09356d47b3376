"""FD-GAN: frequencies, per-image normalisation, losses, size; SSIM as a loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from skimage.metrics import structural_similarity as reference_similarity
from torch.nn import functional as F

from baselines.dehazing.fdgan import DecoderStage, judgement_loss, with_frequencies
from baselines.loss_terms import structural_similarity
from ndr.method import Batch, TrainingContext, parameter_count
from ndr.registry import create, load_official


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_frequencies() -> None:
    image = torch.zeros(1, 3, 41, 41)
    image[0, 1, 20, 20] = 1
    both = with_frequencies(image)
    assert torch.equal(both[:, :3], image)
    low, high = both[0, 3:6], both[0, 6:]
    assert low[1].sum().item() == pytest.approx(1)
    ratio = low[1, 20, 23] / low[1, 20, 20]
    assert ratio.item() == pytest.approx(torch.tensor(-0.5).exp().item())  # 3 pixels, deviation 3
    assert not low[0].any()
    assert low[1, 20, 12] == 0
    assert low[1, 20, 13] > 0
    assert high[1, 20, 20] == -8
    assert torch.equal(high[1, 19:22, 19:22].flatten().sort().values[1:], torch.ones(8))
    ramp = torch.linspace(0, 1, 41).expand(1, 3, 41, 41)
    both = with_frequencies(ramp)
    torch.testing.assert_close(both[0, 3:6, :, 8:-8], ramp[0, :, :, 8:-8])
    assert both[0, 6:, 1:-1, 1:-1].abs().max() < 1e-5


def test_each_image_is_normalised_by_itself() -> None:
    """Training on a batch and restoring one image are the same function."""
    method = create("fdgan", "smoke", start_at_input=False)
    batch = images(3, 3, 16, 24)
    with torch.no_grad():
        together = method.train()(batch, None)
        alone = method.eval().restore(batch[1:2])
    torch.testing.assert_close(together[1:2], alone)
    assert not any("running" in key for key in method.generator.state_dict())


def test_decoder_stage_written_out() -> None:
    stage = DecoderStage(5, 2, 3)
    features = images(1, 5, 4, 6) - 0.5
    opened = F.relu(features)
    added = F.relu(stage.convolution(F.relu(stage.bottleneck(opened))))
    reduced = stage.reduction(torch.cat([opened, added], dim=1))
    expected = reduced.repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(stage(features), expected)
    assert stage.never_used == 2 * 5 + 2 * 8 + 2 * 7


def test_losses() -> None:
    method = create("fdgan", "smoke", start_at_input=False).train()
    clean = images(2, 3, 24, 24)
    batch = Batch(0.5 * clean + 0.4, clean, ("haze", "haze"), torch.zeros(2))
    terms = method.training_losses(batch, TrainingContext(0, 10, F.l1_loss, "discriminator"))
    assert set(terms) == {"real", "restored"}
    sum(terms.values()).backward()
    assert all(p.grad is None for p in method.generator.parameters())
    assert all(p.grad is not None for p in method.discriminator.parameters())
    terms = method.training_losses(batch, TrainingContext(0, 10, F.l1_loss, "generator"))
    restored = method(batch.degraded, None)
    log_odds = method.discriminator(2 * restored - 1)
    expected = {
        "restore": 2 * (restored - clean).abs().mean(),
        "similarity": 1 - structural_similarity(restored, clean),
        "adversarial": -0.1 * torch.sigmoid(log_odds).log().mean(),
    }
    assert {k: v.item() for k, v in terms.items()} == pytest.approx(
        {k: v.item() for k, v in expected.items()}, rel=1e-5
    )


def test_judgements_are_cross_entropies() -> None:
    log_odds = torch.tensor([-2.0, 0.5, 60.0])
    for real in (True, False):
        target = torch.full((3,), float(real))
        expected = F.binary_cross_entropy_with_logits(log_odds, target)
        torch.testing.assert_close(judgement_loss(log_odds, real), expected)


def test_size_and_official_names(tmp_path: Path) -> None:
    with torch.device("meta"):
        method = create("fdgan")
    assert method.counted_parameters() == 13_980_691
    assert parameter_count(method.generator) == 11_803_155
    method = create("fdgan", "smoke", start_at_input=False).eval()
    stems = {
        "embedding": "conv_refin1",
        "output": "conv_refin3",
        "shortcuts.0": "conv_refin2",
        "shortcuts.1": "conv_refin5",
        "merging.0": "conv_refine4",
        "merging.1": "conv_refin6",
        **{f"blocks.{n}": f"dense_block{n + 1}" for n in range(3)},
        **{f"transitions.{n}": f"trans_block{n + 1}" for n in range(3)},
        **{f"decoder.{n}.bottleneck": f"dense_block{n + 4}.conv1" for n in range(3)},
        **{f"decoder.{n}.convolution": f"dense_block{n + 4}.conv2" for n in range(3)},
        **{f"decoder.{n}.reduction": f"trans_block{n + 4}.conv1" for n in range(3)},
    }
    state = {}
    for key, value in method.generator.state_dict().items():
        stem = max((s for s in stems if key.startswith(f"{s}.")), key=len)
        turned = value.transpose(0, 1) if "reduction" in key else value
        # Written by the torchvision of their time: norm.1 for norm1.
        name = stems[stem] + key[len(stem) :].replace(".norm1", ".norm.1")
        state[f"module.{name}"] = turned.contiguous()
    unused = ("conv0.weight", "dense_block31.denselayer1.norm1.weight", "dense_norm31.bias")
    unused += ("dense_block4.bn2.running_var", "trans_block6.bn1.weight")
    state |= {f"module.{name}": torch.ones(3) for name in unused}
    torch.save(state, tmp_path / "netG.pth")
    loaded = load_official("fdgan", tmp_path / "netG.pth", "smoke", start_at_input=False)
    image = images(1, 3, 24, 32)
    with torch.no_grad():
        assert torch.equal(loaded.restore(image), method.restore(image))


def test_refuses_other_depths() -> None:
    with pytest.raises(ValueError, match=r"expected layers of 3 dense blocks, found \(2, 2\)"):
        create("fdgan", "smoke", layers=(2, 2))


def test_structural_similarity() -> None:
    one, other = images(1, 3, 20, 26), images(1, 3, 20, 26, seed=1)
    other = 0.7 * one + 0.3 * other
    _, full = reference_similarity(
        *(image[0].double().numpy() for image in (one, other)),
        channel_axis=0,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    expected = full[:, 5:-5, 5:-5].mean()
    assert structural_similarity(one, other).item() == pytest.approx(expected, abs=1e-5)
    assert structural_similarity(one, one).item() == pytest.approx(1)
