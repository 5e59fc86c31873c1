"""Each attack by hand on a few losses, and all on a model that has read one half."""

import zlib

import pytest
import torch

from genai_tutorial.metrics import auroc
from genai_tutorial.safety import (
    loss_attack,
    min_k_attack,
    reference_attack,
    token_losses,
    zlib_attack,
)
from genai_tutorial.training import AdamW, fit
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss

LOSSES = torch.tensor([[1.0, 2.0, 3.0, 10.0], [4.0, 4.0, 4.0, 4.0]])


def test_loss_attack_is_minus_the_mean():
    assert loss_attack(LOSSES).tolist() == [-4.0, -4.0]


def test_min_k_attack_averages_the_highest_losses():
    assert min_k_attack(LOSSES, share=0.5).tolist() == [-6.5, -4.0]
    assert min_k_attack(LOSSES, share=0.01).tolist() == [-10.0, -4.0]
    assert min_k_attack(LOSSES, share=1).tolist() == loss_attack(LOSSES).tolist()
    # 0.2 * 5 is one token, although its floating-point product may exceed 1.
    assert min_k_attack(torch.tensor([[1.0, 2, 3, 4, 5]])).tolist() == [-5.0]


def test_zlib_attack_divides_by_the_compressed_size():
    texts = [b"a" * 200, bytes(range(200))]
    sizes = [len(zlib.compress(text)) for text in texts]
    assert sizes[0] < sizes[1] / 5
    assert zlib_attack(LOSSES, texts).tolist() == pytest.approx(
        [-16 / sizes[0], -16 / sizes[1]]
    )


def test_reference_attack_cancels_what_is_easy_for_both():
    reference = torch.tensor([[1.0, 2.0, 3.0, 10.0], [5.0, 5.0, 5.0, 5.0]])
    assert reference_attack(LOSSES, reference).tolist() == [0.0, 1.0]


def test_attacks_find_what_a_model_has_read():
    generator = torch.Generator().manual_seed(0)
    windows = torch.randint(0, 16, (40, 17), generator=generator)
    members, others = windows[:20], windows[20:]
    model, reference = (
        DecoderLM(DecoderConfig.fast(16, 16, width=32, layers=1, heads=2), seed=seed)
        for seed in (0, 1)
    )
    fit(
        model,
        [(members[:, :-1], members[:, 1:])] * 60,
        lambda model, x, y: next_token_loss(model(x), y),
        AdamW(model.parameters(), lr=0.01),
        steps=60,
        progress=False,
    )
    losses = token_losses(model, windows, batch_size=7)
    assert losses.shape == (40, 16)
    expected = next_token_loss(model(others[:, :-1]), others[:, 1:])
    assert losses[20:].mean() == pytest.approx(expected.item(), rel=1e-4)
    is_member = torch.arange(40) < 20
    for scores in (
        loss_attack(losses),
        min_k_attack(losses),
        zlib_attack(losses, [bytes(row) for row in windows.tolist()]),
        reference_attack(losses, token_losses(reference, windows)),
    ):
        assert auroc(scores, is_member) > 0.95
    untrained = loss_attack(token_losses(reference, windows))
    assert 0.2 < auroc(untrained, is_member) < 0.8


def test_attacks_reject_wrong_arguments():
    with pytest.raises(ValueError, match="two tokens or more"):
        token_losses(torch.nn.Identity(), torch.zeros(3, 1, dtype=torch.long))
    with pytest.raises(ValueError, match=r"got 0\."):
        min_k_attack(LOSSES, share=0.0)
    with pytest.raises(ValueError, match="2 rows of losses, 1 texts"):
        zlib_attack(LOSSES, [b"a"])
    with pytest.raises(ValueError, match="same shape"):
        reference_attack(LOSSES, LOSSES[:1])
