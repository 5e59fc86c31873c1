"""Exposure is the exact rank, and a model trained to recite is caught."""

import math
import zlib

import pytest
import torch

from genai_tutorial.metrics import auroc
from genai_tutorial.safety import (
    Canary,
    Exposure,
    draw_canaries,
    exposure,
    extracted,
    insert_canaries,
    loss_attack,
    min_k_attack,
    token_losses,
    zlib_attack,
)
from genai_tutorial.safety.canaries import secret_log_probs
from genai_tutorial.training import AdamW, fit
from genai_tutorial.transformer import DecoderConfig, DecoderLM, next_token_loss
from tests.drawn import stirred

CANARY = Canary("No. ", "37", copies=1)


def to_bytes(text):
    return list(text.encode())


def disturbed_model(convolution_size=2):
    """A fresh model has zero outputs, so that all secrets would be equally likely."""
    config = DecoderConfig.fast(
        128, 32, width=32, layers=2, heads=2, convolution_size=convolution_size
    )
    model = DecoderLM(config)
    return stirred(model, size=0.3).eval()


@pytest.fixture(scope="module")
def reciting_model():
    model = DecoderLM(DecoderConfig.fast(128, 32, width=32, layers=1, heads=2))
    ids = torch.tensor([to_bytes(f"\n{CANARY.text}")])
    fit(
        model,
        [(ids[:, :-1], ids[:, 1:])] * 60,
        lambda model, x, y: next_token_loss(model(x), y),
        AdamW(model.parameters(), lr=0.01),
        steps=60,
        progress=False,
    )
    return model.eval()


@pytest.mark.parametrize("convolution_size", [0, 2])
def test_tree_of_prefixes_equals_reading_every_secret(convolution_size):
    model = disturbed_model(convolution_size)
    texts = [to_bytes(f"{CANARY.prompt}{secret:02}") for secret in range(100)]
    ids = torch.tensor(texts)
    with torch.no_grad():
        all_log_probs = model(ids).log_softmax(dim=-1)
    chosen = all_log_probs[:, -3:-1].gather(2, ids[:, -2:, None])[..., 0].sum(dim=1)
    found = secret_log_probs(model, CANARY, to_bytes)
    torch.testing.assert_close(found, chosen, atol=1e-4, rtol=1e-5)
    assert found.std() > 0.1


def test_exposure_counts_likelier_secrets():
    model = disturbed_model()
    log_probs = secret_log_probs(model, CANARY, to_bytes)
    order = log_probs.argsort(descending=True).tolist()
    assert exposure(model, CANARY, to_bytes) == Exposure(order.index(37) + 1, 100)
    best = Canary(CANARY.prefix, f"{order[0]:02}", copies=0)
    assert exposure(model, best, to_bytes).bits == pytest.approx(math.log2(100))


def test_recited_secret_is_extracted_and_fully_exposed(reciting_model):
    assert extracted(reciting_model, CANARY, to_bytes)
    assert exposure(reciting_model, CANARY, to_bytes).rank == 1
    other = Canary(CANARY.prefix, "38", copies=0)
    assert not extracted(reciting_model, other, to_bytes)
    assert exposure(reciting_model, other, to_bytes).rank > 1


def test_exposure_of_random_ranks_is_below_two_bits_on_average():
    bits = [Exposure(rank, 1000).bits for rank in range(1, 1001)]
    assert sum(bits) / 1000 == pytest.approx(1 / math.log(2), abs=0.02)


def test_insert_canaries_adds_each_copy_as_a_line_of_its_own():
    text = "one\ntwo\nthree"
    canaries = draw_canaries(["Adam", "Bess", "Carl"], copies=(0, 1, 3), seed=1)
    lines = insert_canaries(text, canaries, seed=2).split("\n")
    assert [lines.count(canary.text) for canary in canaries] == [0, 1, 3]
    planted = {canary.text for canary in canaries}
    assert [line for line in lines if line not in planted] == text.split("\n")
    assert insert_canaries(text, canaries, seed=3).split("\n") != lines


def test_draw_canaries_deals_out_copies_and_depends_on_seed():
    names = ["Adam", "Bess", "Carl"]
    first, second = (draw_canaries(names, (0, 4), seed=seed) for seed in (0, 1))
    assert [canary.copies for canary in first] == [0, 4, 0]
    assert {len(canary.secret) for canary in first} == {4}
    assert [c.secret for c in first] != [c.secret for c in second]
    assert first == draw_canaries(names, (0, 4), seed=0)


def test_canaries_reject_wrong_arguments():
    with pytest.raises(ValueError, match="Each digit must be one token"):
        secret_log_probs(disturbed_model(), CANARY, lambda text: [1, *to_bytes(text)])


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
    ):
        assert auroc(scores, is_member) > 0.95
    untrained = loss_attack(token_losses(reference, windows))
    assert 0.2 < auroc(untrained, is_member) < 0.8


def test_attacks_reject_wrong_arguments():
    with pytest.raises(ValueError, match=r"got 0\."):
        min_k_attack(LOSSES, share=0.0)
    with pytest.raises(ValueError, match="2 rows of losses, 1 texts"):
        zlib_attack(LOSSES, [b"a"])
